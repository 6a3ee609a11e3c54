"""Achievable solutions: networks of risk 0 by construction, or trained on from such a one.

A cell says of which networks they are the counterparts, by the settings of these, and how they are
made: ``explicit`` (``simbias.validation.control``), ``cheapest`` in a norm
(``simbias.bounds.cheapest``), or ``trained`` (``simbias.training.train_from``) from either: where
no norm is named from the explicit network, whose margins are small, so that training may leave the
rule. A seed has the data set and the initialisation that it has there, so they are compared in
pairs.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np

from simbias._checks import check_keys, fail, known, real
from simbias._identity import canonical
from simbias._types import Settings
from simbias.bounds.cheapest import cheapest
from simbias.bounds.zigzag import NORMS
from simbias.experiments import classify
from simbias.experiments.experiment import Context, Ended, Experiment, Learned, Replica, Tensors
from simbias.experiments.table import Column, rows_table
from simbias.networks import Network
from simbias.tasks import Task
from simbias.tasks.block_task import BlockTask
from simbias.training.cell import Cell, cell_from_settings
from simbias.training.stack import Stack, join_stacks, train_from
from simbias.validation import control, validate

MADE = ("explicit", "trained", "cheapest")
_SOLUTION = Column("solution", "VARCHAR", "how it was made: explicit, trained, or cheapest in what")
_AFTER = [column.name for column in classify.NETWORKS].index("network") + 1
_COLUMNS = [column for column in classify.NETWORKS if column.name != _SOLUTION.name]


@dataclass(frozen=True)
class SolutionCell:
    """Achievable solutions beside the networks of a cell.

    Attributes:
        counterpart: the cell of these networks.
        made: one of ``MADE``.
        norm: that is made small; "" for the explicit network, and for what is trained from it.
        margin: where there is a norm, see ``simbias.bounds.cheapest``.

    Examples:
        >>> import simbias
        >>> from simbias.experiments.solutions import SolutionCell
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> cell = simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000)
        >>> solution = SolutionCell(cell, "explicit")
        >>> solution.words, solution.settings["solution"], solution.stack([3]).seeds
        ('explicit', {'name': 'explicit'}, (3,))
    """

    counterpart: Cell
    made: str
    norm: str = ""
    margin: float = 1.0

    @property
    def task(self) -> Task:
        return self.counterpart.task

    @property
    def block_task(self) -> BlockTask:
        return self.counterpart.block_task

    @property
    def network(self) -> Network:
        return self.counterpart.network

    @property
    def n_train(self) -> int:
        return self.counterpart.n_train

    @property
    def solution(self) -> Settings:
        """How it is made, as in a suite file."""
        more = {"norm": self.norm, "margin": self.margin} if self.norm else {}
        return {"name": self.made, **more}

    @property
    def settings(self) -> Settings:
        kind = {"experiment": "solutions", "solution": self.solution}
        return {**self.counterpart.settings, **kind}

    @property
    def identity(self) -> str:
        return canonical({"solution": self.solution, "counterpart": self.counterpart.identity})

    @property
    def words(self) -> str:
        """How it is made, in words."""
        if self.made == "trained":
            return f"trained from {self.norm or 'explicit'}"
        return f"{self.made} in {self.norm}" if self.norm else self.made

    @property
    def name(self) -> str:
        digest = hashlib.sha256(self.identity.encode()).hexdigest()
        return f"{self.task.name}/{self.network.label}/{self.made}/{digest[:6]}"

    def stack(self, seeds: Sequence[int]) -> Stack:
        """The networks of some seeds."""
        if self.norm:
            start = cheapest(self.counterpart, self.norm, seeds=seeds, margin=self.margin)
        else:
            start = control(self.counterpart, "achievable", seeds=seeds)
        return train_from(start) if self.made == "trained" else start


def solution_cell(settings: Settings) -> SolutionCell:
    """The cell of some settings; raises ValueError."""
    solution = settings["solution"]
    check_keys("solution", solution, {"name": str}, {"norm": str, "margin": float})
    kind = known("solution: name", solution["name"], MADE)
    more = {key: value for key, value in solution.items() if key != "name"}
    if kind == "cheapest" or (kind == "trained" and more):
        known("solution: norm", more.get("norm", ""), NORMS)
    elif more:
        raise fail("solution", ", ".join(more), f"nothing beside the name {kind}")
    if "margin" in more:
        more["margin"] = real("solution: margin", more["margin"], 0, open_low=True)
    own = {key: value for key, value in settings.items() if key != "solution"}
    return SolutionCell(cell_from_settings(own), kind, **more)


def run(replicas: Sequence[Replica], context: Context) -> Iterator[Ended]:
    """Make and validate, cell by cell."""
    for cell, members in groupby(replicas, key=attrgetter("cell")):
        assert isinstance(cell, SolutionCell)
        group = list(members)
        context.measuring(group)
        clock = time.perf_counter()
        try:
            stack = cell.stack([replica.seed for replica in group])
        except ValueError as error:  # a task or a network without such a solution
            yield from (Ended(replica, "error", str(error)) for replica in group)
            continue
        seconds = (time.perf_counter() - clock) / len(group)
        clock = time.perf_counter()
        report = validate(stack, n_certify=context.n_certify)
        validated = time.perf_counter() - clock
        for ended in classify.outcomes(stack, report, validated):
            columns = dict(ended.columns) | {"train_seconds": seconds}
            columns.pop(_SOLUTION.name, None)
            replica = Replica(cell, ended.replica.seed)
            ended = ended._replace(replica=replica, columns=columns)
            if cell.made != "trained" and ended.status == "interrupted":
                reason = ended.reason.replace("stopped after 0 updates", "made without training")
                ended = ended._replace(status="done", reason=reason)
            yield ended


def _make(replicas: Sequence[Replica]) -> dict[Replica, Stack | None]:
    stacks: dict[Replica, Stack | None] = {}
    for replica in replicas:
        assert isinstance(replica.cell, SolutionCell)
        stacks[replica] = replica.cell.stack([replica.seed])
    return stacks


def _read(replica: Replica, arrays: Tensors, trace: np.ndarray) -> Stack:
    cell = replica.cell
    assert isinstance(cell, SolutionCell)
    learned = classify.classify.learned
    assert learned is not None  # networks are
    stack: Stack = learned.read(Replica(cell.counterpart, replica.seed), arrays, trace)
    return stack


def _check(replicas: Sequence[Replica]) -> None:
    for cell, seed in replicas[:1]:
        assert isinstance(cell, SolutionCell)
        classify.classify.check([Replica(cell.counterpart, seed)] * len(replicas))


def _effort(cell: SolutionCell) -> Mapping[str, object]:
    return {"n_train": cell.n_train}


def _known(cell: SolutionCell) -> Mapping[str, object]:
    of_counterpart = classify.classify.known(cell.counterpart)
    label = f"{of_counterpart['network']} {cell.words}"
    return {**of_counterpart, "network": label, _SOLUTION.name: cell.words}


solutions = Experiment(
    name="solutions",
    summary="networks of risk 0 are written down or trained on from there, then asked as others",
    table=rows_table(
        "solutions", (*_COLUMNS[:_AFTER], _SOLUTION, *_COLUMNS[_AFTER:]), weighed=True
    ),
    keys={**classify.classify.keys, "solution": dict},
    needed=(*classify.classify.needed, "solution"),
    learner="network",
    cell=solution_cell,
    run=run,
    known=_known,
    effort=_effort,
    check=_check,
    learned=Learned(_make, _read, join_stacks),
    trace=classify.classify.trace,
    shown=classify.classify.shown,
)
