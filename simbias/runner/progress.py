"""The progress of a run on a console: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence

from rich import progress
from rich.console import Console

from simbias._types import TableRow
from simbias.experiments import AnyCell, Progress, Replica, experiment_of, label_of
from simbias.runner.plan import Plan
from simbias.training.words import task_words

_PLAIN_SECONDS = 10  # between plain lines


class ConsoleReporter:
    """Reports to a console.

    Work is counted in floating-point operations, so that the time left is right for cells of
    different size; a replica that ends early counts as its whole budget.
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

    def __enter__(self) -> "ConsoleReporter":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def replicas(self) -> int:
        """The number of replicas that were to be computed."""
        return self._replicas

    def begun(self, plan: Plan, missing: list[Replica], saved: dict[Replica, Progress]) -> None:
        """Print what is to be computed, and start the bar."""
        self._replicas, self._ended = len(missing), 0
        self._steps = {
            replica: saved[replica].steps if replica in saved else 0 for replica in missing
        }
        self._done: dict[Replica, float] = {}
        self._work = sum(_work(replica.cell) for replica in missing)
        self._clock = self._printed = time.monotonic()
        self._steps_made, self._unit = 0, ""
        present = len(plan.replicas) - len(missing)
        going = f", {len(saved)} from a checkpoint" if saved else ""
        self._tables = _table_names([replica.cell for replica in plan.replicas])
        self._console.print(
            f"{plan.suite} {plan.preset}: {len(missing)} {self._tables} to compute{going}"
            + (f", {present} already there" if present else "")
        )
        if missing:
            count = f"0/{len(missing)} {self._tables}"
            self._task = self._bar.add_task(
                plan.suite, total=self._work, count=count, rate=", compiling"
            )
            self._bar.start()

    def advanced(self, moved: Mapping[Replica, Progress]) -> None:
        """Move the bar."""
        for replica, (proportion, steps) in moved.items():
            self._steps_made += steps - self._steps[replica]
            self._steps[replica] = steps
            self._done[replica] = proportion * _work(replica.cell)
        first = next(iter(moved))
        self._unit = experiment_of(first.cell).steps
        self._show(_label(first.cell))

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Show which cell is measured."""
        self._show(f"measuring {_label(replicas[0].cell)}")

    def ended(self, replica: Replica, row: TableRow) -> None:
        """Count a row, and print one that failed."""
        self._ended += 1
        self._done[replica] = _work(replica.cell)
        if row["status"] in ("error", "diverged"):
            self._console.print(
                f"{row['cell']} seed {row['seed']}: {row['status']}, {row['reason']}",
                highlight=False,
                soft_wrap=True,
            )

    def note(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _show(self, activity: str) -> None:
        elapsed, done = time.monotonic() - self._clock, sum(self._done.values())
        count = f"{self._ended}/{self._replicas} {self._tables}"
        speed = self._steps_made / max(elapsed, 1e-9)
        rate = f", {speed:,.0f} {self._unit}/s" if self._steps_made else ""
        if self._console.is_terminal:
            self._bar.update(
                self._task, completed=done, description=activity, count=count, rate=rate
            )
        elif time.monotonic() - self._printed >= _PLAIN_SECONDS:
            self._printed = time.monotonic()
            left = elapsed * (self._work - done) / done if done else float("nan")
            proportion = f"{done / self._work:4.0%}"
            self._console.print(
                f"{elapsed:5.0f} s  {proportion}  {activity}  {count}{rate}, {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )


def _work(cell: AnyCell) -> float:
    """The work of a replica of a cell, at least 1, also where it is not known."""
    return max(experiment_of(cell).work(cell), 1.0)


def _table_names(cells: Sequence[AnyCell]) -> str:
    """The names of the tables that cells are computed for."""
    return " and ".join(dict.fromkeys(experiment_of(cell).table.name for cell in cells))


def _label(cell: AnyCell) -> str:
    """A cell's task, with its departures from the catalogue, and its learner."""
    return f"{task_words(cell.settings['task'])} {label_of(cell)}".strip()
