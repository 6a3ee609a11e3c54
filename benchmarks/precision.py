"""What faster matrix products do: to the measured quantities, and to the rate of updates.

Networks of one seed start from the same weights and meet the same data at every precision of
updates (the cell setting ``precision``), so that each quantity is compared in pairs: the mean
difference to float32 over seeds, with 95% t intervals that hold for all quantities of a precision
together (Bonferroni). The boundary is compared as the proportion of fresh points on which the two
networks of a seed agree, beside that of networks of two seeds; rates in turns, within one process,
checks included: of one network by the time of the processor, on an accelerator of ``--networks``
at once by the clock.

    python benchmarks/precision.py [--shape 100,1] [--seeds 8] [--rates 100,1 300,2]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from engine import LEARNING_RATE, SETTINGS, N, spread, training_rate

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
    print(f"{'':<24}{'float32':>10}{other.cell.precision:>15}{'difference':>14}")
    for name, of in QUANTITIES.items():
        first, second = (np.asarray(of(*measured), float) for measured in reports)
        width = half_width_of_mean(second - first, confidence)
        means = f"{first.mean():>10.5g}{second.mean():>15.5g}"
        print(f"{name:<24}{means}{(second - first).mean():>+14.5g} ±{width:.2g}")
    seeds = list(plain.seeds)
    turned = plain.some([*seeds[1:], seeds[0]])
    for words, pair in (("one seed", (plain, other)), ("two seeds, float32", (plain, turned))):
        agreement = paired(*pair, points=200_000).agreement(0.95).value
        least, most = agreement.min(), agreement.max()
        print(f"agreement, {words}: {agreement.mean():.5f} [{least:.5f} to {most:.5f}]")


def rates(shape: str, precisions: list[str], seconds: float, turns: int, **how) -> None:
    """Print updates a second at each precision, in turns, and ratios within a turn.

    Args:
        shape: of the networks.
        precisions: to compare, float32 first.
        seconds: of each turn.
        turns: how many.
        how: how many networks, and by which clock.
    """
    rounds = [
        [training_rate(shape, seconds, precision=precision, **how) for precision in precisions]
        for _ in range(turns)
    ]
    for precision, values in zip(precisions, np.array(rounds).T, strict=True):
        ratios = values / [round[0] for round in rounds]
        of_float32 = f"{spread(ratios)} of float32"
        print(f"({shape}) {precision:<15} {np.median(values):10,.0f} updates/s, {of_float32}")


def main() -> None:
    """Parse, train at every precision, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", default="100,1", metavar="WIDTH,DEPTH")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--updates", type=int, default=25_000)
    parser.add_argument("--networks", type=int, default=64, help="at once, on an accelerator")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5, help="of turns")
    parser.add_argument("--rates", nargs="*", default=["100,1", "300,2"], metavar="WIDTH,DEPTH")
    options = parser.parse_args()
    import simbias

    simbias.configure(cores=1)
    import jax

    precisions = ["float32", "bfloat16"]
    how = {"networks": 1, "now": time.process_time}
    if jax.default_backend() != "cpu":
        precisions.append("tensorfloat32")
        how = {"networks": options.networks, "now": time.perf_counter}
    for shape in options.rates:
        rates(shape, precisions, options.seconds, options.rounds, **how)
    if options.seeds:
        stacks = [
            trained(cell_of(options.shape, precision, options.updates), options.seeds)
            for precision in precisions
        ]
        for other in stacks[1:]:
            compare(stacks[0], other)


if __name__ == "__main__":
    main()
