"""The tests, as data: what each answers, where it is from, and its functions.

A test sees the two sides of a claim, for it and against it, one at a time. What the units of a
side have to be like is in ``exact``, ``sequential`` and ``means``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from simbias.claims import exact, means, sequential


class Side(NamedTuple):
    """What speaks for one side of a claim.

    Attributes:
        excess: by how much the worst reading of each unit lies beyond the edge, (*draws, units).
        hits: units that surely speak for it.
        share: were the side false, a unit would be a hit with probability at most this.
    """

    excess: Float[np.ndarray, "*draws units"]
    hits: Bool[np.ndarray, "*draws units"]
    share: float


@dataclass(frozen=True)
class Procedure:
    """A test, as data.

    Attributes:
        quantifiers: what it answers.
        sequential: whether it may be looked at after every unit.
        summary: in one line.
        source: where it is from.
        evidence: the p-value against "the side is false", (*draws,).
        along: the same at every number of units, (*draws, units); None where that is not offered.
        smallest: the p-value of so many units that all speak clearly for a side of this share.
        limit: from hits, a lower limit of their share (of "probability"); from values, an upper
            limit of their mean or median; of a given error.
    """

    quantifiers: tuple[str, ...]
    sequential: bool
    summary: str
    source: str
    evidence: Callable[[Side], NDArray[np.float64]]
    along: Callable[[Side], NDArray[np.float64]] | None
    smallest: Callable[[int, float], float]
    limit: Callable[[np.ndarray, float], float]


def _counting(along: Callable[[Side], NDArray[np.float64]]) -> dict[str, Callable[..., NDArray]]:
    return {"evidence": lambda side: along(side)[..., -1], "along": along}


TESTS: dict[str, Procedure] = {
    "clopper-pearson": Procedure(
        quantifiers=("probability",),
        sequential=False,
        summary="exact binomial test of the share of units, at a number of units fixed before",
        source="Clopper and Pearson, Biometrika 1934",
        **_counting(lambda side: exact.binomial(side.hits, side.share)),
        smallest=lambda units, share: share**units,
        limit=exact.share_limit,
    ),
    "beta-binomial": Procedure(
        quantifiers=("probability",),
        sequential=True,
        summary="e-process of the share of units: may stop as soon as it decides",
        source="Robbins, Annals of Mathematical Statistics 1970; Howard et al., Annals of "
        "Statistics 2021",
        **_counting(lambda side: sequential.running(side.hits, side.share)),
        smallest=lambda units, share: float(np.exp(-sequential.log_e(units, units, share))),
        limit=sequential.anytime_limit,
    ),
    "sign": Procedure(
        quantifiers=("median",),
        sequential=False,
        summary="exact binomial test of the median, of any law",
        source="Dixon and Mood, JASA 1946",
        **_counting(lambda side: exact.binomial(side.hits, side.share)),
        smallest=lambda units, share: share**units,
        limit=exact.median_limit,
    ),
    "permutation": Procedure(
        quantifiers=("mean",),
        sequential=False,
        summary="exact test of the mean by sign flips, of units whose law is symmetric",
        source="Fisher 1935; Hartigan, JASA 1969; Hemerik and Goeman, TEST 2018",
        evidence=lambda side: means.flips(side.excess),
        along=None,
        smallest=lambda units, share: 0.5 ** min(units, means.GENERATORS),
        limit=means.flips_limit,
    ),
    "bootstrap": Procedure(
        quantifiers=("mean",),
        sequential=False,
        summary="studentised bootstrap of the mean with a worst unit put in, of 20 units or more, "
        "moderately skewed at most",
        source="Hall, Annals of Statistics 1988",
        evidence=lambda side: means.bootstrap(side.excess),
        along=None,
        smallest=lambda units, share: means.least_p(units),
        limit=means.bootstrap_limit,
    ),
    "mcnemar": Procedure(
        quantifiers=("mean",),
        sequential=False,
        summary="exact test of which of two networks errs more often, on the same points",
        source="McNemar, Psychometrika 1947",
        **_counting(lambda side: exact.discordant(side.excess)),
        smallest=lambda units, share: 0.5**units,
        limit=exact.difference_limit,
    ),
}
