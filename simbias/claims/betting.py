"""A test of the mean of bounded values, by betting: of any law, at any number of units.

The worst reading of each unit is a *gain*, from 0, at the end of the range that speaks most against
the side, to 1. Were the side false, its mean would be at most ``proportion``, whatever came before;
the capital of ``bounded.log_capital`` against that ever reaches 1/alpha with probability at most
alpha. An interval that misses makes a reading at most 1 too large, so the proportion is raised by
the probability of that.
"""

import math

import numpy as np
from jaxtyping import Float

from simbias._types import Elementwise, Holds
from simbias.stats.bisection import bracket
from simbias.stats.bounded import BETS, log_capital

_HALVINGS = 50
_TINY = np.finfo(float).tiny


def running(
    gains: Float[np.ndarray, "*draws units"], proportion: float
) -> Float[np.ndarray, "*draws units"]:
    """The p-value of the gains against "their mean is at most ``proportion``", at every prefix.

    Valid at any stopping time; it never rises.

    Returns:
        p-values (*draws, units).

    References:
        I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting"
        (JRSS B 2024).
    """
    supremum = np.maximum.accumulate(log_capital(gains, max(proportion, _TINY)), axis=-1)
    return np.exp(-np.maximum(supremum, 0.0))


def smallest(units: int, proportion: float) -> float:
    """The p-value of so many gains of 1."""
    factors = units * np.log1p(BETS * (1 / max(proportion, _TINY) - 1))
    return math.exp(-max(float(np.logaddexp.reduce(factors)) - math.log(len(BETS)), 0.0))


def anytime_limit(gains: Float[np.ndarray, " units"], level: float) -> float:
    """The lower end of the confidence sequence of the mean gain, all looks intersected.

    A mean is excluded where the capital against it has reached 1/``level`` after some unit.

    Notes:
        With a mean every smaller one is excluded: capital falls with the mean, so halving finds the
        end; the excluded side of the last bracket is returned.

    References:
        I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting"
        (JRSS B 2024).
    """
    enough = math.log(1 / level)

    def within(mean: Elementwise) -> Holds:
        return np.asarray(log_capital(gains, float(mean)).max() < enough)

    return float(bracket(within, 0, 1, _HALVINGS)[0])
