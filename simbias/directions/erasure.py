"""The smallest edit after which no linear probe finds a concept, in closed form (LEACE).

N. Belrose, D. Schneider-Joseph, S. Ravfogel, R. Cotterell, E. Raff, S. Biderman, "LEACE: perfect
linear concept erasure in closed form", NeurIPS 2023.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail
from simbias._types import AnyArray

_SMALLEST = 1e-10  # of the greatest: what eigenvalues and singular values count as 0 below


class Eraser(NamedTuple):
    """An affine edit of activations, h - (h - mean) removeᵀ.

    Attributes:
        mean: of the activations it was fitted to, (units,).
        remove: the part of what departs from the mean that is taken away, an idempotent matrix of
            the concept's rank, (units, units).

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> hidden, y = np.array([[0.0, 1], [2, 1], [4, 5], [6, 1]]), np.array([0.0, 0, 1, 1])
        >>> erased = simbias.directions.leace(hidden, y[:, None])(hidden)
        >>> bool(np.allclose(erased[y == 0].mean(axis=0), erased[y == 1].mean(axis=0)))
        True
    """

    mean: Float[np.ndarray, " units"]
    remove: Float[np.ndarray, "units units"]

    def __call__(self, hidden: Float[np.ndarray, "rows units"]) -> Float[np.ndarray, "rows units"]:
        """Activations after the edit, float64."""
        erased: Float[np.ndarray, "rows units"] = hidden - (hidden - self.mean) @ self.remove.T
        return erased

    @property
    def factors(self) -> tuple[Float[np.ndarray, "units rank"], Float[np.ndarray, "rank units"]]:
        """The matrix in two narrow factors: what is read of activations, and what is written."""
        left, scale, right = np.linalg.svd(self.remove)
        rank = int((scale > 0.5).sum())  # those of an idempotent matrix are 0 or at least 1
        return right[:rank].T, (left[:, :rank] * scale[:rank]).T


def leace(hidden: Float[AnyArray, "rows units"], concept: Float[AnyArray, "rows values"]) -> Eraser:
    """The least edit of activations that leaves them without correlation with a concept.

    Let S be their covariance, C that with the concept, and h -> h - A (h - mean) an affine edit.
    What it leaves of C is C - A C, so it erases where A C = C: then no linear probe does better
    than a constant. Write S = V diag(l) Vᵀ over l > 0, W = V diag(l)^(-1/2) Vᵀ and W⁺ =
    V diag(l)^(1/2) Vᵀ, and M = A W⁺: the mean squared change E|A (h - mean)|² is tr(A S Aᵀ) =
    |M|², and A C = C says M (W C) = C, for C lies in the range of S. With u an orthonormal basis of
    the range of W C, that is M u uᵀ = W⁺ u uᵀ, which fixes one of the two orthogonal parts of
    |M|² = |M u uᵀ|² + |M (I - u uᵀ)|². The least is M = W⁺ u uᵀ, so **A = W⁺ u uᵀ W**. For a
    concept of two values, C is a vector c: A = c cᵀS⁻¹ / (cᵀS⁻¹c), with mean squared change
    |c|² / (cᵀS⁻¹c); ablating c changes cᵀS c / |c|², which is no less by Cauchy and Schwarz.

    All of it is exact on the moments it was fitted to, and approximate on another draw.

    Args:
        hidden: activations.
        concept: numbers of each row, such as an indicator for each value of the concept.

    Raises:
        ValueError: fewer than two rows, or a concept with which nothing is correlated.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> hidden, y = np.array([[0.0, 1], [2, 1], [4, 5], [6, 1]]), np.array([0.0, 0, 1, 1])
        >>> simbias.directions.leace(hidden, y[:, None]).remove.round(3) + 0.0
        array([[0.769, 0.462],
               [0.385, 0.231]])
    """
    h, z = np.asarray(hidden, np.float64), np.asarray(concept, np.float64)
    if len(h) < 2:
        raise fail("hidden", f"{len(h)} rows", "at least 2")
    mean = h.mean(axis=0)
    centred = h - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(h))
    kept = values > _SMALLEST * max(values[-1], 0.0)
    root, basis = np.sqrt(values[kept]), vectors[:, kept]
    cross = centred.T @ (z - z.mean(axis=0)) / len(h)
    whitened = (basis / root).T @ cross  # W C, in the basis of eigenvectors
    left, scale, _ = np.linalg.svd(whitened, full_matrices=False)
    if not scale.size or scale[0] <= _SMALLEST * np.linalg.norm(z.std(axis=0)):
        raise fail("concept", "one with which no activation is correlated", "some correlation")
    left = left[:, scale > _SMALLEST * scale[0]]
    return Eraser(mean, (basis * root) @ left @ left.T @ (basis / root).T)
