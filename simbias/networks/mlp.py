"""Fully connected networks: affine layers with one elementwise nonlinearity, ending in logits.

Weights and biases start uniform on +-1/sqrt(fan-in), the default of the code published with Shah
et al. (2020). The module is written in flax nnx and split once: training and validation see a pure
``apply(params, x)`` on a pytree of arrays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from simbias._checks import known, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import Params, PyTree, Settings
from simbias.tasks.oracle import Layer

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky-relu": jax.nn.leaky_relu,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
}


@jax.custom_vjp
def _narrow_product(
    x: Float[Array, "rows units"], kernel: Float[Array, "units classes"]
) -> Float[Array, "rows classes"]:
    """``x @ kernel`` for few classes, with a kernel's gradient that is fast on CPU.

    As a matrix product that gradient has two columns, and XLA's took a sixth of the time of an
    update of one hidden layer; as a weighted sum over rows for each class it is far cheaper.
    """
    return x @ kernel


def _narrow_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ kernel, (x, kernel)


def _narrow_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    sums = [jnp.sum(x * cotangent[:, i, None], axis=0) for i in range(cotangent.shape[1])]
    return cotangent @ kernel.T, jnp.stack(sums, axis=1)


_narrow_product.defvjp(_narrow_forward, _narrow_backward)


class _Module(nnx.Module):
    def __init__(self, sizes: Sequence[int], activation: str, rngs: nnx.Rngs) -> None:
        self.activation = ACTIVATIONS[activation]
        self.layers = nnx.List(
            nnx.Linear(
                inputs,
                outputs,
                kernel_init=_fan_in_uniform(inputs),
                bias_init=_fan_in_uniform(inputs),
                rngs=rngs,
            )
            for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.layers[-1].dot_general = lambda x, kernel, *_, **__: _narrow_product(x, kernel)

    def hidden(self, x: Float[Array, "rows dim"]) -> list[Float[Array, "rows width"]]:
        values = []
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
            values.append(x)
        return values

    def __call__(self, x: Float[Array, "rows dim"]) -> Float[Array, "rows classes"]:
        return self.layers[-1](self.hidden(x)[-1])


def _fan_in_uniform(inputs: int) -> nnx.Initializer:
    bound = 1 / np.sqrt(inputs)

    def initialise(key: Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initialise


@dataclass(frozen=True)
class MLP:
    """A fully connected architecture, FCN(width, depth) in Shah et al. (2020).

    Args:
        width: units of each hidden layer.
        depth: number of hidden layers.
        activation: one of ``relu``, ``leaky-relu``, ``tanh``, ``gelu``.

    Raises:
        ValueError: width or depth < 1, or an unknown activation.

    References:
        H. Shah, K. Tamuly, A. Raghunathan, P. Jain, P. Netrapalli, "The pitfalls of simplicity
        bias in neural networks", NeurIPS 2020.

    Examples:
        >>> import jax
        >>> import simbias
        >>> net = simbias.MLP(width=8, depth=2)
        >>> net.label, net.sizes(dim=4)
        ('(8,2)', (4, 8, 8, 2))
        >>> params = jax.eval_shape(lambda key: net.init(key, (4,)), jax.random.key(0))
        >>> [params["layers"][i]["kernel"].shape for i in range(3)]
        [(4, 8), (8, 8), (8, 2)]
    """

    width: int = 100
    depth: int = 1
    activation: str = "relu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole("width", self.width, most=1_000_000))
        object.__setattr__(self, "depth", whole("depth", self.depth, most=1000))
        known("activation", self.activation, ACTIVATIONS)

    @property
    def settings(self) -> Settings:
        """The values that identify the architecture."""
        return {
            "name": "mlp",
            "width": self.width,
            "depth": self.depth,
            "activation": self.activation,
        }

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        suffix = "" if self.activation == "relu" else f",{self.activation}"
        return f"({self.width},{self.depth}{suffix})"

    def sizes(self, dim: int, classes: int = 2) -> tuple[int, ...]:
        """The number of units of every layer, the input and the logits included."""
        return (dim, *[self.width] * self.depth, classes)

    @pinned
    def init(self, key: Key[Array, ""], shape: tuple[int, ...], classes: int = 2) -> Params:
        """Random parameters: ``{"kernel", "bias"}`` for each layer. Inputs are flattened."""
        sizes = self.sizes(math.prod(shape), classes)
        module = _Module(sizes, self.activation, nnx.Rngs(params=own_key(key)))
        return nnx.to_pure_dict(nnx.state(module, nnx.Param))

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """The logits of a batch (pure)."""
        return self._module(params)(x.reshape(len(x), -1))

    def activations(
        self, params: Params, x: Float[Array, "rows *shape"]
    ) -> list[Float[Array, "rows width"]]:
        """The values of every hidden layer, first layer first (pure)."""
        return self._module(params).hidden(x.reshape(len(x), -1))

    def _module(self, params: Params) -> "_Module":
        layers = params["layers"]
        inputs, classes = layers[0]["kernel"].shape[0], layers[self.depth]["bias"].shape[0]
        graph, shapes = _split(self, inputs, classes)
        state = jax.tree.map(lambda shape: shape, shapes)  # a copy to fill
        nnx.replace_by_pure_dict(state, params)
        module: _Module = nnx.merge(graph, state)
        return module

    def update_flops(self, shape: tuple[int, ...], classes: int = 2) -> int:
        """Floating-point operations of one point's update: three times the forward products.

        The usual count; it includes the gradient of the inputs, which is not computed.
        """
        sizes = self.sizes(math.prod(shape), classes)
        return 6 * sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))

    @pinned
    def from_layers(self, layers: Sequence[Layer]) -> Params:
        """Parameters with the given weights and biases (float32)."""
        return {
            "layers": {
                i: {
                    "kernel": jnp.asarray(layer.weight, jnp.float32),
                    "bias": jnp.asarray(layer.bias, jnp.float32),
                }
                for i, layer in enumerate(layers)
            }
        }

    def to_layers(self, params: Params) -> list[Layer]:
        """Parameters as affine layers, in float64: the inverse of ``from_layers``."""
        layers = params["layers"]
        return [
            Layer(
                np.asarray(layers[i]["kernel"], np.float64),
                np.asarray(layers[i]["bias"], np.float64),
            )
            for i in sorted(layers)
        ]


@lru_cache
def _split(network: MLP, dim: int, classes: int) -> tuple[PyTree, PyTree]:
    """The module's structure, with shapes in place of values."""
    sizes = network.sizes(dim, classes)
    module = nnx.eval_shape(lambda: _Module(sizes, network.activation, nnx.Rngs(params=0)))
    return nnx.split(module)
