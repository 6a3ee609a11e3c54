"""The protocol of an experiment: a kind of work on a cell and a seed, whose outcome is a row.

A cell is a hashable value that says what is done; seeds replicate it. The runner uses only what is
declared here: it computes the replicas that a directory lacks, group by group, writes every row
that ``run`` yields at once, and continues from the checkpoints of an earlier run.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from simbias._checks import fail
from simbias._types import AnyStack, Settings
from simbias.experiments.table import FIRST, LAST, Column, Table

Tensors = Mapping[str, np.ndarray]
# Each experiment has its own types for these: a protocol could not be narrowed in its functions.
OwnCell: TypeAlias = Any
Checkpoint: TypeAlias = Any


class AnyCell(Protocol):
    """One setting of an experiment, a hashable value; seeds replicate it.

    Attributes:
        settings: every value that identifies it, as plain data, from which the experiment makes it
            again: ``task``, a table with a name, among them, and ``experiment`` where it is not
            the usual one. A field at its default is left out, so that a field added later does not
            change existing cells.
        identity: the settings in one canonical string, from which names of files are made.
        name: its main settings in words, and six digits of the identity's hash.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> sorted(cell.settings), cell.name
        (['batch', 'method', 'n_train', 'network', 'stop', 'task'], 'noisy-lms-5/(8,1)/944f36')
    """

    @property
    def settings(self) -> Settings: ...

    @property
    def identity(self) -> str: ...

    @property
    def name(self) -> str: ...


class Replica(NamedTuple):
    """A cell with one seed, whose outcome is one row.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import Replica, row_name
        >>> [len(row_name(Replica(cell, seed))) for seed in range(2)]
        [16, 16]
    """

    cell: AnyCell
    seed: int


class Progress(NamedTuple):
    """The progress of a replica: the proportion of its work that is done, and the steps made.

    Examples:
        >>> from simbias.experiments import Progress
        >>> Progress(0.25, steps=50)
        Progress(proportion=0.25, steps=50)
    """

    proportion: float
    steps: int = 0


class Moved(NamedTuple):
    """The state of a replica that has made progress: its checkpoint, and the progress.

    Examples:
        >>> import numpy as np
        >>> from simbias.experiments import Moved, Progress
        >>> moved = Moved({"weights": np.zeros(3)}, Progress(0.5, steps=100))
        >>> moved.progress
        Progress(proportion=0.5, steps=100)
    """

    checkpoint: Tensors
    progress: Progress


class Saved(NamedTuple):
    """The state restored from a checkpoint, for ``run`` to continue from, and its progress.

    Examples:
        >>> from simbias.experiments import Progress, Saved
        >>> Saved("where it was", Progress(0.5)).progress.proportion
        0.5
    """

    state: Checkpoint
    progress: Progress


class Ended(NamedTuple):
    """The outcome of a replica.

    Attributes:
        replica: of the outcome.
        status: done, not-converged, diverged, error or interrupted.
        reason: why the status, and why any column is empty.
        columns: measured values, by column.
        trace: values along training, a mapping for each check; empty where none were recorded.
        tensors: weights, for a file beside the row.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import Ended, Replica
        >>> ended = Ended(Replica(cell, 0), "done", "trained for 200 updates", {"updates": 200})
        >>> ended.status, ended.replica.seed
        ('done', 0)
    """

    replica: Replica
    status: str
    reason: str
    columns: Mapping[str, object] = {}
    trace: Sequence[Mapping[str, object]] = ()
    tensors: Tensors | None = None


class Context(Protocol):
    """The runner, as an experiment sees it; either method may raise ``Interrupted``.

    Attributes:
        n_certify: fresh points on which each outcome is measured.
        saved: states to continue from, by replica, as ``Experiment.restore`` made them.

    Examples:
        A context without saved states, which shows nothing:

        >>> from simbias.experiments import Context
        >>> class Quiet(Context):
        ...     n_certify, saved = 10_000, {}
        ...
        ...     def advanced(self, moved):
        ...         pass
        ...
        ...     def measuring(self, replicas):
        ...         pass
        >>> Quiet().n_certify
        10000
    """

    @property
    def n_certify(self) -> int: ...

    @property
    def saved(self) -> Mapping[Replica, Checkpoint]: ...

    def advanced(self, moved: Mapping[Replica, Moved]) -> None:
        """Write checkpoints, and report the progress of replicas."""

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Report that replicas are measured next."""


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; everything so far is on disk.

    Examples:
        >>> from simbias.experiments import Interrupted
        >>> issubclass(Interrupted, Exception), issubclass(Interrupted, KeyboardInterrupt)
        (False, True)
    """


class Learned(NamedTuple):
    """How an experiment makes and loads what quantities are measured on, for example a stack.

    Attributes:
        make: trains replicas of one group, without measuring; None for one that is no classifier.
        read: loads a replica, from its tensors and its trace (checks, columns of
            ``Experiment.trace``); raises ValueError.
        join: joins several seeds of one cell, in order.
        classifies: whether what it makes are classifiers, which scores, bounds and boundaries are
            asked of; else quantities of its own are measured on all that ended.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import Replica, experiment_of
        >>> learned = experiment_of(cell).learned
        >>> parts = learned.make([Replica(cell, 0), Replica(cell, 1)])
        >>> learned.join(list(parts.values())).seeds
        (0, 1)
    """

    make: Callable[[Sequence[Replica]], Mapping[Replica, AnyStack]]
    read: Callable[[Replica, Tensors, np.ndarray], AnyStack]
    join: Callable[[Sequence[AnyStack]], AnyStack]
    classifies: bool = True


class Shown(NamedTuple):
    """A column that tables of means show: its heading, and the range of its values.

    Attributes:
        heading: of the column.
        low, high: range of its values.
        always: whether it is shown where no row of a run has a value.

    Examples:
        >>> from simbias.experiments import Shown
        >>> Shown("price", 0, float("inf"))
        Shown(heading='price', low=0, high=inf, always=True)
    """

    heading: str
    low: float
    high: float
    always: bool = True


class Ranged(Protocol):
    """The declaration of a column that tables show: ``Shown``, or a quantity."""

    @property
    def heading(self) -> str: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def _no_programs(replicas: Sequence[Replica], n_certify: int) -> tuple[Callable[[], object], ...]:
    return ()


def _no_columns(_: object) -> dict[str, object]:
    return {}


@dataclass(frozen=True, eq=False)
class Experiment:
    """A kind of work, registered by its name.

    Attributes:
        name: by which cells in suite files refer to it.
        summary: in one line.
        table: of its rows, with the columns of ``FIRST`` and ``LAST`` among its own.
        keys: that a cell in a suite file may have beside ``task`` and ``experiment``, with their
            types. A table holds settings by name, of which a list makes a product.
        needed: the keys that a cell must have.
        cell: makes the cell of some settings, without ``experiment``; raises ValueError.
        run: computes some replicas of one group, and yields each outcome at once, or those that end
            together as one sequence.
        learner: the key, and the column, of the learner; "" where there is none. Every cell has
            its own, a table with a name.
        known: columns of a cell that are known before it is computed.
        group: a key that is equal for cells that run together, for example in one compiled program.
        work: floating-point operations of a replica of a cell, at most; 0: not known.
        effort: settings that determine the cost, for plans.
        check: raises ValueError for a group that would not fit the memory.
        restore: the state from the checkpoint of a replica; raises ValueError for an unusable one.
        learned: makes and loads what claims measure quantities on; None where there is no such.
        trace: columns of the checks along training, beside those of ``OF_TRACE``.
        shown: the columns that tables of means show.
        steps: unit of progress, plural.
        programs: what compiles, each a program that ``run`` needs for replicas of one group and so
            many fresh points, without computing: called in order in threads beside another group.
        units: what means are over, plural; "": what the table is named for.
        figures: that a run draws of what it has computed, by kind.

    Raises:
        ValueError: a table that lacks a column of every row, a shown column or the learner's.

    Examples:
        >>> from simbias.experiments import experiments
        >>> classify = experiments()["classify"]
        >>> classify.table.name, classify.needed, classify.learner
        ('networks', ('network', 'method', 'n_train'), 'network')
    """

    name: str
    summary: str
    table: Table
    keys: Mapping[str, type]
    needed: tuple[str, ...]
    cell: Callable[[Settings], AnyCell]
    run: Callable[[Sequence[Replica], Context], Iterator[Ended | Sequence[Ended]]]
    learner: str = ""
    known: Callable[[OwnCell], Mapping[str, object]] = _no_columns
    group: Callable[[OwnCell], Hashable] = lambda cell: cell.identity
    work: Callable[[OwnCell], float] = lambda cell: 0.0
    effort: Callable[[OwnCell], Mapping[str, object]] = _no_columns
    check: Callable[[Sequence[Replica]], object] = _no_columns
    restore: Callable[[Replica, Tensors], Saved] | None = None
    learned: Learned | None = None
    trace: tuple[Column, ...] = ()
    shown: Mapping[str, Ranged] = field(default_factory=dict)
    steps: str = "steps"
    programs: Callable[[Sequence[Replica], int], Iterable[Callable[[], object]]] = _no_programs
    units: str = ""
    figures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        own = {column.name for column in self.table.columns}
        needed = {column.name for column in FIRST + LAST} | set(self.shown)
        lacking = sorted((needed | {self.learner} - {""}) - own)
        if lacking or not self.table.entry:
            arrived = f"no column {lacking[0]}" if lacking else "no entries"
            raise fail(f"experiment {self.name}: table", arrived, "one that rows_table made of all")
