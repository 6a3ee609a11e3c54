"""The cheapest achievable network: a norm made small among networks of risk 0.

The explicit network of the achievable rule is one of many that compute it, and may be a costly one.
The search begins there, rescales its units and descends on the norm. It bounds the cheapest network
from above only: that a number is larger on what it comes to than on a trained network says nothing
of achievable networks that it has not seen.

Searched are networks whose output is the mean of one function over coordinates of one law, each
read alone. On a task of risk 0 on such a coordinate the function has the label's sign on the whole
support of it exactly if the risk is 0, which is decided in float64 between the kinks (``rays``).
Norms of a network's weights scale with its output, so that networks are compared at one margin: the
10% quantile over the training points.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from simbias._checks import fail, instance, known, real
from simbias._pinned import lenient, pinned
from simbias._types import Params
from simbias.bounds.measures import QUANTILE
from simbias.bounds.norms import collapsed
from simbias.bounds.rescaling import balanced
from simbias.bounds.zigzag import (
    FROM_START,
    NORMS,
    Function,
    Pairs,
    explicit_function,
    lifted,
    pairs,
    scalar_network,
    values,
)
from simbias.networks import MLP
from simbias.parallel import stacked
from simbias.tasks.block_task import BlockTask
from simbias.tasks.oracle import Layer, Rule, achievable_rule, explicit_network, parts_of
from simbias.training.cell import Cell
from simbias.training.stack import Stack, redraw
from simbias.validation.controls import control
from simbias.validation.rays import crossings

_STEPS, _BLOCKS = 100, 6  # updates between two candidates, and candidates
_STEP_SIZE = 0.02
_POINTS = 500  # training points by which the search knows the margin's quantile
_GRID = 32  # points of each interval of the support, both ends included
_LEAST_MARGIN = 0.01  # of a point of the support over the quantile: float32 computes its sign
_AIM, _PENALTY = 0.05, 1e3  # the same during descent, and the price of less

_State = tuple[Function, optax.OptState]


class Support(NamedTuple):
    """The support of a coordinate, by intervals on which its label is known.

    Attributes:
        t: points, both ends of each interval among them, (intervals, points).
        sign: of the logit difference there, (intervals,).
    """

    t: Float[np.ndarray, "intervals points"]
    sign: Float[np.ndarray, " intervals"]


@pinned
def cheapest(
    cell: Cell, norm: str, *, seeds: int | Sequence[int] = 1, margin: float = 1.0
) -> Stack:
    """Achievable networks of which a norm is small, on the data sets of a cell.

    Args:
        cell: its task, network (an MLP of ReLUs) and n_train are used.
        norm: a measure, one of ``NORMS``.
        seeds: the number of data sets (0, 1, ...), or a list.
        margin: of the logit difference, that the training points have but for 10%, > 0.

    Returns:
        A stack as ``simbias.validation.control`` makes, of risk 0: the initialisation is the random
        one of the seed.

    Raises:
        ValueError: an unknown norm, a margin <= 0, a task of which no coordinate alone has risk 0,
            or a network that has no explicit form.

    Notes:
        The function is a zigzag: kinks, its values there and its outer slopes, with a unit for each
        slope that begins at a kink, to the right or to the left of it. Copies of it read 1
        coordinate, or as many as fit the width: the output is their mean, so its sign is right
        wherever that of the copies is. Adam descends on the logarithm of the norm at the margin,
        over the function and over all rescalings of its units, which leave it as it is; a penalty
        keeps each point of the support a twentieth of the margin away from 0. Of the candidates on
        the way, their balanced forms (``rescaling``) and the explicit network, the cheapest is
        taken that has the right sign on the whole support, and a hundredth of the margin. Units
        that nothing leaves are 0, or, for the distance from the initialisation, as they were there.

    References:
        B. Neyshabur, R. Salakhutdinov, N. Srebro, "Path-SGD: path-normalized optimization in deep
        neural networks", NIPS 2015: norms and rescaling.

    Examples:
        >>> import simbias
        >>> from simbias.bounds.cheapest import cheapest
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> cell = simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000)
        >>> small = cheapest(cell, "path-norm", seeds=1)
        >>> simbias.validate(small, n_certify=10_000).risk.value
        array([0.])
    """
    instance("cell", cell, Cell)
    known("norm", norm, NORMS)
    margin = real("margin", margin, 0, open_low=True)
    task = cell.block_task
    if task.truth.achievable_risk != 0:
        arrived = f"{task.name}, of achievable risk {task.truth.achievable_risk}"
        raise fail("task", arrived, "one whose achievable risk is 0")
    explicit = control(cell, "achievable", seeds=seeds)
    params = [_searched(explicit, i, norm, margin) for i in range(len(explicit))]
    return replace(explicit, params=stacked(params))


def support_of(task: BlockTask, coordinate: int) -> Support:
    """The intervals of a coordinate on which the label is known, with points of each.

    Raises:
        ValueError: a coordinate on which both labels are possible somewhere.
    """
    parts = parts_of(task.blocks[coordinate])
    if any(min(part.negative, part.positive) > 0 for part in parts):
        raise fail("coordinate", coordinate, "one of which each value has one label")
    ends = np.array([(part.low, part.high) for part in parts])
    positive = np.array([part.positive > part.negative for part in parts])
    return Support(
        np.linspace(ends[:, 0], ends[:, 1], _GRID, axis=1), np.where(positive, 1.0, -1.0)
    )


def certified(layers: Sequence[Layer], support: Support, least: float = 0.0) -> bool:
    """Whether a function of one coordinate has the label's sign on the whole support.

    Args:
        layers: affine maps of one input, the last with one output or two logits.
        support: of the coordinate.
        least: margin that its points have to have, beyond being positive.

    Notes:
        Exact in float64: no change of label, of all between the ends of an interval, lies within
        it, and its points have the right sign.
    """
    starts, lengths = support.t[:, :1], support.t[:, -1:] - support.t[:, :1]
    ray, _ = crossings(layers, starts, np.ones_like(starts), lengths[:, 0])
    score = _scores(layers, support.t)
    return not len(ray) and bool((support.sign[:, None] * score > least).all())


def _scores(layers: Sequence[Layer], t: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """The logit difference of a function of one coordinate, elementwise."""
    h = t.reshape(-1, 1)
    for layer in layers[:-1]:
        h = np.maximum(h @ layer.weight + layer.bias, 0)
    last = h @ layers[-1].weight + layers[-1].bias
    scores: Float[np.ndarray, " entries"] = last[:, -1] - (last[:, 0] if last.shape[1] == 2 else 0)
    return scores.reshape(t.shape)


def _searched(explicit: Stack, i: int, norm: str, margin: float) -> Params:
    """The parameters of the cheapest network that is found for one data set."""
    network, task = explicit.cell.network, explicit.cell.block_task
    assert isinstance(network, MLP)  # as its control was made
    rule, rotation = achievable_rule(task), np.asarray(explicit.rotation[i], np.float64)
    support = support_of(task, rule.coordinate)
    alike = [j for j in range(task.dim) if task.blocks[j] == task.blocks[rule.coordinate]]
    by_length = sorted(alike, key=lambda j: float(np.abs(rotation[j]).sum()))
    points = jax.device_get(redraw(explicit, i))
    inputs = np.asarray(points.x, np.float64).reshape(len(points.y), -1)
    sign = np.where(points.y == 1, 1.0, -1.0)
    initial = jax.tree.map(lambda leaf: leaf[i], explicit.initial)
    initial_pairs = pairs(network.to_layers(initial))
    idle = initial_pairs if norm in FROM_START else jax.tree.map(jnp.zeros_like, initial_pairs)
    alone = Rule(0, rule.cuts, rule.first)
    units = len(rule.cuts)
    written = collapsed(explicit_network(alone, np.eye(1), width=units, depth=network.depth))
    cheapest_of_all: tuple[float, Pairs] | None = None
    for copies in dict.fromkeys((1, min(len(alike), network.width // units))):
        directions = rotation[by_length[:copies]]
        t = inputs @ directions.T
        given = _Surroundings(
            directions=jnp.float32(directions),
            idle=idle,
            initial=initial_pairs,
            t=jnp.float32(t[:_POINTS]),
            sign=jnp.float32(sign[:_POINTS]),
            grid=jnp.float32(support.t),
            grid_sign=jnp.float32(support.sign),
            margin=jnp.float32(margin),
        )
        functions = [list(written)]
        if units > 1:  # else there is no kink
            start = explicit_function(rule, network.depth)
            path = jax.device_get(_descended(norm, rule.first, start, given))
            functions += [
                [Layer(*(part[k] for part in pair)) for pair in path] for k in range(_BLOCKS)
            ]
        for function in functions:
            scaled = _at_margin(function, t, sign, margin)
            if scaled is None or not certified(scaled, support, _LEAST_MARGIN * margin):
                continue
            for form in (scaled, _balanced_copies(scaled, copies)):
                layers, log = _costed(norm, pairs(form), given)
                if cheapest_of_all is None or float(log) < cheapest_of_all[0]:
                    cheapest_of_all = float(log), layers
    assert cheapest_of_all is not None  # the explicit network is certified
    return network.from_layers([Layer(*map(np.asarray, pair)) for pair in cheapest_of_all[1]])


def _at_margin(
    layers: Sequence[Layer],
    t: Float[np.ndarray, "rows draws"],
    sign: Float[np.ndarray, " rows"],
    margin: float,
) -> list[Layer] | None:
    """The function times what gives the training points their margin; None where none does."""
    *hidden, last = [Layer(*(np.asarray(part, np.float64) for part in layer)) for layer in layers]
    quantile = float(np.quantile(sign * _scores([*hidden, last], t).mean(axis=1), QUANTILE))
    if not quantile > 0:
        return None
    factor = margin / quantile
    return [*hidden, Layer(last.weight * factor, last.bias * factor)]


def _balanced_copies(layers: Sequence[Layer], copies: int) -> list[Layer]:
    """The function, balanced as one of the copies whose mean the network is."""
    *hidden, last = layers
    *hidden, last = balanced([*hidden, Layer(last.weight / copies, last.bias)])
    return [*hidden, Layer(last.weight * copies, last.bias)]


class _Surroundings(NamedTuple):
    """What a descent is given: coordinates, points and support of a data set."""

    directions: Float[Array, "copies dim"]
    idle: Pairs
    initial: Pairs
    t: Float[Array, "points copies"]
    sign: Float[Array, " points"]
    grid: Float[Array, "intervals grid"]
    grid_sign: Float[Array, " intervals"]
    margin: Float[Array, ""]


@partial(jax.jit, static_argnums=0)
def _costed(norm: str, function: Pairs, given: _Surroundings) -> tuple[Pairs, Array]:
    """The network of a function of one coordinate, and the logarithm of its norm."""
    layers = lifted(function, given.directions, given.idle)
    return layers, NORMS[norm](layers, given.initial)


@partial(jax.jit, static_argnums=(0, 1))
def _descended(norm: str, first: int, start: Function, given: _Surroundings) -> Pairs:
    """Networks of one coordinate along a descent, on a leading axis."""
    optimiser = optax.adam(optax.cosine_decay_schedule(_STEP_SIZE, _STEPS * _BLOCKS))

    def at_margin(function: Function) -> Function:
        margins = given.sign * values(scalar_network(function, first), given.t).mean(axis=1)
        log = jnp.log(given.margin / jnp.maximum(jnp.quantile(margins, QUANTILE), 1e-6))
        return function._replace(heights=function.heights + log, outer=function.outer + log)

    def objective(function: Function) -> Array:
        network = scalar_network(at_margin(function), first)
        layers = lifted(network, given.directions, given.idle)
        worst = given.grid_sign[:, None] * values(network, given.grid) / given.margin
        lacking = jnp.sum(jax.nn.relu(_AIM - worst) ** 2)
        return NORMS[norm](layers, given.initial) + _PENALTY * lacking

    def update(state: _State, _: None) -> tuple[_State, None]:
        function, memory = state
        gradient = jax.grad(objective)(function)
        with lenient():
            steps, memory = optimiser.update(gradient, memory, function)
        return (optax.apply_updates(function, steps), memory), None

    def block(state: _State, _: None) -> tuple[_State, Pairs]:
        state, _ = jax.lax.scan(update, state, length=_STEPS)
        return state, scalar_network(at_margin(state[0]), first)

    networks: Pairs = jax.lax.scan(block, (start, optimiser.init(start)), length=_BLOCKS)[1]
    return networks
