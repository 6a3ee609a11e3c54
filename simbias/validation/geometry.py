"""Exact geometry of ReLU networks on planes: decision boundaries, areas, components, risks.

On an affine plane a ReLU network is a ReLU network of two inputs, affine on each face of a
subdivision into convex polygons (``subdivision.py``); f is its logit difference.

Everything is float64. A value within 1e-12 of the largest sum that a unit can form on the box is 0.
The network's label is 1 where f > 0, so a region where f is 0 belongs to label 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import NamedTuple, Protocol, Self, TypeGuard

import numpy as np
from jaxtyping import Float

from simbias._checks import each, fail, instance, real
from simbias._types import Params
from simbias.models.classifier import Classifier, Traced
from simbias.models.panel import Panel, panel
from simbias.networks import MLP
from simbias.networks.layers import head_inputs
from simbias.networks.mlp import is_relu
from simbias.tasks.block_task import BlockTask
from simbias.tasks.oracle import Layer, Part, parts_of
from simbias.training.stack import Stack
from simbias.validation import polygons as poly
from simbias.validation.polygons import Curve, Polygons
from simbias.validation.subdivision import subdivide

_JOIN = 1e-9  # of the box's diagonal: ends of segments closer than this are merged


class _ReluMLP(Protocol):
    """A classifier that is an MLP of ReLUs."""

    @property
    def network(self) -> MLP: ...

    @property
    def params(self) -> Params: ...


class Plane(NamedTuple):
    """The points origin + u @ axes, in the space that the layers take as input.

    Examples:
        >>> import numpy as np
        >>> from simbias.validation.geometry import Plane
        >>> plane = Plane(origin=np.zeros(3), axes=np.eye(2, 3))
        >>> plane.origin + np.array([0.5, -1.0]) @ plane.axes
        array([ 0.5, -1. ,  0. ])
    """

    origin: Float[np.ndarray, " dim"]
    axes: Float[np.ndarray, "2 dim"]


class _Sides(NamedTuple):
    left: float
    right: float
    bottom: float
    top: float


class Box(_Sides):
    """A rectangle of a plane, in the plane's units; raises ValueError where empty or not finite.

    Examples:
        >>> from simbias.validation.geometry import Box
        >>> Box(left=-1, right=1, bottom=-2, top=2).area
        8.0
    """

    __slots__ = ()

    def __new__(cls, left: float, right: float, bottom: float, top: float) -> Self:
        left, bottom = real("left", left), real("bottom", bottom)
        right = real("right", right, left, open_low=True)
        return super().__new__(cls, left, right, bottom, real("top", top, bottom, open_low=True))

    @property
    def area(self) -> float:
        """The area in squared units of the plane."""
        return (self.right - self.left) * (self.top - self.bottom)

    @property
    def corners(self) -> Float[np.ndarray, "4 2"]:
        """The corners, counter-clockwise from the bottom left."""
        left, right, bottom, top = self
        return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


@dataclass(frozen=True)
class Decision:
    """The labels of a network on a box.

    Attributes:
        box: the box.
        lines: where the label changes inside the box: polylines with the points of label 1 on their
            left; closed ones repeat their first vertex. f is 0 on them. Where f is 0 and the label
            is the same on both sides there is no line.
        area: area of the points with f <= 0 (label 0) and of those with f > 0 (label 1).
        regions: on request, the convex polygons on which every unit is on or off throughout, as
            vertices (vertices, 2), counter-clockwise.
    """

    box: Box
    lines: tuple[Curve, ...]
    area: tuple[float, float]
    regions: tuple[Curve, ...] | None = None


class Component(NamedTuple):
    """A connected set of points of one label, inside a box.

    Attributes:
        label: the network's label there.
        area: in squared units of the plane.
        open: whether it reaches the box's edge along a line, so that it may continue outside.
        outline: its closed outer boundary, counter-clockwise.
        holes: the closed boundaries of its holes, clockwise.
    """

    label: int
    area: float
    open: bool
    outline: Curve
    holes: tuple[Curve, ...]


def layers_of(learned: Stack | Panel, i: int) -> list[Layer]:
    """Network ``i`` of a stack or panel as float64 layers that take unrotated points.

    Args:
        learned: trained networks.
        i: position among them.

    Raises:
        ValueError: the network is not an MLP of ReLUs, its weights are not finite, or there is no
            such position.

    Examples:
        >>> import simbias
        >>> from simbias.validation.geometry import layers_of
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> cell = simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000)
        >>> layers = layers_of(simbias.validation.control(cell, "achievable"), 0)
        >>> [layer.weight.shape for layer in layers]
        [(4, 8), (8, 2)]
    """
    classifiers = panel(learned)
    if i not in range(len(classifiers)):
        raise fail("i", i, f"an integer in [0, {len(classifiers)})")
    member = classifiers.members[i]
    if not has_layers(member):
        raise fail("network", member.label, "an MLP of relu units")
    layers = member.network.to_layers(member.params)
    bad = sum(int(np.sum(~np.isfinite(part))) for layer in layers for part in layer)
    if bad:
        raise fail(
            "learned", f"seed {classifiers.seeds[i]}, {bad} weights not finite", "finite weights"
        )
    weight = np.asarray(classifiers.data[i].rotation, np.float64) @ layers[0].weight
    return [Layer(weight, layers[0].bias), *layers[1:]]


def has_layers(member: Classifier) -> TypeGuard[_ReluMLP]:
    """Whether a classifier is an MLP of ReLUs, whose geometry is exact."""
    network = member.network if isinstance(member, Traced) else None
    return is_relu(network)


def margin(layers: Sequence[Layer], x: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, " rows"]:
    """The logit difference, label 1 minus label 0, at points (rows, dim)."""
    last = _difference(layers[-1])
    f: Float[np.ndarray, " rows"] = (head_inputs(layers, x) @ last.weight + last.bias)[:, 0]
    return f


def restrict(layers: Sequence[Layer], plane: Plane) -> list[Layer]:
    """The logit difference on a plane, as a network of two inputs and one output.

    Args:
        layers: a network of ``dim`` inputs; two logits, or their difference.
        plane: the plane; its axes need be neither orthogonal nor of unit length.

    Raises:
        ValueError: a plane of another dimension, or that is not finite.

    Examples:
        >>> import numpy as np
        >>> from simbias.tasks.oracle import Layer
        >>> from simbias.validation.geometry import Plane, restrict
        >>> layers = [Layer(np.array([[0.0], [1.0], [2.0]]), np.zeros(1))]
        >>> plane = Plane(origin=np.ones(3), axes=np.eye(2, 3))
        >>> restrict(layers, plane)[0].weight.ravel(), restrict(layers, plane)[0].bias
        (array([0., 1.]), array([3.]))
    """
    dim = layers[0].weight.shape[0]
    origin, axes = (np.asarray(part, np.float64) for part in plane)
    if origin.shape != (dim,) or axes.shape != (2, dim):
        raise fail("plane", (origin.shape, axes.shape), f"shapes (({dim},), (2, {dim}))")
    if not (np.isfinite(origin).all() and np.isfinite(axes).all()):
        raise fail("plane", plane, "finite numbers")
    first, *rest = [*layers[:-1], _difference(layers[-1])]
    return [Layer(axes @ first.weight, origin @ first.weight + first.bias), *rest]


def decide(restricted_layers: Sequence[Layer], box: Box, *, regions: bool = False) -> Decision:
    """The decision boundary and the areas of the two labels on a box.

    Args:
        restricted_layers: a network of two inputs, from ``restrict``.
        box: the box, in units of the plane.
        regions: whether to list all linear regions, which takes longer: faces on which the label is
            known are then cut as well.

    Raises:
        ValueError: a network of another number of inputs or outputs, or that is not finite.

    Examples:
        The half plane to the right of -1/2:

        >>> import numpy as np
        >>> from simbias.tasks.oracle import Layer
        >>> from simbias.validation.geometry import Box, decide
        >>> layers = [Layer(np.array([[1.0], [0.0]]), np.array([0.5]))]
        >>> decision = decide(layers, Box(-1, 1, -1, 1))
        >>> decision.area
        (1.0, 3.0)
        >>> decision.lines
        (array([[-0.5,  1. ],
               [-0.5, -1. ]]),)
    """
    instance("box", box, Box)
    join = _JOIN * float(np.hypot(box.right - box.left, box.top - box.bottom))
    area, segments, edges, outlines = np.zeros(2), [], [], []
    for faces in subdivide(restricted_layers, box.corners[None], prune=not regions):
        for label, parts, _ in faces.by_label():
            area[label] += poly.areas(parts).sum()
        segments.append(faces.segments())
        edges.append(faces.edges())
        if regions:
            outlines += poly.outlines(faces.polygons)
    shared = poly.cancel(np.concatenate(edges), tolerance=join)
    inner = shared[~poly.on_edge(shared, box.corners, tolerance=join)]
    lines = poly.chain(np.concatenate([*segments, inner]), tolerance=join)
    return Decision(
        box, tuple(lines), (float(area[0]), float(area[1])), tuple(outlines) if regions else None
    )


def components(decision: Decision) -> list[Component]:
    """The connected components of both labels on a decision's box.

    Two parts of label 0 that meet in a point are connected, two parts of label 1 are not.
    """
    box, connected = decision.box, []
    for label in (0, 1):
        lines = [line if label else line[::-1] for line in decision.lines]
        opened = [line for line in lines if (line[0] != line[-1]).any()]
        reaching = poly.close(opened, box.corners)
        curves = reaching + [line for line in lines if (line[0] == line[-1]).all()]
        missing = decision.area[label] - sum(map(poly.enclosed, curves))
        if not opened and missing > box.area / 2:  # the label holds all of the box's edge
            reaching = [box.corners[[0, 1, 2, 3, 0]]]
            curves = reaching + curves
        for outer, inner in poly.nested(curves).items():
            holes = tuple(curves[hole] for hole in inner)
            area = sum(map(poly.enclosed, (curves[outer], *holes)))
            connected.append(Component(label, area, outer < len(reaching), curves[outer], holes))
    return connected


def component(
    restricted_layers: Sequence[Layer], point: Float[np.ndarray, " 2"], box: Box
) -> Component:
    """The connected set of points with a point's label that holds the point, inside a box.

    A point on a line belongs to either side, depending on rounding.

    Args:
        restricted_layers: a network of two inputs, from ``restrict``.
        point: in units of the plane, in the box.
        box: the box.

    Raises:
        ValueError: a point outside the box, or a network that ``decide`` refuses.
    """
    position = np.asarray(point, np.float64)
    instance("box", box, Box)
    low, high = box.corners[[0, 2]]
    if position.shape != (2,) or not ((low <= position) & (position <= high)).all():
        raise fail("point", point, f"a point of {box}")
    connected = components(decide(restricted_layers, box))
    around = [part for part in connected if poly.inside(part.outline, position)]
    if around:
        return min(around, key=lambda part: poly.enclosed(part.outline))
    # on an edge of the box
    return min(connected, key=lambda part: poly.distance(part.outline, position))


def exact_risk(task: BlockTask, layers: Sequence[Layer]) -> float:
    """The population risk of a network on a task of two piecewise uniform coordinates.

    Args:
        task: the distribution.
        layers: a network that takes unrotated points, from ``layers_of``.

    Raises:
        ValueError: a task of another dimension or with a normal coordinate.

    Notes:
        The sum, over the rectangles on which both conditional laws are uniform, of the mass of each
        label times the proportion of the rectangle that is labelled otherwise. An atom makes a
        rectangle a line or a point, and the proportion is one of length or of points.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.tasks.oracle import Layer
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)

        The risk of a network that looks at the simple coordinate alone:

        >>> layers = [Layer(np.array([[-1.0, 1.0], [0.0, 0.0]]), np.zeros(2))]
        >>> round(simbias.validation.exact_risk(task, layers), 10)
        0.05
        >>> round(task.truth.simple_risk, 10)
        0.05
    """
    instance("task", task, BlockTask)
    if task.dim != 2:
        raise fail("task", f"{task.dim} coordinates", "a task of 2")
    if any(block.is_normal for block in task.blocks):
        raise fail("task", "a normal coordinate", "piecewise uniform coordinates")
    layers = each("layers", layers, Layer)
    if not layers:
        raise fail("layers", layers, "at least one")
    restricted = restrict(layers, Plane(np.zeros(2), np.eye(2)))
    risk = 0.0
    groups = groupby(sorted(product(*map(parts_of, task.blocks)), key=_extents), key=_extents)
    for extents, rectangles in groups:
        horizontal, vertical = (np.array(parts) for parts in zip(*rectangles, strict=True))
        left, right, bottom, top = *horizontal[:, :2].T, *vertical[:, :2].T
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        proportion = _proportions(
            restricted, np.moveaxis(np.array(corners), -1, 0), _MEASURES[extents]
        )
        masses = horizontal[:, 2:] * vertical[:, 2:]
        risk += float(np.sum(masses * proportion[:, ::-1])) / 2
    return risk


_MEASURES: tuple[Callable[[Polygons], Float[np.ndarray, " faces"]], ...] = (
    lambda points: np.ones(len(points)),
    poly.lengths,
    poly.areas,
)


def _extents(rectangle: Sequence[Part]) -> int:
    """The number of dimensions in which a rectangle has a length: 0, 1 or 2."""
    return sum(part.high > part.low for part in rectangle)


def _proportions(
    layers: Sequence[Layer],
    starts: Polygons,
    measure: Callable[[Polygons], Float[np.ndarray, " faces"]],
) -> Float[np.ndarray, "faces labels"]:
    """The proportion of each polygon that has each label."""
    sizes = np.zeros((len(starts), 2))
    for faces in subdivide(layers, starts, prune=True):
        for label, parts, owner in faces.by_label():
            sizes[:, label] += np.bincount(owner, measure(parts), len(starts))
    proportions: Float[np.ndarray, "faces labels"] = sizes / sizes.sum(axis=1, keepdims=True)
    return proportions


def _difference(last: Layer) -> Layer:
    """The layer that computes the logit difference; unchanged if it has one output."""
    if last.weight.shape[1] == 1:
        return last
    if last.weight.shape[1] != 2:
        raise fail("layers", f"{last.weight.shape[1]} outputs", "two logits, or their difference")
    return Layer(last.weight[:, 1:] - last.weight[:, :1], last.bias[1:] - last.bias[:1])
