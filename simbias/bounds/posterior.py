"""Stochastic networks: Gaussian posteriors optimised for a PAC-Bayes bound, with divergences.

The prior is Gaussian around the stored random initialisation, or around a network trained from it
on the first half of the training set, with a variance for each layer from the data-free grid of
``pac_bayes`` (G. K. Dziugaite and D. Roy, UAI 2017). The posterior starts at the trained weights;
``descent`` optimises it in float32, and its divergence is evaluated here in float64.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from simbias._checks import fail, known
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.bounds import descent
from simbias.bounds.descent import Layers, Optimised, PosteriorProblem
from simbias.bounds.norms import collapsed
from simbias.bounds.observed import Observed
from simbias.bounds.pac_bayes import gaussian_kl, nearest_prior, prior_cost, prior_variance
from simbias.networks.mlp import ACTIVATIONS
from simbias.parallel import devices_for, spread
from simbias.tasks.oracle import Layer

PRIORS = ("initialisation", "first half")
STEPS = 10_000  # of the posterior
PRIOR_STEPS = 4000  # of the network trained on the first half
PAIRS = 1_000_000  # of weights and a training point on which errors are counted
_LEAST_ROWS = 4096  # training sets are padded to powers of two: few shapes to compile


class Posterior(NamedTuple):
    """A stochastic network that draws its weights for every prediction, with its divergence.

    It is a classifier whose scores need a key.

    Attributes:
        mean, deviation: of each weight and bias, with one output, in float64.
        centre: the mean of the prior.
        activation: of the hidden units.
        n: training points that the bound is about: those that the prior has not seen.
        divergence: KL(posterior || prior), nats.
        prior: the layers' points on the grid of prior variances.
        union: nats for having chosen them.
        wrong: errors among the pairs.
        pairs: independent pairs of weights and one of the n points.
    """

    mean: Layers
    deviation: Layers
    centre: Layers
    activation: str
    n: int
    divergence: float
    prior: tuple[int, ...]
    union: float
    wrong: int
    pairs: int

    @property
    def label(self) -> str:
        """Short name for figures."""
        return "stochastic network"

    @property
    def kind(self) -> str:
        """Its scores are logits."""
        return "logits"

    @property
    def stochastic(self) -> bool:
        """It draws weights for every row."""
        return True

    @pinned
    def scores(
        self, x: Float[AnyArray, "rows dim"], key: Key[Array, ""]
    ) -> Float[np.ndarray, "rows classes"]:
        """Two logits, the first 0, with weights drawn for each row."""
        points = jnp.asarray(x, jnp.float32)
        logits = _outputs(self.activation)(
            _float32(self.mean), _float32(self.deviation), points, own_key(key)
        )
        return np.stack([np.zeros(len(points), np.float32), np.asarray(logits)], axis=1)


# posteriors by prior, for as long as the ``Observed`` lives: several bounds share one
_posteriors: WeakKeyDictionary[Observed, dict[str, Posterior]] = WeakKeyDictionary()


def posterior(observed: Observed, prior: str) -> Posterior:
    """The posterior of one network; see ``posteriors``."""
    return posteriors([observed], prior)[0]


@pinned
def posteriors(observations: Sequence[Observed], prior: str) -> list[Posterior]:
    """The posteriors of networks of one shape, optimised side by side and once for each.

    Args:
        observations: networks with their initialisation, of the same sizes and activation.
        prior: one of ``PRIORS``; ``"first half"`` takes two training points at least.

    Raises:
        ValueError: an unknown prior, no initialisation, or too few training points.
    """
    known("prior", prior, PRIORS)
    for observed in observations:
        if observed.initial is None:
            raise fail("observed", "no initialisation", "one with the initialisation")
        if observed.n < 2 and prior == "first half":
            raise fail("observed", "1 training point", "at least 2, for a prior that learns")
    missing = [
        observed for observed in observations if prior not in _posteriors.setdefault(observed, {})
    ]
    if missing:
        optimised = _optimise(missing, prior)
        for i, observed in enumerate(missing):
            _posteriors[observed][prior] = _posterior(
                observed, prior, jax.tree.map(lambda leaf, i=i: leaf[i], optimised)
            )
    return [_posteriors[observed][prior] for observed in observations]


@lru_cache
def _outputs(activation: str) -> Callable[[Layers, Layers, Array, Array], Array]:
    return jax.jit(partial(descent.outputs, ACTIVATIONS[activation]))


def _optimise(observations: Sequence[Observed], prior: str) -> Optimised:
    """NumPy arrays with the networks on the leading axis."""
    devices = devices_for(len(observations))
    program = descent.compiled(observations[0].activation, _pairs(), devices)
    problems = spread([_problem(observed, prior) for observed in observations], devices)
    prior_steps = PRIOR_STEPS if prior == "first half" else 0
    optimised: Optimised = jax.device_get(
        program(problems, jnp.int32(STEPS), jnp.int32(prior_steps))
    )
    return optimised


def _posterior(observed: Observed, prior: str, optimised: Optimised) -> Posterior:
    mean, log_deviation, centre = (
        jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), layers)
        for layers in (optimised.free.mean, optimised.free.log_deviation, optimised.centre)
    )
    deviation = jax.tree.map(np.exp, log_deviation)
    grid = tuple(nearest_prior(float(np.exp(np.float64(log)))) for log in optimised.free.log_prior)
    divergence = sum(
        gaussian_kl(mean[i][part], deviation[i][part] ** 2, centre[i][part], prior_variance(j))
        for i, j in enumerate(grid)
        for part in (0, 1)
    )
    return Posterior(
        mean=mean,
        deviation=deviation,
        centre=centre,
        activation=observed.activation,
        n=observed.n - _seen(observed, prior),
        divergence=divergence,
        prior=grid,
        union=sum(map(prior_cost, grid)),
        wrong=int(optimised.wrong),
        pairs=_pairs(),
    )


def _pairs() -> int:
    return -(-PAIRS // descent.ROWS) * descent.ROWS


def _seen(observed: Observed, prior: str) -> int:
    """Training points that the prior has seen."""
    return observed.n // 2 if prior == "first half" else 0


def _problem(observed: Observed, prior: str) -> PosteriorProblem:
    rows = max(_LEAST_ROWS, 2 ** (observed.n - 1).bit_length())
    x, sign = np.zeros((rows, observed.x.shape[1]), np.float32), np.ones(rows, np.float32)
    x[: observed.n], sign[: observed.n] = observed.x, 2 * observed.y - 1
    orders = _canonical(observed)
    return PosteriorProblem(
        mean=_float32(_permuted(collapsed(observed.layers), orders)),
        centre=_float32(_permuted(collapsed(observed.initial or ()), orders)),
        x=x,
        sign=sign,
        first=np.int32(_seen(observed, prior)),
        n=np.int32(observed.n),
    )


def _float32(layers: Sequence[Layer]) -> Layers:
    float32: Layers = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), tuple(layers))
    return float32


def _canonical(observed: Observed) -> list[np.ndarray]:
    """An order of each hidden layer's units that does not depend on the order they came in.

    Random draws follow the order of the units: in this one, a network and its permutation get the
    same posterior.
    """
    orders: list[np.ndarray] = []
    before = np.arange(observed.x.shape[1])
    for layer, start in zip(observed.layers[:-1], (observed.initial or ())[:-1], strict=True):
        before = np.lexsort((*layer.weight[before], layer.bias, *start.weight[before], start.bias))
        orders.append(before)
    return orders


def _permuted(layers: Sequence[Layer], orders: Sequence[np.ndarray]) -> Layers:
    permuted = list(layers)
    for i, order in enumerate(orders):
        permuted[i] = Layer(permuted[i].weight[:, order], permuted[i].bias[order])
        permuted[i + 1] = Layer(permuted[i + 1].weight[order], permuted[i + 1].bias)
    return tuple(permuted)
