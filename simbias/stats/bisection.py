"""Where a condition turns true, by halving a bracket."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simbias._types import Elementwise, Holds


def bracket(
    beyond: Callable[[Elementwise], Holds],
    low: ArrayLike,
    high: ArrayLike,
    halvings: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The last of brackets within which a condition turns true, elementwise.

    Args:
        beyond: the condition: false up to somewhere in the bracket, true from there on.
        low, high: the first bracket, (*shape,); the condition is not asked there.
        halvings: how often it is halved.

    Returns:
        Its ends: the condition is false at the lower one and true at the upper one, where these
        have moved.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    for _ in range(halvings):
        middle = (low + high) / 2
        over = beyond(middle)
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return low, high
