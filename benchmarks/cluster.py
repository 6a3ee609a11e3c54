"""Many small networks through executors: throughput by workers, and what a work unit costs.

    python benchmarks/cluster.py                         # 192 networks through each executor
    python benchmarks/cluster.py --networks 2000 --where local:2 --no-units

Every executor computes the same networks into a directory of its own, in one run of this script,
in process first, which is repeated at the end to show by how much the machine changed meanwhile.
Before the clock starts each worker has compiled its programs, in units of which the seeds are not
counted. Each line is wall time, and processor time of the launcher and all of its workers; where
there are more than one, also the throughput by that of as many times one, and beside it that of a
loop of pure Python in as many processes: more than the machine gives is not to be had.

What a unit costs is the processor time of launcher and worker where a unit holds one network, less
that where it holds 16, for each unit more: reading it, its lease, the start of training, looking at
the directory again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import simbias
from simbias import suites
from simbias.results.store import Store
from simbias.runner import work_units
from simbias.runner.dispatch import dispatch
from simbias.runner.execute import execute, prepare
from simbias.runner.executors import Workers, open_workers
from simbias.runner.plan import Plan, make_plan

SUITE = """
name = "small"
summary = "small networks"
source = "none"

[tasks.noisy-lms-5]
n_train = {n_train}
method = {{ name = "sgd" }}

[presets.full]
summary = "one size"
seeds = 1
n_certify = {n_certify}
stop = {{ max_updates = {updates} }}
cells = [{{ task = {{ name = "noisy-lms-5", dim = 4 }}, network = {{ name = "mlp", width = 8 }} }}]
"""
TOGETHER = 16  # networks of a unit
WARM = 4  # units for each worker before the clock starts, of one network and then of more
LOOP = "for _ in range(40_000_000): pass"  # a second or two
HERE = "in process"
WHERE = ["processes:1", "processes:2", "processes:4", "local:1", "local:2", "local:4"]


class Cost(NamedTuple):
    """What a run took.

    Attributes:
        wall: seconds.
        processor: seconds of the launcher and its workers.
    """

    wall: float
    processor: float


class Silent:
    """A reporter that says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def main() -> None:
    """Print a line for each executor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=int, default=192)
    parser.add_argument("--where", nargs="*", default=WHERE)
    parser.add_argument("--n-train", type=int, default=1000)
    parser.add_argument("--n-certify", type=int, default=5000)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--units", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    simbias.configure(1)
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder, "small.toml")
        sizes = {name: vars(options)[name] for name in ("n_train", "n_certify", "updates")}
        suite.write_text(SUITE.format(**sizes))
        rates: dict[str, float] = {}

        def measure(where: str, together: int, name: str) -> Cost:
            workers = workers_of(where)
            single = WARM * workers
            several = single * (1 + TOGETHER)
            numbers = (single, several, several + options.networks)
            plans = [plan_of(suite, seeds) for seeds in numbers]
            if where == HERE:
                cost = in_process(plans, Path(folder, name))
            else:
                cost = elsewhere(plans, Path(folder, name), where, together)
            rates[name] = options.networks / cost.wall
            single = rates.get(f"{where.partition(':')[0]}:1")
            more = ""
            if workers > 1 and single is not None:
                more = f"  {rates[name] / single / workers:.2f} of {workers} times one"
                more += f", a loop {loops(workers):.2f}"
            say(name, options.networks, cost, more)
            return cost

        measure(HERE, TOGETHER, HERE)
        for where in options.where:
            measure(where, TOGETHER, where)
        for where in ("processes:1", "local:1") if options.units else ():
            whole = measure(where, TOGETHER, f"{where}, {TOGETHER} a unit")
            single = measure(where, 1, f"{where}, 1 a unit")
            more = options.networks * (1 - 1 / TOGETHER)
            cost = (single.processor - whole.processor) / more
            print(f"{where}: a unit costs {1000 * cost:.0f} ms of processor time", flush=True)
        if options.where or options.units:
            measure(HERE, TOGETHER, f"{HERE} again")


def plan_of(suite: Path, seeds: int) -> Plan:
    """A plan of so many networks."""
    return make_plan(suites.load(str(suite)), "full", seeds=seeds)


def begun(plan: Plan, directory: Path) -> Store:
    """A prepared run directory."""
    store = Store(directory, create=True)
    prepare(plan, store)
    return store


def in_process(plans: list[Plan], directory: Path) -> Cost:
    """A run in this process."""
    for plan in plans:
        wall, processor = time.perf_counter(), time.process_time()
        execute(plan, begun(plan, directory), Silent())
    return Cost(time.perf_counter() - wall, time.process_time() - processor)


def elsewhere(plans: list[Plan], directory: Path, where: str, together: int) -> Cost:
    """A run by the workers of one executor, which have begun before."""
    with open_workers(where, directory) as workers:

        class Same:
            """The executor stays open from one plan to the next."""

            def __enter__(self) -> Workers:
                return workers

            def __exit__(self, *_: object) -> None:
                pass

        for place, plan in enumerate(plans):
            work_units._MOST = together if place else 1  # of the first, every worker has some
            used = {pid: seconds(pid) for pid in family(os.getpid())}
            wall = time.perf_counter()
            dispatch(plan, begun(plan, directory), Silent(), Same)
        wall = time.perf_counter() - wall
        processor = sum(seconds(pid) - used.get(pid, 0.0) for pid in family(os.getpid()))
    return Cost(wall, processor)


def family(pid: int) -> list[int]:
    """A process and all that it has begun."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():  # each thread has children of its own
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def seconds(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def workers_of(where: str) -> int:
    """How many processes compute."""
    return 1 if where == HERE else int(where.partition(":")[2])


def loops(count: int) -> float:
    """The speed of a loop in each of as many processes at once, by that of one alone."""
    times = []
    for together in (1, count):
        clock = time.perf_counter()
        running = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(together)]
        for process in running:
            process.wait()
        times.append(time.perf_counter() - clock)
    return times[0] / times[1]


def say(name: str, networks: int, cost: Cost, more: str) -> None:
    """Print the throughput of an executor."""
    print(
        f"{name:<26} {cost.wall:6.1f} s  {networks / cost.wall:6.1f} networks/s"
        f"  {1000 * cost.processor / networks:6.1f} ms of processor time a network{more}",
        flush=True,
    )


if __name__ == "__main__":
    main()
