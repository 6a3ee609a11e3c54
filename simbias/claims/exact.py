"""Exact binomial tests at a number of units fixed in advance.

A side of a claim is tested by its hits, the units that surely speak for it: were the side false, a
unit would be a hit with probability at most ``proportion``.
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped

from simbias.stats.binomial import above_median, lower_limit, tail


def binomial(
    hits: Bool[np.ndarray, "*draws units"], proportion: float
) -> Float[np.ndarray, "*draws units"]:
    """The p-value of hits against "a hit has probability at most ``proportion``", at every prefix.

    Each entry is the p-value of a test at that number of units, fixed in advance: stopping at the
    first small one is no test.

    Returns:
        p-values (*draws, units).
    """
    return tail(np.cumsum(hits, axis=-1), np.arange(1, hits.shape[-1] + 1), proportion)


def proportion_limit(hits: Shaped[np.ndarray, " units"], level: float) -> float:
    """Clopper and Pearson's lower limit of the probability of a hit, of error ``level``.

    References:
        C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial" (Biometrika 1934).
    """
    return float(lower_limit(hits.sum(), len(hits), level))


def median_limit(x: Float[np.ndarray, " units"], level: float, miscoverage: float = 0.0) -> float:
    """The upper limit of the median that inverts the sign test: an order statistic of the units.

    A unit above the median reads as below it where its interval misses, with probability
    ``miscoverage``.

    References:
        W. Dixon and A. Mood, "The statistical sign test" (JASA 1946).
    """
    place = above_median(len(x), level, 0.5 + miscoverage)
    return np.inf if place is None else float(np.sort(x)[place])


def discordant(x: Float[np.ndarray, "*draws units"]) -> Float[np.ndarray, "*draws units"]:
    """The p-value of differences -1, 0, 1 against "their mean is at least 0", at every prefix.

    Returns:
        p-values (*draws, units).

    Notes:
        A point is discordant where its difference is not 0; given how many points are, those at -1
        are binomial with a probability of at most 1/2.

    References:
        Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages" (Psychometrika 1947).
    """
    below, above = np.cumsum(x < 0, axis=-1), np.cumsum(x > 0, axis=-1)
    return tail(below, below + above, 0.5)


def difference_limit(x: Float[np.ndarray, " units"], level: float) -> float:
    """An upper limit of the mean of differences -1, 0, 1.

    The upper limit of the proportion at 1 less the lower limit of the proportion at -1, each of
    error ``level`` / 2.
    """
    return 1 - proportion_limit(x <= 0, level / 2) - proportion_limit(x < 0, level / 2)
