"""Train and validate: networks of a cell, what they learned, and how they came to it."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

import numpy as np

from simbias.experiments import table
from simbias.experiments.arrays import (
    snapshot_from_tensors,
    snapshot_tensors,
    stack_from_tensors,
    tensors,
)
from simbias.experiments.experiment import (
    Context,
    Ended,
    Experiment,
    Learned,
    Moved,
    Progress,
    Replica,
    Saved,
    Tensors,
)
from simbias.experiments.numbers import free, number_columns, validated
from simbias.experiments.table import Column, rows_table
from simbias.tasks.task import numbers_of
from simbias.training.cell import Cell, cell_from_settings
from simbias.training.fit import TRACE
from simbias.training.jobs import (
    Job,
    Snapshot,
    check_memory,
    check_snapshot,
    compile_start,
    compile_training,
    group_key,
    train_jobs,
)
from simbias.training.stack import Stack, assemble, join_stacks, untrained
from simbias.validation import Report, validate
from simbias.validation.risk import compile_count

_FIRST = (
    *table.ASKED,
    Column("network", "VARCHAR", "architecture, (width,depth)"),
    Column("method", "VARCHAR", "training algorithm"),
    *table.ENDED,
)
_LAST = (
    table.N_CERTIFY,
    table.DIM,
    Column("batch", "BIGINT", "points an update"),
    *table.SPENT,
    *table.KEPT,
)
NUMBERS = free({column.name for column in _FIRST + _LAST})
NETWORKS = (*_FIRST, *number_columns(NUMBERS), *_LAST)
_CHECKS = (
    "updates made at the check",
    "mean loss on the training set, nats where it is the cross-entropy",
    "accuracy on the training set",
    "accuracy on fresh select draws",
    "fraction of the training exceptions labelled correctly",
    "the same for the exceptions among the select draws",
)


def run(replicas: Sequence[Replica], context: Context) -> Iterator[list[Ended]]:
    """Train networks of one compiled program together, then validate them cell by cell."""
    jobs = [_job(replica) for replica in replicas]
    saved = {_job(replica): state for replica, state in context.saved.items()}

    def after_segment(moved: dict[Job, Snapshot]) -> None:
        context.advanced(
            {
                Replica(*job): Moved(snapshot_tensors(snapshot), _progress(job, snapshot))
                for job, snapshot in moved.items()
            }
        )

    snapshots = train_jobs(jobs, saved=saved, after_segment=after_segment)
    for (cell, diverged), members in _by_cell(jobs, snapshots):
        cell_jobs = list(members)
        context.measuring([Replica(*job) for job in cell_jobs])
        clock = time.perf_counter()
        stack = assemble(cell, {job.seed: snapshots[job] for job in cell_jobs})
        report = None if diverged else validate(stack, n_certify=context.n_certify)
        yield outcomes(stack, report, time.perf_counter() - clock)


def _programs(replicas: Sequence[Replica], n_certify: int) -> list[Callable[[], object]]:
    cell, seed = _job(replicas[0])

    def count() -> None:
        compile_count(untrained(cell, seed), n_certify)

    return [partial(compile_training, cell, len(replicas)), partial(compile_start, cell), count]


def _job(replica: Replica) -> Job:
    assert isinstance(replica.cell, Cell)
    return Job(replica.cell, replica.seed)


def _by_cell(
    jobs: list[Job], snapshots: dict[Job, Snapshot]
) -> Iterator[tuple[tuple[Cell, bool], Iterator[Job]]]:
    """Networks by cell, those that diverged in groups of their own: they cannot be validated."""
    split = [job for job in jobs if not snapshots[job].diverged]
    split += [job for job in jobs if snapshots[job].diverged]
    return groupby(split, key=lambda job: (job.cell, snapshots[job].diverged))


def outcomes(stack: Stack, report: Report | None, validate_seconds: float = 0.0) -> list[Ended]:
    """The outcome of every network of a stack; without measurements where there is no report."""
    measured = None if report is None else validated(stack, report, NUMBERS, validate_seconds)
    ended = []
    for i, seed in enumerate(stack.seeds):
        if measured is None:
            status, reason = stack.outcome(i)
            reason += "; not validated"
            columns = {"updates": stack.updates[i], "train_seconds": stack.seconds[i]}
        else:
            status, reason, columns = measured[i]
        trace = [dict(zip(TRACE, map(float, check), strict=True)) for check in stack.traces[i]]
        replica = Replica(stack.cell, seed)
        ended.append(Ended(replica, status, reason, columns, trace, tensors(stack, i)))
    return ended


def _known(cell: Cell) -> dict[str, object]:
    return {
        "task": cell.task.name,
        "network": cell.network.label,
        "method": cell.method.name,
        "n_train": cell.n_train,
        "dim": numbers_of(cell.task),
        "batch": cell.batch,
    }


def _work(cell: Cell) -> float:
    update = cell.network.update_flops(cell.task.shape, cell.task.classes)
    return float(cell.stop.max_updates * cell.batch * update)


def _effort(cell: Cell) -> dict[str, object]:
    return {"n_train": cell.n_train, "max_updates": cell.stop.max_updates}


def _check(replicas: Sequence[Replica]) -> None:
    check_memory(_job(replicas[0]).cell, len(replicas))


def _progress(job: Job, snapshot: Snapshot) -> Progress:
    updates = int(snapshot.state.updates)
    proportion = updates / job.cell.stop.max_updates if snapshot.running else 1.0
    return Progress(proportion, updates)


def restore(replica: Replica, saved: Tensors) -> Saved:
    """The snapshot of a network in training.

    Raises:
        ValueError: tensors that are missing.
        DrawsError: training would go on with another training set.
    """
    job = _job(replica)
    snapshot = snapshot_from_tensors(job.cell, saved)
    check_snapshot(job, snapshot)
    return Saved(snapshot, _progress(job, snapshot))


def _make(replicas: Sequence[Replica]) -> dict[Replica, Stack | None]:
    snapshots = train_jobs([_job(replica) for replica in replicas])
    return {
        Replica(*job): None if snapshot.diverged else assemble(job.cell, {job.seed: snapshot})
        for job, snapshot in snapshots.items()
    }


def _read(replica: Replica, arrays: Tensors, trace: np.ndarray) -> Stack:
    job = _job(replica)
    return stack_from_tensors(job.cell, {job.seed: arrays}, [trace])


classify = Experiment(
    name="classify",
    summary="networks are trained, then asked about fresh draws",
    table=rows_table("networks", NETWORKS, weighed=True),
    keys={
        "network": dict,
        "n_train": int,
        "batch": int,
        "method": dict,
        "stop": dict,
        "loss": dict,
        "label_noise": dict,
        "precision": str,
    },
    needed=("network", "method", "n_train"),
    learner="network",
    cell=cell_from_settings,
    run=run,
    known=_known,
    group=group_key,
    work=_work,
    effort=_effort,
    check=_check,
    restore=restore,
    programs=_programs,
    learned=Learned(_make, _read, join_stacks),
    trace=tuple(
        Column(name, "BIGINT" if name == "updates" else "DOUBLE", meaning)
        for name, meaning in zip(TRACE, _CHECKS, strict=True)
    ),
    shown={name: quantity for name, quantity in NUMBERS.items() if quantity.heading},
    steps="updates",
)
