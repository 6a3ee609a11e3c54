"""Two runs side by side: what differs, cell by cell, with intervals.

Learners of one task and one number of training points meet the same data, seed by seed, so their
differences are taken within seeds.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simbias._defaults import CONFIDENCE
from simbias._numbers import interval, number
from simbias._types import Settings, TableRow
from simbias.experiments import FINAL, experiments
from simbias.experiments.registered import USUAL
from simbias.pages.html_table import HtmlCell, HtmlTable, html_table
from simbias.pages.section import PageSection
from simbias.pages.source import PageSource
from simbias.stats.student import half_width_of_mean
from simbias.training.words import phrases, varied


class _Compared(NamedTuple):
    """A cell of a run, with its rows by seed."""

    cell: str
    settings: Settings
    rows: dict[int, TableRow]


def difference(first: PageSource, second: PageSource) -> PageSection:
    """The differences of two runs, the second's less the first's; never fails for want of any."""
    sides = [_sides(source) for source in (first, second)]
    pairs = [(a, b) for a in sides[0] if (b := _partner(a, sides[1])) is not None]
    used = {(a.cell, b.cell) for a, b in pairs}
    alone = [
        f"only in {source.title}: {side.cell}"
        for place, source in enumerate((first, second))
        for side in sides[place]
        if side.cell not in {pair[place] for pair in used}
    ]
    names = [name for name in experiments()[USUAL].shown if name not in ("updates",)]
    measured = [
        (a, b, name, values)
        for a, b in pairs
        for name in names
        if len(values := _differences(a, b, name)) > 0
    ]
    table = html_table(
        "between-differences",
        f"{second.title} less {first.title}",
        (
            "cell of the first",
            "cell of the second",
            "differ in",
            "quantity",
            "seeds",
            "first",
            "second",
            "difference",
        ),
        [_row(*entry, comparisons=len(measured)) for entry in measured],
        "difference: mean over the seeds that both have, each on its own data, with the interval of"
        f" Student's t (approximate); all {len(measured)} hold at once with probability"
        f" {CONFIDENCE:.0%} (Bonferroni)",
    )
    words = [] if measured else ["No two cells of them met the same data: nothing can be compared."]
    tables = [table] if measured else []
    if verdicts := _verdicts(first, second):
        tables.append(verdicts)
    return PageSection("between", "Side by side", words, lines=alone, tables=tables)


def _sides(source: PageSource) -> list[_Compared]:
    """The cells of networks and estimators that have rows, in the suite's order."""
    sides: dict[str, _Compared] = {}
    for experiment in experiments().values():
        if experiment.learned is None or not experiment.learned.classifies:
            continue
        names, answers = source.store.query(f"FROM {experiment.table.name} ORDER BY seed")
        for answer in answers:
            row = dict(zip(names, answer, strict=True))
            if row["status"] in FINAL:
                side = _Compared(row["cell"], json.loads(row["settings"]), {})
                sides.setdefault(row["cell"], side).rows[row["seed"]] = row
    return sorted(sides.values(), key=lambda side: source.store.order(side.cell))


def _partner(side: _Compared, others: Sequence[_Compared]) -> _Compared | None:
    """The same cell of the other run, else the only one that met the same data."""
    for other in others:
        if other.cell == side.cell and other.settings == side.settings:
            return other
    same = [other for other in others if _data(other) == _data(side)]
    if len(same) > 1:
        same = [
            other for other in same if other.settings.get("network") == side.settings.get("network")
        ]
    return same[0] if len(same) == 1 else None


def _data(side: _Compared) -> str:
    """What the training set hangs from, beside the seed."""
    parts = [side.settings.get(name) for name in ("task", "n_train", "label_noise")]
    return json.dumps(parts, sort_keys=True)


def _differences(a: _Compared, b: _Compared, name: str) -> np.ndarray:
    """What the second has more than the first, of each seed that both have a number of."""
    pairs = [
        (a.rows[seed].get(name), b.rows[seed].get(name)) for seed in sorted(a.rows.keys() & b.rows)
    ]
    return np.array([y - x for x, y in pairs if x is not None and y is not None], float)


def _row(
    a: _Compared, b: _Compared, name: str, differences: np.ndarray, *, comparisons: int
) -> tuple[str, list[HtmlCell]]:
    confidence = 1 - (1 - CONFIDENCE) / comparisons
    half, middle = half_width_of_mean(differences, confidence), float(differences.mean())
    if np.isfinite(half):
        ends = interval(middle - half, middle + half)
    else:
        ends = "the same in every seed" if len(differences) > 1 else "a single seed"
    parts = varied([a.settings, b.settings])
    apart = " / ".join(filter(None, map(phrases, parts))) or "nothing"
    shared = [seed for seed in sorted(a.rows.keys() & b.rows) if a.rows[seed].get(name) is not None]
    means = [
        float(np.mean([side.rows[s][name] for s in shared if side.rows[s].get(name) is not None]))
        for side in (a, b)
    ]
    cells = [
        a.cell,
        b.cell,
        apart,
        name.replace("_", " "),
        f"{len(differences)}",
        *map(number, means),
    ]
    return f"{a.cell} {name}", [*map(HtmlCell, cells), HtmlCell(number(middle), ends, middle)]


def _verdicts(first: PageSource, second: PageSource) -> HtmlTable | None:
    """Claims that both have judged, verdict beside verdict."""
    others = {row["id"]: row for row in second.verdicts}
    rows = []
    for row in first.verdicts:
        other = others.get(row["id"])
        if other is None:
            continue
        same = "yes" if row["hash"] == other["hash"] else "no"
        numbers = [HtmlCell(number(r["estimate"]), _ends(r)) for r in (row, other)]
        cells = [HtmlCell(str(row["id"]), str(row["title"])), HtmlCell(same)]
        cells += [HtmlCell(row["verdict"]), HtmlCell(other["verdict"]), *numbers]
        rows.append((str(row["id"]), cells))
    head = ("claim", "says the same", "first", "second", "estimate of the first", "of the second")
    table = html_table("between-verdicts", "Verdicts side by side", head, rows)
    return table if rows else None


def _ends(row: TableRow) -> str:
    return "" if row["low"] is None or row["high"] is None else interval(row["low"], row["high"])
