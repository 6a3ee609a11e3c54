"""What an update costs with ten classes and with noise on labels, beside two classes and none.

One network (100,1) on Gaussians, n = 10,000, batch 256, on one core; contestants take turns, and
ratios are taken within a round, and printed as median [quartiles], to two classes and, of noise, to
ten clean ones: many short turns say more than few long ones where something else is at work.
``arithmetic`` is the ten-class network under a loss that reads no label and takes no exponential:
what is above it is the cross-entropy, what is below it the wider last layer, of 6,000 instead of
5,200 products a point.

    python benchmarks/classes.py [--rounds 30] [--seconds 0.2]
"""

import argparse
import statistics
import time

import simbias
from simbias.losses import Loss
from simbias.tasks import LabelNoise
from simbias.training.jobs import Job, train_jobs


class Enough(Exception):
    """The time of a contestant is over."""


def rate(cell: simbias.training.Cell, seconds: float) -> float:
    """Updates in a second of processor time, checks included, compilation left out."""
    marks: list[tuple[float, int]] = []

    def after(advanced: dict) -> None:
        (snapshot,) = advanced.values()
        marks.append((time.process_time(), int(snapshot.state.updates)))
        if len(marks) > 1 and marks[-1][0] - marks[0][0] >= seconds:
            raise Enough

    try:
        train_jobs([Job(cell, 0)], after_segment=after)
    except Enough:
        pass
    (start, before), (end, updates) = marks[0], marks[-1]
    return (updates - before) / (end - start)


def contestants() -> dict[str, simbias.training.Cell]:
    """The cells that are timed, the first of them beside which all others are."""

    def cell(classes: int, **settings: object) -> simbias.training.Cell:
        task = simbias.tasks.get("mixture", classes=classes)
        stop = simbias.Stop(max_updates=10_000_000, check_every=1000)
        method = simbias.sgd(learning_rate=0.1, momentum=0.9)
        return simbias.training.Cell(
            task, simbias.MLP(100), method, n_train=10_000, stop=stop, **settings
        )

    free = Loss("no-label", {}, lambda logits, labels: (logits**2).sum(axis=-1))
    noisy = {
        form: cell(10, label_noise=LabelNoise(alpha=4, form=form))
        for form in ("fixed", "fresh", "soft", "realised")
    }
    return {"two classes": cell(2), "ten": cell(10), "arithmetic": cell(10, loss=free), **noisy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.2)
    options = parser.parse_args()
    simbias.configure()
    cells = contestants()
    rounds = [
        {name: rate(cell, options.seconds) for name, cell in cells.items()}
        for _ in range(options.rounds)
    ]
    for name, cell in cells.items():
        rates = statistics.median(own[name] for own in rounds)
        beside = ["two classes", *(["ten"] if cell.label_noise else [])]
        costs = [f"{_cost(rounds, name, other)} of {other}" for other in beside]
        print(f"{name:12s} {rates:7.0f} updates/s  {'  '.join(costs)}", flush=True)


def _cost(rounds: list[dict[str, float]], name: str, beside: str) -> str:
    """The time of an update in that of another contestant's: median [quartiles]."""
    costs = [own[beside] / own[name] for own in rounds]
    low, median, high = statistics.quantiles(costs, n=4) if len(costs) > 1 else costs * 3
    return f"{median:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
