"""Networks along their training: from one check to the next, whole, on the host.

A trace keeps six numbers a check. What else is asked of a network on the way, with other points or
other labels, is asked here, at the price of handing it to the host at every check.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from simbias.training.jobs import N_SELECT, AnyJob, Snapshot, train_jobs
from simbias.training.stop import End


def course(
    jobs: Sequence[AnyJob],
    *,
    saved: Mapping[AnyJob, Snapshot] | None = None,
    n_select: int = N_SELECT,
) -> Iterator[tuple[int, dict[AnyJob, Snapshot]]]:
    """The networks at each check, bit for bit as one call of training passes through it.

    Args:
        jobs: the networks, of one cell.
        saved: snapshots to begin at.
        n_select: fresh points on which traces are evaluated.

    Yields:
        The update of a check, and all networks there; one that has ended is as it ended. After the
        last check of the last network there are no more.
    """
    stop = jobs[0].cell.stop
    snapshots = dict(saved or {})
    for update in stop.checks:
        running = [job for job in jobs if job not in snapshots or snapshots[job].running]
        if not running:
            return
        begun = {job: snapshots[job] for job in running if job in snapshots}
        moved = train_jobs(running, saved=begun, n_select=n_select, until=update)
        snapshots |= {
            job: _running(snapshot) if update < stop.max_updates else snapshot
            for job, snapshot in moved.items()
        }
        yield update, dict(snapshots)


def _running(snapshot: Snapshot) -> Snapshot:
    """The snapshot of a network that was halted, not ended, by its budget."""
    if int(snapshot.state.end) not in (End.BUDGET, End.LOST):
        return snapshot
    return replace(snapshot, state=snapshot.state._replace(end=np.int32(End.RUNNING)))
