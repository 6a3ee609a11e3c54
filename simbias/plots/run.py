"""The figures of a run directory: which displays, from which networks, under which names."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simbias.models import Fitted
from simbias.networks import MLP
from simbias.plots.boundary import boundary
from simbias.plots.comparison import Row, comparison
from simbias.plots.islands import islands
from simbias.plots.phase import phase
from simbias.plots.training import training
from simbias.results import Store, StoreError, summarise
from simbias.results.records import learned, load_sound, trained
from simbias.results.summary import INTERVAL, Summary
from simbias.tasks import BlockTask
from simbias.training.stack import Stack
from simbias.training.words import phrases
from simbias.validation.grids import count_slab_cuts, slab_coordinates

KINDS = ("boundary", "training", "table", "islands", "phase")
_COMPARED = ("train_accuracy", "test_accuracy", "s_randomised_accuracy", "sc_randomised_accuracy")


def draw(
    store: Store,
    kinds: Sequence[str] | None = None,
    *,
    cell: str | None = None,
    seed: int | None = None,
    coordinate: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Draw figures of a run into its folder ``figures``, as PDF and PNG, data beside them as CSV.

    Args:
        store: the run.
        kinds: some of ``KINDS``; default: all but ``islands``, which takes a minute or more, and
            ``phase`` only where networks trained to an accuracy on select draws.
        cell: name of the cell, of networks or (boundary only) of estimators, or its beginning;
            default: the suite's first with a classifier.
        seed: which network, for the boundary and the islands; default: the cell's first that is a
            classifier.
        coordinate: which coordinate across the simple one, for the same; default: the slab along
            which the network changes its label most often.
        note: hears which networks are left out, and which of the default figures are.

    Returns:
        The files written.

    Raises:
        ValueError: no such cell, seed or coordinate, or a seed that is no classifier.
        StoreError: no network is a classifier, or a file cannot be read.
    """
    makers: dict[str, Callable[[], tuple[str, Any]]] = {
        "boundary": lambda: _of_network("boundary", boundary, store, cell, seed, coordinate, note),
        "islands": lambda: _of_network("islands", islands, store, cell, seed, coordinate, note),
        "training": lambda: _training(store, cell, note),
        "table": lambda: ("table", comparison(table_rows(store), interval=INTERVAL)),
        "phase": lambda: ("phase", phase(summarise(store))),
    }
    learned(store, cell)  # raises where there is nothing to draw
    chosen = kinds is not None
    if kinds is None:
        moved = any(summary.transitions is not None for summary in summarise(store))
        kinds = ["boundary", "training", "table", *(["phase"] if moved else [])]
    written: list[Path] = []
    for kind in kinds:
        try:
            name, display = makers[kind]()
        except (ValueError, StoreError) as error:
            if chosen or seed is not None:
                raise
            note(f"no {kind} figure: {error}")
            continue
        folder = store.directory / "figures"
        folder.mkdir(exist_ok=True)
        for suffix in (".png", ".pdf"):
            written += display.save(folder / f"{name}{suffix}")
    return list(dict.fromkeys(written))


def _of_network(
    kind: str,
    draw: Callable[..., Any],
    store: Store,
    cell: str | None,
    seed: int | None,
    coordinate: int | None,
    note: Callable[[str], None],
) -> tuple[str, Any]:
    of = learned if kind == "boundary" else trained
    stack, _ = _sound(kind, store, cell, note, seed=seed, first=True, of=of)
    chosen = most_cut(stack) if coordinate is None else coordinate
    display = draw(stack, **({} if chosen is None else {"coordinate": chosen}))
    suffix = "" if coordinate is None else f"-coordinate{coordinate}"
    return f"{kind}-{_slug(stack.cell)}-seed{stack.seeds[0]}{suffix}", display


def _sound(
    kind: str, store: Store, cell: str | None, note: Callable[[str], None], **which: Any
) -> tuple[Any, tuple[int, ...]]:
    """The networks for a figure, and the seeds of others of the cell; those left out are told."""
    stack, left_out = load_sound(store, cell, **which)
    for job, fault in left_out.items():
        note(f"{kind} figure: left out {job.cell.name} seed {job.seed}: {fault}")
    return stack, tuple(job.seed for job in left_out if job.cell == stack.cell)


def most_cut(stack: Stack | Fitted) -> int | None:
    """The slab coordinate along which a stack's first network changes its label most often.

    None where there is nothing to choose by: no simple set, or no exact geometry.
    """
    if not isinstance(stack, Stack):
        return None
    network, task = stack.cell.network, stack.cell.task
    relu = isinstance(network, MLP) and network.activation == "relu"
    if not relu or not isinstance(task, BlockTask) or not task.simple_set:
        return None
    if not slab_coordinates(task, None):
        return None
    slabs, cuts = count_slab_cuts(stack)
    return None if np.isnan(cuts[0]).any() else slabs[int(np.argmax(cuts[0]))]


def _training(store: Store, cell: str | None, note: Callable[[str], None]) -> tuple[str, Any]:
    stack, left_out = _sound("training", store, cell, note)
    display = training(stack)
    display.left_out = left_out
    return f"training-{_slug(stack.cell)}", display


def table_rows(store: Store) -> list[Row]:
    """A run's table as rows of a comparison with what was published; who diverged is told."""

    def label(summary: Summary) -> str:
        diverged = summary.statuses.get("diverged")
        told = f"{diverged} diverged" if diverged else ""
        return ", ".join(filter(None, [summary.network, phrases(summary.settings), told]))

    return [
        Row(
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


def _slug(cell: Any) -> str:
    """The cell's name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", cell.name.lower()).strip("-")
