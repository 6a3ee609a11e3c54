"""Running a plan on this machine: compute, write, resume, and stop cleanly.

Every checkpoint and every outcome of an experiment is written, so a rerun computes only what is
missing. One failing group does not stop the others.
"""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from simbias import _programs
from simbias._types import Settings, TableRow
from simbias.experiments import (
    FINAL,
    Ended,
    Interrupted,
    Moved,
    Progress,
    Replica,
    Saved,
    device,
    experiment_of,
    row,
    row_name,
    trace_rows,
    versions,
)
from simbias.experiments.experiment import Checkpoint
from simbias.results.files import StoreError
from simbias.results.store import Store
from simbias.runner.plan import Plan


class Reporter(Protocol):
    """Called as a run proceeds; every method may do nothing."""

    def begun(self, plan: Plan, missing: list[Replica], saved: dict[Replica, Progress]) -> None:
        """Called first, with the replicas to compute and the progress of saved ones."""

    def advanced(self, moved: Mapping[Replica, Progress]) -> None:
        """Called when replicas have made progress."""

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Called before replicas are measured."""

    def ended(self, replica: Replica, row: TableRow) -> None:
        """Called when the row of a replica was written."""

    def note(self, text: str) -> None:
        """Called with a message for the user."""


def check_same(plan: Plan, store: Store, *, argument: str = "out") -> None:
    """Raise ValueError where a directory holds another run than the plan's, or other draws.

    ``argument`` is what the caller calls the directory.
    Cells that differ only in their stop rules belong to one run: the longer trajectories begin with
    the shorter ones.
    """
    store.check_keys()
    old = store.config()
    if old is not None:
        for key, value in plan.config().items():
            stored = old.get(key)
            if key == "cells" and stored is not None:
                value, stored = _without_stop(value), _without_stop(stored)
            if stored != value:
                shown = old.get(key) if key != "cells" else "other settings"
                raise ValueError(
                    f"{argument}: {str(store.directory)!r} holds a run of {old.get('suite')}"
                    f" --preset {old.get('preset')} ({key}: {shown}), allowed: the same again"
                    " (with any --seeds and stop rules), or another directory"
                )


def _without_stop(cells: Sequence[Settings]) -> list[Settings]:
    """The distinct settings of cells without their stop rules."""
    distinct: list[Settings] = []
    for cell in cells:
        rest = {key: value for key, value in cell.items() if key != "stop"}
        distinct += [rest] if rest not in distinct else []
    return distinct


def prepare(plan: Plan, store: Store, *, argument: str = "out") -> None:
    """Make the run directory, or check that it belongs to this plan.

    Raises:
        ValueError: a directory of another run, or a plan of which no group fits the memory.
    """
    too_large = [reason for group in plan.groups if (reason := _too_large(group))]
    if len(too_large) == len(plan.groups):  # else the others can be computed
        raise too_large[0]
    check_same(plan, store, argument=argument)
    stored = store.config() or {}  # further keys, of another version, are kept
    seeds = sorted({*plan.seeds, *stored.get("seeds", [])})
    environment = {"device": device(), "versions": versions()}
    settings, names = stored.get("cells", []), stored.get("names", [])
    for cell, cell_settings, published in zip(
        plan.cells, plan.config()["cells"], plan.published, strict=True
    ):
        if cell_settings not in settings:
            settings = [*settings, cell_settings]
            names = [*names, {"cell": cell.name, "published": published}]
    run = plan.config() | {"cells": settings, "seeds": seeds, "names": names}
    store.prepare(stored | run | environment)


def _too_large(group: list[Replica]) -> ValueError | None:
    try:
        experiment_of(group[0].cell).check(group)
    except ValueError as error:
        return error
    return None


def execute(plan: Plan, store: Store, reporter: Reporter) -> list[str]:
    """Compute the missing replicas of a plan.

    Args:
        plan: of the directory.
        store: a prepared run directory.
        reporter: called as the run proceeds.

    Returns:
        The status of every replica of the plan, in the plan's order.

    Raises:
        Interrupted: the user asked to stop.
        StoreError: nothing can be written any more (a full disk).
    """
    for line in store.mend():
        reporter.note(line)
    finished = store.finished()
    for name in finished:  # one that another process wrote late
        store.drop_checkpoint(name)
    missing = [replica for replica in plan.replicas if row_name(replica) not in finished]
    saved = _checkpoints(missing, store, reporter)
    reporter.begun(
        plan, missing, {replica: checkpoint.progress for replica, checkpoint in saved.items()}
    )
    wanted = set(missing)
    with _interrupts() as interrupted:
        for group in plan.groups:
            replicas = [replica for replica in group if replica in wanted]
            if not replicas:
                continue
            if interrupted:
                raise Interrupted
            states = {replica: saved[replica].state for replica in replicas if replica in saved}
            work = _GroupRun(plan, store, reporter, states, interrupted)
            try:
                work.run(replicas)
            except Interrupted:
                work.give_up(replicas, "interrupted", "stopped by the user")
                store.compact()
                raise
            except StoreError:
                raise
            except Exception as error:  # one group's failure must not lose the others
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                work.give_up(replicas, "error", reason)
            store.compact()
            _programs.group_ended()
        if interrupted:
            raise Interrupted
    store.compact(wait=True)
    statuses = store.statuses()
    return [statuses.get(row_name(replica), "error") for replica in plan.replicas]


@dataclass
class _GroupRun:
    """The run of one group: the context of its experiment."""

    plan: Plan
    store: Store
    reporter: Reporter
    saved: Mapping[Replica, Checkpoint]
    interrupted: list[bool]

    @property
    def n_certify(self) -> int:
        """Fresh points on which each replica is measured, from the plan."""
        return self.plan.n_certify

    def run(self, replicas: Sequence[Replica]) -> None:
        """Write the outcomes that the experiment yields."""
        for ended in experiment_of(replicas[0].cell).run(replicas, self):
            self._keep(ended)
            self.store.drop_checkpoint(row_name(ended.replica))
        self._stop_if_asked()

    def advanced(self, moved: Mapping[Replica, Moved]) -> None:
        """Write checkpoints and report progress; raises Interrupted."""
        for replica, state in moved.items():
            self.store.write_checkpoint(row_name(replica), state.checkpoint)
        self.reporter.advanced({replica: state.progress for replica, state in moved.items()})
        self._stop_if_asked()

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Report that replicas are measured next; raises Interrupted."""
        self._stop_if_asked()
        self.reporter.measuring(replicas)

    def give_up(self, replicas: Sequence[Replica], status: str, reason: str) -> None:
        """Write a row of a status that is not final for each replica without a final one."""
        present = self.store.statuses()
        for replica in replicas:
            if present.get(row_name(replica)) not in FINAL:
                self._keep(Ended(replica, status, reason))

    def _keep(self, ended: Ended) -> None:
        suite, experiment = self.plan.suite, experiment_of(ended.replica.cell)
        columns, checks = row(suite, ended), trace_rows(suite, ended)
        name = row_name(ended.replica)
        self.store.write(experiment.table.name, name, columns, checks, ended.tensors)
        self.reporter.ended(ended.replica, columns)

    def _stop_if_asked(self) -> None:
        if self.interrupted:
            raise Interrupted


def _checkpoints(
    replicas: Sequence[Replica], store: Store, reporter: Reporter
) -> dict[Replica, Saved]:
    restored = {}
    for replica in replicas:
        restore = experiment_of(replica.cell).restore
        try:
            tensors = None if restore is None else store.checkpoint(row_name(replica))
            if restore is not None and tensors is not None:
                restored[replica] = restore(replica, tensors)
        except (StoreError, ValueError) as error:
            reporter.note(
                f"checkpoint of {replica.cell.name} seed {replica.seed} not used: {error}"
            )
    return restored


@contextmanager
def _interrupts() -> Iterator[list[bool]]:
    """A list that the first Ctrl-C fills, to stop after the segment; a second one acts at once."""
    interrupts: list[bool] = []
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        if interrupts and callable(before):
            before(number, frame)
        interrupts.append(True)

    if not callable(before):  # ignored: a job in the background of a shell
        yield interrupts
        return
    try:
        signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread: the caller handles signals
        yield interrupts
        return
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
