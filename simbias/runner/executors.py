"""Executors of work units, by the words of ``--cluster``: processes, Dask, jobs of Slurm.

Each is an executor of ``concurrent.futures``; a further kind is a function in ``KINDS``.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from logging import CRITICAL, getLogger
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from simbias import _worker
from simbias._checks import fail
from simbias._devices import placement

SECONDS = 10  # for a scheduler to answer
_SECONDS_AGAIN = 300  # for one that has answered before, and may be started anew
_ALLOWED = (
    "processes:N, local:N (Dask workers on this machine), slurm:N or submitit:N (at most N jobs at"
    " a time), or the address of a Dask scheduler, tcp://HOST:PORT"
)
_MOST = 10_000  # workers
_JOBS = "jobs"  # their folder in a run directory
_NO_LIMIT = 60 * 24 * 366  # minutes
_answered: set[str] = set()  # addresses of schedulers


@dataclass(frozen=True)
class Workers:
    """An executor, how many units it is given at a time, and whether it still works.

    Attributes:
        executor: of ``concurrent.futures``.
        room: units that may be submitted and not done.
        works: False once the executor is lost, and has to be opened again.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from simbias.runner.executors import Workers
        >>> with ThreadPoolExecutor(1) as executor:
        ...     Workers(executor, lambda: 2, lambda: True).room()
        2
    """

    executor: Executor
    room: Callable[[], int]
    works: Callable[[], bool]


class SchedulerLost(BrokenExecutor):
    """What hands out units is gone; none of the units that it had is the reason."""


def check(words: str) -> None:
    """Raise ValueError for words that name no executor."""
    _parse(words)


@contextmanager
def open_workers(words: str, directory: Path, cores: int = 1) -> Iterator[Workers]:
    """The executor that some words name; what it runs ends with the context.

    Args:
        words: ``"processes:4"``, ``"local:4"``, ``"slurm:100"``, ``"submitit:2"`` or
            ``"tcp://host:8786"``.
        directory: of the run, for logs of jobs.
        cores: CPU devices of a worker, which a job of Slurm asks for.

    Raises:
        ValueError: other words, a scheduler that does not answer, or a package is missing.

    Examples:
        >>> from pathlib import Path
        >>> from simbias.runner.executors import open_workers
        >>> with open_workers("threads:2", Path("run")):
        ...     pass
        Traceback (most recent call last):
            ...
        ValueError: cluster: got 'threads:2', allowed: processes:N, local:N (Dask workers on this
        machine), slurm:N or submitit:N (at most N jobs at a time), or the address of a Dask
        scheduler, tcp://HOST:PORT
    """
    kind, count = _parse(words)
    if count is None:
        with _dask(words) as workers:
            yield workers
    else:
        with KINDS[kind](count, directory, cores) as workers:
            yield workers


def _parse(words: str) -> tuple[str, int | None]:
    if re.fullmatch(r"(tcp|tls)://[^\s/]+:\d+", words):
        return words, None
    match = re.fullmatch(r"([a-z]+):(\d{1,5})", words)
    if match is None or match[1] not in KINDS or not 1 <= int(match[2]) <= _MOST:
        raise fail("cluster", words, _ALLOWED)
    return match[1], int(match[2])


@contextmanager
def _processes(count: int, directory: Path, cores: int) -> Iterator[Workers]:
    before = set(active_children())
    spawn = get_context("spawn")
    environments = [placement(place, count) for place in range(count)]
    pool = ProcessPoolExecutor(count, spawn, _worker.begin, (spawn.Value("i", 0), environments))
    try:
        yield Workers(pool, lambda: 2 * count, lambda: True)
    finally:
        for child in set(active_children()) - before:  # else Ctrl-C would wait for its unit
            child.terminate()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _local(count: int, directory: Path, cores: int) -> Iterator[Workers]:
    distributed = _package("distributed")
    options = {"nthreads": 1, "memory_limit": None, "silence_logs": CRITICAL}
    unwatched = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}  # it looks every 10 ms
    specification = {  # an environment for each, which a LocalCluster does not give them
        place: {
            "cls": distributed.Nanny,
            "options": options | {"env": unwatched | placement(place, count)},
        }
        for place in range(count)
    }
    here = {"protocol": "tcp://", "host": "127.0.0.1", "dashboard": False}
    scheduler = {"cls": distributed.Scheduler, "options": here}
    with distributed.SpecCluster(specification, scheduler, silence_logs=CRITICAL) as cluster:
        with _dask(cluster.scheduler_address) as workers:
            yield workers


@contextmanager
def _dask(address: str) -> Iterator[Workers]:
    distributed = _package("distributed")
    for name in ("distributed", "distributed.client"):  # the launcher says in a line what is lost
        getLogger(name).setLevel(CRITICAL)
    client = _client(distributed, address)
    _answered.add(address)

    def room() -> int:
        try:
            threads: dict[str, int] = client.nthreads()
        except OSError as error:
            raise SchedulerLost(str(error)) from None
        return 2 * max(1, sum(threads.values()))

    with client:
        # whether a unit is computed twice hangs on the run directory alone
        yield Workers(client.get_executor(pure=False), room, lambda: client.status == "running")


def _client(distributed: Any, address: str) -> Any:
    """A client of a scheduler; one that breaks off, as it is lost just then, is asked again."""
    seconds = _SECONDS_AGAIN if address in _answered else SECONDS
    end = time.monotonic() + seconds
    while True:
        left = max(0.1, end - time.monotonic())
        try:
            return distributed.Client(address, timeout=left, set_as_default=False)
        except OSError:
            if time.monotonic() >= end:
                allowed = f"the address of a Dask scheduler that answers within {seconds} s"
                raise fail("cluster", address, allowed) from None
        time.sleep(0.1)


def _slurm(count: int, directory: Path, cores: int) -> AbstractContextManager[Workers]:
    submitit = _package("submitit")
    try:
        jobs = submitit.SlurmExecutor(folder=directory / _JOBS)
    except RuntimeError:
        raise fail("cluster", f"slurm:{count}", "a machine with the commands of Slurm") from None
    # no time is the partition's own; unasked, the package would say 5 minutes
    jobs.update_parameters(job_name="simbias", cpus_per_task=cores, time=None)
    return _jobs(jobs, count)


def _submitit(count: int, directory: Path, cores: int) -> AbstractContextManager[Workers]:
    jobs = _package("submitit").LocalExecutor(folder=directory / _JOBS)
    jobs.update_parameters(timeout_min=_NO_LIMIT)
    return _jobs(jobs, count)


@contextmanager
def _jobs(jobs: Any, count: int) -> Iterator[Workers]:
    class Jobs(ThreadPoolExecutor):
        """A thread waits for each job."""

        given: set[Any] = set()  # to the scheduler, and not done

        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            def submitted() -> Any:
                job = jobs.submit(function, *args, **kwargs)
                self.given.add(job)
                try:
                    return job.result()
                finally:
                    self.given.discard(job)

            return super().submit(submitted)

    executor = Jobs(count)
    try:
        yield Workers(executor, lambda: count, lambda: True)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for job in list(executor.given):
            job.cancel()


Opened = Callable[[int, Path, int], AbstractContextManager[Workers]]
KINDS: dict[str, Opened] = {
    "processes": _processes,
    "local": _local,
    "slurm": _slurm,
    "submitit": _submitit,
}


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        message = f"cluster: needs {name}, which is not installed: pip install 'simbias[cluster]'"
        raise ValueError(message) from None
