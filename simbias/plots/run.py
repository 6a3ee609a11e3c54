"""The figures of a run directory: which displays, from which networks, under which names."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simbias import papers
from simbias._checks import fail, known
from simbias._numbers import counted
from simbias._types import AnyStack
from simbias.bounds import Evaluation
from simbias.bounds.certify import certifying
from simbias.bounds.discrimination import discriminate
from simbias.experiments import experiment_of, label_of
from simbias.experiments.experiment import AnyCell, OwnCell
from simbias.models import Fitted
from simbias.networks.mlp import is_relu
from simbias.papers import Paper, Reproduction
from simbias.papers.judging import NOT_RUN
from simbias.plots._figure import Display
from simbias.plots.boundary import boundary
from simbias.plots.bounds import bounds
from simbias.plots.certify import certify
from simbias.plots.claims import claims
from simbias.plots.comparison import ComparisonRow, comparison
from simbias.plots.discrimination import discrimination
from simbias.plots.islands import islands
from simbias.plots.leaderboard import leaderboard
from simbias.plots.phase import phase
from simbias.plots.preference import preference
from simbias.plots.reproduction import reproduction
from simbias.plots.training import training
from simbias.plots.visibility import visibility
from simbias.registry import FIGURES
from simbias.results import Store, StoreError, summarise
from simbias.results.bounds import comparable, read_all, seeds_without_values
from simbias.results.claims import read_verdicts
from simbias.results.leaderboard import leaderboard as standings_of
from simbias.results.preference import network_pairs
from simbias.results.summary import INTERVAL, Summary, cell_settings
from simbias.results.trained import Trained, anything, check_one, learned, load_sound, trained
from simbias.runner.claims import SUITE
from simbias.tasks import BlockTask
from simbias.tasks.shifts import possible_shifts
from simbias.training.cell import Cell
from simbias.training.stack import Stack
from simbias.training.words import departures, phrases
from simbias.validation.contexts import slab_coordinates
from simbias.validation.grids import count_slab_cuts
from simbias.validation.visibility import VISIBLE, measure_visibility

_SLOW = ("islands", "visibility")  # a minute or more
_COMPARED = ("train_accuracy", "test_accuracy", "s_randomised_accuracy", "sc_randomised_accuracy")

Listing = Callable[[Store, str | None], list[Trained[OwnCell]]]  # which cells a figure may be of
Bounded = Sequence[tuple[OwnCell, Sequence[Evaluation]]]  # cells with their evaluations


class Chosen(NamedTuple):
    """The run, and the part of it, that a figure shows.

    Attributes:
        store: the run.
        cell: name of the cell, of networks or (boundary and bounds only) of estimators, or its
            beginning; None: the suite's first with a classifier, or with bounds.
        seed: which network, for the boundary and the islands; None: the cell's first that is a
            classifier.
        coordinate: which coordinate across the simple one, for the same; None: the slab along which
            the network changes its label most often.
        note: is called with a line for each network left out.
        bounds: evaluations by cell; None: the latest that the run holds.
        reproduced: a paper, and each of its numbers beside ours; None: of a paper of this package,
            from what the run holds.
    """

    store: Store
    cell: str | None = None
    seed: int | None = None
    coordinate: int | None = None
    note: Callable[[str], None] = lambda text: None
    bounds: Bounded | None = None
    reproduced: tuple[Paper, Sequence[Reproduction]] | None = None


class Absent(ValueError):
    """A run lacks what a figure shows: no fault where the figure was not asked for by name.

    Args:
        store: the run.
        contents: that the run lacks, in words.
    """

    def __init__(self, store: Store, contents: str) -> None:
        arrived = f"{store.directory}, which has no {contents}"
        super().__init__(str(fail("DIR", arrived, "a directory that has some")))


def draw(chosen: Chosen, kinds: Sequence[str] | None = None) -> list[Path]:
    """Draw figures of a run into its folder ``figures``, as PDF and PNG, data beside them as CSV.

    Args:
        chosen: the run and the part of it; its ``note`` gets default figures left out, too.
        kinds: names of registered figures; default: those of what the run has, without ``islands``
            and ``visibility``, which take a minute or more.

    Returns:
        The files written.

    Raises:
        ValueError: no such figure, cell, seed or coordinate, a seed that is no classifier, or a
            figure of what the run has not (``Absent``).
        StoreError: no network is a classifier, or a file cannot be read.
    """
    written: list[Path] = []
    for _, name, display in displays(chosen, kinds):
        folder = chosen.store.directory / "figures"
        folder.mkdir(exist_ok=True)
        for suffix in (".png", ".pdf"):
            written += display.save(folder / f"{name}{suffix}")
    return list(dict.fromkeys(written))


def displays(
    chosen: Chosen, kinds: Sequence[str] | None = None
) -> Iterator[tuple[str, str, Display]]:
    """The figures that ``draw`` draws: the kind, the stem of the file and the display of each.

    Raises:
        ValueError, StoreError: as ``draw``.
    """
    store, note = chosen.store, chosen.note
    for kind in kinds or ():
        known("kind", kind, FIGURES.names())
    if chosen.cell is not None or not read_verdicts(store):  # of claims without networks
        anything(store, chosen.cell)  # raises where there is nothing to draw
    default_kinds = [name for name in FIGURES.names() if name not in _SLOW]
    for kind in default_kinds if kinds is None else kinds:
        try:
            name, display = FIGURES.factory(kind)(chosen)
        except Exception as error:
            if kinds is None and isinstance(error, Absent):
                continue
            expected = isinstance(error, ValueError | StoreError) or not FIGURES.owns(kind)
            if kinds is not None or chosen.seed is not None or not expected:
                raise
            note(no_figure(kind, error))
            continue
        yield kind, name, display


def no_figure(kind: str, error: Exception) -> str:
    """Why a run has no figure of a kind, in one line."""
    return f"no {kind} figure: {error}"


def boundary_of(chosen: Chosen) -> tuple[str, Display]:
    """What a classifier says in a plane, beside the rules that it is measured against."""
    return _of_network("boundary", boundary, chosen, learned)


def islands_of(chosen: Chosen) -> tuple[str, Display]:
    """The regions of a network's minority label, and what lies in each."""
    return _of_network("islands", islands, chosen, trained)


def training_of(chosen: Chosen) -> tuple[str, Display]:
    """Loss and accuracies along training, network by network."""
    stack, left_out = _sound("training", chosen)
    display = training(stack)
    display.left_out = left_out
    return f"training-{_slug(stack.cell)}", display


def table_of(chosen: Chosen) -> tuple[str, Display]:
    """Accuracies of each cell beside the published values."""
    rows = table_rows(chosen.store)
    if not rows:
        raise Absent(chosen.store, "accuracies")
    return "table", comparison(rows, interval=INTERVAL)


def phase_of(chosen: Chosen) -> tuple[str, Display]:
    """Where a network leaves the simple rule for the achievable one."""
    summaries = summarise(chosen.store)
    if all(summary.transitions is None for summary in summaries):
        raise Absent(chosen.store, "networks that ended and have a stop at a select_accuracy")
    return "phase", phase(summaries)


def bounds_of(chosen: Chosen) -> tuple[str, Display]:
    """Every bound of a cell against the exact risk of the classifier that it certifies."""
    beginning = chosen.cell or ""
    cells = [
        (cell, evaluations)
        for cell, evaluations in _bounded(chosen)
        if cell.name.startswith(beginning)
    ]
    if not cells:
        raise Absent(chosen.store, f"bounds of {beginning}" if beginning else "bounds")
    check_one([cell.name for cell, _ in cells], chosen.cell)
    cell, evaluations = cells[0]
    left_out = seeds_without_values(evaluations)
    readable = [evaluation for evaluation in evaluations if evaluation.seed not in left_out]
    networks = len({evaluation.seed for evaluation in readable})
    settings = cell_settings(chosen.store).get(cell.name, departures(cell.task))
    words = phrases({"n_train": cell.n_train} | settings)
    learners = counted(networks, experiment_of(cell).learner)
    name = f"{cell.task.name} {label_of(cell)}, {words}, {learners}"
    return f"bounds-{_slug(cell)}", bounds(readable, name=name)


def discrimination_of(chosen: Chosen) -> tuple[str, Display]:
    """How well every bound and measure tells networks that have learned from stuck ones."""
    cells = [
        (cell, evaluations) for cell, evaluations in _bounded(chosen) if isinstance(cell, Cell)
    ]
    if len(cells) < 2:
        raise Absent(chosen.store, "bounds of several cells of networks")
    return "discrimination", discrimination(discriminate(*comparable(cells)))


def certify_of(chosen: Chosen) -> tuple[str, Display]:
    """From how many training points on each bound certifies a small excess risk."""
    cells = [
        (cell, evaluations) for cell, evaluations in _bounded(chosen) if isinstance(cell, Cell)
    ]
    entries = certifying(cells)
    if not entries:
        raise Absent(chosen.store, "bounds of networks at several n_train")
    return "certify", certify(entries)


def preference_of(chosen: Chosen) -> tuple[str, Display]:
    """Which network each bound prefers: one that generalises or one of the run that does not.

    Where the cell has no stuck networks, solutions stand against those that have learned.
    """
    of_networks = [cell for cell, _ in _bounded(chosen) if isinstance(cell, Cell)]
    for cell in of_networks:
        if not cell.name.startswith(chosen.cell or ""):
            continue
        others = [
            (other, evaluations)
            for other, evaluations in _bounded(chosen)
            if other == cell or not isinstance(other, Cell)
        ]
        pairs, kinds = network_pairs(others)
        against = [pair for pair in pairs if pair.comparison.endswith("against stuck")] or pairs
        if against:
            return f"preference-{_slug(cell)}", preference(against, kinds)
    raise Absent(chosen.store, "networks with bounds beside achievable solutions or escaped ones")


def claims_of(chosen: Chosen) -> tuple[str, Display]:
    """Every claim's estimate, interval and threshold, coloured by its verdict."""
    rows = read_verdicts(chosen.store)
    if not rows:
        raise Absent(chosen.store, "verdicts")
    return "claims", claims(rows)


def reproduction_of(chosen: Chosen) -> tuple[str, Display]:
    """Published numbers of a paper beside ours, of the preset of which most are there."""
    store = chosen.store
    entries = [chosen.reproduced] if chosen.reproduced else []
    if not entries and (store.config() or {}).get("suite") == SUITE:
        entries = [
            (paper, papers.reproductions(paper, preset, store, note=chosen.note))
            for paper in map(papers.load, papers.names())
            for preset in paper.presets
        ]
    run = [sum(ours.outcome != NOT_RUN for ours in entry[1]) for entry in entries]
    if not any(run):
        raise Absent(store, "networks of a paper's numbers")
    return "reproduction", reproduction(*entries[int(np.argmax(run))])


def visibility_of(chosen: Chosen) -> tuple[str, Display]:
    """What shifts cost networks, against the points that reveal each; it takes many minutes."""
    stack, _ = _sound("visibility", chosen)
    task = stack.cell.task
    shifts = possible_shifts(task, VISIBLE) if isinstance(task, BlockTask) else []
    if not shifts:
        raise Absent(chosen.store, "networks on a task that has shifts")
    rows = measure_visibility(stack, shifts=shifts, note=chosen.note)
    return f"visibility-{_slug(stack.cell)}", visibility(rows, name=networks_name(stack))


def leaderboard_of(chosen: Chosen) -> tuple[str, Display]:
    """Learners side by side on the same data, each beside the reference of its task."""
    check_classifiers(chosen)
    standings = standings_of(chosen.store)
    if not any(standing.against is not None for standing in standings):
        raise Absent(chosen.store, "task with several learners")
    return "leaderboard", leaderboard(standings)


def networks_name(stack: Stack) -> str:
    """Networks of a cell in words."""
    words = phrases({"n_train": stack.cell.n_train} | departures(stack.cell.task))
    return f"{stack.cell.task.name} {stack.cell.network.label}, {words}, {len(stack)} networks"


def check_classifiers(chosen: Chosen) -> None:
    """Raise ``Absent`` for a run whose experiments make none."""
    makes = [experiment_of(c).learned for c in (chosen.store.config() or {}).get("cells", [])]
    if makes and not any(learned is None or learned.classifies for learned in makes):
        raise Absent(chosen.store, "classifiers")


def _bounded(chosen: Chosen) -> Bounded:
    check_classifiers(chosen)
    return read_all(chosen.store) if chosen.bounds is None else chosen.bounds


def _of_network(
    kind: str, draw: Callable[..., Display], chosen: Chosen, of: Listing
) -> tuple[str, Display]:
    coordinate = chosen.coordinate
    stack, _ = _sound(kind, chosen, seed=chosen.seed, first=True, of=of)
    across = most_cut(stack) if coordinate is None else coordinate
    display = draw(stack, **({} if across is None else {"coordinate": across}))
    suffix = "" if coordinate is None else f"-coordinate{coordinate}"
    return f"{kind}-{_slug(stack.cell)}-seed{stack.seeds[0]}{suffix}", display


def _sound(
    kind: str,
    chosen: Chosen,
    *,
    seed: int | None = None,
    first: bool = False,
    of: Listing = trained,
) -> tuple[AnyStack, tuple[int, ...]]:
    """The networks for a figure, and the seeds of its cell that are left out, which it notes."""
    check_classifiers(chosen)
    stack, left_out = load_sound(chosen.store, chosen.cell, seed=seed, first=first, of=of)
    seeds: dict[tuple[str, str], list[str]] = {}
    for job, fault in left_out.items():
        seeds.setdefault((job.cell.name, fault), []).append(f"{job.seed}")
    for (name, reason), of_reason in seeds.items():
        which = f"seed{'s' * (len(of_reason) > 1)} {', '.join(of_reason)}"
        chosen.note(f"{kind} figure: left out {name} {which}: {reason}")
    return stack, tuple(job.seed for job in left_out if job.cell == stack.cell)


def most_cut(stack: Stack | Fitted) -> int | None:
    """The slab coordinate along which a stack's first network changes its label most often.

    None where there is nothing to choose by: no simple set, or no exact geometry.
    """
    if not isinstance(stack, Stack):
        return None
    network, task = stack.cell.network, stack.cell.task
    if not is_relu(network) or not isinstance(task, BlockTask) or not task.simple_set:
        return None
    if not slab_coordinates(task, None):
        return None
    slabs, cuts = count_slab_cuts(stack)
    return None if np.isnan(cuts[0]).any() else slabs[int(np.argmax(cuts[0]))]


def table_rows(store: Store) -> list[ComparisonRow]:
    """A run's table as rows of a comparison with published values; labels count the diverged."""

    def label(summary: Summary) -> str:
        diverged = summary.statuses.get("diverged")
        note = f"{diverged} diverged" if diverged else ""
        return ", ".join(filter(None, [summary.network, phrases(summary.settings), note]))

    return [
        ComparisonRow(
            summary.task,
            label(summary),
            quantity,
            summary.means[quantity].value,
            summary.means[quantity].low,
            summary.means[quantity].high,
            summary.means[quantity].published,
        )
        for summary in summarise(store)
        for quantity in _COMPARED
        if quantity in summary.means
    ]


def _slug(cell: AnyCell) -> str:
    """The cell's name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", cell.name.lower()).strip("-")
