"""Estimators: learners of other libraries, refitted from their seed whenever they are needed.

An estimator is a name, settings and a function that makes an unfitted object with ``fit(x, y)``;
its data set and its random state come from the seed, so no fitted estimator is stored.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Protocol

import jax
import numpy as np
from jaxtyping import Float

from simbias import tasks
from simbias._checks import NotInstalled, each, fail, instance, whole
from simbias._frames import DataFrame, frame
from simbias._identity import canonical
from simbias._keys import identity_key, stream
from simbias._numbers import counted
from simbias._pinned import pinned
from simbias._registry import parameters_of
from simbias._types import Settings
from simbias.models.classifier import Classifier
from simbias.models.data import DataSet, data, labels_once
from simbias.models.foreign import classifier
from simbias.models.panel import Panel
from simbias.registry import ESTIMATORS
from simbias.tasks import LabelNoise, Task
from simbias.training.cell import check_size
from simbias.training.stack import seed_list

_FIXED = ("random_state", "n_jobs", "verbose", "warm_start")  # not for users to set


class Unfitted(Protocol):
    """Anything that can be fitted to inputs (rows, numbers) and labels (rows,)."""

    def fit(self, x: np.ndarray, y: np.ndarray, /) -> object: ...


@dataclass(frozen=True)
class Estimator:
    """A learner that fits itself.

    Attributes:
        name: the registered name.
        settings: departures from the library's defaults: numbers, strings and lists of these.
        make: maps an integer, the random state, to an unfitted object with ``fit(x, y)``, of which
            ``simbias.models.classifier`` makes a classifier.
        distribution: the installed package it comes from; its version is kept with every result.
        title: its label; "": name and settings.

    Examples:
        Any object with ``fit`` and ``predict`` can be an estimator:

        >>> import simbias
        >>> class Majority:
        ...     def fit(self, x, y):
        ...         self.label = int(y.mean() > 0.5)
        ...
        ...     def predict(self, x):
        ...         return [self.label] * len(x)
        >>> majority = simbias.models.Estimator("majority", {}, lambda random_state: Majority())
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> simbias.train(task, majority, n_train=1000, seeds=2).seeds
        (0, 1)
    """

    name: str
    settings: Mapping[str, object] = field(hash=False)
    make: Callable[[int], Unfitted] = field(repr=False, compare=False)
    distribution: str = ""
    title: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        instance("name", self.name, str)
        try:
            json.dumps(dict(self.settings))
        except (TypeError, ValueError):
            raise fail("settings", self.settings, "numbers, words and lists of such") from None

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        return self.title or labelled(self.name, self.settings)

    @property
    def versions(self) -> dict[str, str]:
        """The version of its library."""
        name = self.distribution
        return {name: version(name)} if name else {}


def labelled(name: str, settings: Mapping[str, object]) -> str:
    """A name and settings, in short."""
    words = (f"{setting}={value}" for setting, value in sorted(settings.items()))
    return f"{name}({','.join(words)})" if settings else name


@dataclass(frozen=True)
class EstimatorCell:
    """One setting of task, estimator and sample size; seeds replicate it.

    Args:
        task: the distribution.
        estimator: the learner.
        n_train: points of the training set.
        label_noise: noise on their labels, drawn once; None: they are the task's.

    Raises:
        ValueError: n_train < 1, or more than the task has, or noise of another form or of other
            classes.
    """

    task: Task
    estimator: Estimator
    n_train: int
    label_noise: LabelNoise | None = None

    def __post_init__(self) -> None:
        instance("task", self.task, Task)
        instance("estimator", self.estimator, Estimator)
        if self.label_noise is not None:
            labels_once(self.label_noise).law(self.task.classes)  # raises, of other classes
        check_size(self.task, whole("n_train", self.n_train), self.label_noise)

    @property
    def settings(self) -> Settings:
        """Every value that identifies the cell, as plain data."""
        return {
            "experiment": "estimators",
            "task": tasks.described(self.task),
            "estimator": {"name": self.estimator.name, **self.estimator.settings},
            "n_train": int(self.n_train),
            **({} if self.label_noise is None else {"label_noise": self.label_noise.settings}),
        }

    @property
    def identity(self) -> str:
        """The settings in one canonical string, without those at their default."""
        return canonical({**self.settings, "task": tasks.identifying(self.task)})

    @property
    def name(self) -> str:
        """Task and estimator in words, and six digits of the identity's hash."""
        digest = hashlib.sha256(self.identity.encode()).hexdigest()
        return f"{self.task.name}/{self.estimator.label}/{digest[:6]}"


@dataclass(frozen=True, eq=False)
class Fitted:
    """An estimator fitted to the data sets of some seeds.

    Attributes:
        cell: what was fitted.
        members: the classifier of each seed.
        data: the data set of each.
        seconds: fitting time of each.
        warned: the library's warnings while fitting each; "" where there were none.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> fitted = simbias.train(task, simbias.estimator("decision-tree"), n_train=1000, seeds=2)
        >>> fitted.seeds, fitted.members[0].label
        ((0, 1), 'decision-tree')
        >>> fitted.outcome(0)
        ('done', 'fitted')
        >>> fitted.panel().n_train
        1000
    """

    cell: EstimatorCell
    members: tuple[Classifier, ...]
    data: tuple[DataSet, ...]
    seconds: Float[np.ndarray, " seeds"]
    warned: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The integer seed of each."""
        return tuple(data_set.seed for data_set in self.data)

    def index(self, seed: int) -> int:
        """The position of a seed; raises ValueError."""
        return self.panel().index(seed)

    def some(self, seeds: Sequence[int]) -> "Fitted":
        """The fits of some seeds, in the order given; raises ValueError."""
        positions = [self.index(seed) for seed in seed_list(each("seeds", seeds, object))]
        return Fitted(
            cell=self.cell,
            members=tuple(self.members[i] for i in positions),
            data=tuple(self.data[i] for i in positions),
            seconds=self.seconds[positions],
            warned=tuple(self.warned[i] for i in positions),
        )

    def panel(self) -> Panel:
        """The classifiers beside their data: what every measurement takes."""
        return Panel(self.members, self.data)

    def outcome(self, i: int) -> tuple[str, str]:
        """Status and reason of the fit at position ``i``."""
        if self.warned[i]:
            return "not-converged", self.warned[i]
        return "done", "fitted"

    def __repr__(self) -> str:
        return f"Fitted({self.cell.name}, {counted(len(self), 'estimator')})"

    def to_frame(self) -> DataFrame:
        """A pandas data frame, a row for each seed; raises ValueError without pandas."""
        status, reason = zip(*(self.outcome(i) for i in range(len(self))), strict=True)
        return frame(
            {
                "task": [self.cell.task.name] * len(self),
                "estimator": [self.cell.estimator.label] * len(self),
                "seed": self.seeds,
                "n_train": [self.cell.n_train] * len(self),
                "status": status,
                "reason": reason,
                "train_seconds": self.seconds,
            }
        )


@pinned
def fit(
    task: Task,
    estimator: Estimator,
    *,
    n_train: int,
    seeds: int | Sequence[int] = 1,
    label_noise: LabelNoise | None = None,
) -> Fitted:
    """Fit an estimator to the data set of each seed.

    Args:
        task: the distribution.
        estimator: the learner.
        n_train: points of each training set.
        seeds: how many (0, 1, ...), or which.
        label_noise: noise on the labels of each training set, drawn once.

    Raises:
        ValueError: an argument out of range, or a set that the library cannot be fitted to.
    """
    cell = EstimatorCell(task, estimator, n_train, label_noise)
    sets = tuple(data(task, n_train, seed, label_noise=label_noise) for seed in seed_list(seeds))
    fits = [_fitted(estimator, data_set) for data_set in sets]
    members, seconds, warned = zip(*fits, strict=True)
    return Fitted(cell, members, sets, np.array(seconds), warned)


def _fitted(estimator: Estimator, data_set: DataSet) -> tuple[Classifier, float, str]:
    model = estimator.make(random_state(estimator, data_set.seed))
    clock = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(data_set.x, data_set.y)
            seconds = time.perf_counter() - clock
            fitted = classifier(model, label=estimator.label, classes=data_set.classes)
            fitted.scores(data_set.x[:2])  # so that what scores otherwise is refused here
        except ValueError as error:
            message = " ".join(str(error).split())
            raise ValueError(f"{estimator.name}: seed {data_set.seed}: {message}") from error
    messages = dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught)
    return fitted, seconds, "; ".join(messages)


def random_state(estimator: Estimator, seed: int) -> int:
    """The random state of an estimator of this name and settings, in [0, 2**31)."""
    identity = canonical({"name": estimator.name, **estimator.settings})
    bits = jax.random.bits(stream(identity_key(identity, seed), "initialisation"))
    return int(bits) >> 1


def estimator(name: str, /, **settings: object) -> Estimator:
    """The estimator registered as ``name`` with the given settings.

    Raises:
        ValueError: an unknown name or setting, with the nearest, or a library that is missing.

    Examples:
        >>> import simbias
        >>> forest = simbias.estimator("random-forest", n_estimators=50)
        >>> forest.label, dict(forest.settings)
        ('random-forest(n_estimators=50)', {'n_estimators': 50})
        >>> simbias.estimator("random-forrest")
        Traceback (most recent call last):
            ...
        ValueError: estimator: unknown name 'random-forrest', nearest: random-forest
    """
    learner: Estimator = ESTIMATORS.factory(name)(**settings)
    instance(f"estimator {name}", learner, Estimator)
    return learner


def scikit(name: str, reference: str, /, **settings: object) -> Estimator:
    """An estimator of scikit-learn, which is imported when it is fitted, or has settings to check.

    Args:
        name: the registered name.
        reference: ``"module:class"``.
        **settings: arguments of the class, except those that come from the seed.

    Raises:
        NotInstalled: scikit-learn is missing.
        ValueError: an argument that the class does not have.
    """
    if find_spec("sklearn") is None:
        message = "needs scikit-learn, which is not installed: pip install 'simbias[learners]'"
        raise NotInstalled(f"estimator: {name} {message}")
    module, _, attribute = reference.partition(":")

    def maker() -> Callable[[int], Unfitted]:
        return of_class(f"estimator {name}", getattr(import_module(module), attribute), settings)

    make = maker() if settings else lambda state: maker()(state)
    return Estimator(name, dict(sorted(settings.items())), make, "scikit-learn")


def of_class(
    place: str, estimator_class: Callable[..., Unfitted], settings: Mapping[str, object]
) -> Callable[[int], Unfitted]:
    """From a random state to an unfitted object of a class, which may take one or not.

    Args:
        place: for messages.
        estimator_class: the class.
        settings: arguments of it, except those that come from the seed.

    Raises:
        ValueError: an argument that the class does not have.
    """
    accepted = parameters_of(estimator_class)
    accepted.check(f"{place}: setting", settings, beside=_FIXED)

    def make(state: int) -> Unfitted:
        fixed = {"random_state": state, "n_jobs": 1}
        return estimator_class(
            **settings, **{key: fixed[key] for key in fixed if key in accepted.names}
        )

    return make
