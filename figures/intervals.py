"""How often the intervals that simbias prints cover the truth, in the hardest cases.

Data of known truth are drawn repeatedly and given to the functions that make the intervals.
``figures/calibration.py`` writes the table of the results.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from simbias.bounds import certificates
from simbias.bounds.discrimination import Interval, ScoredNetwork, discriminate
from simbias.claims.criterion import Criterion
from simbias.claims.inference import find
from simbias.results.summary import _mean
from simbias.results.transitions import Transitions
from simbias.stats.binomial import clopper_pearson
from simbias.stats.bounded import betting_interval
from simbias.stats.estimate import Estimate
from simbias.validation.exceptions import difference
from simbias.validation.grids import _over_contexts, _proportion_over_contexts
from simbias.validation.islands import Compared, _at_most, _compared, _proportion, _student
from simbias.validation.paired import Paired
from simbias.validation.reliance import AucSum

SEED, CONFIDENCE = 0, 0.95
MANY, SOME, FEW = 20_000, 1_000, 400  # repetitions, by the cost of each
EXACT, APPROXIMATE, PLANTED = "", "approximate", "wrong on purpose"
BOUND = 14.0  # most that a label can be kept in 50 dimensions, input units

Ends = tuple[Any, Any]


@dataclass(frozen=True)
class Row:
    """One interval in one case.

    Attributes:
        interval: the quantity that it is of.
        place: where it is printed.
        case: the law that is drawn from.
        nominal: its nominal coverage.
        kind: ``EXACT``, ``APPROXIMATE`` (and called so where it is printed) or ``PLANTED``.
        coverage: proportion of the intervals that cover, with its exact 95% interval.
        shown: proportion of the repetitions that have an interval.
    """

    interval: str
    place: str
    case: str
    nominal: float
    kind: str
    coverage: Estimate
    shown: float

    @property
    def below(self) -> bool:
        """Whether the coverage is below the nominal one, beyond the error of the simulation."""
        return bool(self.coverage.high < self.nominal)


def row(
    interval: str,
    place: str,
    case: str,
    ends: Ends,
    truth: Any,
    *,
    kind: str = EXACT,
    nominal: float = CONFIDENCE,
) -> Row:
    """A row from the ends of intervals and the true values."""
    low, high = (np.asarray(part, float) for part in ends)
    known = ~(np.isnan(low) | np.isnan(high))
    covered = (low <= truth) & (truth <= high) & known
    coverage = clopper_pearson(covered.sum(), known.sum(), CONFIDENCE)
    return Row(interval, place, case, nominal, kind, coverage, float(known.mean()))


def proportions(g: np.random.Generator) -> Iterable[Row]:
    """Risk and the other proportions of fresh points."""
    place = "rows, tables, figures, claims"
    for p, n in ((1e-5, 200_000), (0.05, 200_000), (0.5, 10), (0.999, 200), (0.3, 2)):
        estimate = clopper_pearson(g.binomial(n, p, MANY), np.full(MANY, n), CONFIDENCE)
        yield row("risk, accuracy, agreement", place, f"{p:g} of {n:,} points", estimate[1:], p)
    for q in (0.01, 0.99):
        points = g.binomial(2_000, 0.05, MANY)
        right = g.binomial(points, q)
        fresh = clopper_pearson(right, points, CONFIDENCE)
        case = f"{q:g} of the exceptions among 2,000 points"
        yield row("exceptions_fresh", place, case, fresh[1:], q)
        fitted = Estimate(*np.full((3, MANY), 0.97))
        memorised = difference(fitted, fresh)
        yield row("memorised", "rows, claims", case, memorised[1:], 0.97 - q)
    for first, second in ((0.05, 0.05), (0.0005, 0.0), (0.3, 0.0)):
        laws = [first, second, 1 - first - second]
        first_errs, second_errs, _ = g.multinomial(1_000, laws, MANY).T
        pair = Paired(np.full(MANY, 1_000), first_errs, second_errs)
        case = f"only the one errs on {first:g}, only the other on {second:g} of 1,000 points"
        ends = pair.difference(CONFIDENCE)[1:]
        yield row("early_stopping_gain", "claims", case, ends, first - second)


def aucs(g: np.random.Generator) -> Iterable[Row]:
    """The ROC AUC of normal scores, and of scores with three values."""
    for auc, chunks, half in (
        (0.5, (200,), 0.5),
        (0.99, (200,), 0.5),
        (0.9995, (200,), 0.5),
        (0.9995, (2_000,), 0.5),
        (0.99, (150, 50), 0.5),
        (0.99, (200,), 0.05),
        (0.9, (8,), 0.5),
    ):
        total, normal = AucSum(), AucSum()
        for rows in chunks:
            y = (g.random((SOME, rows)) < half).astype(int)
            scores = g.normal(size=y.shape) + np.sqrt(2) * ndtri(auc) * y
            total.add(y, scores)
            normal.add(y, scores)
        estimate = total.estimate(CONFIDENCE)
        case = f"{auc:g}, {' + '.join(f'{rows:,}' for rows in chunks)} points"
        case += "" if half == 0.5 else f", {half:g} of them of one label"
        yield row("AUC", "rows, claims", case, estimate[1:], auc)
        if len(chunks) == 1 and half == 0.5 and auc > 0.9:
            case = f"{case}: normal, DeLong's variance"
            yield row("AUC", "-", case, _delong(y, scores), auc, kind=PLANTED)
    for rare in (0.5, 0.05):
        y = g.integers(0, 2, (SOME, 400))
        middle = (g.random(y.shape) < rare).astype(float)
        total = AucSum()
        total.add(y, np.where(middle, 0.5, y))
        truth = 1 - rare**2 / 2
        case = f"{truth:.6g}, 400 points, {rare:g} of them tied in the middle"
        yield row("AUC", "rows, claims", case, total.estimate(CONFIDENCE)[1:], truth)


def _delong(y: np.ndarray, scores: np.ndarray) -> Ends:
    """The normal interval by DeLong, DeLong and Clarke-Pearson, which misses near 1."""
    ends = []
    for labels, margin in zip(y, scores, strict=True):
        positive, negative = np.sort(margin[labels == 1]), np.sort(margin[labels == 0])
        above = np.searchsorted(negative, positive) / len(negative)
        under = 1 - np.searchsorted(positive, negative) / len(positive)
        error = np.sqrt(above.var(ddof=1) / len(positive) + under.var(ddof=1) / len(negative))
        half = ndtri((1 + CONFIDENCE) / 2) * error
        ends.append((above.mean() - half, above.mean() + half))
    low, high = np.array(ends).T
    return low, high


def grids(g: np.random.Generator) -> Iterable[Row]:
    """Means over contexts given each label in turn."""
    place = "GridReport"
    for p in (0.5, 0.99):
        values = 1.0 * (g.random((FEW, 128)) < p)
        ends = _proportion_over_contexts(values, CONFIDENCE)[1:]
        yield row("agreement, cut accuracy", place, f"{p:g}, 128 contexts of 0 or 1", ends, p)
    values = g.beta(2, 0.1, (FEW, 128))
    ends = _proportion_over_contexts(values, CONFIDENCE)[1:]
    yield row("agreement, cut accuracy", place, "128 contexts, beta law", ends, 2 / 2.1)
    values = np.where(np.arange(128) % 2, g.beta(50, 50, (FEW, 128)), 1.0)
    ends = _proportion_over_contexts(values, CONFIDENCE)[1:]
    yield row("agreement, cut accuracy", place, "128 contexts, labels far apart", ends, 0.75)
    for rate in (0.02, 6.0):
        ends = _over_contexts(1.0 * g.poisson(rate, (FEW, 128)), CONFIDENCE)[1:]
        case = f"{rate:g} on average, 128 contexts"
        yield row("cuts", place, case, ends, rate, kind=APPROXIMATE)


def islands(g: np.random.Generator) -> Iterable[Row]:
    """Training exceptions, drawn without replacement, beside fresh ones."""
    place = "IslandReport, islands figure"
    population = np.where(np.arange(300) < 290, 2.0 + 0.01 * np.arange(300), 0.0)

    def compared(fresh: np.ndarray, ends: Any, most: float = 1.0) -> Compared:
        training = [g.permutation(most * population / 5)[:50] for _ in fresh]
        return _compared([training, list(fresh)], CONFIDENCE, ends)

    for rare in (0.02, 0.5):
        fresh = BOUND * (g.random((FEW, 50)) < rare)
        comparison = compared(fresh, _at_most(BOUND), BOUND)
        case = f"fresh {BOUND:g} with probability {rare:g}, else 0; 50 points"
        truth = BOUND * population.mean() / 5
        yield row("mean way", place, case, comparison.fresh[1:], rare * BOUND)
        yield row("mean way, training", place, case, comparison.training[1:], truth)
        yield row(
            "excess way", f"{place}, claims", case, comparison.excess[1:], truth - rare * BOUND
        )
        proportions = [1.0 * (g.permutation(population)[:50] > 0) for _ in range(FEW)]
        fitted_comparison = _compared([proportions, list(fresh / BOUND)], CONFIDENCE, _proportion)
        case = f"290 of 300 in training, {rare:g} of fresh ones; 50 points"
        yield row("proportion fitted, open", place, case, fitted_comparison.fresh[1:], rare)
        yield row("excess fitted", place, case, fitted_comparison.excess[1:], 290 / 300 - rare)
        student_comparison = compared(fresh, _student, BOUND)
        case = f"fresh {BOUND:g} with probability {rare:g}, else 0: Student's t"
        if rare < 0.1:
            ends = (
                np.nan_to_num(student_comparison.fresh.low),
                np.nan_to_num(student_comparison.fresh.high),
            )
            yield row("mean way", "-", case, ends, rare * BOUND, kind=PLANTED)
    for name, draw, truth in (
        ("normal", g.normal(1, 0.3, (FEW, 50)), 1.0),
        ("log-normal, sigma 1", g.lognormal(0, 1, (FEW, 50)), np.exp(0.5)),
    ):
        comparison = compared(draw, _student)
        case = f"fresh {name}; 50 points"
        yield row("relative way", place, case, comparison.fresh[1:], truth, kind=APPROXIMATE)


def seeds(g: np.random.Generator) -> Iterable[Row]:
    """Means over seeds by Student's t, and transitions."""
    place = "run tables and figures"
    for n, name, draw, truth in (
        (3, "normal", lambda s: g.normal(0.9, 0.01, s), 0.9),
        (10, "normal", lambda s: g.normal(0.9, 0.01, s), 0.9),
        (3, "1 less an exponential", lambda s: 1 - g.exponential(0.01, s), 0.99),
        (10, "1 less an exponential", lambda s: 1 - g.exponential(0.01, s), 0.99),
        (3, "1 or, one in ten, .5", lambda s: 1 - 0.5 * (g.random(s) < 0.1), 0.95),
        (10, "1 or, one in ten, .5", lambda s: 1 - 0.5 * (g.random(s) < 0.1), 0.95),
    ):
        means = [_mean(list(values), None) for values in draw((SOME, n))]
        ends = [mean.low for mean in means], [mean.high for mean in means]
        yield row("mean over seeds", place, f"{n} seeds, {name}", ends, truth, kind=APPROXIMATE)
    for n, p in ((6, 0.05), (6, 0.5), (3, 0.999)):
        estimate = clopper_pearson(g.binomial(n, p, MANY), np.full(MANY, n), CONFIDENCE)
        yield row(
            "proportion reached", "phase table and figure", f"{p:g} of {n} seeds", estimate[1:], p
        )
    for n, within in ((6, 0.55), (20, 0.9), (3, 0.9)):
        ends = []
        for _ in range(SOME):
            time = np.ceil(100 * g.exponential(size=n))
            updates = np.where(time <= 100 * -np.log(1 - within), time, np.inf)
            reached = np.isfinite(updates)
            transitions = Transitions(
                tuple(range(n)), updates, updates, updates, updates, reached, 300
            )
            ends.append((float(transitions.median.low), float(transitions.median.high)))
        case = f"{n} seeds, {within:g} of them within the budget, checks tied"
        low, high = np.array(ends).T
        yield row("median transition", "phase table", case, (low, high), 100 * np.log(2))


def claims(g: np.random.Generator) -> Iterable[Row]:
    """The interval that is printed beside a verdict."""
    place, alpha = "verdicts, claims table and figure", 1 - CONFIDENCE

    def ends(criterion: Criterion, low: np.ndarray, high: np.ndarray) -> Ends:
        findings = [find(criterion, lows, highs) for lows, highs in zip(low, high, strict=True)]
        return [finding.low for finding in findings], [finding.high for finding in findings]

    def criterion(test: str, quantifier: str, value: float = 0.05, **more: Any) -> Criterion:
        least = 0.9 if quantifier == "probability" else None
        return Criterion("<=", value, 0.0, quantifier, least, test, alpha, **more)

    for test, n in (("clopper-pearson", 20), ("beta-binomial", 100)):
        for p in (0.05, 0.98):
            x = np.where(g.random((FEW, n)) < p, 0.0, 1.0)
            case = f"{test}: {p:g} of {n} units hold"
            yield row(
                "proportion of units", place, case, ends(criterion(test, "probability"), x, x), p
            )
    # every miss goes the same way: 10% of the units that hold are read as failing
    x = np.where(g.random((FEW, 200)) < 0.9 * 0.9, 0.0, 1.0)
    missed = criterion("clopper-pearson", "probability", miscoverage=0.09)
    case = "clopper-pearson: .9 of 200 units hold, .09 misread"
    yield row("proportion of units", place, case, ends(missed, x, x), 0.9)
    blind = criterion("clopper-pearson", "probability")
    yield row("proportion of units", "-", f"{case}, not paid", ends(blind, x, x), 0.9, kind=PLANTED)
    for n in (8, 25):
        x = g.exponential(size=(FEW, n))
        case = f"sign: {n} units, exponential"
        yield row("median", place, case, ends(criterion("sign", "median"), x, x), np.log(2))
    x = np.where(g.random((FEW, 200)) < 0.1, -1.0, g.exponential(size=(FEW, 200)))
    case = "sign: 200 units, exponential, .1 misread as small"
    yield row(
        "median", place, case, ends(criterion("sign", "median", miscoverage=0.1), x, x), np.log(2)
    )
    bet = {"low": 0.0, "high": 1.0}
    for name, draw, truth, n in (
        ("0 or 1, rare", lambda s: 1.0 * (g.random(s) < 0.05), 0.05, 20),
        ("0 or 1, common", lambda s: 1.0 * (g.random(s) < 0.95), 0.95, 20),
        ("beta, skewed", lambda s: g.beta(0.1, 0.9, s), 0.1, 60),
        ("beta, narrow", lambda s: g.beta(300, 700, s), 0.3, 60),
    ):
        x = draw((FEW, n))
        case = f"betting: {n} units, {name}"
        yield row("mean", place, case, ends(criterion("betting", "mean", **bet), x, x), truth)
    x = np.where(g.random((FEW, 60)) < 0.1, 0.0, g.beta(300, 700, (FEW, 60)))
    case = "betting: 60 units, beta, .1 misread as 0"
    yield row(
        "mean", place, case, ends(criterion("betting", "mean", miscoverage=0.1, **bet), x, x), 0.3
    )
    for test, name, draw, truth, n in (
        ("permutation", "normal", lambda s: g.normal(size=s), 0.0, 20),
        ("permutation", "exponential", lambda s: g.exponential(size=s), 1.0, 20),
        ("bootstrap", "exponential", lambda s: g.exponential(size=s), 1.0, 40),
        ("bootstrap", "normal, 1/10 far above", lambda s: _far(g, s), 0.3, 40),
    ):
        x = draw((FEW, n))
        kind = EXACT if (test, name) == ("permutation", "normal") else APPROXIMATE
        case = f"{test}: {n} units, {name}"
        yield row("mean", place, case, ends(criterion(test, "mean"), x, x), truth, kind=kind)
    for first, second in ((0.02, 0.02), (0.001, 0.0)):
        u = g.random((FEW, 1_000))
        x = np.where(u < first, 1.0, np.where(u > 1 - second, -1.0, 0.0))
        case = f"mcnemar: {first:g} and {second:g} of 1,000 points"
        limits = ends(criterion("mcnemar", "mean", 0.0), x, x)
        yield row("mean", place, case, limits, first - second)


def _far(g: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return g.normal(0, 0.1, shape) + 3 * (g.random(shape) < 0.1)


def discrimination(g: np.random.Generator) -> Iterable[Row]:
    """Scores of a number that is normal given the cell, larger on the stuck networks."""
    place = "bounds table and discrimination figure"
    for auc, n in ((0.5, 4), (0.9, 4), (0.9, 10), (0.99, 4), (0.99, 10)):
        scores: dict[str, list[Interval]] = {"AUC": [], "Kendall tau": [], "worst sign error": []}
        for _ in range(FEW):
            networks = [
                ScoredNetwork({"width": i}, seed, risk, risk, risk, {"x": g.normal() + shift})
                for i, (risk, shift) in enumerate(((0.001, 0), (0.05, np.sqrt(2) * ndtri(auc))))
                for seed in range(n)
            ]
            (score,) = discriminate(networks, {"x": "measure"}, resamples=400)
            score_intervals = (score.auc, score.kendall, score.sign_error)
            for intervals, interval in zip(scores.values(), score_intervals, strict=True):
                intervals.append(interval)
        for (name, intervals), truth in zip(
            scores.items(), (auc, 2 * auc - 1, 1 - auc), strict=True
        ):
            ends = (
                [interval.low for interval in intervals],
                [interval.high for interval in intervals],
            )
            case = f"{truth:.3g}, two cells of {n} networks"
            yield row(name, place, case, ends, truth, kind=APPROXIMATE)


def held_out(g: np.random.Generator) -> Iterable[Row]:
    """Certificates: upper limits of the risk from held-out points."""
    limits = ("hoeffding", "empirical_bernstein", "chernoff_kl", "clopper_pearson", "beta_binomial")
    for n, p in ((30, 0.02), (1_000, 0.05), (10_000, 0.0003)):
        wrong = g.binomial(n, p, SOME)
        counts, where = np.unique(wrong, return_inverse=True)
        for name in limits:
            limit = getattr(certificates, f"{name}_limit")
            ends = np.array([limit(k, n, 1 - CONFIDENCE) for k in counts])[where]
            case = f"risk {p:g}, {n:,} points"
            words = f"certificate: {name.replace('_', '-')}"
            yield row(words, "bounds tables and figures", case, (0 * ends, ends), p)


def certain(g: np.random.Generator) -> Iterable[Row]:
    """The interval by betting at its narrowest."""
    for n, spread in ((10, 0.02), (200, 0.02)):
        values = g.beta(0.3 / spread, 0.7 / spread, (FEW, n))
        ends = betting_interval(values, CONFIDENCE)
        yield row("bounded mean, by betting", "grids, islands", f"{n} values, beta", ends, 0.3)


def rows() -> list[Row]:
    """All rows of coverage, simulated; those wrong on purpose last."""
    parts = (proportions, aucs, grids, islands, certain, seeds, claims, discrimination, held_out)
    generators = np.random.default_rng(SEED).spawn(len(parts))
    rows = [row for part, g in zip(parts, generators, strict=True) for row in part(g)]
    return sorted(rows, key=lambda row: row.kind == PLANTED)


def table(rows: Sequence[Row]) -> str:
    """The table, in Markdown."""
    names = ("interval of", "where it stands", "case", "claims", "covers", "shown", "")
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        value, low, high = map(float, row.coverage)
        covers = f"{value:.4f} [{low:.4f}, {high:.4f}]"
        flags = [row.kind] if row.kind else []
        flags += ["below"] if row.below else []
        shown = "" if row.shown == 1 else f"{row.shown:.3f}"
        cells = (row.interval, row.place, row.case, f"{row.nominal:g}", covers, shown)
        lines.append("| " + " | ".join((*cells, ", ".join(flags))) + " |")
    return "\n".join(lines)
