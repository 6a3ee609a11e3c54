"""Margin bounds by spectral norms: covering numbers, and PAC-Bayes with a Gaussian perturbation.

Bartlett, Foster, Telgarsky, "Spectrally-normalized margin bounds for neural networks" (NeurIPS
2017), with the constants that the proof gives for one output:

- Let |W_i| <= s_i and |(W_i - M_i)^T|_{2,1} <= b_i (the sum over units of the l2 norm of incoming
  differences), M_i a reference. For fixed Z, the products Z (W - M)^T are b |Z|_F times a convex
  combination of 2D matrices of norm <= 1, D the entries of W, so by Maurey's lemma (2D)^k centres
  with k = ceil((b |Z|_F/eps)^2) are within eps of all of them, and one centre is enough where
  eps >= b |Z|_F; so ln N <= 2 (b |Z|_F/eps)^2 ln(2D). Projecting the centres on the convex set
  {Z W^T} of the class brings none farther from a member, so they obey |W| <= s too.
- With radii that share eps in proportion to (b_i/s_i)^(2/3), the layers together have
  ln N <= 2 ln(2D) (|X|_F prod s/eps)^2 (sum (b_i/s_i)^(2/3))^3, D the most entries of a matrix.
- The ramp at margin t is 1/t-Lipschitz, and Dudley's integral from 1/sqrt(n) to sqrt(n) (of the
  losses less those of one member, which leaves Rad as it is and puts 0 in the class) gives
  Rad <= 4/n + (12 ln n/sqrt n) sqrt(2 ln(2D)) (sum C_i^(2/3))^(3/2),
  C_i = (|X|_F/sqrt n)(prod_{j != i} s_j) b_i/t.

Neyshabur, Bhojanapalli, Srebro, "A PAC-Bayesian approach to spectrally-normalized margin bounds"
(ICLR 2018), for one output and inputs of norm at most B:

- Scale the L matrices to a common norm beta with margin 1: beta^L = prod|W_i|/t. Perturbations of
  norm |U_i| <= beta/L move the output by at most e B beta^(L-1) sum|U_i| (their lemma 2).
- Gaussian U_i of standard deviation s have |U_i| <= s sqrt(2h ln(4hL)) for all i with probability
  >= 1/2, h the largest side (Tropp 2012). So s = 1/(2 sqrt2 e L B beta^(L-1) sqrt(h ln(4hL)))
  moves it by at most 1/2, which turns margin > 1 into > 1/2 and that into > 0. Where this is more
  than beta/L allows, no margin reaches t, the loss is 1 and the bound holds anyhow.
- Then R <= margin error at t + 4 sqrt((KL + ln(6n/delta))/(n - 1)),
  KL = beta^2 sum(|W_i|_F^2/|W_i|^2)/2s^2 (their lemma 1). The prior depends on beta alone, so one
  union over beta^L = 1.1^k covers all norms and margins, and none is rounded. Their 42 is
  4 sqrt2 e^2, for two logits and a rounded beta; 2 sqrt2 e is enough here.
"""

import math

import numpy as np

from simbias.bounds.bound import BoundValue, bound, from_log, has_initial, independent, is_relu
from simbias.bounds.margin import positive_median, rademacher_confidence, with_constant
from simbias.bounds.norms import absorbed, log_norm, log_spectral_product, spectral_norm
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption
from simbias.bounds.union import LOG_STEP, above, best_margin, log_weight, margin_error, ramp_loss

_LN10 = math.log(10)
_FLOAT32 = 1e-5  # inputs are drawn and rotated in float32: relative slack of their norm


def two_points(observed: Observed) -> Assumption:
    """At least two training points."""
    return Assumption("at least two training points", observed.n >= 2, f"{observed.n}")


def input_radius(observed: Observed) -> float | None:
    """The largest norm of an input, the constant coordinate included; None where unbounded.

    From the laws, not from the sample: a bound on the risk needs it for every input.
    """
    if observed.blocks is None or any(block.is_normal for block in observed.blocks):
        return None
    ends = [
        max(max(abs(piece.low), abs(piece.high)) for law in block.laws for piece in law)
        for block in observed.blocks
    ]
    return math.sqrt(1 + sum(end**2 for end in ends)) * (1 + _FLOAT32)


def bounded_inputs(observed: Observed) -> Assumption:
    """Inputs lie in a ball known beforehand."""
    radius = input_radius(observed)
    if radius is None:
        return Assumption("inputs are bounded", False, "the laws are unknown or unbounded")
    largest = math.sqrt(1 + float(np.max(np.sum(observed.x**2, axis=1))))
    detail = f"norms up to {radius:.4g}, {largest:.4g} in the training set"
    return Assumption("inputs are bounded", largest <= radius, detail)


@bound(
    "bartlett-foster-telgarsky",
    family="margin",
    constants="Bartlett, Foster and Telgarsky 2017; rederived for one output",
    assumptions=(independent, is_relu, has_initial, two_points, positive_median),
)
def bartlett_foster_telgarsky(observed: Observed, delta: float) -> BoundValue:
    """Margin bound by spectral norms and (2,1) distances from the initialisation."""
    matrices = absorbed(observed.layers)
    initial = absorbed(observed.initial or ())
    n = observed.n
    norms = [above(log_norm(spectral_norm(matrix))) for matrix in matrices]
    distances = [
        above(log_norm(float(np.sum(np.linalg.norm(matrix - start, axis=1)))))
        for matrix, start in zip(matrices, initial, strict=True)
    ]
    weights = sum(log_weight(k) for k in (*norms, *distances))
    ratios = LOG_STEP * (np.array(distances) - np.array(norms))
    log_spread = 1.5 * float(np.logaddexp.reduce(2 / 3 * ratios))
    entries = max(matrix.size for matrix in matrices)
    size = float(np.linalg.norm(with_constant(observed.x)))
    log_class = (
        math.log(12 * math.log(n) / n * math.sqrt(2 * math.log(2 * entries)) * size)
        + LOG_STEP * sum(norms)
        + log_spread
    )
    log, terms = best_margin(
        observed.margins,
        0.0,
        ramp_loss,
        lambda k: float(np.logaddexp(math.log(8 / n), math.log(2) + log_class + k * LOG_STEP)),
        lambda k: rademacher_confidence(n, delta, weights + log_weight(k)),
    )
    return from_log(
        log,
        terms
        | {
            "training error": observed.train_error,
            "log10 spectral product": LOG_STEP * sum(norms) / _LN10,
            "log10 distance ratio": log_spread / _LN10,
        },
    )


@bound(
    "neyshabur-spectral",
    family="margin",
    constants="Neyshabur, Bhojanapalli and Srebro 2018; rederived for one output",
    assumptions=(independent, is_relu, two_points, bounded_inputs, positive_median),
)
def neyshabur_spectral(observed: Observed, delta: float) -> BoundValue:
    """PAC-Bayes margin bound by spectral and Frobenius norms."""
    matrices = absorbed(observed.layers)
    n, depth, radius = observed.n, len(matrices), input_radius(observed)
    assert radius is not None  # an assumption
    side = max(max(matrix.shape) for matrix in matrices)
    log_product = log_spectral_product(matrices)
    log_ranks = math.log(
        sum((float(np.linalg.norm(m)) / max(spectral_norm(m), 1e-300)) ** 2 for m in matrices)
    )
    log_shift = math.log(
        2 * math.sqrt(2) * math.e * depth * radius * math.sqrt(side * math.log(4 * side * depth))
    )

    def log_divergence(k: int) -> float:
        log_beta = k * LOG_STEP / depth
        log_deviation = -log_shift - (depth - 1) * log_beta
        return 2 * log_beta + log_ranks - math.log(2) - 2 * log_deviation

    def log_complexity(k: int) -> float:
        confidence = math.log(6 * n / delta) - log_weight(k)
        total = float(np.logaddexp(log_divergence(k), math.log(confidence)))
        return math.log(4) + (total - math.log(n - 1)) / 2

    log, terms = best_margin(
        observed.margins, log_product, margin_error, log_complexity, lambda k: 0.0
    )
    del terms["confidence"]  # inside the root with the divergence
    stable_ranks = math.exp(log_ranks)
    return from_log(
        log,
        terms
        | {
            "training error": observed.train_error,
            "log10 spectral product": log_product / _LN10,
            "sum of stable ranks": stable_ranks,
        },
    )
