"""The figures of a run directory: which displays, from which networks, under which names."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simbias.plots.boundary import boundary
from simbias.plots.comparison import Row, comparison
from simbias.plots.phase import phase
from simbias.plots.training import training
from simbias.results import Store, load_stack, summarise
from simbias.results.summary import QUANTITIES

KINDS = ("boundary", "training", "table", "phase")


def draw(
    store: Store,
    kinds: Sequence[str] | None = None,
    *,
    cell: str | None = None,
    seed: int | None = None,
    coordinate: int | None = None,
) -> list[Path]:
    """Draw figures of a run into its folder ``figures``, as PDF and PNG, data beside them as CSV.

    Args:
        store: the run.
        kinds: some of ``KINDS``; default: all that the run has something to show in.
        cell: name of the cell, or its beginning; default: the suite's first with networks.
        seed: which network, for the boundary; default: the cell's first.
        coordinate: which coordinate across the simple one, for the boundary.

    Returns:
        The files written.

    Raises:
        ValueError: no such cell, seed or coordinate.
    """
    makers: dict[str, Callable[[], tuple[str, Any]]] = {
        "boundary": lambda: _boundary(store, cell, seed, coordinate),
        "training": lambda: _training(store, cell),
        "table": lambda: ("table", comparison(_rows(store))),
        "phase": lambda: ("phase", phase(summarise(store))),
    }
    if kinds is None:
        moved = any(summary.transitions is not None for summary in summarise(store))
        kinds = [kind for kind in KINDS if kind != "phase" or moved]
    written: list[Path] = []
    for kind in kinds:
        name, display = makers[kind]()
        folder = store.directory / "figures"
        folder.mkdir(exist_ok=True)
        for suffix in (".png", ".pdf"):
            written += display.save(folder / f"{name}{suffix}")
    return list(dict.fromkeys(written))


def _boundary(
    store: Store, cell: str | None, seed: int | None, coordinate: int | None
) -> tuple[str, Any]:
    stack = load_stack(store, cell)
    seed = stack.seeds[0] if seed is None else seed
    across = {} if coordinate is None else {"coordinate": coordinate}
    display = boundary(stack, seed=seed, **across)
    suffix = "" if coordinate is None else f"-coordinate{coordinate}"
    return f"boundary-{_slug(stack.cell)}-seed{seed}{suffix}", display


def _training(store: Store, cell: str | None) -> tuple[str, Any]:
    stack = load_stack(store, cell)
    return f"training-{_slug(stack.cell)}", training(stack)


def _rows(store: Store) -> list[Row]:
    return [
        Row(
            summary.task,
            ", ".join([summary.network, *(f"{k} {v}" for k, v in summary.settings.items())]),
            quantity,
            summary.means[quantity].value,
            summary.means[quantity].low,
            summary.means[quantity].high,
            summary.means[quantity].published,
        )
        for summary in summarise(store)
        for quantity in list(QUANTITIES)[:4]
    ]


def _slug(cell: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{cell.task.name} {cell.network.label}".lower()).strip("-")
