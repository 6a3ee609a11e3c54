"""Marginal-likelihood PAC-Bayes: what an architecture's own initialisation says of the labels.

G. Valle-Perez, C. Camargo, A. Louis, "Deep learning generalizes because the parameter-function map
is biased towards simple functions" (ICLR 2019). Let P be the law of the network at initialisation,
C(S) the networks without an error on the sample S, and Q = P( . | C(S)), the initialisation given
that it fits: KL(Q || P) = -ln P(C(S)) and Q has no training error, so that the bound of Maurer and
Seeger says, with probability 1 - delta over S,

    -ln(1 - R(Q)) <= (-ln P(C(S)) + ln(2 sqrt(n)/delta))/n.

It is a measure here, approximate in what P(C(S)) is taken for, and about Q, which no training
samples exactly:

- the network is taken infinitely wide: its logits are then a Gaussian process (J. Lee et al., ICLR
  2018), also where the first layer's sums over finitely many inputs, whose weights are uniform, are
  not exactly Gaussian. Weights and biases keep the variances of the MLP's own initialisation
  (1/(3 fan-in) each where it is uniform on +-1/sqrt(fan-in)), with the true widths;
- P(C(S)), the probability that a Gaussian vector lies in the orthant of the labels, is what
  expectation propagation says (``simbias.stats.orthant``), without a bound of the error.

Points of equal inputs and labels are one. On coin flips it says at least 1/2: over all labels
P(C(S)) sums to 1, so that -ln P(C(S)) < n ln 2 - t for at most a proportion e^-t of them.
"""

import numpy as np
from jaxtyping import Float

from simbias.bounds import pac_bayes
from simbias.bounds.bound import INVARIANCES, BoundValue, bound, independent, is_relu
from simbias.bounds.observed import Matrix, Observed
from simbias.bounds.record import Assumption
from simbias.networks.infinite import laws_of, relu_kernel
from simbias.networks.initial import variances
from simbias.stats.orthant import log_orthant

MOST_POINTS = 2000  # of which a covariance matrix is factorised


def covariance(observed: Observed, x: Matrix) -> Float[np.ndarray, "rows rows"]:
    """That of logit 1 - logit 0 of a network like the observed one, infinitely wide."""
    sizes = observed.sizes
    usual = variances("uniform", 1.0, sizes)
    laws = laws_of(observed.variances or usual, sizes)
    return 2 * relu_kernel(x, x, laws)  # of two independent logits


def _few_points(observed: Observed) -> Assumption:
    """Few enough training points for their kernel matrix."""
    text = f"at most {MOST_POINTS} training points"
    return Assumption(text, observed.n <= MOST_POINTS, f"{observed.n} points")


def _distinct(observed: Observed) -> tuple[Matrix, np.ndarray]:
    """Inputs and labels of which no two are equal."""
    pairs = np.unique(np.column_stack([observed.x, observed.y]), axis=0)
    return pairs[:, :-1], 2 * pairs[:, -1] - 1


def _labels_are_a_function(observed: Observed) -> Assumption:
    """No input has both labels."""
    inputs = np.unique(observed.x, axis=0)
    both = len(_distinct(observed)[0]) - len(inputs)
    return Assumption("no input has both labels", not both, f"{both} of {len(inputs)} inputs")


@bound(
    "marginal-likelihood",
    family="evidence",
    certifies="nothing",
    kind="measure",
    assumptions=(independent, is_relu, _few_points, _labels_are_a_function),
    invariant=INVARIANCES,
)
def marginal_likelihood(observed: Observed, delta: float) -> BoundValue:
    """PAC-Bayes of the initialisation given that it fits the labels, infinitely wide, approximate.

    It is about the architecture and the sample, whatever the network has learned.
    """
    x, sign = _distinct(observed)
    log_probability, sweeps = log_orthant(covariance(observed, x) * np.outer(sign, sign))
    nats = max(-log_probability, 0.0)
    value = pac_bayes.maurer_seeger(0.0, nats, observed.n, delta)
    terms = {
        "nats of the labels": nats,
        "nats a point": nats / observed.n,
        "distinct points": float(len(x)),
        "sweeps": float(sweeps),
    }
    return BoundValue(value, terms)
