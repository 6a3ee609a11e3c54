"""What faster matrix products do: to the measured quantities, and to the rate of updates.

Networks of one seed start from the same weights and meet the same data at every precision of
updates (the cell setting ``precision``), so that each quantity is compared in pairs: the mean
difference to float32 over seeds, with 95% t intervals that hold for all quantities of a precision
together (Bonferroni). The boundary is compared as the proportion of fresh points on which the two
networks of a seed agree, beside that of networks of two seeds; rates in turns, within one process,
draws and checks included: of one network by the time of the processor, on an accelerator of
``--networks`` at once by the clock.

    python benchmarks/precision.py [--shape 100,1] [--seeds 8] [--rates 100,1 300,2]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from engine import LEARNING_RATE, SETTINGS, N

QUANTITIES: dict[str, Callable] = {  # of a stack and its report, a number for each network
    "train accuracy": lambda stack, report: report.train_accuracy,
    "risk": lambda stack, report: report.risk.value,
    "S-randomised accuracy": lambda stack, report: report.reliance.s_accuracy.value,
    "exceptions fitted": lambda stack, report: report.exceptions.fitted.value,
    "memorised": lambda stack, report: report.exceptions.memorised.value,
    "updates to stop": lambda stack, report: stack.updates,
}


def cell_of(shape: str, precision: str, updates: int):
    """Networks of one architecture on noisy-lms-7, as the suite ``pitfalls`` has them."""
    import simbias

    width, depth = map(int, shape.split(","))
    return simbias.training.Cell(
        simbias.tasks.get("noisy-lms-7"),
        simbias.MLP(width, depth),
        simbias.sgd(learning_rate=LEARNING_RATE, **SETTINGS),
        n_train=N,
        stop=simbias.Stop(train_accuracy=0.998, max_updates=updates),
        precision=precision,
    )


def trained(cell, seeds: int):
    """The stack of a cell."""
    from simbias.training.jobs import Job, train_jobs
    from simbias.training.stack import assemble

    snapshots = train_jobs([Job(cell, seed) for seed in range(seeds)])
    return assemble(cell, {job.seed: snapshot for job, snapshot in snapshots.items()})


def compare(plain, other) -> None:
    """Print the quantities of networks at another precision beside those in float32."""
    import simbias
    from simbias.stats.student import half_width_of_mean
    from simbias.validation.paired import paired

    reports = [(stack, simbias.validate(stack)) for stack in (plain, other)]
    confidence = 1 - 0.05 / len(QUANTITIES)
    print(f"{'':<24}{'float32':>10}{other.cell.precision:>12}{'difference':>14}")
    for name, of in QUANTITIES.items():
        first, second = (np.asarray(of(*measured), float) for measured in reports)
        width = half_width_of_mean(second - first, confidence)
        means = f"{first.mean():>10.5g}{second.mean():>12.5g}"
        print(f"{name:<24}{means}{(second - first).mean():>+14.5g} ±{width:.2g}")
    seeds = list(plain.seeds)
    turned = plain.some([*seeds[1:], seeds[0]])
    for words, pair in (("one seed", (plain, other)), ("two seeds, float32", (plain, turned))):
        agreement = paired(*pair, points=200_000).agreement(0.95).value
        least, most = agreement.min(), agreement.max()
        print(f"agreement, {words}: {agreement.mean():.5f} [{least:.5f} to {most:.5f}]")


def rates(
    shape: str,
    precisions: list[str],
    networks: int,
    seconds: Callable[[], float],
    turns: int = 5,
) -> None:
    """Print updates a second at each precision, in turns, and ratios within a turn."""
    from dataclasses import replace

    import simbias
    from simbias.training.jobs import Job, train_jobs

    spent: dict[str, list[float]] = {precision: [] for precision in precisions}
    updates = 1000
    for turn in range(turns + 1):
        for precision in precisions:
            stop = simbias.Stop(max_updates=updates, check_every=updates)  # checks are float32
            cell = replace(cell_of(shape, precision, updates), stop=stop)
            jobs = [Job(cell, turn * networks + i) for i in range(networks)]
            clock = seconds()
            train_jobs(jobs)
            spent[precision].append(seconds() - clock)
    for precision, seconds in spent.items():
        times = np.array(seconds[1:])  # the first holds compilation
        ratio = np.array(spent["float32"][1:]) / times
        rate = networks * updates / np.median(times)
        median = np.median(ratio)
        spread = f"{median:.2f} [{ratio.min():.2f}, {ratio.max():.2f}]"
        print(f"({shape}) {precision:<15} {rate:8,.0f} updates/s, {spread} of float32", flush=True)


def main() -> None:
    """Parse, train at every precision, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", default="100,1", metavar="WIDTH,DEPTH")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--updates", type=int, default=25_000)
    parser.add_argument("--networks", type=int, default=64, help="at once, on an accelerator")
    parser.add_argument("--rates", nargs="*", default=["100,1", "300,2"], metavar="WIDTH,DEPTH")
    options = parser.parse_args()
    import simbias

    simbias.configure(cores=1)
    import jax

    precisions = ["float32", "bfloat16"]
    networks, seconds = 1, time.process_time
    if jax.default_backend() != "cpu":
        precisions.append("tensorfloat32")
        networks, seconds = options.networks, time.perf_counter
    for shape in options.rates:
        rates(shape, precisions, networks, seconds)
    if options.seeds:
        stacks = [
            trained(cell_of(options.shape, precision, options.updates), options.seeds)
            for precision in precisions
        ]
        for other in stacks[1:]:
            compare(stacks[0], other)


if __name__ == "__main__":
    main()
