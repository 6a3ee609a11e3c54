"""What an edit does to the projection on a direction, beside what changing the input does to it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simbias._checks import fail, whole
from simbias._pinned import pinned
from simbias.directions.activity import POINTS, fresh_points, hidden_layer
from simbias.directions.counterfactual import beside, counterfactual, coverage_of, mirrored
from simbias.directions.directions import Directions
from simbias.models.copies import Data
from simbias.models.panel import Panel
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width_of_mean

_BATCHES = 20  # of points, whose means give the intervals


class Projected(NamedTuple):
    """What becomes of the projection on a direction, in units of its variance on these points.

    Attributes:
        told: proportion of its variance that the coordinate explains: their squared correlation.
        moved: mean squared change by the edit.
        wanted: mean squared change where the coordinate is changed in the input.
        apart: mean squared distance of the projection after the edit from that of the changed
            input: 0 where the edit does what the coordinate does, ``wanted`` where it does nothing.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.directions.find(stack, points=1000)
        >>> same = simbias.models.panel(stack)
        >>> unmoved = simbias.directions.measure_projection(stack, same, found, points=500)
        >>> bool((unmoved.told.low > 0.5).all()), unmoved.moved.value
        (True, array([0., 0.]))
    """

    told: Estimate
    moved: Estimate
    wanted: Estimate
    apart: Estimate


@pinned
def measure_projection(
    learned: object,
    edited: Panel,
    directions: Directions,
    data: Data = None,
    *,
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    coordinate: int = 0,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Projected:
    """Hold what an edit does to the projection on a direction against what the coordinate does.

    Args:
        learned: a stack, or networks.
        edited: the same ones after an intervention in the directions' layer, or an earlier one.
        directions: of these networks.
        data: for classifiers that do not know their training sets.
        change, coordinate: what is changed in the input, see ``counterfactual``.
        points: fresh points, that no direction was fitted to, at least 100.
        confidence: coverage of each interval: Student's t over 20 batches of points.

    Raises:
        ValueError: panels or directions of different networks, a projection that is constant, or
            an argument out of range.

    Examples:
        >>> import simbias
        >>> from simbias import directions
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = directions.find(stack, points=1000)
        >>> ablated = directions.intervene(stack, directions.ablate_to_mean(found))
        >>> to_none = {"change": lambda z: 0 * z, "points": 500}
        >>> moved = directions.measure_projection(stack, ablated, found, **to_none)
        >>> bool((moved.apart.high < moved.wanted.low).all())
        True
    """
    classifiers, coverage = beside(learned, edited, data), coverage_of(confidence)
    whole("points", points, least=5 * _BATCHES)
    if len(directions) != len(classifiers):
        raise fail("directions", f"{len(directions)} of them", f"{len(classifiers)}, one a network")
    rows = []
    for i, data_set in enumerate(classifiers.data):
        x = np.asarray(fresh_points(data_set, points, "certify").x)
        changed = counterfactual(data_set, x, change, coordinate=coordinate)
        asked = (classifiers, x), (edited, x), (classifiers, changed)
        before, after, wanted = (
            hidden_layer(panel.members[i], inputs, directions.layer) @ directions.vectors[i]
            for panel, inputs in asked
        )
        if not (spread := np.std(before)) > 0:
            raise fail("directions", "one along which a layer is constant", "one along which not")
        values = np.asarray(x, np.float64) @ data_set.rotation[coordinate]
        slope = np.cov(values, before, bias=True)[0, 1] / np.var(values)
        left = before - before.mean() - slope * (values - values.mean())
        apart = np.stack([left, after - before, wanted - before, after - wanted]) / spread
        parts = [part.mean(axis=1) for part in np.array_split(apart**2, _BATCHES, axis=1)]
        rows.append([_estimated(batches, coverage) for batches in np.stack(parts, axis=1)])
    unexplained, *others = (Estimate(*part.T) for part in np.array(rows).transpose(1, 0, 2))
    told = Estimate(1 - unexplained.value, 1 - unexplained.high, 1 - unexplained.low)
    return Projected(told, *others)


def _estimated(batches: np.ndarray, coverage: float) -> tuple[float, float, float]:
    mean, width = batches.mean(), half_width_of_mean(batches, coverage)
    return float(mean), float(mean - width), float(mean + width)
