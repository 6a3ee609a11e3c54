"""Wall time, memory and growth of whole runs, as a user would start them.

Two tables in one run:

- the wall time of ``simbias run pitfalls --preset standard`` in a process of its own, split into
  start-up, compile, training, validation, plots and writing, with its peak memory: with an empty
  cache of compiled programs, then with a full one; and a rerun that finds everything done, beside
  ``simbias --help`` and ``simbias list``;
- how time and peak memory grow with the number of seeds, n, d and width, one at a time, at a fixed
  number of updates.

    python benchmarks/suite.py [--preset standard] [--updates 6000] [--skip growth] [--json FILE]
"""

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import machine

PARTS = ("start-up", "compile", "training", "validation", "plots", "writing", "other")
GROWTH: dict[str, list[int]] = {
    "seeds": [1, 2, 4, 8, 16],
    "n": [10_000, 20_000, 40_000, 80_000, 160_000],
    "d": [10, 20, 50, 100],
    "width": [50, 100, 200, 300],
}
BASE = {"seeds": 2, "n": 40_000, "d": 50, "width": 100}
SUITE = """
name = "growth"
summary = "one cell"
source = "none"
[tasks]
[presets.one]
summary = "one cell"
seeds = {seeds}
[[presets.one.cells]]
task = {{ name = "noisy-lms-7", dim = {d} }}
network = {{ name = "mlp", width = {width}, depth = 1 }}
n_train = {n}
method = {{ name = "sgd", learning_rate = 0.1, momentum = 0.9, weight_decay = 5e-5 }}
stop = {{ max_updates = {updates}, check_every = {every} }}
"""


class Clock:
    """Charges wall time to the innermost part that is under way."""

    def __init__(self, began: float) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)
        self._under_way = ["start-up"]
        self._since = began

    @contextmanager
    def part(self, name: str):
        self._charge()
        self._under_way.append(name)
        try:
            yield
        finally:
            self._charge()
            self._under_way.pop()

    def move(self, event: str, seconds: float, **_: Any) -> None:
        """Charge JAX's time of lowering and compiling (or loading) a program to ``compile``."""
        if event.endswith(("backend_compile_duration", "jaxpr_to_mlir_module_duration")):
            self.spent["compile"] += seconds
            self.spent[self._under_way[-1]] -= seconds

    def end_start_up(self) -> None:
        self._charge()
        self._under_way[0] = "other"

    def wrap(self, owner: Any, attribute: str, name: str) -> None:
        """Charge a function's time to a part."""
        inner: Callable[..., Any] = getattr(owner, attribute)

        @functools.wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return inner(*args, **kwargs)

        setattr(owner, attribute, timed)

    def _charge(self) -> None:
        now = time.time()
        self.spent[self._under_way[-1]] += now - self._since
        self._since = now


def worker(began: float, report: Path, arguments: list[str]) -> int:
    """Run the command line in this process, with its parts timed."""
    clock = Clock(began)
    from simbias import cli
    from simbias._devices import configure

    configure()  # before anything else imports JAX
    import jax

    from simbias.experiments import classify
    from simbias.plots import run as plots
    from simbias.results.store import Store
    from simbias.runner import execute

    jax.monitoring.register_event_duration_secs_listener(clock.move)
    for method in ("prepare", "write", "write_checkpoint", "write_text"):
        clock.wrap(Store, method, "writing")
    clock.wrap(classify, "train_jobs", "training")
    clock.wrap(classify, "assemble", "validation")
    clock.wrap(classify, "validate", "validation")
    clock.wrap(plots, "draw", "plots")
    inner = execute.execute

    def begin(*args: Any) -> Any:
        clock.end_start_up()
        return inner(*args)

    execute.execute = begin
    code = cli.main(arguments)
    with clock.part("other"):  # charges what is left
        pass
    report.write_text(json.dumps(clock.spent))
    return code


def timed_run(arguments: list[str], cache: Path) -> dict[str, float]:
    """Seconds of each part, the wall time and the peak memory (MB) of one run in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        began = time.time()
        command = [sys.executable, __file__, "--worker", str(began), str(report), *arguments]
        process = subprocess.Popen(
            command, env=os.environ | {"XDG_CACHE_HOME": str(cache)}, stdout=subprocess.PIPE
        )
        output = process.communicate()[0].decode()
        wall = time.time() - began
        if process.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{output}")
        return json.loads(report.read_text()) | {"wall": wall}


def peak_memory() -> float:
    """The largest resident memory of all ended child processes, MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def in_a_new_process(function: str, *arguments: Any) -> Any:
    """Call a function of this file where no earlier process has set the peak of memory."""
    command = [sys.executable, __file__, "--call", function, json.dumps(arguments)]
    completed = subprocess.run(command, capture_output=True, text=True)
    if completed.returncode:
        raise SystemExit(completed.stderr)
    return json.loads(completed.stdout.splitlines()[-1])


def measure_run(arguments: list[str], cache: str) -> dict[str, float]:
    """``timed_run`` with its peak memory."""
    return timed_run(arguments, Path(cache)) | {"memory": peak_memory()}


def command_seconds(arguments: list[str], repeats: int = 5) -> float:
    """Median wall time of a command of the installed program."""
    times = []
    for _ in range(repeats):
        clock = time.perf_counter()
        subprocess.run([sys.executable, "-m", "simbias", *arguments], capture_output=True)
        times.append(time.perf_counter() - clock)
    return statistics.median(times)


def split(preset: str, folder: Path) -> dict[str, Any]:
    """The wall time of the suite with a cold and a warm cache, and of commands without training."""
    measurements: dict[str, Any] = {}
    for name in ("cold", "warm"):
        out = folder / name
        run = ["run", "pitfalls", "--preset", preset, "--out", str(out)]
        measured = in_a_new_process("measure_run", run, str(folder / "cache"))
        measurements[name], wall = measured, measured["wall"]
        parts = "  ".join(f"{part} {measured[part]:.1f}" for part in PARTS)
        proportion, memory = measured["training"] / wall, measured["memory"]
        print(f"{name} cache: {wall:.1f} s = {parts}", flush=True)
        print(f"  training {proportion:.0%} of the wall time, peak {memory:.0f} MB")
    commands = {"rerun": run, "help": ["--help"], "list": ["list"]}
    measurements |= {name: command_seconds(arguments) for name, arguments in commands.items()}
    print("  ".join(f"{name} {measurements[name]:.2f} s" for name in commands), flush=True)
    return measurements


def growth(updates: int, folder: Path) -> dict[str, list[dict[str, float]]]:
    """Seconds of training and validation, and peak memory, along each axis."""
    measurements: dict[str, list[dict[str, float]]] = {}
    for axis, values in GROWTH.items():
        measurements[axis] = []
        print(f"{axis:>8} {'training':>9} {'each':>7} {'validation':>11} {'memory':>8}")
        for value in values:
            settings = BASE | {axis: value, "updates": updates, "every": updates // 3}
            path = folder / f"{axis}-{value}.toml"
            path.write_text(SUITE.format(**settings))
            run = ["run", str(path), "--preset", "one", "--out", str(path.with_suffix(""))]
            measured = in_a_new_process("measure_run", run, str(folder / "cache"))
            measurements[axis].append({axis: value} | measured)
            per_network = measured["training"] / settings["seeds"]
            print(
                f"{value:>8} {measured['training']:>7.1f} s {per_network:>5.2f} s"
                f" {measured['validation']:>9.1f} s {measured['memory']:>5.0f} MB",
                flush=True,
            )
    return measurements


def main() -> int:
    """Parse, measure, print."""
    if sys.argv[1:2] == ["--worker"]:
        began, report, *arguments = sys.argv[2:]
        return worker(float(began), Path(report), arguments)
    if sys.argv[1:2] == ["--call"]:
        print(json.dumps(globals()[sys.argv[2]](*json.loads(sys.argv[3]))))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--updates", type=int, default=6000, help="of each network of the growth")
    parser.add_argument("--skip", choices=("split", "growth"))
    parser.add_argument("--json", help="write every measurement here")
    options = parser.parse_args()
    measurements: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d")}
    print(", ".join(f"{key} {value}" for key, value in measurements["machine"].items()))
    with tempfile.TemporaryDirectory() as folder:
        if options.skip != "split":
            measurements["split"] = split(options.preset, Path(folder))
        if options.skip != "growth":
            measurements["growth"] = growth(options.updates, Path(folder))
    if options.json:
        Path(options.json).write_text(json.dumps(measurements, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
