"""From how many held-out points on a Clopper-Pearson limit tells a risk from another one.

The limit of the expected number of errors, as if it were seen, excludes a smaller risk, or
certifies a larger one: two searches over numbers of errors, for each of which the limit is monotone
in the number of points. How many points reveal a risk with some power is another question
(``stats/reveal.py``).
"""

import math

import numpy as np

from simbias._checks import real
from simbias._defaults import CONFIDENCE
from simbias._types import Elementwise, Holds
from simbias.stats.binomial import lower_limit, upper_limit
from simbias.stats.bisection import bracket

_MOST, _FEW, _HALVINGS = (
    10_000_000,
    64,
    60,
)  # points that are looked at; errors at once; of a bracket


def points_to_exclude(risk: float, error: float, *, confidence: float = CONFIDENCE) -> float:
    """The least m at which floor(m risk) errors in m points exclude a smaller error.

    The one-sided Clopper-Pearson lower limit of the risk then lies above ``error``.

    Args:
        risk: of the network, in [0, 1].
        error: to be excluded, in [0, 1).
        confidence: of the certificate.

    Returns:
        m; inf where the risk is no larger, or more than ten million points would be needed; NaN
        where the risk is.

    Examples:
        >>> from simbias.stats.held_out import points_to_exclude
        >>> points_to_exclude(0.05, 0.01), points_to_exclude(0.01, 0.05)
        (60.0, inf)
    """
    if np.isnan(risk):
        return np.nan
    if risk <= error:
        return np.inf
    # with k errors the limit falls as m grows, so the least m for each k is its first, ceil(k/r)
    errors, most = 1, _FEW
    while errors <= risk * _MOST:
        k = np.arange(errors, errors + most)
        m = np.ceil(k / risk - 1e-9)
        enough = lower_limit(k, m, 1 - confidence) > error
        if enough.any():
            return float(m[np.argmax(enough)])
        errors, most = errors + most, 2 * most
    return np.inf


def held_out_to_certify(risk: float, most: float, *, delta: float = 1 - CONFIDENCE) -> float:
    """The fewest held-out points at which a network of a risk is certified to err no more often.

    With the expected number of errors, rounded up, in so many points, the one-sided
    Clopper-Pearson upper limit is at most ``most``.

    Args:
        risk: of the network, in [0, 1].
        most: what is to be certified, in (0, 1).
        delta: probability with which the certificate may fail, in (0, 1).

    Returns:
        The number; inf where the risk is no smaller, or more than ten million are needed.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> from simbias.stats.held_out import held_out_to_certify
        >>> held_out_to_certify(0.0, 0.01), held_out_to_certify(0.05, 0.01)
        (299.0, inf)
    """
    risk = real("risk", risk, 0, 1)
    most = real("most", most, 0, 1, open_low=True, open_high=True)
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    if risk >= most:
        return math.inf
    first, chunk = 0, _FEW
    while risk * _MOST >= first:
        # with k errors the limit falls as points are added, up to where there is another error
        k = np.arange(first, first + chunk)
        last = np.floor(np.minimum(k / risk + 1e-9, _MOST)) if risk else _MOST
        enough = (last > k) & (upper_limit(k, np.maximum(last, k + 1), delta) <= most)
        if enough.any():
            errors = int(k[np.argmax(enough)])
            return float(np.ceil(_fewest(errors, most, delta)))
        first, chunk = first + chunk, 2 * chunk
    return math.inf


def _fewest(errors: int, most: float, delta: float) -> float:
    """The fewest points of which so many errors keep the upper limit at or below ``most``."""

    def within(points: Elementwise) -> Holds:
        return np.asarray(upper_limit(errors, np.ceil(points), delta) <= most)

    return float(bracket(within, errors + 1, _MOST, _HALVINGS)[1])
