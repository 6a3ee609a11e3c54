"""A cell: one setting of task, network, method, sample size, batch size and stop rule."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from simbias import networks, tasks
from simbias._checks import fail, instance, known, whole
from simbias._types import Settings
from simbias.networks import Network
from simbias.registry import METHODS
from simbias.tasks import Task
from simbias.training.method import Method
from simbias.training.stop import Stop


@dataclass(frozen=True)
class Cell:
    """What is trained; seeds replicate it.

    Args:
        task: the distribution.
        network: the architecture.
        method: the training algorithm.
        n_train: size of the training set.
        batch: points an update, at most n_train.
        stop: when training ends.

    Raises:
        ValueError: n_train < 1, or batch outside [1, n_train].
    """

    task: Task
    network: Network
    method: Method
    n_train: int
    batch: int = 256
    stop: Stop = Stop()

    def __post_init__(self) -> None:
        instance("task", self.task, Task)
        instance("network", self.network, Network)
        instance("method", self.method, Method)
        instance("stop", self.stop, Stop)
        whole("n_train", self.n_train)
        if whole("batch", self.batch) > self.n_train:
            raise fail("batch", self.batch, f"an integer in [1, n_train = {self.n_train}]")

    @cached_property
    def settings(self) -> Settings:
        """Every value that identifies the cell, as plain data."""
        return {
            "task": {"name": self.task.name, **self.task.settings},
            "network": self.network.settings,
            "method": {"name": self.method.name, **dict(self.method.settings)},
            "n_train": int(self.n_train),
            "batch": int(self.batch),
            "stop": self.stop.settings,
        }

    @cached_property
    def identity(self) -> str:
        """The settings in one canonical string; random keys and file names hang from it."""
        return json.dumps(self.settings, sort_keys=True, separators=(",", ":"))

    @cached_property
    def name(self) -> str:
        """Task and network in words, and six digits of the identity's hash."""
        digest = hashlib.sha256(self.identity.encode()).hexdigest()
        return f"{self.task.name}/{self.network.label}/{digest[:6]}"


def cell_from_settings(settings: dict[str, Any]) -> Cell:
    """The cell that has these settings: the inverse of ``Cell.settings``."""

    def split(part: str) -> tuple[str, dict[str, Any]]:
        given = dict(settings[part])
        if not isinstance(given.get("name"), str):
            raise ValueError(f"{part}: key 'name' is missing")
        return given.pop("name"), given

    task, task_settings = split("task")
    network, network_settings = split("network")
    method, method_settings = split("method")
    for key in settings["stop"]:
        known("stop: setting", key, [entry.name for entry in fields(Stop)])
    return Cell(
        task=tasks.get(task, **task_settings),
        network=networks.get(network, **network_settings),
        method=METHODS.make(method, method_settings),
        n_train=settings["n_train"],
        batch=settings["batch"],
        stop=Stop(**settings["stop"]),
    )
