"""Running a plan on this machine: train, validate, write, resume, and stop cleanly.

Every segment is checkpointed and every ended group written, so a rerun does only what is missing.
One failing group does not stop the others.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from types import FrameType
from typing import Any, Protocol

from simbias import _programs
from simbias.results import records
from simbias.results.config import to_toml
from simbias.results.schema import FINAL
from simbias.results.store import Store, StoreError
from simbias.runner.plan import Plan
from simbias.training.stack import Job, Snapshot, assemble, check_memory, check_snapshot, train_jobs
from simbias.validation import validate


class Reporter(Protocol):
    """Hears how a run goes; every method may do nothing."""

    def begun(self, plan: Plan, missing: list[Job], saved: dict[Job, Snapshot]) -> None:
        """The networks to compute are known, and those that go on from a checkpoint."""

    def advanced(self, moved: dict[Job, Snapshot]) -> None:
        """Networks trained on."""

    def validating(self, jobs: list[Job]) -> None:
        """A cell's networks are being measured."""

    def ended(self, row: dict[str, Any]) -> None:
        """A network's row was written."""

    def note(self, text: str) -> None:
        """Something the user should know."""


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; everything so far is on disk."""


def check_same(plan: Plan, store: Store) -> None:
    """Raise ValueError where a directory holds another run than the plan's."""
    old = store.config()
    if old is not None:
        for key, value in plan.config().items():
            if old.get(key) != value:
                shown = old.get(key) if key != "cells" else "other settings"
                raise ValueError(
                    f"out: {str(store.directory)!r} holds a run of {old.get('suite')}"
                    f" --preset {old.get('preset')} ({key}: {shown}), allowed: the same again"
                    " (with any --seeds), or another directory"
                )


def prepare(plan: Plan, store: Store) -> None:
    """Make the run directory, or check that it belongs to this plan.

    Raises:
        ValueError: a directory of another run, or a plan of which nothing fits the memory.
    """
    too_large = [reason for group in plan.groups if (reason := _too_large(group))]
    if len(too_large) == len(plan.groups):  # else the others can be trained
        raise too_large[0]
    check_same(plan, store)
    before = store.config() or {}  # whose other keys are another version's
    seeds = sorted({*plan.seeds, *before.get("seeds", [])})
    environment = {"device": records.device(), "versions": records.versions()}
    names = [
        {"cell": cell.name, "published": published}
        for cell, published in zip(plan.cells, plan.published, strict=True)
    ]
    store.prepare(to_toml(before | plan.config() | {"seeds": seeds, "names": names} | environment))


def _too_large(group: list[Job]) -> ValueError | None:
    try:
        check_memory(group[0].cell, len(group))
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
        The status of every network of the plan, in the plan's order.

    Raises:
        Interrupted: the user asked to stop.
        StoreError: nothing can be written any more (a full disk).
    """
    for line in store.mend():
        reporter.note(line)
    finished = store.finished()
    for name in finished:  # another run's late checkpoint of a network that has ended
        store.drop_checkpoint(name)
    missing = [job for job in plan.jobs if records.network_name(job) not in finished]
    saved = _checkpoints(missing, store, reporter)
    reporter.begun(plan, missing, saved)
    wanted = set(missing)
    with _interrupts() as interrupted:
        for group in plan.groups:
            jobs = [job for job in group if job in wanted]
            if not jobs:
                continue
            if interrupted:
                raise Interrupted
            try:
                _run_group(plan, jobs, saved, store, reporter, interrupted)
            except (Interrupted, StoreError):
                raise
            except Exception as error:  # one group's failure must not lose the others
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                _give_up(plan, jobs, "error", reason, store, reporter)
            store.compact()
            _programs.group_ended()
        if interrupted:
            raise Interrupted
    store.compact(wait=True)
    statuses = store.statuses()
    return [statuses.get(records.network_name(job), "error") for job in plan.jobs]


def _run_group(
    plan: Plan,
    jobs: list[Job],
    saved: dict[Job, Snapshot],
    store: Store,
    reporter: Reporter,
    interrupted: list[bool],
) -> None:
    def after_segment(moved: dict[Job, Snapshot]) -> None:
        for job, snapshot in moved.items():
            tensors = records.snapshot_tensors(snapshot)
            store.write_checkpoint(records.network_name(job), tensors)
        reporter.advanced(moved)
        if interrupted:
            raise Interrupted

    try:
        snapshots = train_jobs(jobs, saved=saved, after_segment=after_segment)
        for (cell, diverged), members in _by_cell(jobs, snapshots):
            same = list(members)
            reporter.validating(same)
            clock = time.perf_counter()
            stack = assemble(cell, {job.seed: snapshots[job] for job in same})
            report = None if diverged else validate(stack, n_certify=plan.n_certify)
            found = records.rows(plan.suite, stack, report, time.perf_counter() - clock)
            for i, row in enumerate(found):
                name = records.network_name(same[i])
                trace = records.trace_rows(plan.suite, stack, i)
                store.write_network(name, row, trace, records.tensors(stack, i))
                store.drop_checkpoint(name)
                reporter.ended(row)
            if interrupted:
                raise Interrupted
    except Interrupted:
        _give_up(plan, jobs, "interrupted", "stopped by the user", store, reporter)
        store.compact()
        raise


def _by_cell(jobs: list[Job], snapshots: dict[Job, Snapshot]) -> Iterator[Any]:
    """Networks by cell, those that diverged apart: there is nothing to validate in them."""
    split = [job for job in jobs if not snapshots[job].diverged]
    split += [job for job in jobs if snapshots[job].diverged]
    return groupby(split, key=lambda job: (job.cell, snapshots[job].diverged))


def _give_up(
    plan: Plan, jobs: list[Job], status: str, reason: str, store: Store, reporter: Reporter
) -> None:
    """Write a row with a status that is not final for each network that has none that is."""
    present = store.statuses()
    for job in jobs:
        name = records.network_name(job)
        if present.get(name) not in FINAL:
            row = records.base_row(plan.suite, job, status, reason)
            store.write_network(name, row)
            reporter.ended(row)


def _checkpoints(jobs: list[Job], store: Store, reporter: Reporter) -> dict[Job, Snapshot]:
    found = {}
    for job in jobs:
        try:
            tensors = store.checkpoint(records.network_name(job))
            if tensors is not None:
                snapshot = records.snapshot_from_tensors(job.cell, tensors)
                check_snapshot(job, snapshot)
                found[job] = snapshot
        except (StoreError, ValueError) as error:
            reporter.note(f"checkpoint of {job.cell.name} seed {job.seed} not used: {error}")
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
