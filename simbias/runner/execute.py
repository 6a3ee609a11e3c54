"""Running a plan on this machine: compute, write, resume, and stop cleanly.

Every checkpoint and every outcome of an experiment is written, so a rerun computes only what is
missing. One failing group does not stop the others.
"""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from simbias import _programs
from simbias._types import Settings
from simbias.experiments import (
    Interrupted,
    Replica,
    Saved,
    device,
    experiment_of,
    row_name,
    versions,
)
from simbias.results.store import Store
from simbias.runner.ahead import compiling_ahead
from simbias.runner.group import GroupRun, Reporter, checkpoints
from simbias.runner.plan import Plan, group_of


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
    if store.config() is None and store.prepare(_config(plan, {}), new=True):
        return
    check_same(plan, store, argument=argument)  # another process may have made it meanwhile
    store.prepare(_config(plan, store.config() or {}))


def _config(plan: Plan, stored: Settings) -> Settings:
    """The contents of ``run.toml``: the plan's beside what is stored; unknown keys are kept."""
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
    return stored | run | environment


def _too_large(group: list[Replica]) -> ValueError | None:
    try:
        experiment_of(group[0].cell).check(group)
    except ValueError as error:
        return error
    return None


def execute(plan: Plan, store: Store, reporter: Reporter) -> list[str]:
    """Compute the missing replicas of a plan in this process.

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
    missing, saved = begin(plan, store, reporter)
    states = {replica: checkpoint.state for replica, checkpoint in saved.items()}
    with interrupts() as interrupted, compiling_ahead() as ahead:
        ahead.begin(missing[:1], plan.n_certify)  # its own programs are compiled side by side
        ahead.finish(interrupted)
        for place, replicas in enumerate(missing):
            if interrupted:
                raise Interrupted
            ahead.begin(missing[place + 1 : place + 2], plan.n_certify)
            group = GroupRun(plan.suite, plan.n_certify, store, reporter, states, interrupted)
            try:
                group.compute(replicas)
            except Interrupted:
                store.compact()
                raise
            store.compact()
            ahead.finish(interrupted)
            _programs.group_ended(group_of(replicas[0].cell))
        if interrupted:
            raise Interrupted
    return outcome(plan, store)


def begin(
    plan: Plan, store: Store, reporter: Reporter
) -> tuple[list[list[Replica]], dict[Replica, Saved]]:
    """Set a run directory right, and say what is left to do.

    Returns:
        The groups without what is finished, those that are not empty; checkpoints by replica.
    """
    for line in store.mend():
        reporter.note(line)
    finished = store.finished()
    for name in finished:  # one that another process wrote late
        store.drop_checkpoint(name)
    groups = [[r for r in group if row_name(r) not in finished] for group in plan.groups]
    groups = [group for group in groups if group]
    missing = [replica for group in groups for replica in group]
    saved = checkpoints(missing, store, reporter)
    reporter.begun(plan, missing, {replica: state.progress for replica, state in saved.items()})
    return groups, saved


def outcome(plan: Plan, store: Store) -> list[str]:
    """The status of every replica of a plan that has been run, in the plan's order."""
    store.compact(wait=True)
    statuses = store.statuses()
    return [statuses.get(row_name(replica), "error") for replica in plan.replicas]


@contextmanager
def interrupts() -> Iterator[list[bool]]:
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
