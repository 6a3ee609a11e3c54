"""Learners side by side on the data of the same seeds: what each has learned, at what cost.

A learner is whatever was trained or fitted on a task in a run: a network with its method and
loss, or an estimator. All of a task meet the same data sets, so each is compared with a
reference, seed by seed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, whole
from simbias._defaults import CONFIDENCE, N_CERTIFY
from simbias._frames import RowList
from simbias._types import Settings, TableRow
from simbias.experiments import FINAL, experiments, label_of
from simbias.experiments.classify import NUMBERS
from simbias.experiments.estimators import MEASURED
from simbias.experiments.experiment import OwnCell
from simbias.experiments.numbers import validated
from simbias.experiments.solutions import SolutionCell
from simbias.models import Fitted
from simbias.results.store import Store
from simbias.results.summary import Mean, mean_over_seeds
from simbias.stats.binomial import above_median, clopper_pearson, tail
from simbias.stats.estimate import Estimate
from simbias.stats.step_down import step_down
from simbias.tasks import BlockTask
from simbias.training.cell import Cell
from simbias.training.stack import Stack
from simbias.training.words import phrase, phrases, task_words, varied
from simbias.validation import validate
from simbias.validation.transition import EXCESS

SCORES = {"risk": "risk", "s_randomised_accuracy": "S-randomised accuracy"}  # and their words
_SHOWN = ("risk", "exceptions_fresh", "memorised", "s_randomised_accuracy")
_ROUNDING = 1e-6  # differences that are equal to it are ties: numbers are kept in 32 bits


@dataclass(frozen=True)
class PairedDifference:
    """A learner's score less the reference's, over the seeds that both have.

    Attributes:
        median: of the differences, positive where the learner is better; infinite where the
            networks of half of the seeds diverged.
        low, high: limits of the median by order statistics, which hold at once for every learner
            of the board; infinite where there are too few seeds for any.
        better, worse: seeds on which the learner is better, or worse; the others are ties.
        seeds: compared.
        verdict: "better", "worse" or "not told apart", by sign tests that count ties for neither
            side; any false one on the board has probability at most 1 - confidence (Holm).

    Examples:
        Twelve seeds, of which eleven are better:

        >>> from simbias.results import PairedDifference
        >>> against = PairedDifference(0.01, 0.004, 0.02, 11, 1, 12, verdict="better")
        >>> against.better + against.worse == against.seeds
        True
    """

    median: float
    low: float
    high: float
    better: int
    worse: int
    seeds: int
    verdict: str


@dataclass(frozen=True)
class Standing:
    """A learner on one task.

    Attributes:
        task: its name, with its departures from the catalogue and the number of training points.
        learner: what sets it apart from the others of its task.
        cell: its name.
        statuses: number of networks, or estimators, by status.
        score: the column that learners are ranked and compared by: ``risk``; where the simple rule
            makes no error, ``s_randomised_accuracy``.
        excess_risk: mean over seeds, over the achievable risk; over 0 where that is not known.
        exceptions_fresh: mean accuracy on fresh exceptions, the worst group.
        memorised: mean of the accuracy on training exceptions beyond that.
        s_randomised_accuracy: mean.
        reached: proportion of seeds whose risk is within .01 of the achievable one, with its exact
            interval; NaN where that is not known.
        gradients: mean number of gradient evaluations; NaN for what makes none.
        seconds: mean training time, of one core.
        uses: what it uses beyond inputs and labels.
        against: the comparison with the reference of its task; None for the reference.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, stop = simbias.MLP(8), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, simbias.sgd(), n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> (standing,) = simbias.results.leaderboard(store)
        >>> standing.learner, standing.gradients, standing.against
        ('sgd', 200.0, None)
    """

    task: str
    learner: str
    cell: str
    statuses: Mapping[str, int]
    score: str
    excess_risk: Mean
    exceptions_fresh: Mean
    memorised: Mean
    s_randomised_accuracy: Mean
    reached: Estimate
    gradients: float
    seconds: float
    uses: tuple[str, ...]
    against: PairedDifference | None


@dataclass(frozen=True)
class _Entry:
    cell: OwnCell
    settings: Settings
    rows: list[TableRow]  # with a final status, by seed


def leaderboard(
    learners: Store | Sequence[Stack | Fitted],
    *,
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
) -> RowList[Standing]:
    """Every learner, task by task, the best mean score first.

    The reference of a task is the first learner whose method is ``sgd``, or the first where there
    is none; of a run, in the suite's order.

    Args:
        learners: a run directory, or what ``simbias.train`` returned.
        n_certify: fresh points on which what was trained is measured; a run has been measured.
        confidence: probability with which all verdicts hold at once, and all limits.

    Raises:
        ValueError: no learner whose work has ended, two that are the same, or an argument out of
            range.

    Notes:
        Of each comparison two hypotheses are tested, "a seed is better with probability at most
        1/2" and the same of worse; where there is no difference both are true, so Holm's procedure
        runs over all of them. A network that diverged is worse than any that did not.

    References:
        W. Dixon and A. Mood, "The statistical sign test" (JASA 1946); S. Holm, "A simple
        sequentially rejective multiple test procedure" (Scandinavian Journal of Statistics 1979).

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, stop = simbias.MLP(8), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, simbias.sgd(), n_train=1000, seeds=2, stop=stop)
        >>> tree = simbias.train(task, simbias.estimator("decision-tree"), n_train=1000, seeds=2)
        >>> standings = simbias.results.leaderboard([stack, tree], n_certify=10_000)
        >>> sorted(standing.learner for standing in standings)
        ['decision-tree', 'sgd']
    """
    if isinstance(learners, Store):
        entries = _kept(learners)
        arrived = f"{learners.directory}, without a learner"
        nothing = fail("DIR", arrived, "a directory with some")
    else:
        entries = _measured(learners, whole("n_certify", n_certify))
        nothing = fail("learners", list(learners), "at least one")
    by_task: dict[tuple[str, int], list[_Entry]] = {}
    for entry in entries:
        problem = json.dumps(entry.settings["task"], sort_keys=True), entry.settings["n_train"]
        by_task.setdefault(problem, []).append(entry)
    if not by_task:
        raise nothing
    references = {_reference(entries).cell.name for entries in by_task.values()}
    differences = {
        entry.cell.name: _differences(entry, _reference(entries))
        for entries in by_task.values()
        for entry in entries
        if entry.cell.name not in references
    }
    sides = [p for of_seeds in differences.values() for p in _p_values(of_seeds)]
    rejected = step_down(sides, 1 - confidence)
    level = (1 - confidence) / max(len(sides), 1)
    against = {
        name: _compared(of_seeds, level, _verdict(2 * i in rejected, 2 * i + 1 in rejected))
        for i, (name, of_seeds) in enumerate(differences.items())
    }
    standings: list[Standing] = []
    for entries in by_task.values():
        of_task = [
            _standing(entry, name, against.get(entry.cell.name))
            for name, entry in zip(_learners(entries), entries, strict=True)
        ]
        standings += sorted(of_task, key=_rank)
    caption = "learners side by side on the data of the same seeds, with 95% intervals"
    return RowList(standings, _columns, caption)


def _columns(standing: Standing) -> dict[str, object]:
    """A standing as a row."""
    against, names = standing.against, ("task", "learner")
    row: dict[str, object] = {name: getattr(standing, name) for name in names}
    row["networks"] = sum(standing.statuses.values())
    for name in ("excess_risk", "exceptions_fresh", "memorised", "s_randomised_accuracy"):
        mean: Mean = getattr(standing, name)
        row |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
    low, high = map(float, standing.reached[1:])
    row |= {"reached": float(standing.reached.value), "reached_low": low, "reached_high": high}
    row |= {"gradients": standing.gradients, "uses": ", ".join(standing.uses)}
    gain = (None,) * 3 if against is None else (against.median, against.low, against.high)
    row |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
    return row | {"against the reference": against.verdict if against else "reference"}


def _measured(learners: Sequence[Stack | Fitted], n_certify: int) -> list[_Entry]:
    """Learners that were trained outside of a run, validated."""
    entries: list[_Entry] = []
    for learned in learners:
        if not isinstance(learned, Stack | Fitted):
            raise fail("learners", learned, "what simbias.train returned")
        if learned.cell.name in [entry.cell.name for entry in entries]:
            raise fail("learners", f"{learned.cell.name} twice", "each once, with all its seeds")
        report = validate(learned, n_certify=n_certify)
        numbers = MEASURED if isinstance(learned, Fitted) else NUMBERS
        rows = [
            {"seed": seed, "status": outcome.status, **outcome.columns}
            for seed, outcome in zip(
                learned.seeds, validated(learned, report, numbers, 0.0), strict=True
            )
        ]
        entries.append(_Entry(learned.cell, learned.cell.settings, rows))
    return entries


def _kept(store: Store) -> list[_Entry]:
    """The cells of everything that learns in a run, in the suite's order."""
    entries = []
    for experiment in experiments().values():
        if experiment.learned is None or not experiment.learner:
            continue
        names = [column.name for column in experiment.table.columns]
        wanted = ("cell", "seed", "settings", "status", *_SHOWN, "updates", "train_seconds")
        columns = [name for name in wanted if name in names]
        selected = ", ".join(f'"{name}"' for name in columns)
        _, answers = store.query(f"SELECT {selected} FROM {experiment.table.name} ORDER BY seed")
        by_cell: dict[str, list[TableRow]] = {}
        for answer in answers:
            row = dict(zip(columns, answer, strict=True))
            if row["status"] in FINAL:
                by_cell.setdefault(row["cell"], []).append(row)
        for rows in by_cell.values():
            settings = rows[0]["settings"]
            if "n_train" in (own := json.loads(settings)):
                entries.append(_Entry(store.cell(settings), own, rows))
    return sorted(entries, key=lambda entry: store.order(entry.cell.name))


def _reference(entries: Sequence[_Entry]) -> _Entry:
    of_sgd = [e for e in entries if isinstance(e.cell, Cell) and e.cell.method.name == "sgd"]
    return (of_sgd or list(entries))[0]


def _learners(entries: Sequence[_Entry]) -> list[str]:
    """Names that tell the learners of one task apart, each as short as that allows."""
    networks = {label_of(entry.cell) for entry in entries if isinstance(entry.cell, Cell)}
    names = []
    for entry in entries:
        label = label_of(entry.cell)
        if isinstance(entry.cell, SolutionCell):
            label = f"solution, {entry.cell.words}"
        if isinstance(entry.cell, Cell):
            parts = [entry.cell.method.name, label if len(networks) > 1 else ""]
            loss = entry.cell.loss.name
            label = ", ".join(filter(None, [*parts, "" if loss == "cross-entropy" else loss]))
        names.append(label)
    differing = varied([entry.settings for entry in entries])
    for name in {name for name in names if names.count(name) > 1}:
        alike = [i for i, other in enumerate(names) if other == name]
        for i in alike:
            apart = {
                key: value
                for key, value in differing[i].items()
                if len({json.dumps(differing[j].get(key)) for j in alike}) > 1
            }
            names[i] = ", ".join(filter(None, [name, phrases(apart)]))
    return names


def _score(entry: _Entry) -> str:
    truth = entry.cell.task.truth
    simple = getattr(truth, "simple_risk", None)
    # only independent coordinates are randomised
    perfect = isinstance(entry.cell.task, BlockTask) and simple == truth.achievable_risk
    return "s_randomised_accuracy" if perfect else "risk"


def _gains(entry: _Entry) -> dict[int, float]:
    """The score of each seed, larger where better; -inf where the network diverged."""
    score = _score(entry)
    sign = -1 if score == "risk" else 1
    return {
        row["seed"]: -np.inf if row.get(score) is None else sign * float(row[score])
        for row in entry.rows
    }


def _differences(entry: _Entry, reference: _Entry) -> Float[np.ndarray, " seeds"]:
    own, other = _gains(entry), _gains(reference)
    seeds = sorted(own.keys() & other.keys())
    pairs = [(own[seed], other[seed]) for seed in seeds]
    return np.array([0.0 if a == b else a - b for a, b in pairs])  # both may be infinite


def _p_values(differences: Float[np.ndarray, " seeds"]) -> tuple[float, float]:
    """One-sided sign tests, of "not better" and of "not worse"."""
    n = len(differences)
    counts = [int(np.sum(side * differences > _ROUNDING)) for side in (1, -1)]
    better, worse = (float(tail(k, n, 0.5)) if n else 1.0 for k in counts)
    return better, worse


def _verdict(better: bool, worse: bool) -> str:
    return "better" if better else "worse" if worse else "not told apart"


def _compared(
    differences: Float[np.ndarray, " seeds"], level: float, verdict: str
) -> PairedDifference:
    n, ordered = len(differences), np.sort(differences)
    place = above_median(n, level) if n else None
    low, high = (-np.inf, np.inf) if place is None else (ordered[n - 1 - place], ordered[place])
    middle = ordered[[(n - 1) // 2, n // 2]] if n else np.array([np.nan, np.nan])
    return PairedDifference(
        median=float(middle[0] if middle[0] == middle[1] else middle.mean()),
        low=float(low),
        high=float(high),
        better=int(np.sum(differences > _ROUNDING)),
        worse=int(np.sum(differences < -_ROUNDING)),
        seeds=n,
        verdict=verdict,
    )


def _standing(entry: _Entry, learner: str, against: PairedDifference | None) -> Standing:
    cell, rows = entry.cell, entry.rows
    achievable = getattr(cell.task.truth, "achievable_risk", None)
    own_cost = cell.cost if isinstance(cell, Cell) else np.nan

    def mean(name: str, over: float = 0.0, times: float = 1.0) -> Mean:
        values = [row[name] for row in rows if row.get(name) is not None]
        return mean_over_seeds([(v - over) * times for v in values], least=-1.0)

    risks = np.array([row["risk"] for row in rows if row.get("risk") is not None], float)
    statuses = [row["status"] for row in rows]
    settings = entry.settings
    return Standing(
        task=f"{task_words(settings['task'])}, {phrase('n_train', settings['n_train'])}",
        learner=learner,
        cell=cell.name,
        statuses={status: statuses.count(status) for status in dict.fromkeys(statuses)},
        score=_score(entry),
        excess_risk=mean("risk", over=achievable or 0.0),
        exceptions_fresh=mean("exceptions_fresh"),
        memorised=mean("memorised"),
        s_randomised_accuracy=mean("s_randomised_accuracy"),
        reached=clopper_pearson(
            np.array(np.sum(risks < achievable + EXCESS) if achievable is not None else 0),
            np.array(len(rows) if achievable is not None else 0),
            CONFIDENCE,
        ),
        gradients=mean("updates", times=own_cost).value,
        seconds=mean("train_seconds").value,
        uses=_uses(cell),
        against=against,
    )


def _uses(cell: OwnCell) -> tuple[str, ...]:
    """What a learner is told beyond inputs and labels."""
    if isinstance(cell, SolutionCell):
        return ("the achievable rule",)
    return tuple(sorted(cell.method.uses)) if isinstance(cell, Cell) else ()


def _rank(standing: Standing) -> float:
    by_risk = standing.score == "risk"
    value = standing.excess_risk.value if by_risk else -standing.s_randomised_accuracy.value
    return np.inf if np.isnan(value) else value
