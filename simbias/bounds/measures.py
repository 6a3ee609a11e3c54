"""Measures: numbers that have been proposed to predict the gap, without proved constants.

Each is oriented so that larger is meant to generalise worse; the selection follows Y. Jiang et al.,
"Fantastic generalization measures and where to find them" (ICLR 2020). Norms are those of the
network with one output, logit 1 - logit 0.
"""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simbias._keys import seed_key
from simbias.bounds.bound import BoundValue, bound, from_log, has_initial
from simbias.bounds.norms import (
    absorbed,
    collapsed,
    log_frobenius_product,
    log_path_norm,
    log_spectral_product,
)
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption
from simbias.networks.mlp import ACTIVATIONS

QUANTILE = 0.1
_ROWS = 4096  # training points of the Hessian: independent draws, so the first are as good as any
_ITERATIONS = 200
_TOLERANCE = 1e-4

measure = partial(bound, certifies="nothing", kind="measure")


def _kernels(observed: Observed) -> list[np.ndarray]:
    return [layer.weight for layer in collapsed(observed.layers)]


def _by_layer(values: Sequence[float]) -> dict[str, float]:
    return {f"layer {i + 1}": value for i, value in enumerate(values)}


@measure("frobenius-product", family="norm", invariant=("permutation", "layer-rescaling"))
def frobenius_product(observed: Observed, delta: float) -> BoundValue:
    """Product over layers of the Frobenius norm of the weights."""
    return from_log(log_frobenius_product(_kernels(observed)), {})


@measure("spectral-product", family="norm", invariant=("permutation", "layer-rescaling"))
def spectral_product(observed: Observed, delta: float) -> BoundValue:
    """Product over layers of the spectral norm of the weights."""
    return from_log(log_spectral_product(_kernels(observed)), {})


@measure("path-norm", family="norm", invariant=("permutation", "unit-rescaling", "layer-rescaling"))
def path_norm(observed: Observed, delta: float) -> BoundValue:
    """Sum over paths, those that begin at a bias included, of the product of |weights|."""
    return from_log(log_path_norm(absorbed(observed.layers)), {})


@measure("l1-norm", family="norm")
def l1_norm(observed: Observed, delta: float) -> BoundValue:
    """Sum of the absolute weights and biases."""
    norms = [sum(float(np.abs(part).sum()) for part in layer) for layer in observed.layers]
    return BoundValue(sum(norms), _by_layer(norms))


@measure("l2-norm", family="norm")
def l2_norm(observed: Observed, delta: float) -> BoundValue:
    """Euclidean norm of all weights and biases."""
    norms = [math.hypot(*map(np.linalg.norm, layer)) for layer in observed.layers]
    return BoundValue(math.hypot(*norms), _by_layer(norms))


@measure("distance-from-initialisation", family="norm", assumptions=(has_initial,))
def distance_from_initialisation(observed: Observed, delta: float) -> BoundValue:
    """Euclidean distance of all weights and biases from where they started."""
    distances = [
        math.hypot(*(np.linalg.norm(a - b) for a, b in zip(layer, start, strict=True)))
        for layer, start in zip(observed.layers, observed.initial or (), strict=True)
    ]
    return BoundValue(math.hypot(*distances), _by_layer(distances))


def _positive_quantile(observed: Observed) -> Assumption:
    """The 10% quantile of the margins is positive."""
    quantile = float(np.quantile(observed.margins, QUANTILE))
    return Assumption("the 10% quantile of the margins is positive", quantile > 0, f"{quantile:g}")


@measure(
    "inverse-margin",
    family="margin",
    assumptions=(_positive_quantile,),
    invariant=("permutation", "layer-rescaling"),
)
def inverse_margin(observed: Observed, delta: float) -> BoundValue:
    """Product of spectral norms times root mean square input norm over the 10% margin quantile."""
    quantile = float(np.quantile(observed.margins, QUANTILE))
    size = float(np.linalg.norm(observed.x)) / math.sqrt(observed.n)
    log_product = log_spectral_product(_kernels(observed))
    terms = {
        "margin quantile": quantile,
        "input norm": size,
        "log10 spectral product": log_product / math.log(10),
    }
    return from_log(log_product + math.log(size / quantile), terms)


@measure("sharpness", family="sharpness")
def sharpness(observed: Observed, delta: float) -> BoundValue:
    """The Hessian eigenvalue of the training loss that is largest in size, in float32.

    Power iteration on Hessian-vector products of the mean cross-entropy over the first 4096
    training points, in all weights and biases.
    """
    layers = [(jnp.float32(weight), jnp.float32(bias)) for weight, bias in observed.layers]
    x, sign = jnp.float32(observed.x[:_ROWS]), jnp.float32(2 * observed.y[:_ROWS] - 1)
    value, steps = jax.device_get(_top_eigenvalue(observed.activation, layers, x, sign))
    return BoundValue(float(value), {"iterations": float(steps)})


_Layers = list[tuple[Array, Array]]  # weight and bias of each
_Carry = tuple[_Layers, Array, Array, Array]  # vector, eigenvalue, its last change, iterations


@partial(jax.jit, static_argnums=0)
def _top_eigenvalue(
    activation: str, layers: _Layers, x: Float[Array, "rows dim"], sign: Float[Array, " rows"]
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    start = jax.tree.map(lambda leaf: jax.random.normal(seed_key(0), leaf.shape), layers)

    def product(vector: _Layers) -> _Layers:
        gradient = jax.grad(partial(_loss, activation, x, sign))
        image: _Layers = jax.jvp(gradient, (layers,), (vector,))[1]
        return image

    def unit(vector: _Layers) -> _Layers:
        norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(vector)))
        scaled: _Layers = jax.tree.map(lambda leaf: leaf / jnp.maximum(norm, 1e-30), vector)
        return scaled

    def step(carry: _Carry) -> _Carry:
        vector, value, _, steps = carry
        image = product(vector)
        pairs = zip(jax.tree.leaves(vector), jax.tree.leaves(image), strict=True)
        quotient = jnp.asarray(sum(jnp.sum(a * b) for a, b in pairs))
        return unit(image), quotient, jnp.abs(quotient - value), steps + 1

    def moving(carry: _Carry) -> Bool[Array, ""]:
        _, value, change, steps = carry
        return (change > _TOLERANCE * jnp.abs(value)) & (steps < _ITERATIONS)

    first = (unit(start), jnp.float32(0), jnp.float32(jnp.inf), jnp.int32(0))
    _, value, _, steps = jax.lax.while_loop(moving, step, first)
    return value, steps


def _loss(
    activation: str, x: Float[Array, "rows _"], sign: Float[Array, " rows"], layers: _Layers
) -> Float[Array, ""]:
    for weight, bias in layers[:-1]:
        x = ACTIVATIONS[activation](x @ weight + bias[None, :])
    weight, bias = layers[-1]
    logits = x @ weight + bias[None, :]
    return jnp.mean(jax.nn.softplus(-sign * (logits[:, 1] - logits[:, 0])))
