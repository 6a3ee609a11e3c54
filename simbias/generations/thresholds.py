"""Where a critic fails: the proportion of wrong labels from which on it teaches what is wrong.

The accuracies of a seed at several errors of the source cross one half at some place; the places of
several seeds, which are independent, give an interval, beside p* = right/(right + wrong).
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
        value: mean over seeds.
        half: half-width of its interval by Student's t over seeds; NaN for fewer than two.

    Examples:
        >>> from simbias.generations import CriticThreshold
        >>> CriticThreshold(0.66, half=0.01).half
        0.01
    """

    value: float
    half: float


def critic_threshold(
    errors: Sequence[float],
    accuracies: Float[np.ndarray, "seeds errors"],
    *,
    confidence: float = 0.99,
) -> CriticThreshold:
    """The error at which accuracies cross one half, with its interval over seeds.

    Args:
        errors: of the source, rising.
        accuracies: of each seed at each of them.
        confidence: of the interval.

    Raises:
        ValueError: errors that do not rise, or a seed whose accuracies do not cross one half.

    Examples:
        >>> import numpy as np
        >>> from simbias.generations import critic_threshold
        >>> accuracies = np.array([[0.8, 0.6, 0.2], [0.8, 0.7, 0.2], [0.8, 0.6, 0.3]])
        >>> threshold = critic_threshold([0.5, 0.6, 0.7], accuracies)
        >>> round(threshold.value, 3), round(threshold.half, 3)
        (0.633, 0.043)
    """
    places = np.asarray(errors, float)
    if len(places) < 2 or not (np.diff(places) > 0).all():
        raise fail("errors", list(errors), "two numbers or more that rise")
    crossings = []
    for row in accuracies:
        below = np.flatnonzero((row[:-1] > 0.5) & (row[1:] <= 0.5))
        if not len(below):
            raise fail("accuracies", row.tolist(), "some above one half before some below")
        i = int(below[0])
        part = (row[i] - 0.5) / (row[i] - row[i + 1])
        crossings.append(places[i] + part * (places[i + 1] - places[i]))
    values = np.array(crossings)
    return CriticThreshold(float(values.mean()), half_width_of_mean(values, confidence))
