"""A cell: one setting of task, network, method, loss, sample size, batch size and stop rule."""

import hashlib
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import jax.numpy as jnp

from simbias import losses, networks, tasks
from simbias._checks import fail, instance, known, whole
from simbias._identity import beyond_defaults, canonical
from simbias._pinned import lenient, pinned
from simbias._registry import Registry
from simbias._types import Settings
from simbias.losses import Loss
from simbias.networks import Network
from simbias.registry import LOSSES, METHODS, NETWORKS
from simbias.tasks import Task
from simbias.tasks.block_task import BlockTask, block_task
from simbias.tasks.label_noise import LabelNoise, read_label_noise
from simbias.tasks.task import check, draws, shifted_draw, unlabelled_draw
from simbias.training.method import USES, Method
from simbias.training.precision import checked_precision
from simbias.training.stop import Stop

BATCH = 256  # points of an update, by default
PRECISION = "float32"
BUDGET = "gradient_evaluations"  # of a suite, in place of the most updates


@dataclass(frozen=True)
class Cell:
    """One setting of all that is trained; seeds replicate it.

    A cell is identified by its settings, in which a name stands for what is registered under it. A
    task that differs from the one its name and settings make has a hash of its content among them;
    a cell of such a task cannot be made again from its settings. Cells of one trajectory train the
    same network of a seed, and differ in when its training ends.

    Args:
        task: the distribution.
        network: the architecture.
        method: the training algorithm.
        n_train: size of the training set.
        batch: points of each update, at most n_train.
        stop: when training ends.
        loss: the loss that is minimised.
        label_noise: noise on the labels of the training set; None: they are the task's.
        precision: of the factors of matrix products of an update, see ``training.precision``.

    Raises:
        ValueError: n_train < 1 or more than the task has, batch outside [1, n_train], a task that
            cannot be drawn, a network, method or loss that has the name of another, or a method
            that uses groups or shifted points where the task has none, or whose second stage would
            not begin, or an unknown precision.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> stop = simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> cell.name
        'noisy-lms-5/(8,1)/944f36'
        >>> sorted(cell.settings)
        ['batch', 'method', 'n_train', 'network', 'stop', 'task']
        >>> cell.stop.has_goal
        False
    """

    task: Task
    network: Network
    method: Method
    n_train: int
    batch: int = BATCH
    stop: Stop = Stop()
    loss: Loss = field(default_factory=losses.cross_entropy)
    label_noise: LabelNoise | None = None
    precision: str = PRECISION

    def __post_init__(self) -> None:
        check(self.task)
        instance("network", self.network, Network)
        instance("method", self.method, Method)
        instance("stop", self.stop, Stop)
        instance("loss", self.loss, Loss)
        if self.label_noise is not None:
            instance("label_noise", self.label_noise, LabelNoise)
            self.label_noise.law(self.task.classes)  # raises where it is of other classes
        checked_precision(self.precision)
        check_size(self.task, whole("n_train", self.n_train), self.label_noise)
        if whole("batch", self.batch) > self.n_train:
            raise fail("batch", self.batch, f"an integer in [1, n_train = {self.n_train}]")
        _check_uses(self.task, self.method)
        _check_stages(self.method, self.stop)
        _check_names(self.network, self.method, self.loss)
        assert self.identity  # computed now, so that later changes of dictionaries do not matter

    @property
    def block_task(self) -> BlockTask:
        """The task, where it is made of independent coordinates; raises ValueError elsewhere."""
        return block_task(self.task)

    @property
    def settings(self) -> Settings:
        """Every value that identifies the cell, as plain data."""
        return deepcopy(self._settings)

    @cached_property
    def _settings(self) -> Settings:
        return {
            "task": tasks.described(self.task),
            "network": self.network.settings,
            "method": {"name": self.method.name, **self.method.settings},
            "n_train": int(self.n_train),
            "batch": int(self.batch),
            "stop": self.stop.settings,
            **({} if self.loss == losses.cross_entropy() else {"loss": self.loss.identity}),
            **({} if self.label_noise is None else {"label_noise": self.label_noise.settings}),
            **({} if self.precision == PRECISION else {"precision": self.precision}),
        }

    @cached_property
    def identity(self) -> str:
        """The settings that are not at their default, in one canonical string.

        The names of a network's files are made from it.
        """
        stop = beyond_defaults(self.stop.settings, lambda given: Stop(**given).settings)
        return canonical({**self._learning, **({"stop": stop} if stop else {})})

    @cached_property
    def task_identity(self) -> str:
        """The task's identity, from which the keys of all its draws are made."""
        return canonical(self._learning["task"])

    @cached_property
    def network_identity(self) -> str:
        """The network's identity, from which the key of its initialisation is made."""
        return canonical(self._learning["network"])

    @property
    def cost(self) -> int:
        """Gradient evaluations of an update, each of one network: those of all its members."""
        return self.method.cost(dict(self.method.settings)) * getattr(self.network, "members", 1)

    @cached_property
    def _learning(self) -> Settings:
        """All settings but the stop rule, without those at their default."""
        settings = {key: self._settings[key] for key in self._settings if key != "stop"}
        for part, registry in (("network", NETWORKS), ("method", METHODS), ("loss", LOSSES)):
            if part in settings:
                settings[part] = _beyond_defaults(settings[part], registry)
        if settings["batch"] == BATCH:
            del settings["batch"]
        return settings | {"task": tasks.identifying(self.task)}

    @cached_property
    def name(self) -> str:
        """Task and network in words, and six digits of the identity's hash."""
        digest = hashlib.sha256(self.identity.encode()).hexdigest()
        return f"{self.task.name}/{self.network.label}/{digest[:6]}"


def _beyond_defaults(settings: Settings, registry: Registry) -> Settings:
    """A name, and the settings that differ from the defaults of its registered factory."""
    name = {key: settings[key] for key in settings if key == "name"}

    def registered_settings(given: Settings) -> Settings:
        return _settings_of(registry.make(name.get("name", ""), given))

    return name | beyond_defaults(
        {k: v for k, v in settings.items() if k != "name"}, registered_settings
    )


def _settings_of(registered: Network | Method | Loss) -> Settings:
    return {key: value for key, value in registered.settings.items() if key != "name"}


def check_size(task: Task, n_train: int, noise: LabelNoise | None) -> None:
    """Raise ValueError for more labels than a task of finitely many points has."""
    points = getattr(task, "most", {}).get("train")
    copies = 1 if noise is None or noise.form != "fixed" else noise.copies
    if points is not None and n_train > points * copies:
        of_each = f", {copies} labels each" * (copies > 1)
        raise fail(
            "n_train", n_train, f"at most {points * copies}, the points of {task.name}{of_each}"
        )


def _check_uses(task: Task, method: Method) -> None:
    """Raise ValueError for a method that uses what a task does not have."""
    has = {
        "groups": draws(task).group is not None,
        "unlabelled": unlabelled_draw(task) is not None,
        "shifted": shifted_draw(task) is not None,
    }
    for use in sorted(method.uses):
        if not has[use]:
            allowed = f"one that does not, as {task.name} has none"
            raise fail("method", f"{method.name}, which uses {USES[use]}", allowed)


@pinned
def _check_stages(method: Method, stop: Stop) -> None:
    """Raise ValueError where the budget ends before a method's second stage begins."""
    if method.second is None:
        return
    budget = jnp.int32(stop.max_updates) if method.uses_budget else None
    with lenient():
        first = int(method.second.start(method.settings, budget))
    if not first < stop.max_updates:
        allowed = f"more than {first}, the updates of the first stage of {method.name}"
        raise fail("stop: max_updates", stop.max_updates, allowed)


def _check_names(network: Network, method: Method, loss: Loss) -> None:
    """Raise ValueError for a part that differs from what is registered under its name."""
    settings = dict(network.settings)
    name = settings.pop("name", None)
    if name in NETWORKS.entries() and type(NETWORKS.make(name, settings)) is not type(network):
        raise fail("network", f"{type(network).__name__} as {name!r}", "a name of its own")
    if method.name in METHODS.entries():
        if METHODS.make(method.name, method.settings).code != method.code:
            arrived = f"other functions as {method.name!r}"
            raise fail("method", arrived, "a name of their own")
    if loss.name in LOSSES.entries() and LOSSES.make(loss.name, loss.settings) != loss:
        raise fail("loss", f"another function as {loss.name!r}", "a name of its own")


def cell_from_settings(settings: Settings) -> Cell:
    """The cell that has these settings: the inverse of ``Cell.settings``.

    In place of ``max_updates`` the stop rule may have ``gradient_evaluations``: as many updates as
    these allow at what one costs (``Cell.cost``).

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> cell = simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000)
        >>> simbias.training.cell_from_settings(cell.settings) == cell
        True
    """

    def split(part: str) -> tuple[str, Settings]:
        given = dict(settings[part])
        if not isinstance(given.get("name"), str):
            raise ValueError(f"{part}: key 'name' is missing")
        return given.pop("name"), given

    task, task_settings = split("task")
    network, network_settings = split("network")
    method, method_settings = split("method")
    stop = dict(settings.get("stop", {}))
    for key in stop:
        known("stop: setting", key, [*(entry.name for entry in fields(Stop)), BUDGET])
    budget = stop.pop(BUDGET, None)
    cell = Cell(
        task=tasks.get(task, **task_settings),
        network=networks.get(network, **network_settings),
        method=METHODS.make(method, method_settings),
        n_train=settings["n_train"],
        batch=settings.get("batch", BATCH),
        stop=Stop(**stop),
        **({"loss": LOSSES.make(*split("loss"))} if "loss" in settings else {}),
        label_noise=read_label_noise(settings.get("label_noise")),
        precision=settings.get("precision", PRECISION),
    )
    if budget is None:
        return cell
    if "max_updates" in stop:
        raise fail(f"stop: {BUDGET}", budget, "none beside max_updates")
    updates = whole(f"stop: {BUDGET}", budget, least=cell.cost) // cell.cost
    return replace(cell, stop=replace(cell.stop, max_updates=updates))
