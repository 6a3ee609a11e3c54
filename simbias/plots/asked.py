"""Figures of a run of the experiment ``directions``."""

from collections.abc import Callable, Mapping

from simbias.plots._figure import Display
from simbias.plots.answers import Rows, alike, decoded, doses
from simbias.plots.effects import effects
from simbias.plots.run import Absent, Chosen
from simbias.plots.seed_matrix import seeds


def _rows(chosen: Chosen, asked: str, more: str = "") -> list[Mapping[str, object]]:
    """The rows of a question, with those of their traces where they are joined."""
    names, rows = chosen.store.query(
        f"SELECT d.*{', t.dose, t.ones, t.ones_by_input' * bool(more)} FROM directions d {more}"
        f" WHERE d.asked = '{asked}' AND d.status = 'done'"
        " ORDER BY d.dim, d.layer, d.target, d.probe, d.direction, d.intervention,"
        " d.updates, d.seed"
    )
    every = [dict(zip(names, row, strict=True)) for row in rows]
    return [row for row in every if str(row["cell"]).startswith(chosen.cell or "")]


def _of(
    chosen: Chosen, name: str, draw: Callable[[Rows], Display], rows: Rows, words: str
) -> tuple[str, Display]:
    try:
        return name, draw(rows)
    except ValueError:
        raise Absent(chosen.store, words) from None


def doses_of(chosen: Chosen) -> tuple[str, Display]:
    """Responses to additions along directions, and to those to the coordinate."""
    rows = _rows(chosen, "doses", "JOIN traces t USING (cell, seed)")
    return _of(chosen, "doses", doses, rows, "responses to doses")


def effects_of(chosen: Chosen) -> tuple[str, Display]:
    """What edits do against what they cost off their target."""
    return _of(chosen, "effects", effects, _rows(chosen, "edit"), "edits of networks")


def decoded_of(chosen: Chosen) -> tuple[str, Display]:
    """What a layer tells along training."""
    rows = _rows(chosen, "layer")
    return _of(chosen, "decoded", decoded, rows, "layers that were asked at several checks")


def alike_of(chosen: Chosen) -> tuple[str, Display]:
    """How alike two seeds are, along training and in networks of other sizes."""
    return _of(chosen, "alike", alike, _rows(chosen, "seeds"), "seeds that were compared")


def seeds_of(chosen: Chosen) -> tuple[str, Display]:
    """How alike each two seeds are."""
    rows = _rows(chosen, "seeds")
    return _of(chosen, "seeds", seeds, rows, "seeds that were each compared with each")
