"""Layers as affine maps in NumPy float64, for what is computed exactly of a network."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from simbias.tasks.oracle import Layer

_SQRT_2_OVER_PI = np.sqrt(2 / np.pi)

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda h: np.maximum(h, 0),
    "leaky-relu": lambda h: np.where(h > 0, h, 0.01 * h),
    "tanh": np.tanh,
    "gelu": lambda h: 0.5 * h * (1 + np.tanh(_SQRT_2_OVER_PI * (h + 0.044715 * h**3))),
}


def head_inputs(
    layers: Sequence[Layer], x: Float[np.ndarray, "rows dim"], activation: str = "relu"
) -> Float[np.ndarray, "rows units"]:
    """What the last layer takes of points: the values of the last hidden units, or the points."""
    for layer in layers[:-1]:
        x = ACTIVATIONS[activation](x @ layer.weight + layer.bias)
    return x
