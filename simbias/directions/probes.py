"""Probes: softmax regressions on activations, linear or with one hidden layer, many at once.

Activations are whitened on the draw of the fit (their principal components, each divided by its
standard deviation), so that what lies in directions of little variance counts as much: a probe says
what a layer holds, and not what stands out in it. Probes descend by Adam (optax) with a cosine
schedule, on batches.

References: G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes",
2016; J. Hewitt, P. Liang, "Designing and interpreting probes with control tasks", EMNLP 2019.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from simbias._checks import known
from simbias._pinned import lenient
from simbias._types import AnyArray, Params

UNITS = {"linear": 0, "shallow": 64}  # of the hidden layer of a probe
_STEPS, _BATCH, _RATE, _RIDGE = 1000, 200, 0.01, 1e-4
_SMALLEST = 1e-4  # of the greatest standard deviation: components below it are left out


class Problem(NamedTuple):
    """What a probe is fitted to, and the activations that it is asked about.

    Attributes:
        hidden: activations of the fit.
        target: the class of each row.
        counts: 1 for the rows that count in the fit, 0 for others.
        fresh: activations to be classified.

    Examples:
        >>> import jax
        >>> import numpy as np
        >>> from simbias.directions.probes import Problem, classify
        >>> hidden = np.random.default_rng(0).normal(size=(500, 2))
        >>> target = (hidden[:, 0] > 0).astype(np.int32)
        >>> problem = Problem(hidden, target, np.ones(500, np.float32), hidden)
        >>> (told,) = classify([problem], jax.random.key(0), classes=2)
        >>> bool((told == target).mean() > 0.97)
        True
    """

    hidden: Float[AnyArray, "rows units"]
    target: Int[AnyArray, " rows"]
    counts: Float[AnyArray, " rows"]
    fresh: Float[AnyArray, "fresh units"]


def classify(
    problems: list[Problem], key: Key[Array, ""], *, classes: int, probe: str = "linear"
) -> Int[np.ndarray, "problems fresh"]:
    """The class that a probe of each problem gives to its fresh rows.

    Args:
        problems: of equal shapes.
        key: of the start of a hidden layer and of the batches, the same for all problems.
        classes: how many there are.
        probe: one of ``UNITS``.

    Raises:
        ValueError: an unknown probe.
    """
    units = UNITS[known("probe", probe, UNITS)]
    whitened = [_whitened(problem) for problem in problems]
    stacked = Problem(*(np.stack(parts) for parts in zip(*whitened, strict=True)))
    return np.asarray(_classified(stacked, key, units, classes))


def _whitened(problem: Problem) -> Problem:
    mean = problem.hidden.mean(axis=0)
    centred = problem.hidden - mean
    variance, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    scale = np.sqrt(variance.clip(0))[::-1]
    kept = scale > _SMALLEST * max(scale.max(initial=0), np.finfo(np.float32).tiny)
    inverse = np.where(kept, 1 / np.where(kept, scale, 1.0), 0.0)
    turned = axes[:, ::-1] * inverse[None]
    fit, fresh = (
        ((values - mean) @ turned).astype(np.float32) for values in (problem.hidden, problem.fresh)
    )
    return Problem(fit, problem.target, problem.counts, fresh)


@partial(jax.jit, static_argnums=(2, 3))
def _classified(stacked: Problem, key: Array, units: int, classes: int) -> Array:
    descent = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS))
    key_start, key_order = jax.random.split(key)

    def logits(params: Params, rows: Array) -> Array:
        if units:
            rows = jax.nn.relu(rows @ params["first"] + params["offset"][None])
        scores: Array = rows @ params["kernel"] + params["bias"][None]
        return scores

    def fitted(problem: Problem) -> Array:
        width = problem.hidden.shape[1]
        params = {
            "kernel": jnp.zeros((units or width, classes)),
            "bias": jnp.zeros(classes),
        }
        if units:
            first = jax.random.normal(key_start, (width, units)) * np.float32((2 / width) ** 0.5)
            params |= {"first": first, "offset": jnp.zeros(units)}

        def loss(params: Params, chosen: Array) -> Array:
            each = optax.softmax_cross_entropy_with_integer_labels(
                logits(params, problem.hidden[chosen]), problem.target[chosen]
            )
            counts = problem.counts[chosen]
            weights = sum(jnp.sum(params[name] ** 2) for name in params if name != "bias")
            mean: Array = jnp.sum(each * counts) / jnp.maximum(jnp.sum(counts), 1)
            return mean + _RIDGE * weights / 2

        def step(carry: tuple[Params, Params], key: Array) -> tuple[tuple[Params, Params], None]:
            params, state = carry
            chosen = jax.random.randint(key, (_BATCH,), 0, len(problem.hidden))
            gradient = jax.grad(loss)(params, chosen)
            with lenient():
                updates, state = descent.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), None

        keys = jax.random.split(key_order, _STEPS)
        (params, _), _ = jax.lax.scan(step, (params, descent.init(params)), keys)
        return jnp.argmax(logits(params, problem.fresh), axis=1)

    told: Array = jax.lax.map(fitted, stacked)
    return told
