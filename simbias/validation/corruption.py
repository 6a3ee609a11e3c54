"""How much classifiers lose under benign shifts, in units of what the simple rule loses.

The mean corruption error of D. Hendrycks and T. Dietterich ("Benchmarking neural network robustness
to common corruptions and perturbations", ICLR 2019), with the task's simple rule as the reference,
whose errors are known exactly.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from simbias._checks import each, fail, real, whole
from simbias._defaults import CONFIDENCE, N_CERTIFY
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import panel
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.tasks.shifts import BENIGN, oracle_accuracy, read_shift
from simbias.validation.risk import errors
from simbias.validation.sound import faulty, of_sound

CORRUPTIONS = (
    "conflict=0.1", "conflict=0.25", "conflict=0.5", "margin", "move=0.2", "move=0.5",
    "even-slabs", "density=0.9",
)  # fmt: skip


class CorruptionReport(NamedTuple):
    """What classifiers lose under shifts that keep every label right, an entry for each.

    Attributes:
        seeds: of their data sets.
        risks: by shift, with intervals that hold for all shifts together.
        reference: the exact risk of the simple rule, by shift.
        score: the mean corruption error: 1 for the simple rule, 0 for the achievable rule.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> def simple(x):
        ...     return (x @ data.rotation.T)[:, 0]
        >>> report = simbias.validation.measure_corruption(simple, data, n_certify=10_000)
        >>> round(report.reference["margin"], 2), report.score.value.round(1)
        (0.5, array([1.]))
    """

    seeds: tuple[int, ...]
    risks: dict[str, Estimate]
    reference: Mapping[str, float]
    score: Estimate

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: classifiers, shifts."""
        return named_axes(self, {"risks": "seed shift", "score": "seed"}, seed=self.seeds)

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def measure_corruption(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    shifts: Sequence[str] = CORRUPTIONS,
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
) -> CorruptionReport:
    """Measure the risks of classifiers under benign shifts, and their mean corruption error.

    Shifts of one name are the severities of a corruption c. Its error is the classifier's risk over
    that of the simple rule, both summed over the severities, and the score is the mean of these
    over the corruptions under which the simple rule errs at all.

    Args:
        learned: what ``simbias.validate`` takes.
        data: from ``simbias.data``, for a classifier that does not know its training set.
        shifts: as for ``simbias.tasks.shifts.shifted``, benign ones.
        n_certify: fresh points for each classifier and shift.
        confidence: coverage of all intervals together, in (0, 1).

    Returns:
        Risks and score; NaN for a classifier with a fault.

    Raises:
        ValueError: an argument out of range, a shift that is not benign or that stands twice, or
            shifts under which the task's simple rule, or a task without one, never errs.

    Notes:
        The risk at each shift has the interval of Clopper and Pearson at its part of the error.
        The score increases with each risk, so its limits are its values at the limits.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> shifts = ("conflict=0.1", "conflict=0.5", "margin")
        >>> few = dict(shifts=shifts, n_certify=1000)
        >>> report = simbias.validation.measure_corruption(lambda x: x[:, 0], data, **few)
        >>> sorted(report.risks), report.score.value.shape
        (['conflict=0.1', 'conflict=0.5', 'margin'], (1,))
    """
    classifiers = panel(learned, data)
    n_certify = whole("n_certify", n_certify)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    named = {shift: read_shift(shift, among=BENIGN)[0] for shift in each("shifts", shifts, str)}
    if len(named) < len(shifts):
        raise fail("shifts", list(shifts), "each shift once")
    task = classifiers.block_task
    simple = {shift: oracle_accuracy(task, shift).simple for shift in named}
    reference = {shift: 1 - right for shift, right in simple.items() if right is not None}
    erring = {named[shift] for shift, risk in reference.items() if risk > 0}
    if not erring:
        raise fail(
            "shifts", f"{list(shifts)} on {task.name}", "some under which a simple rule errs"
        )
    left_out = faulty(classifiers)
    own = 1 - (1 - confidence) / len(named)
    risks = {
        shift: of_sound(errors(classifiers.under(shift), n_certify, own), left_out)
        for shift in named
    }

    def score(part: int) -> np.ndarray:
        ratios = []
        for corruption in sorted(erring):
            severities = [shift for shift, name in named.items() if name == corruption]
            total = sum(reference[shift] for shift in severities)
            ratios.append(np.sum([risks[shift][part] for shift in severities], axis=0) / total)
        mean: np.ndarray = np.mean(ratios, axis=0)
        return mean

    return CorruptionReport(
        classifiers.seeds, risks, reference, Estimate(score(0), score(1), score(2))
    )
