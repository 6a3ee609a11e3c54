"""Several hypotheses at once: Holm's step-down procedure, and when a p-value reaches its level."""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from jaxtyping import Bool, Float

from simbias._types import Holds

_ROUNDING = 1e-9  # relative: a p-value that equals its level in exact arithmetic reaches it


@overload
def reaches(p: float, level: float) -> bool: ...
@overload
def reaches(p: Float[np.ndarray, "*draws"], level: float) -> Bool[np.ndarray, "*draws"]: ...
def reaches(p: float | Float[np.ndarray, "*draws"], level: float) -> bool | Holds:
    """Whether a p-value, or each of an array, is at most a level, rounding aside.

    Examples:
        >>> from simbias.stats.step_down import reaches
        >>> reaches(0.1 + 0.2, 0.3), reaches(0.31, 0.3)
        (True, False)
    """
    return p <= level * (1 + _ROUNDING)


def step_down(
    p_values: Sequence[float], alpha: float, most_true: Callable[[int], int] | None = None
) -> list[int]:
    """The hypotheses that are rejected, any true one with probability at most alpha.

    The smallest p-value is compared with alpha over the number of hypotheses that can be true, the
    next one with alpha over how many can be where that one is false, until one fails.

    Args:
        p_values: one for each hypothesis.
        alpha: probability of any false rejection, in (0, 1).
        most_true: (number that is false) -> how many of the others can be true at most; default:
            all others, as in Holm's procedure.

    Returns:
        Indices, the smallest p-value first.

    References:
        S. Holm, "A simple sequentially rejective multiple test procedure" (Scandinavian Journal of
        Statistics 1979); J. Shaffer, "Modified sequentially rejective multiple test procedures"
        (JASA 1986).

    Examples:
        >>> from simbias.stats.step_down import step_down
        >>> step_down([0.02, 0.01, 0.03], 0.05)
        [1, 0, 2]
        >>> step_down([0.03, 0.01, 0.04], 0.05)
        [1]
    """
    rejected: list[int] = []
    for p, i in sorted((p, i) for i, p in enumerate(p_values)):
        left = len(p_values) - len(rejected) if most_true is None else most_true(len(rejected))
        if not reaches(p, alpha / left):
            break
        rejected.append(i)
    return rejected
