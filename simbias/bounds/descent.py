"""The compiled part of PAC-Bayes: a prior learned, a posterior descended, its errors counted.

Every weight and bias of the network with one output (logit difference) is an independent Gaussian.
Weights are drawn anew for every point, by drawing the Gaussian sums that enter the units instead:
exact for a single point (the local reparameterisation of D. Kingma, T. Salimans and M. Welling,
NeurIPS 2015). Given the last hidden layer the output is Gaussian, so the expected 0-1 error is
smooth in mean and deviation and needs no surrogate (F. Biggs and B. Guedj, Entropy 2021); what is
descended is the quadratic bound of M. Perez-Ortiz et al. (JMLR 2021), by Adam.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from simbias._keys import seed_key
from simbias._pinned import lenient
from simbias._types import AnyArray, PyTree
from simbias.bounds.draws import integers, normal
from simbias.bounds.pac_bayes import PRIOR_LARGEST
from simbias.networks.mlp import ACTIVATIONS
from simbias.parallel import over_seeds
from simbias.tasks.oracle import Layer

BATCH = 250
ROWS = 2000  # pairs of weights and a point in one forward pass of the count
_RATE, _RATE_LAST = 1e-2, 3e-5  # of Adam, decaying exponentially
_PRIOR_RATE, _PRIOR_MOMENTUM = 0.1, 0.9
_DEVIATION = 0.03  # of every weight at the start; the prior's too
_DELTA = 0.05  # of the objective: the bound at any other differs by ln(delta)/n

Layers = tuple[Layer, ...]
Noise = tuple[Array, ...]  # of each hidden layer, (rows, units)
Drawn = tuple[Array, Noise]  # the rows of a step, and its noise
Act = Callable[[Array], Array]


class PosteriorProblem(NamedTuple):
    """A network and its sample in float32; rows beyond the n training points are padding.

    Attributes:
        mean: trained layers, one output.
        centre: layers before the first update.
        x: inputs, (rows, dim).
        sign: labels as -1 and 1, (rows,).
        first: position of the first training point of the posterior; those before are the prior's.
        n: training points.
    """

    mean: Layers
    centre: Layers
    x: Float[AnyArray, "rows dim"]
    sign: Float[AnyArray, " rows"]
    first: Int[AnyArray, ""]
    n: Int[AnyArray, ""]


class Free(NamedTuple):
    """The parameters that are optimised; ``log_prior``: ln of each layer's prior variance."""

    mean: Layers
    log_deviation: Layers
    log_prior: Float[Array, " layers"]


class Optimised(NamedTuple):
    """The posterior, the mean of its prior, and errors among the pairs counted."""

    free: Free
    centre: Layers
    wrong: Int[Array, ""]


@lru_cache
def compiled(
    activation: str, pairs: int, devices: tuple[jax.Device, ...]
) -> Callable[[PosteriorProblem, Array, Array], Optimised]:
    """The program for networks of one activation: problems, steps, steps of the prior's network.

    Without steps of its network, the prior is centred at the initialisation.

    Args:
        activation: of the hidden units.
        pairs: of weights and a training point to count errors on, a multiple of ``ROWS``.
        devices: over which networks are laid; on CPU each runs one at a time.
    """
    act = ACTIVATIONS[activation]

    def optimise(problem: PosteriorProblem, steps: Array, prior_steps: Array) -> Optimised:
        keys = jax.random.split(seed_key(0), 3)
        centre = _learn(act, problem, prior_steps, keys[0])
        free = _descend(act, problem, centre, steps, keys[1])
        return Optimised(free, centre, _errors(act, problem, free, pairs, keys[2]))

    return over_seeds(optimise, devices, vectorised=devices[0].platform != "cpu")


def wrong(
    act: Act,
    mean: Layers,
    deviation: Layers,
    x: Float[Array, "rows dim"],
    positive: Bool[Array, " rows"],
    key: Array,
) -> Int[Array, ""]:
    """Errors of the stochastic network, its weights drawn for every row."""
    output = outputs(act, mean, deviation, x, key)
    return jnp.sum((output > 0) != positive, dtype=jnp.int32)


def outputs(
    act: Act, mean: Layers, deviation: Layers, x: Float[Array, "rows dim"], key: Array
) -> Float[Array, " rows"]:
    """The output of the stochastic network on each row, its weights drawn for every row."""
    key_units, key_output = jax.random.split(key)
    output, width = _output(act, mean, deviation, x, _noise(mean, len(x), key_units))
    return output + width * normal(key_output, output.shape)


def _output(
    act: Act, mean: Layers, deviation: Layers, x: Array, noise: Noise
) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    """Mean and deviation of the output, given hidden units drawn for every row."""
    for centre, width, drawn in zip(mean[:-1], deviation[:-1], noise, strict=True):
        entering, spread = _entering(centre, width, x)
        x = act(entering + spread * drawn)
    entering, spread = _entering(mean[-1], deviation[-1], x)
    return entering[:, 0], spread[:, 0]


def _noise(mean: Layers, rows: int, key: Array) -> Noise:
    """The normal draws of every hidden unit on each row."""
    return tuple(
        normal(jax.random.fold_in(key, i), (rows, len(layer.bias)))
        for i, layer in enumerate(mean[:-1])
    )


def _entering(centre: Layer, width: Layer, x: Array) -> tuple[Array, Array]:
    """Mean and deviation of the sums that enter a layer's units, each (rows, units)."""
    variance = x**2 @ width.weight**2 + width.bias[None, :] ** 2
    return x @ centre.weight + centre.bias[None, :], jnp.sqrt(variance)


def _descend(act: Act, problem: PosteriorProblem, centre: Layers, steps: Array, key: Array) -> Free:
    """Adam from the trained weights, on points from ``first`` on."""
    n = (problem.n - problem.first).astype(jnp.float32)

    def objective(free: Free, x: Array, sign: Array, noise: Noise) -> Array:
        deviation = jax.tree.map(jnp.exp, free.log_deviation)
        output, width = _output(act, free.mean, deviation, x, noise)
        error = jnp.mean(jax.scipy.stats.norm.cdf(-sign * output / width))
        half = (_divergence(free, centre) + jnp.log(2 * jnp.sqrt(n) / _DELTA)) / (2 * n)
        return (jnp.sqrt(error + half) + jnp.sqrt(half)) ** 2

    def rate(updates: Array) -> Array:
        done = (updates + 1).astype(jnp.float32) / steps.astype(jnp.float32)
        return _RATE * (_RATE_LAST / _RATE) ** done

    adam = optax.adam(rate)

    def draws(i: Array) -> Drawn:
        key_rows, key_units = jax.random.split(jax.random.fold_in(key, i))
        rows = integers(key_rows, (BATCH,), problem.first, problem.n)
        return rows, _noise(problem.mean, BATCH, key_units)

    def step(i: Array, carry: tuple[Free, PyTree, Drawn]) -> tuple[Free, PyTree, Drawn]:
        free, state, (rows, noise) = carry
        slope = jax.grad(objective)(free, problem.x[rows], problem.sign[rows], noise)
        with lenient():  # it counts in integers
            moves, state = adam.update(slope, state)
        # a step ahead: whatever reads what is drawn in its own step would be made to draw it again
        return optax.apply_updates(free, moves), state, draws(i + 1)

    start = Free(
        problem.mean,
        jax.tree.map(lambda leaf: jnp.full_like(leaf, np.log(_DEVIATION)), problem.mean),
        jnp.full(len(centre), 2 * np.log(_DEVIATION), jnp.float32),
    )
    first = start, adam.init(start), draws(jnp.int32(0))
    free: Free = jax.lax.fori_loop(0, steps, step, first)[0]
    return free


def _divergence(free: Free, centre: Layers) -> Float[Array, ""]:
    """KL of the posterior from the prior, with the prior variances not yet on their grid."""
    total: Float[Array, ""] = jnp.float32(0)
    for i, (mean, log_deviation, prior_mean) in enumerate(
        zip(free.mean, free.log_deviation, centre, strict=True)
    ):
        log_prior = jnp.minimum(free.log_prior[i], np.log(PRIOR_LARGEST))
        for part in (0, 1):
            ratio = 2 * log_deviation[part] - log_prior
            distance = (mean[part] - prior_mean[part]) ** 2 * jnp.exp(-log_prior)
            total += 0.5 * jnp.sum(jnp.exp(ratio) - 1 - ratio + distance)
    return total


def _learn(act: Act, problem: PosteriorProblem, steps: Array, key: Array) -> Layers:
    """The network trained from its initialisation on the prior's points, by SGD with momentum."""

    def loss(layers: Layers, x: Array, sign: Array) -> Array:
        for layer in layers[:-1]:
            x = act(x @ layer.weight + layer.bias[None, :])
        output = x @ layers[-1].weight + layers[-1].bias[None, :]
        return jnp.mean(jax.nn.softplus(-sign * output[:, 0]))

    sgd = optax.sgd(_PRIOR_RATE, _PRIOR_MOMENTUM)

    def step(i: Array, carry: tuple[Layers, PyTree]) -> tuple[Layers, PyTree]:
        layers, state = carry
        rows = integers(jax.random.fold_in(key, i), (BATCH,), jnp.int32(0), problem.first)
        slope = jax.grad(loss)(layers, problem.x[rows], problem.sign[rows])
        change, state = sgd.update(slope, state)
        return optax.apply_updates(layers, change), state

    layers: Layers = jax.lax.fori_loop(0, steps, step, (problem.centre, sgd.init(problem.centre)))[
        0
    ]
    return layers


def _errors(
    act: Act, problem: PosteriorProblem, free: Free, pairs: int, key: Array
) -> Int[Array, ""]:
    """Errors on the posterior's points, drawn with replacement, with one draw of weights each."""
    deviation = jax.tree.map(jnp.exp, free.log_deviation)

    def chunk(total: Array, i: Array) -> tuple[Array, None]:
        key_rows, key_units = jax.random.split(jax.random.fold_in(key, i))
        rows = integers(key_rows, (ROWS,), problem.first, problem.n)
        x, positive = problem.x[rows], problem.sign[rows] > 0
        return total + wrong(act, free.mean, deviation, x, positive, key_units), None

    errors: Int[Array, ""] = jax.lax.scan(chunk, jnp.int32(0), jnp.arange(pairs // ROWS))[0]
    return errors
