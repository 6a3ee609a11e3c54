"""The lineages of several seeds of a cell, as moments: what quantities are measured on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simbias._checks import fail
from simbias.generations.lineages import LineageCell
from simbias.generations.moments import Moments


@dataclass(frozen=True, eq=False)
class LineageStack:
    """Moments of the lineages of some seeds.

    Attributes:
        cell: of which they are.
        seeds: of each.
        moments: of each, by measure.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=3))
        >>> stack = simbias.generations.LineageStack(cell, (3,), (moments,))
        >>> len(stack), stack.some([3]).seeds
        (1, (3,))
    """

    cell: LineageCell
    seeds: tuple[int, ...]
    moments: tuple[Mapping[str, Moments], ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def some(self, seeds: Sequence[int]) -> "LineageStack":
        """The part of some seeds, in their order."""
        places = [self.seeds.index(seed) for seed in seeds]
        return replace(self, seeds=tuple(seeds), moments=tuple(self.moments[i] for i in places))


def as_tensors(moments: Mapping[str, Moments]) -> dict[str, np.ndarray]:
    """Moments as arrays by name, for a file."""
    return {
        f"{measure} {part}": np.asarray(array)
        for measure, kept in moments.items()
        for part, array in kept._asdict().items()
    }


def from_tensors(tensors: Mapping[str, np.ndarray]) -> dict[str, Moments]:
    """The moments in such arrays; raises ValueError."""
    measures = dict.fromkeys(name.split(" ")[0] for name in tensors)
    names = {m: [f"{m} {part}" for part in Moments._fields] for m in measures}
    try:
        return {m: Moments(*(np.asarray(tensors[name]) for name in names[m])) for m in measures}
    except KeyError as error:
        raise fail("tensors", f"none named {error}", "moments of every measure") from None
