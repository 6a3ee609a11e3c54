"""Whether a number tells a network that generalises from one that is stuck.

Three scores of every bound and measure on trained networks of several cells: granulated Kendall
tau, worst-environment sign error, and AUC, the probability that the number is larger on a stuck
network than on one that has learned.

The risks are exact up to their intervals, so a pair of networks whose intervals overlap has no
known order and is left out. The others stand between cells that differ in one hyper-parameter, all
seeds of one against all seeds of the other (``pairs``): the cell enters every random key, so
networks of one seed in two cells have nothing in common.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, known, real, whole
from simbias._defaults import CONFIDENCE
from simbias.bounds.pairs import Draws, Level, Levels, Pairs, along_each_setting, ratio
from simbias.bounds.record import KINDS
from simbias.training.words import value_words, word

LEARNED, STUCK = 0.005, (0.03, 0.15)  # risk: at most, within
LEAST_PAIRS = 10  # of an environment
_ROUNDING = 1e-9


class ScoredNetwork(NamedTuple):
    """One trained network.

    Attributes:
        settings: hyper-parameters by name; one that is missing is None.
        seed: of the network within its cell, which is what the settings make.
        risk, low, high: the network's own risk with its interval.
        values: log10 of each number's unclipped value; -inf for 0, NaN or missing: no value.

    Examples:
        >>> from simbias.bounds.discrimination import ScoredNetwork
        >>> settings, values = {"width": 8}, {"norm": 1.5}
        >>> network = ScoredNetwork(settings, seed=0, risk=0.05, low=0.04, high=0.06, values=values)
        >>> network.values["norm"]
        1.5
    """

    settings: Mapping[str, Level]
    seed: int
    risk: float
    low: float
    high: float
    values: Mapping[str, float]


class Interval(NamedTuple):
    """A score with its approximate limits; NaN where undefined.

    Without limits: where the score rests on too few pairs, and but for the AUC, which then has
    Hoeffding's, where no cell has two networks or no resample differs (which a few networks may do
    by luck, whatever the score of many).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RankingScore:
    """How well one number orders networks by their risk.

    Attributes:
        name: of the bound or measure.
        kind: ``"certificate"``, ``"bound"`` or ``"measure"``.
        kendall: granulated Kendall tau in [-1, 1], the mean of ``by_setting``; 0 is chance.
        by_setting: the mean tau of each hyper-parameter, when only that one varies.
        sign_error: proportion of pairs ordered wrongly in the worst environment, in [0, 1]; 1/2 is
            chance, though the worst of several lies above it by luck.
        worst: that environment: a hyper-parameter and its two values; empty where there is none.
        auc: P(larger on a stuck network than on a learned one) + P(equal)/2; 1/2 is chance.
        pairs: of networks that ``kendall`` rests on; 0 leaves it undefined.
        left_out: pairs whose risk intervals overlap, or where the number has no value.
        learned, stuck: networks that ``auc`` rests on; 0 leaves it undefined.
        neither: networks that it leaves out: in between, or where the number has no value.
        least_pairs: of networks, below which a score rests on too few.

    Examples:
        A score of fewer pairs than ``least_pairs`` is not shown:

        >>> from dataclasses import replace
        >>> from simbias.bounds.discrimination import ScoredNetwork, discriminate
        >>> networks = [
        ...     ScoredNetwork({"width": width}, seed, risk, risk, risk, {"norm": 10 * risk})
        ...     for width, risk in ((8, 0.1), (16, 0.001))
        ...     for seed in range(4)
        ... ]
        >>> (score,) = discriminate(networks, {"norm": "measure"})
        >>> score.pairs, score.shown("kendall").value
        (16, 1.0)
        >>> replace(score, least_pairs=17).shown("kendall") is None
        True
    """

    name: str
    kind: str
    kendall: Interval
    by_setting: Mapping[str, Interval]
    sign_error: Interval
    worst: str
    auc: Interval
    pairs: int
    left_out: int
    learned: int
    stuck: int
    neither: int
    least_pairs: int = LEAST_PAIRS

    def shown(self, name: str) -> Interval | None:
        """``auc``, ``kendall`` or ``sign_error``; None where it rests on too few pairs."""
        interval: Interval = getattr(self, name)
        pairs = self.learned * self.stuck if name == "auc" else self.pairs
        # with a value of no environment: each has too few pairs
        too_few_each = name == "sign_error" and np.isnan(interval.value)
        return None if pairs and (too_few_each or pairs < self.least_pairs) else interval


def discriminate(
    networks: Sequence[ScoredNetwork],
    kinds: Mapping[str, str],
    *,
    resamples: int = 1000,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    learned_risk: float = LEARNED,
    stuck_risk: tuple[float, float] = STUCK,
    least_pairs: int = LEAST_PAIRS,
) -> list[RankingScore]:
    """How well each number orders networks by their risk.

    Args:
        networks: at least two cells.
        kinds: certificate, bound or measure, by name; their order is that of the scores.
        resamples: draws behind each interval.
        confidence: coverage of the intervals, in (0, 1).
        seed: of the draws.
        learned_risk: largest risk of a network that has learned.
        stuck_risk: least and largest risk of a stuck one, above learned_risk.
        least_pairs: of networks, below which an environment is left aside, and a score has no
            limits.

    Returns:
        A score for each name.

    Raises:
        ValueError: an argument out of range, fewer than two cells, a network given twice, risks
            outside their intervals, or a number without a kind.

    Notes:
        A pair of networks has concordance 1 where the number is larger on the one of larger risk,
        -1 where it is smaller, 0 where it is equal; a sign error is (1 - concordance)/2. tau is the
        mean concordance of the pairs along one hyper-parameter at one setting of the others, its
        granulated form [1] the mean over these settings, then over hyper-parameters, where there
        are pairs; [2] has the error of the worst environment. Learned: high <= learned_risk; stuck:
        low and high within stuck_risk, so that networks that have learned nothing, which their
        training error gives away, do not make it easy.

        The intervals are approximate: percentiles over networks resampled within their cells, m - 1
        of m, which leaves the variance of a mean unbiased [3], the same draws for every number.
        They are about fresh seeds of these cells, not about other cells. The worst environment's
        limits are the largest of all environments' lower and of their upper limits, each at its
        part of the error (Bonferroni): the percentiles of a maximum would lie above it.

    References:
        [1] Y. Jiang, B. Neyshabur, H. Mobahi, D. Krishnan and S. Bengio, "Fantastic generalization
        measures and where to find them" (ICLR 2020).
        [2] G. Dziugaite, A. Drouin, B. Neal, N. Rajkumar, E. Caballero, L. Wang, I. Mitliagkas and
        D. Roy, "In search of robust measures of generalization" (NeurIPS 2020).
        [3] P. McCarthy and C. Snowden, "The bootstrap and finite population sampling" (1985).

    Examples:
        >>> from simbias.bounds.discrimination import ScoredNetwork, discriminate
        >>> networks = [
        ...     ScoredNetwork({"width": width}, seed, risk, risk, risk, {"norm": 10 * risk})
        ...     for width, risk in ((8, 0.1), (16, 0.001))
        ...     for seed in range(4)
        ... ]
        >>> (score,) = discriminate(networks, {"norm": "measure"})
        >>> score.kendall.value, score.sign_error.value, score.auc.value
        (1.0, 0.0, 1.0)
    """
    resamples = whole("resamples", resamples)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    generator = np.random.default_rng(whole("seed", seed, least=0))
    least = real("stuck_risk", stuck_risk[0], 0, 1)
    most = real("stuck_risk", stuck_risk[1], least, 1)
    learned_risk = real("learned_risk", learned_risk, 0, least, open_high=True)
    least_pairs = whole("least_pairs", least_pairs)
    _check(networks, kinds)
    settings, cells = _cells(networks)
    compared = Pairs(
        low=np.array([network.low for network in networks], float),
        high=np.array([network.high for network in networks], float),
        values=np.array(
            [[network.values.get(n, np.nan) for n in kinds] for network in networks], float
        ),
        weights=_weights(list(cells.values()), resamples, generator),
    )

    groups, environments, candidates = along_each_setting(compared, settings, cells)
    stuck = np.flatnonzero((compared.low >= least) & (compared.high <= most))
    learned = np.flatnonzero(compared.high <= learned_risk)
    auc = (1 + ratio(compared.compare(stuck, learned))) / 2
    by_setting = {
        name: _mean([ratio(sums) for key, sums in groups.items() if key[0] == name])
        for name in dict.fromkeys(name for name, _ in groups)
    }
    kendall = _mean(list(by_setting.values())) if groups else np.full_like(auc, np.nan)
    wrong = {key: (1 - ratio(sums)) / 2 for key, sums in environments.items()}

    scores = []
    for i, (name, kind) in enumerate(kinds.items()):
        pairs = {key: round(sums[1, 0, i]) for key, sums in environments.items()}
        enough = [key for key, count in pairs.items() if count >= least_pairs]
        shared = 1 - (1 - confidence) / max(len(enough), 1)
        errors = {key: _interval(wrong[key][:, i], shared) for key in enough}
        worst = max(errors, key=lambda key: errors[key].value, default=None)
        used = sum(pairs.values())
        along = dict.fromkeys(by_setting, 0)
        for (setting, _), count in pairs.items():
            along[setting] += count
        n_learned, n_stuck = (int(np.sum(compared.given[group, i])) for group in (learned, stuck))
        scores.append(
            RankingScore(
                name=name,
                kind=kind,
                kendall=_interval(kendall[:, i], confidence, used >= least_pairs),
                by_setting={
                    setting: _interval(draws[:, i], confidence, along[setting] >= least_pairs)
                    for setting, draws in by_setting.items()
                },
                sign_error=_worst(list(errors.values())),
                worst="" if worst is None else f"{word(worst[0])} {_levels_text(worst[1])}",
                auc=_or_hoeffding(
                    _interval(auc[:, i], confidence, n_learned * n_stuck >= least_pairs),
                    min(n_learned, n_stuck) if n_learned * n_stuck >= least_pairs else 0,
                    confidence,
                ),
                pairs=used,
                left_out=candidates - used,
                learned=n_learned,
                stuck=n_stuck,
                neither=len(networks) - n_learned - n_stuck,
                least_pairs=least_pairs,
            )
        )
    return scores


def best_first(scores: Sequence[RankingScore]) -> list[RankingScore]:
    """The scores by falling AUC, then tau; undefined ones last."""

    def order(score: RankingScore) -> tuple[bool | float, ...]:
        return *_falling(score.shown("auc")), *_falling(score.shown("kendall"))

    return sorted(scores, key=order)


def _check(networks: Sequence[ScoredNetwork], kinds: Mapping[str, str]) -> None:
    """Raise ValueError for a field of a network or a kind that is not allowed."""
    if not kinds:
        raise fail("kinds", dict(kinds), "a kind for every number")
    for kind in kinds.values():
        known("kind", kind, KINDS)
    for network in networks:
        for name, value in network.settings.items():
            if not isinstance(value, Hashable):
                raise fail("networks", f"setting {name} = {value!r}", "numbers, words or None")
        unknown = [name for name in network.values if name not in kinds]
        if unknown:
            raise fail("kinds", f"none for {unknown[0]}", "a kind for every number")
        if not 0 <= network.low <= network.risk <= network.high <= 1:
            limits = f"risk {network.risk} in [{network.low}, {network.high}], seed {network.seed}"
            raise fail("networks", limits, "0 <= low <= risk <= high <= 1")


def _cells(networks: Sequence[ScoredNetwork]) -> tuple[list[str], dict[Levels, np.ndarray]]:
    """Names of the settings, and the positions of a cell's networks by its values of these."""
    settings = list(dict.fromkeys(name for network in networks for name in network.settings))
    cells: dict[Levels, dict[int, int]] = {}
    for i, network in enumerate(networks):
        cell = tuple(network.settings.get(name) for name in settings)
        if network.seed in cells.setdefault(cell, {}):
            arrived = f"seed {network.seed} of {dict(zip(settings, cell, strict=True))} twice"
            raise fail("networks", arrived, "each network once")
        cells[cell][network.seed] = i
    if len(cells) < 2:
        raise fail("networks", f"{len(networks)} of {len(cells)} cells", "at least two cells")
    return settings, {cell: np.array(list(seeds.values())) for cell, seeds in cells.items()}


def _weights(
    cells: Sequence[np.ndarray], resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "draws networks"]:
    """How often each network counts: once in the first row, as often as drawn in the others.

    There is only the first row where no cell has two networks.
    """
    resampled = [cell for cell in cells if len(cell) > 1]
    weights = np.ones((1 + resamples * bool(resampled), sum(map(len, cells))))
    for cell in resampled:
        m = len(cell)
        drawn = generator.multinomial(m - 1, np.full(m, 1 / m), resamples)
        weights[1:, cell] = drawn * (m / (m - 1))
    return weights


def _mean(parts: Sequence[Draws]) -> Draws:
    """The mean of those parts that are defined; NaN where none is."""
    stacked = np.stack(parts)
    return ratio(np.stack([np.nansum(stacked, axis=0), np.sum(~np.isnan(stacked), axis=0)]))


def _worst(errors: Sequence[Interval]) -> Interval:
    """The largest value, with the largest limits, of those that have limits."""
    if not errors:
        return Interval(np.nan, np.nan, np.nan)
    value = max(error.value for error in errors)
    limited = [error for error in errors if not np.isnan(error.low)]
    if not limited or max(error.high for error in limited) < value:
        return Interval(value, np.nan, np.nan)
    low, high = (max(getattr(error, end) for error in limited) for end in ("low", "high"))
    return Interval(value, low, high)


def _interval(
    draws: Float[np.ndarray, " draws"], confidence: float, enough: bool = True
) -> Interval:
    """The value and the percentiles of its resamples, extended to it where need be."""
    value, resampled = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    # sums of the same pairs, weighted otherwise, may differ by their rounding
    differs = len(resampled) > 0 and np.ptp(resampled) > _ROUNDING
    if np.isnan(value) or not enough or not differs:
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def _or_hoeffding(auc: Interval, matched: int, confidence: float) -> Interval:
    """An AUC with limits also where no resample differs: Hoeffding's.

    It is the average over matchings of the learned with the stuck networks, each a mean of
    ``matched`` independent terms in [0, 1] whose laws may differ; less its expectation, each is
    sub-Gaussian with variance 1/(4 matched), and so is the average (W. Hoeffding, JASA 1963).
    """
    if np.isnan(auc.value) or not np.isnan(auc.low) or not matched:
        return auc
    half = np.sqrt(np.log(2 / (1 - confidence)) / (2 * matched))
    return Interval(auc.value, max(auc.value - half, 0.0), min(auc.value + half, 1.0))


def _levels_text(levels: Levels) -> str:
    return " / ".join("none" if level is None else value_words(level) for level in levels)


def _falling(interval: Interval | None) -> tuple[bool, float]:
    """A sort key: the largest first, undefined and too few last."""
    if interval is None or np.isnan(interval.value):
        return True, 0.0
    return False, -interval.value
