"""Memorised islands: how far around an exception a network keeps to the exception's label.

A network that has memorised an exception without a rule for it gives the exception's label on a
small island in a region of the simple rule. Training exceptions are compared with fresh ones from
the same conditional law, fitted or not: around a point that the network labels wrongly it keeps the
true label nowhere, so radius and area are 0. A network that has learned the achievable rule treats
training and fresh exceptions alike; the excess of the training exceptions is memorised. The excess
depends both on how many are fitted and on how far the label of a fitted one is kept: ``size``
compares fitted points only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._defaults import CONFIDENCE
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import panel
from simbias.stats.bounded import betting_interval, mean_interval
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.student import half_width_of_mean
from simbias.tasks.oracle import simple_rule
from simbias.validation.contexts import slab_coordinates
from simbias.validation.cuts import side
from simbias.validation.geometry import has_layers
from simbias.validation.sound import faults
from simbias.validation.vicinity import IslandEffort, Islands, islands_around, no_islands

Ends = Callable[[np.ndarray, float], tuple[float, float]]  # (values, confidence) -> interval


class Compared(NamedTuple):
    """A mean over training exceptions, over fresh ones, and the first less the second.

    Intervals hold for every law where the values are bounded, as proportions, axes, areas and,
    without normal coordinates, chords are: ``bounded.mean_interval`` of proportions,
    ``bounded.betting_interval`` of the others. For unbounded values they are Student's t over
    points, approximate, and NaN with fewer than two or where all are equal. The interval of the
    excess is the difference of two, each with half the error.
    """

    training: Estimate
    fresh: Estimate
    excess: Estimate


@dataclass(frozen=True)
class IslandReport:
    """Islands of a stack; every estimate has one entry for each network.

    A network that has a fault (see ``simbias.validation.faults``) has no points, and NaN for every
    estimate.

    Attributes:
        faults: for each network why it is not a usable classifier; empty where it is one.
        coordinates: slab coordinates of the planes in which areas are measured.
        reach: the largest distance measured along the axes, input units.
        confidence: coverage of each interval.
        training, fresh: the points of each network.
        fitted: proportion of the points given their label.
        axis: ``Islands.axis_radius``.
        chord: ``Islands.chord_radius``.
        area: ``Islands.area``, the mean over coordinates for each point.
        relative: ``Islands.chord_radius`` as a proportion of the distance to the nearest training
            point of the other label.
        size: ``Islands.chord_radius`` of the points that are given their label.
        open: proportion of the points given their label whose part of the plane reaches the edge of
            the support in every plane: not an island, but one side of a boundary that has moved.

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
    chord: Compared
    area: Compared
    relative: Compared
    size: Compared
    open: Compared

    def labelled(self) -> dict[str, Labelled]:
        """The comparisons by name, with named axes: networks by position, kinds of points."""
        names = ("fitted", "axis", "chord", "area", "relative", "size", "open")
        return named_axes(self, dict.fromkeys(names, "network points"))

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def measure_islands(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    sample: int = 50,
    directions: int = 20,
    coordinates: Sequence[int] | None = None,
    reach: float = 2.0,
    confidence: float = CONFIDENCE,
) -> IslandReport:
    """Measure islands around training and fresh exceptions of every network; exact, NumPy float64.

    The choice of training exceptions, the fresh ones and the directions come from each network's
    own context stream. There are no points where the simple rule makes no errors, and few or no
    fresh ones where it errs on less than one in thousands, because memory limits the draws.

    Args:
        learned: a stack of MLPs of ReLUs, or other such classifiers (``simbias.validate``), on a
            task with a simple set.
        data: for a classifier that does not know its training set.
        sample: exceptions of each kind for a network; fewer where the training set has fewer.
        directions: number of draws to which chords lead from each point.
        coordinates: slab coordinates, each attaining the Bayes risk; default the first.
        reach: the largest distance measured along the axes, input units; a label that is kept
            farther counts as kept this far.
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
    classifiers = panel(learned, data)
    task = classifiers.block_task
    rule = simple_rule(task)
    if rule is None:
        raise fail("learned", f"networks on {task.name}", "networks on a task with a simple set")
    effort = IslandEffort(
        rule,
        tuple(slab_coordinates(task, coordinates, most=1)),
        whole("sample", sample, least=2),
        whole("directions", directions),
        real("reach", reach, 0, open_low=True),
    )
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    for member in classifiers.members:
        if not has_layers(member):
            raise fail("network", member.label, "an MLP of relu units")
    left_out = faults(classifiers)
    pairs = [
        (no_islands(task, effort),) * 2 if fault else islands_around(classifiers, i, effort)
        for i, fault in enumerate(left_out)
    ]
    training, fresh = zip(*pairs, strict=True)

    sides = np.diff([side(block) for block in task.blocks], axis=1)[:, 0]
    others = np.delete(sides, list(task.simple_set))
    longest = float(np.linalg.norm(others))
    widest = float(sides[rule.coordinate] * sides[list(effort.coordinates)].max())

    def compared(value: Callable[[Islands], np.ndarray], ends: Ends) -> Compared:
        kinds = [[value(islands) for islands in kind] for kind in (training, fresh)]
        return _compared(kinds, confidence, ends)

    return IslandReport(
        faults=left_out,
        coordinates=effort.coordinates,
        reach=effort.reach,
        confidence=confidence,
        training=training,
        fresh=fresh,
        fitted=compared(lambda islands: islands.fitted.astype(float), _proportion),
        axis=compared(lambda islands: islands.axis_radius, _at_most(effort.reach)),
        chord=compared(lambda islands: islands.chord_radius, _at_most(longest)),
        area=compared(lambda islands: islands.area.mean(axis=1), _at_most(widest)),
        relative=compared(lambda islands: islands.chord_radius / islands.nearest, _student),
        size=compared(lambda islands: islands.chord_radius[islands.fitted], _at_most(longest)),
        open=compared(
            lambda islands: islands.open[islands.fitted].all(axis=1).astype(float), _proportion
        ),
    )


def _proportion(values: Float[np.ndarray, " points"], confidence: float) -> tuple[float, float]:
    """The interval of the mean of zeros and ones."""
    mean, terms = np.asarray(values.mean()), np.asarray(len(values))
    low, high = mean_interval(mean, terms, confidence)
    return float(low), float(high)


def _at_most(most: float) -> Ends:
    """The interval of the mean of values in [0, ``most``]; for every law if that is finite."""

    def ends(values: np.ndarray, confidence: float) -> tuple[float, float]:
        # a float32 draw may lie beyond the support by its rounding
        low, high = betting_interval(np.clip(values / most, 0, 1), confidence)
        return float(most * low), float(most * high)

    return ends if np.isfinite(most) else _student


def _student(values: Float[np.ndarray, " points"], confidence: float) -> tuple[float, float]:
    """The interval of a mean by Student's t; NaN where all values are equal."""
    half = half_width_of_mean(values, confidence)
    return float(values.mean() - half), float(values.mean() + half)


def _compared(kinds: Sequence[Sequence[np.ndarray]], confidence: float, ends: Ends) -> Compared:
    """The means of each network's values, training and fresh, and their differences."""

    def estimate(values: np.ndarray, confidence: float) -> tuple[float, float, float]:
        if not len(values):
            return np.nan, np.nan, np.nan
        return float(values.mean()), *ends(values, confidence)

    training, fresh = (
        Estimate(*np.array([estimate(values, confidence) for values in kind]).T) for kind in kinds
    )
    coverage = (1 + confidence) / 2
    first, second = (
        Estimate(*np.array([estimate(values, coverage) for values in kind]).T) for kind in kinds
    )
    excess = Estimate(first.value - second.value, first.low - second.high, first.high - second.low)
    return Compared(training, fresh, excess)
