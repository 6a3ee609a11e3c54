"""How visible a shift is: the power of the most powerful test between a task and its shift.

Both densities are known, so the likelihood ratio of m points is too, and no test of its size
detects the shift more often (Neyman and Pearson, 1933).
"""

from typing import NamedTuple

import numpy as np

from simbias._checks import fail, real, whole
from simbias._defaults import CONFIDENCE
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask
from simbias.tasks.densities import check_densities, draw_unrotated, log_density
from simbias.tasks.shifts import shifted

_ROWS = 100_000  # that are drawn at once


class Detection(NamedTuple):
    """How often the test detects the shift, and how often it would without one.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.detection import detect
        >>> found = detect(simbias.tasks.get("lms-5", dim=4), "margin", points=1)
        >>> found.power.value, bool(found.size.low <= 0.05 <= found.size.high)
        (array([1.]), True)
    """

    power: Estimate
    size: Estimate


def detect(
    task: BlockTask,
    shift: str,
    *,
    points: int,
    level: float = 0.05,
    labelled: bool = False,
    repetitions: int = 1999,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Detection:
    """The power of the likelihood-ratio test between a task and its shift, by simulation.

    The test rejects where the statistic exceeds the k-th largest of as many sets of the task's own
    points, k = level (repetitions + 1), equal ones in random order: its size is the level, averaged
    over those sets. Power and size are then counted on sets of their own.

    Args:
        task: what points are drawn from without the shift.
        shift: see ``simbias.tasks.shifts.shifted``.
        points: of each set, m; they are seen unrotated.
        level: size of the test, in (0, 1).
        labelled: whether the test sees labels too.
        repetitions: sets of each kind.
        seed: of the draws, an integer >= 0.
        confidence: coverage of the intervals, exact given the critical value, in (0, 1).

    Returns:
        Power and size, each an ``Estimate`` of one entry.

    Raises:
        ValueError: an argument out of range, a task of atoms, or a shift that it does not have.

    References:
        J. Neyman, E. Pearson, "On the problem of the most efficient tests of statistical
        hypotheses", Philosophical Transactions A 1933.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.detection import detect
        >>> task = simbias.tasks.get("lms-5", dim=2)
        >>> found = detect(task, "conflict=0.1", points=10)

        One point in conflict is enough, else the test rejects at random:

        >>> exact = 1 - 0.9**10 * 0.95
        >>> bool(found.power.low <= exact <= found.power.high)
        True
    """
    other = shifted(task, shift)
    check_densities(task)
    level = real("level", level, 0, 1, open_low=True, open_high=True)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    points, repetitions = whole("points", points), whole("repetitions", repetitions)
    place = int(np.floor(level * (repetitions + 1) + 1e-9))
    if place < 1:
        raise fail("repetitions", repetitions, f"at least 1 / level - 1, {1 / level - 1:g}")
    generator = np.random.default_rng(whole("seed", seed, least=0))

    def sets(source: BlockTask) -> list[tuple[float, float]]:
        """The statistic of each set, with a uniform that breaks ties."""
        statistics: list[float] = []
        while len(statistics) < repetitions:
            count = min(repetitions - len(statistics), max(1, _ROWS // points))
            x, y = draw_unrotated(source, generator, count * points)
            given = y if labelled else None
            ratio = log_density(other, x, given) - log_density(task, x, given)
            statistics += ratio.reshape(count, points).sum(axis=1).round(9).tolist()
        return list(zip(statistics, generator.random(repetitions).tolist(), strict=True))

    critical = sorted(sets(task), reverse=True)[place - 1]
    rejected = [sum(pair > critical for pair in sets(source)) for source in (other, task)]
    return Detection(
        *(
            clopper_pearson(np.array([count]), np.array([repetitions]), confidence)
            for count in rejected
        )
    )
