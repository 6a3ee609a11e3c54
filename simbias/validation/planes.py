"""Classifiers' labels on a plane of a grid: every square in every context, in one program."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias._pinned import pinned
from simbias._types import AnyArray, Params
from simbias.models.classifier import Classifier, predicted, score
from simbias.models.panel import Panel, panel
from simbias.networks.scorer import Scorer
from simbias.parallel import devices_for, over_seeds, spread
from simbias.tasks import BlockTask
from simbias.tasks.oracle import Rule, decided
from simbias.training.stack import Stack
from simbias.validation.cuts import side

# Whether the simple coordinate and the slab coordinate are in their decided intervals, or between.
ZONES = ("support-slab", "support-gap", "margin-slab", "margin-gap")
ROWS = 1000  # of one forward pass: activations stay in cache


class _Squares(NamedTuple):
    """The squares of a plane in blocks; squares that pad the last block are in no zone."""

    position: Float[AnyArray, "blocks squares 2"]
    zone: Float[AnyArray, "blocks squares zones"]
    rules: Int[AnyArray, "blocks squares rules"]  # labels by the simple and the achievable rule


class _Slice(NamedTuple):
    """A network with the contexts of a plane and the plane's axes, in its input coordinates."""

    params: Params
    contexts: Float[AnyArray, "contexts dim"]
    axes: Float[AnyArray, "2 dim"]


# matched pairs on which a network follows a rule, and its proportions of label 1
Plane = tuple[Float[AnyArray, "rules zones contexts"], Float[AnyArray, "blocks squares labels"]]


def centres(task: BlockTask, rule: Rule, resolution: int) -> Float[np.ndarray, " squares"]:
    """The centres of a grid's squares along a rule's coordinate, input units."""
    low, high = side(task.blocks[rule.coordinate])
    return low + (np.arange(resolution) + 0.5) * (high - low) / resolution


@pinned
def ask(
    learned: Stack | Panel,
    rules: tuple[Rule, Rule],
    contexts: Sequence[np.ndarray],
    resolution: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate every classifier on one plane: networks in one compiled program, others on the host.

    Returns:
        Proportions of label 1 (seeds, labels, rows, columns), and for each context the proportion
        of matched squares on which the classifier follows a rule (seeds, rules, zones, contexts).
    """
    classifiers = panel(learned)
    task, pair = classifiers.block_task, [rule.coordinate for rule in rules]
    positions = [centres(task, rule, resolution) for rule in rules]
    position = np.stack(np.meshgrid(*positions), axis=-1).reshape(-1, 2)
    labels = np.stack([replace(rule, coordinate=k)(position) for k, rule in enumerate(rules)])
    inside = [
        np.any([(x >= p.low) & (x <= p.high) for p in decided(task.blocks[j])], axis=0)
        for j, x in zip(pair, position.T, strict=True)
    ]
    zone = np.eye(len(ZONES))[2 * ~inside[0] + ~inside[1]]

    rows = 2 if task.dim == 2 else len(contexts[0])
    block_squares = max(1, ROWS // rows)
    filler = -len(position) % block_squares

    def blocks(x: np.ndarray) -> np.ndarray:
        filled = np.concatenate([x, np.zeros((filler, x.shape[1]), x.dtype)])
        return filled.reshape(-1, block_squares, x.shape[1])

    kinds = (np.float32, np.float32, np.int32)
    parts = zip((position, zone, labels.T), kinds, strict=True)
    squares = _Squares(*(blocks(part.astype(kind)) for part, kind in parts))
    seeds, outside = len(classifiers), ~np.isin(np.arange(task.dim), pair)
    slices = []
    for i, member in enumerate(classifiers.members):
        rotation = classifiers.data[i].rotation
        context = (contexts[i][:rows] * outside).astype(np.float32) @ rotation
        slices.append(_Slice(getattr(member, "params", None), context, rotation[pair]))
    if classifiers.network is None:
        answers = [
            _answer(member, slice_, squares)
            for member, slice_ in zip(classifiers.members, slices, strict=True)
        ]
        hits, proportion = (np.stack(part) for part in zip(*answers, strict=True))
    else:
        devices = devices_for(seeds)
        placed = spread(slices, devices)
        hits, proportion = jax.device_get(_compiled(classifiers.network, devices)(placed, squares))
    given = proportion[:seeds].reshape(seeds, -1, 2)[:, : len(position)]
    matched = np.stack([zone[labels[1] == y].sum(axis=0) for y in (0, 1)], axis=1)
    matched = np.tile(matched, rows // 2)  # contexts are given each label in turn
    with np.errstate(invalid="ignore"):
        agreed = hits[:seeds] / matched
    return given.transpose(0, 2, 1).reshape(seeds, 2, resolution, resolution), agreed


@lru_cache
def _compiled(network: Scorer, devices: tuple[jax.Device, ...]) -> Callable[..., Plane]:
    return over_seeds(partial(_plane, network), devices)


def _answer(member: Classifier, slice_: _Slice, squares: _Squares) -> tuple[np.ndarray, np.ndarray]:
    """``_plane`` for a classifier that is not traced."""
    total: AnyArray = np.zeros((2, len(ZONES), len(slice_.contexts)))
    proportions = []
    for parts in zip(*squares, strict=True):
        block = _Squares(*parts)
        labels = predicted(score(member, _points(block, slice_))).reshape(len(block.position), -1)
        total, proportion = _tallied(total, block, labels)
        proportions.append(proportion)
    return np.asarray(total), np.stack(proportions)


def _points(block: _Squares, slice_: _Slice) -> Float[AnyArray, "points dim"]:
    """Every square of a block in every context, as inputs, (squares * contexts, dim)."""
    point = block.position[:, :1] * slice_.axes[:1] + block.position[:, 1:] * slice_.axes[1:]
    x = point[:, None, :] + slice_.contexts[None]
    return x.reshape(-1, x.shape[-1])


def _plane(network: Scorer, slice_: _Slice, squares: _Squares) -> Plane:
    """Matched pairs on which the network follows a rule, and its proportions of label 1."""
    squares_in_block, contexts = squares.position.shape[1], len(slice_.contexts)

    def add_block(total: Array, block_squares: _Squares) -> tuple[Array, Array]:
        logits = network.apply(slice_.params, _points(block_squares, slice_))
        labels = (logits[:, 1] > logits[:, 0]).reshape(squares_in_block, -1).astype(jnp.int32)
        return _tallied(total, block_squares, labels)

    zeros = jnp.zeros((2, len(ZONES), contexts))
    return jax.lax.scan(add_block, zeros, squares)


def _tallied(
    total: Float[AnyArray, "rules zones contexts"],
    block: _Squares,
    labels: Int[AnyArray, "squares contexts"],
) -> tuple[Float[AnyArray, "rules zones contexts"], Float[AnyArray, "squares labels"]]:
    """The total of matched pairs with those of a block of squares; its proportions of label 1."""
    squares_in_block, contexts = labels.shape
    y = np.arange(contexts, dtype=np.int32) % 2
    matched = block.rules[:, 1:] == y[None]
    hits = (labels[:, None] == block.rules[:, :, None]) & matched[:, None]
    einsum = np.einsum if isinstance(labels, np.ndarray) else jnp.einsum
    total += einsum("cz,crx->rzx", block.zone, hits.astype(np.float32))
    return total, labels.reshape(squares_in_block, -1, 2).mean(axis=1, dtype=np.float32)
