"""Tests that are wrong by likely mistakes, which ``calibrate`` has to catch.

Others are settings: testing after every unit with a test whose number of units is fixed in advance
(``peek``), a family without a correction (``correct=uncorrected``), and a criterion whose
``miscoverage`` is 0 although intervals of units miss.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from simulated import PValues

from simbias.claims.criterion import Criterion
from simbias.claims.family import holm
from simbias.claims.inference import p_values


def ambiguous_in_favour(criterion: Criterion, low: ArrayLike, high: ArrayLike) -> PValues:
    """Each verdict from the best reading of every unit, instead of the worst."""
    best, worst = (low, high) if criterion.op == "<=" else (high, low)
    return p_values(criterion, best, best)[0], p_values(criterion, worst, worst)[1]


def ambiguous_as_true(criterion: Criterion, low: ArrayLike, high: ArrayLike) -> PValues:
    """Both verdicts from the best reading of every unit, as if ambiguous units were true."""
    best = low if criterion.op == "<=" else high
    return p_values(criterion, best, best)


def ambiguous_dropped(criterion: Criterion, low: ArrayLike, high: ArrayLike) -> PValues:
    """Each verdict from the unambiguous units, as if there were no others."""
    low, high = np.asarray(low), np.asarray(high)
    # a unit alone has a p-value of 1 on both sides where it is ambiguous
    clear = np.minimum(*p_values(criterion, low[..., None], high[..., None])) < 1
    pairs = [
        p_values(criterion, start[is_clear], stop[is_clear]) if is_clear.any() else (1.0, 1.0)
        for start, stop, is_clear in zip(low, high, clear, strict=True)
    ]
    supported, refuted = np.array(pairs).T
    return supported, refuted


def uncorrected(p_values: Sequence[tuple[float, float]], alpha: float) -> list[str]:
    """Every claim of a family as if it were alone."""
    return [holm([pair], alpha)[0] for pair in p_values]
