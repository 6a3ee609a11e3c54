"""PAC-Bayes bounds on the stochastic network that ``posterior`` makes of a trained one.

Each holds with probability 1 - delta over the sample and the Monte-Carlo draws together: the
expected training error is replaced by its upper limit from a million pairs of weights and a
training point, at a tenth of delta (J. Langford and R. Caruana, NeurIPS 2001), and the bound itself
spends the rest. What is certified is the network that draws its weights for every prediction, so
compare with its risk. Sources of the formulas: ``pac_bayes``.
"""

from collections.abc import Callable
from functools import partial

from simbias.bounds import pac_bayes
from simbias.bounds.bound import BoundValue, bound, has_initial, independent
from simbias.bounds.observed import Observed
from simbias.bounds.posterior import posterior, posteriors
from simbias.bounds.record import Assumption

MONTE_CARLO_PROPORTION = 0.1  # of delta

# Bounds of one prior share the posterior that they certify.
_FROM_START = partial(posteriors, prior="initialisation")
_FROM_HALF = partial(posteriors, prior="first half")


def _two_points(observed: Observed) -> Assumption:
    """At least two training points, one for the prior."""
    text = "at least two training points, one for the prior"
    return Assumption(text, observed.n >= 2, f"{observed.n} points")


def _certified(
    prior: str,
    formula: Callable[[float, float, int, float], float],
    observed: Observed,
    delta: float,
) -> BoundValue:
    network = posterior(observed, prior)
    counting_delta = MONTE_CARLO_PROPORTION * delta
    error = pac_bayes.monte_carlo(network.wrong / network.pairs, network.pairs, counting_delta)
    value = formula(error, network.divergence + network.union, network.n, delta - counting_delta)
    terms = {
        "training error": network.wrong / network.pairs,
        "deviation": value - network.wrong / network.pairs,
        "training error, upper limit": error,
        "divergence": network.divergence,
        "union over prior variances": network.union,
        "points": network.n,
        "Monte-Carlo pairs": network.pairs,
    }
    layers = {
        f"prior variance, layer {i + 1}": pac_bayes.prior_variance(j)
        for i, j in enumerate(network.prior)
    }
    return BoundValue(value, terms | layers, classifier=network)


@bound(
    "pac-bayes-kl",
    family="pac-bayes",
    certifies="a stochastic network",
    constants="Maurer 2004, theorem 5",
    assumptions=(independent, has_initial),
    prepare=_FROM_START,
)
def pac_bayes_kl(observed: Observed, delta: float) -> BoundValue:
    """Maurer and Seeger's bound, prior at the initialisation."""
    return _certified("initialisation", pac_bayes.maurer_seeger, observed, delta)


@bound(
    "pac-bayes-catoni",
    family="pac-bayes",
    certifies="a stochastic network",
    constants="Catoni 2007, theorem 1.2.1, with a union over lambda",
    assumptions=(independent, has_initial),
    prepare=_FROM_START,
)
def pac_bayes_catoni(observed: Observed, delta: float) -> BoundValue:
    """Catoni's bound at the best lambda of a data-free grid, prior at the initialisation."""
    return _certified("initialisation", pac_bayes.catoni_uniform, observed, delta)


@bound(
    "pac-bayes-mcallester",
    family="pac-bayes",
    certifies="a stochastic network",
    constants="McAllester 2003; Maurer 2004",
    assumptions=(independent, has_initial),
    prepare=_FROM_START,
)
def pac_bayes_mcallester(observed: Observed, delta: float) -> BoundValue:
    """McAllester's bound, prior at the initialisation."""
    return _certified("initialisation", pac_bayes.mcallester, observed, delta)


@bound(
    "pac-bayes-data-prior",
    family="pac-bayes",
    certifies="a stochastic network",
    constants="Maurer 2004, theorem 5",
    assumptions=(independent, has_initial, _two_points),
    prepare=_FROM_HALF,
)
def pac_bayes_data_prior(observed: Observed, delta: float) -> BoundValue:
    """Maurer and Seeger's bound on half the points, prior trained on the others."""
    return _certified("first half", pac_bayes.maurer_seeger, observed, delta)
