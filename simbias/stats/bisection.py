"""The point where a condition turns true, by bisection."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from simbias._types import Elementwise, Holds


def bracket(
    beyond: Callable[[Elementwise], Holds], low: ArrayLike, high: ArrayLike, halvings: int
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """The bracket within which a condition turns true, after some halvings, elementwise.

    Args:
        beyond: the condition: false up to some point of the bracket, true from there on.
        low, high: the first bracket, (*shape,); the condition is not evaluated at its ends.
        halvings: number of halvings.

    Returns:
        Its lower and upper end: the condition is false at the lower and true at the upper one,
        unless these are the ends of the first bracket.

    Examples:
        >>> from simbias.stats.bisection import bracket
        >>> low, high = bracket(lambda x: x**2 >= 2, 1, 2, halvings=10)
        >>> float(low), float(high)
        (1.4140625, 1.4150390625)
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    for _ in range(halvings):
        middle = (low + high) / 2
        over = beyond(middle)
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return low, high
