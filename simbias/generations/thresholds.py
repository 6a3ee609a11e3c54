"""Where a critic fails: the proportion of wrong labels from which on it teaches what is wrong.

The accuracies at several errors of the source cross one half at some place, to be held against
p* = right/(right + wrong). Between two errors nothing was measured. So the interval of the place
goes from the last error whose accuracy is surely above one half to the first where it is surely
below: it is as wide as the grid, or as what seeds differ by where that is more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail
from simbias.stats.student import half_width_of_mean


class CriticThreshold(NamedTuple):
    """Where accuracies cross one half.

    Attributes:
        value: where straight lines through the means over seeds do.
        low, high: the interval: errors of the grid on both sides of the place.

    Examples:
        >>> from simbias.generations import CriticThreshold
        >>> CriticThreshold(0.66, low=0.65, high=0.68).high
        0.68
    """

    value: float
    low: float
    high: float


def critic_threshold(
    errors: Sequence[float],
    accuracies: Float[np.ndarray, "seeds errors"],
    *,
    confidence: float = 0.99,
) -> CriticThreshold:
    """The error at which accuracies cross one half, with an interval over grid and seeds.

    Each mean over seeds has an interval by Student's t, simultaneous over the errors (Bonferroni).
    If accuracy falls as the error of the source rises, the place lies between the last error with
    an interval above one half and the first with one below, with the confidence at least.

    Args:
        errors: of the source, rising.
        accuracies: of each seed at each of them; two seeds or more.
        confidence: of the interval.

    Raises:
        ValueError: errors that do not rise, one seed, or no accuracies that are surely above one
            half before some that are surely below.

    Examples:
        >>> import numpy as np
        >>> from simbias.generations import critic_threshold
        >>> accuracies = np.array([[0.8, 0.5, 0.2], [0.8, 0.6, 0.2], [0.81, 0.55, 0.21]])
        >>> threshold = critic_threshold([0.5, 0.6, 0.7], accuracies)
        >>> round(threshold.value, 3), threshold.low, threshold.high
        (0.614, 0.5, 0.7)
    """
    places = np.asarray(errors, float)
    if len(places) < 2 or not (np.diff(places) > 0).all():
        raise fail("errors", list(errors), "two numbers or more that rise")
    if len(accuracies) < 2:
        raise fail("accuracies", f"{len(accuracies)} seed", "two seeds or more")
    mean = accuracies.mean(axis=0)
    level = 1 - (1 - confidence) / len(places)
    wide = np.array([half_width_of_mean(values, level) for values in accuracies.T])
    wide = np.nan_to_num(wide)  # seeds that do not differ
    above, below = np.flatnonzero(mean - wide > 0.5), np.flatnonzero(mean + wide < 0.5)
    if not len(above) or not len(below) or above[-1] > below[0]:
        allowed = "some surely above one half before some surely below"
        raise fail("accuracies", mean.round(3).tolist(), allowed)
    i = int(np.flatnonzero((mean[:-1] > 0.5) & (mean[1:] <= 0.5))[0])
    part = (mean[i] - 0.5) / (mean[i] - mean[i + 1])
    value = places[i] + part * (places[i + 1] - places[i])
    return CriticThreshold(float(value), float(places[above[-1]]), float(places[below[0]]))
