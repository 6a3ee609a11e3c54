"""Whether a published number is reproduced: an equivalence test by an interval of the mean.

A number is reproduced where the whole interval of ours lies inside what was published, give or take
the tolerance, and not reproduced where the whole interval lies outside; so with 95% intervals each
of these is said wrongly with probability at most 5%, if the interval holds.

References:
    D. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for
    assessing the equivalence of average bioavailability", Journal of Pharmacokinetics and
    Biopharmaceutics 1987.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simbias._defaults import CONFIDENCE
from simbias._numbers import counted
from simbias.papers.paper import PublishedNumber
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width_of_mean

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
INCONCLUSIVE, NOT_CONVERGED, NOT_RUN = "inconclusive", "not converged", "not run"
OUTCOMES = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, NOT_CONVERGED, NOT_RUN)


class Reproduction(NamedTuple):
    """A published number beside ours.

    Attributes:
        number: as published.
        value: mean over seeds; NaN where there is none.
        low, high: its 95% interval: by Student's t over seeds, which assumes that they vary by a
            normal law; where all seeds have the same value, from the least to the greatest end of
            their own intervals.
        seeds: how many the mean is over.
        outcome: one of ``OUTCOMES``.
        reason: why, in words; empty where it is reproduced.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.stats.estimate import Estimate
        >>> number = simbias.papers.load("pitfalls").exhibits[0].numbers[1]
        >>> measured = Estimate(*np.array([[0.941, 0.942, 0.943]] * 3))
        >>> ours = simbias.papers.judge(number, measured, ["done"] * 3)
        >>> round(ours.low, 4), round(ours.high, 4), ours.outcome
        (0.9395, 0.9445, 'reproduced')
    """

    number: PublishedNumber
    value: float
    low: float
    high: float
    seeds: int
    outcome: str
    reason: str


def judge(number: PublishedNumber, measured: Estimate, statuses: Sequence[str]) -> Reproduction:
    """Hold measurements against a published number.

    Args:
        number: as published.
        measured: of each seed, (seeds,) each; NaN where it was not measured.
        statuses: of every network behind it; "" where it has not ended.

    Returns:
        The reproduction: not run where networks are missing, not converged where the training of
        some did not come to its goal, whatever they measure.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.stats.estimate import Estimate
        >>> number = simbias.papers.load("pitfalls").exhibits[0].numbers[1]
        >>> measured = Estimate(*np.array([[0.91, 0.92]] * 3))
        >>> simbias.papers.judge(number, measured, ["done", "not-converged"]).outcome
        'not converged'
    """
    values = measured.value[np.isfinite(measured.value)]
    mean = float(values.mean()) if len(values) else np.nan
    low, high = _interval(number, measured, values)

    def reproduction(outcome: str, reason: str = "") -> Reproduction:
        return Reproduction(number, mean, low, high, len(values), outcome, reason)

    others = [status for status in statuses if status != "done"]
    if not all(statuses) or not statuses:
        missing = sum(not status for status in statuses)
        return reproduction(NOT_RUN, f"{missing} of {counted(len(statuses), 'network')} missing")
    if others:
        words = ", ".join(
            f"{others.count(status)} of {counted(len(statuses), 'network')} {status}"
            for status in dict.fromkeys(others)
        )
        return reproduction(NOT_CONVERGED, words)
    if len(values) < 2:
        return reproduction(INCONCLUSIVE, f"{counted(len(values), 'seed')} with a value")
    least, most = number.accepted
    if least <= low and high <= most:
        return reproduction(REPRODUCED)
    if high < least or low > most:
        words = f"{least - high:.2g} below" if high < least else f"{low - most:.2g} above"
        return reproduction(NOT_REPRODUCED, f"the interval is {words} what is accepted")
    return reproduction(INCONCLUSIVE, "the interval reaches over an end of what is accepted")


def _interval(
    number: PublishedNumber, measured: Estimate, values: np.ndarray
) -> tuple[float, float]:
    """The interval of the mean, cut at the range of what is measured."""
    if len(values) < 2:
        return np.nan, np.nan
    if np.ptp(values) == 0:
        return float(np.nanmin(measured.low)), float(np.nanmax(measured.high))
    half, (least, most) = half_width_of_mean(values, CONFIDENCE), number.quantity.range()
    mean = float(values.mean())
    return max(mean - half, least), min(mean + half, most)
