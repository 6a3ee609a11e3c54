"""Binomial likelihoods mixed over a Beta(1/2, 1/2) law of the probability of a success."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, betaln

from simbias._types import Elementwise

_PRIOR = 0.5  # both parameters of the beta law


def log_mixture(k: ArrayLike, n: ArrayLike) -> Elementwise:
    """ln(B(1/2 + k, 1/2 + n - k)/B(1/2, 1/2)), elementwise.

    The mixture's probability of one order of k successes in n trials.

    Notes:
        Against one probability p, the ratio of the mixture's likelihood to p's is a nonnegative
        martingale in the number of trials where successes have probability p, and starts at 1: it
        ever reaches 1/alpha with probability at most alpha, so a test may stop after any trial.

    References:
        J. Ville, *Étude critique de la notion de collectif* (1939).
        H. Robbins, "Statistical methods related to the law of the iterated logarithm" (Annals of
        Mathematical Statistics 1970).

    Examples:
        A first success has probability 1/2, two in a row 3/8:

        >>> import numpy as np
        >>> from simbias.stats.beta_mixture import log_mixture
        >>> np.exp(log_mixture([1, 2], [1, 2])).round(4)
        array([0.5  , 0.375])
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    log: Elementwise = betaln(k + _PRIOR, n - k + _PRIOR) - betaln(_PRIOR, _PRIOR)
    return log


def log_mixture_above(k: ArrayLike, n: ArrayLike, proportion: float) -> Elementwise:
    """The same of a mixture over probabilities of a success above ``proportion``, elementwise.

    Minus infinity where the mass above ``proportion`` underflows, far above k/n.

    Args:
        k: successes.
        n: trials.
        proportion: p, in (0, 1).

    Notes:
        The Beta(1/2, 1/2) law is restricted to q > p, so to ``log_mixture`` is added

            ln I(k + 1/2, n - k + 1/2) - ln I(1/2, 1/2),    I(a, b) = P(Beta(a, b) > p).

    Examples:
        The mean of a coin whose probability has the arcsine law's upper half is 1/2 + 1/pi:

        >>> import numpy as np
        >>> from simbias.stats.beta_mixture import log_mixture_above
        >>> round(float(np.exp(log_mixture_above(1, 1, 0.5))), 4)
        0.8183
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    with np.errstate(divide="ignore"):
        mass = np.log(betaincc(k + _PRIOR, n - k + _PRIOR, proportion))
    mass -= np.log(betaincc(_PRIOR, _PRIOR, proportion))
    log: Elementwise = log_mixture(k, n) + mass
    return log
