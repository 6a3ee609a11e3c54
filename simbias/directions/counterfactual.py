"""What an intervention does beside what changing the input itself does, and what layers tell.

A coordinate of a block task is a number of the input, so what a network says when that coordinate
alone is another is known exactly: the reference for edits that are to change what it is of.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.directions.activity import POINTS, fresh_points, hidden_layer, two_classes
from simbias.directions.finders import logistic
from simbias.models.classifier import labels
from simbias.models.copies import Data
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate

_RIDGE = 1e-3  # of the probe


class Effect(NamedTuple):
    """What an edit does to the labels that networks predict, as proportions of fresh points.

    Attributes:
        switched: whose label is another after the edit.
        wanted: whose label is another where the coordinate is changed in the input.
        agreed: whose label after the edit is that of the changed input.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> other = simbias.models.panel(lambda x: -(x @ data.rotation[0]), data)
        >>> effect = simbias.directions.measure_effect(rule, other, points=500)
        >>> [estimate.value.tolist() for estimate in effect]
        [[1.0], [1.0], [1.0]]
    """

    switched: Estimate
    wanted: Estimate
    agreed: Estimate


class Decoded(NamedTuple):
    """How well a linear probe tells the label from a layer, on points that it was not fitted to.

    Attributes:
        accuracy: of the probe.
        shuffled: of one that is fitted to shuffled labels, the control: near one half.
        points: how many points each was measured on, by network.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> decoded = simbias.directions.decodability(stack, points=1000)
        >>> bool((decoded.accuracy.low > 0.9).all()), decoded.points.tolist()
        (True, [1000, 1000])
    """

    accuracy: Estimate
    shuffled: Estimate
    points: np.ndarray


def mirrored(values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Of a coordinate, the other sign."""
    return -values


def coverage_of(confidence: float) -> float:
    """The confidence, a number in (0, 1); raises ValueError."""
    return real("confidence", confidence, 0, 1, open_low=True, open_high=True)


def beside(learned: object, edited: Panel, data: Data) -> Panel:
    """The networks that were edited; raises ValueError where they are others."""
    classifiers = two_classes(panel(learned, data))
    if edited.seeds != classifiers.seeds:
        raise fail("edited", f"seeds {list(edited.seeds)}", f"{list(classifiers.seeds)}")
    return classifiers


def counterfactual(
    data: DataSet,
    x: Float[AnyArray, "rows dim"],
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    *,
    coordinate: int = 0,
) -> Float[np.ndarray, "rows dim"]:
    """Inputs in which one coordinate of the task is another number, and all else is left.

    An input is x = z R with the coordinates z and an orthogonal R, whose row r of the coordinate
    gives z = x rᵀ: so the changed input is x + (change(z) - z) r.

    Args:
        data: the data set whose inputs they are.
        x: inputs.
        change: of the coordinate; default: the other sign, which mirrors a linear coordinate.
        coordinate: index before rotation.

    Returns:
        Inputs, float32.

    Raises:
        ValueError: a task that is not made of coordinates, or a coordinate that it has not.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> other = simbias.directions.counterfactual(data, data.x)
        >>> before, after = data.x @ data.rotation.T, other @ data.rotation.T
        >>> bool(np.allclose(after[:, 0], -before[:, 0], atol=1e-5))
        True
        >>> bool(np.allclose(after[:, 1:], before[:, 1:], atol=1e-5))
        True
    """
    whole("coordinate", coordinate, least=0, most=data.block_task.dim - 1)
    inputs, row = np.asarray(x, np.float64), np.asarray(data.rotation[coordinate], np.float64)
    values = inputs @ row
    changed = inputs + (np.asarray(change(values)) - values)[:, None] * row
    return changed.astype(np.float32)


@pinned
def measure_effect(
    learned: object,
    edited: Panel,
    data: Data = None,
    *,
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    coordinate: int = 0,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Effect:
    """Hold an edit of networks against what they say where the input itself is changed.

    Args:
        learned: a stack, or any classifiers.
        edited: the same ones after an intervention.
        data: for classifiers that do not know their training sets.
        change, coordinate: see ``counterfactual``.
        points: fresh points, that no direction was fitted to.
        confidence: coverage of each interval (Clopper-Pearson).

    Raises:
        ValueError: panels of different networks, or an argument out of range.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> simbias.directions.measure_effect(rule, rule, points=500).agreed.value
        array([0.])
    """
    classifiers, coverage = beside(learned, edited, data), coverage_of(confidence)
    counts, rows = [], []
    for member, after, data_set in zip(
        classifiers.members, edited.members, classifiers.data, strict=True
    ):
        x = fresh_points(data_set, points, "certify").x
        other = counterfactual(data_set, x, change, coordinate=coordinate)
        before, moved, wanted = labels(member, x), labels(after, x), labels(member, other)
        pairs = ((moved, before), (wanted, before))
        counts.append([*(int((a != b).sum()) for a, b in pairs), int((moved == wanted).sum())])
        rows.append(len(x))
    return Effect(*(clopper_pearson(hits, np.array(rows), coverage) for hits in np.array(counts).T))


@pinned
def decodability(
    learned: object,
    data: Data = None,
    *,
    layer: int = 0,
    within: float | None = None,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Decoded:
    """How well the label can be read off a hidden layer by a logistic probe.

    Where the task's first simple coordinate is noisy, the label is a fair coin given it within its
    margin: there a layer tells the label only by what it knows of the other coordinates.

    Args:
        learned: a stack, or classifiers that are networks with ``activations``.
        data: for classifiers that do not know their training sets.
        layer: index of the hidden layer, from 0.
        within: only points whose first simple coordinate is less than this far from 0 are fitted
            to and measured on; None: all.
        points: fresh points of each draw, before that.
        confidence: coverage of each interval (Clopper-Pearson).

    Raises:
        ValueError: a network without activations, a layer that does not exist, or too few points
            that are left.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> bool((simbias.directions.decodability(stack, points=1000).accuracy.value > 0.9).all())
        True
    """
    classifiers = two_classes(panel(learned, data))
    coverage = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    limit = None if within is None else real("within", within, 0, open_low=True)
    counts, rows = [], []
    for member, data_set in zip(classifiers.members, classifiers.data, strict=True):
        (hidden, y), (fresh, fresh_y) = (
            _layer_within(member, data_set, layer, limit, points, split)
            for split in ("select", "certify")
        )
        key = jax.random.fold_in(data_set.stream("directions"), layer)
        order = np.asarray(jax.random.permutation(key, len(y)))
        hits = []
        for told in (y, y[order]):
            weights, bias = logistic(hidden, told, _RIDGE)
            hits.append(int(((fresh @ weights + bias > 0) == fresh_y).sum()))
        counts.append(hits)
        rows.append(len(fresh_y))
    measured = np.array(rows)
    accuracy, shuffled = (clopper_pearson(hits, measured, coverage) for hits in np.array(counts).T)
    return Decoded(accuracy, shuffled, measured)


def _layer_within(
    member: object, data_set: DataSet, layer: int, within: float | None, points: int, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Activations and labels of the points near 0 in the first simple coordinate."""
    drawn = fresh_points(data_set, points, split)
    x, y = np.asarray(drawn.x), np.asarray(drawn.y)
    if within is not None:
        coordinate = data_set.block_task.simple_set[0]
        near = np.abs(x @ data_set.rotation[coordinate]) < within
        x, y = x[near], y[near]
    if len(set(y.tolist())) < 2:
        raise fail("points", points, f"more: {len(y)} are left, which lack a label")
    return hidden_layer(member, x, layer), y
