"""Exact intervals of means of bounded values, here in [0, 1], whatever their law.

There are two, each the narrower where it is used. ``mean_interval`` needs only a mean, possibly
over overlapping pairs (a U-statistic). ``betting_interval`` needs the values themselves, and is the
narrower the less they spread; ``log_capital`` is the capital behind it, which also gives a test
that may stop at any time.
"""

import numpy as np
from jaxtyping import Float, Real
from numpy.typing import NDArray

from simbias._checks import real
from simbias._types import Elementwise, Holds
from simbias.stats import binomial
from simbias.stats.bisection import bracket

_HALVINGS = 45  # of the bracket of a limit of ``mean_interval``
_BETTING_HALVINGS = 30  # of one of ``betting_interval``, where each evaluates all bets
_LEVELS = np.linspace(0, 1, 32)  # of t, over which the bound of a tail is minimised: all hold
BETS = np.sin((np.arange(100) + 0.5) * np.pi / 200) ** 2  # arcsine law, in as many equal parts
_WORK = 2_000_000  # entries of a block of bets


def mean_interval(
    mean: Float[np.ndarray, " *shape"], terms: Real[np.ndarray, " *shape"], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of an expectation p from an average of means of independent terms in [0, 1].

    Args:
        mean: U, the average, over arrangements of the same data, of means of k independent terms
            with expectation p each; NaN gives NaN.
        terms: k.
        confidence: least probability that the two-sided interval covers, in (0, 1).

    Returns:
        Lower and upper limits.

    Notes:
        For a convex f, E f(U) is at most E f of one such mean [1], and that at most E f(B/k) with B
        binomial (k, p): a convex function of one term lies below its chord over [0, 1], so each
        term may be replaced by a Bernoulli one with its expectation. With f(x) = max(x - t, 0) and
        Markov's inequality

            P(U >= u) <= min over t < u of E max(B/k - t, 0) / (u - t),

        which increases with p ([2] has it with squares and cubes); the limits are the p at which it
        is (1 - confidence)/2. It is below Chernoff's exp(-k kl(u, p)), by a seventh of the width in
        the middle, and at u = 0 and 1, where it is (1 - p)^k and p^k, the interval is Clopper and
        Pearson's.

    References:
        [1] W. Hoeffding, "Probability inequalities for sums of bounded random variables" (JASA
        1963), section 5.
        [2] V. Bentkus, "On Hoeffding's inequalities" (Annals of Probability 2004).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.bounded import mean_interval
        >>> low, high = mean_interval(np.array([0.0, 0.5]), np.array([100, 100]), 0.95)
        >>> low.round(4), high.round(4)
        (array([0.    , 0.3851]), array([0.0362, 0.6149]))
    """
    mean, terms = np.broadcast_arrays(np.asarray(mean, float), np.asarray(terms, float))
    both = np.stack([mean, 1 - mean])
    low, of_rest = _lower(both, np.broadcast_to(terms, both.shape), (1 - confidence) / 2)
    return low, 1 - of_rest


def _lower(u: np.ndarray, k: np.ndarray, level: float) -> Float[np.ndarray, "..."]:
    """The lower limit: every p up to it has P(U >= u) <= level."""
    unknown = np.isnan(u)
    flat_u, flat_k = u[~unknown], np.broadcast_to(k, u.shape)[~unknown]
    best = np.full(flat_u.shape, len(_LEVELS) // 2)  # of _LEVELS, where it was least

    def beyond(p: Elementwise) -> Holds:
        # one t for which the bound is small enough will do, and the last one often is
        over = ~np.atleast_1d(_tails(flat_u, flat_k, p, _LEVELS[best, None])[..., 0] <= level)
        again = _tails(flat_u[over], flat_k[over], np.asarray(p)[over], _LEVELS)
        best[over] = again.argmin(axis=-1)
        over[over] = ~(again.min(axis=-1) <= level)
        return over

    low = np.full(u.shape, np.nan)
    low[~unknown], _ = bracket(beyond, np.zeros(flat_u.shape), flat_u, _HALVINGS)
    return low


def _tails(
    u: np.ndarray, k: np.ndarray, p: Elementwise, levels: np.ndarray
) -> Float[np.ndarray, "units levels"]:
    """Bounds of P(U >= u), where p < u, for some t between p and u."""
    u, k, p = u[..., None], k[..., None], np.asarray(p)[..., None]
    last = np.maximum(np.ceil(k * u) - 1, 0)  # t = last/k is the largest in question
    first = np.floor(k * p)
    t = np.floor(first + (last - first) * levels)
    # E max(B - t, 0) = k p P(B' >= t) - t P(B > t), with B binomial (k, p) and B' (k - 1, p)
    above, other = binomial.tail(t + 1, k, p), binomial.tail(t, k - 1, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (k * p * other - t * above) / (k * u - t)
    return np.where(k * u > t, bound, 1.0)


def betting_interval(
    values: Float[np.ndarray, "*shape units"], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of the mean of values in [0, 1], whose number is fixed in advance.

    Args:
        values: NaN among them gives NaN.
        confidence: least probability that the two-sided interval covers, in (0, 1).

    Returns:
        Lower and upper limits, (*shape,).

    Notes:
        A mean p is excluded from below where the capital of ``log_capital`` has reached
        2/(1 - confidence), and from above where that of 1 - values has. The values are independent
        with expectation p each; or they are drawn without replacement from finitely many of mean p,
        for then the product of the factors, the exponential of a sum, is on average no larger than
        with replacement [2, theorem 4].

    References:
        [1] I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting"
        (JRSS B 2024).
        [2] W. Hoeffding, "Probability inequalities for sums of bounded random variables" (JASA
        1963).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.bounded import betting_interval
        >>> low, high = betting_interval(np.full(100, 0.25), 0.95)
        >>> bool(low < 0.25 < high), round(float(high - low), 4)
        (True, 0.0486)
    """
    enough = np.log(2 / (1 - confidence))
    values = np.asarray(values, float)
    return _lower_by_betting(values, enough), 1 - _lower_by_betting(1 - values, enough)


def betting_upper(values: Float[np.ndarray, "*shape units"], delta: float) -> NDArray[np.float64]:
    """What the mean of values in [0, 1] exceeds with probability at most delta: one side alone.

    Args:
        values: as for ``betting_interval``, whose upper limit this is at a confidence of 1 - 2
            delta.
        delta: in (0, 1).

    Returns:
        Upper limits, (*shape,).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.bounded import betting_interval, betting_upper
        >>> values = np.full(100, 0.25)
        >>> bool(betting_upper(values, 0.025) == betting_interval(values, 0.95)[1])
        True
    """
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    return 1 - _lower_by_betting(1 - np.asarray(values, float), np.log(1 / delta))


def _lower_by_betting(
    values: Float[np.ndarray, "*shape units"], enough: float
) -> Float[np.ndarray, "*shape"]:
    unknown = np.isnan(values).any(axis=-1)
    values = np.where(unknown[..., None], 0.0, values)

    def within(mean: Elementwise) -> Holds:
        proportion = np.maximum(mean, np.finfo(float).tiny)[..., None]
        return ~(log_capital(values, proportion, total=True)[..., 0] >= enough)

    low, _ = bracket(within, np.zeros(unknown.shape), values.mean(axis=-1), _BETTING_HALVINGS)
    return np.where(unknown, np.nan, low)


def log_capital(
    gains: Float[np.ndarray, "*shape units"],
    proportion: float | Float[np.ndarray, ""] | Float[np.ndarray, "*shape 1"],
    *,
    total: bool = False,
) -> Float[np.ndarray, "*shape _"]:
    """The logarithm of a gambler's capital against "the mean gain is at most ``proportion``".

    Args:
        gains: in [0, 1].
        proportion: p, in (0, 1).
        total: whether to return the capital after all units only, (*shape, 1).

    Returns:
        Its logarithm after each unit, (*shape, units).

    Notes:
        A gambler who bets the part f of a capital of 1 on a gain v in [0, 1] at the odds 1/p has

            1 - f + f v/p

        afterwards: on average at most 1 where v has an expectation of at most p given the past. So
        the product over units is a supermartingale, and so is its mean over f, here over 100 bets
        in equal parts of the arcsine law: it starts at 1 and ever reaches 1/alpha with probability
        at most alpha [1]. It falls with p for every f. The mixture of bets is the universal
        portfolio of [3], which [4] inverts to intervals.

    References:
        [1] J. Ville, *Étude critique de la notion de collectif* (1939).
        [2] I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting"
        (JRSS B 2024).
        [3] T. Cover, "Universal portfolios" (Mathematical Finance 1991).
        [4] F. Orabona and K.-S. Jun, "Tight concentrations and confidence sequences from the regret
        of universal portfolio" (IEEE Transactions on Information Theory 2024).

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.bounded import log_capital
        >>> log_capital(np.array([1.0, 1.0, 0.0]), 0.5).round(4)
        array([ 0.4055,  0.865 , -0.2076])
    """
    ratio = (gains / proportion - 1)[..., None, :]
    shape = (*np.shape(gains)[:-1], 1 if total else ratio.shape[-1])
    capital = np.full(shape, -np.inf)
    step = max(1, _WORK // ratio.size)
    for start in range(0, len(BETS), step):
        with np.errstate(divide="ignore"):
            factors = np.log1p(BETS[start : start + step, None] * ratio)
        grown = factors.sum(axis=-1, keepdims=True) if total else np.cumsum(factors, axis=-1)
        capital = np.logaddexp(capital, np.logaddexp.reduce(grown, axis=-2))
    log: Float[np.ndarray, "*shape _"] = capital - np.log(len(BETS))
    return log
