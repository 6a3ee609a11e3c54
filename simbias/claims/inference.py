"""Inference from units: p-values for and against a claim, an interval, numbers of units.

Where each unit's quantity surely lies is an interval; a unit *holds* where all of it satisfies the
predicate by the margin, *fails* where all of it violates the predicate by the margin, and is
ambiguous otherwise. Supporting a claim takes the worst reading of every unit, refuting it the best,
so what is ambiguous or missing counts against whichever is declared. All p-values rest on
independent units of one law. The intervals of the units, those of premises among them, may miss:
the probability of that is added to the proportion of hits, or the mean gain, that the other side
could have had, or, once a unit, to the p-value of a mean; the interval of a finding pays it as
well.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from simbias._checks import fail, whole
from simbias.claims.criterion import Criterion
from simbias.claims.procedures import Side, declared_tests
from simbias.stats.step_down import reaches

_MOST_UNITS = 10_000_000


@dataclass(frozen=True)
class Finding:
    """The estimate of a claim from its units, with its p-values.

    Attributes:
        estimate: of the proportion of units that satisfy the predicate, or of the mean or median:
            the middle of its worst and best reading (NaN where that is everything).
        low, high: its two-sided interval of confidence 1 - alpha, from the limit of the one reading
            to the limit of the other, misses of the units' own intervals included; approximate with
            tests that assume a law.
        p_supported: p-value against "the claim is false"; small: supported.
        p_refuted: p-value against "the claim is true"; small: refuted.
        holding, failing, ambiguous: numbers of units.

    Examples:
        >>> from dataclasses import replace
        >>> from importlib.resources import files
        >>> import simbias
        >>> from simbias.experiments import cell_of

        A built-in claim, asked of decision trees on a small task in place of networks:

        >>> task, tree = {"name": "noisy-lms-5", "dim": 4}, {"name": "decision-tree"}
        >>> kind = {"experiment": "estimators"}
        >>> trees = cell_of({**kind, "task": task, "estimator": tree, "n_train": 1000})
        >>> conclusions = files("simbias.claims") / "builtin" / "conclusion.toml"
        >>> claim = simbias.claims.load(conclusions)[-1]
        >>> claim = replace(claim, populations={"": trees}, n_certify=10_000)
        >>> finding = simbias.claims.check(claim).finding
        >>> finding.holding, finding.failing, finding.ambiguous
        (0, 4, 0)
        >>> finding.p_refuted < 0.01 < finding.p_supported
        True
    """

    estimate: float
    low: float
    high: float
    p_supported: float
    p_refuted: float
    holding: int
    failing: int
    ambiguous: int


def find(criterion: Criterion, low: ArrayLike, high: ArrayLike) -> Finding:
    """Judge units by a criterion.

    Args:
        criterion: predicate, quantifier and test.
        low, high: where each unit's quantity surely lies, (units,), in the order they came; of a
            missing unit, the whole range of the quantity.

    Raises:
        ValueError: no units, NaN, ends the wrong way round, or differences other than -1, 0 and 1
            for a test of paired answers.
    """
    least, most = _oriented(criterion, low, high)
    if least.ndim != 1:
        raise fail("low", f"shape {least.shape}", "shape (units,)")
    procedure, units = criterion.procedure, len(least)
    worst, best = _sides(criterion, least, most)
    holding, failing = int(worst.hits.sum()), int(best.hits.sum())
    half, limit = criterion.alpha / 2, procedure.limit
    if criterion.quantifier == "probability":
        estimate = (holding + units - failing) / (2 * units)
        start, stop = (
            limit(worst.gains, half, criterion.miscoverage),
            1 - limit(best.gains, half, criterion.miscoverage),
        )
    else:
        centre = np.mean if criterion.quantifier == "mean" else np.median
        with np.errstate(invalid="ignore"):
            estimate = float(centre(least) + centre(most)) / 2
        if procedure.ranged:
            bottom, top = _range(criterion)
            start = bottom + (top - bottom) * limit(best.gains, half, criterion.miscoverage)
            stop = top - (top - bottom) * limit(worst.gains, half, criterion.miscoverage)
        else:
            start, stop = (
                -limit(-least, half, criterion.miscoverage),
                limit(most, half, criterion.miscoverage),
            )
        if criterion.op == ">=":
            estimate, start, stop = -estimate, -stop, -start
    return Finding(
        estimate=estimate,
        low=start,
        high=stop,
        p_supported=float(_p_value(criterion, worst)),
        p_refuted=float(_p_value(criterion, best)),
        holding=holding,
        failing=failing,
        ambiguous=units - holding - failing,
    )


def outcomes(criterion: Criterion, low: ArrayLike, high: ArrayLike) -> list[str]:
    """Whether each unit "holds", "fails" or is "ambiguous"; raises ValueError as ``find``."""
    worst, best = _sides(criterion, *_oriented(criterion, low, high))
    labels: list[str] = np.where(
        worst.hits, "holds", np.where(best.hits, "fails", "ambiguous")
    ).tolist()
    return labels


def p_values(
    criterion: Criterion, low: ArrayLike, high: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``p_supported`` and ``p_refuted`` of many draws of units at once.

    Args:
        criterion: predicate, quantifier and test.
        low, high: as for ``find``, (*draws, units).

    Returns:
        Two arrays (*draws,).

    Raises:
        ValueError: as ``find``.
    """
    worst, best = _sides(criterion, *_oriented(criterion, low, high))
    return _p_value(criterion, worst), _p_value(criterion, best)


def p_values_along(
    criterion: Criterion, low: ArrayLike, high: ArrayLike
) -> tuple[Float[np.ndarray, "*draws units"], Float[np.ndarray, "*draws units"]]:
    """``p_values`` at every number of units, (*draws, units), of a test that counts units.

    Raises:
        ValueError: as ``find``, or a test that does not count units.
    """
    procedure = criterion.procedure
    if procedure.along is None:
        raise fail(
            "test",
            criterion.test,
            " or ".join(name for name, test in declared_tests().items() if test.along),
        )
    worst, best = _sides(criterion, *_oriented(criterion, low, high))
    return procedure.along(worst), procedure.along(best)


def is_decided(criterion: Criterion, finding: Finding, tests_in_family: int = 1) -> bool:
    """Whether a verdict is sure to stand in a family of so many claims: Bonferroni's level."""
    level = criterion.alpha / whole("tests_in_family", tests_in_family)
    return reaches(min(finding.p_supported, finding.p_refuted), level)


def fewest(criterion: Criterion, *, tests_in_family: int = 1) -> int:
    """The least number of units with which both verdicts can be reached, all of them clear.

    Args:
        criterion: predicate, quantifier and test.
        tests_in_family: claims of the family.

    Raises:
        ValueError: no number of units gives such small p-values.
    """
    level = criterion.alpha / whole("tests_in_family", tests_in_family)
    proportion = max(_proportions(criterion)) + criterion.miscoverage
    smallest = criterion.procedure.smallest

    def enough(units: int) -> bool:
        return reaches(smallest(units, proportion) + _charge(criterion, units), level)

    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST_UNITS:
            raise fail(
                "alpha", criterion.alpha, f"more than {criterion.test!r} can reach in such a family"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def more(
    criterion: Criterion,
    low: ArrayLike,
    high: ArrayLike,
    *,
    tests_in_family: int = 1,
    most: int = 100_000,
) -> int | None:
    """How many more units would decide, were they like those so far, in the same order.

    For a mean by the normal law, that is roughly; otherwise exactly.

    Args:
        criterion: predicate, quantifier and test.
        low, high: as for ``find``.
        tests_in_family: claims of the family.
        most: more than this count as never.

    Returns:
        0 where it is decided; None where it never would be.

    Raises:
        ValueError: as ``find``.
    """
    whole("most", most)
    if is_decided(criterion, find(criterion, low, high), tests_in_family):
        return 0
    level = criterion.alpha / tests_in_family
    sides = _sides(criterion, *_oriented(criterion, low, high))
    if criterion.procedure.along is None:
        least = fewest(criterion, tests_in_family=tests_in_family)
        counts = [_more_by_normal_law(criterion, side.excess, level, least) for side in sides]
    else:
        counts = [_more_by_repeating(criterion, side, level, most) for side in sides]
    return min((count for count in counts if count is not None and count <= most), default=None)


def _more_by_repeating(criterion: Criterion, side: Side, level: float, most: int) -> int | None:
    along, units = criterion.procedure.along, side.hits.shape[-1]
    assert along is not None
    excess, hits, gains = (np.resize(part, units + most) for part in side[:3])
    p = along(Side(excess, hits, gains, side.proportion))[units:]
    return int(np.argmax(reaches(p, level))) + 1 if reaches(p.min(), level) else None


def _more_by_normal_law(
    criterion: Criterion, excess: Float[np.ndarray, " units"], level: float, least: int
) -> int | None:
    centre = excess.mean() if np.isfinite(excess).all() else np.inf
    if centre >= 0 or (criterion.procedure.needs_spread and np.ptp(excess) == 0):
        return None
    enough: int = math.ceil((ndtri(level) * excess.std() / centre) ** 2)
    return max(max(least, enough) - len(excess), 1)


def _p_value(criterion: Criterion, side: Side) -> NDArray[np.float64]:
    p = criterion.procedure.p_value(side) + _charge(criterion, side.hits.shape[-1])
    return np.minimum(p, 1.0)


def _charge(criterion: Criterion, units: int) -> float:
    """The probability that any unit's interval misses, by which a mean's p-value is raised."""
    return units * criterion.miscoverage if criterion.charged else 0.0


def _edges(criterion: Criterion) -> tuple[float, float]:
    """The ends of where the claim surely holds and surely fails, as of an "at most" claim."""
    value = criterion.value if criterion.op == "<=" else -criterion.value
    return value - criterion.margin, value + criterion.margin


def _range(criterion: Criterion) -> tuple[float, float]:
    """The range of the quantity, reflected where the claim is "at least"."""
    return (
        (criterion.low, criterion.high)
        if criterion.op == "<="
        else (-criterion.high, -criterion.low)
    )


def _proportions(criterion: Criterion) -> tuple[float, float]:
    """The largest mean gain for the claim, were it false, and against it, were it true."""
    if criterion.at_least is not None:
        return criterion.at_least, 1 - criterion.at_least
    if not criterion.procedure.ranged:
        return 0.5, 0.5
    (below, above), (bottom, top) = _edges(criterion), _range(criterion)
    return (top - below) / (top - bottom), (above - bottom) / (top - bottom)


def _oriented(
    criterion: Criterion, low: ArrayLike, high: ArrayLike
) -> tuple[Float[np.ndarray, "*draws units"], Float[np.ndarray, "*draws units"]]:
    """The units' intervals, checked, and reflected where the claim is "at least"."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if low.shape != high.shape or low.ndim == 0 or not low.shape[-1]:
        raise fail(
            "low, high", f"shapes {low.shape} and {high.shape}", "one entry for each unit, not none"
        )
    if np.isnan(low).any() or np.isnan(high).any():
        raise fail("low, high", "NaN", "numbers; of a missing unit, its quantity's whole range")
    if (low > high).any():
        ends = tuple(float(part[low > high][0]) for part in (low, high))
        raise fail("low, high", ends, "low <= high")
    if criterion.procedure.ranged and ((low < criterion.low) | (high > criterion.high)).any():
        raise fail(
            "low, high", (low.min(), high.max()), f"within [{criterion.low:g}, {criterion.high:g}]"
        )
    if criterion.procedure.paired and not np.isin([low, high], (-1, 0, 1)).all():
        raise fail("low, high", "other differences", f"-1, 0 and 1 with {criterion.test!r}")
    return (low, high) if criterion.op == "<=" else (-high, -low)


def _sides(
    criterion: Criterion,
    low: Float[np.ndarray, "*draws units"],
    high: Float[np.ndarray, "*draws units"],
) -> tuple[Side, Side]:
    """The sides for and against the claim, of oriented units."""
    below, above = _edges(criterion)
    failing = low >= above if criterion.margin else low > above
    holding = high <= below
    gains: tuple[np.ndarray, np.ndarray] = (holding, failing)
    if criterion.procedure.ranged:
        bottom, top = _range(criterion)
        gains = ((top - high) / (top - bottom), (low - bottom) / (top - bottom))
    for_claim, against = (
        proportion + criterion.miscoverage for proportion in _proportions(criterion)
    )
    return Side(high - below, holding, gains[0], for_claim), Side(
        above - low, failing, gains[1], against
    )
