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
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simbias._checks import fail
from simbias._types import AnyStack, Settings, TableRow
from simbias.bounds import Assumption, Evaluation, Record, evaluate, left_out
from simbias.bounds.discrimination import ScoredNetwork
from simbias.bounds.evaluation import LOADED
from simbias.experiments import label_of, versions
from simbias.experiments.experiment import OwnCell
from simbias.results.files import StoreError
from simbias.results.schema import BOUNDS_COLUMNS as COLUMNS
from simbias.results.store import Store
from simbias.results.trained import joined, learned, load, weights_of
from simbias.training.cell import Cell
from simbias.training.draws import DrawsError
from simbias.training.words import how_trained, plain, value_words

FOLDER = "bounds"
EDITION = 2  # to be raised when a bound says something else of the same networks


class Asked(NamedTuple):
    """What was asked of the networks of a cell: with it, what was found is found again."""

    cell: OwnCell
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


def hold(store: Store, asked: Asked) -> list[Evaluation]:
    """Bounds on the networks of a cell: what was found before, or evaluated now and kept.

    A network whose files cannot be read has records without a value, and so has, for the bounds
    that refer to it, one that is stored without its initialisation.

    Args:
        store: the run directory.
        asked: what is asked, of which networks.

    Raises:
        StoreError: nothing can be written.
        ValueError: an argument that ``evaluate`` refuses.
        DrawsError: no network's training set can be drawn again.
    """
    known = read_bounds(store, asked)
    if known is not None and not any(map(_unread, known)):
        return known
    broken: dict[int, Exception] = {}
    alike: dict[bool, list[AnyStack]] = {}  # networks by whether their initialisation is stored
    for seed in asked.seeds:
        try:
            one = load(store, asked.cell, [seed])
            alike.setdefault(getattr(one, "initial", None) is not None, []).append(one)
        except (StoreError, DrawsError) as error:
            broken[seed] = error
    if not alike:  # then it is not the fault of one network
        for why in broken.values():
            if isinstance(why, DrawsError):
                raise why
    effort: Settings = {"delta": asked.delta, "bounds": asked.bounds}
    evaluations = [
        one for seed, why in broken.items() for one in left_out(seed, str(why), **effort)
    ]
    effort |= {"n_certify": asked.n_certify, "masks": asked.masks}
    for several in alike.values():
        evaluations += evaluate(joined(asked.cell, several), **effort)
    evaluations.sort(key=lambda one: asked.seeds.index(one.seed))
    write_bounds(store, asked, evaluations)
    return evaluations


def _unread(evaluation: Evaluation) -> bool:
    """Whether a record is one of a network whose files could not be read: they may be mended."""
    return any(one.text == LOADED for one in evaluation.record.assumptions)


def set_apart(evaluations: Sequence[Evaluation]) -> dict[int, str]:
    """The networks of a cell of which nothing is known, neither a value nor a risk, and why."""
    by_seed: dict[int, list[Evaluation]] = {}
    for one in evaluations:
        by_seed.setdefault(one.seed, []).append(one)
    return {
        seed: several[0].record.reason
        for seed, several in by_seed.items()
        if all(one.risk is None and not one.record.applicable for one in several)
    }


def write_bounds(store: Store, asked: Asked, evaluations: Sequence[Evaluation]) -> None:
    """Keep what was found on the networks of a cell; raises StoreError."""
    cell = asked.cell
    common = {
        "cell": cell.name,
        "task": cell.task.name,
        "network": label_of(cell),
        "n_train": cell.n_train,
        "n_certify": asked.n_certify,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _made_by(),
        "weights": weights_of(store, cell, asked.seeds),
    }
    store.write_rows(asked.path(store), COLUMNS, [common | bound_row(one) for one in evaluations])


def read_bounds(store: Store, asked: Asked) -> list[Evaluation] | None:
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
    return [_evaluation(row) for row in rows]


def _made_by() -> str:
    """The versions of what makes the rows, as JSON."""
    return json.dumps(versions() | {"bounds": str(EDITION)})


def read_all(store: Store) -> list[tuple[OwnCell, list[Evaluation]]]:
    """Every cell of a run with the latest that was found on it, in the suite's order.

    What was found on networks that have since been replaced is left out.

    Raises:
        StoreError: nothing of the run has ended.
    """
    cells = {one.cell.name: one.cell for one in learned(store)}
    latest: dict[str, tuple[str, list[Evaluation]]] = {}
    for rows in store.read_table(FOLDER):
        if rows[0]["cell"] not in cells:
            continue
        name, seeds = rows[0]["cell"], sorted({row["seed"] for row in rows})
        if rows[0]["weights"] not in (None, weights_of(store, cells[name], seeds)):
            continue
        if rows[0]["finished"] >= latest.get(name, ("",))[0]:
            latest[name] = rows[0]["finished"], [_evaluation(row) for row in rows]
    return [(cells[name], latest[name][1]) for name in sorted(latest, key=store.order)]


def _evaluation(row: TableRow) -> Evaluation:
    """The inverse of ``bound_row``."""
    kept = {field.name: row[field.name] for field in fields(Record) if field.name in row}
    kept["terms"] = {name: float(term) for name, term in json.loads(row["terms"]).items()}
    kept["assumptions"] = tuple(
        Assumption(**assumption) for assumption in json.loads(row["premises"])
    )
    return Evaluation(Record(**kept), row["seed"], row["risk"], row["risk_low"], row["risk_high"])


def comparable(
    found: Sequence[tuple[Cell, Sequence[Evaluation]]],
) -> tuple[list[ScoredNetwork], dict[str, str]]:
    """The networks of several cells with their numbers, and the kind of each number.

    The risk beside every number is that of the network itself, whatever the number certifies.

    A network of which nothing is known has no place among them.

    Raises:
        ValueError: a cell without a record about its networks themselves.
    """
    networks, kinds = [], {}
    apart_in = _told_apart([cell for cell, _ in found])
    for (_, evaluations), settings in zip(found, apart_in, strict=True):
        by_seed: dict[int, list[Evaluation]] = {}
        apart = set_apart(evaluations)
        for one in evaluations:
            kinds[one.record.bound] = one.record.kind
            if one.seed not in apart:
                by_seed.setdefault(one.seed, []).append(one)
        for seed, several in by_seed.items():
            own = next((one for one in several if one.own_risk and one.risk is not None), None)
            if own is None:
                raise fail("bounds", "none about the network itself", "at least one that is")
            values = {
                one.record.bound: np.nan if one.record.log10 is None else one.record.log10
                for one in several
            }
            risk, low, high = (float(part or 0) for part in (own.risk, own.risk_low, own.risk_high))
            networks.append(ScoredNetwork(settings, seed, risk, low, high, values))
    return networks, kinds


def _told_apart(cells: Sequence[Cell]) -> list[dict[str, object]]:
    """The settings of each cell, those of training among them where only they tell some apart."""
    given = [_of_problem(cell) for cell in cells]
    trained = [_of_training(cell) for cell in cells]
    varied = {
        name
        for (one, mine), (other, its) in combinations(zip(given, trained, strict=True), 2)
        if one == other
        for name in mine.keys() | its.keys()
        if mine.get(name) != its.get(name)
    }
    return [
        one | {name: value for name, value in more.items() if name in varied}
        for one, more in zip(given, trained, strict=True)
    ]


def _of_training(cell: Cell) -> dict[str, object]:
    def word(part: str, key: str) -> str:
        if key == "name":
            return part
        return f"loss.{key}" if part == "loss" else key  # methods have settings of such names too

    trained = how_trained(cell.settings)
    return {word(*at): value for at, value in trained.items() if at[1] != "n_train"}


def _of_problem(cell: Cell) -> dict[str, object]:
    """What may set cells of a grid apart: the task with its settings, n, and the architecture."""
    given = cell.task.settings
    task = {key: plain(given).get(key, value_words(value)) for key, value in given.items()}
    network = {key: value for key, value in cell.network.settings.items() if key != "name"}
    return {"task": cell.task.name, **task, "n_train": cell.n_train, **network}


def bound_row(evaluation: Evaluation) -> TableRow:
    """The columns that are a record's own."""
    record = evaluation.record
    return {
        "seed": evaluation.seed,
        "bound": record.bound,
        "family": record.family,
        "kind": record.kind,
        "certifies": record.certifies,
        "delta": record.delta,
        "value": record.value,
        "log10": record.log10,
        "risk": evaluation.risk,
        "risk_low": evaluation.risk_low,
        "risk_high": evaluation.risk_high,
        "gap": evaluation.gap,
        "valid": evaluation.valid,
        "vacuous": evaluation.vacuous,
        "tightness": evaluation.tightness,
        "reason": record.reason,
        "constants": record.constants,
        "terms": json.dumps({name: _jsonable(term) for name, term in record.terms.items()}),
        "premises": json.dumps([assumption._asdict() for assumption in record.assumptions]),
    }


def _jsonable(value: float) -> float | str:
    """JSON has no infinity."""
    return float(value) if math.isfinite(value) else str(float(value))
