"""When a network leaves the simple rule: the first check after which its select error stays low."""

import numpy as np
from jaxtyping import Bool, Float

EXCESS = 0.01  # over the achievable risk, below which the boundary counts as reached


def first_update(
    updates: Float[np.ndarray, " checks"], holds: Bool[np.ndarray, " checks"]
) -> float:
    """The update of the first check at which ``holds`` is true; inf where it never is."""
    return float(updates[np.argmax(holds)]) if holds.any() else np.inf


def settled(holds: Bool[np.ndarray, " checks"]) -> Bool[np.ndarray, " checks"]:
    """Whether ``holds`` is true at a check and at all later ones."""
    return np.logical_and.accumulate(holds[::-1])[::-1]
