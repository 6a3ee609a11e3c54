"""A recurrent network of gated units, as in the code published with Shah et al. (2020).

The inputs are read a few at a time, in their order; the logits read the last state. K. Cho et al.,
"Learning phrase representations using RNN encoder-decoder" (EMNLP 2014); with the bias of the state
inside the reset gate, as in PyTorch, and all weights and biases of a layer uniform on
+-1/sqrt(width), those of the logits too.
"""

import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from simbias._checks import whole
from simbias.networks.initial import fan_in_linear, uniform
from simbias.networks.module import Module


class _Gated(nnx.Module):
    """One layer: from a sequence to the sequence of its states."""

    def __init__(self, inputs: int, width: int, rngs: nnx.Rngs) -> None:
        start = uniform(1 / math.sqrt(width))

        def linear(inputs: int) -> nnx.Linear:
            return nnx.Linear(inputs, 3 * width, kernel_init=start, bias_init=start, rngs=rngs)

        self.read, self.recall = linear(inputs), linear(width)

    def __call__(self, x: Float[Array, "rows steps inputs"]) -> Float[Array, "rows steps width"]:
        width = self.recall.in_features
        state, states = jnp.zeros((len(x), width), x.dtype), []
        for now in jnp.unstack(
            self.read(x), axis=1
        ):  # a loop in the program took half as long again
            recalled = self.recall(state)
            gates = nnx.sigmoid(now[:, : 2 * width] + recalled[:, : 2 * width])
            reset, keep = gates[:, :width], gates[:, width:]
            new = jnp.tanh(now[:, 2 * width :] + reset * recalled[:, 2 * width :])
            state = (1 - keep) * new + keep * state
            states.append(state)
        return jnp.stack(states, axis=1)


class _Recurrent(nnx.Module):
    def __init__(self, classes: int, rngs: nnx.Rngs, width: int, inputs: int, depth: int) -> None:
        self.inputs = inputs
        sizes = [inputs, *[width] * (depth - 1)]
        self.layers = nnx.List(_Gated(size, width, rngs) for size in sizes)
        self.logits = fan_in_linear(width, classes, rngs)

    def __call__(self, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        x = x.reshape(len(x), -1)
        missing = -x.shape[1] % self.inputs
        x = jnp.pad(x, ((0, 0), (0, missing))).reshape(len(x), -1, self.inputs)
        for layer in self.layers:
            x = layer(x)
        return self.logits(x[:, -1])


def gru(*, width: int = 100, inputs: int = 10, depth: int = 1, classes: int = 2) -> Module:
    """Gated recurrent units, which read the inputs a few at a time.

    Args:
        width: units of each layer's state.
        inputs: that are read at a step; the last step is filled up with zeros.
        depth: number of layers.
        classes: number of logits.

    Raises:
        ValueError: a number below 1, or fewer than two classes.

    Examples:
        >>> import jax
        >>> import simbias
        >>> net = simbias.networks.get("gru", width=8)
        >>> params = net.init(jax.random.key(0), (20,), 2)
        >>> net.apply(params, jax.numpy.ones((3, 20))).shape
        (3, 2)
    """
    width, inputs = whole("width", width), whole("inputs", inputs)
    depth = whole("depth", depth, most=1000)

    def make(shape: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> nnx.Module:
        return _Recurrent(classes, rngs, width, inputs, depth)

    options = (("width", width), ("inputs", inputs), ("depth", depth))
    return Module("gru", make, classes, options)
