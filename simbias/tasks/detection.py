"""How visible a shift is: the power of the most powerful test between a task and its shift.

Both densities are known, so the likelihood ratio of m points is too, and no test of its size
detects the shift more often (Neyman and Pearson, 1933).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.special import logsumexp

from simbias._checks import fail, real, whole
from simbias._defaults import CONFIDENCE
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask
from simbias.tasks.blocks import Piece
from simbias.tasks.shifts import shifted

_ROWS = 100_000  # that are drawn at once
_ROUNDING = 1e-12  # by which a draw may lie beyond the end of its interval


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
    if any(piece.low == piece.high for block in task.blocks for law in block.laws for piece in law):
        raise fail("task", task.name, "a task whose coordinates have densities")
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
            x, y = _draw(source, generator, count * points)
            given = y if labelled else None
            ratio = _log_density(other, x, given) - _log_density(task, x, given)
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


def _draw(
    task: BlockTask, generator: np.random.Generator, rows: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unrotated points in float64; normal coordinates, which no shift changes, stay 0."""
    y, x = generator.integers(2, size=rows), np.zeros((rows, task.dim))
    for j, block in enumerate(task.blocks):
        for label, law in enumerate(block.laws):
            members = np.flatnonzero(y == label)
            if not law or not len(members):
                continue
            low, high, mass = np.array(law).T
            chosen = generator.choice(len(law), size=len(members), p=mass / mass.sum())
            length = (high - low)[chosen]
            x[members, j] = low[chosen] + generator.random(len(members)) * length
    return x, y


def _log_density(
    task: BlockTask, x: Float[np.ndarray, "rows dim"], y: Int[np.ndarray, " rows"] | None
) -> NDArray[np.float64]:
    """The log-density of points and labels, or of points alone; -inf outside the support."""
    given = np.full((2, len(x)), -np.log(2.0))
    for j, block in enumerate(task.blocks):
        for label, law in enumerate(block.laws):
            if law:
                with np.errstate(divide="ignore"):
                    given[label] += np.log(_density(law, x[:, j]))
    together: NDArray[np.float64] = (
        logsumexp(given, axis=0) if y is None else given[y, np.arange(len(x))]
    )
    return together


def _density(law: tuple[Piece, ...], x: Float[np.ndarray, " rows"]) -> NDArray[np.float64]:
    low, high, mass = np.array(law).T
    value = x[:, None]
    inside = (value >= low - _ROUNDING) & (value <= high + _ROUNDING)
    total: NDArray[np.float64] = (inside * (mass / (high - low))).sum(axis=1)
    return total
