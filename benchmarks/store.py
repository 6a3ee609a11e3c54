"""Large runs: time and peak memory of reading ever more networks, and memory over compiled groups.

    python benchmarks/store.py                        # 1,000, 10,000 and 100,000 networks
    python benchmarks/store.py --networks 1000 10000 --one-file-each      # a file for each network
    python benchmarks/store.py --groups 50            # memory while so many groups are computed

The rows are made up: real cells, numbers drawn at random, a hundred seeds for each cell, and as
many rows in a file as a compiled group of four cells leaves. Each command is a new process, from
its start; its processor seconds are printed beside wall time, which depends on other programs.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np

import simbias
from simbias import suites
from simbias.experiments import Ended, Replica, row, row_name
from simbias.experiments.classify import NETWORKS
from simbias.experiments.table import CHECKSUM
from simbias.results import checksums, parquet
from simbias.results.store import Store
from simbias.runner.execute import execute, prepare
from simbias.runner.plan import Plan, make_plan

SEEDS = 100
TOGETHER = 400  # rows in a file
SUITE = """
name = "many"
summary = "cells of every width"
source = "none"

[tasks.noisy-lms-7]
n_train = 1000
method = {{ name = "sgd", learning_rate = 0.1, momentum = 0.9 }}

[presets.full]
summary = "one size"
seeds = {seeds}
n_certify = 2000
stop = {{ max_updates = 20, check_every = 10 }}

[[presets.full.cells]]
task = "noisy-lms-7"
network = {{ name = "mlp", width = {widths} }}
"""
# the system's count of a child would begin with what its parent had in memory
CHILD = """
import re, resource, sys
from simbias.cli import main
code = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]
print(used.ru_utime + used.ru_stime, peak)
sys.exit(code)
"""
COMMANDS = {
    "status": ["status"],
    "table": ["table"],
    "report": ["report"],
    "query": ["query", "select network, avg(risk) from networks group by all order by 2 limit 5"],
}


def plan_of(networks: int, folder: Path, seeds: int = SEEDS) -> Plan:
    """A plan of a given number of networks."""
    widths = list(range(1, 1 + networks // seeds))
    path = folder / "many.toml"
    path.write_text(SUITE.format(seeds=seeds, widths=widths))
    return make_plan(suites.load(str(path)), "full")


def made_up(job: Replica, draw: np.random.Generator) -> dict[str, Any]:
    """A row of a network that ended, with every column."""
    values = row("many", Ended(job, "done", "train accuracy reached"))
    for column in NETWORKS:
        if column.type == "DOUBLE":
            values[column.name] = float(draw.random())
        elif column.type == "BIGINT" and column.name not in values:
            values[column.name] = int(draw.integers(1000))
    values["weights_checksum"], values["trace_checksum"] = (draw.bytes(16).hex() for _ in range(2))
    ordered = {name: values.get(name) for name in (column.name for column in NETWORKS)}
    ordered[CHECKSUM.name] = checksums.of_rows(
        [{k: v for k, v in ordered.items() if v is not None}]
    )
    return ordered


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows to one file, unchecked."""
    typed = ", ".join(f"{column.name} {column.type}" for column in NETWORKS)
    with parquet.connect() as connection:
        connection.execute(f"CREATE TABLE rows ({typed})")
        connection.execute("INSERT INTO rows BY NAME SELECT unnest(?, recursive := true)", [rows])
        parquet.copy(connection, "rows", path)


def make(networks: int, folder: Path, one_file_each: bool) -> Path:
    """A run directory of a given number of networks."""
    plan = plan_of(networks, folder)
    store = Store(folder / f"run-{networks}", create=True)
    prepare(plan, store)
    draw = np.random.default_rng(0)
    rows_folder = store.directory / "networks"
    rows_folder.mkdir()
    jobs = plan.replicas
    for start in range(0, networks, 1 if one_file_each else TOGETHER):
        batch = jobs[start : start + (1 if one_file_each else TOGETHER)]
        path = rows_folder / f"{row_name(batch[0])}.parquet"
        write([made_up(job, draw) for job in batch], path)
        if not one_file_each:
            name = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
            path.replace(rows_folder / f"{name}.parquet")
    return store.directory


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Wall time and processor seconds of a command, and the peak megabytes that it reports."""
    clock = time.perf_counter()
    completed = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], stdout=PIPE, text=True, check=True
    )
    busy, kilobytes = completed.stdout.split()[-2:]
    return time.perf_counter() - clock, float(busy), int(kilobytes) / 1024


class Weighed:
    """A reporter that prints the memory of the process after every tenth group."""

    def __init__(self, seeds: int) -> None:
        self._each, self._ended = seeds, 0

    def ended(self, replica: Replica, row: dict[str, Any]) -> None:
        """Count a network."""
        self._ended += 1
        groups, rest = divmod(self._ended, self._each)
        if not rest and groups % 10 == 0:
            match = re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())
            megabytes = int(match[1]) / 1024 if match else 0
            print(f"  after {groups:3} groups {megabytes:6,.0f} MB", flush=True)

    def __getattr__(self, name: str) -> Any:
        """Ignore every other event."""
        return lambda *_: None


def compute(groups: int, folder: Path) -> None:
    """Train tiny networks of ``groups`` widths, with a compiled program for each."""
    plan = plan_of(2 * groups, folder, seeds=2)
    store = Store(folder / "groups", create=True)
    prepare(plan, store)
    execute(plan, store, Weighed(len(plan.seeds)))


def main() -> None:
    """Make runs, and print the time and memory of reading each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--one-file-each", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder for the runs; default: a temporary one")
    parser.add_argument("--groups", type=int, help="compute so many instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if options.groups:
            simbias.configure()
            print(f"{options.groups} compiled groups", flush=True)
            compute(options.groups, Path(temporary))
            return
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for networks in options.networks:
            directory = folder / f"run-{networks}"
            if not directory.exists():
                make(networks, folder, options.one_file_each)
            files = len(list(directory.rglob("*.parquet")))
            print(f"{networks:,} networks in {files:,} files", flush=True)
            for name, (verb, *rest) in COMMANDS.items():
                clock, busy, megabytes = measured([verb, str(directory), *rest])
                page = directory / "report.html"
                size = f", a page of {page.stat().st_size:,} bytes" if verb == "report" else ""
                print(
                    f"  {name:<8} {clock:6.1f} s, {busy:6.1f} s of the processor,"
                    f" {megabytes:6,.0f} MB" + size,
                    flush=True,
                )


if __name__ == "__main__":
    main()
