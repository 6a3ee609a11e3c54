"""How many held-out points reveal a failure: exact sizes of a binomial test, noisy labels too.

The test of "the risk is at most r0" rejects at c errors or more in m points, c the least number
with P(B >= c) <= alpha for B binomial (m, r0). Its power at a risk r1, P(B >= c) for B binomial
(m, r1), is a saw in m: it falls wherever c moves by one.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import rel_entr

from simbias._checks import fail, real
from simbias._types import Elementwise, Holds
from simbias.stats.binomial import tail
from simbias.stats.bisection import bracket

Sizes = Int[np.ndarray, " sizes"]  # of tests: numbers of held-out points

_MOST = 1_000_000  # points that are looked at
_BLOCK = 4096  # sizes of tests that are computed at once
_HALVINGS = 60


class PointsNeeded(NamedTuple):
    """Numbers of held-out points at which a test has the power that is asked for.

    Attributes:
        first: the least at which it has.
        always: the least from which on it has at every number; never below ``first``.

    Examples:
        >>> from simbias.bounds import points_to_reveal
        >>> needed = points_to_reveal(0.01, 0.05)
        >>> needed.first <= needed.always
        True
    """

    first: int
    always: int


def rejection(points: Sizes, allowed_risk: float, alpha: float) -> Sizes:
    """The least number of errors at which each test rejects; points + 1 where none is enough.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.reveal import rejection
        >>> rejection(np.array([5, 6, 100]), 0.01, alpha=0.05)
        array([1, 2, 4])
    """

    def rare(errors: Elementwise) -> Holds:
        unlikely: Holds = tail(np.ceil(errors), points, allowed_risk) <= alpha
        return unlikely

    halvings = int(points.max() + 2).bit_length()  # to a bracket of less than one error
    _, high = bracket(rare, np.full(points.shape, -1.0), points + 1.0, halvings)
    least: Sizes = np.ceil(high).astype(np.int64)
    return least


def power_of(
    points: Sizes, allowed_risk: float, risk: float, alpha: float
) -> Float[np.ndarray, " sizes"]:
    """The probability, at a risk, that each test rejects.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.reveal import power_of
        >>> power_of(np.array([5, 6]), 0.01, 0.5, alpha=0.05).round(3)
        array([0.969, 0.891])
    """
    errors = rejection(points, allowed_risk, alpha)
    return np.where(errors > points, 0.0, tail(np.minimum(errors, points), points, risk))


def observed_rates(risk: float, noise: float, *, uniform: bool = False) -> tuple[float, float]:
    """Between which rates a classifier errs on noisy labels, at a true risk.

    Each label of a held-out point is another one with a probability of at most ``noise``, given the
    point, its true label and the classifier, independently of other points. An error is observed
    where the classifier is wrong and the label true, or where it is right and the label another;
    where it is wrong and the label another, there may be one (more than two classes) or none. So
    the rate is at least risk (1 - noise) and at most risk + (1 - risk) noise, and both occur: with
    two classes, where labels are noisy of only the points that the classifier gets wrong, or right.

    With ``uniform``, classes are two, and the probability q <= noise is the same for all points and
    labels, but not known: the rate is risk + q (1 - 2 risk), monotone in q, so between risk and
    risk + noise (1 - 2 risk). Both ends increase with the risk where noise is below 1/2.

    Raises:
        ValueError: a risk outside [0, 1], or noise outside [0, 1), with ``uniform`` [0, 1/2).

    Examples:
        >>> from simbias.stats.reveal import observed_rates
        >>> [round(rate, 4) for rate in observed_rates(0.05, noise=0.1)]
        [0.045, 0.145]
    """
    risk = real("risk", risk, 0, 1)
    noise = real("noise", noise, 0, 0.5 if uniform else 1, open_high=True)
    if uniform:
        other = risk + noise * (1 - 2 * risk)
        return min(risk, other), max(risk, other)
    return risk * (1 - noise), risk + (1 - risk) * noise


def points_to_reveal(
    allowed_risk: float,
    risk: float,
    *,
    alpha: float = 0.05,
    power: float = 0.95,
    noise: float = 0.0,
    uniform: bool = False,
) -> PointsNeeded:
    """How many held-out points reveal, with some power, that the risk exceeds the allowed one.

    The exact binomial test of "the risk is at most r0" at level alpha rejects with probability at
    least ``power`` where the risk is r1 or more. With noisy labels, r0 is replaced by the highest
    rate of errors that the allowed risk may show and r1 by the lowest of the risk
    (``observed_rates``): the test then keeps its level, and has its power, whatever the noise is
    within its bound.

    From which number on the power is always reached is proved, not looked up: for r0 < x < r1 and
    m >= M = max(ln(1/alpha) / kl(x, r0), ln(1/(1 - power)) / kl(x, r1)), Chernoff's inequality
    gives P(B >= mx) <= exp(-m kl(x, r0)) <= alpha at r0, so that the test rejects at mx errors or
    more, and P(B < mx) <= exp(-m kl(x, r1)) <= 1 - power at r1. M is least where both are equal;
    all m below it are computed.

    Args:
        allowed_risk: r0, in (0, 1).
        risk: r1, in (r0, 1).
        alpha: probability that a risk of at most r0 is called a failure, in (0, 1).
        power: probability that a risk of at least r1 is, in (0, 1).
        noise: most probability that a held-out label is another one, in [0, 1); below 1/2 where it
            is uniform.
        uniform: whether labels are two and all as likely to be another one.

    Returns:
        The least number at which the power is reached, and that from which on it always is.

    Raises:
        ValueError: a number out of range, risks that noise makes equal, or risks so close that
            more than a million points may be needed.

    Examples:
        >>> from simbias.bounds import points_to_reveal
        >>> points_to_reveal(0.01, 0.05)
        PointsNeeded(first=181, always=208)

        Where up to 1% of the labels may be wrong:

        >>> points_to_reveal(0.01, 0.05, noise=0.01)
        PointsNeeded(first=414, always=439)
    """
    allowed = real("allowed_risk", allowed_risk, 0, 1, open_low=True, open_high=True)
    risk = real("risk", risk, allowed, 1, open_low=True, open_high=True)
    alpha = real("alpha", alpha, 0, 1, open_low=True, open_high=True)
    power = real("power", power, 0, 1, open_low=True, open_high=True)
    if uniform and risk > 0.5:
        raise fail("risk", risk, "at most 1/2 with uniform noise, which hides a risk beyond it")
    shown = observed_rates(allowed, noise, uniform=uniform)[1]
    least = observed_rates(risk, noise, uniform=uniform)[0]
    if not shown < least:
        raise fail("noise", noise, f"less, as the allowed risk may show {shown:.4g} of errors")
    end = _proved(shown, least, alpha, power)
    if not end <= _MOST:
        raise fail("risk", risk, f"one whose test needs at most {_MOST} points, not {end:.3g}")

    def reached(points: Sizes) -> Holds:
        enough: Holds = power_of(points, shown, least, alpha) >= power
        return enough

    return PointsNeeded(_first(reached, int(end)), _always(reached, int(end)))


def _proved(allowed: float, risk: float, alpha: float, power: float) -> float:
    """A number of points from which on the power is reached, by Chernoff's inequality."""

    def needed(x: Elementwise, rate: float, level: float) -> Elementwise:
        points: Elementwise = -np.log(level) / (rel_entr(x, rate) + rel_entr(1 - x, 1 - rate))
        return points

    def beyond(x: Elementwise) -> Holds:
        later: Holds = needed(x, allowed, alpha) < needed(x, risk, 1 - power)
        return later

    x, _ = bracket(beyond, allowed, risk, _HALVINGS)
    most = np.maximum(needed(x, allowed, alpha), needed(x, risk, 1 - power))
    return float(np.ceil(most)) + 1  # one for rounding


def _first(reached: Callable[[Sizes], Holds], end: int) -> int:
    """The least number at which a condition holds, which it does at ``end``."""
    for start in range(1, end + 1, _BLOCK):
        points = np.arange(start, min(start + _BLOCK, end + 1))
        holds = np.flatnonzero(reached(points))
        if len(holds):
            return int(points[holds[0]])
    return end


def _always(reached: Callable[[Sizes], Holds], end: int) -> int:
    """The least number from which on a condition holds, which it does from ``end`` on."""
    for stop in range(end + 1, 1, -_BLOCK):
        points = np.arange(max(stop - _BLOCK, 1), stop)
        fails = np.flatnonzero(~reached(points))
        if len(fails):
            return int(points[fails[-1]]) + 1
    return 1
