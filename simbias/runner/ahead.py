"""Compiling the programs of the next group in threads, while the networks of one are trained.

XLA compiles without the interpreter's lock, and training waits without it, so a core that waits for
another compiles meanwhile. What is compiled is what the group would compile itself, which then
finds it in memory: nothing that is computed hangs on it, and a failure is left for the group to
meet. The next group's programs alone are held; none of its points are.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

from simbias import _programs
from simbias._devices import platform, usable_cores
from simbias.experiments import Replica, experiment_of
from simbias.parallel import devices_for

_MOST = 2  # programs at a time: each takes some 100 MB while it is compiled
_LOOK = 0.1  # seconds between looks whether the user has asked to stop


class Ahead:
    """The programs that are being compiled ahead, by some threads; without any, nothing is done."""

    def __init__(self, threads: ThreadPoolExecutor | None) -> None:
        self._threads = threads
        self._compiling: list[Future[None]] = []

    def begin(self, groups: Sequence[Sequence[Replica]], n_certify: int) -> None:
        """Compile the programs of some groups, in other threads."""
        if self._threads is None:
            return
        for replicas in groups:
            with suppress(Exception):  # as in a thread
                for compiles in experiment_of(replicas[0].cell).programs(replicas, n_certify):
                    self._compiling.append(self._threads.submit(_quietly, compiles))

    def finish(self, interrupted: Sequence[bool] = ()) -> None:
        """Wait until everything that was begun is compiled, or the user has asked to stop."""
        while wait(self._compiling, _LOOK).not_done and not interrupted:
            pass
        self._compiling.clear()


@contextmanager
def compiling_ahead() -> Iterator[Ahead]:
    """What compiles ahead where there are two cores to work on, and programs are kept.

    Programs in memory are let go of every few groups: where they are not kept in files, those of
    the next group would have to be compiled again.
    """
    count = min(_MOST, threads())
    if count < 2 or not _programs.kept():
        yield Ahead(None)
        return
    pool = ThreadPoolExecutor(count, "compile")
    try:
        yield Ahead(pool)
    finally:
        pool.shutdown(cancel_futures=True)


def threads() -> int:
    """The cores that a run may compute on; on an accelerator, those beside it."""
    return len(devices_for()) if platform() == "cpu" else usable_cores()


def _quietly(compiles: Callable[[], object]) -> None:
    with suppress(Exception):  # the group itself meets it, and says so
        compiles()
