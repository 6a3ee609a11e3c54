"""Lineages held against their closed forms, at every generation and measure at once."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from simbias._checks import real
from simbias.generations.expectations import expectations
from simbias.generations.lineages import LineageCell
from simbias.generations.moments import Moments

_LEVEL = 0.99
_ROUNDING = 2e-5  # of float32 sums, in units of the expected value, or of 1 where that is less


class Agreement(NamedTuple):
    """A mean over lineages beside its closed form.

    Attributes:
        measure: by name.
        generation: counted from 1.
        mean, error: over lineages, and its standard error.
        expected: of the mean, by the closed form.
        off: distance of the two in units of the limit; at most 1 where they agree.

    Examples:
        >>> from simbias.generations import Agreement
        >>> Agreement("variance", 3, mean=0.86, error=0.01, expected=0.857, off=0.08).off <= 1
        True
    """

    measure: str
    generation: int
    mean: float
    error: float
    expected: float
    off: float


def agreement(
    parts: Mapping[LineageCell, Mapping[str, Moments]], *, confidence: float = _LEVEL
) -> list[Agreement]:
    """Every mean of some cells beside its closed form, within limits for all of them at once.

    Args:
        parts: moments by measure, for each cell.
        confidence: that all agree where all are right, in (0, 1): each has the level that
            Bonferroni's inequality gives it, and the normal limit of a mean over lineages.

    Returns:
        An entry for each measure and generation with a closed form and a spread over lineages.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        >>> entries = simbias.generations.agreement({cell: moments})
        >>> len(entries), max(entry.off for entry in entries) <= 1
        (32, True)
    """
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    rows: list[tuple[str, int, float, float, float]] = []
    for cell, kept in parts.items():
        for name, form in expectations(cell).items():
            mean, error = kept[name].mean, kept[name].error
            for i in np.flatnonzero(np.isfinite(form) & np.isfinite(error)):
                rows.append((name, int(i) + 1, float(mean[i]), float(error[i]), float(form[i])))
    limit = -float(ndtri((1 - confidence) / (2 * max(len(rows), 1))))
    return [
        Agreement(*row, off=abs(row[2] - row[4]) / (limit * row[3] + _rounding(row[4])))
        for row in rows
    ]


def _rounding(expected: float) -> float:
    return _ROUNDING * max(abs(expected), 1.0)
