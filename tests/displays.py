"""A small display of every kind of figure, with numbers that are all different.

Longer than 400 lines because each kind has one here.
"""

from dataclasses import replace
from functools import cache

import numpy as np

import simbias
from simbias import papers, plots
from simbias.bounds import Certifying, Evaluation, Record
from simbias.bounds.discrimination import Interval, RankingScore
from simbias.bounds.preference import NetworkPair
from simbias.generations import CriticThreshold
from simbias.plots import (
    AnswerLine,
    AnswerPanel,
    AnswersDisplay,
    BoundaryDisplay,
    ComparisonRow,
    ComputeDisplay,
    ComputeLine,
    CriticCurve,
    EditedNetwork,
    EffectsDisplay,
    LeaderboardDisplay,
    LeaderboardRow,
    LineageLine,
    LineagesDisplay,
    NoiseDisplay,
    NoiseLine,
    NoisePanel,
    RegionsDisplay,
    SeedMatrix,
    SeedsDisplay,
    ThresholdDisplay,
    TrainingDisplay,
)
from simbias.plots._points import PlottedPoints
from simbias.plots.reproduction import ReproductionDisplay, ReproductionRow
from simbias.plots.visibility import VisibilityRow
from simbias.results.summary import Mean, Summary
from simbias.results.transitions import Transitions
from simbias.stats.estimate import Estimate
from simbias.training.cell import Cell
from simbias.validation import control

BUDGET = 1000


def boundary():
    """A plane on which the proportion rises to the right, and a little upwards."""
    task = simbias.tasks.get("noisy-lms-7", dim=4)
    across, up = np.linspace(-1.1, 1.3, 7), np.linspace(-1.2, 1.4, 5)
    proportion = 1 / (1 + np.exp(-8 * (across + 0.1 * up[:, None])))
    x = np.array([[-0.9, 0.1, 0.2, 0.0], [0.8, 0.3, 0.4, 0.0], [-0.7, 0.5, -0.6, 0.0]])
    points = PlottedPoints(
        x, np.array([0, 1, 1]), np.array([0, 0, 1], bool), np.array([1, 0, 1], bool)
    )
    return BoundaryDisplay("name", task, (0, 2), across, up, proportion, 64, points, 9)


def regions():
    """Ten classes in upright bands, said less often to the right."""
    task = simbias.tasks.ArrayTask("ten", np.zeros((100, 2, 2)), np.arange(100) % 10)
    across, up = np.linspace(-1.1, 1.3, 40), np.linspace(-1.2, 1.4, 5)
    band = np.arange(40) // 4
    proportion = np.where(np.arange(10)[:, None] == band, 0.9 - band / 100, (0.1 + band / 100) / 9)
    proportion = np.tile(proportion[:, None], (1, 5, 1))
    x = np.array([[-0.9, 0.1, 0.2, 0.0], [0.8, 0.3, 0.4, 0.0], [-0.7, 0.5, -0.6, 0.0]])
    points = PlottedPoints(x, np.array([0, 1, 9]), np.zeros(3, bool), np.array([1, 0, 1], bool))
    rule = np.tile(band, (5, 1))
    return RegionsDisplay(
        "name", task, (0, 2), across, up, proportion, 64, points, 9, achievable=rule
    )


def training():
    """Two networks, the second of which ends a check earlier."""
    updates = [10, 20, 30]
    values = np.arange(30).reshape(2, 3, 5) / 30
    traces = tuple(np.column_stack([updates, network]) for network in values)
    return TrainingDisplay("name", (4, 7), (traces[0], traces[1][:2]), 0.99, 0.95)


def comparison():
    """Two tasks, two networks, two quantities; nothing was published for the second quantity."""
    rows, number = [], 0
    for task in ("noisy-lms-7", "ms-7"):
        for network in ("(100,1)", "(100,2)"):
            for quantity in ("train_accuracy", "s_randomised_accuracy"):
                value, number = 0.9 + number / 100, number + 1
                published = value - 0.02 if quantity == "train_accuracy" else None
                rows.append(
                    ComparisonRow(
                        task, network, quantity, value, value - 0.005, value + 0.004, published
                    )
                )
    return plots.comparison(rows)


def cell(dim, updates, memorised=0.3, *, network="(100,2)", lag=10, budget=BUDGET, **settings):
    """A cell whose seeds had their transitions at these updates, ``lag`` after the check before."""
    updates = np.array(updates, float)
    never, reached = np.full(len(updates), np.inf), np.isfinite(updates)
    seeds = tuple(range(10, 10 + len(updates)))
    ends = Transitions(seeds, updates, updates - lag, updates, never, reached, budget)
    means = {"memorised": Mean(memorised, 0.05, None)}
    return Summary("name", "noisy-lms-7", network, {"dim": dim, **settings}, {}, means, ends)


def phase():
    """Two lines along the dimension."""
    never = np.inf
    return plots.phase(
        [
            cell(2, [10, 20, 30, 40, 50, 60], 0.1, n_train=100),
            cell(50, [never] * 6, 0.6, n_train=100),
            cell(5, [70] * 6, 0.15, n_train=100),
            cell(10, [100, 200, 300, 400, 500, never], 0.2, n_train=100),
            cell(2, [110, never, 120, 130, 140, 150], 0.3, n_train=1000),
            cell(10, [210] * 6, 0.4, n_train=1000),
        ]
    )


def evaluation(name, value, risk, seed=0, *, kind="bound", certifies="this network", log10=None):
    if log10 is None and value is not None:
        log10 = float(np.log10(value))
    constants, reason = "" if kind == "measure" else "proved", "" if value else "unmet"
    record = Record(name, "family", certifies, kind, constants, 0.05, value, log10, {}, (), reason)
    return Evaluation(record, seed, risk, 0.9 * risk, 1.1 * risk)


def bounds():
    """Two networks; the bounds certify four kinds of classifiers, and one of them is violated."""
    return plots.bounds(
        [
            evaluation("vc", 20.0, 0.05),
            evaluation("pac", 0.2, 0.06, certifies="a stochastic network"),
            evaluation("clopper-pearson", 0.055, 0.04, kind="certificate"),
            evaluation("occam", 0.01, 0.07),
            evaluation("vc", 40.0, 0.051, 1),
            evaluation("pac", 0.22, 0.061, 1, certifies="a stochastic network"),
            evaluation("clopper-pearson", 0.056, 0.041, 1, kind="certificate"),
            evaluation("occam", 0.8, 0.071, 1),
            evaluation("stability", None, 0.05, certifies="an expectation"),
        ],
        name="cell",
    )


def verdict(id, word="supported", *ends, **changes):
    """A row as it is stored; ``ends`` are estimate, low and high."""
    row = {
        "version": 1,
        "title": "in words",
        "source": "a source",
        "family": "conclusion",
        "quantity": "excess_risk",
        "op": "<=",
        "value": 0.01,
        "margin": 0.001,
        "quantifier": "probability",
        "threshold": 0.95,
        "units": 60,
        "unit": "network",
        "holding": 60 if ends else None,
        "failing": 0 if ends else None,
        "ambiguous": 0 if ends else None,
        "missing": 0,
        "more": None,
        "test": "clopper-pearson",
        "alpha": 0.05,
        "level": 0.025,
        "reason": "because",
    }
    numbers = dict(zip(("estimate", "low", "high"), ends or [None] * 3, strict=True))
    return row | {"id": id, "verdict": word} | numbers | changes


def claims():
    """Two claims about proportions and two about means, one of them inapplicable."""
    mean = {
        "quantifier": "mean",
        "family": "islands",
        "value": 2.0,
        "threshold": 2.0,
        "margin": 0.4,
    }
    return plots.claims(
        [
            verdict("one", "supported", 0.98, 0.96, 0.99),
            verdict("two", "refuted", 0.5, 0.4, 0.7, threshold=0.8),
            verdict("three", "inconclusive", 2.5, 1.5, 4.0, **mean),
            verdict("four", "inapplicable", **mean),
        ]
    )


def score(name, kind, auc, kendall, error, worst):
    def around(value):
        return Interval(value, value - 0.04, value + 0.03)

    return RankingScore(
        name=name,
        kind=kind,
        kendall=around(kendall),
        by_setting={},
        sign_error=around(error),
        worst=worst,
        auc=around(auc),
        pairs=40,
        left_out=10,
        learned=7,
        stuck=5,
        neither=2,
    )


def discrimination():
    """One of each kind."""
    return plots.discrimination(
        [
            score("norm", "measure", 0.3, -0.4, 0.55, "width 10 / 100"),
            score("pac", "bound", 0.8, 0.6, 0.25, "n 10k / 40k"),
            score("held-out", "certificate", 0.9, 0.7, 0.2, "depth 1 / 2"),
        ]
    )


def visibility():
    """Two shifts, one of which a trained network does not see."""
    rows = [
        ("conflict=0.5", 0.45, 0.44, 0.47, 3, 2, 4, np.inf, 700, np.inf, 1000),
        ("move=0.5", 0.21, 0.2, 0.23, 1, 1, 1, 300, 200, 500, 1000),
    ]
    return plots.VisibilityDisplay("name", 0.8, tuple(VisibilityRow(*row) for row in rows))


def certifying(bound, learned=True, **changes):
    """What a bound needs to certify on one of two tasks."""
    task = simbias.tasks.get("lms-7" if learned else "noisy-lms-7")
    defaults = {
        "error": 0.01,
        "cell": Cell(task, simbias.MLP(50), simbias.sgd(), n_train=4000),
        "bound": bound,
        "certifies": "this network",
        "kind": "bound",
        "sizes": (1000, 2000, 4000),
        "proportions": (0.0, 0.5, 1.0),
        "points": np.nan,
        "extrapolated": np.nan,
        "low": np.nan,
        "high": np.nan,
        "held_out": 299.0 if learned else np.inf,
        "true": learned,
    }
    return Certifying(**defaults | changes)


def certify():
    """A certificate, an extrapolation and none on one task; what would be false on another."""
    law = {"extrapolated": 1e6, "low": 1e5, "high": 1e8, "proportions": (0.0, 0.0, 0.0)}
    return plots.certify(
        [
            certifying("clopper-pearson", kind="certificate", points=2000.0),
            certifying("pac", **law),
            certifying("vc", extrapolated=np.inf),
            certifying("pac", learned=False, extrapolated=np.inf),
        ]
    )


@cache
def islands():
    """The achievable control in four dimensions."""
    task = simbias.tasks.get("noisy-lms-7", dim=4)
    small = Cell(task, simbias.MLP(12, 1), simbias.sgd(), 800, batch=100)
    return plots.islands(control(small, "achievable"), coordinate=3, sample=6, directions=3)


@cache
def preference():
    """Two comparisons of a number, of which one is beyond the axes."""
    pairs = [
        NetworkPair(f"{kind} against stuck", (seed, seed), {"norm": value}, {"norm": 0.5})
        for kind, value in (("explicit", 9.0), ("cheapest", 0.4))
        for seed in range(20)
    ]
    return plots.preference(pairs, {"norm": "measure"})


def leaderboard():
    """Two tasks, a learner that is better than the reference and one that is not told apart."""
    rows, number = [], 0
    for task in ("first", "second"):
        for learner, verdict in (
            ("ours", "better"), ("sgd", "reference"), ("other", "not told apart"),
        ):  # fmt: skip
            for quantity in ("excess_risk", "exceptions_fresh", "reached"):
                value = 0.1 + 0.02 * number
                number += 1
                limits = (
                    (np.nan, np.nan) if quantity == "excess_risk" else (value - 0.1, value + 0.1)
                )
                rows.append(LeaderboardRow(task, learner, quantity, value, *limits, verdict))
    return LeaderboardDisplay(rows)


def lineages():
    """Two regimes in two panels, points near lines of which one has no end, and parts of lines."""
    generations = np.arange(1, 13)
    lines = []
    for i, regime in enumerate(("replace", "accumulate")):
        for j, panel in enumerate(("first:\nvariance", "second:\ndrift")):
            form = 1 / (1 + (i + 1) * (j + 1) * generations / 20)
            mean = form + 0.01 * (-1.0) ** generations
            if j:
                form = np.where(generations < 9, form, np.nan)
            lines.append(LineageLine(panel, regime, "variance", mean, 0.004 + 0 * mean, form))
    unknown = np.full(12, np.nan)  # one without a law, and a law without a line
    lines.append(LineageLine("second:\ndrift", "networks", "variance", mean, unknown, unknown))
    lines.append(LineageLine("second:\ndrift", "published", "variance", unknown, unknown, mean))
    return LineagesDisplay(tuple(lines), "48 of 48 means agree")


def tails():
    """One estimator in all four panels."""
    generations = np.arange(1, 13)
    lines = []
    for i, panel in enumerate(("within", "pooled", "new points", "real points")):
        form = (i - 1.5) * generations / 12
        mean = form + 0.01 * (-1.0) ** generations
        lines.append(LineageLine(panel, "ddof 1", "variance", mean, 0.02 + 0 * mean, form))
    return LineagesDisplay(tuple(lines), "shrinking and growing", table="tails", columns=4)


def compute():
    """Two tasks, two networks and the best of them, one task without exceptions."""
    flops, nowhere = np.array([1e7, 1e8, 1e9]), np.full(3, np.nan)
    lines = [
        ComputeLine(row, panel, label, measure, flops * (k + 1), level, level - 0.01, nowhere)
        for row in ("noisy-lms-7, d 20", "ms-7, d 20")
        for panel, measure in (
            ("select_error", "select_error"),
            ("exceptions", "exceptions_fitted"),
            ("exceptions", "exceptions_fresh"),
        )
        for k, label in enumerate(("(10,1)", "(100,1)", "best for its compute"))
        if row != "ms-7, d 20" or panel != "exceptions"
        for level in [np.array([0.4, 0.2, 0.1]) / (k + 1)]
    ]
    return ComputeDisplay(tuple(lines), 6)


def noise():
    """Two panels: lines with laws and without, one of them with a place of the plurality."""
    x, panels = np.array([2.0, 4.0, 8.0]), []
    for i, name in enumerate(("limits", "structure")):
        lines = []
        for j, label in enumerate(("drawn anew", "drawn once")):
            value = 0.9 - 0.05 * x * (j + 1) / (i + 1)
            law = value + 0.02 if i else np.full(3, np.nan)
            lines.append(NoiseLine(label, x / 8**i, value, value - 0.03, value + 0.03, law))
        plurality = 0.5 if i else None
        panel = NoisePanel(name, name, "place", "accuracy", "" if i else "x", tuple(lines))
        panels.append(panel._replace(plurality=plurality))
    return NoiseDisplay(tuple(panels), "the batch for .9: exponent 2.00 [1.90, 2.10]")


def answers():
    """Two panels: a line beside its reference, and lines along updates without intervals."""
    x = np.array([200.0, 1000.0, 10000.0])
    lines = [
        AnswerLine(label, x * (i + 1), x / 2e4, x / 2e4 - 0.02 * i, x / 2e4 + 0.03, i == 0)
        for i, label in enumerate(("coordinate itself", "probe"))
    ]
    alone = AnswerLine("random", x, x / 3e4, np.nan * x, np.nan * x)
    panels = (
        AnswerPanel("doses", "dose", "ones", tuple(lines)),
        AnswerPanel("told", "updates", "accuracy", (lines[1], alone), log=True),
    )
    return AnswersDisplay("answers", panels, "what networks say")


def effects():
    """Two panels of two edits along two directions."""
    return EffectsDisplay(
        tuple(
            EditedNetwork(f"d = {15 * (i % 2 + 1)}", edit, direction, 0.1 * i + 0.05, 0.07 * i)
            for i, (edit, direction) in enumerate(
                (edit, direction)
                for edit in ("add", "ablate-to-mean", "add")
                for direction in ("mean-difference", "probe")
            )
        )
    )


def seeds():
    """Two measures of three seeds, one pair of which was not measured."""
    values = np.array([[np.nan, 0.9, 0.3], [0.8, np.nan, 0.2], [0.7, np.nan, np.nan]])
    matrices = [
        SeedMatrix("d = 15", words, (0, 1, 2), values**i) for i, words in ((1, "CKA"), (2, "alike"))
    ]
    return SeedsDisplay(tuple(matrices))


def threshold():
    """Two critics, of which the second has one seed and never fails."""
    errors = np.array([0.5, 0.6, 0.7, 0.8])
    low, high = np.array([0.9, 0.8, 0.3, 0.2]), np.array([0.9, 0.8, 0.7, 0.6])
    where = CriticThreshold(0.66, 0.6, 0.7)
    return ThresholdDisplay(
        (
            CriticCurve("80% and 40%", errors, low, 0.01 + 0 * low, 2 / 3, where),
            CriticCurve("90% and 10%", errors, high, np.nan * high, 0.9, None),
        )
    )


def reproduced():
    """A paper of one number, and the number beside ours."""
    paper = papers.load("pitfalls")
    number = paper.exhibits[0].numbers[1]
    small = replace(paper, exhibits=(replace(paper.exhibits[0], numbers=(number,)),))
    measured = Estimate(*np.array([[0.941, 0.942, 0.943]] * 3))
    return small, [papers.judge(number, measured, ["done"] * 3)]


def reproduction():
    """Numbers of every outcome, one of which lies beyond the axis."""
    outcomes = "reproduced", "not reproduced", "inconclusive", "not converged", "not reproduced"
    values = 0.06, 0.08, 0.071, 0.06, 0.2
    return ReproductionDisplay(
        ReproductionRow(
            f"Table {i // 2}", f"({i},1)", "risk", 0.05, 0.07, x, x - 0.004, x + 0.003, outcome
        )
        for i, (outcome, x) in enumerate(zip(outcomes, values, strict=True))
    )


KINDS = {
    "answers": answers,
    "effects": effects,
    "seeds": seeds,
    "reproduction": reproduction,
    "leaderboard": leaderboard,
    "lineages": lineages,
    "compute": compute,
    "noise": noise,
    "tails": tails,
    "threshold": threshold,
    "preference": preference,
    "boundary": boundary,
    "regions": regions,
    "training": training,
    "comparison": comparison,
    "phase": phase,
    "bounds": bounds,
    "claims": claims,
    "discrimination": discrimination,
    "visibility": visibility,
    "certify": certify,
    "islands": islands,
}
GRIDS = {
    "answers": (1, 2),
    "effects": (1, 2),
    "seeds": (1, 2),
    "leaderboard": (2, 3),
    "lineages": (1, 2),
    "compute": (2, 2),
    "noise": (1, 2),
    "tails": (1, 4),
    "preference": (1, 2),
    "training": (2, 1),
    "comparison": (2, 2),
    "phase": (3, 1),
    "claims": (2, 1),
    "discrimination": (1, 3),
    "certify": (1, 2),
    "islands": (1, 3),
}
