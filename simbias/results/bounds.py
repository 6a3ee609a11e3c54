"""Bounds of a run: a Parquet file for each cell, a row for each network and bound, and its table.

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
EDITION = 3  # to be raised when a bound gives another value for the same networks


class Request(NamedTuple):
    """An evaluation of bounds on networks of a cell; the same request reads its results back."""

    cell: OwnCell
    seeds: tuple[int, ...]
    bounds: tuple[str, ...]
    delta: float
    n_certify: int
    masks: int
    retrained: int = 0

    def path(self, store: Store) -> Path:
        """The file of its results."""
        settings = [self.cell.identity, sorted(self.seeds), sorted(self.bounds), *self[3:6]]
        settings += [self.retrained] if self.retrained else []  # a default is no part of a name
        digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
        return store.directory / FOLDER / f"{digest}.parquet"


def hold(store: Store, request: Request) -> list[Evaluation]:
    """Bounds on the networks of a cell: read back where they are stored, else evaluated and stored.

    A network whose files cannot be read has records without a value, and so has, for the bounds
    that refer to it, one that is stored without its initialisation.

    Args:
        store: the run directory.
        request: the networks, the bounds and their settings.

    Raises:
        StoreError: nothing can be written.
        ValueError: an argument that ``evaluate`` refuses.
        DrawsError: no network's training set can be drawn again.
    """
    stored = read_bounds(store, request)
    if stored is not None and not any(map(_unread, stored)):
        return stored
    broken: dict[int, Exception] = {}
    by_initial: dict[
        bool, list[AnyStack]
    ] = {}  # networks by whether their initialisation is stored
    for seed in request.seeds:
        try:
            stack = load(store, request.cell, [seed])
            by_initial.setdefault(getattr(stack, "initial", None) is not None, []).append(stack)
        except (StoreError, DrawsError) as error:
            broken[seed] = error
    if not by_initial:  # then no single network is to blame
        for why in broken.values():
            if isinstance(why, DrawsError):
                raise why
    effort: Settings = {"delta": request.delta, "bounds": request.bounds}
    evaluations = [
        evaluation
        for seed, why in broken.items()
        for evaluation in left_out(seed, str(why), **effort)
    ]
    effort |= {"n_certify": request.n_certify, "masks": request.masks}
    effort |= {"retrained": request.retrained}
    for stacks in by_initial.values():
        evaluations += evaluate(joined(request.cell, stacks), **effort)
    evaluations.sort(key=lambda evaluation: request.seeds.index(evaluation.seed))
    write_bounds(store, request, evaluations)
    return evaluations


def _unread(evaluation: Evaluation) -> bool:
    """Whether a record is of a network whose files could not be read: they may be mended."""
    return any(assumption.text == LOADED for assumption in evaluation.record.assumptions)


def seeds_without_values(evaluations: Sequence[Evaluation]) -> dict[int, str]:
    """The networks of a cell without any value or risk, with the reason, by seed."""
    by_seed: dict[int, list[Evaluation]] = {}
    for evaluation in evaluations:
        by_seed.setdefault(evaluation.seed, []).append(evaluation)
    return {
        seed: group[0].record.reason
        for seed, group in by_seed.items()
        if all(evaluation.risk is None and not evaluation.record.applicable for evaluation in group)
    }


def write_bounds(store: Store, request: Request, evaluations: Sequence[Evaluation]) -> None:
    """Write the evaluations of a cell's networks; raises StoreError."""
    cell = request.cell
    common = {
        "cell": cell.name,
        "task": cell.task.name,
        "network": label_of(cell),
        "n_train": cell.n_train,
        "n_certify": request.n_certify,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "weights": weights_of(store, cell, request.seeds),
    }
    store.write_rows(
        request.path(store), COLUMNS, [common | bound_row(evaluation) for evaluation in evaluations]
    )


def read_bounds(store: Store, request: Request) -> list[Evaluation] | None:
    """The stored evaluations of the same request on the same networks.

    None where there are none, they cannot be read, or other versions made them.
    """
    rows = store.read_rows(request.path(store), COLUMNS)
    expected = {
        "cell": request.cell.name,
        "n_certify": request.n_certify,
        "versions": _versions(),
        "weights": weights_of(store, request.cell, request.seeds),
    }
    if rows is None or any(row[key] != value for row in rows for key, value in expected.items()):
        return None
    return [_evaluation(row) for row in rows]


def _versions() -> str:
    """The versions of the libraries and of the bounds, as JSON."""
    return json.dumps(versions() | {"bounds": str(EDITION)})


def read_all(store: Store) -> list[tuple[OwnCell, list[Evaluation]]]:
    """Every cell of a run with its latest evaluations, in the suite's order.

    Evaluations of networks that have since been replaced are left out.

    Raises:
        StoreError: no network of the run has ended.
    """
    cells = {trained_cell.cell.name: trained_cell.cell for trained_cell in learned(store)}
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
    record = {field.name: row[field.name] for field in fields(Record) if field.name in row}
    record["terms"] = {name: float(term) for name, term in json.loads(row["terms"]).items()}
    record["assumptions"] = tuple(
        Assumption(**assumption) for assumption in json.loads(row["premises"])
    )
    return Evaluation(Record(**record), row["seed"], row["risk"], row["risk_low"], row["risk_high"])


def comparable(
    evaluated: Sequence[tuple[Cell, Sequence[Evaluation]]],
) -> tuple[list[ScoredNetwork], dict[str, str]]:
    """The networks of several cells with the log10 of each bound, and the kind of each bound.

    The risk beside every value is that of the network itself, whatever the bound certifies.
    Networks without any value or risk (``seeds_without_values``) are left out.

    Raises:
        ValueError: a cell without a record about its networks themselves.
    """
    networks, kinds = [], {}
    varying = _varying_settings([cell for cell, _ in evaluated])
    for (_, evaluations), settings in zip(evaluated, varying, strict=True):
        by_seed: dict[int, list[Evaluation]] = {}
        excluded = seeds_without_values(evaluations)
        for evaluation in evaluations:
            kinds[evaluation.record.bound] = evaluation.record.kind
            if evaluation.seed not in excluded:
                by_seed.setdefault(evaluation.seed, []).append(evaluation)
        for seed, group in by_seed.items():
            measured = [
                evaluation
                for evaluation in group
                if evaluation.own_risk and evaluation.risk is not None
            ]
            if not measured:
                raise fail("bounds", "none about the network itself", "at least one that is")
            records = [evaluation.record for evaluation in group]
            values = {
                record.bound: np.nan if record.log10 is None else record.log10 for record in records
            }
            own = measured[0]
            risk, low, high = (float(part or 0) for part in (own.risk, own.risk_low, own.risk_high))
            networks.append(ScoredNetwork(settings, seed, risk, low, high, values))
    return networks, kinds


def _varying_settings(cells: Sequence[Cell]) -> list[dict[str, object]]:
    """The settings of each cell; those of training only where two cells differ in nothing else."""
    problems = [_problem_settings(cell) for cell in cells]
    trainings = [_training_settings(cell) for cell in cells]
    varied = {
        name
        for (problem, training), (other_problem, other_training) in combinations(
            zip(problems, trainings, strict=True), 2
        )
        if problem == other_problem
        for name in training.keys() | other_training.keys()
        if training.get(name) != other_training.get(name)
    }
    return [
        problem | {name: value for name, value in training.items() if name in varied}
        for problem, training in zip(problems, trainings, strict=True)
    ]


def _training_settings(cell: Cell) -> dict[str, object]:
    def word(part: str, key: str) -> str:
        if key == "name":
            return part
        return f"loss.{key}" if part == "loss" else key  # methods have settings of such names too

    trained = how_trained(cell.settings)
    return {word(part, key): value for (part, key), value in trained.items() if key != "n_train"}


def _problem_settings(cell: Cell) -> dict[str, object]:
    """The task with its settings, n, and the architecture of a cell."""
    settings = cell.task.settings
    task = {key: plain(settings).get(key, value_words(value)) for key, value in settings.items()}
    network = {key: value for key, value in cell.network.settings.items() if key != "name"}
    return {"task": cell.task.name, **task, "n_train": cell.n_train, **network}


def bound_row(evaluation: Evaluation) -> TableRow:
    """The columns of an evaluation, without those that a cell's evaluations share."""
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
