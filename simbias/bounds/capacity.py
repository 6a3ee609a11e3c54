"""Capacity: description length and the growth function; weights enter only by their number.

Sources: A. Blumer et al., "Occam's razor" (1987), in its relative-entropy form (Langford, JMLR
2005); P. Bartlett, N. Harvey, C. Liaw, A. Mehrabian, "Nearly-tight VC-dimension bounds for
piecewise linear neural networks" (JMLR 2019); V. Vapnik (1998) for the two deviations, the relative
one as proved by C. Cortes, S. Greenberg, M. Mohri (2019).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from simbias.bounds.bound import BoundValue, bound, independent, is_relu
from simbias.bounds.certificates import kl_inverse
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption


def architecture_bits(sizes: Sequence[int]) -> int:
    """Bits of a prefix-free code of depth and widths; inputs and logits are the problem's.

    Each number v is written in Elias's gamma code, 2 floor(log2 v) + 1 bits.
    """
    hidden = sizes[1:-1]
    return sum(2 * (v.bit_length() - 1) + 1 for v in (len(hidden) + 1, *hidden))


def parameter_count(sizes: Sequence[int]) -> int:
    """Weights and biases of a fully connected network."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def log_growth(sizes: Sequence[int], points: int) -> float:
    """An upper bound on ln of the number of labellings of ``points`` points by ReLU networks.

    Layer by layer, on a set of weights where the earlier units' signs are constant, the inputs of
    layer i's k_i units at m points are m k_i polynomials of degree i in the W_i weights up to that
    layer; so at most 2(2e m k_i i/W_i)^(W_i) sign patterns arise where m k_i >= W_i, and never more
    than 2^(m k_i). The product over layers counts labellings, and there are at most 2^m.

    Args:
        sizes: units of every layer, the input and the single output included.
        points: m.
    """
    total, weights = 0.0, 0
    for i, (inputs, units) in enumerate(pairwise(sizes), 1):
        weights += (inputs + 1) * units
        patterns = points * units * math.log(2)
        if points * units >= weights:
            counted = weights * math.log(2 * math.e * points * units * i / weights)
            patterns = min(patterns, math.log(2) + counted)
        total += patterns
    return min(total, points * math.log(2))


def _representable(observed: Observed) -> Assumption:
    """Weights are numbers of the bits that they are stored in."""
    dtype = np.dtype(f"float{observed.bits}")
    with np.errstate(over="ignore"):
        unrepresentable = sum(
            int(np.sum(part.astype(dtype) != part)) for layer in observed.layers for part in layer
        )
    detail = f"{unrepresentable} of {parameter_count(observed.sizes)} are not"
    return Assumption(f"weights are {observed.bits}-bit numbers", not unrepresentable, detail)


@bound(
    "occam",
    family="capacity",
    constants="union bound over a prefix-free code; Chernoff 1952",
    assumptions=(independent, _representable),
)
def occam(observed: Observed, delta: float) -> BoundValue:
    """kl^-1(training error, (|h| ln 2 + ln(1/delta))/n), |h| the bits of the stored network.

    The code is the architecture, then every weight and bias as it is stored. It is prefix-free, so
    the hypotheses' probabilities delta 2^-|h| add up to at most delta (Kraft).
    """
    architecture = architecture_bits(observed.sizes)
    weights = observed.bits * parameter_count(observed.sizes)
    rate = ((architecture + weights) * math.log(2) + math.log(1 / delta)) / observed.n
    value = float(kl_inverse(observed.train_error, rate))
    return BoundValue(
        value,
        {
            "training error": observed.train_error,
            "deviation": value - observed.train_error,
            "bits of weights": weights,
            "bits of architecture": architecture,
            "nats a point": rate,
        },
    )


def _scaled_growth(observed: Observed, delta: float) -> float:
    """(ln growth(2n) + ln(4/delta))/n of the classifiers by the sign of one output."""
    sizes = (*observed.sizes[:-1], 1)
    return (log_growth(sizes, 2 * observed.n) + math.log(4 / delta)) / observed.n


@bound(
    "vc-additive",
    family="capacity",
    constants="Bartlett et al. 2019; Vapnik 1998",
    assumptions=(independent, is_relu),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
)
def vc_additive(observed: Observed, delta: float) -> BoundValue:
    """Training error + sqrt((8/n)(ln growth(2n) + ln(4/delta)))."""
    deviation = math.sqrt(8 * _scaled_growth(observed, delta))
    return BoundValue(
        observed.train_error + deviation,
        {"training error": observed.train_error, "deviation": deviation},
    )


@bound(
    "vc-relative",
    family="capacity",
    constants="Bartlett et al. 2019; Cortes, Greenberg and Mohri 2019",
    assumptions=(independent, is_relu),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
)
def vc_relative(observed: Observed, delta: float) -> BoundValue:
    """E + A/2 + sqrt(A E + A^2/4), E the training error, A = (4/n)(ln growth(2n) + ln(4/delta)).

    With probability 1 - delta, R - E <= sqrt(A R) for every classifier of the class; solved for R.
    """
    error, a = observed.train_error, 4 * _scaled_growth(observed, delta)
    deviation = a / 2 + math.sqrt(a * error + a * a / 4)
    return BoundValue(error + deviation, {"training error": error, "deviation": deviation})
