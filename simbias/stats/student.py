"""Student's t: its tail and quantiles, and intervals of means.

Approximate, unless the values are normal.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from simbias._types import Elementwise


def lower_tail(statistic: ArrayLike, freedom: int) -> Elementwise:
    """P(T <= statistic) of Student's T, elementwise: the p-value of "the mean is below 0".

    Args:
        statistic: a mean in units of its standard error; NaN gives NaN.
        freedom: degrees of freedom.

    References:
        Student, "The probable error of a mean" (Biometrika 1908).

    Examples:
        >>> from simbias.stats.student import lower_tail
        >>> round(float(lower_tail(-2.0, 20)), 4)
        0.0296
    """
    tail: Elementwise = stdtr(freedom, statistic)
    return tail


def quantile(level: float, freedom: int) -> float:
    """The number that Student's T is below with probability ``level``.

    Args:
        level: in (0, 1).
        freedom: degrees of freedom.

    References:
        Student, "The probable error of a mean" (Biometrika 1908).

    Examples:
        >>> from simbias.stats.student import quantile
        >>> round(quantile(0.975, 20), 4)
        2.086
    """
    return float(stdtrit(freedom, level))


def half_width(error: ArrayLike, freedom: int, confidence: float) -> Elementwise:
    """Half of the two-sided interval of a mean, elementwise.

    Args:
        error: standard error; 0, where no spread is observed, gives NaN.
        freedom: degrees of freedom.
        confidence: in (0, 1).

    Notes:
        (value - mean)/error has Student's law with so many degrees of freedom where values are
        independent and normal; elsewhere the interval is approximate.

    References:
        Student, "The probable error of a mean" (Biometrika 1908).

    Examples:
        >>> from simbias.stats.student import half_width
        >>> half_width([0.1, 0.0], freedom=20, confidence=0.95).round(4)
        array([0.2086,    nan])
    """
    width: Elementwise = quantile((1 + confidence) / 2, freedom) * np.where(
        np.equal(error, 0), np.nan, error
    )
    return width


def half_width_of_mean(values: Float[np.ndarray, " units"], confidence: float) -> float:
    """The half-width for the mean of independent values; NaN for fewer than two, or equal ones.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.student import half_width_of_mean
        >>> round(half_width_of_mean(np.array([0.1, 0.2, 0.4]), 0.95), 4)
        0.3795
    """
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return np.nan
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(half_width(error, len(values) - 1, confidence))
