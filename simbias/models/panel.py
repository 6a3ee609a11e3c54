"""Classifiers, each beside the data set on which it is evaluated: what every measurement takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Int

from simbias._checks import each, fail, whole
from simbias.models.classifier import Classifier, Traced
from simbias.models.data import DataSet
from simbias.models.foreign import classifier
from simbias.networks.scorer import Scorer
from simbias.tasks import BlockTask, Task
from simbias.training.stack import Stack, redraw, seed_list
from simbias.training.stop import End


@dataclass(frozen=True, eq=False)
class Panel:
    """Classifiers, each beside the data set of a seed, all of one task, size and law.

    Attributes:
        members: the classifiers.
        data: the data set of each.
        fitted_since: for each, the update of the first check from which on each training point was
            labelled correctly, see ``Stack``; None where their training is not known.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> panel = simbias.models.panel(stack)
        >>> panel.seeds, panel.n_train, panel.members[0].kind
        ((0, 1), 1000, 'logits')
        >>> panel.network
        MLP(width=8, depth=1, activation='relu')
    """

    members: tuple[Classifier, ...]
    data: tuple[DataSet, ...]
    fitted_since: Int[np.ndarray, "seeds n_train"] | None = None

    def __post_init__(self) -> None:
        if not self.members or len(self.members) != len(self.data):
            raise fail(
                "data", f"{len(self.data)} data sets", "one for each classifier, at least one"
            )
        seed_list(self.seeds)
        first = self.data[0]
        for other in self.data:
            if (other.task, other.fresh, other.n_train) != (first.task, first.fresh, first.n_train):
                raise fail(
                    "data", f"{other.n_train} points of {other.task.name}", "sets of one kind"
                )

    def __len__(self) -> int:
        return len(self.members)

    @property
    def task(self) -> Task:
        """The task that they were trained for."""
        return self.data[0].task

    @property
    def block_task(self) -> BlockTask:
        """The task, where it is made of independent coordinates; raises ValueError elsewhere."""
        return self.data[0].block_task

    @property
    def n_train(self) -> int:
        """Points of each training set."""
        return self.data[0].n_train

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each data set."""
        return tuple(data_set.seed for data_set in self.data)

    @property
    def network(self) -> Scorer | None:
        """The network that all members share; None where they are not traced, or differ."""
        networks = {
            member.network if isinstance(member, Traced) else None for member in self.members
        }
        return networks.pop() if len(networks) == 1 else None

    def index(self, seed: int) -> int:
        """The position of a seed; raises ValueError."""
        if whole("seed", seed, least=0, most=2**63 - 1) not in self.seeds:
            raise fail("seed", seed, f"one of {list(self.seeds)}")
        return self.seeds.index(seed)

    def under(self, shift: str) -> "Panel":
        """The same classifiers with fresh points of the shifted task; raises ValueError."""
        return replace(self, data=tuple(data_set.under(shift) for data_set in self.data))


@runtime_checkable
class HasPanel(Protocol):
    """Classifiers that know their data sets, such as those of an estimator."""

    def panel(self) -> Panel: ...


def panel(learned: object, data: DataSet | Sequence[DataSet] | None = None) -> Panel:
    """Classifiers and their data sets as a panel.

    Args:
        learned: a stack, a panel, the estimators that ``simbias.train`` fitted, anything that
            ``classifier`` takes, or a list of these, one for each data set.
        data: the data set of each; a stack knows its own.

    Raises:
        ValueError: no classifiers, missing data, or other data than a stack was trained on.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = [simbias.data(task, n_train=1000, seed=seed) for seed in range(2)]
        >>> panel = simbias.models.panel([lambda x: x[:, 0], lambda x: x[:, 1]], data)
        >>> panel.seeds, panel.task.name
        ((0, 1), 'noisy-lms-5')
    """
    own = _own_panel(learned)
    if own is not None:
        if data is not None:
            _check_own(own, data)
        return own
    if data is None:
        raise fail("learned", learned, "a Stack, or a classifier and its data")
    sets = [data] if isinstance(data, DataSet) else each("data", data, DataSet)
    models = learned if isinstance(learned, list | tuple) else [learned]
    classes = sets[0].classes if sets else 2
    return Panel(tuple(classifier(model, classes=classes) for model in models), tuple(sets))


def _own_panel(learned: object) -> Panel | None:
    """The panel of a stack, of a panel or of fitted estimators; None for anything else."""
    if isinstance(learned, Panel):
        return learned
    if isinstance(learned, Stack):
        return _of_stack(learned)
    return learned.panel() if isinstance(learned, HasPanel) else None


def _of_stack(stack: Stack) -> Panel:
    cell = stack.cell

    positions = range(len(stack))
    data = tuple(
        DataSet(
            cell.task,
            stack.seeds[i],
            cell.n_train,
            stack.rotation[i],
            cell.task,
            partial(redraw, stack, i),
            cell.label_noise,
        )
        for i in positions
    )
    return Panel(tuple(member(stack, i) for i in positions), data, stack.fitted_since)


def member(stack: Stack, i: int) -> Traced:
    """Network ``i`` of a stack as a classifier.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> simbias.models.member(stack, 1).label
        '(8,1)'
    """
    lost = stack.end[i] in (End.DIVERGED, End.LOST)
    return Traced(
        stack.cell.network,
        jax.tree.map(lambda leaf: leaf[i], stack.params),
        fault=f"diverged: {stack.outcome(i)[1]}" if lost else "",
    )


def _check_own(panel: Panel, data: DataSet | Sequence[DataSet]) -> None:
    """Raise ValueError for training sets that are not those of the panel."""
    given = [data] if isinstance(data, DataSet) else each("data", data, DataSet)
    same = [data_set.seed for data_set in given] == list(panel.seeds)
    if not same or not all(_equal(*pair) for pair in zip(panel.data, given, strict=True)):
        arrived = f"{len(given)} data sets, of seeds {[data_set.seed for data_set in given]}"
        raise fail("data", arrived, "those that the stack was trained on, or none")


def _equal(own: DataSet, given: DataSet) -> bool:
    """Whether two training sets are the same."""
    return own is given or (
        own.task == given.task
        and own.n_train == given.n_train
        and np.array_equal(own.y, given.y)
        and np.allclose(own.x, given.x, atol=1e-4)
    )
