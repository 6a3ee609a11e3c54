"""Running a plan on this machine: compute, write, resume, and stop cleanly.

Every checkpoint that an experiment gives and every outcome is written, so a rerun does only what is
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
    """Hears how a run goes; every method may do nothing."""

    def begun(self, plan: Plan, missing: list[Replica], saved: dict[Replica, Progress]) -> None:
        """What there is to compute is known, and what goes on from a checkpoint."""

    def advanced(self, moved: Mapping[Replica, Progress]) -> None:
        """Replicas have come further."""

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Some are being measured."""

    def ended(self, replica: Replica, row: TableRow) -> None:
        """Its row was written."""

    def note(self, text: str) -> None:
        """Something the user should know."""


def check_same(plan: Plan, store: Store) -> None:
    """Raise ValueError where a directory holds another run than the plan's, or other draws.

    Of one run are cells that differ in their stop rules: the longer courses of training begin with
    the shorter ones.
    """
    store.check_keys()
    old = store.config()
    if old is not None:
        for key, value in plan.config().items():
            there = old.get(key)
            if key == "cells" and there is not None:
                value, there = _but_stop(value), _but_stop(there)
            if there != value:
                shown = old.get(key) if key != "cells" else "other settings"
                raise ValueError(
                    f"out: {str(store.directory)!r} holds a run of {old.get('suite')}"
                    f" --preset {old.get('preset')} ({key}: {shown}), allowed: the same again"
                    " (with any --seeds and stop rules), or another directory"
                )


def _but_stop(cells: Sequence[Settings]) -> list[Settings]:
    """What cells have beside their stop rules, each once."""
    found: list[Settings] = []
    for cell in cells:
        rest = {key: value for key, value in cell.items() if key != "stop"}
        found += [rest] if rest not in found else []
    return found


def prepare(plan: Plan, store: Store) -> None:
    """Make the run directory, or check that it belongs to this plan.

    Raises:
        ValueError: a directory of another run, or a plan of which nothing fits the memory.
    """
    too_large = [reason for group in plan.groups if (reason := _too_large(group))]
    if len(too_large) == len(plan.groups):  # else the others can be computed
        raise too_large[0]
    check_same(plan, store)
    before = store.config() or {}  # whose other keys are another version's
    seeds = sorted({*plan.seeds, *before.get("seeds", [])})
    environment = {"device": device(), "versions": versions()}
    settings, names = before.get("cells", []), before.get("names", [])
    for cell, own, published in zip(
        plan.cells, plan.config()["cells"], plan.published, strict=True
    ):
        if own not in settings:
            settings = [*settings, own]
            names = [*names, {"cell": cell.name, "published": published}]
    run = plan.config() | {"cells": settings, "seeds": seeds, "names": names}
    store.prepare(before | run | environment)


def _too_large(group: list[Replica]) -> ValueError | None:
    try:
        experiment_of(group[0].cell).check(group)
    except ValueError as error:
        return error
    return None


def execute(plan: Plan, store: Store, reporter: Reporter) -> list[str]:
    """Compute what is missing of a plan.

    Args:
        plan: what the directory should hold.
        store: a prepared run directory.
        reporter: hears how it goes.

    Returns:
        The status of every replica of the plan, in the plan's order.

    Raises:
        Interrupted: the user asked to stop.
        StoreError: nothing can be written any more (a full disk).
    """
    for line in store.mend():
        reporter.note(line)
    finished = store.finished()
    for name in finished:  # another run's late checkpoint of what has ended
        store.drop_checkpoint(name)
    missing = [one for one in plan.replicas if row_name(one) not in finished]
    saved = _checkpoints(missing, store, reporter)
    reporter.begun(plan, missing, {one: found.progress for one, found in saved.items()})
    wanted = set(missing)
    with _interrupts() as interrupted:
        for group in plan.groups:
            replicas = [one for one in group if one in wanted]
            if not replicas:
                continue
            if interrupted:
                raise Interrupted
            states = {one: saved[one].state for one in replicas if one in saved}
            work = _Work(plan, store, reporter, states, interrupted)
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
    return [statuses.get(row_name(one), "error") for one in plan.replicas]


@dataclass
class _Work:
    """The work of one group: the context that its experiment is given."""

    plan: Plan
    store: Store
    reporter: Reporter
    saved: Mapping[Replica, Checkpoint]
    interrupted: list[bool]

    @property
    def n_certify(self) -> int:
        """That of the plan."""
        return self.plan.n_certify

    def run(self, replicas: Sequence[Replica]) -> None:
        """Keep what the experiment yields."""
        for ended in experiment_of(replicas[0].cell).run(replicas, self):
            self._keep(ended)
            self.store.drop_checkpoint(row_name(ended.replica))
        self._heed()

    def advanced(self, moved: Mapping[Replica, Moved]) -> None:
        """Write checkpoints and tell; raises Interrupted."""
        for replica, one in moved.items():
            self.store.write_checkpoint(row_name(replica), one.checkpoint)
        self.reporter.advanced({replica: one.progress for replica, one in moved.items()})
        self._heed()

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Tell; raises Interrupted."""
        self._heed()
        self.reporter.measuring(replicas)

    def give_up(self, replicas: Sequence[Replica], status: str, reason: str) -> None:
        """Write a row with a status that is not final for each that has none that is."""
        present = self.store.statuses()
        for replica in replicas:
            if present.get(row_name(replica)) not in FINAL:
                self._keep(Ended(replica, status, reason))

    def _keep(self, ended: Ended) -> None:
        suite, made = self.plan.suite, experiment_of(ended.replica.cell)
        known, trace = row(suite, ended), trace_rows(suite, ended)
        name = row_name(ended.replica)
        self.store.write(made.table.name, name, known, trace, ended.tensors)
        self.reporter.ended(ended.replica, known)

    def _heed(self) -> None:
        if self.interrupted:
            raise Interrupted


def _checkpoints(
    replicas: Sequence[Replica], store: Store, reporter: Reporter
) -> dict[Replica, Saved]:
    found = {}
    for one in replicas:
        restore = experiment_of(one.cell).restore
        try:
            tensors = None if restore is None else store.checkpoint(row_name(one))
            if restore is not None and tensors is not None:
                found[one] = restore(one, tensors)
        except (StoreError, ValueError) as error:
            reporter.note(f"checkpoint of {one.cell.name} seed {one.seed} not used: {error}")
    return found


@contextmanager
def _interrupts() -> Iterator[list[bool]]:
    """Ctrl-C asks to stop at the end of the segment; a second one stops as outside of a run."""
    asked: list[bool] = []
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        if asked and callable(before):
            before(number, frame)
        asked.append(True)

    if not callable(before):  # ignored: a job in the background of a shell
        yield asked
        return
    try:
        signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread: the caller handles signals
        yield asked
        return
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
