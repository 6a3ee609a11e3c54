"""A PAC-Bayes bound on one deterministic network, drawn once from the posterior.

O. Rivasplata, I. Kuzborskij, C. Szepesvari, J. Shawe-Taylor, "PAC-Bayes analysis beyond the usual
bounds" (NeurIPS 2020); P. Viallard, P. Germain, A. Habrard, E. Morvant, "A general framework for
the practical disintegration of PAC-Bayesian bounds" (Machine Learning 2024).

For a fixed network h, n error(h) is binomial with the risk R(h), so that E exp(n kl(error(h) ||
R(h))) <= 2 sqrt(n) (A. Maurer, 2004). The prior P does not depend on the sample S: so the same
holds on average over h from P. Let dQ/dP be the density of the posterior Q = Q(S) with respect to
P. On average over S and then h from Q,

    E_S E_{h ~ Q} exp(n kl(error(h) || R(h)) - ln dQ/dP(h))
        = E_S E_{h ~ P} 1[dQ/dP(h) > 0] exp(n kl(error(h) || R(h))) <= 2 sqrt(n),

and Markov's inequality gives, with probability 1 - delta over S and the one draw h,

    kl(error(h) || R(h)) <= (ln dQ/dP(h) + ln(2 sqrt(n)/delta))/n.

What is paid is the density at h itself, not its mean KL(Q || P), and no expectation over Q has to
be estimated: no Monte-Carlo step. P is the mixture, with weights fixed beforehand, of the Gaussians
on the grid of prior variances, and is at least any one of them times its weight: this is the union.
Where the right side is negative, which by the inequality is as rare as delta, it is replaced by 0.
"""

import hashlib
from functools import partial

import jax
import numpy as np

from simbias._keys import identity_key
from simbias.bounds import pac_bayes
from simbias.bounds.bound import BoundValue, bound, has_initial, independent
from simbias.bounds.descent import Layers
from simbias.bounds.observed import Observed
from simbias.bounds.posterior import Posterior, posterior, posteriors
from simbias.tasks.oracle import Layer


def drawn_once(observed: Observed, network: Posterior) -> Layers:
    """Layers with one output, drawn from the posterior by a key that the sample has no part in.

    The key is made of the numbers of the initialisation in increasing order, whatever the order of
    the units: a network always has the same draw, and networks of other seeds have others.
    """
    starts = [part.ravel() for layer in observed.initial or () for part in layer]
    digest = hashlib.sha256(np.sort(np.concatenate(starts)).tobytes()).hexdigest()
    key = identity_key(f"one draw from the posterior, {digest}", 0)
    layers = []
    for i, (mean, deviation) in enumerate(zip(network.mean, network.deviation, strict=True)):
        keys = jax.random.split(jax.random.fold_in(key, i))
        layers.append(
            Layer(
                *(
                    centre + spread * np.asarray(jax.random.normal(own, centre.shape), np.float64)
                    for centre, spread, own in zip(mean, deviation, keys, strict=True)
                )
            )
        )
    return tuple(layers)


@bound(
    "pac-bayes-disintegrated",
    family="pac-bayes",
    certifies="a drawn network",
    constants="Maurer 2004, theorem 5; change of measure, Markov: Rivasplata et al. 2020",
    assumptions=(independent, has_initial),
    prepare=partial(posteriors, prior="initialisation"),
)
def pac_bayes_disintegrated(observed: Observed, delta: float) -> BoundValue:
    """Maurer and Seeger's bound on one network drawn from the posterior, prior at the start."""
    network = posterior(observed, "initialisation")
    weights = drawn_once(observed, network)
    parts = zip(weights, network.mean, network.deviation, network.centre, strict=True)
    ratio = sum(
        pac_bayes.gaussian_log_ratio(h, mean, deviation**2, centre, pac_bayes.prior_variance(j))
        for j, layers in zip(network.prior, parts, strict=True)
        for h, mean, deviation, centre in zip(*layers, strict=True)
    )
    *hidden, (weight, bias) = weights
    two_logits = Layer(np.column_stack([0 * weight, weight]), np.concatenate([0 * bias, bias]))
    drawn = (*hidden, two_logits)
    error = observed.error(observed.margins_at(observed.x, drawn))
    nats = max(ratio + network.union, 0.0)
    value = pac_bayes.maurer_seeger(error, nats, network.n, delta)
    terms = {
        "training error": error,
        "deviation": value - error,
        "log density ratio": ratio,
        "divergence": network.divergence,
        "union over prior variances": network.union,
        "points": network.n,
    }
    return BoundValue(value, terms, classifier=observed.copy(drawn))
