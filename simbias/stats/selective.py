"""Answering only where one is sure: a threshold whose risk held-out points certify.

A classifier answers where its lead, the greatest score less the second, reaches a threshold, and
abstains elsewhere: selective classification (Y. Geifman and R. El-Yaniv, "Selective classification
for deep neural networks", NeurIPS 2017, arXiv 1705.08500, whose bisection pays for each of its
steps). Here thresholds are fixed before the held-out points are seen, and tested in a fixed order
at the full delta each: A. Angelopoulos et al., "Learn then test" (arXiv 2110.01052).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from simbias._checks import fail, real, whole
from simbias.stats.binomial import lower_limit, upper_limit


class Answering(NamedTuple):
    """Where to answer, and what the held-out points say of it.

    Attributes:
        threshold: the certified one; infinity where none is, and nothing is answered.
        points: held-out points that are answered.
        errors: those that are answered wrongly.
        proportion, low, high: of answered points, with an interval that holds for all thresholds
            at once, and so for the certified one; 0, 0, 0 where none is, which is exact.
    """

    threshold: float
    points: int
    errors: int
    proportion: float
    low: float
    high: float


def least_points(allowed_risk: float, delta: float) -> int:
    """The fewest answered points that certify a risk: without an error, (1 - risk)^points <= delta.

    Raises:
        ValueError: a number outside (0, 1).

    Examples:
        >>> from simbias.stats.selective import least_points
        >>> least_points(allowed_risk=0.01, delta=0.05)
        299
    """
    risk = real("allowed_risk", allowed_risk, 0, 1, open_low=True, open_high=True)
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    return int(np.ceil(np.log(delta) / np.log1p(-risk)))


def thresholds_of(
    leads: Float[np.ndarray, " rows"], first: float, levels: int
) -> Float[np.ndarray, " thresholds"]:
    """Thresholds at which evenly spaced proportions of points are answered, the fewest first.

    Args:
        leads: of points other than the held-out ones; NaN where there is none, never answered.
        first: the least proportion, in (0, 1].
        levels: how many proportions, from the least to 1.

    Returns:
        Leads that occur, strictly decreasing: at most ``levels``, fewer where leads are tied.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.selective import thresholds_of
        >>> thresholds_of(np.linspace(0.1, 1, 10), first=0.2, levels=3)
        array([0.9, 0.5, 0.1])
    """
    first = real("first", first, 0, 1, open_low=True)
    known = np.sort(leads[~np.isnan(leads)])[::-1].astype(np.float64)
    if not len(known):
        return known
    proportions = np.linspace(first, 1, whole("levels", levels))
    last = np.minimum(np.ceil(proportions * len(leads) - 1e-9), len(known)).astype(int) - 1
    return np.unique(known[last])[::-1]


def certify_answers(
    leads: Float[np.ndarray, " rows"],
    wrong: Bool[np.ndarray, " rows"],
    thresholds: Float[np.ndarray, " levels"],
    allowed_risk: float,
    delta: float,
) -> Answering:
    """The last threshold, from the first on, up to which all certify the allowed risk.

    Let a point be answered at t where its lead is >= t, and let R(t) be the probability of an error
    given that it is answered; of a t that answers with probability 0, R(t) is not defined. Of the
    thresholds t_1 > t_2 > ... in turn, a(t) held-out points are answered, e(t) of them wrongly, and
    t passes where the Clopper-Pearson limit of e(t) in a(t) at level delta is <= the allowed risk
    r, that is P(B <= e(t)) <= delta for B binomial (a(t), r). Testing ends at the first that does
    not pass; the last before it is certified.

    Certified is: with probability at least 1 - delta over the held-out points, either nothing is
    answered or the threshold has R <= r.

    Proof. Held-out points are independent, and the thresholds do not depend on them. Given which of
    them are answered at t, their errors are independent of probability R(t), whatever their number:
    so e(t) is binomial (a(t), R(t)) given a(t), and where R(t) > r, the probability to pass is at
    most P(P(B <= e) <= delta), e binomial (a(t), R(t)), which is at most delta as e lies above B in
    distribution. With a(t) = 0, the limit is 1 > r and nothing passes; so a t that answers with
    probability 0 passes with probability 0. The mean over a(t) is at most delta too. Let t_j be the
    first threshold with R(t_j) > r, a fixed one. A threshold with R > r is certified only where all
    up to it pass, t_j among them: with probability at most delta, and no union is paid. The
    same holds of R >= r. Leads may be tied: a tie is answered as a whole, in testing and after.

    The statement is about R of the threshold, fixed once the held-out points are seen, not about
    the rate of errors in later samples, nor about the limit at that threshold, which is below r but
    of a threshold that the same points chose. Given only that something was answered, the
    probability of an error may exceed delta, as always where a test must first be passed.

    Args:
        leads: of the held-out points; NaN where a point has none, and is never answered.
        wrong: whether the label is wrong.
        thresholds: strictly decreasing, fixed without the held-out points.
        allowed_risk: r, in (0, 1).
        delta: in (0, 1); the interval of the proportion holds with probability 1 - delta by
            itself, by Clopper-Pearson limits at delta / 2 over the number of thresholds.

    Raises:
        ValueError: thresholds that do not decrease, no points, or a number out of range.

    Examples:
        Of 1000 points a classifier is wrong on those of the least lead:

        >>> import numpy as np
        >>> from simbias.stats.selective import certify_answers
        >>> leads = np.linspace(0, 1, 1000)
        >>> answering = certify_answers(leads, leads < 0.1, np.array([0.5, 0.2, 0.0]), 0.05, 0.05)
        >>> answering.threshold, answering.points, answering.errors
        (0.2, 800, 0)
    """
    risk = real("allowed_risk", allowed_risk, 0, 1, open_low=True, open_high=True)
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    if not len(leads):
        raise fail("leads", "no points", "at least one")
    if np.isnan(thresholds).any() or not (np.diff(thresholds) < 0).all():
        raise fail("thresholds", thresholds.tolist(), "strictly decreasing numbers")
    scored = ~np.isnan(leads)
    answered = _reaching(leads[scored], thresholds)
    errors = _reaching(leads[scored & wrong], thresholds)
    passes = upper_limit(errors, answered, delta) <= risk
    certified = len(passes) if passes.all() else int(passes.argmin())
    if not certified:
        return Answering(np.inf, 0, 0, 0.0, 0.0, 0.0)
    last, each = certified - 1, delta / (2 * len(thresholds))
    points = int(answered[last])
    return Answering(
        threshold=float(thresholds[last]),
        points=points,
        errors=int(errors[last]),
        proportion=points / len(leads),
        low=float(lower_limit(points, len(leads), each)),
        high=float(upper_limit(points, len(leads), each)),
    )


def _reaching(
    leads: Float[np.ndarray, " rows"], thresholds: Float[np.ndarray, " levels"]
) -> Int[np.ndarray, " levels"]:
    """How many leads reach each threshold."""
    counts: Int[np.ndarray, " levels"] = len(leads) - np.searchsorted(
        np.sort(leads), thresholds, "left"
    )
    return counts
