"""How large a size must be for a target accuracy, and the power by which that size grows.

A size is a number of points, or of points in a batch. Seeds are independent, sizes of one seed are
not, as their training sets are nested: a curve is fitted to each seed by itself, and intervals are
Student's over seeds.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from simbias._checks import fail, real
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width_of_mean

_CLIP = 1e-4  # of accuracies, so that their probits are finite


class PowerLaw(NamedTuple):
    """A power law y = c x^exponent, a line in logarithms.

    Attributes:
        exponent: mean over seeds of the slopes of their least-squares lines, with its interval.
        intercept: log c, the mean over seeds.
        seeds: how many have a line.
    """

    exponent: Estimate
    intercept: float
    seeds: int


def needed_size(
    sizes: Float[np.ndarray, " sizes"],
    accuracies: Float[np.ndarray, "sizes seeds"],
    target: float,
) -> Float[np.ndarray, " seeds"]:
    """The size at which each seed's accuracy crosses a target on its way up.

    The curve is a least-squares line of the accuracy's probit in the logarithm of the size.

    Args:
        sizes: at least two, in any order.
        accuracies: in [0, 1].
        target: in (0, 1).

    Returns:
        NaN for a seed whose line does not rise or crosses beyond the sizes, where nothing was seen.

    Raises:
        ValueError: fewer than two sizes, or a target outside (0, 1).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.needed import needed_size
        >>> sizes = np.array([100.0, 200.0, 400.0])
        >>> needed_size(sizes, np.array([[0.6], [0.8], [0.92]]), target=0.8).round()
        array([202.])
    """
    real("target", target, 0, 1, open_low=True, open_high=True)
    if len(np.unique(sizes)) < 2:
        raise fail("sizes", sizes.tolist(), "at least two")
    slope, mean, middle = _lines(np.log(sizes), ndtri(accuracies.clip(_CLIP, 1 - _CLIP)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        places = np.exp(middle + (ndtri(target) - mean) / slope)
    seen = (slope > 0) & (places >= sizes.min()) & (places <= sizes.max())
    return np.where(seen, places, np.nan)


def power_law(
    x: Float[np.ndarray, " places"], y: Float[np.ndarray, "places seeds"], confidence: float
) -> PowerLaw:
    """The power of x that y grows as.

    Args:
        x: at least two different numbers > 0.
        y: numbers > 0 of each seed; a seed with one that is NaN has no line.
        confidence: of the exponent's interval, Student's over seeds; NaN ends with fewer than two.

    Raises:
        ValueError: fewer than two different x.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.needed import power_law
        >>> x = np.array([1.0, 2.0, 4.0])
        >>> law = power_law(x, np.stack([3 * x**2, 3 * x**2.2], axis=1), confidence=0.95)
        >>> round(float(law.exponent.value), 3), law.seeds
        (2.1, 2)
    """
    if len(np.unique(x)) < 2:
        raise fail("x", x.tolist(), "at least two different numbers")
    whole = y[:, np.isfinite(y).all(axis=0)]
    if not whole.shape[1]:
        return PowerLaw(Estimate(*map(np.asarray, (np.nan,) * 3)), np.nan, 0)
    slope, mean, middle = _lines(np.log(x), np.log(whole))
    half = half_width_of_mean(slope, confidence)
    value = slope.mean()
    ends = map(np.asarray, (value, value - half, value + half))
    return PowerLaw(Estimate(*ends), float((mean - slope * middle).mean()), len(slope))


def _lines(
    x: Float[np.ndarray, " places"], y: Float[np.ndarray, "places seeds"]
) -> tuple[Float[np.ndarray, " seeds"], Float[np.ndarray, " seeds"], float]:
    """Slopes and means of least-squares lines, and the middle of x."""
    deviations = x - x.mean()
    return deviations @ y / (deviations @ deviations), y.mean(axis=0), float(x.mean())
