"""What a hidden layer holds, used or not: the label, which slab a coordinate lies in, coordinates.

Where the simple coordinate lies in its margin whatever the label, the label is decodable from the
others alone (elsewhere a line tells it). Two controls say what a probe finds by itself: the layer
of a random network of the same shape, and labels in a random order (Hewitt and Liang 2019).
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from simbias._checks import fail, known, whole
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.directions.activity import POINTS, fresh_points, hidden_layer, two_classes
from simbias.directions.counterfactual import coverage_of
from simbias.directions.probes import Problem, classify
from simbias.models import Traced
from simbias.models.classifier import labels
from simbias.models.copies import Data
from simbias.models.data import DataSet
from simbias.models.panel import panel
from simbias.networks import Network
from simbias.stats.binomial import clopper_pearson, paired_difference
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.student import half_width_of_mean
from simbias.tasks.oracle import bayes_rule

TARGETS = ("label", "slab")
_BATCHES = 20  # of points, whose means give the interval of a mean


class Decoded(NamedTuple):
    """How well a probe tells a target from a layer, on points that it was not fitted to.

    Attributes:
        accuracy: of the probe.
        random: of one on the same layer of an untrained network; NaN where there is none.
        shuffled: of one that is fitted to targets in a random order.
        beyond: accuracy less that on the untrained network, on the same points.
        used: accuracy of the network itself on these points; NaN where the target is a slab.
        points: how many each was measured on, by network.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> decoded = simbias.directions.decodability(stack, points=1000, shift="none")
        >>> bool((decoded.accuracy.low > 0.85).all()), decoded.points.tolist()
        (True, [1000, 1000])
    """

    accuracy: Estimate
    random: Estimate
    shuffled: Estimate
    beyond: Estimate
    used: Estimate
    points: Int[np.ndarray, " seeds"]

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: networks by position."""
        return named_axes(self, dict.fromkeys(self._fields, "network"))

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def decodability(
    learned: object,
    data: Data = None,
    *,
    layer: int = 0,
    target: str = "label",
    probe: str = "linear",
    shift: str = "margin",
    coordinate: int | None = None,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Decoded:
    """How well a target is decodable from a hidden layer, beyond what a random network gives.

    Args:
        learned: a stack, or networks.
        data: for classifiers that do not know their training sets.
        layer: index of the hidden layer, from 0.
        target: ``"label"``; or ``"slab"``, which slab a coordinate lies in, of those of label 0,
            among points of that label.
        probe: ``"linear"`` or ``"shallow"``, with a hidden layer of 64 units.
        shift: of the points, see ``simbias.tasks.shifts.shifted``; the default leaves the simple
            coordinate in its margin.
        coordinate: whose slab; None: the last outside the simple set, which the explicit network
            of the achievable rule reads.
        points: fresh points of each draw.
        confidence: coverage of each interval.

    Raises:
        ValueError: a network without activations, a layer that does not exist, an unknown target,
            probe or shift, or a task without the coordinate.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> slab = simbias.directions.decodability(stack, target="slab", points=1000)
        >>> bool((slab.accuracy.value > slab.shuffled.value).all())
        True
    """
    known("target", target, TARGETS)
    classifiers, coverage = two_classes(panel(learned, data)).under(shift), coverage_of(confidence)
    rows = []
    for member, data_set in zip(classifiers.members, classifiers.data, strict=True):
        key = jax.random.fold_in(data_set.stream("directions"), layer)
        untrained = _untrained(member, data_set, key)
        (x, told, counts), (fresh_x, wanted, asked) = (
            _targets(data_set, target, coordinate, points, split) for split in ("select", "certify")
        )
        if len(set(told[counts > 0].tolist())) < 2 or not asked.any():
            raise fail("points", points, "more: those of a draw lack a class")
        order = np.asarray(jax.random.permutation(key, len(told)))
        own = hidden_layer(member, x, layer), hidden_layer(member, fresh_x, layer)
        problems = [Problem(own[0], told, counts, own[1])]
        problems.append(Problem(own[0], told[order], counts[order], own[1]))
        if untrained is not None:
            control = hidden_layer(untrained, x, layer), hidden_layer(untrained, fresh_x, layer)
            problems.append(Problem(control[0], told, counts, control[1]))
        classes = int(max(told.max(), wanted.max())) + 1 if target == "slab" else 2
        right = (classify(problems, key, classes=classes, probe=probe) == wanted)[:, asked > 0]
        own_right = int((labels(member, fresh_x) == wanted).sum()) if target == "label" else 0
        rows.append((*_counted(right), own_right, len(wanted) * (target == "label")))
    columns = np.array(rows).T
    trained, shuffled, random, only_trained, only_random, count, control_count = columns[:7]
    return Decoded(
        clopper_pearson(trained, count, coverage),
        clopper_pearson(random, control_count, coverage),
        clopper_pearson(shuffled, count, coverage),
        paired_difference(only_trained, only_random, control_count, coverage),
        clopper_pearson(columns[7], columns[8], coverage),
        count,
    )


def _counted(right: np.ndarray) -> tuple[int, ...]:
    """How often each probe is right, and only one of the first and the third, of how many."""
    own, shuffled, count = right[0], right[1], right.shape[1]
    control = right[2] if len(right) > 2 else own
    apart = int((own & ~control).sum()), int((control & ~own).sum())
    hits = int(own.sum()), int(shuffled.sum()), int(control.sum())
    return *hits, *apart, count, count * (len(right) > 2)


def _untrained(member: object, data_set: DataSet, key: jax.Array) -> Traced | None:
    """A network of the same shape at another random start; None for what has none."""
    if not isinstance(member, Traced) or not isinstance(member.network, Network):
        return None
    start = member.network.init(key, data_set.task.shape, data_set.classes)
    return Traced(member.network, jax.tree.map(np.asarray, start))


def _targets(
    data_set: DataSet, target: str, coordinate: int | None, points: int, split: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, the target of each, and 1 for those that count."""
    drawn = fresh_points(data_set, points, split)
    x, y = np.asarray(drawn.x), np.asarray(drawn.y)
    if target == "label":
        return x, y, np.ones(len(y), np.float32)
    task = data_set.block_task
    if not task.others:
        raise fail("task", task.name, "one with coordinates outside the simple set")
    other = task.others[-1] if coordinate is None else coordinate
    if other not in task.others:
        raise fail("coordinate", other, f"one outside the simple set, of {task.others}")
    crossed = np.searchsorted(bayes_rule(task, other).cuts, x @ data_set.rotation[other])
    # labels alternate, so that those of one label have every second index
    return x, (crossed // 2).astype(np.int32), (y == 0).astype(np.float32)


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
