"""Margin bounds by Rademacher complexity: Frobenius norms and path norms.

For a class F of scores and a margin t fixed beforehand, with probability 1 - delta, for all f in F,
R(f) <= ramp loss at t + (2/t) Rad_S(F) + 3 sqrt(ln(2/delta)/2n)
(Mohri, Rostamizadeh, Talwalkar 2018, theorem 5.8: the ramp is 1/t-Lipschitz and at least the 0-1
loss). A network with norm product B and margin m is B times a network with product 1, at margin
m/B: so F is the unit class, and one union over the grid of ratios m/B covers all norms and margins.

Rad_S of the unit classes follows N. Golowich, A. Rakhlin, O. Shamir, "Size-independent sample
complexity of neural networks" (COLT 2018), theorems 1 and 2. Their peeling costs a factor 2 inside
the expectation of a convex increasing function for each of the L - 1 hidden matrices:
n Rad <= (1/l) ln(2^L E exp(l Z)), Z the norm of sum_i e_i x_i with random signs e_i.

- Frobenius: Z is Euclidean, E Z <= sqrt(sum |x_i|^2), and by bounded differences sub-Gaussian with
  variance factor sum |x_i|^2; the best l gives
  n Rad <= (sqrt(2 L ln 2) + 1) sqrt(sum |x_i|^2).
- l1: Z = max_j |sum_i e_i x_ij|, E exp(l Z) <= 2 d exp(l^2 V/2), V = max_j sum_i x_ij^2, and only
  L - 1 matrices are peeled, so n Rad <= sqrt(2 V (L ln 2 + ln d)). The published constant,
  2 sqrt(L + 1 + ln d), is larger. A network of path norm 1 is one whose hidden units have incoming
  l1 norm 1, and whose output unit has 1, after a rescaling of units that leaves it as it is.
"""

import math

import numpy as np

from simbias.bounds.bound import BoundValue, bound, from_log, independent, is_relu
from simbias.bounds.norms import absorbed, log_frobenius_product, log_path_norm
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption
from simbias.bounds.union import LOG_STEP, best_margin, log_weight, median_margin, ramp_loss


def positive_median(observed: Observed) -> Assumption:
    """More than half the training points are labelled correctly, so that a margin can be chosen."""
    median = median_margin(observed.margins)
    return Assumption("the median training margin is positive", median > 0, f"{median:g}")


def frobenius_rademacher(x: np.ndarray, depth: int) -> float:
    """Rad_S of bias-free ReLU networks of ``depth`` matrices with Frobenius product <= 1."""
    return (math.sqrt(2 * depth * math.log(2)) + 1) * float(np.linalg.norm(x)) / len(x)


def path_rademacher(x: np.ndarray, depth: int) -> float:
    """Rad_S of bias-free ReLU networks of ``depth`` matrices with path norm <= 1."""
    largest = float(np.max(np.sum(x**2, axis=0)))
    return math.sqrt(2 * largest * (depth * math.log(2) + math.log(x.shape[1]))) / len(x)


def with_constant(x: np.ndarray) -> np.ndarray:
    """Inputs with the coordinate 1 that carries the biases, (rows, dim + 1)."""
    return np.column_stack([x, np.ones(len(x))])


def rademacher_confidence(n: int, delta: float, log_weights: float) -> float:
    """3 sqrt(ln(2/(w delta))/2n), where w is the part of delta that is spent here."""
    return 3 * math.sqrt((math.log(2 / delta) - log_weights) / (2 * n))


def _by_ratio(
    observed: Observed, delta: float, log_product: float, rademacher: float
) -> BoundValue:
    """The bound for a unit class of Rademacher complexity ``rademacher``."""
    log, terms = best_margin(
        observed.margins,
        log_product,
        ramp_loss,
        lambda k: math.log(2 * rademacher) + k * LOG_STEP,
        lambda k: rademacher_confidence(observed.n, delta, log_weight(k)),
    )
    terms |= {
        "training error": observed.train_error,
        "log10 norm product": log_product / math.log(10),
    }
    return from_log(log, terms)


@bound(
    "golowich-frobenius",
    family="margin",
    constants="Golowich, Rakhlin and Shamir 2018, theorem 1",
    assumptions=(independent, is_relu, positive_median),
)
def golowich_frobenius(observed: Observed, delta: float) -> BoundValue:
    """Margin bound by the product of Frobenius norms."""
    matrices = absorbed(observed.layers)
    rademacher = frobenius_rademacher(with_constant(observed.x), len(matrices))
    return _by_ratio(observed, delta, log_frobenius_product(matrices), rademacher)


@bound(
    "golowich-path",
    family="margin",
    constants="Golowich, Rakhlin and Shamir 2018, theorem 2; rederived",
    assumptions=(independent, is_relu, positive_median),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
)
def golowich_path(observed: Observed, delta: float) -> BoundValue:
    """Margin bound by the l1 path norm."""
    matrices = absorbed(observed.layers)
    rademacher = path_rademacher(with_constant(observed.x), len(matrices))
    return _by_ratio(observed, delta, log_path_norm(matrices), rademacher)
