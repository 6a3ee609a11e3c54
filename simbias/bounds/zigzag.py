"""Zigzag networks: piecewise linear functions of one coordinate, and the norms of what they make.

Written in JAX, for ``cheapest`` to descend on. A network reads one or several coordinates through
copies of one function, and its output is their mean.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simbias.tasks.oracle import Layer, Rule

_ITERATIONS = 30  # of power iteration: from below, which is enough to descend on

Pairs = list[tuple[Array, Array]]  # weight and bias of each layer


class Function(NamedTuple):
    """A piecewise linear function of one coordinate with the sign of a rule, and scales of units.

    Attributes:
        kinks: increasing, one between each two cuts, (kinks,).
        heights: ln |value| there, (kinks,).
        outer: ln |slope| left of all kinks, and right of them, (2,).
        scales: ln of what enters each unit of a hidden layer over what would without scales,
            (depth, kinks + 1).
    """

    kinks: Float[Array, " kinks"]
    heights: Float[Array, " kinks"]
    outer: Float[Array, " two"]
    scales: Float[Array, "depth units"]


def explicit_function(rule: Rule, depth: int) -> Function:
    """The zigzag of slope 1 that the explicit network computes."""
    cuts = jnp.asarray(rule.cuts, jnp.float32)
    heights = jnp.log(jnp.diff(cuts) / 2)
    scales = jnp.zeros((depth, len(rule.cuts)))
    return Function((cuts[1:] + cuts[:-1]) / 2, heights, jnp.zeros(2), scales)


def scalar_network(function: Function, first: int) -> Pairs:
    """The network of one input and one output that computes a function.

    Args:
        function: of at least one kink.
        first: the rule's label left of all cuts, whose sign the function has there.

    Notes:
        From the middle kink, where the value is the constant, units begin to the right and to the
        left: there with the slope, at each further kink with the change of slope. What enters and
        leaves a unit multiplies to that, in equal parts but for the scales.
    """
    kinks, heights, outer, scales = function
    n, depth = len(kinks), len(scales)
    middle = n // 2
    signs = (1 if first == 1 else -1) * jnp.array(
        [(-1.0) ** i for i in range(1, n + 2)]
    )  # the last: right
    values = signs[:n] * jnp.exp(heights)
    ends = jnp.stack([signs[0], signs[n]]) * jnp.exp(outer)
    slopes = jnp.concatenate([ends[:1], jnp.diff(values) / jnp.diff(kinks), ends[1:]])
    changes = jnp.diff(slopes)
    right = jnp.concatenate([slopes[middle + 1, None], changes[middle + 1 :]])
    left = jnp.concatenate([changes[:middle], -slopes[middle, None]])
    amplitudes = jnp.concatenate([left, right])
    places = jnp.concatenate([kinks[: middle + 1], kinks[middle:]])
    facing = jnp.concatenate([-jnp.ones(middle + 1), jnp.ones(n - middle)])
    part = (jnp.abs(amplitudes) + 1e-12) ** (1 / (depth + 1))
    entering = part * jnp.exp(scales[0])
    layers = [((facing * entering)[None, :], -facing * entering * places)]
    for before, after in zip(scales, scales[1:], strict=False):
        layers.append((jnp.diag(part * jnp.exp(after - before)), jnp.zeros(n + 1)))
    leaving = jnp.sign(amplitudes) * part * jnp.exp(-scales[-1])
    return [*layers, (leaving[:, None], values[middle, None])]


def lifted(function: Pairs, directions: Float[Array, "copies dim"], idle: Pairs) -> Pairs:
    """The network whose logit difference is the mean of a function over some coordinates.

    Args:
        function: weight and bias of each layer; one input, at last one output.
        directions: of the coordinates, orthonormal.
        idle: layers of the network's sizes, from which units that nothing leaves have what enters
            them.
    """
    copies = len(directions)
    (weight, bias), *hidden, (last, constant) = function
    spread = jnp.concatenate([d[:, None] * weight for d in directions], axis=1)
    blocks = [spread, *(jnp.kron(jnp.eye(copies), matrix) for matrix, _ in hidden)]
    biases = [jnp.tile(vector, copies) for vector in (bias, *(v for _, v in hidden))]
    layers = []
    for block, vector, (idle_weight, idle_bias) in zip(blocks, biases, idle, strict=False):
        inputs, active = block.shape
        weights = idle_weight.at[:, :active].set(0.0).at[:inputs, :active].set(block)
        layers.append((weights, idle_bias.at[:active].set(vector)))
    halves = jnp.array([-0.5, 0.5])
    out = jnp.tile(last / copies, (copies, 1)) * halves[None, :]
    zeros = jnp.zeros_like(idle[-1][0])
    return [*layers, (zeros.at[: len(out)].set(out), constant * halves)]


def values(function: Pairs, t: Float[Array, "_ _"]) -> Float[Array, "_ _"]:
    """A function of one coordinate, elementwise."""
    h = t.reshape(-1, 1)
    for weight, bias in function[:-1]:
        h = jax.nn.relu(h @ weight + bias[None, :])
    weight, bias = function[-1]
    return (h @ weight + bias[None, :]).reshape(t.shape)


def pairs(layers: Sequence[Layer]) -> Pairs:
    return [(jnp.float32(layer.weight), jnp.float32(layer.bias)) for layer in layers]


def _one_output(layers: Pairs) -> Pairs:
    """The same layers with one output, logit 1 - logit 0."""
    *hidden, (weight, bias) = layers
    return [*hidden, (weight[:, 1:] - weight[:, :1], bias[1:] - bias[:1])]


def _log_root(square: Array) -> Array:
    return 0.5 * jnp.log(jnp.maximum(square, 1e-30))


def _frobenius(layers: Pairs, initial: Pairs) -> Array:
    return sum((_log_root(jnp.sum(weight**2)) for weight, _ in _one_output(layers)), jnp.zeros(()))


def _spectral(layers: Pairs, initial: Pairs) -> Array:
    def top(weight: Array) -> Array:
        fixed = jax.lax.stop_gradient(weight)

        def iteration(_: int, vector: Array) -> Array:
            image = fixed.T @ (fixed @ vector)
            unit: Array = image / jnp.maximum(jnp.sqrt(jnp.sum(image**2)), 1e-30)
            return unit

        vector = jax.lax.fori_loop(0, _ITERATIONS, iteration, jnp.sum(jnp.abs(fixed), axis=0))
        return _log_root(jnp.sum((weight @ vector) ** 2))

    return sum((top(weight) for weight, _ in _one_output(layers)), jnp.zeros(()))


def _path(layers: Pairs, initial: Pairs) -> Array:
    paths = jnp.ones(layers[0][0].shape[0])
    for weight, bias in _one_output(layers):
        paths = paths @ jnp.abs(weight) + jnp.abs(bias)
    return jnp.log(paths[0])


def _l1(layers: Pairs, initial: Pairs) -> Array:
    sums = (jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(layers))
    return jnp.log(sum(sums, jnp.zeros(())))


def _l2(layers: Pairs, initial: Pairs) -> Array:
    return _log_root(sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(layers)), jnp.zeros(())))


def _distance(layers: Pairs, initial: Pairs) -> Array:
    return _l2(jax.tree.map(jnp.subtract, layers, initial), initial)


# the logarithm of each norm, as ``measures`` has it; those of which units that nothing leaves keep
# their initial weights
NORMS: dict[str, Callable[[Pairs, Pairs], Array]] = {
    "frobenius-product": _frobenius,
    "spectral-product": _spectral,
    "path-norm": _path,
    "l1-norm": _l1,
    "l2-norm": _l2,
    "distance-from-initialisation": _distance,
}
FROM_START = ("distance-from-initialisation",)
