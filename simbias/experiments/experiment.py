"""The protocol of an experiment: a kind of work on a cell and a seed, whose outcome is a row.

A cell is a hashable value that says what is done; seeds replicate it. The runner knows no more of
an experiment than stands here: it computes what a directory lacks, group by group, keeps every row
that ``run`` yields as soon as it comes, and goes on from the checkpoints that it was given.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from simbias._checks import fail
from simbias._types import AnyStack, Settings
from simbias.experiments.table import FIRST, LAST, Column, Table

Tensors = Mapping[str, np.ndarray]
# Of whatever type an experiment has for them: a protocol could not be narrowed in its functions.
OwnCell: TypeAlias = Any
Checkpoint: TypeAlias = Any


class AnyCell(Protocol):
    """One setting of an experiment, a hashable value; seeds replicate it.

    Attributes:
        settings: every value that identifies it, as plain data, from which the experiment makes it
            again: ``task``, a table with a name, among them, and ``experiment`` where it is not
            the usual one. A field at its default is left out, so that one that is added later
            makes no other cell of those that there are.
        identity: the settings in one canonical string; names of files hang from it.
        name: what is done in words, and six digits of the identity's hash.

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
    """What becomes one row.

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
    """How far a replica has come: the proportion of its work that is done, and in how many steps.

    Examples:
        >>> from simbias.experiments import Progress
        >>> Progress(0.25, steps=50)
        Progress(proportion=0.25, steps=50)
    """

    proportion: float
    steps: int = 0


class Moved(NamedTuple):
    """A replica that has come further: its checkpoint, and how far that is.

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
    """What a checkpoint was made into, for ``run`` to go on from, and how far it had come.

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
        replica: whose.
        status: done, not-converged, diverged, error or interrupted.
        reason: why, and why any column is empty.
        columns: what was measured, by column.
        trace: the same on the way, a mapping a check; none where nothing was recorded.
        tensors: what is kept of it beside its row.

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
    """What the runner offers to an experiment; both calls may end it by raising ``Interrupted``.

    Attributes:
        n_certify: fresh points on which each outcome is measured.
        saved: what to go on from, by replica, as ``Experiment.restore`` made it.

    Examples:
        What a runner offers, where nothing is saved and nothing shown:

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
        """Keep checkpoints, and tell how far replicas have come."""

    def measuring(self, replicas: Sequence[Replica]) -> None:
        """Tell what is measured next."""


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; everything so far is on disk.

    Examples:
        >>> from simbias.experiments import Interrupted
        >>> issubclass(Interrupted, Exception), issubclass(Interrupted, KeyboardInterrupt)
        (False, True)
    """


class Learned(NamedTuple):
    """What was learned at some seeds of a cell, as quantities are measured on it: a stack, say.

    Attributes:
        make: of replicas of one group, without measuring anything; None for what is no classifier.
        read: of a replica, from the tensors beside its row and its trace (checks, columns of
            ``Experiment.trace``); raises ValueError.
        join: what several seeds of one cell are together, in that order.

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


class Shown(NamedTuple):
    """A column that tables of means show: its heading, and the range of its values.

    Examples:
        >>> from simbias.experiments import Shown
        >>> Shown("price", 0, float("inf"))
        Shown(heading='price', low=0, high=inf)
    """

    heading: str
    low: float
    high: float


class Ranged(Protocol):
    """What is told of a column that tables show: ``Shown``, or a quantity."""

    @property
    def heading(self) -> str: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def _nothing(_: object) -> dict[str, object]:
    return {}


@dataclass(frozen=True, eq=False)
class Experiment:
    """A kind of work, registered by its name.

    Attributes:
        name: what cells in suite files call it.
        summary: about it, in one line.
        table: of its rows, with the columns of ``FIRST`` and ``LAST`` among its own.
        keys: what a cell in a suite file may say beside ``task`` and ``experiment``: type by key.
            A table is settings by name, of which a list of values is a grid.
        needed: those that it must say.
        cell: from settings, without ``experiment``, to the cell that has them; raises ValueError.
        run: does the work of some replicas of one group, and yields each outcome as it comes.
        learner: the key, and the column, of what learns; "" where nothing does. Every cell says
            its own, a table with a name.
        known: columns that are known of a cell before anything is done.
        group: what the cells have in common that are done together, in one compiled program say.
        work: floating-point operations of a replica of a cell, at most; 0: not known.
        effort: settings that say how much is done, for plans.
        check: raises ValueError for a group that would not fit the memory.
        restore: what the checkpoint of a replica means; raises ValueError where nothing of use.
        learned: what quantities are measured on, in claims; None where there is nothing such.
        trace: columns of the checks on the way, beside those of ``OF_TRACE``.
        shown: the columns that tables of means show.
        steps: what progress is counted in.

    Raises:
        ValueError: a table without the columns that every row has, or a column shown or a learner
            that it lacks.

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
    run: Callable[[Sequence[Replica], Context], Iterator[Ended]]
    learner: str = ""
    known: Callable[[OwnCell], Mapping[str, object]] = _nothing
    group: Callable[[OwnCell], Hashable] = lambda cell: cell.identity
    work: Callable[[OwnCell], float] = lambda cell: 0.0
    effort: Callable[[OwnCell], Mapping[str, object]] = _nothing
    check: Callable[[Sequence[Replica]], object] = _nothing
    restore: Callable[[Replica, Tensors], Saved] | None = None
    learned: Learned | None = None
    trace: tuple[Column, ...] = ()
    shown: Mapping[str, Ranged] = field(default_factory=dict)
    steps: str = "steps"

    def __post_init__(self) -> None:
        own = {column.name for column in self.table.columns}
        needed = {column.name for column in FIRST + LAST} | set(self.shown)
        lacking = sorted((needed | {self.learner} - {""}) - own)
        if lacking or not self.table.entry:
            arrived = f"no column {lacking[0]}" if lacking else "no entries"
            raise fail(f"experiment {self.name}: table", arrived, "one that rows_table made of all")
