"""The tests, as data: their quantifiers, sources and functions.

A test sees the two sides of a claim, for it and against it, one at a time. What the units of a
side have to be like is in ``exact``, ``sequential``, ``betting`` and ``means``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypedDict

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from simbias.claims import betting as bets
from simbias.claims import exact, means, sequential
from simbias.registry import TESTS


class Side(NamedTuple):
    """What speaks for one side of a claim.

    Attributes:
        excess: by how much the worst reading of each unit lies beyond the edge, (*draws, units).
        hits: units that surely speak for it.
        gains: how far the worst reading of each lies from the end of the range that speaks most
            against it, in [0, 1], where there is a range; otherwise the hits.
        proportion: were the side false, this would be the most that the mean gain can be expected
            to be.

    Examples:
        >>> import numpy as np
        >>> from simbias.claims import Side, declared_tests
        >>> hits = np.array([True, True, True, True, False])
        >>> side = Side(np.where(hits, -0.1, 0.1), hits, hits, proportion=0.5)
        >>> float(declared_tests()["clopper-pearson"].p_value(side))  # 6/32: four of five, or five
        0.1875
    """

    excess: Float[np.ndarray, "*draws units"]
    hits: Bool[np.ndarray, "*draws units"]
    gains: Shaped[np.ndarray, "*draws units"]
    proportion: float


@dataclass(frozen=True)
class Procedure:
    """A test, as data.

    Attributes:
        quantifiers: what it answers.
        sequential: whether it may be looked at after every unit.
        summary: in one line.
        source: where it is from.
        p_value: the p-value against "the side is false", (*draws,).
        along: the same at every number of units, (*draws, units); None where that is not offered.
        smallest: the p-value of so many units that all speak clearly for a side of this proportion.
        limit: of a given error, where a unit's interval misses with a given probability: from
            gains, a lower limit of what their mean would be without misses (of "probability", and
            where ``ranged``); from values, an upper limit of their mean or median.
        ranged: whether it needs the ends of the quantity's range.
        assumes: of the law of the units, besides that they are independent; empty: nothing.
        paired: whether its units are points that two classifiers label, of which it takes the
            differences -1, 0 and 1, to be held against 0.
        needs_spread: whether it never decides on units that are all the same, however many.

    Examples:
        One of the proportion of units that never decides:

        >>> import numpy as np
        >>> from simbias.claims import Procedure
        >>> silent = Procedure(
        ...     quantifiers=("probability",),
        ...     sequential=False,
        ...     summary="a p-value of 1, whatever the units are",
        ...     source="none",
        ...     p_value=lambda side: np.ones(side.hits.shape[:-1]),
        ...     along=None,
        ...     smallest=lambda units, proportion: 1.0,
        ...     limit=lambda gains, level, miscoverage: 0.0,
        ... )
        >>> silent.smallest(100, 0.5)
        1.0
    """

    quantifiers: tuple[str, ...]
    sequential: bool
    summary: str
    source: str
    p_value: Callable[[Side], NDArray[np.float64]]
    along: Callable[[Side], Float[np.ndarray, "*draws units"]] | None
    smallest: Callable[[int, float], float]
    limit: Callable[[np.ndarray, float, float], float]
    ranged: bool = False
    assumes: str = ""
    paired: bool = False
    needs_spread: bool = False


class _Counting(TypedDict):
    p_value: Callable[[Side], NDArray[np.float64]]
    along: Callable[[Side], Float[np.ndarray, "*draws units"]]


def _counting(along: Callable[[Side], Float[np.ndarray, "*draws units"]]) -> _Counting:
    return {"p_value": lambda side: along(side)[..., -1], "along": along}


def _lower_limit(limit: Callable[[np.ndarray, float], float]) -> Callable[..., float]:
    """A lower limit of a mean gain, lowered by what misses may have added to the mean."""
    return lambda gains, level, miscoverage: max(limit(gains, level) - miscoverage, 0.0)


def _upper_limit(limit: Callable[[np.ndarray, float], float]) -> Callable[..., float]:
    """An upper limit of a mean, whose error is lowered by the miscoverage of every unit."""
    return lambda x, level, miscoverage: limit(x, max(level - len(x) * miscoverage, 0.0))


clopper_pearson = Procedure(
    quantifiers=("probability",),
    sequential=False,
    summary="exact binomial test of the proportion of units, at a number of units fixed before",
    source="Clopper and Pearson, Biometrika 1934",
    **_counting(lambda side: exact.binomial(side.hits, side.proportion)),
    smallest=lambda units, proportion: proportion**units,
    limit=_lower_limit(exact.proportion_limit),
)
beta_binomial = Procedure(
    quantifiers=("probability",),
    sequential=True,
    summary="e-process of the proportion of units: may stop as soon as it decides",
    source="Robbins, Annals of Mathematical Statistics 1970; Howard et al., Annals of "
    "Statistics 2021",
    **_counting(lambda side: sequential.running(side.hits, side.proportion)),
    smallest=lambda units, proportion: float(np.exp(-sequential.log_e(units, units, proportion))),
    limit=_lower_limit(sequential.anytime_limit),
)
sign = Procedure(
    quantifiers=("median",),
    sequential=False,
    summary="exact binomial test of the median, of any law",
    source="Dixon and Mood, JASA 1946",
    **_counting(lambda side: exact.binomial(side.hits, side.proportion)),
    smallest=lambda units, proportion: proportion**units,
    limit=exact.median_limit,
)
betting = Procedure(
    quantifiers=("mean",),
    sequential=True,
    summary="exact test of the mean of what is bounded, of any law: may stop as soon as it decides",
    source="Waudby-Smith and Ramdas, JRSS B 2024",
    **_counting(lambda side: bets.running(side.gains, side.proportion)),
    smallest=bets.smallest,
    limit=_lower_limit(bets.anytime_limit),
    ranged=True,
)
permutation = Procedure(
    quantifiers=("mean",),
    sequential=False,
    summary="exact test of the mean by sign flips, of units whose law is symmetric",
    source="Fisher 1935; Hartigan, JASA 1969; Hemerik and Goeman, TEST 2018",
    p_value=lambda side: means.flips(side.excess),
    along=None,
    smallest=lambda units, proportion: 0.5 ** min(units, means.GENERATORS),
    limit=_upper_limit(means.flips_limit),
    assumes="a symmetric law",
)
bootstrap = Procedure(
    quantifiers=("mean",),
    sequential=False,
    summary="studentised bootstrap of the mean with a worst unit put in, of 20 units or more, "
    "moderately skewed at most",
    source="Hall, Annals of Statistics 1988",
    p_value=lambda side: means.bootstrap(side.excess),
    along=None,
    smallest=lambda units, proportion: means.least_p(units),
    limit=_upper_limit(means.bootstrap_limit),
    assumes="a law that is moderately skewed at most, without rare large values",
    needs_spread=True,
)
mcnemar = Procedure(
    quantifiers=("mean",),
    sequential=False,
    summary="exact test of which of two networks errs more often, on the same points",
    source="McNemar, Psychometrika 1947",
    **_counting(lambda side: exact.discordant(side.excess)),
    smallest=lambda units, proportion: 0.5**units,
    limit=_upper_limit(exact.difference_limit),
    paired=True,
)


@cache
def declared_tests() -> dict[str, Procedure]:
    """Every test by name; an installed one that is at fault is left out, with a warning.

    Examples:
        >>> from simbias.claims import declared_tests
        >>> test = declared_tests()["clopper-pearson"]
        >>> test.quantifiers, test.smallest(5, 0.5)  # of five units, were one half the proportion
        (('probability',), 0.03125)
    """
    return TESTS.loaded(Procedure)
