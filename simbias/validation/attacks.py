"""Attacks on inputs: moved each by itself, or all by one vector, within an L2 ball.

Both are projected gradient ascent on fresh certify draws, in unrotated coordinates (the rotation
keeps lengths). What ascends is each point's logit of the other label less that of its own, which is
steep where the loss is flat, from the point itself and from a random point of its ball; for one
vector it is the mean of the loss that the network was trained with, as the logits of two labels
cancel. An attack that fails shows nothing: the accuracy under it is an upper limit of what the
strongest attack leaves.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, UInt

from simbias import tasks
from simbias._checks import instance, real, whole
from simbias._defaults import CONFIDENCE
from simbias._keys import identity_key, key_of, stream
from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, Params
from simbias.losses import Loss
from simbias.methods.adversarial import anywhere_within, attacked
from simbias.networks import Network
from simbias.parallel import devices_for, over_seeds, spread
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import Tables, draw
from simbias.training.scores import labels_of
from simbias.training.stack import Stack
from simbias.validation.sound import faulty

POINTS = 2000  # attacked of each network
STEPS = 20  # of an attack, as in the notebooks of Shah et al. (2020)
_REACH = 2.5  # length of all steps together, in radii, as in Madry et al. (2018)


class _Attacked(NamedTuple):
    """The traced part of a network that is attacked."""

    key: UInt[AnyArray, " words"]
    tables: Tables
    rotation: Float[AnyArray, "dim dim"]
    params: Params


@pinned
def attacked_accuracy(
    stack: Stack, radius: float, *, points: int = POINTS, confidence: float = CONFIDENCE
) -> Estimate:
    """Accuracy where each input is moved to where its label loses most.

    Args:
        stack: trained networks, on a task of independent coordinates.
        radius: of the L2 ball around each input, in input units, >= 0.
        points: fresh points for each network.
        confidence: of Clopper-Pearson intervals, which hold for this attack.

    Raises:
        ValueError: an argument out of range.

    References:
        A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu, "Towards deep learning models
        resistant to adversarial attacks", ICLR 2018.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> from simbias.validation.attacks import attacked_accuracy
        >>> attacked_accuracy(stack, 1.0).value
        array([0., 0.])
    """
    correct, left_out = _run(stack, _correct, radius, points)
    counted = np.where(left_out, 0, points)
    return clopper_pearson(np.where(left_out, 0, correct.sum(axis=1)), counted, confidence)


@pinned
def universal_share(stack: Stack, radius: float, *, points: int = POINTS) -> np.ndarray:
    """The share of its length that a universal perturbation has on the simple set.

    One vector within the ball moves all points, to where their mean loss is high; its share is the
    length of its simple coordinates over its length.

    Args:
        stack: trained networks, on a task of independent coordinates.
        radius: of the L2 ball of the vector, in input units, > 0.
        points: fresh points for each network.

    Returns:
        (seeds,), in [0, 1]; NaN for a network with a fault.

    Raises:
        ValueError: an argument out of range.

    References:
        S.-M. Moosavi-Dezfooli, A. Fawzi, O. Fawzi, P. Frossard, "Universal adversarial
        perturbations", CVPR 2017.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> from simbias.validation.attacks import universal_share
        >>> bool((universal_share(stack, 1.0) > 0.98).all())
        True
    """
    moved, left_out = _run(stack, _universal, real("radius", radius, 0, open_low=True), points)
    simple = np.asarray(stack.cell.block_task.tables.simple, bool)
    share = np.linalg.norm(moved[:, simple], axis=1) / np.linalg.norm(moved, axis=1)
    return np.where(left_out, np.nan, share)


_Attack = Callable[..., Array]


def _run(
    stack: Stack, attack: _Attack, radius: float, points: int
) -> tuple[np.ndarray, Bool[np.ndarray, " seeds"]]:
    """An attack on each network, and which networks have a fault."""
    instance("stack", stack, Stack)
    task, cell = stack.cell.block_task, stack.cell
    radius, points = real("radius", radius, 0), whole("points", points)
    members = []
    for i, seed in enumerate(stack.seeds):
        key = stream(identity_key(tasks.identity(task), seed), "certify")
        params = jax.tree.map(lambda leaf, place=i: np.asarray(leaf[place]), stack.params)
        words = np.asarray(jax.random.key_data(key))
        members.append(_Attacked(words, task.tables, stack.rotation[i], params))
    devices = devices_for(len(members))
    program = _compiled(attack, cell.network, cell.loss, points, devices)
    outcomes = np.asarray(program(spread(members, devices), np.float32(radius)))
    return outcomes[: len(members)], faulty(stack)


@lru_cache
def _compiled(
    attack: _Attack, network: Network, loss: Loss, rows: int, devices: tuple[jax.Device, ...]
) -> Callable[..., Array]:
    def of_network(own: _Attacked, radius: Float[Array, ""]) -> Array:
        key_points, key_start = jax.random.split(key_of(own.key))
        x, y = draw(own.tables, key_points, rows)

        def scores(x: Float[Array, "rows dim"]) -> Float[Array, "rows classes"]:
            with lenient():
                return network.apply(own.params, x @ own.rotation)

        def losses(x: Float[Array, "rows dim"]) -> Float[Array, " rows"]:
            return loss.points(scores(x), y)

        return attack(scores, losses, x, y, radius, key_start)

    return over_seeds(of_network, devices)


def _correct(
    scores: Callable[[Array], Array],
    losses: Callable[[Array], Array],
    x: Array,
    y: Array,
    radius: Array,
    key: Array,
) -> Array:
    """Which points keep their label under both attacks."""
    own = jax.nn.one_hot(y, 2, dtype=bool)

    def lead_of_the_other(x: Array) -> Array:
        logits = scores(x)
        return jnp.where(own, 0, logits).sum(axis=1) - jnp.where(own, logits, 0).sum(axis=1)

    def survives(start: Array) -> Array:
        step = radius * _REACH / STEPS
        moved = attacked(lead_of_the_other, x, start=start, epsilon=radius, step=step, steps=STEPS)
        return labels_of(scores(moved)) == y

    # a random start on the far side of a large ball may not come round it
    return survives(jnp.zeros_like(x)) & survives(anywhere_within(x, radius, key))


def _universal(
    scores: Callable[[Array], Array],
    losses: Callable[[Array], Array],
    x: Array,
    y: Array,
    radius: Array,
    key: Array,
) -> Array:
    """The vector that moves all points."""
    centre = jnp.zeros_like(x[:1])
    return attacked(
        lambda vector: losses(x + vector).mean(keepdims=True),
        centre,
        start=1e-3 * anywhere_within(centre, radius, key),  # the loss may be even in the vector
        epsilon=radius,
        step=radius * _REACH / STEPS,
        steps=STEPS,
    )[0]
