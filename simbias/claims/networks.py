"""Where a session takes its networks from, and keeps its measurements of them."""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, Protocol

from simbias._types import AnyStack
from simbias.claims.expression import Reference
from simbias.experiments import AnyCell, Learned, Replica, experiment_of
from simbias.experiments.experiment import OwnCell
from simbias.validation.sound import sound

Triple = tuple[float, float, float]


class Key(NamedTuple):
    """Identifies a measurement, but for its seed."""

    cell: OwnCell
    reference: Reference  # without its population
    n_certify: int
    confidence: float


class Networks(Protocol):
    """Where networks come from, and where measurements are kept."""

    def train(self, wanted: Mapping[AnyCell, Sequence[int]]) -> None:
        """Train the missing ones of these seeds of these cells."""

    def stack(self, cell: AnyCell, seeds: Sequence[int]) -> AnyStack:
        """The classifiers among those learned at these seeds, to measure; None where none is."""

    def recall(self, key: Key, seeds: Sequence[int]) -> dict[int, Triple]:
        """Measurements kept so far: value, low and high, by seed (of a pair: the first)."""

    def keep(self, key: Key, measurements: Mapping[int, Triple]) -> None:
        """Keep measurements."""


def measurable(cell: AnyCell, stack: AnyStack) -> AnyStack:
    """The part of a stack, or of estimators, that are classifiers; None where none is.

    All of it, where the experiment of the cell makes something else.
    """
    if not _learned(cell).classifies:
        return stack
    try:
        return sound(stack)
    except ValueError:
        return None


class InMemory:
    """Networks learned in this process, and kept as long as this object."""

    def __init__(self) -> None:
        self._learned: dict[Replica, AnyStack] = {}
        self._measurements: dict[Key, dict[int, Triple]] = {}

    def train(self, wanted: Mapping[AnyCell, Sequence[int]]) -> None:
        """Train the missing ones."""
        groups: dict[Hashable, list[Replica]] = {}
        for cell, seeds in wanted.items():
            experiment = experiment_of(cell)
            replicas = [Replica(cell, seed) for seed in seeds]
            missing = [replica for replica in replicas if replica not in self._learned]
            groups.setdefault((experiment.name, experiment.group(cell)), []).extend(missing)
        for replicas in filter(None, groups.values()):
            self._learned |= _learned(replicas[0].cell).make(replicas)

    def stack(self, cell: AnyCell, seeds: Sequence[int]) -> AnyStack:
        """The classifiers among those learned at these seeds."""
        stacks = [self._learned[Replica(cell, seed)] for seed in seeds]
        ended = [stack for stack in stacks if stack is not None]
        return measurable(cell, _learned(cell).join(ended)) if ended else None

    def recall(self, key: Key, seeds: Sequence[int]) -> dict[int, Triple]:
        """Measurements kept so far."""
        known = self._measurements.get(key, {})
        return {seed: known[seed] for seed in seeds if seed in known}

    def keep(self, key: Key, measurements: Mapping[int, Triple]) -> None:
        """Keep measurements as long as this object."""
        self._measurements.setdefault(key, {}).update(measurements)


def _learned(cell: AnyCell) -> Learned:
    learned = experiment_of(cell).learned
    assert learned is not None  # else it is no population
    return learned
