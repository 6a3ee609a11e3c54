"""How a network cuts a slab coordinate, and how far its boundary lies from the achievable: exact.

A rule that classifies perfectly by a k-slab cuts it k - 1 times. A network's cuts are counted along
lines across the slab coordinate's support, in contexts from the task's law, with the simple
coordinate in its margin, where it is uninformative.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias.models.panel import Panel, panel
from simbias.tasks.blocks import Block
from simbias.tasks.oracle import Rule, cut_curve, parts_of
from simbias.training.stack import Stack
from simbias.validation.geometry import Box, Plane, decide, has_layers, layers_of, margin, restrict
from simbias.validation.polygons import Curve
from simbias.validation.rays import crossings, majority_changes
from simbias.validation.sound import weight_fault

_MOST = 2**19  # distances held at once
_STEP = 1 / 500  # of a plane's side: spacing of the points at which distances are measured


class Cuts(NamedTuple):
    """Cuts and distances of one network at one slab coordinate.

    Attributes:
        counts: changes of label along each line.
        worth: best accuracy of a rule on the coordinate with as many cuts.
        majority: changes of the majority over lines, see ``rays.majority_changes``.
        distances: mean and Hausdorff distance to the achievable boundary in each plane; NaN where
            the network's label is constant.
    """

    counts: Float[np.ndarray, " lines"]
    worth: Float[np.ndarray, " lines"]
    majority: float
    distances: Float[np.ndarray, "planes 2"]


def measure_cuts(
    stack: Stack | Panel, i: int, rules: tuple[Rule, Rule], lines: np.ndarray, planes: int
) -> Cuts:
    """Measure classifier ``i``; all NaN where it is no MLP of ReLUs of finite weights.

    Args:
        stack: trained networks, or a panel of classifiers.
        i: position among them.
        rules: the simple rule, and the achievable rule on the slab coordinate.
        lines: a context for each line, (lines, dim), with its simple coordinate in the margin; the
            slab coordinate is not used.
        planes: number of contexts, the first, in whose planes distances are measured.
    """
    classifiers = panel(stack)
    task, (s, j) = classifiers.block_task, [rule.coordinate for rule in rules]
    planes = min(planes, 1) if task.dim == 2 else planes
    if not has_layers(classifiers.members[i]) or weight_fault(classifiers, i):
        missing = np.full(len(lines), np.nan)
        return Cuts(missing, missing, np.nan, np.full((planes, 2), np.nan))
    layers = layers_of(classifiers, i)
    low, high = side(task.blocks[j])
    origins = np.where(np.arange(task.dim) == j, low, lines)
    axes = np.eye(task.dim)[[s, j]]
    ray, distance = crossings(layers, origins, np.broadcast_to(axes[1], origins.shape), high - low)
    counts, curve = np.bincount(ray, minlength=len(lines)), cut_curve(task.blocks[j])
    box = Box(*side(task.blocks[s]), low, high)
    best = [np.array([(box.left, cut), (box.right, cut)]) for cut in rules[1].cuts]
    distances = []
    for context in lines[:planes]:
        plane = Plane(context * ~axes.any(axis=0), axes)
        learned = decide(restrict(layers, plane), box).lines
        distances.append(curve_distances(learned, best, _STEP * (high - low)))
    return Cuts(
        counts.astype(float),
        curve[np.minimum(counts, len(curve) - 1)],
        float(majority_changes(margin(layers, origins) > 0, ray, distance)),
        np.array(distances).reshape(planes, 2),
    )


def side(block: Block) -> tuple[float, float]:
    """The ends of a block's support, infinite for a normal coordinate."""
    parts = parts_of(block)
    return (parts[0].low, parts[-1].high) if parts else (-np.inf, np.inf)


def curve_distances(
    first: Sequence[Curve], second: Sequence[Curve], step: float
) -> tuple[float, float]:
    """Mean and Hausdorff distance between two sets of polylines; NaN where a set is empty.

    Distances are from points of one set, at most ``step`` apart, to the segments of the other, in
    both directions. The mean is that of the two means by arc length; the Hausdorff distance, the
    largest, is short by at most step/2.
    """
    if not first or not second:
        return np.nan, np.nan
    directed = [_directed(first, second, step), _directed(second, first, step)]
    return (directed[0][0] + directed[1][0]) / 2, max(directed[0][1], directed[1][1])


def _directed(curves: Sequence[Curve], target: Sequence[Curve], step: float) -> tuple[float, float]:
    start, arm = _segments(curves)
    length = np.hypot(*arm.T)
    pieces = np.maximum(1, np.ceil(length / step)).astype(int)
    segment = np.repeat(np.arange(len(start)), pieces)
    piece = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    points = start[segment] + ((piece + 0.5) / pieces[segment])[:, None] * arm[segment]
    corner, along = _segments(target)
    square = np.maximum(np.sum(along**2, axis=1), np.finfo(float).tiny)
    rows = max(1, _MOST // len(corner))
    nearest = []
    for begin in range(0, len(points), rows):
        offset = points[begin : begin + rows, None, :] - corner
        proportion = np.clip(np.sum(offset * along, axis=2) / square, 0, 1)
        nearest.append(
            np.hypot(*np.moveaxis(offset - proportion[..., None] * along, 2, 0)).min(axis=1)
        )
    distance = np.concatenate(nearest)
    return float(np.average(distance, weights=(length / pieces)[segment])), float(distance.max())


def _segments(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """The start of every segment and the vector to its end, each (segments, 2)."""
    start = np.concatenate([curve[:-1] for curve in curves])
    return start, np.concatenate([np.diff(curve, axis=0) for curve in curves])
