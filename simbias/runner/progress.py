"""How a run goes, told to a person: a progress bar on a terminal, plain lines elsewhere."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from simbias.runner.plan import Plan
from simbias.training.stack import Job, Snapshot
from simbias.training.words import task_words

_PLAIN_SECONDS = 10  # between plain lines


class Told:
    """Reports to a console.

    Work is counted in floating-point operations of updates, so that the time left is right for
    cells of different size; a network that ends early counts as all of its budget.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[networks]} networks, {task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    @property
    def networks(self) -> int:
        """How many networks there were to train."""
        return self._networks

    def begun(self, plan: Plan, missing: list[Job], saved: dict[Job, Snapshot]) -> None:
        """Say what there is to do."""
        self._networks, self._ended = len(missing), 0
        self._updates = {
            job: int(saved[job].state.updates) if job in saved else 0 for job in missing
        }
        self._done: dict[Job, float] = {}
        self._work = sum(map(_budget, missing))
        self._clock = self._said = time.monotonic()
        self._trained = 0
        present = len(plan.jobs) - len(missing)
        going = f", {len(saved)} from a checkpoint" if saved else ""
        self._console.print(
            f"{plan.suite} {plan.preset}: {len(missing)} networks to train{going}"
            + (f", {present} already there" if present else "")
        )
        if missing:
            self._task = self._bar.add_task(
                plan.suite, total=self._work, networks=f"0/{len(missing)}", rate="compiling"
            )
            self._bar.start()

    def advanced(self, moved: dict[Job, Snapshot]) -> None:
        """Move the bar."""
        for job, snapshot in moved.items():
            updates = int(snapshot.state.updates)
            self._trained += updates - self._updates[job]
            self._updates[job] = updates
            share = updates / job.cell.stop.max_updates if snapshot.running else 1.0
            self._done[job] = share * _budget(job)
        first = next(iter(moved))
        elapsed = time.monotonic() - self._clock
        self._show(f"{task_words(first.cell.task)} {first.cell.network.label}", elapsed)

    def validating(self, jobs: list[Job]) -> None:
        """Name what is measured."""
        self._show(f"validating {jobs[0].cell.network.label}", time.monotonic() - self._clock)

    def ended(self, row: dict[str, Any]) -> None:
        """Count a network, and say a word about one that failed."""
        self._ended += 1
        if row["status"] in ("error", "diverged"):
            self._console.print(
                f"{row['cell']} seed {row['seed']}: {row['status']}, {row['reason']}",
                highlight=False,
                soft_wrap=True,
            )

    def note(self, text: str) -> None:
        """Pass a message on."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def _show(self, what: str, elapsed: float) -> None:
        done = sum(self._done.values())
        rate = f"{self._trained / max(elapsed, 1e-9):,.0f} updates/s"
        if self._console.is_terminal:
            self._bar.update(
                self._task,
                completed=done,
                description=what,
                networks=f"{self._ended}/{self._networks}",
                rate=rate,
            )
        elif time.monotonic() - self._said >= _PLAIN_SECONDS:
            self._said = time.monotonic()
            left = elapsed * (self._work - done) / done if done else float("nan")
            share = f"{done / self._work:4.0%}"
            self._console.print(
                f"{elapsed:5.0f} s  {share}  {what}  {self._ended}/{self._networks} networks,"
                f" {rate}, {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )


def _budget(job: Job) -> float:
    cell = job.cell
    return float(
        cell.stop.max_updates
        * cell.batch
        * cell.network.update_flops(cell.task.shape, cell.task.classes)
    )
