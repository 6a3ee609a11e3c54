"""What an edit leaves as it was: labels off its target and by zone, and the other coordinates.

An intervention on a concept is to change what the network says because of it, and nothing else.
Where the concept is a coordinate of the input, its target is known for each point: those whose
label the network changes when that coordinate is changed in the input.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.directions.activity import POINTS, fresh_points, hidden_layer, two_classes
from simbias.directions.counterfactual import beside, counterfactual, coverage_of, mirrored
from simbias.models.classifier import labels
from simbias.models.copies import Data
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson, paired_difference
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width_of_mean

ZONES = ("decided", "right", "exceptions")
_BATCHES = 20  # of points, whose means give the interval of a mean


class Kept(NamedTuple):
    """Agreement of predicted labels after an edit with those before it, as proportions of points.

    NaN where a network has no such point.

    Attributes:
        on_target: points whose label the changed input switches, and the edit too.
        off_target: points whose label the changed input leaves, and the edit too.
        zones: points whose label the edit leaves, of those whose simple coordinate lies outside its
            margin (``"decided"``), and of those within where the simple rule is ``"right"``, and
            wrong (``"exceptions"``).
        accuracy: after the edit less before it, on the same points.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> kept = simbias.directions.measure_kept(rule, rule, points=500)
        >>> kept.on_target.value, kept.zones["decided"].value
        (array([0.]), array([1.]))
    """

    on_target: Estimate
    off_target: Estimate
    zones: dict[str, Estimate]
    accuracy: Estimate


@pinned
def measure_kept(
    learned: object,
    edited: Panel,
    data: Data = None,
    *,
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    coordinate: int = 0,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Kept:
    """What an edit of networks leaves as it was.

    Args:
        learned: a stack, or any classifiers.
        edited: the same ones after an intervention.
        data: for classifiers that do not know their training sets.
        change, coordinate: what is the target, see ``counterfactual``.
        points: fresh points, that no direction was fitted to.
        confidence: coverage of each interval (Clopper-Pearson).

    Raises:
        ValueError: panels of different networks, or an argument out of range.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> other = simbias.models.panel(lambda x: -(x @ data.rotation[0]), data)
        >>> kept = simbias.directions.measure_kept(rule, other, points=500)
        >>> kept.on_target.value, kept.off_target.value, kept.zones["exceptions"].value
        (array([1.]), array([nan]), array([0.]))
    """
    classifiers, coverage = beside(learned, edited, data), coverage_of(confidence)
    hits, rows, correct = [], [], []
    for member, after, data_set in zip(
        classifiers.members, edited.members, classifiers.data, strict=True
    ):
        points_of = fresh_points(data_set, points, "certify")
        x, y = np.asarray(points_of.x), np.asarray(points_of.y)
        before, moved = labels(member, x), labels(after, x)
        wanted = labels(member, counterfactual(data_set, x, change, coordinate=coordinate))
        target, same = wanted != before, moved == before
        masks = [target, ~target, *zones(data_set, x, np.asarray(points_of.exception))]
        rows.append([int(mask.sum()) for mask in masks])
        agree = [moved == wanted, same, same, same, same]
        hits.append([int((agreed & mask).sum()) for agreed, mask in zip(agree, masks, strict=True)])
        told = moved == y, before == y
        correct.append([(told[0] & ~told[1]).sum(), (told[1] & ~told[0]).sum(), len(y)])
    estimates = [
        clopper_pearson(k, n, coverage)
        for k, n in zip(np.array(hits).T, np.array(rows).T, strict=True)
    ]
    only_after, only_before, told_of = np.array(correct, np.int64).T
    accuracy = paired_difference(only_after, only_before, told_of, coverage)
    by_zone = dict(zip(ZONES, estimates[2:], strict=True))
    return Kept(estimates[0], estimates[1], by_zone, accuracy)


def zones(
    data_set: DataSet, x: Float[np.ndarray, "rows dim"], exception: np.ndarray
) -> list[np.ndarray]:
    """Which rows lie in each of ``ZONES``, by the first coordinate of the simple set."""
    within = data_set.block_task.in_margin(x, data_set.rotation)
    return [~within, within & ~exception, within & exception]


def equivalent(change: Estimate, margin: float) -> list[str]:
    """Whether each change is shown to be less than a margin, either way: two one-sided tests.

    A change is ``"equivalent"`` to none where its interval lies within (-margin, margin),
    ``"different"`` where it lies beyond, and ``"undecided"`` elsewhere. With an interval of
    confidence 1 - 2a each one-sided test is at level a.

    Args:
        change: such as ``Kept.accuracy``.
        margin: the least change that would matter, > 0, chosen before looking.

    Raises:
        ValueError: margin <= 0.

    References:
        D. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for
        assessing the equivalence of average bioavailability", Journal of Pharmacokinetics and
        Biopharmaceutics 1987.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> ends = np.array([[-0.01, -0.4, -1.0], [0.01, -0.2, 1.0]])
        >>> change = simbias.validation.Estimate(ends.mean(axis=0), *ends)
        >>> simbias.directions.equivalent(change, 0.05)
        ['equivalent', 'different', 'undecided']
    """
    most = real("margin", margin, 0, open_low=True)
    words = []
    for low, high in zip(change.low, change.high, strict=True):
        inside, beyond = -most < low and high < most, low >= most or high <= -most
        words.append("equivalent" if inside else "different" if beyond else "undecided")
    return words


@pinned
def others_decoded(
    learned: object, data: Data = None, *, layer: int = 0, points: int = POINTS
) -> Estimate:
    """How well a layer tells the coordinates outside the simple set, by least squares.

    A regression of each such coordinate on the layer is fitted to one draw and measured on another:
    the mean proportion of variance that it explains, R², with a 95% interval by Student's t over 20
    batches of points. Before and after an edit, it says whether the other coordinates stay.

    Args:
        learned: a stack, or networks, edited or not.
        data: for classifiers that do not know their training sets.
        layer: index of the hidden layer, from 0.
        points: fresh points of each draw, at least 100.

    Raises:
        ValueError: a network without activations, a layer that does not exist, a task without such
            coordinates, or points < 100.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> told = simbias.directions.others_decoded(stack, points=1000)
        >>> bool((told.value > 0.2).all()), told.value.shape
        (True, (2,))
    """
    classifiers = two_classes(panel(learned, data))
    whole("points", points, least=5 * _BATCHES)
    rows = []
    for member, data_set in zip(classifiers.members, classifiers.data, strict=True):
        task = data_set.block_task
        others = task.others
        if not others:
            raise fail("task", task.name, "one with coordinates outside the simple set")
        (hidden, z), (fresh, fresh_z) = (
            _with_others(member, data_set, layer, points, split, others)
            for split in ("select", "certify")
        )
        fitted = np.linalg.lstsq(hidden, z)[0]
        variance = ((fresh_z - fresh_z.mean(axis=0)) ** 2).mean(axis=0)
        unexplained = (((fresh @ fitted - fresh_z) ** 2) / variance).mean(axis=1)
        explained = 1 - np.array([part.mean() for part in np.array_split(unexplained, _BATCHES)])
        width = half_width_of_mean(explained, 0.95)
        rows.append((explained.mean(), explained.mean() - width, explained.mean() + width))
    return Estimate(*np.array(rows).T)


def _with_others(
    member: object, data_set: DataSet, layer: int, points: int, split: str, others: list[int]
) -> tuple[AnyArray, AnyArray]:
    """Activations with a column of ones, and the other coordinates."""
    x = np.asarray(fresh_points(data_set, points, split).x)
    hidden = hidden_layer(member, x, layer)
    with_ones = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)
    return with_ones, np.asarray(x, np.float64) @ data_set.rotation[others].T
