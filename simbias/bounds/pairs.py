"""Pairs of networks: in which order a number puts them, and between which cells they are compared.

They stand between cells that differ in one hyper-parameter, all networks of one against all of the
other. A setting of ``OF_TASK`` counts as part of the task between two tasks that share none of its
values (noise 0.1 of the one, none of the other: they differ in the task); between tasks that
proportion one it has to be equal, as any other.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from numbers import Real
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

TASK, OF_TASK = "task", ("noise", "margin", "slabs")

Level = Hashable  # the value of a setting: a number, a word, several of them, or None
Levels = tuple[Level, ...]
Group = tuple[str, Levels]  # a setting, with the values of the others, or its two values
Draws = Float[np.ndarray, "draws names"]  # first on the networks as they are, then resampled
Sums = Float[np.ndarray, "2 draws names"]  # concordance over pairs of networks, and the pairs


class Pairs(NamedTuple):
    """Networks with their numbers.

    Attributes:
        low, high: ends of their risks' intervals, (networks,).
        values: of each number; NaN where there is none.
        weights: how often each network counts, a row a resample.
    """

    low: Float[np.ndarray, " networks"]
    high: Float[np.ndarray, " networks"]
    values: Float[np.ndarray, "networks names"]
    weights: Float[np.ndarray, "draws networks"]

    @property
    def given(self) -> Bool[np.ndarray, "networks names"]:
        """Where a network has a number."""
        found: Bool[np.ndarray, "networks names"] = ~np.isnan(self.values)
        return found

    def compare(self, first: np.ndarray, second: np.ndarray) -> Sums:
        """Every network of one group, given by positions, with every one of another."""
        given = self.given
        a, b = self.values[first, None], self.values[second]
        riskier = 1.0 * (self.low[first, None] > self.high[second])
        order = (riskier - (self.high[first, None] < self.low[second]))[..., None]
        concordance = order * (1.0 * (a > b) - (a < b))
        counted = abs(order) * (given[first, None] & given[second])
        of_first, of_second = self.weights[:, first], self.weights[:, second]
        sums = [
            np.einsum("rjn,rj->rn", np.tensordot(of_first, part, 1), of_second)
            for part in (concordance, counted)
        ]
        return np.stack(sums)


def along_each_setting(
    compared: Pairs, settings: Sequence[str], cells: Mapping[Levels, np.ndarray]
) -> tuple[dict[Group, Sums], dict[Group, Sums], int]:
    """All pairs of networks whose cells differ in one setting, and how many there are.

    Summed once by the setting and the values of the others, once by the setting and its two values.
    """
    groups: dict[Group, Sums] = {}
    environments: dict[Group, Sums] = {}
    candidates = 0
    for one, other, along in _neighbours(settings, list(cells)):
        sums = compared.compare(cells[one], cells[other])
        candidates += len(cells[one]) * len(cells[other])
        levels = tuple(_levels(*pair) for pair in zip(one, other, strict=True))
        others = levels[:along] + levels[along + 1 :]
        for into, key in ((groups, others), (environments, levels[along])):
            before = into.get((settings[along], key), 0.0)
            into[settings[along], key] = before + sums
    return groups, environments, candidates


def _neighbours(
    settings: Sequence[str], cells: Sequence[Levels]
) -> Iterator[tuple[Levels, Levels, int]]:
    """Pairs of cells that differ in one setting, and which one."""
    task = settings.index(TASK) if TASK in settings else None
    taken: dict[tuple[Level, int], set[Level]] = {}  # values of the other settings, by task
    if task is not None:
        for cell in cells:
            for k, value in enumerate(cell):
                taken.setdefault((cell[task], k), set()).add(value)
    for one, other in combinations(cells, 2):
        apart = [k for k in range(len(settings)) if one[k] != other[k]]
        if task in apart:
            apart = [
                k
                for k in apart
                if settings[k] not in OF_TASK or taken[one[task], k] & taken[other[task], k]
            ]
        if len(apart) == 1:
            yield one, other, apart[0]


def ratio(sums: Sums) -> Draws:
    """Concordance a pair; NaN where there is none."""
    total, pairs = sums
    ratio: Draws = np.divide(total, pairs, out=np.full_like(total, np.nan), where=pairs > 0)
    return ratio


def _levels(a: Level, b: Level) -> Levels:
    """The values that two cells have, each once: numbers by size, then words."""

    def rank(level: Level) -> tuple[bool, float, str]:
        return (False, float(level), "") if isinstance(level, Real) else (True, 0, str(level))

    return tuple(sorted({a, b}, key=rank))
