"""What is exactly true of additions and ablations, whatever the activations: from two moments.

An addition h + c v is a translation: it can be undone, keeps the differences of points and leaves
none where it was. A directional ablation h - v vᵀh (v of length 1) is a projection: it is
idempotent, loses a dimension, and leaves alone what has no part along v. Neither is the other.
"""

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real
from simbias._types import AnyArray


def unit(vector: Float[AnyArray, " units"]) -> Float[np.ndarray, " units"]:
    """A vector divided by its length, float64.

    Raises:
        ValueError: one of length 0, or with entries that are not finite.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> simbias.directions.unit(np.array([3.0, 4.0]))
        array([0.6, 0.8])
    """
    v = np.asarray(vector, np.float64)
    length = np.linalg.norm(v)
    if not np.isfinite(length) or length == 0:
        raise fail("direction", f"one of norm {length:g}", "a finite one of norm > 0")
    scaled: Float[np.ndarray, " units"] = v / length
    return scaled


def residual_of_addition(
    covariance: Float[AnyArray, "units units"], direction: Float[AnyArray, " units"]
) -> float:
    """How far the best addition is from the ablation of a direction, mean squared: Var(vᵀh).

    With any vector a added, E|(h + a) - (h - v vᵀh)|² = E|a + v vᵀh|², which is least at a =
    -v E(vᵀh), where the variance of vᵀh is left. No addition imitates the ablation unless the
    projection is constant; and the best one moves the projection to 0 on average, as it does.

    Args:
        covariance: of the activations.
        direction: what is ablated, of any length > 0.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> simbias.directions.residual_of_addition(np.diag([4.0, 1.0]), np.array([2.0, 0.0]))
        4.0
    """
    v = unit(direction)
    return float(v @ np.asarray(covariance, np.float64) @ v)


def residual_of_ablation(
    covariance: Float[AnyArray, "units units"],
    direction: Float[AnyArray, " units"],
    dose: float,
    mean: Float[AnyArray, " units"] | None = None,
) -> float:
    """How far the best ablation is from an addition of a length, mean squared.

    An ablation of u about a point m is h - u uᵀ(h - m). Its distance from h + c v, |v| = 1, is

        E|c v + u uᵀ(h - m)|² = c² + 2 c (uᵀv) uᵀ(μ - m) + (uᵀ(μ - m))² + uᵀ S u

    with the mean μ and covariance S of h. The best m has uᵀ(μ - m) = -c uᵀv, and what is left is
    c² + uᵀ(S - c² v vᵀ) u, least over u of length 1 at **R(c) = c² + λ_min(S - c² v vᵀ)**. It is 0
    only where the projection vᵀh is constant, and rises to that projection's variance with c. An
    ablation through the origin has m = 0, and completing the square gives
    c² + λ_min(S + (μ + c v)(μ + c v)ᵀ - c² v vᵀ), which is no less.

    Args:
        covariance: of the activations.
        direction: what is added, of any length > 0.
        dose: the length c of what is added.
        mean: of the activations, for ablations through the origin; None: about any point.

    Raises:
        ValueError: a dose that is no number, or a direction of norm 0.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> covariance, v = np.diag([4.0, 1.0]), np.array([1.0, 0.0])
        >>> [simbias.directions.residual_of_ablation(covariance, v, dose) for dose in (0, 1, 2, 9)]
        [1.0, 2.0, 4.0, 4.0]
    """
    c, v = real("dose", dose), unit(direction)
    form = np.asarray(covariance, np.float64) - c**2 * np.outer(v, v)
    if mean is not None:
        moved = np.asarray(mean, np.float64) + c * v
        form = form + np.outer(moved, moved)
    return float(c**2 + np.linalg.eigvalsh(form)[0])
