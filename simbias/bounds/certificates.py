"""Certificates: upper confidence limits of the error from k errors in n held-out points.

All are one-sided at confidence 1 - delta but the beta-binomial one, which is two-sided and holds at
all n at once. Sources: W. Hoeffding (JASA 1963); A. Maurer and M. Pontil, "Empirical Bernstein
bounds and sample variance penalization" (COLT 2009), theorem 4; H. Chernoff (1952); C. Clopper and
E. Pearson (Biometrika 1934), Langford's test-set bound (JMLR 2005); H. Robbins (1970) for the
mixture.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import rel_entr, xlog1py, xlogy

from simbias._checks import fail
from simbias._types import Elementwise, Holds
from simbias.bounds.bound import BoundValue, bound, has_held_out
from simbias.bounds.observed import HeldOut, Observed
from simbias.bounds.record import Assumption
from simbias.stats.beta_mixture import log_mixture
from simbias.stats.binomial import upper_limit
from simbias.stats.bisection import bracket

_HALVINGS = 100


def kl(q: ArrayLike, p: ArrayLike) -> Elementwise:
    """The binary relative entropy q ln(q/p) + (1 - q) ln((1 - q)/(1 - p)), elementwise (nats)."""
    q, p = np.asarray(q, np.float64), np.asarray(p, np.float64)
    nats: Elementwise = rel_entr(q, p) + rel_entr(1 - q, 1 - p)
    return nats


def kl_inverse(q: ArrayLike, c: ArrayLike) -> Elementwise:
    """The largest p in [q, 1] with kl(q || p) <= c, elementwise, rounded up.

    Args:
        q: a proportion in [0, 1].
        c: nats, >= 0; infinity gives 1.

    Returns:
        The upper bracket of a bisection, so never below the exact value.

    Raises:
        ValueError: an argument out of range, NaN included.
    """
    q, c = np.broadcast_arrays(np.asarray(q, np.float64), np.asarray(c, np.float64))
    if not ((0 <= q) & (q <= 1)).all():
        raise fail("q", float(q.ravel()[0]), "numbers in [0, 1]")
    if not (c >= 0).all():
        raise fail("c", float(c.ravel()[0]), "numbers >= 0")
    return _upper(lambda p: kl(q, p) > c, q)


def _upper(over: Callable[[Elementwise], Holds], low: Float[np.ndarray, "..."]) -> Elementwise:
    """Where ``over`` turns true between ``low`` and 1: the upper bracket."""
    return bracket(over, low, np.ones_like(low), _HALVINGS)[1][()]


def hoeffding_limit(k: float, n: int, delta: float) -> float:
    """k/n + sqrt(ln(1/delta)/2n)."""
    limit: float = k / n + np.sqrt(np.log(1 / delta) / (2 * n))
    return limit


def empirical_bernstein_limit(k: float, n: int, delta: float) -> float:
    """k/n + sqrt(2V ln(2/delta)/n) + 7 ln(2/delta)/(3(n - 1)), V the unbiased variance.

    Notes:
        With probability 1 - delta/2 each, Bernstein's inequality gives a deviation of at most
        sqrt(2 v l/n) + l/(3n), l = ln(2/delta) and v the true variance, and the self-bounding
        property of the sample variance gives sqrt(v) <= sqrt(V) + sqrt(2l/(n - 1)). Together the
        terms without V are l (2/sqrt(n(n - 1)) + 1/(3n)) <= 7l/(3(n - 1)).
    """
    log, variance = np.log(2 / delta), k * (n - k) / (n * (n - 1))
    limit: float = k / n + np.sqrt(2 * variance * log / n) + 7 * log / (3 * (n - 1))
    return limit


def chernoff_kl_limit(k: float, n: int, delta: float) -> float:
    """The largest p with kl(k/n || p) <= ln(1/delta)/n."""
    return float(kl_inverse(k / n, np.log(1 / delta) / n))


def clopper_pearson_limit(k: float, n: int, delta: float) -> float:
    """The p at which k or fewer errors in n have probability delta."""
    return float(upper_limit(k, n, delta))


def beta_binomial_limit(k: float, n: int, delta: float) -> float:
    """The largest p at which the mixture likelihood ratio is below 1/delta.

    Notes:
        The ratio B(1/2 + k, 1/2 + n - k)/(B(1/2, 1/2) p^k (1 - p)^(n - k)) is a nonnegative
        martingale of mean 1 in n when errors have probability p, so it ever reaches 1/delta with
        probability at most delta (Ville): the limit holds at every n at once.
    """
    mixed = log_mixture(k, n)

    def excluded(p: Elementwise) -> Holds:
        reached: Holds = mixed - xlogy(k, p) - xlog1py(n - k, -p) >= np.log(1 / delta)
        return reached

    return float(_upper(excluded, np.asarray(k / n)))


def _two_held_out(observed: Observed) -> Assumption:
    """At least two held-out points, for a variance."""
    points = 0 if observed.held_out is None else observed.held_out.points
    return Assumption(
        "at least two held-out points, for a variance", points >= 2, f"{points} points"
    )


def _limit_value(
    limit: Callable[[float, int, float], float], observed: Observed, delta: float
) -> BoundValue:
    """An upper limit of the error on the held-out points, with its terms."""
    k, n = observed.held_out or HeldOut(0, 0)
    value = float(limit(k, n, delta))
    return BoundValue(value, {"held-out error": k / n, "deviation": value - k / n})


_ANY = ("permutation", "unit-rescaling", "layer-rescaling")  # only labels are read


@bound(
    "hoeffding",
    family="held-out",
    kind="certificate",
    constants="Hoeffding 1963",
    assumptions=(has_held_out,),
    invariant=_ANY,
    layers=False,
)
def hoeffding(observed: Observed, delta: float) -> BoundValue:
    """Hoeffding's limit on held-out points."""
    return _limit_value(hoeffding_limit, observed, delta)


@bound(
    "empirical-bernstein",
    family="held-out",
    kind="certificate",
    constants="Maurer and Pontil 2009, theorem 4",
    assumptions=(has_held_out, _two_held_out),
    invariant=_ANY,
    layers=False,
)
def empirical_bernstein(observed: Observed, delta: float) -> BoundValue:
    """Maurer and Pontil's limit from the sample variance on held-out points."""
    return _limit_value(empirical_bernstein_limit, observed, delta)


@bound(
    "chernoff-kl",
    family="held-out",
    kind="certificate",
    constants="Chernoff 1952",
    assumptions=(has_held_out,),
    invariant=_ANY,
    layers=False,
)
def chernoff_kl(observed: Observed, delta: float) -> BoundValue:
    """The relative-entropy limit on held-out points."""
    return _limit_value(chernoff_kl_limit, observed, delta)


@bound(
    "clopper-pearson",
    family="held-out",
    kind="certificate",
    constants="Clopper and Pearson 1934",
    assumptions=(has_held_out,),
    invariant=_ANY,
    layers=False,
)
def clopper_pearson(observed: Observed, delta: float) -> BoundValue:
    """The exact binomial limit on held-out points."""
    return _limit_value(clopper_pearson_limit, observed, delta)


@bound(
    "beta-binomial",
    family="held-out",
    kind="certificate",
    constants="Robbins 1970",
    assumptions=(has_held_out,),
    invariant=_ANY,
    layers=False,
)
def beta_binomial(observed: Observed, delta: float) -> BoundValue:
    """The limit on held-out points that holds at every number of points at once."""
    return _limit_value(beta_binomial_limit, observed, delta)
