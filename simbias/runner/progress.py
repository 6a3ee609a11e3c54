"""How a run goes, told to a person: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence

from rich import progress
from rich.console import Console

from simbias._types import TableRow
from simbias.experiments import AnyCell, Progress, Replica, experiment_of, label_of
from simbias.runner.plan import Plan
from simbias.training.words import task_words

_PLAIN_SECONDS = 10  # between plain lines


class Told:
    """Reports to a console.

    Work is counted in floating-point operations, so that the time left is right for cells of
    different size; what ends early counts as all of its budget.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[count]}{task.fields[rate]}"),
            progress.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def replicas(self) -> int:
        """How many there were to compute."""
        return self._replicas

    def begun(self, plan: Plan, missing: list[Replica], saved: dict[Replica, Progress]) -> None:
        """Say what there is to do."""
        self._replicas, self._ended = len(missing), 0
        self._steps = {one: saved[one].steps if one in saved else 0 for one in missing}
        self._done: dict[Replica, float] = {}
        self._work = sum(_work(one.cell) for one in missing)
        self._clock = self._said = time.monotonic()
        self._made, self._unit = 0, ""
        present = len(plan.replicas) - len(missing)
        going = f", {len(saved)} from a checkpoint" if saved else ""
        self._words = _what([one.cell for one in plan.replicas])
        self._console.print(
            f"{plan.suite} {plan.preset}: {len(missing)} {self._words} to compute{going}"
            + (f", {present} already there" if present else "")
        )
        if missing:
            count = f"0/{len(missing)} {self._words}"
            self._task = self._bar.add_task(
                plan.suite, total=self._work, count=count, rate=", compiling"
            )
            self._bar.start()

    def advanced(self, moved: Mapping[Replica, Progress]) -> None:
        """Move the bar."""
        for one, (proportion, steps) in moved.items():
            self._made += steps - self._steps[one]
            self._steps[one] = steps
            self._done[one] = proportion * _work(one.cell)
        first = next(iter(moved))
        self._unit = experiment_of(first.cell).steps
        self._show(_label(first.cell))

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Name what is measured."""
        self._show(f"measuring {_label(replicas[0].cell)}")

    def ended(self, replica: Replica, row: TableRow) -> None:
        """Count a row, and say a word about one that failed."""
        self._ended += 1
        self._done[replica] = _work(replica.cell)
        if row["status"] in ("error", "diverged"):
            self._console.print(
                f"{row['cell']} seed {row['seed']}: {row['status']}, {row['reason']}",
                highlight=False,
                soft_wrap=True,
            )

    def note(self, text: str) -> None:
        """Pass a message on."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _show(self, what: str) -> None:
        elapsed, done = time.monotonic() - self._clock, sum(self._done.values())
        count = f"{self._ended}/{self._replicas} {self._words}"
        speed = self._made / max(elapsed, 1e-9)
        rate = f", {speed:,.0f} {self._unit}/s" if self._made else ""
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, description=what, count=count, rate=rate)
        elif time.monotonic() - self._said >= _PLAIN_SECONDS:
            self._said = time.monotonic()
            left = elapsed * (self._work - done) / done if done else float("nan")
            proportion = f"{done / self._work:4.0%}"
            self._console.print(
                f"{elapsed:5.0f} s  {proportion}  {what}  {count}{rate}, {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )


def _work(cell: AnyCell) -> float:
    """What a replica of a cell counts; something even where it is not known."""
    return max(experiment_of(cell).work(cell), 1.0)


def _what(cells: Sequence[AnyCell]) -> str:
    """What is computed, in the words of the tables that it goes into."""
    return " and ".join(dict.fromkeys(experiment_of(cell).table.name for cell in cells))


def _label(cell: AnyCell) -> str:
    """A cell's task, with its departures from the catalogue, and what learns."""
    return f"{task_words(cell.settings['task'])} {label_of(cell)}".strip()
