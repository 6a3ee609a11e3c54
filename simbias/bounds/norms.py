"""The algebra that norm-based bounds share: one output, absorbed biases, norms of matrices.

The two logits are collapsed to their difference. Biases are absorbed by a coordinate that is 1 at
every layer, [[W, b], [0, 1]] acting on columns (without the extra row at the last layer): ReLU(1) =
1, so the network is bias-free and positively homogeneous in each matrix.
"""

import math
from collections.abc import Sequence

import numpy as np

from simbias.bounds.observed import Matrix
from simbias.tasks.oracle import Layer

_ROUNDING = 1e-9  # relative, over the error of eigenvalues in float64


def collapsed(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers with one output, logit 1 - logit 0."""
    *hidden, last = layers
    weight, bias = last.weight[:, 1:] - last.weight[:, :1], last.bias[1:] - last.bias[:1]
    return (*hidden, Layer(weight, bias))


def absorbed(layers: Sequence[Layer]) -> list[Matrix]:
    """Bias-free matrices (units, inputs) of the collapsed network, the constant coordinate last."""
    matrices = []
    for layer in collapsed(layers):
        top = np.column_stack([layer.weight.T, layer.bias])
        constant = np.zeros((1, top.shape[1]))
        constant[0, -1] = 1
        matrices.append(np.concatenate([top, constant]))
    matrices[-1] = matrices[-1][:-1]
    return matrices


def spectral_norm(matrix: Matrix) -> float:
    """The largest singular value, rounded up: from all eigenvalues of the Gram matrix.

    Power iteration approaches it from below, which would make an upper bound invalid.
    """
    gram = matrix @ matrix.T if len(matrix) < matrix.shape[1] else matrix.T @ matrix
    return math.sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)) * (1 + _ROUNDING)


def log_path_norm(matrices: Sequence[Matrix]) -> float:
    """ln of the sum over paths from inputs to the output of the product of |weights|."""
    log, h = 0.0, np.ones(matrices[0].shape[1])
    for matrix in matrices:
        h = np.abs(matrix) @ h
        if not h.max() > 0:
            return -math.inf
        log += math.log(h.max())
        h = h / h.max()  # carried in the logarithm: a deep product overflows
    return log + math.log(h.sum())


def log_frobenius_product(matrices: Sequence[Matrix]) -> float:
    """ln of the product of Frobenius norms."""
    return sum(log_norm(float(np.linalg.norm(matrix))) for matrix in matrices)


def log_spectral_product(matrices: Sequence[Matrix]) -> float:
    """ln of the product of spectral norms, rounded up."""
    return sum(log_norm(spectral_norm(matrix)) for matrix in matrices)


def log_norm(norm: float) -> float:
    """ln of a norm; -inf for 0."""
    return math.log(norm) if norm > 0 else -math.inf
