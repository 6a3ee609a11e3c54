"""The noise scale of a gradient: the batch at which its noise is as large as what it averages to.

The gradient of a batch of b points is on average G, that of all points, and its noise has the mean
square tr(S) / b, where S is the covariance of the gradients of single points. Both are equal at

    b = tr(S) / |G|^2,

the simple noise scale of S. McCandlish, J. Kaplan, D. Amodei and the OpenAI Dota Team, "An
empirical model of large-batch training" (arXiv 1812.06162, 2018). Where labels are drawn anew for
every batch, G and S follow from the law of the label at each point and the gradients of all its
labels, with no draw.

G is linear in the law of the label. With G_u of uniform labels and G_c of clean ones, alpha uniform
labels for each clean one make it

    G = G_u + (G_c - G_u) / (1 + alpha).

Where all logits are equal G_u is 0, and the noise scale rises as (1 + alpha)^2, as S is about as
large as before. Elsewhere G_u is what takes the network's own logits away, at whatever noise, and
the noise scale levels off. What labels make of the mean is G - G_u, which is 1 / (1 + alpha) of the
clean one exactly: of this part the noise scale is tr(S) / |G - G_u|^2.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from simbias._checks import each, fail, instance, known, whole
from simbias._pinned import lenient, pinned
from simbias._types import Params
from simbias.losses import Loss
from simbias.networks import Network
from simbias.tasks.label_noise import LabelNoise
from simbias.tasks.task import sampler
from simbias.training.cell import Cell
from simbias.training.jobs import initial_params
from simbias.training.problem import drawn, problem_of
from simbias.training.stack import Stack
from simbias.validation.sound import faulty

MOMENTS = ("initial", "final")
PARTS = ("whole", "labels")
_ROWS = 50  # points whose gradients are held at once, for every label each


@pinned
def noise_scale(
    stack: Stack,
    noises: Sequence[LabelNoise] | None = None,
    *,
    moment: str = "initial",
    part: str = "whole",
) -> Float[np.ndarray, "seeds noises"]:
    """The noise scale of each network's gradient, with labels drawn anew for every batch.

    Inputs are those of the network's training set, each once, whatever the form of its noise.

    Args:
        stack: the networks.
        noises: laws of the label; default: that of the stack's cell.
        moment: ``"initial"``, before the first update, or ``"final"``.
        part: of the mean gradient that the noise is held against, ``"whole"``, or ``"labels"``:
            less the mean gradient of uniform labels.

    Returns:
        Points of a batch, (seeds, noises); NaN for networks without finite weights, infinite where
        that part vanishes.

    Raises:
        ValueError: an unknown moment or part, initial parameters that are not known, or noise
            of another number of classes.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> noises = [simbias.tasks.LabelNoise(alpha=alpha) for alpha in (0, 9)]
        >>> clean, noisy = simbias.validation.noise_scale(stack, noises).T
        >>> bool((noisy > 10 * clean).all())
        True
    """
    instance("stack", stack, Stack)
    params = stack.initial if known("moment", moment, MOMENTS) == "initial" else stack.params
    if params is None:
        raise fail("moment", moment, "final: the initial parameters are not known")
    scales = _scales(stack.cell, stack.seeds, params, noises, part)
    scales[faulty(stack)] = np.nan
    return scales


@pinned
def initial_noise_scale(
    cell: Cell,
    seeds: Sequence[int],
    noises: Sequence[LabelNoise] | None = None,
    *,
    part: str = "whole",
) -> Float[np.ndarray, "seeds noises"]:
    """``noise_scale`` before the first update, of networks that need not have been trained.

    Args:
        cell: of the networks.
        seeds: of them.
        noises, part: as there.

    Raises:
        ValueError: an unknown part, or noise of another number of classes.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> initial = simbias.validation.initial_noise_scale(stack.cell, [0, 1])
        >>> bool(np.allclose(initial, simbias.validation.noise_scale(stack)))
        True
    """
    instance("cell", cell, Cell)
    whole_numbers = [whole("seeds", seed, least=0) for seed in seeds]
    params = initial_params(cell, [problem_of(cell, seed) for seed in whole_numbers])
    return _scales(cell, whole_numbers, params, noises, part)


def _scales(
    cell: Cell,
    seeds: Sequence[int],
    params: Params,
    noises: Sequence[LabelNoise] | None,
    part: str,
) -> Float[np.ndarray, "seeds noises"]:
    own = LabelNoise(alpha=0) if cell.label_noise is None else cell.label_noise
    uniform = np.full((cell.task.classes, cell.task.classes), 1 / cell.task.classes)
    less = uniform if known("part", part, PARTS) == "labels" else np.zeros_like(uniform)
    laws = [noise.law(cell.task.classes) for noise in each("noises", noises or [own], LabelNoise)]
    scales = np.full((len(seeds), len(laws)), np.nan)
    for i, seed in enumerate(seeds):
        problem = problem_of(cell, seed)
        points = drawn(
            sampler(cell.task), "train", own.inputs_of(cell.n_train), problem.keys.data, problem.law
        )
        weights = jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i]), params)
        sums, squares = _moments(
            cell.network, cell.loss, cell.task.classes, weights, points.x, points.y
        )
        for place, law in enumerate(laws):
            mean, signal = (
                np.tensordot(of, np.asarray(sums, np.float64), axes=2) / len(points.y)
                for of in (law, law - less)
            )
            second = float((law * np.asarray(squares, np.float64)).sum()) / len(points.y)
            size = float(signal @ signal)
            scales[i, place] = (second - float(mean @ mean)) / size if size else np.inf
    return scales


@partial(jax.jit, static_argnums=(0, 1, 2))
def _moments(
    network: Network,
    loss: Loss,
    classes: int,
    params: Params,
    x: Float[Array, "rows *shape"],
    y: Int[Array, " rows"],
) -> tuple[Float[Array, "classes classes weights"], Float[Array, "classes classes"]]:
    """Sums of the points' gradients and of their squares, by own label and the label given."""

    def gradient(x: Array, label: Array) -> Array:
        def of(params: Params) -> Array:
            return loss.points(network.apply(params, x[None]), label[None])[0]

        return ravel_pytree(jax.grad(of)(params))[0]

    of_labels = jax.vmap(jax.vmap(gradient, in_axes=(None, 0)), in_axes=(0, None))

    def add(
        sums: tuple[Array, Array], block: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        x, own = block
        with lenient():
            gradients = of_labels(x, jnp.arange(classes))
        mean = jnp.einsum("ry,rcw->ycw", own, gradients)
        square = own.T @ (gradients**2).sum(axis=-1)
        return (sums[0] + mean, sums[1] + square), None

    blocks = -(-len(y) // _ROWS)
    spare = blocks * _ROWS - len(y)
    rows = jnp.concatenate([x, jnp.zeros((spare, *x.shape[1:]), x.dtype)])
    # the rows that fill the last block have no label, and so no part in the sums
    own = jax.nn.one_hot(jnp.concatenate([y, jnp.full(spare, -1, y.dtype)]), classes)
    weights = ravel_pytree(params)[0].size
    start = jnp.zeros((classes, classes, weights)), jnp.zeros((classes, classes))
    split = rows.reshape(blocks, _ROWS, *x.shape[1:]), own.reshape(blocks, _ROWS, classes)
    sums, _ = jax.lax.scan(add, start, split)
    return sums
