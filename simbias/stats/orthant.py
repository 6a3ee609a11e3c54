"""The probability that a Gaussian vector is positive in all coordinates: expectation propagation.

T. Minka, "A family of algorithms for approximate Bayesian inference" (MIT 2001); J. Cunningham, P.
Hennig, S. Lacoste-Julien, "Gaussian probabilities and expectation propagation" (arXiv 1111.6832).
The indicator of f_i > 0 is replaced by a Gaussian factor in f_i, such that the product of all
factors and the law of f has, in each coordinate, the mean and the variance that it would have with
the indicator in place of that coordinate's factor; the integral of the product is the estimate.
It is exact for independent coordinates, and an approximation otherwise, without a bound of its
error: often a part in a hundred of the logarithm, but too small where coordinates nearly follow
from others, which count again. Of six equal coordinates it is .375, for 1/2.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cholesky, solve_triangular
from scipy.special import log_ndtr

from simbias._checks import fail

_DAMPING = 0.7  # part of the way that factors move in a sweep, for all move at once;
_HALVED = 50  # half of it each time that so many sweeps were not enough
_SWEEPS = 200
_TOLERANCE = 1e-5  # nats of the logarithm, and a part of it as small


class LogOrthant(NamedTuple):
    """ln of an orthant probability, and the sweeps it took to converge."""

    value: float
    sweeps: int


class _Marginals(NamedTuple):
    """The law of f without each factor in turn, and ln of the integral of the product."""

    mean: Float[np.ndarray, " n"]
    variance: Float[np.ndarray, " n"]
    log_integral: float


def log_orthant(covariance: Float[np.ndarray, "n n"]) -> LogOrthant:
    """ln P(f > 0 in all coordinates) of f ~ N(0, covariance), approximately.

    Args:
        covariance: positive semidefinite, with variances > 0.

    Raises:
        ValueError: no such covariance, or sweeps that do not converge.

    References:
        C. Rasmussen, C. Williams, "Gaussian processes for machine learning" (2006), sections 3.6
        and 3.7, for the equations.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.orthant import log_orthant
        >>> round(float(log_orthant(np.eye(10)).value / np.log(2)), 9)
        -10.0

        Where all correlations are 1/2, the first of n + 1 equal noises is the least:

        >>> bool(abs(np.exp(log_orthant(np.eye(9) + 1).value) - 1 / 10) < 0.005)
        True
    """
    if covariance.ndim != 2 or not (np.diag(covariance) > 0).all():
        raise fail("covariance", f"shape {covariance.shape}", "a square matrix, variances > 0")
    precision, shift = 1 / np.diag(covariance), np.zeros(len(covariance))
    last = math.inf
    for sweep in range(1, _SWEEPS + 1):
        mean, variance, log_integral = _without_each(covariance, precision, shift)
        if abs(log_integral - last) <= _TOLERANCE * (1 + abs(log_integral)):
            return LogOrthant(log_integral, sweep)
        last, step = log_integral, _DAMPING / 2 ** (sweep // _HALVED)
        deviation = np.sqrt(variance)
        ahead = mean / deviation
        hazard = np.exp(-(ahead**2) / 2 - math.log(2 * math.pi) / 2 - log_ndtr(ahead))
        truncated_mean = mean + deviation * hazard
        truncated_variance = variance * (1 - hazard * (hazard + ahead))
        matched = 1 / truncated_variance - 1 / variance
        precision += step * (matched - precision)
        shift += step * (truncated_mean / truncated_variance - mean / variance - shift)
    raise fail("covariance", f"no convergence in {_SWEEPS} sweeps", "one that converges")


def _without_each(
    covariance: Float[np.ndarray, "n n"],
    precision: Float[np.ndarray, " n"],
    shift: Float[np.ndarray, " n"],
) -> _Marginals:
    """Marginals given all factors exp(shift f - precision f^2/2) but one, by one factorisation."""
    root = np.sqrt(precision)
    scaled = root[:, None] * covariance
    try:
        factor = cholesky(scaled * root + np.eye(len(root)), lower=True)
    except np.linalg.LinAlgError:
        raise fail("covariance", "a negative direction", "a positive semidefinite matrix") from None
    half = solve_triangular(factor, scaled, lower=True)
    variance = np.diag(covariance) - (half**2).sum(axis=0)
    mean = covariance @ shift - half.T @ (half @ shift)
    precision_without = 1 / variance - precision
    mean_without = (mean / variance - shift) / precision_without
    log_integral = (
        log_ndtr(mean_without * np.sqrt(precision_without)).sum()
        + np.log1p(precision / precision_without).sum() / 2
        - np.log(np.diag(factor)).sum()
        + (shift @ mean - (shift**2 / (precision_without + precision)).sum()) / 2
        + (
            mean_without
            * precision_without
            / (precision_without + precision)
            * (precision * mean_without - 2 * shift)
        ).sum()
        / 2
    )
    return _Marginals(mean_without, 1 / precision_without, float(log_integral))
