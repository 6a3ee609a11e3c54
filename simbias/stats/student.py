"""Intervals of means by Student's t: approximate, unless the values are normal.

Source: Student, "The probable error of a mean" (Biometrika 1908).
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from simbias._types import Elementwise


def half_width(error: ArrayLike, freedom: int, confidence: float) -> Elementwise:
    """Half of the two-sided interval of a mean, elementwise.

    Args:
        error: standard error; 0, where no spread is observed, gives NaN.
        freedom: degrees of freedom.
        confidence: in (0, 1).
    """
    width: Elementwise = stdtrit(freedom, (1 + confidence) / 2) * np.where(
        np.equal(error, 0), np.nan, error
    )
    return width


def half_width_of_mean(values: Float[np.ndarray, " units"], confidence: float) -> float:
    """The half-width for the mean of independent values; NaN for fewer than two, or equal ones."""
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return np.nan
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(half_width(error, len(values) - 1, confidence))
