"""Training speed beside what a user would run instead, and beside the machine's own limit.

One run, one table: for each architecture on noisy-lms-7 (n = 40,000, batch 256) updates per second
over all cores of

- simbias: the engine as ``simbias.train`` uses it, its checks and the drawing of data included;
- vmap: one device with all its threads, ``jax.vmap`` over as many networks as there are cores;
- torch published: TensorDataset, DataLoader with shuffle, SGD with momentum and weight decay, the
  loop that was published with Shah et al. (2020);
- torch tuned: tensors indexed in place, one single-threaded process on each core;

and GFLOP/s beside the rate of large matrix products and of products of the same shapes. An update
is counted as three forward passes (the usual convention, which counts the gradient of the inputs,
although none of them computes it). Contestants take turns, each in its own process, so that a drift
of the machine's speed affects all of them; ratios are taken within a round.

    python benchmarks/engine.py [--rounds 3] [--seconds 3] [--shapes 100,1 300,2] [--json FILE]

With ``--networks`` the table is one for accelerators: updates per second, summed over the given
number of networks trained at once on JAX's default device, beside the published loop on the same
device (CUDA where PyTorch has it), and the time of that many networks relative to one.

    python benchmarks/engine.py --networks 1 16 64 256

With ``--processor`` seconds are those of the cores, which other programs do not take, each core's
for itself; leave out what is timed by the wall (``--without peak "torch tuned"``).

Longer than 400 lines because all contestants are timed by one file, which needs no others.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from simbias._devices import usable_cores

N, BATCH = 40_000, 256
DIM = 50  # of the inputs; --dim sets it, here and in every worker
SHAPES = ("100,1", "300,1", "100,2", "300,2")
SETTINGS = {"momentum": 0.9, "weight_decay": 5e-5}
LEARNING_RATE = 0.1
CORES = usable_cores()
OF_PROCESSOR = False  # --processor sets it, here and in every worker


def clock() -> float:
    """Seconds of the wall, or those of all cores that this process has used, for each of them."""
    return time.process_time() / CORES if OF_PROCESSOR else time.perf_counter()


def sizes(shape: str) -> list[int]:
    """The number of units of every layer."""
    width, depth = map(int, shape.split(","))
    return [DIM, *[width] * depth, 2]


# -- contestants: each returns updates a second, summed over the cores ------------------------


def simbias_engine(shape: str, seconds: float) -> float:
    import simbias

    simbias.configure()
    return training_rate(shape, seconds, networks=CORES, vectorised=False)


def plain_vmap(shape: str, seconds: float) -> float:
    return training_rate(shape, seconds, networks=CORES, vectorised=True)


def many(shape: str, seconds: float) -> float:
    """The number of networks in the shape (``100,1x64``), under ``vmap`` on an accelerator."""
    import simbias

    simbias.configure()
    import jax

    architecture, _, networks = shape.partition("x")
    vectorised = jax.default_backend() != "cpu"
    return training_rate(architecture, seconds, networks=int(networks), vectorised=vectorised)


def training_rate(
    shape: str,
    seconds: float,
    networks: int,
    vectorised: bool | None = None,
    precision: str = "float32",
    now: Callable[[], float] = clock,
) -> float:
    """Updates a second of the engine, summed over networks; their checks count, draws do not."""
    import simbias
    from simbias.training.jobs import Job, train_jobs

    width, depth = map(int, shape.split(","))

    class Enough(Exception):
        pass

    marks: list[tuple[float, int]] = []
    trained: dict = {}

    def after(advanced: dict) -> None:
        trained.update({job: int(snapshot.state.updates) for job, snapshot in advanced.items()})
        marks.append((now(), sum(trained.values())))
        # the first two segments hold compilation and the sizing of segments
        if len(marks) > 2 and marks[-1][0] - marks[1][0] >= seconds:
            raise Enough

    cell = simbias.training.Cell(
        simbias.tasks.get("noisy-lms-7", dim=DIM),
        simbias.MLP(width, depth),
        simbias.sgd(learning_rate=LEARNING_RATE, **SETTINGS),
        n_train=N,
        batch=BATCH,
        stop=simbias.Stop(max_updates=10_000_000),
        precision=precision,
    )
    jobs = [Job(cell, seed) for seed in range(networks)]
    try:
        train_jobs(jobs, after_segment=after, vectorised=vectorised)
    except Enough:
        pass
    (start, before), (end, after_) = marks[1], marks[-1]
    return (after_ - before) / (end - start)


def torch_published(shape: str, seconds: float, device: str = "cpu") -> float:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x, y, model, loss, optimiser = _torch_parts(shape, device)
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)

    def batches():
        while True:
            for points, labels in loader:
                yield points.to(device), labels.to(device)

    return _torch_rate(batches(), model, loss, optimiser, seconds, torch)


def torch_published_there(shape: str, seconds: float) -> float:
    """The published loop on PyTorch's accelerator, if it has one."""
    import torch

    return torch_published(shape, seconds, "cuda" if torch.cuda.is_available() else "cpu")


def torch_tuned_worker(shape: str, seconds: float) -> float:
    import torch

    torch.set_num_threads(1)
    x, y, model, loss, optimiser = _torch_parts(shape)

    def batches():
        while True:
            order = torch.randperm(N)
            for start in range(0, N - BATCH + 1, BATCH):
                rows = order[start : start + BATCH]
                yield x[rows], y[rows]

    return _torch_rate(batches(), model, loss, optimiser, seconds, torch)


def torch_tuned(shape: str, seconds: float) -> float:
    """The sum of the rates of one process per core, at the same time."""
    command = worker_command("torch_tuned_worker", shape, seconds)
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(CORES)]
    return sum(float(worker.communicate()[0]) for worker in workers)


def _torch_parts(shape: str, device: str = "cpu"):
    import torch
    from torch import nn

    torch.manual_seed(0)
    units = sizes(shape)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(units[:-2], units[1:-1], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(units[-2], units[-1])).to(device)
    optimiser = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, **SETTINGS)
    x = torch.rand(N, DIM) * 2 - 1
    return x, (x[:, 0] > 0).long(), model, nn.CrossEntropyLoss(), optimiser


def _torch_rate(batches, model, loss, optimiser, seconds: float, torch) -> float:
    def update() -> None:
        x, y = next(batches)
        optimiser.zero_grad()
        loss(model(x), y).backward()
        optimiser.step()

    for _ in range(50):
        update()
    start, updates = clock(), 0
    while clock() - start < seconds:
        update()
        updates += 1
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return updates / (clock() - start)


def peak(shape: str, seconds: float) -> float:
    """GFLOP/s of large matrix products, all cores, single-threaded on each."""
    import simbias
    from simbias.runner.machine import matmul_gflops

    simbias.configure()
    return statistics.median(matmul_gflops(repeats=10) for _ in range(max(3, int(seconds))))


def peak_at_shapes(shape: str, seconds: float) -> float:
    """GFLOP/s of the matrix products of one update alone."""
    import simbias

    simbias.configure()
    import jax
    import jax.numpy as jnp
    import numpy as np

    from simbias.parallel import devices_for, over_seeds
    from simbias.parallel import spread as on_devices

    units = sizes(shape)
    pairs = list(zip(units[:-1], units[1:], strict=True))
    repeats = 200

    def products(seed):
        def update(carry, _):
            weights, x = carry
            activations = [x]
            for weight in weights:
                activations.append(activations[-1] @ weight)
            back = activations[-1]
            updated = []
            for i in reversed(range(len(weights))):
                updated.insert(0, weights[i] + 1e-9 * (activations[i].T @ back))
                back = back @ weights[i].T if i else back
            return (updated, x), None

        weights = [jnp.ones(pair) * seed * 1e-3 for pair in pairs]
        (weights, _), _ = jax.lax.scan(update, (weights, jnp.ones((BATCH, DIM))), length=repeats)
        return sum(jnp.sum(weight) for weight in weights)

    devices = devices_for()
    program = over_seeds(products, devices)
    seeds = on_devices([np.float32(1 + i) for i in range(len(devices))], devices)
    program(seeds).block_until_ready()
    start, calls = clock(), 0
    while clock() - start < seconds:
        program(seeds).block_until_ready()
        calls += 1
    rate = calls * repeats * len(jax.devices()) / (clock() - start)
    return rate * update_flops(shape) / 1e9


def update_flops(shape: str) -> int:
    """Floating-point operations of the matrix products of one update of one network."""
    import simbias

    width, depth = map(int, shape.split(","))
    return BATCH * simbias.MLP(width, depth).update_flops((DIM,))


RACE: dict[str, Callable[[str, float], float]] = {
    "simbias": simbias_engine,
    "vmap": plain_vmap,
    "torch published": torch_published,
    "torch tuned": torch_tuned,
    "peak": peak,
    "peak at shapes": peak_at_shapes,
}
PEAKS = "peak", "peak at shapes"
OTHERS = (torch_tuned_worker, many, torch_published_there)
WORKERS = {function.__name__: function for function in (*RACE.values(), *OTHERS)}


def worker_command(name: str, shape: str, seconds: float) -> list[str]:
    """The command of one contestant."""
    settings = ["--dim", str(DIM), *["--processor"] * OF_PROCESSOR]
    return [sys.executable, __file__, "--worker", name, shape, str(seconds), *settings]


def measure(worker: Callable[[str, float], float], shape: str, seconds: float) -> float:
    """The rate of one contestant, run in its own process."""
    name = worker.__name__
    completed = subprocess.run(worker_command(name, shape, seconds), capture_output=True, text=True)
    if completed.returncode:
        raise SystemExit(f"{name} at ({shape}) failed:\n{completed.stderr}")
    return float(completed.stdout.split()[-1])


def device() -> str:
    """JAX's default device, read in its own process."""
    code = "import simbias; simbias.configure(); from simbias.experiments import device"
    code += "; print(device())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def machine() -> dict[str, object]:
    """The machine and versions that the figures were measured on."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("jax", "jaxlib", "torch"):
        with suppress(PackageNotFoundError):  # torch, where its contestants are left out
            versions[name] = version(name)
    with open("/proc/cpuinfo") as handle:
        names = [line.split(":")[1].strip() for line in handle if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": CORES,
        "device": device(),
        "python": platform.python_version(),
        **versions,
    }


def spread(values: list[float]) -> str:
    """Median [least, greatest]."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def report(shape: str, rounds: list[dict[str, float]]) -> None:
    """Print one architecture's medians and, with their spread over rounds, the ratios."""
    flops = update_flops(shape) / 1e9
    print(f"({shape})")
    for name in RACE:
        value = statistics.median(rates[name] for rates in rounds)
        if name in PEAKS:
            print(f"  {name:<16} {value:10.0f} GFLOP/s")
        else:
            print(f"  {name:<16} {value:10,.0f} updates/s {value * flops:7.0f} GFLOP/s")
    for name in [other for other in RACE if other not in ("simbias", *PEAKS)]:
        print(
            f"  simbias / {name:<15} {spread([rates['simbias'] / rates[name] for rates in rounds])}"
        )
    for name in [limit for limit in PEAKS if limit in RACE]:
        proportion = [rates["simbias"] * flops / rates[name] for rates in rounds]
        print(f"  proportion of {name:<15} {spread(proportion)}", flush=True)


def report_many(shape: str, rounds: list[dict[str, float]], counts: list[int]) -> None:
    """Print the rates of many networks at once."""
    loop = "torch published"
    median = statistics.median(rates[loop] for rates in rounds)
    print(f"({shape})\n  {loop:<16} {median:12,.0f} updates/s")
    for count in counts:
        name = f"{count} networks"
        values = [rates[name] for rates in rounds]
        cost = [
            rates[f"{counts[0]} networks"] / counts[0] * count / rates[name] for rates in rounds
        ]
        print(f"  {name:<16} {statistics.median(values):12,.0f} updates x networks/s")
        print(f"    / {loop}: {spread([rates[name] / rates[loop] for rates in rounds])}")
        print(f"    time of {counts[0]} networks: {spread(cost)}", flush=True)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="WIDTH,DEPTH")
    parser.add_argument("--networks", nargs="+", type=int, help="networks trained at once")
    parser.add_argument("--json", help="write every measurement here")
    parser.add_argument("--dim", type=int, default=DIM, help="of the inputs")
    parser.add_argument("--without", nargs="*", default=[], help="contestants to leave out")
    parser.add_argument(
        "--processor", action="store_true", help="by the time of the cores, on a busy machine"
    )
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    globals().update(DIM=options.dim, OF_PROCESSOR=options.processor)
    for name in options.without:
        RACE.pop(name)
    if options.worker:
        name, shape, seconds = options.worker
        print(WORKERS[name](shape, float(seconds)))
        return
    measurements = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "rounds": {}}
    print(", ".join(f"{key} {value}" for key, value in measurements["machine"].items()))
    for shape in options.shapes:
        race = {name: (worker, shape) for name, worker in RACE.items()}
        if options.networks:
            race = {f"{count} networks": (many, f"{shape}x{count}") for count in options.networks}
            race["torch published"] = (torch_published_there, shape)
        rounds = [
            {name: measure(*contestant, options.seconds) for name, contestant in race.items()}
            for _ in range(options.rounds)
        ]
        measurements["rounds"][shape] = rounds
        if options.networks:
            report_many(shape, rounds, options.networks)
        else:
            report(shape, rounds)
    if options.json:
        with open(options.json, "w") as handle:
            json.dump(measurements, handle, indent=1)


if __name__ == "__main__":
    main()
