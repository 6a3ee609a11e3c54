"""A binomial test that may be looked at after every unit: the beta-binomial e-process.

A side of a claim is tested by its hits, the units that surely speak for it, against the hypothesis
"whatever came before, the next unit is a hit with probability at most p".
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike

from simbias._types import Elementwise, Holds
from simbias.stats.beta_mixture import log_mixture_above
from simbias.stats.bisection import bracket

_HALVINGS = 50


def log_e(k: ArrayLike, n: ArrayLike, proportion: float) -> Elementwise:
    """The logarithm of the e-process E_n after k hits in n units, elementwise.

    Minus infinity where the mass above ``proportion`` underflows. That is only where k/n is far
    below it, and E_n <= 1 wherever k/n <= proportion, for there every ratio L_n(q) is at most 1.

    Args:
        k: hits.
        n: units.
        proportion: the hypothesis, a hit has probability at most this; in (0, 1).

    Notes:
        For every q > p the likelihood ratio

            L_n(q) = (q/p)^k ((1 - q)/(1 - p))^(n - k),    k hits in n units,

        is a supermartingale under the hypothesis: where the next unit is a hit with probability
        r <= p, the ratio is multiplied on average by r q/p + (1 - r)(1 - q)/(1 - p), which
        increases with r, because q/p > 1 > (1 - q)/(1 - p), and is 1 at r = p. A mixture of
        supermartingales is one: mixing over q ~ Beta(1/2, 1/2) restricted to q > p,

            E_n = B(k + 1/2, n - k + 1/2) I(k + 1/2, n - k + 1/2)
                  / (B(1/2, 1/2) I(1/2, 1/2) p^k (1 - p)^(n - k)),    I(a, b) = P(Beta(a, b) > p),

        starts at 1 and ever reaches 1/alpha with probability at most alpha.

    References:
        J. Ville, *Étude critique de la notion de collectif* (1939).
        H. Robbins, "Statistical methods related to the law of the iterated logarithm" (Annals of
        Mathematical Statistics 1970).
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    mixed = log_mixture_above(k, n, proportion)
    log: Elementwise = mixed - k * np.log(proportion) - (n - k) * np.log1p(-proportion)
    return log


def running(
    hits: Bool[np.ndarray, "*draws units"], proportion: float
) -> Float[np.ndarray, "*draws units"]:
    """The p-value of hits against "a hit has probability at most ``proportion``", at every prefix.

    Valid at any stopping time, as the reciprocal of the running supremum of E_n; it never rises.

    Returns:
        p-values (*draws, units).

    References:
        H. Robbins, "Statistical methods related to the law of the iterated logarithm" (Annals of
        Mathematical Statistics 1970).
    """
    n = np.arange(1, hits.shape[-1] + 1)
    k = np.cumsum(hits, axis=-1)
    # many draws share few pairs (k, n)
    pairs, place = np.unique(n * (len(n) + 1) + k, return_inverse=True)
    values = np.asarray(log_e(pairs % (len(n) + 1), pairs // (len(n) + 1), proportion))
    supremum = np.maximum.accumulate(values[place].reshape(k.shape), axis=-1)
    return np.exp(-np.maximum(supremum, 0.0))


def anytime_limit(hits: Shaped[np.ndarray, " units"], level: float) -> float:
    """The lower end of the confidence sequence of the probability of a hit, all looks intersected.

    A probability is excluded where E_n against it has reached 1/``level`` at some n.

    Notes:
        What one n excludes is an interval from 0: in p, log E_n has the slope
        h (1 - 1/E_n) - (k - np)/(p (1 - p)) with h = 1/(2 sqrt(p(1 - p)) arccos sqrt(p)) the hazard
        of the prior, which is negative wherever E_n >= 2. So halving finds its end; the excluded
        side of the last bracket is returned.

    References:
        S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric,
        nonasymptotic confidence sequences" (Annals of Statistics 2021).
    """
    n = np.arange(1, len(hits) + 1)
    k = np.cumsum(hits)
    enough = math.log(1 / level)

    def within(p: Elementwise) -> Holds:
        return np.asarray(log_e(k, n, float(p)).max() < enough)

    return float(bracket(within, 0, 1, _HALVINGS)[0])
