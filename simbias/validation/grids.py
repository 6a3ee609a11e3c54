"""Dense held-out grids: what networks say on planes of the simple and a slab coordinate.

A point of a plane fixes the two coordinates; a context, a draw of the others from the task's law
given a label, makes it an input. Every point meets the same contexts, half of them given each
label, so contexts are the independent units: intervals are over them. A point and a context are
*matched* where the achievable rule on the plane's slab coordinate gives the point the context's
label, so that no slab coordinate contradicts another: agreement is measured on matched pairs.

Beside the grids, and exact: how often a network changes its label along a slab coordinate, and how
far its boundary in a plane lies from the achievable one.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice, pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simbias._checks import each, fail, real, whole
from simbias._keys import own_key
from simbias._memory import fits
from simbias._pinned import pinned
from simbias._types import AnyArray, Params
from simbias.models.classifier import Classifier, said, score
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.networks.scorer import Scorer
from simbias.parallel import devices_for, over_seeds, spread
from simbias.stats.bounded import betting_interval
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width
from simbias.tasks import BlockTask
from simbias.tasks.block_task import Tables, draw_uniforms, quantile
from simbias.tasks.blocks import Block
from simbias.tasks.oracle import Part, Rule, achievable_rule, decided, simple_rule
from simbias.training.stack import Stack
from simbias.validation.cuts import Cuts, measure_cuts, side
from simbias.validation.sound import faults

# Where the simple coordinate is (where it tells a label, or in the margin between), and the slab
# coordinate.
ZONES = ("support-slab", "support-gap", "margin-slab", "margin-gap")
ROWS = 1000  # of one forward pass: activations stay in cache


@dataclass(frozen=True)
class GridReport:
    """What the networks of a stack say on each plane; NaN where there is nothing to measure.

    A network that is no classifier (see ``simbias.validation.faults``) has NaN for every number.
    Cuts and distances are exact, and NaN for a network that is no MLP of ReLUs. Intervals are over
    contexts, of which two, one given each label, are a unit. Those of shares and accuracies hold
    for every law (``bounded.betting_interval``); that of ``cuts``, which nothing bounds, is
    Student's t, approximate, and NaN where all contexts agree. Where the plane is the whole space
    nothing is drawn, and intervals are points.

    Attributes:
        faults: for each network why it is no classifier; empty where it is one.
        simple: the horizontal coordinate of every plane.
        coordinates: the vertical coordinate of each plane.
        across, up: centres of the cells, input units, (columns,) and (coordinates, rows).
        contexts: contexts of each network; 0 where the plane is the whole space.
        confidence: coverage of each interval.
        given: share of the contexts given each label in which a network says 1, (seeds,
            coordinates, labels, rows, columns).
        simple_agreement, achievable_agreement: share of matched pairs on which a network says what
            the rule says, by ``ZONES``, (seeds, coordinates, zones). Within a zone the cells of a
            label weigh the same, and so do the labels.
        counts: changes of label as the slab coordinate crosses its support, on one line a context
            with the simple coordinate at a draw from its margin, (seeds, coordinates, lines).
        cuts: their mean, (seeds, coordinates).
        cut_accuracy: mean of the best accuracy of a rule on the slab coordinate with as many cuts.
        majority_cuts: changes of the majority over the lines, as in ``rays.majority_changes``.
        achievable_cuts: of the achievable rule on each coordinate.
        slabs: every coordinate outside the simple set that attains the Bayes risk: a network may
            have learned any of them.
        slab_cuts: ``majority_cuts`` on each of them, (seeds, slabs).
        distances: mean and Hausdorff distance between the learned and the achievable boundary in
            the planes of the first contexts, input units, (seeds, coordinates, planes, 2); NaN
            where a network says the same all over the plane. The mean is that of the two directed
            means by arc length; Hausdorff distances are short by at most 1/1000 of a side.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validation.measure_grids(stack, coordinates=[1], contexts=8)
        >>> report.simple, report.coordinates, report.slabs
        (0, (1,), (1, 2, 3))
        >>> report.given.shape
        (2, 1, 2, 100, 100)
        >>> report.achievable_cuts
        (4,)
    """

    faults: tuple[str, ...]
    simple: int
    coordinates: tuple[int, ...]
    across: Float[np.ndarray, " columns"]
    up: Float[np.ndarray, "coordinates rows"]
    contexts: int
    confidence: float
    given: Float[np.ndarray, "seeds coordinates labels rows columns"]
    simple_agreement: Estimate
    achievable_agreement: Estimate
    counts: Float[np.ndarray, "seeds coordinates lines"]
    cuts: Estimate
    cut_accuracy: Estimate
    majority_cuts: Float[np.ndarray, "seeds coordinates"]
    achievable_cuts: tuple[int, ...]
    slabs: tuple[int, ...]
    slab_cuts: Float[np.ndarray, "seeds slabs"]
    distances: Float[np.ndarray, "seeds coordinates planes 2"]

    @property
    def share(self) -> Float[np.ndarray, "seeds coordinates rows columns"]:
        """Share of all contexts in which a network says 1."""
        mean: Float[np.ndarray, "seeds coordinates rows columns"] = self.given.mean(axis=2)
        return mean


class _Cells(NamedTuple):
    """The cells of a plane in blocks; those that fill up the last block are in no zone."""

    position: Float[AnyArray, "blocks cells 2"]
    zone: Float[AnyArray, "blocks cells zones"]
    rules: Int[AnyArray, "blocks cells rules"]  # labels by the simple and the achievable rule


class _Slice(NamedTuple):
    """A network, and as its inputs the contexts of a plane and the plane's axes."""

    params: Params
    contexts: Float[AnyArray, "contexts dim"]
    axes: Float[AnyArray, "2 dim"]


# matched pairs on which a network follows a rule, and its shares of label 1
Plane = tuple[Float[AnyArray, "rules zones contexts"], Float[AnyArray, "blocks cells labels"]]


@pinned
def measure_grids(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    coordinates: Sequence[int] | None = None,
    resolution: int = 100,
    contexts: int = 128,
    planes: int = 4,
    confidence: float = 0.95,
) -> GridReport:
    """Lay grids over planes of the simple and a slab coordinate, and ask every classifier.

    Contexts, and the positions in the margin at which cuts are counted, are drawn from each data
    set's own context stream.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``, on a task with a simple
            set.
        data: for a classifier that does not know its training set.
        coordinates: slab coordinates, each attaining the Bayes risk; default the first 4.
        resolution: cells on each side of the support; enough that some lie in every margin.
        contexts: contexts of a classifier, an even number.
        planes: contexts in whose planes the boundary's distance is measured.
        confidence: coverage of each two-sided interval, in (0, 1).

    Raises:
        ValueError: an argument out of range, or a task without a simple set.

    References:
        I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
        JRSS B 2024: the intervals of shares and accuracies.
        Student, "The probable error of a mean", Biometrika 1908: that of the number of cuts.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validation.measure_grids(stack, coordinates=[1], contexts=8)
        >>> report.cuts.value.shape, report.distances.shape
        ((2, 1), (2, 1, 4, 2))
    """
    asked = panel(learned, data)
    task = asked.block_task
    simple = simple_rule(task)
    if simple is None:
        raise fail("learned", f"networks on {task.name}", "networks on a task with a simple set")
    rules = [achievable_rule(task, j) for j in slab_coordinates(task, coordinates)]
    cells = len(asked) * whole("resolution", resolution, least=2) ** 2
    fits("resolution", resolution, 8.0 * cells)
    if whole("contexts", contexts, least=4) % 2:
        raise fail("contexts", contexts, "an even integer >= 4")
    whole("planes", planes, most=contexts)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    for rule in rules:
        _check_resolution(task, (simple, rule), resolution)
    found = faults(asked)
    left_out = np.array([bool(fault) for fault in found])
    drawn = [draw_lines(asked, i, simple.coordinate, contexts) for i in range(len(asked))]
    answers = [ask(asked, (simple, rule), drawn, resolution) for rule in rules]
    given, agreed = (np.stack(part, axis=1) for part in zip(*answers, strict=True))
    given[left_out], agreed[left_out] = np.nan, np.nan
    exact = [
        [measure_cuts(asked, i, (simple, rule), x, planes) for rule in rules]
        for i, x in enumerate(drawn)
    ]
    slabs, slab_cuts = count_slab_cuts(asked, drawn)
    counts, worth, majority, distances = (
        np.array([[getattr(one, name) for one in row] for row in exact]) for name in Cuts._fields
    )
    for part in (counts, worth, majority, distances, slab_cuts):
        part[left_out] = np.nan
    return GridReport(
        faults=found,
        simple=simple.coordinate,
        coordinates=tuple(rule.coordinate for rule in rules),
        across=_centres(task, simple, resolution),
        up=np.stack([_centres(task, rule, resolution) for rule in rules]),
        contexts=0 if task.dim == 2 else contexts,
        confidence=confidence,
        given=given,
        simple_agreement=_share_over_contexts(agreed[:, :, 0], confidence),
        achievable_agreement=_share_over_contexts(agreed[:, :, 1], confidence),
        counts=counts,
        cuts=_over_contexts(counts, confidence),
        cut_accuracy=_share_over_contexts(worth, confidence),
        majority_cuts=majority,
        achievable_cuts=tuple(len(rule.cuts) for rule in rules),
        slabs=slabs,
        slab_cuts=slab_cuts,
        distances=distances,
    )


@pinned
def count_slab_cuts(
    learned: Stack | Panel, drawn: Sequence[Float[np.ndarray, "lines dim"]] | None = None
) -> tuple[tuple[int, ...], Float[np.ndarray, "seeds slabs"]]:
    """The slab coordinates of a task, and each classifier's majority cuts along them.

    Args:
        learned: trained networks, or a panel of classifiers, on a task with a simple set.
        drawn: the contexts of each classifier, from ``draw_lines``; default 128 of them.
    """
    asked = panel(learned)
    task = asked.block_task
    simple = simple_rule(task)
    assert simple is not None
    if drawn is None:
        drawn = [draw_lines(asked, i, simple.coordinate, 128) for i in range(len(asked))]
    slabs = slab_coordinates(task, None, most=task.dim)
    rules = [(simple, achievable_rule(task, j)) for j in slabs]
    found = [
        [measure_cuts(asked, i, pair, x, 0).majority for pair in rules] for i, x in enumerate(drawn)
    ]
    return tuple(slabs), np.array(found)


@pinned
def draw_given(
    task: BlockTask, key: Key[Array, ""], y: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows dim"]:
    """Unrotated draws given labels (float64)."""
    return np.array(_given(task.tables, own_key(key), jnp.asarray(y, jnp.int32)), np.float64)


@jax.jit
def _given(tables: Tables, key: Key[Array, ""], y: Int[Array, " rows"]) -> Array:
    return quantile(tables, draw_uniforms(tables, key, len(y))[0], y)


def slab_coordinates(
    task: BlockTask, coordinates: Sequence[int] | None, most: int = 4
) -> list[int]:
    """Coordinates outside the simple set that attain the Bayes risk: those given, or the first.

    Raises:
        ValueError: none given, one twice, or one that is no such coordinate.
    """
    outside = [j for j in range(task.dim) if j not in task.simple_set]
    if coordinates is None:
        return list(islice((j for j in outside if _attains(task, j)), most))
    chosen = [whole("coordinates", j, least=0) for j in each("coordinates", coordinates, object)]
    distinct = bool(chosen) and len(set(chosen)) == len(chosen)
    if not distinct or not all(j in outside and _attains(task, j) for j in chosen):
        allowed = "distinct coordinates outside the simple set that attain the Bayes risk"
        raise fail("coordinates", chosen, allowed)
    return chosen


def _attains(task: BlockTask, coordinate: int) -> bool:
    try:
        return achievable_rule(task, coordinate).coordinate == coordinate
    except ValueError:
        return False


@pinned
def draw_lines(
    learned: Stack | Panel, i: int, simple: int, contexts: int
) -> Float[np.ndarray, "contexts dim"]:
    """The contexts of a data set, with the simple coordinate anywhere in its margin."""
    asked = panel(learned)
    task, key = asked.block_task, asked.data[i].stream("context")
    key_x, key_place = jax.random.split(key)
    x = draw_given(task, key_x, np.arange(contexts) % 2)
    gaps = np.array(_margins(task.blocks[simple]))
    ends = np.append(0, np.cumsum(np.diff(gaps)))
    place = np.asarray(jax.random.uniform(key_place, (contexts,)), np.float64) * ends[-1]
    gap = np.searchsorted(ends[1:-1], place, side="right")
    x[:, simple] = gaps[gap, 0] + place - ends[gap]
    return x


def _margins(block: Block) -> list[tuple[float, float]]:
    """The stretches of a support where no label is likelier: its margins.

    Where nothing is told that is all of it; where it is told everywhere, the places at which the
    label changes.
    """
    low, high = side(block)
    told = decided(block)
    ends = [low, *(end for part in told for end in part[:2]), high]
    found = list(zip(ends[::2], ends[1::2], strict=True))
    return [pair for pair in found if pair[0] < pair[1]] or found[1:-1]


def _check_resolution(task: BlockTask, rules: tuple[Rule, Rule], resolution: int) -> None:
    """Raise ValueError where grids are too coarse to have a cell in every slab and margin."""
    missing, needed = False, 0
    for rule, cuts in zip(rules, ((), rules[1].cuts), strict=True):
        block = task.blocks[rule.coordinate]
        told, (low, high) = decided(block), side(block)

        def kind(
            at: float, told: Sequence[Part] = told, cuts: Sequence[float] = cuts
        ) -> tuple[bool, int]:
            """Whether one label is likelier at a place, and which one the rule says, if asked."""
            return any(p.low <= at <= p.high for p in told), bisect_right(cuts, at) % 2

        ends = sorted({low, high, *cuts, *(end for part in told for end in part[:2])})
        widest: dict[tuple[bool, int], float] = {}
        for left, right in pairwise(ends):
            place = kind((left + right) / 2)
            widest[place] = max(widest.get(place, 0.0), right - left)
        missing |= bool(widest.keys() - set(map(kind, _centres(task, rule, resolution))))
        # a little more than the quotient, so that no end of a stretch is a centre
        needed = max(needed, int((high - low) / min(widest.values()) * (1 + 1e-9)) + 1)
    if missing:
        allowed = f"an integer >= {needed}, so that cells lie in every slab and margin"
        raise fail("resolution", resolution, allowed)


def _centres(task: BlockTask, rule: Rule, resolution: int) -> Float[np.ndarray, " cells"]:
    low, high = side(task.blocks[rule.coordinate])
    return low + (np.arange(resolution) + 0.5) * (high - low) / resolution


@pinned
def ask(
    learned: Stack | Panel, rules: tuple[Rule, Rule], drawn: Sequence[np.ndarray], resolution: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every classifier on one plane: networks in one compiled program, others on the host.

    Returns:
        Shares of label 1 (seeds, labels, rows, columns), and for each context the share of matched
        cells on which the classifier follows a rule (seeds, rules, zones, contexts).
    """
    asked = panel(learned)
    task, pair = asked.block_task, [rule.coordinate for rule in rules]
    centres = [_centres(task, rule, resolution) for rule in rules]
    position = np.stack(np.meshgrid(*centres), axis=-1).reshape(-1, 2)
    labels = np.stack([replace(rule, coordinate=k)(position) for k, rule in enumerate(rules)])
    inside = [
        np.any([(x >= p.low) & (x <= p.high) for p in decided(task.blocks[j])], axis=0)
        for j, x in zip(pair, position.T, strict=True)
    ]
    zone = np.eye(len(ZONES))[2 * ~inside[0] + ~inside[1]]

    rows = 2 if task.dim == 2 else len(drawn[0])
    many = max(1, ROWS // rows)
    spare = -len(position) % many

    def blocks(x: np.ndarray) -> np.ndarray:
        filled = np.concatenate([x, np.zeros((spare, x.shape[1]), x.dtype)])
        return filled.reshape(-1, many, x.shape[1])

    kinds = (np.float32, np.float32, np.int32)
    parts = zip((position, zone, labels.T), kinds, strict=True)
    cells = _Cells(*(blocks(part.astype(kind)) for part, kind in parts))
    seeds, outside = len(asked), ~np.isin(np.arange(task.dim), pair)
    slices = []
    for i, member in enumerate(asked.members):
        turn = asked.data[i].rotation
        context = (drawn[i][:rows] * outside).astype(np.float32) @ turn
        slices.append(_Slice(getattr(member, "params", None), context, turn[pair]))
    if asked.network is None:
        found = [_answer(*one, cells) for one in zip(asked.members, slices, strict=True)]
        hits, share = (np.stack(part) for part in zip(*found, strict=True))
    else:
        devices = devices_for(seeds)
        laid = spread(slices, devices)
        hits, share = jax.device_get(_compiled(asked.network, devices)(laid, cells))
    given = share[:seeds].reshape(seeds, -1, 2)[:, : len(position)]
    matched = np.stack([zone[labels[1] == y].sum(axis=0) for y in (0, 1)], axis=1)
    matched = np.tile(matched, rows // 2)  # contexts are given each label in turn
    with np.errstate(invalid="ignore"):
        agreed = hits[:seeds] / matched
    return given.transpose(0, 2, 1).reshape(seeds, 2, resolution, resolution), agreed


@lru_cache
def _compiled(network: Scorer, devices: tuple[jax.Device, ...]) -> Callable[..., Plane]:
    return over_seeds(partial(_plane, network), devices)


def _answer(member: Classifier, own: _Slice, cells: _Cells) -> tuple[np.ndarray, np.ndarray]:
    """What ``_plane`` gives, of a classifier that answers for itself."""
    total: AnyArray = np.zeros((2, len(ZONES), len(own.contexts)))
    shares = []
    for parts in zip(*cells, strict=True):
        some = _Cells(*parts)
        labels = said(score(member, _points(some, own))).reshape(len(some.position), -1)
        total, share = _tallied(total, some, labels)
        shares.append(share)
    return np.asarray(total), np.stack(shares)


def _points(some: _Cells, own: _Slice) -> Float[AnyArray, "points dim"]:
    """Every cell of a block in every context, as inputs, (cells * contexts, dim)."""
    point = some.position[:, :1] * own.axes[:1] + some.position[:, 1:] * own.axes[1:]
    x = point[:, None, :] + own.contexts[None]
    return x.reshape(-1, x.shape[-1])


def _plane(network: Scorer, own: _Slice, cells: _Cells) -> Plane:
    """Matched pairs on which the network follows a rule, and its shares of label 1."""
    many, contexts = cells.position.shape[1], len(own.contexts)

    def block(total: Array, some: _Cells) -> tuple[Array, Array]:
        logits = network.apply(own.params, _points(some, own))
        labels = (logits[:, 1] > logits[:, 0]).reshape(many, -1).astype(jnp.int32)
        return _tallied(total, some, labels)

    zeros = jnp.zeros((2, len(ZONES), contexts))
    return jax.lax.scan(block, zeros, cells)


def _tallied(
    total: Float[AnyArray, "rules zones contexts"],
    some: _Cells,
    labels: Int[AnyArray, "cells contexts"],
) -> tuple[Float[AnyArray, "rules zones contexts"], Float[AnyArray, "cells labels"]]:
    """Matched pairs so far, with those of a block of cells, and its shares of label 1."""
    many, contexts = labels.shape
    y = np.arange(contexts, dtype=np.int32) % 2
    matched = some.rules[:, 1:] == y[None]
    hits = (labels[:, None] == some.rules[:, :, None]) & matched[:, None]
    einsum = np.einsum if isinstance(labels, np.ndarray) else jnp.einsum
    total += einsum("cz,crx->rzx", some.zone, hits.astype(np.float32))
    return total, labels.reshape(many, -1, 2).mean(axis=1, dtype=np.float32)


def _share_over_contexts(values: np.ndarray, confidence: float) -> Estimate:
    """Mean of what lies in [0, 1] over the last axis, contexts given each label in turn."""
    value, pairs = values.mean(axis=-1), values.shape[-1] // 2
    if pairs == 1:  # the plane is the whole space
        return Estimate(value, value, value)
    units = values.reshape(*values.shape[:-1], pairs, 2).mean(axis=-1)
    return Estimate(value, *betting_interval(np.clip(units, 0, 1), confidence))


def _over_contexts(values: np.ndarray, confidence: float) -> Estimate:
    """The same of what has no upper end, by Student's t, stratified by label."""
    value, pairs = values.mean(axis=-1), values.shape[-1] // 2
    if pairs == 1:
        return Estimate(value, value, value)
    strata = values.reshape(*values.shape[:-1], pairs, 2)
    error = np.sqrt(strata.var(axis=-2, ddof=1).sum(axis=-1) / (4 * pairs))
    half = half_width(error, 2 * pairs - 2, confidence)
    return Estimate(value, np.maximum(value - half, 0), value + half)
