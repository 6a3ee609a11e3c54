"""Whether a number prefers the network that generalises, of two that fit the training set.

Structural risk minimisation takes the network of the least bound. It leads to a network that
matches the labels beyond the training set only if the bound is smaller on such a network than on
one that memorises; that a bound is valid, or vacuous, says nothing of it. Pairs of networks of one
architecture and sample size are held against each other, and each number says which it would take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import each, fail, known, real
from simbias._defaults import CONFIDENCE
from simbias.bounds.record import KINDS
from simbias.stats.binomial import lower_limit, upper_limit

PREFERENCES = ("prefers it", "prefers the other", "undecided")
_EQUAL = 1e-9  # relative difference, up to which two values count as equal
_LOG10 = np.log10(1 + _EQUAL)


class NetworkPair(NamedTuple):
    """Two networks that are held against each other.

    Attributes:
        comparison: to which the pair belongs, in words.
        seeds: of the network that satisfies the conclusion, and of the other; equal where they
            share their data set.
        values: log10 of each number's unclipped value on the network that satisfies it; -inf for
            0, NaN or missing: no value.
        others: the same on the other network.

    Examples:
        >>> from simbias.bounds.preference import NetworkPair
        >>> pair = NetworkPair("explicit", (3, 3), values={"norm": 1.2}, others={"norm": 0.5})
        >>> pair.values["norm"] < pair.others["norm"]
        False
    """

    comparison: str
    seeds: tuple[int, int]
    values: Mapping[str, float]
    others: Mapping[str, float]


@dataclass(frozen=True)
class Preference:
    """How often a number is smaller on the network that satisfies the conclusion.

    Attributes:
        name: of the bound or measure.
        kind: ``"certificate"``, ``"bound"`` or ``"measure"``.
        comparison: the pairs, in words.
        smaller, equal, larger: pairs by the number on the network that satisfies the conclusion,
            beside that on the other; equal to nine digits.
        left_out: pairs in which a network has no such number.
        value, other: medians over pairs of log10 of the number: on the network that satisfies the
            conclusion, and on the other; NaN without pairs.
        low: lower limit of the probability of smaller, to which equal does not count.
        high: upper limit of the probability of smaller or equal.

    Examples:
        >>> from simbias.bounds.preference import Preference
        >>> counts = {"smaller": 0, "equal": 20, "larger": 0, "left_out": 0}
        >>> rest = {"value": 0.3, "other": 0.3, "low": 0.0, "high": 1.0}
        >>> all_equal = Preference("vc", "bound", "explicit", **counts, **rest)
        >>> all_equal.pairs, all_equal.proportion, all_equal.verdict
        (20, 0.5, 'undecided')
    """

    name: str
    kind: str
    comparison: str
    smaller: int
    equal: int
    larger: int
    left_out: int
    value: float
    other: float
    low: float
    high: float

    @property
    def pairs(self) -> int:
        """Pairs of which both networks have the number."""
        return self.smaller + self.equal + self.larger

    @property
    def proportion(self) -> float:
        """Of pairs in which it is smaller, equal ones counted half; NaN without pairs."""
        return (self.smaller + self.equal / 2) / self.pairs if self.pairs else np.nan

    @property
    def verdict(self) -> str:
        """One of ``PREFERENCES``: which network the number prefers more often than not."""
        sides = self.low > 0.5, self.high < 0.5, True
        return PREFERENCES[sides.index(True)]


def prefer(
    pairs: Sequence[NetworkPair],
    kinds: Mapping[str, str],
    *,
    confidence: float = CONFIDENCE,
) -> list[Preference]:
    """Which network each number prefers, in each comparison.

    Args:
        pairs: of any comparisons; within one they are independent of each other.
        kinds: certificate, bound or measure, by name; their order is that of the result.
        confidence: with which all limits hold at once, in (0, 1).

    Returns:
        A preference for each comparison and name, comparisons in the order in which they come.

    Raises:
        ValueError: no pairs, a pair given twice, a number without a kind, or a confidence outside
            (0, 1).

    Notes:
        Given that a pair has both values, it is smaller, equal or larger on the network that
        satisfies the conclusion, independently of other pairs. So the number of smaller ones is
        binomial, and so is that of larger ones. The limits are Clopper and Pearson's, of m numbers
        (those that have pairs, in all comparisons) each at the level (1 - confidence)/(2m): by
        Bonferroni all of them hold at once with probability ``confidence``. A tie counts against
        either preference. Where each pair consists of a network of one group and one of another,
        matched by the order of seeds, pairs are independent because no network is in two.

        A verdict is about the two kinds of networks that are compared: that a number prefers a
        trained network to an explicit one does not exclude a cheaper achievable network.

    References:
        C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case
        of the binomial" (Biometrika 1934).

    Examples:
        >>> from simbias.bounds.preference import NetworkPair, prefer
        >>> pairs = [
        ...     NetworkPair("explicit", (seed, seed), {"norm": 1.2}, {"norm": 0.5})
        ...     for seed in range(20)
        ... ]
        >>> (preference,) = prefer(pairs, {"norm": "measure"})
        >>> preference.larger, preference.verdict, round(preference.high, 3)
        (20, 'prefers the other', 0.168)
    """
    pairs = each("pairs", pairs, NetworkPair)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    _check(pairs, kinds)
    logs = {
        (comparison, name): _logs([pair for pair in pairs if pair.comparison == comparison], name)
        for comparison in dict.fromkeys(pair.comparison for pair in pairs)
        for name in kinds
    }
    compared = sum(bool(len(_complete(values))) for values in logs.values())
    level = (1 - confidence) / (2 * max(compared, 1))
    return [
        _preference(name, kinds[name], comparison, values, level)
        for (comparison, name), values in logs.items()
    ]


def _check(pairs: Sequence[NetworkPair], kinds: Mapping[str, str]) -> None:
    """Raise ValueError for no pairs, a network that is in two of them, or a number of no kind."""
    if not pairs:
        raise fail("pairs", list(pairs), "at least one pair")
    for kind in kinds.values():
        known("kind", kind, KINDS)
    taken = set()
    for pair in pairs:
        for side, seed in enumerate(pair.seeds):
            if (pair.comparison, side, seed) in taken:
                arrived = f"a network of seed {seed} in two pairs of {pair.comparison}"
                raise fail("pairs", arrived, "each network in one pair of a comparison")
            taken.add((pair.comparison, side, seed))
        unknown = [name for name in (*pair.values, *pair.others) if name not in kinds]
        if unknown:
            raise fail("kinds", f"none for {unknown[0]}", "a kind for every number")


def _logs(pairs: Sequence[NetworkPair], name: str) -> Float[np.ndarray, "pairs 2"]:
    """The log10 of a number on both networks of each pair; NaN where there is none."""
    sides = [(pair.values.get(name, np.nan), pair.others.get(name, np.nan)) for pair in pairs]
    return np.array(sides, float)


def _complete(logs: Float[np.ndarray, "pairs 2"]) -> Float[np.ndarray, "complete 2"]:
    """Those of pairs of which both networks have the number."""
    complete: Float[np.ndarray, "complete 2"] = logs[~np.isnan(logs).any(axis=1)]
    return complete


def _preference(
    name: str, kind: str, comparison: str, logs: Float[np.ndarray, "pairs 2"], level: float
) -> Preference:
    values, others = _complete(logs).T
    with np.errstate(invalid="ignore"):  # of two infinite logarithms
        equal = (values == others) | (abs(values - others) <= _LOG10)
    smaller, larger = ((~equal & side).sum() for side in (values < others, values > others))
    low = high = value = other = np.nan
    if total := len(values):
        low = float(lower_limit(smaller, total, level))
        high = float(upper_limit(smaller + equal.sum(), total, level))
        value, other = float(np.median(values)), float(np.median(others))
    return Preference(
        name=name,
        kind=kind,
        comparison=comparison,
        smaller=int(smaller),
        equal=int(equal.sum()),
        larger=int(larger),
        left_out=len(logs) - total,
        value=value,
        other=other,
        low=low,
        high=high,
    )
