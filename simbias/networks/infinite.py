"""Kernels of fully connected networks of ReLUs whose hidden layers are infinitely wide.

At initialisation each logit is then a Gaussian process of the inputs (J. Lee et al., "Deep neural
networks as Gaussian processes", ICLR 2018). A layer's units are independent given the layer below,
so that pre-activations u at x and u' at x' have the covariance, layer by layer,

    k_1 = w_1 x.x'/dim + b_1,    k_{l+1} = w_{l+1} E[relu(u) relu(u')] + b_{l+1},

where w is the variance of a weight times the layer's inputs and b that of a bias; of Gaussian u, u'
of variances a, a' and correlation cos t

    E[relu(u) relu(u')] = sqrt(a a') (sin t + (pi - t) cos t)/(2 pi),
    E[1(u > 0) 1(u' > 0)] = (pi - t)/(2 pi)

(Y. Cho, L. Saul, "Kernel methods for deep learning", NIPS 2009). Gradient descent on numbers of
variance 1, of which each weight and bias is its deviation times one, moves a logit as its tangent
kernel says (A. Jacot, F. Gabriel, C. Hongler, "Neural tangent kernel", NeurIPS 2018): the product
of gradients, which is k_1 for one layer; one more adds the k of its own weights and bias, and
passes the gradients of those below through its weights and the steps of its units,

    t_1 = k_1,    t_{l+1} = k_{l+1} + w_{l+1} E[1(u > 0) 1(u' > 0)] t_l.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_TINY = 1e-300
_BLOCK = 2**15  # entries that are computed together: they stay in a core's cache
Laws = Sequence[tuple[float, float]]  # of each layer: w and b


def laws_of(variances: Sequence[tuple[float, float]], sizes: Sequence[int]) -> Laws:
    """The w and b of layers of these variances of a weight and of a bias (``MLP.variances``)."""
    return [
        (weight * inputs, bias) for (weight, bias), inputs in zip(variances, sizes, strict=False)
    ]


def relu_kernel(
    x: Float[np.ndarray, "rows dim"],
    other: Float[np.ndarray, "others dim"],
    laws: Laws,
    *,
    tangent: bool = False,
) -> Float[np.ndarray, "rows others"]:
    """The covariance of one logit at two sets of points, or its tangent kernel, in float64.

    Args:
        x, other: inputs.
        laws: w and b of every layer, that of the logits included.
        tangent: whether the tangent kernel is asked for.
    """
    (weight, bias), *hidden = laws
    scale = weight / x.shape[1]
    kernel: Float[np.ndarray, "rows others"] = scale * (x @ other.T) + bias
    first, second = (scale * (points**2).sum(axis=1) + bias for points in (x, other))
    rows = max(_BLOCK // len(other), 1)
    for i in range(0, len(x), rows):
        _deepen(kernel[i : i + rows], first[i : i + rows], second, hidden, tangent)
    return kernel


def _deepen(
    kernel: Float[np.ndarray, "rows others"],
    first: Float[np.ndarray, " rows"],
    second: Float[np.ndarray, " others"],
    hidden: Laws,
    tangent: bool,
) -> None:
    """From the covariance of the first layer to what is asked of the last, in place.

    Args:
        kernel: the covariance, which is overwritten.
        first, second: the variances at both sets of points.
        hidden: w and b of the layers that read hidden units.
        tangent: whether the tangent kernel is asked for.
    """
    moved = kernel.copy() if tangent else kernel
    for weight, bias in hidden:
        # a point of no size has no direction, and no covariance
        across = np.sqrt(np.maximum(first, _TINY))[:, None]
        along = np.sqrt(np.maximum(second, _TINY))[None]
        kernel /= across
        kernel /= along
        np.clip(kernel, -1, 1, out=kernel)  # the cosine of t
        angle = np.arccos(kernel)
        sine = np.sin(angle)
        rest = np.subtract(math.pi, angle, out=angle)
        kernel *= rest
        kernel += sine
        kernel *= weight / (2 * math.pi) * across
        kernel *= along
        kernel += bias
        if tangent:
            rest *= weight / (2 * math.pi)
            moved *= rest
            moved += kernel
        first, second = weight * first / 2 + bias, weight * second / 2 + bias
    kernel[...] = moved
