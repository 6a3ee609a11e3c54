"""Fully connected networks: affine layers with one elementwise nonlinearity, ending in logits.

How weights and biases start is said in ``networks/initial.py``. The module is written in flax nnx
and split once: training and validation see a pure ``apply(params, x)`` on a pytree of arrays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from simbias._checks import fail, instance, known, real, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import Params, PyTree, Settings
from simbias.networks.initial import INITIALISATIONS, initialisers, variances
from simbias.tasks.oracle import Layer

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky-relu": jax.nn.leaky_relu,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
}
_SLOPE = 0.25  # where a prelu's starts, one for each hidden layer
_FEW_CLASSES = 3  # most for which sums over rows are faster than a matrix product


@jax.custom_vjp
def _narrow_product(
    x: Float[Array, "rows units"], kernel: Float[Array, "units classes"]
) -> Float[Array, "rows classes"]:
    """``x @ kernel``, with a kernel's gradient that is fast on CPU for two classes as for many.

    As a matrix product that gradient has two columns, and XLA's took a sixth of the time of an
    update of one hidden layer; as a weighted sum over rows for each class it is far cheaper. Each
    further class costs as much again, and ten of them more than their product does.
    """
    return x @ kernel


def _narrow_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ kernel, (x, kernel)


def _narrow_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    if cotangent.shape[1] > _FEW_CLASSES:
        return cotangent @ kernel.T, x.T @ cotangent
    sums = [jnp.sum(x * cotangent[:, i, None], axis=0) for i in range(cotangent.shape[1])]
    return cotangent @ kernel.T, jnp.stack(sums, axis=1)


_narrow_product.defvjp(_narrow_forward, _narrow_backward)


class _Module(nnx.Module):
    def __init__(self, network: "MLP", sizes: Sequence[int], rngs: nnx.Rngs) -> None:
        self.dropout = network.dropout
        self.activation = ACTIVATIONS.get(network.activation)
        layers = []
        for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
            weights, biases = initialisers(network.initialisation, network.scale, inputs, outputs)
            layers.append(
                nnx.Linear(inputs, outputs, kernel_init=weights, bias_init=biases, rngs=rngs)
            )
        self.layers = nnx.List(layers)
        self.layers[-1].dot_general = lambda x, kernel, *_, **__: _narrow_product(x, kernel)
        hidden = sizes[1:-1]
        self.norms = nnx.List(
            nnx.LayerNorm(units, rngs=rngs) for units in hidden if network.layer_norm
        )
        self.prelus = nnx.List(nnx.PReLU(_SLOPE) for _ in hidden if self.activation is None)

    def hidden(
        self, x: Float[Array, "rows dim"], key: Key[Array, ""] | None = None
    ) -> list[Float[Array, "rows width"]]:
        values = []
        for i, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            x = self.norms[i](x) if self.norms else x
            x = self.prelus[i](x) if self.activation is None else self.activation(x)
            if self.dropout and key is not None:
                x = _dropped(x, self.dropout, jax.random.fold_in(key, i))
            values.append(x)
        return values

    def __call__(
        self, x: Float[Array, "rows dim"], key: Key[Array, ""] | None = None
    ) -> Float[Array, "rows classes"]:
        return self.layers[-1](self.hidden(x, key)[-1])


def _dropped(
    x: Float[Array, "rows units"], proportion: float, key: Key[Array, ""]
) -> Float[Array, "rows units"]:
    """Units that are 0 with a probability, to 16 bits, and otherwise divided by the rest of 1.

    Two units share a draw of 32 bits, which takes most of the time.
    """
    rows, units = x.shape
    drawn = jax.random.bits(key, (rows, (units + 1) // 2), jnp.uint32)
    halves = jnp.concatenate([drawn >> 16, drawn & 0xFFFF], axis=1)[:, :units]
    silent = round(proportion * 2**16)
    return jnp.where(halves < silent, 0.0, x / (1 - silent / 2**16))


@dataclass(frozen=True)
class MLP:
    """A fully connected architecture, FCN(width, depth) in Shah et al. (2020).

    Args:
        width: units of each hidden layer.
        depth: number of hidden layers.
        activation: one of ``relu``, ``leaky-relu`` (.01 of what is negative), ``prelu`` (a learned
            multiple of it, one a layer, from .25), ``tanh``, ``gelu``.
        initialisation: law of initial weights, one of ``uniform``, ``kaiming``, ``xavier``.
        scale: by which initial weights and biases are multiplied.
        dropout: proportion of hidden units that are 0 at an update, in [0, 1); those that are left
            are divided by what is left of 1. None are when the network is evaluated.
        layer_norm: whether what goes into the activations is normalised over a layer's units, for
            each point, then multiplied and shifted by learned numbers (J. Ba, J. Kiros, G. Hinton,
            "Layer normalization", 2016).

    Raises:
        ValueError: width or depth < 1, scale <= 0, dropout outside [0, 1), or an unknown name.

    References:
        H. Shah, K. Tamuly, A. Raghunathan, P. Jain, P. Netrapalli, "The pitfalls of simplicity
        bias in neural networks", NeurIPS 2020; N. Srivastava et al., "Dropout", JMLR 2014.

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
    initialisation: str = "uniform"
    scale: float = 1.0
    dropout: float = 0.0
    layer_norm: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole("width", self.width, most=1_000_000))
        object.__setattr__(self, "depth", whole("depth", self.depth, most=1000))
        known("activation", self.activation, (*ACTIVATIONS, "prelu"))
        known("initialisation", self.initialisation, INITIALISATIONS)
        object.__setattr__(self, "scale", real("scale", self.scale, 0, open_low=True))
        object.__setattr__(self, "dropout", real("dropout", self.dropout, 0, 1, open_high=True))
        instance("layer_norm", self.layer_norm, bool)

    def __repr__(self) -> str:
        settings = (f"{k}={v!r}" for k, v in self.settings.items() if k != "name")
        return f"MLP({', '.join(settings)})"

    @property
    def settings(self) -> Settings:
        """The values that identify the architecture: its shape, and departures from what is usual.

        So rows, names and files of networks without them are as if there were none.
        """
        return {
            "name": "mlp",
            "width": self.width,
            "depth": self.depth,
            "activation": self.activation,
            **{name: getattr(self, name) for name in _USUAL if getattr(self, name) != _USUAL[name]},
        }

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        words = {
            "activation": f"{self.activation}",
            "initialisation": f"{self.initialisation}",
            "scale": f"scale {self.scale:g}",
            "dropout": f"dropout {self.dropout:g}",
            "layer_norm": "layer norm",
        }
        usual = {"activation": "relu", **_USUAL}
        departures = [words[name] for name in words if getattr(self, name) != usual[name]]
        return f"({','.join([str(self.width), str(self.depth), *departures])})"

    @property
    def is_layered(self) -> bool:
        """Whether it is evaluated as affine layers with one known function of a unit in between."""
        return self.activation in ACTIVATIONS and not self.layer_norm

    def sizes(self, dim: int, classes: int = 2) -> tuple[int, ...]:
        """The number of units of every layer, the input and the logits included."""
        return (dim, *[self.width] * self.depth, classes)

    @pinned
    def init(self, key: Key[Array, ""], shape: tuple[int, ...], classes: int = 2) -> Params:
        """Random parameters: ``{"kernel", "bias"}`` for each layer. Inputs are flattened."""
        sizes = self.sizes(math.prod(shape), classes)
        module = _Module(self, sizes, nnx.Rngs(params=own_key(key)))
        return nnx.to_pure_dict(nnx.state(module, nnx.Param))

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """The logits of a batch, without dropout (pure)."""
        return self._module(params)(x.reshape(len(x), -1))

    def apply_in_training(
        self, params: Params, x: Float[Array, "rows *shape"], key: Key[Array, ""]
    ) -> Float[Array, "rows classes"]:
        """The logits of a batch with dropout drawn from the key (pure)."""
        return self._module(params)(x.reshape(len(x), -1), key)

    def activations(
        self, params: Params, x: Float[Array, "rows *shape"]
    ) -> list[Float[Array, "rows width"]]:
        """The values of every hidden layer, first layer first, without dropout (pure)."""
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
        """Parameters with the given weights and biases (float32); raises ValueError.

        It does where the network has other parameters, or other functions between its layers.
        """
        self._require_layers()
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
        self._require_layers()
        layers = params["layers"]
        return [
            Layer(
                np.asarray(layers[i]["kernel"], np.float64),
                np.asarray(layers[i]["bias"], np.float64),
            )
            for i in sorted(layers)
        ]

    def _require_layers(self) -> None:
        if not self.is_layered:
            raise fail("network", self.label, "an MLP without layer norm or prelu: affine layers")

    def variances(self, dim: int, classes: int = 2) -> list[tuple[float, float]]:
        """Those of the initial weights and biases of each layer."""
        return variances(self.initialisation, self.scale, self.sizes(dim, classes))


_USUAL = {field.name: field.default for field in fields(MLP)[3:]}


def is_relu(network: object) -> TypeGuard[MLP]:
    """Whether a network is evaluated as affine layers with ReLUs between them, piecewise linear."""
    return isinstance(network, MLP) and network.is_layered and network.activation == "relu"


@lru_cache
def _split(network: MLP, dim: int, classes: int) -> tuple[PyTree, PyTree]:
    """The module's structure, with shapes in place of values."""
    sizes = network.sizes(dim, classes)
    module = nnx.eval_shape(lambda: _Module(network, sizes, nnx.Rngs(params=0)))
    return nnx.split(module)
