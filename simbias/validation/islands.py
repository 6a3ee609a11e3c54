"""Memorised islands: how far around an exception a network keeps to the exception's label.

A network that has memorised an exception without learning why says the exception's label on a small
island in what the simple rule makes of the space. Training exceptions are compared with fresh ones
from the same conditional law, whatever the network says of either: around a point that it labels
wrongly it keeps the true label nowhere, so radius and area are 0. A network that has learned the
achievable rule treats both alike; what the training exceptions have in excess is memorised. How
many are fitted and how far the label of a fitted one is kept are two things, and the excess mixes
them: ``size`` compares fitted points only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from simbias._checks import fail, real, whole
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.bounded import betting_interval, mean_interval
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width_of_mean
from simbias.tasks import BlockTask
from simbias.tasks.block_task import training_points
from simbias.tasks.oracle import Layer, Rule, rule_risk, simple_rule
from simbias.validation.cuts import side
from simbias.validation.exceptions import fitted_since
from simbias.validation.geometry import (
    Box,
    Component,
    Plane,
    component,
    has_layers,
    layers_of,
    margin,
    restrict,
)
from simbias.validation.grids import draw_given, slab_coordinates
from simbias.validation.rays import first_crossing
from simbias.validation.sound import faults

_FIRST = 1 / 32  # of the support's sides: half the sides of the first box around a point
_GROWTH = 4  # of the box, while the part reaches its edge
_ROWS = 4096  # training points whose distances are held at once
_MOST = 2**25  # coordinates of the draws among which fresh exceptions are looked for

Ends = Callable[[np.ndarray, float], tuple[float, float]]  # of values and a confidence


@dataclass(frozen=True)
class Islands:
    """Exceptions of one network, and how far it keeps to their labels; all distances input units.

    Attributes:
        index: place in the training set; -1 for a fresh point.
        label: true label.
        position: unrotated, (points, dim).
        fitted_since: update of the first check from which on it was fitted for good; -1: never, or
            fresh.
        nearest: distance to the nearest training point of the other label.
        fitted: whether the network gives the point its label.
        axis: how far the label is kept along each axis, up and down, (points, dim, 2); at most the
            reach.
        toward: how far it is kept on the way to other draws: those with the same simple coordinates
            and the others drawn again given the label, so each is an exception that the achievable
            rule labels alike, (points, directions); at most the distance of the draw.
        area: of the connected part of the support's box, in the plane of the simple and each slab
            coordinate, that holds the point and has its label, (points, coordinates).
        open: whether that part reaches the edge of the support's box.
    """

    index: Int[np.ndarray, " points"]
    label: Int[np.ndarray, " points"]
    position: Float[np.ndarray, "points dim"]
    fitted_since: Int[np.ndarray, " points"]
    nearest: Float[np.ndarray, " points"]
    fitted: Bool[np.ndarray, " points"]
    axis: Float[np.ndarray, "points dim 2"]
    toward: Float[np.ndarray, "points directions"]
    area: Float[np.ndarray, "points coordinates"]
    open: Bool[np.ndarray, "points coordinates"]

    @property
    def axis_radius(self) -> Float[np.ndarray, " points"]:
        """The median of ``axis`` over axes and senses."""
        median: Float[np.ndarray, " points"] = np.median(
            np.concatenate([self.axis[..., 0], self.axis[..., 1]], axis=1), axis=1
        )
        return median

    @property
    def toward_radius(self) -> Float[np.ndarray, " points"]:
        """The median of ``toward`` over directions."""
        median: Float[np.ndarray, " points"] = np.median(self.toward, axis=1)
        return median


class Compared(NamedTuple):
    """A mean over training exceptions, over fresh ones, and the first less the second.

    Intervals hold for every law where the support bounds what is measured, as it does shares, axes,
    areas and, without normal coordinates, ways: ``bounded.mean_interval`` of shares,
    ``bounded.betting_interval`` of the others. Where nothing does they are Student's t over points,
    approximate, and NaN with less than two or where all are the same. That of the excess is the
    difference of two, each of half the error.
    """

    training: Estimate
    fresh: Estimate
    excess: Estimate


@dataclass(frozen=True)
class IslandReport:
    """Islands of a stack; every estimate has one entry a network.

    A network that is no classifier (see ``simbias.validation.faults``) has no points, and NaN for
    every estimate.

    Attributes:
        faults: for each network why it is no classifier; empty where it is one.
        coordinates: slab coordinates of the planes in which areas are measured.
        reach: how far was looked along the axes, input units.
        confidence: coverage of each interval.
        training, fresh: the points of each network.
        fitted: share of the points given their label.
        axis: ``Islands.axis_radius``.
        toward: ``Islands.toward_radius``.
        area: ``Islands.area``, a point's being the mean over coordinates.
        relative: ``Islands.toward_radius`` as a share of the distance to the nearest training
            point of the other label.
        size: ``Islands.toward_radius`` of the points that are given their label.
        open: share of the points given their label whose part of the plane reaches the edge of the
            support in every plane: it is no island there, but one side of a boundary that has
            moved.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validation.measure_islands(stack, sample=2, directions=2)
        >>> report.coordinates, len(report.training), report.fitted.training.value.shape
        ((1,), 2, (2,))
    """

    faults: tuple[str, ...]
    coordinates: tuple[int, ...]
    reach: float
    confidence: float
    training: tuple[Islands, ...]
    fresh: tuple[Islands, ...]
    fitted: Compared
    axis: Compared
    toward: Compared
    area: Compared
    relative: Compared
    size: Compared
    open: Compared


@pinned
def measure_islands(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    sample: int = 50,
    directions: int = 20,
    coordinates: Sequence[int] | None = None,
    reach: float = 2.0,
    confidence: float = 0.95,
) -> IslandReport:
    """Look around training and fresh exceptions of every network; exact, NumPy float64.

    The choice of training exceptions, the fresh ones and the directions come from each network's
    own context stream. There are no points where the simple rule makes no errors, and few or no
    fresh ones where it errs on less than one in thousands: what is drawn to find some fits memory.

    Args:
        learned: a stack of MLPs of ReLUs, or other such classifiers (``simbias.validate``), on a
            task with a simple set.
        data: for a classifier that does not know its training set.
        sample: exceptions of each kind, a network; fewer where the training set has fewer.
        directions: draws to go toward from each.
        coordinates: slab coordinates, each attaining the Bayes risk; default the first.
        reach: how far to look along the axes, input units; a label that is kept farther counts as
            kept so far.
        confidence: coverage of each two-sided interval, in (0, 1).

    Raises:
        ValueError: an argument out of range, another kind of network, or a task without a simple
            set.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validation.measure_islands(stack, sample=2, directions=2, reach=1.0)
        >>> report.reach, [len(islands.fitted) for islands in report.training]
        (1.0, [2, 2])
    """
    asked = panel(learned, data)
    task = asked.block_task
    rule = simple_rule(task)
    if rule is None:
        raise fail("learned", f"networks on {task.name}", "networks on a task with a simple set")
    plan = _Plan(
        rule,
        tuple(slab_coordinates(task, coordinates, most=1)),
        whole("sample", sample, least=2),
        whole("directions", directions),
        real("reach", reach, 0, open_low=True),
    )
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    for member in asked.members:
        if not has_layers(member):
            raise fail("network", member.label, "an MLP of relu units")
    left_out = faults(asked)
    found = [
        (_none(task, plan),) * 2 if fault else _network(asked, i, plan)
        for i, fault in enumerate(left_out)
    ]
    training, fresh = zip(*found, strict=True)

    sides = np.diff([side(block) for block in task.blocks], axis=1)[:, 0]
    others = np.delete(sides, list(task.simple_set))
    longest = float(np.linalg.norm(others))
    widest = float(sides[rule.coordinate] * sides[list(plan.coordinates)].max())

    def compared(value: Callable[[Islands], np.ndarray], ends: Ends) -> Compared:
        kinds = [[value(one) for one in kind] for kind in (training, fresh)]
        return _compared(kinds, confidence, ends)

    return IslandReport(
        faults=left_out,
        coordinates=plan.coordinates,
        reach=plan.reach,
        confidence=confidence,
        training=training,
        fresh=fresh,
        fitted=compared(lambda one: one.fitted.astype(float), _share),
        axis=compared(lambda one: one.axis_radius, _at_most(plan.reach)),
        toward=compared(lambda one: one.toward_radius, _at_most(longest)),
        area=compared(lambda one: one.area.mean(axis=1), _at_most(widest)),
        relative=compared(lambda one: one.toward_radius / one.nearest, _student),
        size=compared(lambda one: one.toward_radius[one.fitted], _at_most(longest)),
        open=compared(lambda one: one.open[one.fitted].all(axis=1).astype(float), _share),
    )


class _Plan(NamedTuple):
    """What to measure: the arguments of ``measure_islands``."""

    rule: Rule
    coordinates: tuple[int, ...]
    sample: int
    directions: int
    reach: float


def _network(asked: Panel, i: int, plan: _Plan) -> tuple[Islands, Islands]:
    """The training and the fresh exceptions of network ``i``."""
    task, layers = asked.block_task, layers_of(asked, i)
    own = asked.data[i]
    # the grids draw from the first two branches of the stream
    branch = jax.random.split(own.stream("context"), 3)[2]
    key_choice, key_fresh, key_training, key_new = jax.random.split(branch, 4)
    x, y = map(np.asarray, training_points(task.tables, own.stream("train"), asked.n_train))
    x = x.astype(np.float64)
    order = np.asarray(jax.random.uniform(key_choice, (len(x),))).argsort()
    exception = np.asarray(own.draw().exception)
    chosen = np.sort(order[exception[order]][: plan.sample])
    since = fitted_since(asked, i)
    new_x, new_y = _fresh(task, key_fresh, plan)
    none = np.full(len(new_x), -1)

    def look(
        index: np.ndarray,
        since: np.ndarray,
        position: np.ndarray,
        label: np.ndarray,
        key: Key[Array, ""],
    ) -> Islands:
        nearest = _nearest(position, label, x, y)
        around = _around(task, layers, position, label, key, plan)
        return Islands(index, label, position, since, nearest, *around)

    return (
        look(chosen, since[chosen], x[chosen], y[chosen], key_training),
        look(none, none, new_x, new_y, key_new),
    )


def _none(task: BlockTask, plan: _Plan) -> Islands:
    """No points."""
    nothing = np.zeros(0, np.int64)
    planes = np.zeros((0, len(plan.coordinates)))
    return Islands(
        index=nothing,
        label=nothing,
        position=np.zeros((0, task.dim)),
        fitted_since=nothing,
        nearest=np.zeros(0),
        fitted=np.zeros(0, bool),
        axis=np.zeros((0, task.dim, 2)),
        toward=np.zeros((0, plan.directions)),
        area=planes,
        open=planes.astype(bool),
    )


def _sample(task: BlockTask, key: Key[Array, ""], rows: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = task.sample(key, rows)
    return np.asarray(x, np.float64), np.asarray(y)


def _fresh(task: BlockTask, key: Key[Array, ""], plan: _Plan) -> tuple[np.ndarray, np.ndarray]:
    """Draws that the simple rule labels wrongly, and their labels."""
    risk = rule_risk(task, plan.rule)
    # six standard deviations more than are expected to suffice
    rows = np.ceil((plan.sample + 6 * np.sqrt(plan.sample) + 40) / risk) if risk > 0 else 1
    x, y = _sample(task, key, int(min(rows, max(1, _MOST // task.dim))))
    index = np.flatnonzero(plan.rule(x) != y)[: plan.sample]
    return x[index], y[index]


def _nearest(
    position: Float[np.ndarray, "points dim"],
    label: Int[np.ndarray, " points"],
    x: Float[np.ndarray, "n_train dim"],
    y: Int[np.ndarray, " n_train"],
) -> Float[np.ndarray, " points"]:
    """The distance to the nearest training point of the other label; inf where there is none."""
    from scipy.spatial.distance import cdist  # slow to import: not before it is needed

    found = np.full(len(label), np.inf)
    for start in range(0, len(x), _ROWS):
        for own in (0, 1):
            rows = slice(start, start + _ROWS)
            others = x[rows][y[rows] != own]
            if len(others) and (label == own).any():
                near = cdist(position[label == own], others).min(axis=1)
                found[label == own] = np.minimum(found[label == own], near)
    return found


def _around(
    task: BlockTask,
    layers: list[Layer],
    position: Float[np.ndarray, "points dim"],
    label: Int[np.ndarray, " points"],
    key: Key[Array, ""],
    plan: _Plan,
) -> tuple[np.ndarray, ...]:
    """The attributes of ``Islands`` from ``fitted`` on."""
    points, dim = position.shape
    fitted = (margin(layers, position) > 0) == (label == 1)
    axis, toward = np.zeros((points, dim, 2)), np.zeros((points, plan.directions))
    area = np.zeros((points, len(plan.coordinates)))
    open_ = np.zeros(area.shape, bool)
    drawn = draw_given(task, key, np.repeat(label, plan.directions))
    arms = drawn.reshape(points, plan.directions, dim) - position[:, None]
    arms[:, :, list(task.simple_set)] = 0
    axes = np.stack([np.eye(dim), -np.eye(dim)], axis=1).reshape(-1, dim)
    for k in np.flatnonzero(fitted):
        ways = np.concatenate([axes, arms[k]])
        limit = np.append(np.full(2 * dim, plan.reach), np.ones(plan.directions))
        kept = first_crossing(layers, np.tile(position[k], (len(ways), 1)), ways, limit)
        length = np.minimum(kept, limit) * np.linalg.norm(ways, axis=1)
        axis[k], toward[k] = length[: 2 * dim].reshape(dim, 2), length[2 * dim :]
        for m, j in enumerate(plan.coordinates):
            part = _island(task, layers, position[k], (plan.rule.coordinate, j))
            area[k, m], open_[k, m] = part.area, part.open
    return fitted, axis, toward, area, open_


def _island(
    task: BlockTask, layers: list[Layer], x: Float[np.ndarray, " dim"], pair: tuple[int, int]
) -> Component:
    """The part with a point's label in a plane, in a box that grows until it holds the part."""
    axes = np.eye(task.dim)[list(pair)]
    flat = restrict(layers, Plane(np.where(axes.any(axis=0), 0, x), axes))
    low, high = np.transpose([side(task.blocks[j]) for j in pair])
    point = np.clip(x[list(pair)], low, high)  # a float32 draw may lie beyond by its rounding
    half = _FIRST * (high - low)
    while True:
        left, right = np.maximum(point - half, low), np.minimum(point + half, high)
        part = component(flat, point, Box(left[0], right[0], left[1], right[1]))
        if not part.open or ((left == low) & (right == high)).all():
            return part
        half = _GROWTH * half


def _share(values: Float[np.ndarray, " points"], confidence: float) -> tuple[float, float]:
    """Ends of the mean of zeros and ones."""
    mean, terms = np.asarray(values.mean()), np.asarray(len(values))
    low, high = mean_interval(mean, terms, confidence)
    return float(low), float(high)


def _at_most(most: float) -> Ends:
    """Ends of the mean of what lies between 0 and ``most``, exact where that is finite."""

    def ends(values: np.ndarray, confidence: float) -> tuple[float, float]:
        # a float32 draw may lie beyond the support by its rounding
        low, high = betting_interval(np.clip(values / most, 0, 1), confidence)
        return float(most * low), float(most * high)

    return ends if np.isfinite(most) else _student


def _student(values: Float[np.ndarray, " points"], confidence: float) -> tuple[float, float]:
    """Ends of a mean by Student's t; NaN where no spread is seen."""
    half = half_width_of_mean(values, confidence)
    return float(values.mean() - half), float(values.mean() + half)


def _compared(kinds: Sequence[Sequence[np.ndarray]], confidence: float, ends: Ends) -> Compared:
    """Means of each network's values, training and fresh, and their differences."""

    def estimate(values: np.ndarray, confidence: float) -> tuple[float, float, float]:
        if not len(values):
            return np.nan, np.nan, np.nan
        return float(values.mean()), *ends(values, confidence)

    training, fresh = (
        Estimate(*np.array([estimate(values, confidence) for values in kind]).T) for kind in kinds
    )
    each = (1 + confidence) / 2
    first, second = (
        Estimate(*np.array([estimate(values, each) for values in kind]).T) for kind in kinds
    )
    excess = Estimate(first.value - second.value, first.low - second.high, first.high - second.low)
    return Compared(training, fresh, excess)
