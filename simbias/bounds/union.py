"""Unions over data-free geometric grids, and the best margin on such a grid.

A bound that is proved for a fixed number holds at once for every number on the grid 1.1^k, k any
integer, when the confidence is shared: point k gets the weight (|k| + 1)^-2/(pi^2/3 - 1), and
sum_k (|k| + 1)^-2 = 2 pi^2/6 - 1. A number that a bound increases in is rounded up to the grid.
"""

import math
from collections.abc import Callable

import numpy as np

from simbias.bounds.observed import Vector

STEP = 1.1
LOG_STEP = math.log(STEP)
_LEAST = -500  # exponent below which a norm is rounded up to 1.1^-500, some 2e-21
_TOTAL = math.pi**2 / 3 - 1


def log_weight(k: int) -> float:
    """ln of the proportion of the confidence that point k gets; they add up to 1."""
    return -2 * math.log(abs(k) + 1) - math.log(_TOTAL)


def above(log_value: float) -> int:
    """The least k with ln 1.1^k >= ``log_value``; -inf is allowed."""
    least = log_value / LOG_STEP
    return _LEAST if least < _LEAST else math.ceil(least)


def ramp_loss(margins: Vector, margin: float) -> float:
    """Mean of the ramp: 1 at margins <= 0, 0 from ``margin`` on, linear between."""
    return float(np.clip(1 - margins / margin, 0, 1).mean())


def margin_error(margins: Vector, margin: float) -> float:
    """Proportion of the margins <= ``margin``."""
    return float(np.mean(margins <= margin))


def median_margin(margins: Vector) -> float:
    """The margin that at least half the points reach."""
    return float(np.sort(margins)[len(margins) // 2])


def best_margin(
    margins: Vector,
    log_scale: float,
    loss: Callable[[Vector, float], float],
    log_complexity: Callable[[int], float],
    confidence: Callable[[int], float],
) -> tuple[float, dict[str, float]]:
    """The least loss + complexity + confidence over the margins scale 1.1^-k up to the median.

    Every point of the grid is covered by the union, so the choice among them is free. At a margin
    that more than half the points miss, the loss alone says nothing, and the sum would hide how
    large the complexity is.

    Args:
        margins: of the training points; the median is positive.
        log_scale: ln of the norm product that the margin is measured in; 0 for plain margins.
        loss: ``ramp_loss`` or ``margin_error``.
        log_complexity: ln of the complexity at k, increasing in k.
        confidence: the confidence term at k.

    Returns:
        ln of the value, and its terms.
    """
    k = above(log_scale - math.log(median_margin(margins)))
    best, terms = math.inf, {}
    while (log_cost := log_complexity(k)) < best:
        margin = math.exp(log_scale - k * LOG_STEP)
        margin_loss, excess = loss(margins, margin), confidence(k)
        log_rest = math.log(margin_loss + excess) if margin_loss + excess > 0 else -math.inf
        log_value = float(np.logaddexp(log_cost, log_rest))
        if log_value < best:
            best = log_value
            with np.errstate(over="ignore"):
                complexity = float(np.exp(log_cost))
            terms = {
                "margin loss": margin_loss,
                "complexity": complexity,
                "confidence": excess,
                "margin": margin,
            }
        k += 1
    return best, terms
