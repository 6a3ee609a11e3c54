"""A one-dimensional convolutional network, as in the code published with Shah et al. (2020).

Convolutions with ReLUs keep the length, one hidden layer of as many units as inputs reads all of
their values, and the logits read it. Weights and biases start uniform on +-1/sqrt(fan-in). Each
convolution is a matrix product over windows: XLA's own convolution of 32 channels takes forty times
as long on CPU.
"""

import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from simbias._checks import whole
from simbias.networks.initial import fan_in_linear
from simbias.networks.module import Module


class _Convolutional(nnx.Module):
    def __init__(
        self, inputs: int, classes: int, rngs: nnx.Rngs, filters: int, size: int, depth: int
    ) -> None:
        self.size = size
        channels = [1, *[filters] * (depth - 1)]
        self.convolutions = nnx.List(fan_in_linear(size * c, filters, rngs) for c in channels)
        self.hidden = fan_in_linear(inputs * filters, inputs, rngs)
        self.logits = fan_in_linear(inputs, classes, rngs)

    def __call__(self, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        rows, length = len(x), math.prod(x.shape[1:])
        x = x.reshape(rows, length, 1)
        for convolution in self.convolutions:
            windows = _windows(x, self.size).reshape(rows * length, -1)
            x = nnx.relu(convolution(windows)).reshape(rows, length, -1)
        return self.logits(nnx.relu(self.hidden(x.reshape(rows, -1))))


def _windows(
    x: Float[Array, "rows length channels"], size: int
) -> Float[Array, "rows length values"]:
    """The values around each position, with zeros beyond both ends."""
    length, before = x.shape[1], (size - 1) // 2
    padded = jnp.pad(x, ((0, 0), (before, size - 1 - before), (0, 0)))
    return jnp.concatenate([padded[:, i : i + length] for i in range(size)], axis=2)


def cnn(*, filters: int = 32, kernel_size: int = 7, depth: int = 1, classes: int = 2) -> Module:
    """One-dimensional convolutions with ReLUs, then one hidden layer.

    Args:
        filters: of each convolution.
        kernel_size: inputs that each filter reads.
        depth: number of convolutions.
        classes: number of logits.

    Raises:
        ValueError: a number below 1, or fewer than two classes.

    Examples:
        >>> import jax
        >>> import simbias
        >>> net = simbias.networks.get("cnn", filters=8)
        >>> params = net.init(jax.random.key(0), (20,), 2)
        >>> net.apply(params, jax.numpy.ones((3, 20))).shape
        (3, 2)
    """
    filters, size = whole("filters", filters), whole("kernel_size", kernel_size)
    depth = whole("depth", depth, most=1000)

    def make(shape: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> nnx.Module:
        return _Convolutional(math.prod(shape), classes, rngs, filters, size, depth)

    options = (("filters", filters), ("kernel_size", size), ("depth", depth))
    return Module("cnn", make, classes, options)
