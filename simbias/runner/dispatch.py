"""Running a plan on many processes: work units are handed out, and the directory says what is done.

An answer only says that a unit has ended. A lost worker, a killed scheduler, a job that is put into
the queue again and a second launcher need no case of their own: what the directory lacks is handed
out again.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import AbstractContextManager

from simbias import _worker
from simbias.experiments import FINAL, Interrupted, Replica, row_name
from simbias.results.files import StoreError
from simbias.results.store import Store
from simbias.results.unit_lease import held, release
from simbias.runner.execute import begin, interrupts, outcome
from simbias.runner.executors import SchedulerLost, Workers
from simbias.runner.group import GroupRun, Reporter
from simbias.runner.plan import Plan
from simbias.runner.work_units import Answer, WorkUnit, compute, message, units_of

_COMPUTE = compute.__module__, compute.__name__
_TRIES = 3  # of a unit whose worker is lost each time at one checkpoint, while nothing else ends
_PAUSE = 1.0  # seconds between looks at what has ended
_GATHER = 10.0  # seconds between compactions

Open = Callable[[], AbstractContextManager[Workers]]


def dispatch(
    plan: Plan, store: Store, reporter: Reporter, open_workers: Open, *, cores: int = 1
) -> list[str]:
    """Compute the missing replicas of a plan in other processes.

    Args:
        plan: of the directory.
        store: a prepared run directory, under a path at which every worker sees it.
        reporter: called as the run proceeds.
        open_workers: opens the executor; called again where it is lost.
        cores: CPU devices of each worker.

    Returns:
        The status of every replica of the plan, in the plan's order.

    Raises:
        Interrupted: the user asked to stop.
        StoreError: nothing can be written any more (a full disk).
        ValueError: a worker has another version, or does not see the directory.
    """
    groups, _ = begin(plan, store, reporter)
    missing = {replica for group in groups for replica in group}
    units = [unit for group in plan.groups for unit in units_of(group)]
    with interrupts() as interrupted:
        hand_out = _HandOut(plan, store, reporter, cores, missing)
        hand_out.waiting.extend(unit for unit in units if not missing.isdisjoint(unit.replicas))
        while hand_out.waiting:
            with open_workers() as workers:
                hand_out.use(workers, interrupted)
        for unit in units:
            release(store.directory, unit.name)
    return outcome(plan, store)


class _HandOut:
    """The units that are still to be computed, and those that workers have."""

    def __init__(
        self, plan: Plan, store: Store, reporter: Reporter, cores: int, missing: set[Replica]
    ) -> None:
        self.plan, self.store, self.reporter, self.cores = plan, store, reporter, cores
        self.missing = missing
        self.waiting = deque[WorkUnit]()
        self._running: dict[Future[Answer], WorkUnit] = {}
        self._ended: dict[Future[Answer], WorkUnit] = {}  # since the last look
        self._lost = Counter[tuple[str, tuple[int, ...]]]()  # units, as they were left
        self._gathered = time.monotonic()
        self._look()

    def use(self, workers: Workers, interrupted: list[bool]) -> None:
        """Hand out units until none is left, or the executor is lost."""
        try:
            self._room = workers.room()
            while self.waiting or self._running or self._ended:
                if interrupted:
                    raise Interrupted
                if not workers.works():
                    raise SchedulerLost
                self._fill(workers)
                if self._running:
                    done, _ = wait(self._running, _PAUSE, FIRST_COMPLETED)
                    self._ended |= {future: self._running.pop(future) for future in done}
                else:
                    time.sleep(_PAUSE)  # another launcher has the leases of all that is left
                # a look costs as much as a small unit: it is one for all that end in a while
                if not self._running or time.monotonic() - self._looked > _PAUSE:
                    self._look()
                    self._room = workers.room()
                    while self._ended:
                        future = next(iter(self._ended))
                        self._hear(self._ended[future], future)
                        del self._ended[future]
                    self._gather()
        except BrokenExecutor as error:  # which of the units has done it is not known
            self.reporter.note("workers were lost: what they had is handed out again")
            again = self.waiting.append if isinstance(error, SchedulerLost) else self._lose
            for unit in (*self._ended.values(), *self._running.values()):
                again(unit)
            self._ended.clear()
            self._running.clear()
        finally:
            for future in self._running:
                future.cancel()

    def _fill(self, workers: Workers) -> None:
        """Submit units while there is room, but those that another launcher computes."""
        room = self._room - len(self._running)
        for _ in range(len(self.waiting)):
            if room <= 0:
                return
            unit = self.waiting.popleft()
            left = self._left(unit)
            if not left.replicas:
                continue
            if held(self.store.directory, unit.name):
                self.waiting.append(unit)
                continue
            self.waiting.appendleft(unit)  # until it is submitted
            told = message(left, self.plan, self.store.directory)
            future = workers.executor.submit(_worker.call, *_COMPUTE, self.cores, told)
            self._running[future] = unit
            self.waiting.popleft()
            room -= 1

    def _look(self) -> None:
        """Read the directory again."""
        self._known, self._looked = self.store.known(), time.monotonic()

    def _left(self, unit: WorkUnit) -> WorkUnit:
        """A unit without what the directory had at the last look."""
        left = []
        for replica in unit.replicas:
            row = self._known.get(row_name(replica))
            if replica in self.missing and row is not None and row.status in FINAL:
                self._end(replica, row.status, "")
            if replica in self.missing:
                left.append(replica)
        return unit._replace(replicas=tuple(left))

    def _hear(self, unit: WorkUnit, future: Future[Answer]) -> None:
        """Take note of a unit that has ended; the directory says what became of it."""
        try:
            answer = future.result()
        except (StoreError, ValueError, BrokenExecutor):
            raise
        except CancelledError:  # its scheduler is gone
            self.waiting.append(unit)
            return
        except BaseException as error:  # the worker or its job is gone
            words = " ".join(str(error).split())[:300]
            self._lose(unit, f" ({type(error).__name__}: {words})")
            return
        for line in answer.notes:
            self.reporter.note(line)
        left = self._left(unit).replicas
        if not answer.leased:
            for replica in left:
                row = self._known.get(row_name(replica))
                if row is not None and row.status == "error":
                    self._end(replica, row.status, answer.reasons.get(row_name(replica), ""))
        if not self.missing.isdisjoint(left):
            self.waiting.append(unit) if answer.leased else self._lose(unit)

    def _lose(self, unit: WorkUnit, why: str = "") -> None:
        """Hand a unit out again, or give it up where nothing has moved or ended in between."""
        states = tuple(self.store.checkpointed(row_name(replica)) for replica in unit.replicas)
        self._lost[unit.name, states] += 1
        if self._lost[unit.name, states] < _TRIES:
            self.waiting.append(unit)
            return
        self._look()
        left = self._left(unit)
        group = GroupRun(self.plan.suite, self.plan.n_certify, self.store, self.reporter, {})
        group.give_up(left.replicas, "error", f"its worker was lost {_TRIES} times{why}")
        self.missing -= set(left.replicas)

    def _end(self, replica: Replica, status: str, reason: str) -> None:
        self.missing.discard(replica)
        self._lost.clear()
        row = {"cell": replica.cell.name, "seed": replica.seed, "status": status, "reason": reason}
        self.reporter.ended(replica, row)

    def _gather(self) -> None:
        if time.monotonic() - self._gathered > _GATHER:
            self.store.compact()
            self._gathered = time.monotonic()
