"""Many small networks through executors: throughput by workers, and what a work unit costs.

    python benchmarks/cluster.py                                     # 512 networks
    python benchmarks/cluster.py --networks 100000 --where local:2   # as many as a phase diagram

Every executor computes the same networks into a directory of its own, in one run of this script,
in process first. Before the clock starts each worker has compiled the program, in units of which
the seeds are not counted. What a unit costs is the time of one worker beyond that of this process,
where a unit holds a single network.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
n_train = 1000
method = { name = "sgd" }

[presets.full]
summary = "one size"
seeds = 1
n_certify = 5000
stop = { max_updates = 200 }
cells = [{ task = { name = "noisy-lms-5", dim = 4 }, network = { name = "mlp", width = 8 } }]
"""
WARM = 16  # networks computed before the clock starts
WHERE = ["processes:1", "processes:2", "processes:4", "local:1", "local:2", "local:4"]


class Silent:
    """A reporter that says nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def main() -> None:
    """Print a line for each executor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=int, default=512)
    parser.add_argument("--where", nargs="+", default=WHERE)
    options = parser.parse_args()
    simbias.configure(1)
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder, "small.toml")
        suite.write_text(SUITE)
        plans = [plan_of(suite, WARM), plan_of(suite, WARM + options.networks)]
        here = in_process(plans, Path(folder, "here"))
        say("in process", options.networks, here)
        for where in options.where:
            say(where, options.networks, elsewhere(plans, Path(folder, where), where))
        work_units._MOST = 1
        single = elsewhere(plans, Path(folder, "single"), "processes:1")
        say("processes:1, a network a unit", options.networks, single)
        cost = (single - here) / options.networks
        print(f"a unit costs {1000 * cost:.1f} ms of one worker beyond the work itself")


def plan_of(suite: Path, seeds: int) -> Plan:
    """A plan of so many networks."""
    return make_plan(suites.load(str(suite)), "full", seeds=seeds)


def begun(plan: Plan, directory: Path) -> Store:
    """A prepared run directory."""
    store = Store(directory, create=True)
    prepare(plan, store)
    return store


def in_process(plans: list[Plan], directory: Path) -> float:
    """Seconds of a run in this process."""
    for plan in plans:
        clock = time.perf_counter()
        execute(plan, begun(plan, directory), Silent())
    return time.perf_counter() - clock


def elsewhere(plans: list[Plan], directory: Path, where: str) -> float:
    """Seconds of a run by the workers of one executor, which have begun before."""
    with open_workers(where, directory) as workers:

        class Same:
            """The executor stays open from one plan to the next."""

            def __enter__(self) -> Workers:
                return workers

            def __exit__(self, *_: object) -> None:
                pass

        most, work_units._MOST = work_units._MOST, 1  # so that every worker has some of the first
        for plan in plans:
            clock = time.perf_counter()
            dispatch(plan, begun(plan, directory), Silent(), Same)
            work_units._MOST = most
    return time.perf_counter() - clock


def say(where: str, networks: int, seconds: float) -> None:
    """Print the throughput of an executor."""
    print(f"{where:<30} {seconds:7.1f} s  {networks / seconds:8.1f} networks/s", flush=True)


if __name__ == "__main__":
    main()
