"""Bounds of a run: one Parquet file a cell, a row for every network and bound, and its table.

``DIR/bounds/HASH.parquet`` is named after the networks and the settings of the evaluation: the same
again is read back, other settings stand beside it. Delete the folder to compute everything anew.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simbias._checks import fail
from simbias.bounds import Judged, Premise, Record
from simbias.bounds.discrimination import Network
from simbias.results.records import load_stack, versions, weights_of
from simbias.results.schema import BOUNDS as COLUMNS
from simbias.results.schema import FINAL
from simbias.results.store import Store
from simbias.training.cell import Cell, cell_from_settings
from simbias.training.stack import Stack
from simbias.training.words import plain, value_words

FOLDER = "bounds"
EDITION = 2  # to be raised when a bound says something else of the same networks
HEAD = ("bound", "kind", "certifies", "value", "risk", "gap", "valid?", "vacuous?", "tightness")
CAPTION = (
    "medians over networks; value: unclipped, with its range; risk: of the classifier that is"
    " certified, with the hull of the networks' 95% intervals; gap: value - risk; vacuous: at least"
    " 1/2, the error of guessing; tightness: value / upper end of the risk"
)


def trained_cells(store: Store, cell: str | None = None) -> list[str]:
    """Names of the cells that have networks, in the suite's order.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
    """
    _, rows = store.query(f"SELECT DISTINCT cell FROM networks WHERE status IN {FINAL}")
    names = sorted((name for (name,) in rows), key=lambda name: (store.order(name), name))
    matching = [name for name in names if cell is None or name.startswith(cell)]
    if not matching:
        raise fail("cell", cell, f"one of the trained cells: {', '.join(names) or 'none yet'}")
    return matching


def load_with_initial(store: Store, cell: str) -> Stack:
    """The stack of a cell, for bounds; ValueError where no initialisation is stored."""
    try:
        return load_stack(store, cell)
    except ValueError as error:
        if not str(error).startswith("tensor initial."):
            raise
        arrived = f"{cell}, stored without initialisation"
        raise fail("cell", arrived, "networks stored with their initialisation") from None


class Asked(NamedTuple):
    """What was asked of the networks of a cell: with it, what was found is found again."""

    cell: Cell
    seeds: tuple[int, ...]
    bounds: tuple[str, ...]
    delta: float
    n_certify: int
    masks: int

    def path(self, store: Store) -> Path:
        """The file of the answer."""
        settings = [self.cell.identity, sorted(self.seeds), sorted(self.bounds), *self[3:]]
        digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
        return store.directory / FOLDER / f"{digest}.parquet"


def write_bounds(store: Store, asked: Asked, judged: Sequence[Judged]) -> None:
    """Keep what was found on the networks of a cell; raises StoreError."""
    cell = asked.cell
    common = {
        "cell": cell.name,
        "task": cell.task.name,
        "network": cell.network.label,
        "n_train": cell.n_train,
        "n_certify": asked.n_certify,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _made_by(),
        "weights": weights_of(store, cell, asked.seeds),
    }
    store.write_rows(asked.path(store), COLUMNS, [common | bound_row(one) for one in judged])


def read_bounds(store: Store, asked: Asked) -> list[Judged] | None:
    """What was found when the same was asked before of the same networks.

    None where it was not, cannot be read, or was found by other versions.
    """
    rows = store.read_rows(asked.path(store), COLUMNS)
    same = {
        "cell": asked.cell.name,
        "n_certify": asked.n_certify,
        "versions": _made_by(),
        "weights": weights_of(store, asked.cell, asked.seeds),
    }
    if rows is None or any(row[key] != value for row in rows for key, value in same.items()):
        return None
    return [_judged(row) for row in rows]


def _made_by() -> str:
    """The versions of what makes the rows, as JSON."""
    return json.dumps(versions() | {"bounds": str(EDITION)})


def read_all(store: Store) -> list[tuple[Cell, list[Judged]]]:
    """Every cell of a run with the latest that was found on it, in the suite's order.

    What was found on networks that have since been replaced is left out.
    """
    _, settings = store.query("SELECT DISTINCT cell, settings FROM networks")
    cells = {name: cell_from_settings(json.loads(text)) for name, text in settings}
    latest: dict[str, tuple[str, list[Judged]]] = {}
    for path in sorted((store.directory / FOLDER).glob("*.parquet")):
        rows = store.read_rows(path, COLUMNS)
        if not rows or rows[0]["cell"] not in cells:
            continue
        name, seeds = rows[0]["cell"], sorted({row["seed"] for row in rows})
        if rows[0]["weights"] not in (None, weights_of(store, cells[name], seeds)):
            continue
        if rows[0]["finished"] >= latest.get(name, ("",))[0]:
            latest[name] = rows[0]["finished"], [_judged(row) for row in rows]
    return [(cells[name], latest[name][1]) for name in sorted(latest, key=store.order)]


def _judged(row: dict[str, Any]) -> Judged:
    """The inverse of ``bound_row``."""
    kept = {field.name: row[field.name] for field in fields(Record) if field.name in row}
    kept["terms"] = {name: float(term) for name, term in json.loads(row["terms"]).items()}
    kept["premises"] = tuple(Premise(**premise) for premise in json.loads(row["premises"]))
    return Judged(Record(**kept), row["seed"], row["risk"], row["risk_low"], row["risk_high"])


def comparable(
    found: Sequence[tuple[Cell, Sequence[Judged]]],
) -> tuple[list[Network], dict[str, str]]:
    """The networks of several cells with their numbers, and the kind of each number.

    The risk beside every number is that of the network itself, whatever the number certifies.

    Raises:
        ValueError: a cell without a record about its networks themselves.
    """
    networks, kinds = [], {}
    for cell, judged in found:
        by_seed: dict[int, list[Judged]] = {}
        for one in judged:
            by_seed.setdefault(one.seed, []).append(one)
            kinds[one.record.bound] = one.record.kind
        for seed, several in by_seed.items():
            own = next((one for one in several if one.own_risk), None)
            if own is None:
                raise fail("bounds", "none about the network itself", "at least one that is")
            values = {
                one.record.bound: np.nan if one.record.log10 is None else one.record.log10
                for one in several
            }
            risk, low, high = (float(part or 0) for part in (own.risk, own.risk_low, own.risk_high))
            networks.append(Network(_flat(cell), seed, risk, low, high, values))
    return networks, kinds


def _flat(cell: Cell) -> dict[str, Any]:
    """What may set cells of a grid apart: the task with its settings, n, and the architecture."""
    given = cell.task.settings
    task = {key: plain(given).get(key, value_words(value)) for key, value in given.items()}
    network = {key: value for key, value in cell.network.settings.items() if key != "name"}
    return {"task": cell.task.name, **task, "n_train": cell.n_train, **network}


def bound_row(judged: Judged) -> dict[str, Any]:
    """The columns that are a record's own."""
    record = judged.record
    return {
        "seed": judged.seed,
        "bound": record.bound,
        "family": record.family,
        "kind": record.kind,
        "certifies": record.certifies,
        "delta": record.delta,
        "value": record.value,
        "log10": record.log10,
        "risk": judged.risk,
        "risk_low": judged.risk_low,
        "risk_high": judged.risk_high,
        "gap": judged.gap,
        "valid": judged.valid,
        "vacuous": judged.vacuous,
        "tightness": judged.tightness,
        "reason": record.reason,
        "constants": record.constants,
        "terms": json.dumps({name: _jsonable(term) for name, term in record.terms.items()}),
        "premises": json.dumps([premise._asdict() for premise in record.premises]),
    }


def bound_lines(judged: Sequence[Judged]) -> list[list[str]]:
    """The table of a cell under ``HEAD``, a line a bound; judgements count networks."""
    by_name: dict[str, list[Judged]] = {}
    for one in judged:
        by_name.setdefault(one.record.bound, []).append(one)
    lines = []
    for name, several in by_name.items():
        record = several[0].record
        values = _given([one.record.value for one in several])
        risk = ""
        if all(one.risk is not None for one in several):
            low = min(_given([one.risk_low for one in several]))
            high = max(_given([one.risk_high for one in several]))
            risk = f"{_median([one.risk for one in several])} [{low:.4g}, {high:.4g}]"
        value = "inapplicable"
        if values:
            value = _median(values)
            if len(values) > 1:
                value += f" ({min(values):.4g} to {max(values):.4g})"
        lines.append(
            [
                name,
                record.kind,
                record.certifies,
                value,
                risk,
                _median([one.gap for one in several]),
                _share([one.valid for one in several]),
                _share([one.vacuous for one in several]),
                _median([one.tightness for one in several]),
            ]
        )
    return lines


def _given(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median(values: Sequence[float | None]) -> str:
    given = _given(values)
    return f"{float(np.median(given)):.4g}" if given else ""


def _share(answers: Sequence[bool | None]) -> str:
    """Yes or no where all networks agree, otherwise how many say yes."""
    given = [answer for answer in answers if answer is not None]
    if not given:
        return ""
    if len(set(given)) == 1:
        return "yes" if given[0] else "no"
    return f"{sum(given)} of {len(given)}"


def _jsonable(value: float) -> float | str:
    """JSON has no infinity."""
    return float(value) if math.isfinite(value) else str(float(value))
