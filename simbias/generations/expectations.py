"""What lineages do on average, in closed form: the controls that drawn points are held against.

Generation k is the k-th fit; the first is to real points of the source. n points make a set.

*Pairs.* Let D be half the expected squared difference of two independent draws of a model, its
variance; of categories, the probability that two draws differ. A model fitted with ddof 0 draws as
if from its set with replacement: so two draws come from one member of the set with probability
1/n, and differ by nothing, or else from two members. Members that a model wrote differ as draws of
that model do; real ones, or a real and any other independent one, as two draws of the source. In
units of the source's, with S written and R fresh real points (S + R = n),

    D' = S(S-1)/n^2 D + (R(R-1) + 2 S R)/n^2.

The mean square of the members stays that of the source, so the squared drift of a normal law's
mean is 1 - D. With all written D = (1 - 1/n)^k; a pool of k n points grows by
D' = D (1 - 1/(n k^2)), whose product tends to sin(pi/sqrt(n))/(pi/sqrt(n)); with R points that
stay, a written point differs from one of these by c' = ((R-1) + S c)/n, and
D' = (R(R-1) + S(S-1) D + 2 R S c')/n^2.

*Siblings* (bag). Each of K models draws n points, each of any of the K before. Their mixture has
mean m and variance V; a sibling's mean differs from m by a variance of V/n, so the mixture's mean
moves by V/(K n), and V' is the mean of the siblings' variances and (1 - 1/K) V/n: with ddof 0 the
factor is 1 - 1/n + (1 - 1/K)/n = 1 - 1/(K n), as for one model of K n points; with ddof 1 it is
a = 1 + (1 - 1/K)/n, and the squared drift is (a^k - 1)/(K - 1), to first order k/(K n). Bagging
divides the drift by K, and does not stop it.

*Copies* (repeat). Sums over k copies of n real points are k times those of one: with ddof 0 the fit
is that of the first generation at every k, so 1 - D = 1/n once and for all.

*A symmetry* (mirror). Points and their images have mean 0 and sum of squares twice that of the
points: the drift is 0, and the variance is multiplied by chi^2_n/n with mean 1 each generation,
while its logarithm falls by log(n/2) - psi(n/2), about 1/n: a symmetry keeps the mean, and stops
nothing.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import digamma, gammaln, polygamma

from simbias.generations.gaussian import ENTROPY
from simbias.generations.lineages import LineageCell

Expected = Float[np.ndarray, " generations"]


def expectations(cell: LineageCell) -> dict[str, Expected]:
    """The expected measures of a cell, by measure: those for which a closed form is known.

    Moments that are too heavy-tailed to be seen in a mean of some thousand lineages are NaN: those
    of a product of k independent factors where k psi'((n - 1)/2) > 1.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian", "ddof": 0}, {"name": "replace"},
        ...     points=20, generations=3,
        ... )
        >>> simbias.generations.expectations(cell)["variance"].round(4).tolist()
        [0.95, 0.9025, 0.8574]
    """
    own = _CLOSED.get(cell.generator.name)
    return {} if own is None else own(cell)


def kept(cell: LineageCell) -> Expected | None:
    """D of the module's text for each generation, in units of the source's; None: not known.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "long-tail"}, {"name": "histogram"}, {"name": "accumulate"},
        ...     points=10, generations=3,
        ... )
        >>> simbias.generations.kept(cell).round(4).tolist()
        [0.9, 0.8775, 0.8678]
    """
    n, ks = cell.points, np.arange(1, cell.generations + 1)
    settings = cell.regime.settings
    match cell.regime.name:
        case "replace":
            return (1 - 1 / n) ** ks
        case "bag":
            return (1 - 1 / (n * settings["parents"])) ** ks
        case "accumulate":
            factors: Expected = np.cumprod(1 - 1 / (n * ks.astype(float) ** 2))
            return factors
        case "repeat":
            return np.full(len(ks), 1 - 1 / n)
        case "fresh":
            both, mixed, none = _pairs(n, settings["proportion"], "coins" in settings)
            stay = [1 - 1 / n]
            for _ in ks[1:]:
                stay.append(both * stay[-1] + 2 * mixed + none)
            return np.array(stay)
        case "anchor":
            return _anchored(n, int(settings["real_points"]), len(ks))
    return None


def accumulated(points: int) -> float:
    """The limit of D under accumulation: sin(pi/sqrt(n))/(pi/sqrt(n)), Euler's product.

    Examples:
        >>> from simbias.generations.expectations import accumulated
        >>> round(accumulated(10), 3), round(accumulated(100), 3)
        (0.843, 0.984)
    """
    return float(np.sinc(1 / np.sqrt(points)))


def limit(points: int, proportion: float, *, coins: bool = False) -> float:
    """The limit of D with a proportion of fresh real points: the fixed point of its recursion.

    Examples:
        >>> from simbias.generations.expectations import limit
        >>> round(limit(100, 0.1), 3), round(limit(20, 0.1, coins=True), 3)
        (0.95, 0.783)
    """
    both, mixed, none = _pairs(points, proportion, coins)
    return (2 * mixed + none) / (1 - both)


def _pairs(n: int, proportion: float, coins: bool) -> tuple[float, float, float]:
    """Probabilities that two draws are of two written members, of each kind one, of two real ones.

    The second is of one order. Coins make the numbers of members binomial.
    """
    real = proportion if coins else round(proportion * n) / n
    written = 1 - real
    spread = written * real / n if coins else 0.0  # variance of the proportion written
    both = written**2 + spread - written / n
    none = real**2 + spread - real / n
    return both, written * real - spread, none


def _anchored(n: int, stay: int, generations: int) -> Expected:
    written, across, value = n - stay, 1.0, 1.0
    kept_pairs: list[float] = []
    for _ in range(generations):
        # in the first generation what is written is real
        across_now = across if not kept_pairs else ((stay - 1) + written * across) / n
        value = (
            stay * (stay - 1) + written * (written - 1) * value + 2 * stay * written * across_now
        ) / n**2
        across = across_now
        kept_pairs.append(value)
    return np.array(kept_pairs)


def _seen(points: int, generations: int) -> np.ndarray:
    """Generations up to which a product of factors chi^2 is not too heavy-tailed."""
    ks = np.arange(1, generations + 1)
    seen: np.ndarray = ks * polygamma(1, (points - 1) / 2) <= 1
    return seen


def _gaussian(cell: LineageCell) -> dict[str, Expected]:
    """Laws of the normal source; see the functions below for each regime."""
    n, count, ddof = cell.points, cell.generations, int(cell.generator.settings["ddof"])
    ks = np.arange(1, count + 1)
    name = cell.regime.name
    second = _second_moments(cell, ddof)
    out: dict[str, Expected] = {}
    if second is not None:
        variance, drift = second
        out |= {"variance": variance, "drift": drift}
        out["new_under_old"] = 0.5 * np.log(2 * np.pi) + 0.5 * (variance + drift)
    freedom, scale = (
        (n, 2 * n / (2 * n - ddof) / n) if name == "mirror" else (n - 1, 1 / (n - ddof))
    )
    if name == "repeat":
        log = digamma((n - 1) / 2) + np.log(2 * ks / (ks * n - ddof))
        root = np.sqrt(ks / (ks * n - ddof)) * _root_mean(n - 1)
    elif name in ("replace", "mirror"):
        log = ks * (digamma(freedom / 2) + np.log(2 * scale))
        root = (np.sqrt(scale) * _root_mean(freedom)) ** ks
    else:
        log = root = None
    if log is not None and root is not None:
        out |= {"log_variance": log, "deviation": root, "entropy": ENTROPY + 0.5 * log}
        out["distance"] = out["drift"] + out["variance"] + 1 - 2 * root
    if name == "replace" and n > 7:  # the variance of 1/chi^2 is finite
        inverse = (n - ddof) / (n - 3)
        ratio = np.cumsum(inverse**ks) / n  # of the squared drift and the variance
        half = 0.5 * np.log(2 * np.pi) + 0.5 * ks * (digamma((n - 1) / 2) - np.log((n - ddof) / 2))
        out["old_under_new"] = half + 0.5 * (inverse**ks + ratio)
    if name in ("replace", "mirror", "bag"):
        seen = _seen(n, count)
        certain = ("log_variance", "entropy")
        out = {m: law if m in certain else np.where(seen, law, np.nan) for m, law in out.items()}
    return out


def _root_mean(freedom: int) -> float:
    """The mean of the root of chi^2."""
    return float(np.sqrt(2) * np.exp(gammaln((freedom + 1) / 2) - gammaln(freedom / 2)))


def _second_moments(cell: LineageCell, ddof: int) -> tuple[Expected, Expected] | None:
    """Expected variance and squared drift of a normal law; None: not known.

    With ddof 1 the total is not that of the source. With S written points of variance v and squared
    drift d, and R real ones, the expected sum of squares about the mean over n is
    b = S(S-1)/n^2 v + R(R-1)/n^2 + S R/n^2 (1 + v + d), so v' = n/(n - ddof) b, and d' is the mean
    square of the members less b. A pool of N' points, to which n are added, has
    b' = (N' b + (n - 1) v + (N'/N) v)/N and d' = d + n v/N^2, where v = N'/(N' - ddof) b.
    """
    n, ks = cell.points, np.arange(1, cell.generations + 1)
    name, settings = cell.regime.name, cell.regime.settings
    if name == "mirror":
        return (2 * n / (2 * n - ddof)) ** ks, np.zeros(len(ks))
    if name == "repeat":
        return ks * (n - 1) / (ks * n - ddof), np.full(len(ks), 1 / n)
    diversity = kept(cell)
    if ddof == 0:
        return None if diversity is None else (diversity, 1 - diversity)
    if name == "replace":
        return np.ones(len(ks)), ks / n
    if name == "bag":
        parents = settings["parents"]
        growth = (1 + (1 - 1 / parents) / n) ** ks
        return growth, (growth - 1) / (parents - 1)
    if name == "fresh":
        both, mixed, none = _pairs(n, settings["proportion"], "coins" in settings)
        written = 1 - settings["proportion"]
        moved: list[tuple[float, float]] = [(1.0, 1 / n)]
        for _ in ks[1:]:
            v, d = moved[-1]
            about = both * v + none + mixed * (1 + v + d)
            moved.append((n / (n - 1) * about, written * (v + d) + 1 - written - about))
        v_law, d_law = np.array(moved).T
        return v_law, d_law
    if name == "accumulate":
        about, drift = 1 - 1 / n, 1 / n
        pairs = [(1.0, drift)]
        for k in ks[1:]:
            before, now = (k - 1) * n, k * n
            v = before / (before - 1) * about
            about = (before * about + (n - 1) * v + before / now * v) / now
            drift = drift + n * v / now**2
            pairs.append((now / (now - 1) * about, drift))
        v_law, d_law = np.array(pairs).T
        return v_law, d_law
    return None


def _histogram(cell: LineageCell) -> dict[str, Expected]:
    """No category's expected frequency moves; how different two draws are falls as D does."""
    facts, count = cell.generator.facts, cell.generations
    constant = {"tail": facts["tail"], "new_under_old": facts["entropy"]}
    out = {name: np.full(count, value) for name, value in constant.items()}
    if cell.regime.name == "mirror":
        return {}
    diversity = kept(cell)
    if diversity is not None:
        out["homozygosity"] = 1 - (1 - facts["homozygosity"]) * diversity
    return out


def _least_squares(cell: LineageCell) -> dict[str, Expected]:
    """Expected squared error of the weights.

    With A_i = X_i'X_i of block i and S_i their sum, w_i = w_{i-1} + S_i^-1 X_i'e_i. Replaced, the
    squared error grows by sigma^2 E tr A^-1 = sigma^2 d/(T - d - 1), the mean of an inverse Wishart
    matrix; accumulated, by sigma^2 E tr S_i^-1 A_i S_i^-1, which is E tr S_i^-1/i, as the blocks
    are exchangeable: sigma^2 d/(i (i T - d - 1)). Copies leave the fit as it is.
    """
    settings, t = cell.generator.settings, cell.points
    d, ks = int(settings["dim"]), np.arange(1, cell.generations + 1)
    scale = settings["noise"] ** 2 * d
    match cell.regime.name:
        case "replace":
            return {"drift": scale * ks / (t - d - 1)}
        case "accumulate":
            return {"drift": scale * np.cumsum(1 / (ks * (ks * t - d - 1)))}
        case "repeat":
            return {"drift": np.full(len(ks), scale / (t - d - 1))}
    return {}


def threshold(right: float, wrong: float) -> float:
    """The proportion of wrong labels at which a critic fails: p* = right/(right + wrong).

    Of points with wrong labels in a proportion p, (1 - p) right are accepted with right labels and
    p wrong with wrong ones; the majority of what is accepted is right where p < p*.

    Args:
        right, wrong: probabilities that a right and a wrong label is accepted, not both 0.

    References:
        Y. Feng et al., "Beyond model collapse" (arXiv 2406.07515).

    Examples:
        >>> from simbias.generations.expectations import threshold
        >>> round(threshold(0.8, 0.4), 4)
        0.6667
    """
    return right / (right + wrong)


_CLOSED: dict[str, Callable[[LineageCell], dict[str, Expected]]] = {
    "gaussian": _gaussian,
    "histogram": _histogram,
    "least-squares": _least_squares,
}
