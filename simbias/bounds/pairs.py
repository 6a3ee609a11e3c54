"""Pairs of networks: how a number orders them, and between which cells they are compared.

They stand between cells that differ in one hyper-parameter, all networks of one against all of the
other. A setting of ``OF_TASK`` counts as part of the task between two tasks that share none of its
values (noise 0.1 of the one, none of the other: they differ in the task); between tasks that
share a value it has to be equal, as any other.
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
    """Networks with the numbers that are to order them.

    Attributes:
        low, high: ends of their risks' intervals, (networks,).
        values: of each number; NaN where there is none.
        weights: how often each network counts, a row for each resample.
    """

    low: Float[np.ndarray, " networks"]
    high: Float[np.ndarray, " networks"]
    values: Float[np.ndarray, "networks names"]
    weights: Float[np.ndarray, "draws networks"]

    @property
    def given(self) -> Bool[np.ndarray, "networks names"]:
        """Where a network has a number."""
        given: Bool[np.ndarray, "networks names"] = ~np.isnan(self.values)
        return given

    def compare(self, first: np.ndarray, second: np.ndarray) -> Sums:
        """Sums over all pairs of a network of one group with one of another, by positions."""
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
    """Sums over all pairs of networks whose cells differ in one setting, and their number.

    Summed once by the setting and the values of the others, once by the setting and its two values.
    """
    groups: dict[Group, Sums] = {}
    environments: dict[Group, Sums] = {}
    candidates = 0
    for first, second, along in _neighbours(settings, list(cells)):
        sums = compared.compare(cells[first], cells[second])
        candidates += len(cells[first]) * len(cells[second])
        levels = tuple(_levels(*pair) for pair in zip(first, second, strict=True))
        others = levels[:along] + levels[along + 1 :]
        for totals, key in ((groups, others), (environments, levels[along])):
            total = totals.get((settings[along], key), 0.0)
            totals[settings[along], key] = total + sums
    return groups, environments, candidates


def _neighbours(
    settings: Sequence[str], cells: Sequence[Levels]
) -> Iterator[tuple[Levels, Levels, int]]:
    """Pairs of cells that differ in one setting, with the position of that setting."""
    task = settings.index(TASK) if TASK in settings else None
    values: dict[tuple[Level, int], set[Level]] = {}  # values of the other settings, by task
    if task is not None:
        for cell in cells:
            for k, value in enumerate(cell):
                values.setdefault((cell[task], k), set()).add(value)
    for first, second in combinations(cells, 2):
        differing = [k for k in range(len(settings)) if first[k] != second[k]]
        if task in differing:
            differing = [
                k
                for k in differing
                if settings[k] not in OF_TASK or values[first[task], k] & values[second[task], k]
            ]
        if len(differing) == 1:
            yield first, second, differing[0]


def ratio(sums: Sums) -> Draws:
    """Concordance of each pair; NaN where there is none."""
    total, pairs = sums
    per_pair: Draws = np.divide(total, pairs, out=np.full_like(total, np.nan), where=pairs > 0)
    return per_pair


def _levels(a: Level, b: Level) -> Levels:
    """The values of a setting in two cells, without repetition: numbers by size, then words."""

    def rank(level: Level) -> tuple[bool, float, str]:
        return (False, float(level), "") if isinstance(level, Real) else (True, 0, str(level))

    return tuple(sorted({a, b}, key=rank))
