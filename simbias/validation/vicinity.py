"""The vicinity of exceptions: how far around a point a network keeps the point's label."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from simbias.models.panel import Panel
from simbias.tasks import BlockTask
from simbias.tasks.block_task import training_points
from simbias.tasks.oracle import Layer, Rule, rule_risk
from simbias.validation.contexts import draw_given
from simbias.validation.cuts import side
from simbias.validation.exceptions import fitted_since
from simbias.validation.geometry import (
    Box,
    Component,
    Plane,
    component,
    layers_of,
    margin,
    restrict,
)
from simbias.validation.rays import first_crossing

_FIRST = 1 / 32  # of the support's sides: half the sides of the first box around a point
_GROWTH = 4  # factor of the box's growth, while the part reaches its edge
_ROWS = 4096  # training points whose distances are held at once
_MOST = 2**25  # coordinates of the draws from which fresh exceptions are taken


@dataclass(frozen=True)
class Islands:
    """Exceptions of one network, and how far it keeps their labels; all distances in input units.

    Attributes:
        index: position in the training set; -1 for a fresh point.
        label: true label.
        position: unrotated, (points, dim).
        fitted_since: update of the first check from which on it was fitted for good; -1: never, or
            fresh.
        nearest: distance to the nearest training point of the other label.
        fitted: whether the network gives the point its label.
        axis: how far the label is kept along each axis, up and down, (points, dim, 2); at most the
            reach.
        chord: how far it is kept towards other draws: those with the same simple coordinates and
            the others drawn again given the label, so each is an exception that the achievable
            rule labels alike, (points, directions); at most the distance of the draw.
        area: area of the connected part of the support's box, in the plane of the simple and each
            slab coordinate, that holds the point and has its label, (points, coordinates).
        open: whether that part reaches the edge of the support's box.
    """

    index: Int[np.ndarray, " points"]
    label: Int[np.ndarray, " points"]
    position: Float[np.ndarray, "points dim"]
    fitted_since: Int[np.ndarray, " points"]
    nearest: Float[np.ndarray, " points"]
    fitted: Bool[np.ndarray, " points"]
    axis: Float[np.ndarray, "points dim 2"]
    chord: Float[np.ndarray, "points directions"]
    area: Float[np.ndarray, "points coordinates"]
    open: Bool[np.ndarray, "points coordinates"]

    @property
    def axis_radius(self) -> Float[np.ndarray, " points"]:
        """The median of ``axis`` over axes and both senses."""
        median: Float[np.ndarray, " points"] = np.median(
            np.concatenate([self.axis[..., 0], self.axis[..., 1]], axis=1), axis=1
        )
        return median

    @property
    def chord_radius(self) -> Float[np.ndarray, " points"]:
        """The median of ``chord`` over directions."""
        median: Float[np.ndarray, " points"] = np.median(self.chord, axis=1)
        return median


class IslandEffort(NamedTuple):
    """The arguments of ``measure_islands``."""

    rule: Rule
    coordinates: tuple[int, ...]
    sample: int
    directions: int
    reach: float


def islands_around(classifiers: Panel, i: int, effort: IslandEffort) -> tuple[Islands, Islands]:
    """The islands of training and of fresh exceptions of network ``i``."""
    task, layers = classifiers.block_task, layers_of(classifiers, i)
    data = classifiers.data[i]
    # the grids draw from the first two branches of the stream
    branch = jax.random.split(data.stream("context"), 3)[2]
    key_choice, key_fresh, key_training, key_new = jax.random.split(branch, 4)
    x, y = map(np.asarray, training_points(task.tables, data.stream("train"), classifiers.n_train))
    x = x.astype(np.float64)
    order = np.asarray(jax.random.uniform(key_choice, (len(x),))).argsort()
    exception = np.asarray(data.draw().exception)
    sampled = np.sort(order[exception[order]][: effort.sample])
    since = fitted_since(classifiers, i)
    new_x, new_y = _fresh(task, key_fresh, effort)
    none = np.full(len(new_x), -1)

    def islands(
        index: np.ndarray,
        since: np.ndarray,
        position: np.ndarray,
        label: np.ndarray,
        key: Key[Array, ""],
    ) -> Islands:
        nearest = _nearest(position, label, x, y)
        around = _around(task, layers, position, label, key, effort)
        return Islands(index, label, position, since, nearest, *around)

    return (
        islands(sampled, since[sampled], x[sampled], y[sampled], key_training),
        islands(none, none, new_x, new_y, key_new),
    )


def no_islands(task: BlockTask, effort: IslandEffort) -> Islands:
    """The islands of an empty set of points."""
    no_points = np.zeros(0, np.int64)
    no_planes = np.zeros((0, len(effort.coordinates)))
    return Islands(
        index=no_points,
        label=no_points,
        position=np.zeros((0, task.dim)),
        fitted_since=no_points,
        nearest=np.zeros(0),
        fitted=np.zeros(0, bool),
        axis=np.zeros((0, task.dim, 2)),
        chord=np.zeros((0, effort.directions)),
        area=no_planes,
        open=no_planes.astype(bool),
    )


def _sample(task: BlockTask, key: Key[Array, ""], rows: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = task.sample(key, rows)
    return np.asarray(x, np.float64), np.asarray(y)


def _fresh(
    task: BlockTask, key: Key[Array, ""], effort: IslandEffort
) -> tuple[np.ndarray, np.ndarray]:
    """Draws that the simple rule labels wrongly, and their labels."""
    risk = rule_risk(task, effort.rule)
    # six standard deviations more than the expected number
    rows = np.ceil((effort.sample + 6 * np.sqrt(effort.sample) + 40) / risk) if risk > 0 else 1
    x, y = _sample(task, key, int(min(rows, max(1, _MOST // task.dim))))
    index = np.flatnonzero(effort.rule(x) != y)[: effort.sample]
    return x[index], y[index]


def _nearest(
    position: Float[np.ndarray, "points dim"],
    label: Int[np.ndarray, " points"],
    x: Float[np.ndarray, "n_train dim"],
    y: Int[np.ndarray, " n_train"],
) -> Float[np.ndarray, " points"]:
    """The distance to the nearest training point of the other label; inf where there is none."""
    from scipy.spatial.distance import cdist  # slow to import: not before it is needed

    distances = np.full(len(label), np.inf)
    for start in range(0, len(x), _ROWS):
        for given in (0, 1):
            rows = slice(start, start + _ROWS)
            others = x[rows][y[rows] != given]
            if len(others) and (label == given).any():
                near = cdist(position[label == given], others).min(axis=1)
                distances[label == given] = np.minimum(distances[label == given], near)
    return distances


def _around(
    task: BlockTask,
    layers: list[Layer],
    position: Float[np.ndarray, "points dim"],
    label: Int[np.ndarray, " points"],
    key: Key[Array, ""],
    effort: IslandEffort,
) -> tuple[np.ndarray, ...]:
    """The attributes of ``Islands`` from ``fitted`` on."""
    points, dim = position.shape
    fitted = (margin(layers, position) > 0) == (label == 1)
    axis, chord = np.zeros((points, dim, 2)), np.zeros((points, effort.directions))
    area = np.zeros((points, len(effort.coordinates)))
    open_ = np.zeros(area.shape, bool)
    draws = draw_given(task, key, np.repeat(label, effort.directions))
    arms = draws.reshape(points, effort.directions, dim) - position[:, None]
    arms[:, :, list(task.simple_set)] = 0
    axes = np.stack([np.eye(dim), -np.eye(dim)], axis=1).reshape(-1, dim)
    for k in np.flatnonzero(fitted):
        directions = np.concatenate([axes, arms[k]])
        limit = np.append(np.full(2 * dim, effort.reach), np.ones(effort.directions))
        distance = first_crossing(
            layers, np.tile(position[k], (len(directions), 1)), directions, limit
        )
        length = np.minimum(distance, limit) * np.linalg.norm(directions, axis=1)
        axis[k], chord[k] = length[: 2 * dim].reshape(dim, 2), length[2 * dim :]
        for m, j in enumerate(effort.coordinates):
            part = _island(task, layers, position[k], (effort.rule.coordinate, j))
            area[k, m], open_[k, m] = part.area, part.open
    return fitted, axis, chord, area, open_


def _island(
    task: BlockTask, layers: list[Layer], x: Float[np.ndarray, " dim"], pair: tuple[int, int]
) -> Component:
    """The part of a plane with a point's label, in a box that grows until it holds the part."""
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
