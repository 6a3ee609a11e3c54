"""Binomial likelihoods mixed over a Beta(1/2, 1/2) law of the probability of a success.

Against one probability p, the ratio of the mixture's likelihood to p's is a nonnegative martingale
in the number of trials where successes have probability p, and starts at 1: it ever reaches 1/alpha
with probability at most alpha (J. Ville 1939), so a test may stop after any trial. Source:
H. Robbins, "Statistical methods related to the law of the iterated logarithm" (Annals of
Mathematical Statistics 1970).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from simbias._types import Elementwise

PRIOR = 0.5  # both parameters of the beta law


def log_mixture(k: ArrayLike, n: ArrayLike) -> Elementwise:
    """ln(B(1/2 + k, 1/2 + n - k)/B(1/2, 1/2)), elementwise.

    The mixture's probability of one order of k successes in n trials.
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    log: Elementwise = betaln(k + PRIOR, n - k + PRIOR) - betaln(PRIOR, PRIOR)
    return log
