"""Computing replicas of one group: checkpoints read and written, every outcome kept at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from simbias._types import TableRow
from simbias.experiments import (
    FINAL,
    Ended,
    Interrupted,
    Moved,
    Progress,
    Replica,
    Saved,
    experiment_of,
    row,
    row_name,
    trace_rows,
)
from simbias.experiments.experiment import Checkpoint
from simbias.results.files import StoreError
from simbias.results.store import Outcome, Store
from simbias.runner.plan import Plan


class Reporter(Protocol):
    """Called as a run proceeds; every method may do nothing."""

    def begun(self, plan: Plan, missing: list[Replica], saved: dict[Replica, Progress]) -> None:
        """Called first, with the replicas to compute and the progress of saved ones."""

    def advanced(self, moved: Mapping[Replica, Progress]) -> None:
        """Called when replicas have made progress."""

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Called before replicas are measured."""

    def ended(self, replica: Replica, row: TableRow) -> None:
        """Called when the row of a replica was written."""

    def note(self, text: str) -> None:
        """Called with a message for the user."""


@dataclass
class GroupRun:
    """The run of one group: the context of its experiment.

    Attributes:
        suite: the name that rows carry.
        n_certify: fresh points on which each replica is measured.
        store: a prepared run directory.
        reporter: called as the run proceeds.
        saved: states to continue from, by replica.
        interrupted: holds something once the user has asked to stop.
    """

    suite: str
    n_certify: int
    store: Store
    reporter: Reporter
    saved: Mapping[Replica, Checkpoint]
    interrupted: Sequence[bool] = ()

    def compute(self, replicas: Sequence[Replica]) -> None:
        """Compute replicas of the group; what fails becomes rows of status ``error``.

        Raises:
            Interrupted: the user asked to stop.
            StoreError: nothing can be written any more (a full disk).
        """
        try:
            self._run(replicas)
        except Interrupted:
            self.give_up(replicas, "interrupted", "stopped by the user")
            raise
        except StoreError:
            raise
        except Exception as error:  # one group's failure must not lose the others
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self.give_up(replicas, "error", reason)

    def advanced(self, moved: Mapping[Replica, Moved]) -> None:
        """Write checkpoints and report progress; raises Interrupted."""
        for replica, state in moved.items():
            self.store.write_checkpoint(row_name(replica), state.checkpoint)
        self.reporter.advanced({replica: state.progress for replica, state in moved.items()})
        self._stop_if_asked()

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Report that replicas are measured next; raises Interrupted."""
        self._stop_if_asked()
        self.reporter.measuring(replicas)

    def _run(self, replicas: Sequence[Replica]) -> None:
        for ended in experiment_of(replicas[0].cell).run(replicas, self):
            together = [ended] if isinstance(ended, Ended) else ended
            self._keep(together)
            for replica, *_ in together:
                self.store.drop_checkpoint(row_name(replica))
        self._stop_if_asked()

    def give_up(self, replicas: Sequence[Replica], status: str, reason: str) -> None:
        """Write a row of a status that is not final for each replica without a final one."""
        present = self.store.statuses()
        self._keep(
            [
                Ended(replica, status, reason)
                for replica in replicas
                if present.get(row_name(replica)) not in FINAL
            ]
        )

    def _keep(self, together: Sequence[Ended]) -> None:
        if not together:
            return
        rows = [row(self.suite, ended) for ended in together]
        outcomes = {
            row_name(ended.replica): Outcome(columns, trace_rows(self.suite, ended), ended.tensors)
            for ended, columns in zip(together, rows, strict=True)
        }
        self.store.write_together(experiment_of(together[0].replica.cell).table.name, outcomes)
        for ended, columns in zip(together, rows, strict=True):
            self.reporter.ended(ended.replica, columns)

    def _stop_if_asked(self) -> None:
        if self.interrupted:
            raise Interrupted


def checkpoints(
    replicas: Sequence[Replica], store: Store, reporter: Reporter
) -> dict[Replica, Saved]:
    """The checkpoints of replicas that have one; those that cannot be used are a note each."""
    restored = {}
    for replica in replicas:
        restore = experiment_of(replica.cell).restore
        try:
            tensors = None if restore is None else store.checkpoint(row_name(replica))
            if restore is not None and tensors is not None:
                restored[replica] = restore(replica, tensors)
        except (StoreError, ValueError) as error:
            reporter.note(
                f"checkpoint of {replica.cell.name} seed {replica.seed} not used: {error}"
            )
    return restored
