"""Sets of labels that miss the right one rarely, with a probability that is chosen: PAC sets.

Source: S. Park, O. Bastani, N. Matni and I. Lee, "PAC confidence sets for deep neural networks via
calibrated prediction" (ICLR 2020, arXiv 2001.00106); V. Vovk, "Conditional validity of inductive
conformal predictors" (ACML 2012) for the same as a tolerance region (S. Wilks, 1941).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real
from simbias.stats.binomial import upper_limit


class Reach(NamedTuple):
    """How far behind the best a label may be and still stand in the set.

    Attributes:
        reach: the least that is certified; infinity where only the set of all labels is.
        missed: held-out points whose label stands outside.
    """

    reach: float
    missed: int


def certify_reach(gaps: Float[np.ndarray, " rows"], allowed_missing: float, delta: float) -> Reach:
    """The least reach whose sets miss the right label with at most the allowed probability.

    The gap of a label is how far its score is behind the greatest; the set of reach t holds the
    labels whose gap is <= t, and misses the right one where G, the gap of that label, is > t.
    Let k be the largest number whose Clopper-Pearson limit in m points at level delta is <= the
    allowed probability eps, that is P(B <= k) <= delta for B binomial (m, eps). Certified is T, the
    (m - k)-th smallest of m held-out gaps, which leaves at most k of them outside; where there is
    no such k, infinity.

    Certified is: with probability at least 1 - delta over the held-out points, P(G > T) <= eps.

    Proof. Let t* be the least t with P(G > t) <= eps, which is attained since P(G > t) is
    continuous from the right; then P(G >= t*) >= eps, as P(G > t) > eps for all t < t*. The
    statement fails only where T < t*. Then at least m - k gaps lie below t*, so at most k of them
    reach it, which are binomial (m, P(G >= t*)): with probability at most P(B <= k) <= delta. Gaps
    may be tied; sets are nested, so the same reaches pass as in testing them in a fixed order from
    the largest down, and no points are needed to fix them.

    Args:
        gaps: of the right labels of held-out points, >= 0; 0 of one whose set is of all labels.
        allowed_missing: eps, in (0, 1).
        delta: in (0, 1).

    Raises:
        ValueError: no points, gaps that are not numbers >= 0, or a number out of range.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.prediction_sets import certify_reach
        >>> certify_reach(np.arange(100.0), 0.1, delta=0.05)
        Reach(reach=95.0, missed=4)
    """
    missing = real("allowed_missing", allowed_missing, 0, 1, open_low=True, open_high=True)
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    if not len(gaps) or not (gaps >= 0).all():
        raise fail("gaps", f"{len(gaps)} of them", "numbers >= 0, at least one")
    limits = upper_limit(np.arange(len(gaps) + 1), len(gaps), delta)
    passing = int((limits <= missing).sum())  # limits increase
    if not passing:
        return Reach(np.inf, 0)
    reach = np.sort(gaps)[len(gaps) - passing]  # k is passing - 1
    return Reach(float(reach), int((gaps > reach).sum()))
