"""PAC-Bayes formulas: what a posterior's training error and divergence certify about its risk.

Throughout, the posterior Q may depend on the sample, the prior P may not, ``divergence`` is
KL(Q || P) in nats, ``error`` the expected training error under Q on n points, and what is bounded
is the risk of the stochastic classifier that draws from Q for every prediction.

Sources: A. Maurer, "A note on the PAC Bayesian theorem" (2004); M. Seeger (JMLR 2002);
D. McAllester (2003); O. Catoni (2007), theorem 1.2.1; W. Zhou et al. (ICLR 2019); G. K. Dziugaite
and D. Roy (UAI 2017); J. Langford and R. Caruana (NeurIPS 2001) for the Monte-Carlo step.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from simbias._checks import fail, real, whole
from simbias.bounds.certificates import kl_inverse

ALPHA = 1e-4  # the grid of lambda is (1 + ALPHA)^k
PRIOR_LARGEST, PRIOR_STEPS = 0.1, 100  # the grid of prior variances is 0.1 exp(-j/100)
_COARSE, _FINE = 400, 60


def gaussian_kl(
    mean: ArrayLike, variance: ArrayLike, centre: ArrayLike, prior_variance: ArrayLike
) -> float:
    """KL(N(mean, variance) || N(centre, prior_variance)) of independent coordinates, in nats.

    1/2 sum(s/p + (m - c)^2/p - 1 - ln(s/p)), s and p the two variances (not deviations).

    Raises:
        ValueError: a variance that is not positive.
    """
    m, s, c, p = np.broadcast_arrays(
        *(np.asarray(part, np.float64) for part in (mean, variance, centre, prior_variance))
    )
    for name, part in (("variance", s), ("prior_variance", p)):
        if not (part > 0).all():
            raise fail(name, float(part.min()), "numbers > 0")
    ratio = s / p
    return float(0.5 * np.sum((ratio - 1 - np.log(ratio)) + (m - c) ** 2 / p))


def gaussian_log_ratio(
    point: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    centre: ArrayLike,
    prior_variance: ArrayLike,
) -> float:
    """ln of the density at ``point`` of N(mean, variance) over that of N(centre, prior_variance).

    1/2 sum((h - c)^2/p - (h - m)^2/s - ln(s/p)), whose mean over points h from the first is the
    divergence ``gaussian_kl``.

    Raises:
        ValueError: a variance that is not positive.
    """
    h, m, s, c, p = np.broadcast_arrays(
        *(np.asarray(part, np.float64) for part in (point, mean, variance, centre, prior_variance))
    )
    for name, part in (("variance", s), ("prior_variance", p)):
        if not (part > 0).all():
            raise fail(name, float(part.min()), "numbers > 0")
    return float(0.5 * np.sum((h - c) ** 2 / p - (h - m) ** 2 / s - np.log(s / p)))


def _nats_a_point(divergence: float, n: int, delta: float) -> float:
    """(KL + ln(2 sqrt(n)/delta))/n."""
    divergence = real("divergence", divergence, 0)
    n = whole("n", n)
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    return (divergence + math.log(2 * math.sqrt(n) / delta)) / n


def maurer_seeger(error: float, divergence: float, n: int, delta: float) -> float:
    """The largest R with kl(error || R) <= (KL + ln(2 sqrt(n)/delta))/n."""
    return float(kl_inverse(real("error", error, 0, 1), _nats_a_point(divergence, n, delta)))


def mcallester(error: float, divergence: float, n: int, delta: float) -> float:
    """error + sqrt((KL + ln(2 sqrt(n)/delta))/2n), by Pinsker's inequality."""
    return real("error", error, 0, 1) + math.sqrt(_nats_a_point(divergence, n, delta) / 2)


def catoni_uniform(
    error: float, divergence: float, n: int, delta: float, *, alpha: float = ALPHA
) -> float:
    """Catoni's bound for all lam >= 1 at once, at the best lam.

    The least of (1 - exp(-a x))/(1 - exp(-a)), a = lam/n, x = error + ((1 + alpha)/lam)
    (KL + ln(1/delta) + 2 ln(2 + ln lam/ln(1 + alpha))). Point k of the grid (1 + alpha)^k has the
    proportion 1/((k + 1)(k + 2)) of the confidence. The grid point just below lam has 1/lam_k <=
    (1 + alpha)/lam and k <= ln lam/ln(1 + alpha), and the bound increases in a: so the formula
    holds for every lam, and the search among them is free.
    """
    nats = real("divergence", divergence, 0) - math.log(
        real("delta", delta, 0, 1, open_low=True, open_high=True)
    )
    error, n = real("error", error, 0, 1), whole("n", n)
    alpha = real("alpha", alpha, 0, open_low=True)

    def bound(log_lam: np.ndarray) -> np.ndarray:
        lam = np.exp(log_lam)
        union = 2 * np.log(2 + log_lam / math.log1p(alpha))
        x, rate = error + (1 + alpha) / lam * (nats + union), lam / n
        value: np.ndarray = np.expm1(-rate * x) / np.expm1(-rate)
        return value

    low, high = 0.0, math.log(1000 * n + 1000)
    for points in (_COARSE, _FINE, _FINE):
        grid = np.linspace(low, high, points)
        values = bound(grid)
        best = int(np.argmin(values))
        low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, points - 1)])
    return float(values[best])


def monte_carlo(mean: float, draws: int, delta: float) -> float:
    """An upper limit of the expected training error under Q from draws: kl^-1(mean, ln(2/delta)/m).

    Args:
        mean: over independent draws from Q, the error of each on its own random training subset.
        draws: m.
        delta: probability of failure, to be added to that of the bound that uses the limit.
    """
    log = math.log(2 / real("delta", delta, 0, 1, open_low=True, open_high=True))
    return float(kl_inverse(real("mean", mean, 0, 1), log / whole("draws", draws)))


def prior_variance(j: int) -> float:
    """Point j >= 1 of the data-free grid of prior variances, 0.1 exp(-j/100)."""
    return PRIOR_LARGEST * math.exp(-whole("j", j) / PRIOR_STEPS)


def prior_cost(j: int) -> float:
    """Nats to add to the divergence for having chosen point j: 2 ln j + ln(pi^2/6)."""
    return 2 * math.log(whole("j", j)) + math.log(math.pi**2 / 6)


def nearest_prior(variance: float) -> int:
    """The point of the grid nearest to a variance, in the logarithm."""
    log = math.log(PRIOR_LARGEST / real("variance", variance, 0, open_low=True))
    return max(1, round(PRIOR_STEPS * log))
