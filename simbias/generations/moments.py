"""Moments of measures over lineages, so that ten million numbers are kept as a few."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simbias.generations.lineages import Lineages


class Moments(NamedTuple):
    """Mean and spread of a measure over lineages, generation by generation.

    Attributes:
        counted: lineages that have the measure, (generations,).
        mean: over these; NaN for none.
        squares: sums of squared deviations from the mean.

    Examples:
        >>> import numpy as np
        >>> from simbias.generations import Moments
        >>> moments = Moments(np.array([3]), np.array([2.0]), np.array([2.0]))
        >>> float(moments.deviation[0]), round(float(moments.error[0]), 4)
        (1.0, 0.5774)
    """

    counted: Int[np.ndarray, " generations"]
    mean: Float[np.ndarray, " generations"]
    squares: Float[np.ndarray, " generations"]

    @property
    def deviation(self) -> Float[np.ndarray, " generations"]:
        """Standard deviation over lineages; NaN for fewer than two."""
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = self.squares / np.where(self.counted > 1, self.counted - 1, np.nan)
        return np.sqrt(variance)

    @property
    def error(self) -> Float[np.ndarray, " generations"]:
        """Standard error of the mean."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.deviation / np.sqrt(np.where(self.counted > 0, self.counted, np.nan))


def moments(lineages: Lineages) -> dict[str, Moments]:
    """The moments of every measure of some lineages.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> kept = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        >>> kept["variance"].mean.shape, kept["variance"].counted.tolist()
        ((4,), [300, 300, 300, 300])
    """
    kept = {}
    for name, values in lineages.values.items():
        present = np.isfinite(values)
        count = present.sum(axis=0)
        exact = np.where(present, values, 0.0).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count > 0, exact.sum(axis=0) / count, np.nan)
            squares = (np.where(present, exact - mean, 0.0) ** 2).sum(axis=0)
        kept[name] = Moments(count, mean, squares)
    return kept


def pooled(parts: Sequence[Moments]) -> Moments:
    """The moments of several sets of lineages together.

    Examples:
        >>> import numpy as np
        >>> from simbias.generations import Moments, pooled
        >>> first = Moments(np.array([2]), np.array([0.0]), np.array([2.0]))  # -1 and 1
        >>> second = Moments(np.array([1]), np.array([3.0]), np.array([0.0]))
        >>> both = pooled([first, second])
        >>> both.counted.tolist(), both.mean.tolist(), both.squares.tolist()
        ([3], [1.0], [8.0])
    """
    count = np.sum([part.counted for part in parts], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = [np.where(part.counted > 0, part.counted / count, 0.0) for part in parts]
        means = [np.where(part.counted > 0, part.mean, 0.0) for part in parts]
        mean = np.sum([w * m for w, m in zip(weights, means, strict=True)], axis=0)
        squares = np.sum(
            [
                part.squares + part.counted * (m - mean) ** 2
                for part, m in zip(parts, means, strict=True)
            ],
            axis=0,
        )
    return Moments(count, np.where(count > 0, mean, np.nan), squares)
