"""Processes of a run are killed at random, and the rows are those of a run that nobody disturbs."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import alone
import pytest
from tiny_suite import tiny_suite

from simbias import suites
from simbias.experiments import row_name
from simbias.results import Store
from simbias.results.unit_lease import FOLDER
from simbias.runner.plan import make_plan

KILLS = 20
SEEDS = 24  # added whenever a run has ended before the last kill
MOST = 6.0  # seconds before a kill
PATIENCE = 600.0  # seconds for something to happen
SUITE = tiny_suite([4, 5], SEEDS)
# units of two networks, so that a kill meets a run with most of its units to come
LAUNCH = """
import sys
from simbias.cli import main
from simbias.runner import work_units
work_units._MOST = 2
sys.exit(main(sys.argv[1:]))
"""
COMPARED = (
    "cell, seed, status, updates, risk, train_loss, train_accuracy, memorised, s_randomised_auc,"
    " weights_checksum, trace_checksum"
)


class Cluster:
    """The processes of a test, each the leader of a group of its own.

    Args:
        folder: of the run, and of what its launchers say.
        where: the word of ``--cluster``; a Dask scheduler with two workers where it is an address.
    """

    def __init__(self, folder: Path, where: str):
        self.folder, self.where = folder, where
        self.suite, self.run = folder / "tiny.toml", folder / "run"
        self.suite.write_text(SUITE)
        self.environment = os.environ | {"XDG_CACHE_HOME": str(folder)}
        # a process begins sooner where programs are kept
        self.environment.pop("JAX_ENABLE_COMPILATION_CACHE", None)
        self.seeds = 0
        self.begun: list[subprocess.Popen] = []
        self.workers: list[subprocess.Popen] = []
        if where.startswith("tcp"):
            self.start_scheduler()
        self.launch(more=True)
        self.tend()

    def start(self, *words: str) -> subprocess.Popen:
        with (self.folder / "said").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self.environment,
            )
        self.begun.append(process)
        return process

    def launch(self, more: bool = False):
        """The command again; with ``more``, for further seeds."""
        self.seeds += SEEDS if more else 0
        where = ("--out", str(self.run), "--cluster", self.where)
        self.launcher = self.start("-c", LAUNCH, *self.words(), *where)

    def words(self) -> list[str]:
        return ["run", str(self.suite), "--preset", "only", "--seeds", str(self.seeds)]

    def start_scheduler(self):
        port = self.where.rsplit(":", 1)[1]
        words = ("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        self.scheduler = self.start("-m", "dask", *words)

    def start_worker(self) -> subprocess.Popen:
        words = ("worker", self.where, "--nthreads", "1", "--no-dashboard", "--no-nanny")
        return self.start("-m", "dask", *words)

    def tend(self):
        """See that two Dask workers run; one whose scheduler is lost ends by itself."""
        if self.where.startswith("tcp"):
            self.workers = [worker for worker in self.workers if worker.poll() is None]
            self.workers += [self.start_worker() for _ in range(2 - len(self.workers))]

    def rows(self) -> int:
        """Networks of which something is there."""
        return len(list(self.run.glob("weights/*.safetensors")))

    def until(self, what, why: str, *, again: bool = True):
        """Wait until something is so; a launcher that has ended is begun ``again``."""
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, f"{why}\n{self.said()}"
            self.tend()
            if again and self.launcher.poll() is not None:
                assert self.launcher.returncode == 0, self.said()
                self.launch(more=True)
            time.sleep(0.1)

    def rest(self, seconds: float):
        """Wait for some time."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "")

    def spawned(self) -> list[int]:
        """Workers that the launcher has spawned."""
        return [
            child
            for child in children(self.launcher.pid)
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]

    def kill_worker(self, chosen: random.Random):
        if self.workers:
            killed(chosen.choice(self.workers))
        else:
            self.until(self.spawned, "no worker was spawned")
            os.kill(chosen.choice(self.spawned()), signal.SIGKILL)

    def kill_scheduler(self, chosen: random.Random):
        killed(self.scheduler)
        self.start_scheduler()

    def kill_launcher(self, chosen: random.Random):
        killed(self.launcher)
        self.launch()

    def end(self):
        """Wait for the launcher, then end the scheduler and its workers."""
        ended = self.launcher.poll
        self.until(lambda: ended() is not None, "the launcher does not end", again=False)
        assert ended() == 0, self.said()
        for process in (*self.workers, *([self.scheduler] if self.workers else [])):
            killed(process)

    def orphans(self) -> list[int]:
        """The leaders of groups of which a process lives."""
        return [process.pid for process in self.begun if lives(process)]

    def said(self) -> str:
        return (self.folder / "said").read_text()[-3000:]


def killed(process: subprocess.Popen):
    process.kill()
    process.wait()


def lives(leader: subprocess.Popen) -> bool:
    leader.poll()
    try:
        os.killpg(leader.pid, 0)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rows_of(store: Store) -> list:
    return store.query(f"SELECT {COMPARED} FROM networks ORDER BY cell, seed")[1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads processes in /proc")
@pytest.mark.parametrize(
    ("who", "where", "seed"),
    [
        ("worker", "processes:2", 1),
        ("worker", "dask", 2),
        ("scheduler", "dask", 3),
        ("launcher", "processes:2", 4),
        ("launcher", "dask", 5),
    ],
)
def test_nothing_is_lost_doubled_or_left_locked_by_kills(who, where, seed, tmp_path):
    if where == "dask":
        pytest.importorskip("distributed")
        where = f"tcp://127.0.0.1:{free_port()}"
    chosen = random.Random(seed)
    cluster = Cluster(tmp_path, where)
    try:
        for kill in range(KILLS):
            if kill % 3 == 0:  # a unit is given up once its worker is lost thrice, and nothing ends
                before = cluster.rows()
                cluster.until(lambda before=before: cluster.rows() > before, "nothing ends")
            cluster.rest(chosen.uniform(0, MOST))
            getattr(cluster, f"kill_{who}")(chosen)
            print(f"kill {kill + 1}: {cluster.rows()} networks of {2 * cluster.seeds}", flush=True)
        cluster.end()
        end = time.monotonic() + 60
        while cluster.orphans() and time.monotonic() < end:
            time.sleep(0.2)
        assert not cluster.orphans(), cluster.said()
    finally:
        for process in cluster.begun:
            if lives(process):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    store = Store(cluster.run)
    present = rows_of(store)
    alone.simbias(*cluster.words(), "--out", tmp_path / "alone", "--cores", 1, folder=tmp_path)
    assert present == rows_of(Store(tmp_path / "alone"))
    assert len(present) == 2 * cluster.seeds == len({row[:2] for row in present})
    plan = make_plan(suites.load(str(cluster.suite)), "only", seeds=cluster.seeds)
    assert set(store.known()) == {row_name(replica) for replica in plan.replicas}
    assert not store.damaged()
    assert not list((cluster.run / FOLDER).glob("[!.]*"))
    assert not list(cluster.run.glob("checkpoints/*.safetensors"))
    assert not list(cluster.run.glob("pending/*/claim"))
