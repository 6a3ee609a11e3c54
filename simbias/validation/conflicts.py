"""Points on which the simple coordinate and the others contradict each other.

Flipping the simple coordinate keeps every label of the achievable rule right, so that what accuracy
a classifier loses by it is what it owes to that coordinate.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simbias._checks import fail, real, whole
from simbias._defaults import CONFIDENCE, N_CERTIFY
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.validation.risk import answers, errors
from simbias.validation.sound import faulty, of_sound

GROUPS = tuple((label, agrees) for label in (0, 1) for agrees in (False, True))


class ConflictReport(NamedTuple):
    """What classifiers lose where the simple coordinate misleads, an entry for each classifier.

    Attributes:
        seeds: of their data sets.
        slope: accuracy lost per probability of a conflict, in [-1, 1].
        groups: accuracy by (label, whether the simple rule gives that label), with intervals that
            hold for the four together.
        worst: the least of the four.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> def simple(x):
        ...     return (x @ data.rotation.T)[:, 0]
        >>> found = simbias.validation.measure_conflicts(simple, data, n_certify=10_000)
        >>> found.worst.value, found.groups[1, True].value
        (array([0.]), array([1.]))
    """

    seeds: tuple[int, ...]
    slope: Estimate
    groups: dict[tuple[int, bool], Estimate]
    worst: Estimate

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: classifiers, groups."""
        return named_axes(
            self, {"slope": "seed", "groups": "seed group", "worst": "seed"}, seed=self.seeds
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def measure_conflicts(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
) -> ConflictReport:
    """Measure how classifiers depend on the simple coordinate where it misleads.

    The shift ``"conflict=p"`` draws the simple coordinate as given the other label with probability
    p. It mixes two laws, so that the accuracy is linear in p and the slope, its loss from p = 0 to
    p = 1, that at every p. The simple rule has the slope 1 - noise, the achievable rule 0. Groups
    are those of the points at p = 1/2, where the simple coordinate carries no label.

    Args:
        learned: what ``simbias.validate`` takes.
        data: from ``simbias.data``, for a classifier that does not know its training set.
        n_certify: fresh points for each classifier, at each p.
        confidence: coverage of the slope's interval, and of the intervals of the four groups and
            their least together, in (0, 1).

    Returns:
        Slope, accuracies of groups and worst group; NaN for a classifier with a fault.

    Raises:
        ValueError: an argument out of range, or a task without a simple set of one coordinate.

    Notes:
        The accuracies at 0 and at 1 have the intervals of Clopper and Pearson, each at half the
        error, and the slope that of their difference. Given how many points fall into a group, its
        count of correct labels is binomial: each group has its interval at a quarter of the error.
        The least of the four accuracies then lies between the least of the lower and the least of
        the upper limits. A group without points has no limits but 0 and 1.

    References:
        S. Sagawa, P. W. Koh, T. Hashimoto, P. Liang, "Distributionally robust neural networks for
        group shifts", ICLR 2020.
        C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial", Biometrika 1934.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> def simple(x):
        ...     return (x @ data.rotation.T)[:, 0]
        >>> found = simbias.validation.measure_conflicts(simple, data, n_certify=10_000)
        >>> value, low, high = found.slope
        >>> value.round(1), bool(low < 0.9 < high)
        (array([0.9]), True)
    """
    classifiers = panel(learned, data)
    n_certify = whole("n_certify", n_certify)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    task = classifiers.block_task
    if len(task.simple_set) != 1:
        raise fail("task", task.name, "a task with a simple set of one coordinate")
    left_out = faulty(classifiers)
    half = 1 - (1 - confidence) / 2
    plain = errors(classifiers, n_certify, half)
    flipped = errors(classifiers.under("conflict=1"), n_certify, half)
    slope = Estimate(
        flipped.value - plain.value, flipped.low - plain.high, flipped.high - plain.low
    )
    groups = _groups(classifiers.under("conflict=0.5"), n_certify, confidence)
    value, low, high = (np.array([group[i] for group in groups.values()]) for i in range(3))
    worst = Estimate(
        np.fmin.reduce(value), np.nan_to_num(low, nan=0.0).min(axis=0), np.fmin.reduce(high)
    )

    def kept(estimate: Estimate) -> Estimate:
        return of_sound(estimate, left_out | np.isnan(estimate.value))

    return ConflictReport(
        classifiers.seeds,
        kept(slope),
        {name: kept(group) for name, group in groups.items()},
        kept(worst),
    )


def _groups(
    classifiers: Panel, n_certify: int, confidence: float
) -> dict[tuple[int, bool], Estimate]:
    """The accuracy of each group, with intervals that hold for all of them together."""
    points, correct = np.zeros((2, len(GROUPS), len(classifiers)), np.int64)
    unscored = np.zeros(len(classifiers), np.int64)
    for i, drawn, labels, bad in answers(classifiers, n_certify):
        unscored[i] += bad
        for place, (label, agrees) in enumerate(GROUPS):
            members = (drawn.y == label) & (drawn.exception != agrees)
            points[place, i] += members.sum()
            correct[place, i] += (members & (labels == label)).sum()
    scored = unscored == 0
    each = 1 - (1 - confidence) / len(GROUPS)
    return {
        group: clopper_pearson(correct[place] * scored, points[place] * scored, each)
        for place, group in enumerate(GROUPS)
    }
