"""Where a straight line through points crosses a height, with confidence limits."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias.stats.student import quantile


class Crossing(NamedTuple):
    """Where a falling line crosses a height.

    Attributes:
        place: the x of the crossing; inf where the line does not surely fall.
        low, high: its confidence limits; NaN where the line does not surely fall.

    Examples:
        >>> from simbias.stats.crossing import Crossing
        >>> Crossing(4.0, 3.5, 4.9).place
        4.0
    """

    place: float
    low: float
    high: float


NEVER = Crossing(math.inf, math.nan, math.nan)


def falling_crossing(
    x: Float[np.ndarray, " points"],
    y: Float[np.ndarray, " points"],
    height: float,
    confidence: float,
) -> Crossing:
    """Where the least-squares line through points crosses a height on its way down.

    Args:
        x, y: at least three points, of at least two different x.
        height: to be crossed.
        confidence: of the limits, in (0, 1).

    Notes:
        Fieller's limits [1] are the x at which the line does not differ from the height by
        Student's t: exact where y is a line and independent normal noise of one spread. They are an
        interval where the slope is surely not 0, by the same test; elsewhere nothing is said.

    References:
        [1] E. Fieller, "Some problems in interval estimation" (JRSS B 1954).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.crossing import falling_crossing
        >>> x = np.array([1.0, 2.0, 3.0, 4.0])
        >>> float(falling_crossing(x, 10 - 2 * x, height=0.0, confidence=0.95).place)
        5.0
    """
    deviations, mean = x - x.mean(), y.mean() - height
    spread = float(deviations @ deviations)
    slope = float(deviations @ y) / spread
    residuals = y - y.mean() - slope * deviations
    freedom = len(x) - 2
    variance = float(residuals @ residuals) / freedom * quantile((1 + confidence) / 2, freedom) ** 2
    # (mean + slope u)^2 <= variance (1/n + u^2/spread), u from the middle of x
    curvature = slope**2 - variance / spread
    if slope >= 0 or curvature <= 0:
        return NEVER
    half = math.sqrt(variance * (mean**2 / spread + curvature / len(x)))
    place = float(x.mean() - mean / slope)
    ends = [float(x.mean()) + (-slope * mean + sign * half) / curvature for sign in (-1, 1)]
    return Crossing(place, *ends)
