"""Several hosts write one run directory over a network file system.

A host is a set of namespaces: a network of its own with one cable to the head, a name, and process
ids that begin anew. The head has the directory on its disk and runs scheduler and launcher; workers
see it at the same path through sshfs, whose server a plain socket reaches.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import alone
import pytest
from tiny_suite import tiny_suite

from simbias.results import Store
from simbias.results.unit_lease import FOLDER

SERVER = Path("/usr/lib/openssh/sftp-server")
TOOLS = ("ip", "unshare", "sshfs", "socat", "mount")
SEEDS = 32
PATIENCE = 600.0  # seconds for something to happen
SUITE = tiny_suite(4, SEEDS)
# small units, and leases of a host that is gone that are stale before the test is out of patience
SOON = """
import sys
from simbias.results import unit_lease
from simbias.runner import work_units
unit_lease.RENEWED, unit_lease.PATIENCE, work_units._MOST = 2.0, 20.0, 2
"""
LAUNCHER = SOON + "from simbias.cli import main\nsys.exit(main(sys.argv[1:]))"
WORKER = SOON + "from distributed.cli.dask_worker import main\nmain(sys.argv[1:])"
SCHEDULER = "import sys\nfrom distributed.cli.dask_scheduler import main\nmain(sys.argv[1:])"
PORTS = {"sftp": 7022, "dask": 8786}


class Hosts:
    """Hosts on one machine.

    Args:
        folder: seen by all; the head writes logs beside it.
    """

    def __init__(self, folder: Path):
        self.shared, self.logs = folder / "shared", folder
        self.shared.mkdir()
        self.names: list[str] = []
        self.begun: list[subprocess.Popen] = []

    def space(self, name: str) -> str:
        return f"simbias-{os.getpid()}-{name}"

    def add(self, name: str, address: str = ""):
        """A host; one with an address has a cable to the first one."""
        space, head = self.space(name), self.space(self.names[0]) if self.names else ""
        ip("netns", "add", space)
        self.names.append(name)
        ip("-n", space, "link", "set", "lo", "up")
        if not address:
            return
        ends = [f"s{os.getpid()}{name}{end}"[-15:] for end in "ab"]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, place, last in ((ends[0], head, 1), (ends[1], space, 2)):
            ip("link", "set", end, "netns", place)
            ip("-n", place, "addr", "add", f"{address}.{last}/24", "dev", end)
            ip("-n", place, "link", "set", end, "up")

    def start(self, name: str, *words: str, script: str = "") -> subprocess.Popen:
        """A process of a host, which ends with whatever it begins; ``script`` runs before it."""
        begin = f'hostname {name}; mount --make-rprivate /; {script}\nexec "$@"'
        own = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
        with (self.logs / name).open("a") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.space(name), *own, "sh", "-c", begin, "sh", *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.begun.append(process)
        return process

    def start_worker(self, name: str, address: str) -> subprocess.Popen:
        mount = (
            f"sshfs -o directport={PORTS['sftp']},cache=no,sshfs_sync {address}.1:{self.shared}"
            f" {self.shared} || exit 1; grep {self.shared} /proc/mounts"
        )
        scheduler = f"tcp://{address}.1:{PORTS['dask']}"
        words = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--name", name)
        return self.start(name, sys.executable, "-c", WORKER, scheduler, *words, script=mount)

    def end(self):
        for process in self.begun:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for name in self.names:
            ip("netns", "del", self.space(name))

    def said(self, name: str) -> str:
        return (self.logs / name).read_text()


def ip(*words: str):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def missing() -> str:
    """Why the test cannot run here."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent or not SERVER.exists():
        return f"needs {' '.join(absent) or SERVER}"
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK):
        return "needs root and /dev/fuse, to make namespaces and to mount"
    probe = ["unshare", "--net", "--uts", "--pid", "--fork", "true"]
    done = subprocess.run(probe, capture_output=True)
    return "" if done.returncode == 0 else "no namespaces can be made here"


def rows_of(store: Store) -> list:
    columns = "cell, seed, status, updates, risk, train_loss, weights_checksum, trace_checksum"
    return store.query(f"SELECT {columns} FROM networks ORDER BY cell, seed")[1]


def until(what, words):
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, words()
        time.sleep(0.2)


@pytest.mark.slow
def test_hosts_share_a_run_directory_and_one_is_lost(tmp_path):
    pytest.importorskip("distributed")
    if why := missing():
        pytest.skip(why)
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    hosts = Hosts(tmp_path)
    run = hosts.shared / "run"
    workers = {"one": "10.77.1", "two": "10.77.2"}
    try:
        hosts.add("head")
        for name, address in workers.items():
            hosts.add(name, address)
        serve = f"TCP-LISTEN:{PORTS['sftp']},fork,reuseaddr"
        hosts.start("head", "socat", serve, f"EXEC:{SERVER}")
        dask = ("--host", "0.0.0.0", "--port", str(PORTS["dask"]), "--no-dashboard")
        hosts.start("head", sys.executable, "-c", SCHEDULER, *dask)
        time.sleep(2)
        begun = {name: hosts.start_worker(name, address) for name, address in workers.items()}
        where = ("--out", str(run), "--cluster", f"tcp://127.0.0.1:{PORTS['dask']}")
        words = ("run", str(suite), "--preset", "only", *where)
        launcher = hosts.start("head", sys.executable, "-c", LAUNCHER, *words)
        leases: set[str] = set()

        def written() -> int:
            for path in run.glob(f"{FOLDER}/[!.]*"):
                try:
                    leases.add(path.read_text().split('"')[3])  # the host
                except (OSError, IndexError):
                    pass
            return len(list(run.glob("weights/*.safetensors")))

        def all_said() -> str:
            return "\n".join(f"{name}: {hosts.said(name)[-2000:]}" for name in hosts.names)

        until(lambda: written() >= SEEDS // 4 and leases == set(workers), all_said)
        os.killpg(begun["two"].pid, signal.SIGKILL)  # with all processes of the host
        until(lambda: written() is None or launcher.poll() is not None, all_said)
        assert launcher.returncode == 0, all_said()
    finally:
        hosts.end()
    for name in workers:
        assert "fuse.sshfs" in hosts.said(name)
    words = ("run", suite, "--preset", "only", "--cores", 1)
    alone.simbias(*words, "--out", tmp_path / "alone")
    present = rows_of(Store(run))
    assert present == rows_of(Store(tmp_path / "alone")) and len(present) == SEEDS
    assert not list(run.glob(f"{FOLDER}/[!.]*")) and not list(run.glob("pending/*/claim"))
    assert not Store(run).damaged()
