"""When a network leaves the bias: the first check from which on its select error stays low."""

import numpy as np
from jaxtyping import Bool, Float

EXCESS = 0.01  # over the achievable risk: the boundary is reached


def first_update(
    updates: Float[np.ndarray, " checks"], holds: Bool[np.ndarray, " checks"]
) -> float:
    """The update of the first check at which something holds; inf where it never does."""
    return float(updates[np.argmax(holds)]) if holds.any() else np.inf


def settled(holds: Bool[np.ndarray, " checks"]) -> Bool[np.ndarray, " checks"]:
    """Whether something holds at a check and at all later ones."""
    return np.logical_and.accumulate(holds[::-1])[::-1]
