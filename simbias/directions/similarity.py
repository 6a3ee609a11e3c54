"""How alike two layers are, whatever basis their units are in: CKA and Procrustes.

Both compare the activations of two layers on the same points, and are the same after any rotation
of either. CKA compares which points are alike in each; Procrustes turns one layer onto the other.

References: S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of neural network
representations revisited", ICML 2019; L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt,
"Feature selection via dependence maximization", JMLR 2012 (the estimator without bias);
P. Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 1966.
"""

import numpy as np
from jaxtyping import Float

from simbias._checks import fail

Hidden = Float[np.ndarray, "rows units"]
_LEAST = 4  # rows, which the estimator without bias divides by all but three of


def cka(first: Hidden, second: Float[np.ndarray, "rows others"]) -> float:
    """Linear centred kernel alignment of two layers, from estimates without bias.

    With the Gram matrices K and L of the two, their diagonals put to 0, and n points,

        H(K, L) = (tr K L + (1'K 1)(1'L 1)/((n - 1)(n - 2)) - 2/(n - 2) 1'K L 1) / (n (n - 3))

    has the mean of the squared covariance between them, |Cov|², whatever n; the alignment is
    H(K, L) / sqrt(H(K, K) H(L, L)): 1 where one is the other, rotated, scaled and moved, about 0
    where they are independent. The plain one would then be about sqrt(p q / ((n + p)(n + q))) for
    normal layers of p and q units.

    Args:
        first, second: activations on the same points.

    Returns:
        The alignment, at most 1 but for chance; NaN where a layer is constant.

    Raises:
        ValueError: fewer than 4 points, or other numbers of them.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> hidden = np.random.default_rng(0).normal(size=(500, 3))
        >>> turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
        >>> round(simbias.directions.cka(hidden, 2 * hidden @ turn + 1), 12)
        1.0
    """
    a, b = _matching(first, second)
    grams = [hidden @ hidden.T for hidden in (a, b)]
    for gram in grams:
        np.fill_diagonal(gram, 0.0)
    apart, own, others = (_unbiased(grams[i], grams[j]) for i, j in ((0, 1), (0, 0), (1, 1)))
    return float(apart / np.sqrt(own * others)) if own > 0 and others > 0 else np.nan


def _unbiased(first: np.ndarray, second: np.ndarray) -> float:
    """The estimate H of two Gram matrices without diagonals."""
    n = len(first)
    sums = first.sum(axis=0), second.sum(axis=0)
    crossed = sums[0].sum() * sums[1].sum() / ((n - 1) * (n - 2))
    total = np.vdot(first, second) + crossed - 2 / (n - 2) * np.vdot(*sums)
    return float(total / (n * (n - 3)))


def alignment(first: Hidden, second: Hidden) -> Float[np.ndarray, "units units"]:
    """The rotation, or reflection, Q that brings a layer nearest to another: least |A - B Q|.

    With A and B centred and B'A = U S V', it is Q = U V'.

    Args:
        first, second: activations A and B on the same points.

    Raises:
        ValueError: layers of different shapes.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> hidden = np.random.default_rng(0).normal(size=(500, 3))
        >>> simbias.directions.alignment(hidden, hidden[:, ::-1]).round(6) + 0.0
        array([[0., 0., 1.],
               [0., 1., 0.],
               [1., 0., 0.]])
    """
    a, b = _matching(first, second)
    if a.shape != b.shape:
        raise fail("second", f"{b.shape[1]} units", f"{a.shape[1]}, as the first")
    left, _, right = np.linalg.svd(b.T @ a)
    turn: Float[np.ndarray, "units units"] = left @ right
    return turn


def procrustes(
    first: Hidden, second: Hidden, turn: Float[np.ndarray, "units units"] | None = None
) -> float:
    """How much of a layer another one is, once turned: tr(A'B Q) / (|A| |B|), both centred.

    Where Q is fitted to other points, independent layers have about 0, and one that is the other
    rotated has 1. Fitted to the same points it is the sum of singular values of B'A over |A| |B|,
    which for independent normal layers of p units is about 8/(3 pi) sqrt(p/n).

    Args:
        first, second: activations A and B on the same points.
        turn: Q; None: the ``alignment`` of these points.

    Raises:
        ValueError: layers of different shapes.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> hidden = np.random.default_rng(0).normal(size=(500, 3))
        >>> round(simbias.directions.procrustes(hidden, 2 * hidden[:, ::-1] + 1), 12)
        1.0
    """
    turn = alignment(first, second) if turn is None else turn
    a, b = _matching(first, second)
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.vdot(a, b @ turn) / size) if size > 0 else np.nan


def _matching(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both, centred."""
    if len(first) != len(second) or len(first) < _LEAST:
        arrived = f"{len(first)} and {len(second)} points"
        raise fail("first, second", arrived, f"as many, at least {_LEAST}")
    a, b = (np.asarray(hidden, np.float64) for hidden in (first, second))
    return a - a.mean(axis=0), b - b.mean(axis=0)
