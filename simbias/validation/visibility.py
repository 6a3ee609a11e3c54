"""Failure against detectability: what shifts cost classifiers, and how many points reveal them.

A shift that keeps every label right is benign to the labeller. Whether it would be noticed before
it does harm is asked of two detectors: the likelihood-ratio test, which knows both densities and
which none surpasses, and a network trained to tell both apart (``two_sample``).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from simbias._checks import each, real, whole
from simbias._defaults import CONFIDENCE, N_CERTIFY
from simbias._frames import RowList
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import panel
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask
from simbias.tasks.detection import detect
from simbias.tasks.shifts import shifted
from simbias.validation.risk import errors
from simbias.validation.sound import faulty, of_sound
from simbias.validation.two_sample import classifier_test_power

VISIBLE = (
    "conflict=0.1", "conflict=0.5", "margin", "move=0.2", "move=0.5", "even-slabs",
    "slab-masses=2", "move-others=0.05", "density=0.9", "tilt=30",
)  # fmt: skip
POINTS = (1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10_000)
LEARNABLE = 30  # points from which on a detector is trained


class NeededPoints(NamedTuple):
    """The least of some numbers of points at which a test has the power that is asked for.

    Attributes:
        value: by the power that was measured; infinity where it is not reached.
        low, high: the same by the upper and by the lower limit of the power.
        most: the largest number that was tried.

    Examples:
        >>> from simbias.validation import NeededPoints
        >>> needed = NeededPoints(value=300, low=100, high=300, most=10_000)
        >>> needed.low <= needed.value <= needed.high
        True
    """

    value: float
    low: float
    high: float
    most: int


class Visibility(NamedTuple):
    """What a shift costs classifiers, and what reveals it.

    Attributes:
        shift: as it is written.
        lost: accuracy that each classifier loses.
        likelihood_ratio: points that the most powerful test needs.
        trained: points of each source, half of them to train on, that a classifier test needs.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000)
        >>> few = dict(shifts=["move=1"], sizes=[200], repetitions=4, n_certify=1000)
        >>> def simple(x):
        ...     return x @ data.rotation[0]
        >>> (row,) = simbias.validation.measure_visibility(simple, data, **few)
        >>> row.shift, bool(0.4 < row.lost.value.item() < 0.5)  # .45 are moved over the cut
        ('move=1', True)
    """

    shift: str
    lost: Estimate
    likelihood_ratio: NeededPoints
    trained: NeededPoints


def needed_points(
    power_at: Callable[[int], Estimate], power: float, sizes: Sequence[int]
) -> NeededPoints:
    """The least number of points with a power, of increasing ones, and its limits.

    The sizes are gone through until the lower limit of the power is enough.

    Examples:
        >>> import numpy as np
        >>> from simbias.validation import Estimate
        >>> from simbias.validation.visibility import needed_points
        >>> def power_at(m):
        ...     return Estimate(*(np.array([m / 10 + d]) for d in (0, -0.05, 0.05)))
        >>> needed_points(power_at, 0.5, range(1, 10))
        NeededPoints(value=5, low=5, high=6, most=9)
    """
    reached: dict[str, float] = {}
    for points in sizes:
        measured = power_at(points)
        for name, part in zip(("value", "high", "low"), measured, strict=True):
            if part.item() >= power:
                reached.setdefault(name, points)
        if "high" in reached:
            break
    value, low, high = (reached.get(name, np.inf) for name in ("value", "low", "high"))
    return NeededPoints(value, low, high, max(sizes))


@pinned
def measure_visibility(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    shifts: Sequence[str] = VISIBLE,
    power: float = 0.8,
    sizes: Sequence[int] = POINTS,
    repetitions: int = 40,
    labelled: bool = False,
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
    note: Callable[[str], None] = lambda text: None,
) -> RowList[Visibility]:
    """What shifts cost classifiers, beside the points by which two tests at level .05 reveal them.

    Args:
        learned: what ``simbias.validate`` takes.
        data: from ``simbias.data``, for a classifier that does not know its training set.
        shifts: as for ``simbias.tasks.shifts.shifted``.
        power: that is asked for, in (0, 1).
        sizes: numbers of points that are tried, increasing.
        repetitions: of the classifier test at each number; of the other 10 times as many.
        labelled: whether the tests see the labels.
        n_certify: fresh points for each classifier and shift.
        confidence: coverage of each interval, in (0, 1).
        note: is called with each shift before it is measured.

    Returns:
        An entry for each shift.

    Raises:
        ValueError: an argument out of range, or a shift that the task does not have.

    Notes:
        The accuracy lost is a difference of two proportions, each with the interval of Clopper and
        Pearson at half the error. NaN for a classifier with a fault.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000)
        >>> few = dict(shifts=["move=1"], sizes=[1, 200], repetitions=4, n_certify=1000)
        >>> (row,) = simbias.validation.measure_visibility(lambda x: x[:, 0], data, **few)
        >>> row.likelihood_ratio.value, row.trained.value
        (1, 200)
    """
    classifiers = panel(learned, data)
    n_certify, repetitions = whole("n_certify", n_certify), whole("repetitions", repetitions)
    power = real("power", power, 0, 1, open_low=True, open_high=True)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    numbers = sorted({whole("sizes", points) for points in each("sizes", sizes, object)})
    whole("sizes: how many", len(numbers))
    task = classifiers.block_task
    for shift in each("shifts", shifts, str):
        shifted(task, shift)  # all of them can be measured
    left_out = faulty(classifiers)
    half = 1 - (1 - confidence) / 2
    options = _Options(labelled, repetitions, confidence)
    plain = errors(classifiers, n_certify, half)
    rows = []
    for shift in shifts:
        note(shift)
        under = errors(classifiers.under(shift), n_certify, half)
        lost = Estimate(under.value - plain.value, under.low - plain.high, under.high - plain.low)
        rows.append(
            Visibility(
                shift,
                of_sound(lost, left_out),
                needed_points(partial(_ideal_power, task, shift, options), power, numbers),
                needed_points(
                    partial(_trained_power, task, shift, options),
                    power,
                    [points for points in numbers if points >= LEARNABLE] or numbers,
                ),
            )
        )
    return RowList(rows, _columns, "accuracy lost, and points that reveal a shift")


def _columns(row: Visibility) -> dict[str, object]:
    """A shift as a row; of what classifiers lose, their mean and the ends of all intervals."""
    lost = {
        "lost": float(np.mean(row.lost.value)),
        "lost_least": float(np.min(row.lost.low)),
        "lost_most": float(np.max(row.lost.high)),
    }
    needed = {"likelihood_ratio": row.likelihood_ratio, "trained": row.trained}
    points = {
        f"{name}{end}": cell
        for name, points in needed.items()
        for end, cell in (("", points.value), ("_low", points.low), ("_high", points.high))
    }
    return {"shift": row.shift, **lost, **points}


class _Options(NamedTuple):
    labelled: bool
    repetitions: int
    confidence: float


def _ideal_power(task: BlockTask, shift: str, options: _Options, points: int) -> Estimate:
    labelled, repetitions, confidence = options
    return detect(
        task,
        shift,
        points=points,
        labelled=labelled,
        repetitions=10 * repetitions,
        confidence=confidence,
    ).power


def _trained_power(task: BlockTask, shift: str, options: _Options, points: int) -> Estimate:
    labelled, repetitions, confidence = options
    return classifier_test_power(
        task,
        shift,
        points=points,
        labelled=labelled,
        repetitions=repetitions,
        confidence=confidence,
    )
