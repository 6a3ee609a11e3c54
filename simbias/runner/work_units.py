"""Work units: replicas of one group that a process of an executor computes, and what it answers.

A unit is plain data, from which any process that sees the run directory makes the replicas again.
Nothing that it answers is trusted: the directory is read again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from simbias import __version__, _keys, _programs
from simbias._types import TableRow
from simbias.experiments import AnyCell, Progress, Replica, cell_of, experiment_of, row_name
from simbias.results.store import Store
from simbias.results.unit_lease import leased
from simbias.runner.group import GroupRun, checkpoints
from simbias.runner.plan import Plan, group_of

_FLOPS = 2e12  # of a unit: about a minute of a core
_MOST = 256  # replicas


class WorkUnit(NamedTuple):
    """Replicas of one group, with a name that depends on them alone.

    Examples:
        >>> from simbias.runner.work_units import WorkUnit
        >>> WorkUnit("0123456789abcdef", ()).name
        '0123456789abcdef'
    """

    name: str
    replicas: tuple[Replica, ...]


Message = Mapping[str, Any]  # a work unit as plain data, which any version can read


class Answer(NamedTuple):
    """What a worker has to say of a unit: that another process has its lease; notes; reasons.

    Examples:
        >>> from simbias.runner.work_units import Answer
        >>> Answer(leased=True, notes=[], reasons={}).leased
        True
    """

    leased: bool
    notes: list[str]
    reasons: dict[str, str]  # of replicas that failed, by the names of their rows


class OtherVersion(ValueError):
    """A worker has another version of simbias than the launcher."""


def units_of(group: Sequence[Replica]) -> Iterator[WorkUnit]:
    """A group cut into work units, each of about a minute of a core, as far as that is known.

    Args:
        group: of one plan; the same replicas are always cut in the same way.
    """
    work = max(experiment_of(replica.cell).work(replica.cell) for replica in group)
    size = max(1, min(_MOST, int(_FLOPS / work))) if work > 0 else 1
    for start in range(0, len(group), size):
        replicas = tuple(group[start : start + size])
        names = " ".join(map(row_name, replicas))
        yield WorkUnit(hashlib.sha256(names.encode()).hexdigest()[:16], replicas)


def message(unit: WorkUnit, plan: Plan, directory: Path) -> Message:
    """A unit as plain data for ``compute``.

    Args:
        unit: of a group of the plan, without what is finished.
        plan: of the run.
        directory: of the run, as workers see it.
    """
    cells = list(dict.fromkeys(replica.cell for replica in unit.replicas))
    place = {cell: i for i, cell in enumerate(cells)}
    return {
        "unit": unit.name,
        "versions": _versions(),
        "directory": str(directory.absolute()),
        "run": _run(plan.config()),
        "cells": [cell.settings for cell in cells],
        "replicas": [
            (place[replica.cell], replica.seed, row_name(replica)) for replica in unit.replicas
        ],
    }


def compute(unit: Message) -> Answer:
    """Compute a unit in the process of a worker, unless another process has its lease.

    Raises:
        OtherVersion: the launcher's simbias is another one.
        ValueError: the directory is not the launcher's run, or the cells are other ones here.
        StoreError: nothing can be written.
    """
    here = _versions()
    if unit["versions"] != here:
        got, allowed = _words(here), _words(unit["versions"])
        raise OtherVersion(f"cluster: got a worker of {got}, allowed: {allowed}, as the launcher")
    store = _store(unit["directory"])
    config = store.config()
    if config is None or _run(config) != unit["run"]:
        seen = "nothing" if config is None else "another run"
        raise ValueError(
            f"cluster: a worker sees {seen} in {unit['directory']}, allowed: a directory that all"
            " hosts share"
        )
    cells = [_cell(json.dumps(settings)) for settings in unit["cells"]]
    replicas = [Replica(cells[place], seed) for place, seed, _ in unit["replicas"]]
    for replica, (_, _, name) in zip(replicas, unit["replicas"], strict=True):
        if row_name(replica) != name:
            raise OtherVersion(f"cluster: {replica.cell.name} is another cell for a worker")
    listener = _Listener()
    with leased(store.directory, unit["unit"]) as ours:
        if ours:
            saved = checkpoints(replicas, store, listener)
            states = {replica: state.state for replica, state in saved.items()}
            run = unit["run"]
            GroupRun(run["suite"], run["n_certify"], store, listener, states).compute(replicas)
            _programs.group_ended(group_of(cells[0]))
    return Answer(not ours, listener.notes, listener.reasons)


class _Listener:
    """The reporter of a worker."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.reasons: dict[str, str] = {}

    def begun(self, plan: Plan, missing: list[Replica], saved: dict[Replica, Progress]) -> None:
        pass

    def advanced(self, moved: Mapping[Replica, object]) -> None:
        pass

    def measuring(self, replicas: Sequence[Replica]) -> None:
        pass

    def ended(self, replica: Replica, row: TableRow) -> None:
        if row.get("reason"):
            self.reasons[row_name(replica)] = str(row["reason"])

    def note(self, text: str) -> None:
        self.notes.append(text)


def _versions() -> dict[str, str]:
    return {"simbias": __version__, "keys": str(_keys.VERSION)}


def _words(versions: Mapping[str, str]) -> str:
    return f"simbias {versions['simbias']} (keys {versions['keys']})"


def _run(config: Mapping[str, object]) -> dict[str, object]:
    return {key: config[key] for key in ("suite", "preset", "n_certify")}


@lru_cache
def _cell(settings: str) -> AnyCell:
    cell: AnyCell = cell_of(json.loads(settings))
    return cell


@lru_cache(maxsize=4)
def _store(directory: str) -> Store:
    return Store(directory)
