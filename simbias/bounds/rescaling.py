"""Rescalings that leave a network of ReLUs the function it is, and the one of least weights.

A unit is positively homogeneous: what enters it, its bias included, may be multiplied by c > 0 and
what leaves it divided by c. Norms that are not invariant to this say as much of the representative
as of the function.
"""

from collections.abc import Sequence

import numpy as np

from simbias._checks import each, fail
from simbias.tasks.oracle import Layer

_SWEEPS = 300
_CLOSE = 1e-9  # change of a logarithm of c, at which a sweep is the last


def balanced(layers: Sequence[Layer]) -> list[Layer]:
    """The same function with the least sum of squared weights that rescaling its units gives.

    Args:
        layers: affine maps with ReLUs between them.

    Returns:
        Layers in which the weights and the bias that enter a unit have the Euclidean norm of the
        weights that leave it; a unit that nothing enters, or nothing leaves, stays as it is.

    Raises:
        ValueError: shapes that do not chain.

    Notes:
        With I_k and O_k the squared norms of what enters and leaves unit k, the sum is least in its
        c alone at c^4 = O_k/I_k. As a function of all log c the sum is one of exponentials, so
        convex, and sweeps over the layers descend to its least value. It is never larger than
        before.

    References:
        P. Stock, B. Graham, R. Gribonval, H. Jegou, "Equi-normalization of neural networks",
        ICLR 2019.

    Examples:
        A unit whose incoming weights have norm 2, and outgoing ones 1/2:

        >>> import numpy as np
        >>> from simbias.bounds.rescaling import balanced
        >>> from simbias.tasks.oracle import Layer
        >>> layers = [Layer(np.array([[2.0]]), np.zeros(1)), Layer(np.array([[0.5]]), np.zeros(1))]
        >>> [float(layer.weight[0, 0]) for layer in balanced(layers)]
        [1.0, 1.0]
    """
    layers = each("layers", layers, Layer)
    for before, after in zip(layers, layers[1:], strict=False):
        if before.weight.shape[1] != len(after.weight):
            arrived = f"{len(after.weight)} inputs after {before.weight.shape[1]} units"
            raise fail("layers", arrived, "as many inputs of a layer as units before it")
    weights = [np.array(layer.weight, np.float64) for layer in layers]
    biases = [np.array(layer.bias, np.float64) for layer in layers]
    for _ in range(_SWEEPS):
        largest = 0.0
        for i in range(len(layers) - 1):
            entering = (weights[i] ** 2).sum(axis=0) + biases[i] ** 2
            leaving = (weights[i + 1] ** 2).sum(axis=1)
            alive = (entering > 0) & (leaving > 0)
            log = np.log(np.where(alive, leaving, 1)) - np.log(np.where(alive, entering, 1))
            c = np.exp(log / 4)
            weights[i], biases[i] = weights[i] * c, biases[i] * c
            weights[i + 1] = weights[i + 1] / c[:, None]
            largest = max(largest, float(np.abs(log).max(initial=0.0)))
        if largest < _CLOSE:
            break
    return [Layer(*parts) for parts in zip(weights, biases, strict=True)]
