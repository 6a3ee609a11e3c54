"""Bounds of a run: one Parquet file a cell, a row for every network and bound, and its table.

``DIR/bounds/HASH.parquet`` is named after the cell and the settings of the evaluation. A rerun with
the same settings computes everything again and replaces the file; other settings stand beside it.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from simbias._checks import fail
from simbias.bounds import Judged
from simbias.results.records import load_stack, versions
from simbias.results.schema import FINAL, Column
from simbias.results.store import Store
from simbias.training.cell import Cell
from simbias.training.stack import Stack

FOLDER = "bounds"
COLUMNS = (
    Column("cell", "VARCHAR", "cell of the network"),
    Column("task", "VARCHAR", "task name"),
    Column("network", "VARCHAR", "architecture, (width,depth)"),
    Column("seed", "BIGINT", "integer seed"),
    Column("n_train", "BIGINT", "training points"),
    Column("bound", "VARCHAR", "registered name"),
    Column("family", "VARCHAR", "what the bound is derived from"),
    Column("kind", "VARCHAR", "certificate, bound or measure"),
    Column("certifies", "VARCHAR", "whose error the value bounds"),
    Column("delta", "DOUBLE", "probability, over the sample, with which the bound may fail"),
    Column("value", "DOUBLE", "unclipped; empty where the premises do not hold"),
    Column("log10", "DOUBLE", "its logarithm, finite where the value overflows"),
    Column("risk", "DOUBLE", "risk of the certified classifier on fresh certify draws"),
    Column("risk_low", "DOUBLE", "lower end of its interval"),
    Column("risk_high", "DOUBLE", "upper end"),
    Column("gap", "DOUBLE", "value - risk"),
    Column("valid", "BOOLEAN", "whether the interval of the risk does not lie above the value"),
    Column("vacuous", "BOOLEAN", "whether the value is 1/2 or more, the error of guessing"),
    Column("tightness", "DOUBLE", "value over the upper end of the risk"),
    Column("reason", "VARCHAR", "why there is no value"),
    Column("constants", "VARCHAR", "where the constants are proved; empty for a measure"),
    Column("terms", "VARCHAR", "what the value is made of, as JSON"),
    Column("premises", "VARCHAR", "the assumptions, whether they hold and the numbers, as JSON"),
    Column("n_certify", "BIGINT", "fresh draws behind each risk"),
    Column("finished", "VARCHAR", "UTC time at which the file was written"),
    Column("versions", "VARCHAR", "versions of simbias, Python and its libraries, as JSON"),
)
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


def write_bounds(store: Store, cell: Cell, judged: Sequence[Judged], n_certify: int) -> Path:
    """Keep what was found on the networks of a cell; raises StoreError.

    Args:
        store: the run directory.
        cell: what was trained.
        judged: at least one, all with one delta.
        n_certify: fresh points behind each risk.

    Returns:
        The file.
    """
    seeds = sorted({one.seed for one in judged})
    names = sorted({one.record.bound for one in judged})
    settings = [cell.identity, seeds, names, judged[0].record.delta, n_certify]
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    path = store.directory / FOLDER / f"{digest}.parquet"
    path.parent.mkdir(exist_ok=True)
    common = {
        "cell": cell.name,
        "task": cell.task.name,
        "network": cell.network.label,
        "n_train": cell.n_train,
        "n_certify": n_certify,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": json.dumps(versions()),
    }
    found = [common | bound_row(one) for one in judged]
    values = [[row[column.name] for column in COLUMNS] for row in found]
    typed = ", ".join(f'"{column.name}" {column.type}' for column in COLUMNS)
    marks = ", ".join("?" * len(COLUMNS))

    def write(temporary: str) -> None:
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE rows ({typed})")
            connection.executemany(f"INSERT INTO rows VALUES ({marks})", values)
            connection.table("rows").write_parquet(temporary)

    store._write(path, write)
    return path


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
