"""The binomial law: its tail, exact limits of a probability, and limits of a median."""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincinv

from simbias.stats.estimate import Estimate


def tail(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Float[np.ndarray, "..."]:
    """P(B >= k) of B binomial (n, p), elementwise.

    Examples:
        >>> from simbias.stats.binomial import tail
        >>> tail([0, 1, 2], 2, 0.5)
        array([1.  , 0.75, 0.25])
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    positive = np.maximum(k, 1)
    return np.where(k <= 0, 1.0, betainc(positive, np.maximum(n, positive) - positive + 1, p))


def lower_limit(k: ArrayLike, n: ArrayLike, level: float) -> Float[np.ndarray, "..."]:
    """The p at which k or more successes in n have probability ``level``; 0 where k is 0.

    It exceeds the true probability of a success with probability at most ``level``.

    References:
        C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial" (Biometrika 1934).

    Examples:
        >>> from simbias.stats.binomial import lower_limit
        >>> lower_limit([0, 20], 20, 0.05).round(4)
        array([0.    , 0.8609])
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    return np.where(k == 0, 0.0, betaincinv(np.where(k == 0, 1, k), n - k + 1, level))


def upper_limit(k: ArrayLike, n: ArrayLike, level: float) -> Float[np.ndarray, "..."]:
    """The p at which k or fewer successes in n have probability ``level``; 1 where k is n.

    It lies below the true probability of a success with probability at most ``level``.

    References:
        C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial" (Biometrika 1934).

    Examples:
        >>> from simbias.stats.binomial import upper_limit
        >>> upper_limit([0, 20], 20, 0.05).round(4)
        array([0.1391, 1.    ])
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    return np.where(k == n, 1.0, betaincinv(k + 1, np.where(k == n, 1, n - k), 1 - level))


def clopper_pearson(
    successes: Int[np.ndarray, " *shape"], trials: Int[np.ndarray, " *shape"], confidence: float
) -> Estimate:
    """A proportion with its exact interval.

    Args:
        successes: counts.
        trials: counts; 0 gives NaN.
        confidence: least probability that the two-sided interval covers, in (0, 1).

    Notes:
        Each limit is the probability of a success at which the tail beyond the count is
        (1 - confidence)/2.

    References:
        C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial" (Biometrika 1934).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.binomial import clopper_pearson
        >>> value, low, high = clopper_pearson(np.array([5, 0]), np.array([100, 0]), 0.95)
        >>> value, low.round(4), high.round(4)
        (array([0.05,  nan]), array([0.0164,    nan]), array([0.1128,    nan]))
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    level = (1 - confidence) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = (k / n, lower_limit(k, n, level), upper_limit(k, n, level))
    return Estimate(*(np.where(n == 0, np.nan, part) for part in parts))


def paired_difference(
    first: Int[np.ndarray, " *shape"],
    second: Int[np.ndarray, " *shape"],
    trials: Int[np.ndarray, " *shape"],
    confidence: float,
) -> Estimate:
    """One proportion less another of the same trials, with an interval from two exact ones.

    Args:
        first, second: how often only the one happens, and only the other.
        trials: counts; 0 gives NaN.
        confidence: least probability that the two-sided interval covers, in (0, 1).

    Notes:
        Trials in which only one happens are a proportion s of all, and it is the first in a
        proportion t of those: the difference is s (2t - 1). Each of s and t has its Clopper-Pearson
        interval at half the error, so the hull covers.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.binomial import paired_difference
        >>> estimate = paired_difference(np.array([30]), np.array([10]), np.array([100]), 0.95)
        >>> print(estimate.value, estimate.low.round(3), estimate.high.round(3))
        [0.2] [0.038] [0.399]
    """
    discordant, coverage = first + second, 1 - (1 - confidence) / 2
    proportion = clopper_pearson(discordant, trials, coverage)
    side = clopper_pearson(first, discordant, coverage)
    # without any such trial t may be anything
    low, high = np.nan_to_num(side.low, nan=0.0), np.nan_to_num(side.high, nan=1.0)
    ends = [s * (2 * t - 1) for s in (proportion.low, proportion.high) for t in (low, high)]
    value = (first - second) / np.where(np.asarray(trials) > 0, trials, np.nan)
    return Estimate(value, np.minimum.reduce(ends), np.maximum.reduce(ends))


def above_median(n: int, level: float, proportion: float = 0.5) -> int | None:
    """The least order statistic that lies below the median with probability at most ``level``.

    Args:
        n: values.
        level: probability.
        proportion: probability that a value is observed below the median, above 1/2 where values
            may be misclassified.

    Returns:
        Its index from 0; None where even the largest lies below with a higher probability.

    Notes:
        It inverts the sign test: the j-th smallest of n independent values lies below the median
        where j or more of them do.

    References:
        W. Dixon and A. Mood, "The statistical sign test" (JASA 1946).

    Examples:
        Of five values the largest lies below the median with probability 1/32:

        >>> from simbias.stats.binomial import above_median
        >>> above_median(5, 0.05), above_median(4, 0.05)
        (4, None)
    """
    enough = np.flatnonzero(tail(np.arange(1, n + 1), n, proportion) <= level)
    return int(enough[0]) if len(enough) else None
