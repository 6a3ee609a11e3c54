"""Laws of initial weights and biases, each for a layer of so many inputs and outputs.

- ``uniform``: weights and biases on +-1/sqrt(inputs), as in the code published with Shah et al.
  (2020).
- ``kaiming``: weights normal of variance 2/inputs, biases 0: K. He, X. Zhang, S. Ren, J. Sun,
  "Delving deep into rectifiers" (ICCV 2015).
- ``xavier``: weights uniform of variance 2/(inputs + outputs), biases 0: X. Glorot, Y. Bengio,
  "Understanding the difficulty of training deep feedforward neural networks" (AISTATS 2010).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

INITIALISATIONS = ("uniform", "kaiming", "xavier")


def uniform(bound: float) -> nnx.Initializer:
    """Numbers between -bound and bound."""

    def initialise(key: Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initialise


def fan_in_uniform(inputs: int, scale: float = 1.0) -> nnx.Initializer:
    """Numbers between -scale/sqrt(inputs) and scale/sqrt(inputs)."""
    return uniform(scale / np.sqrt(inputs))


def fan_in_linear(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    """An affine layer whose weights and biases start so."""
    start = fan_in_uniform(inputs)
    return nnx.Linear(inputs, outputs, kernel_init=start, bias_init=start, rngs=rngs)


def _normal(deviation: float) -> nnx.Initializer:
    def initialise(key: Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32) -> Array:
        return deviation * jax.random.normal(key, shape, dtype)

    return initialise


def initialisers(
    name: str, scale: float, inputs: int, outputs: int
) -> tuple[nnx.Initializer, nnx.Initializer]:
    """Of the weights and of the biases of a layer, both times ``scale``."""
    if name == "kaiming":
        return _normal(scale * math.sqrt(2 / inputs)), nnx.initializers.zeros
    if name == "xavier":
        return uniform(scale * math.sqrt(6 / (inputs + outputs))), nnx.initializers.zeros
    return fan_in_uniform(inputs, scale), fan_in_uniform(inputs, scale)


def variances(name: str, scale: float, sizes: Sequence[int]) -> list[tuple[float, float]]:
    """Of the weights and of the biases of each layer; +-b has variance b^2/3.

    Args:
        name: one of ``INITIALISATIONS``.
        scale: by which initial numbers are multiplied.
        sizes: units of every layer, the input and the output included.
    """
    laws = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        weight, bias = {
            "uniform": (1 / (3 * inputs), 1 / (3 * inputs)),
            "kaiming": (2 / inputs, 0.0),
            "xavier": (2 / (inputs + outputs), 0.0),
        }[name]
        laws.append((scale**2 * weight, scale**2 * bias))
    return laws
