"""Transitions: when, along training, networks reach the achievable boundary, and how many do.

A network that memorises may find the achievable rule later on, in a sudden jump. Its transition is
the first check from which on, to the end of training, the error on select draws exceeds the
achievable risk by less than 1%. A network that dropped below and came back has none; one that spent
its budget without a transition is censored there; one that diverged is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from simbias._defaults import CONFIDENCE
from simbias._types import Answer
from simbias.experiments import FINAL
from simbias.results.store import Store
from simbias.stats.binomial import above_median, clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.training.cell import Cell
from simbias.validation.transition import EXCESS, first_update, settled

FITTED = 0.999  # train accuracy from which on the training set counts as fitted


@dataclass(frozen=True)
class Transitions:
    """The seeds of one cell.

    Attributes:
        seeds: the integer seed of each network.
        updates: the transition; infinity: none within the budget.
        since: the check before it, after which it is known to come, 0 where there is none.
        first: the first check with a select error within ``EXCESS``, for good or not; infinity:
            there was none.
        fitted: first check at which the train accuracy is at least ``FITTED``; infinity: never.
        reached: whether the certified risk, at the end, is within ``EXCESS`` of the achievable one.
        budget: the most updates that a network was given.
    """

    seeds: tuple[int, ...]
    updates: Float[np.ndarray, " seeds"]
    since: Float[np.ndarray, " seeds"]
    first: Float[np.ndarray, " seeds"]
    fitted: Float[np.ndarray, " seeds"]
    reached: Bool[np.ndarray, " seeds"]
    budget: int

    @property
    def proportion(self) -> Estimate:
        """Proportion of seeds that reach the achievable boundary, with its exact interval."""
        return clopper_pearson(
            np.array(self.reached.sum()), np.array(len(self.reached)), CONFIDENCE
        )

    @property
    def median(self) -> Estimate:
        """Median transition, in updates, with its exact interval from order statistics.

        The value is that of checks; the interval begins at the check before, because a transition
        lies between two. Infinity stands for "after the budget". With fewer than six seeds no pair
        of order statistics covers with 95%, and the interval is the whole range of times.
        """
        order, n = np.argsort(self.updates, kind="stable"), len(self.updates)
        times, since = self.updates[order], self.since[order]
        place = above_median(n, (1 - CONFIDENCE) / 2)
        low, high = (0.0, np.inf) if place is None else (since[n - 1 - place], times[place])
        middle = (times[(n - 1) // 2], times[n // 2])
        value = np.mean(middle) if np.isfinite(middle).all() else np.inf
        return Estimate(*map(np.asarray, (value, low, high)))

    @property
    def came_back(self) -> int:
        """Seeds that were within ``EXCESS`` at some check and left it again."""
        return int(np.sum(np.isfinite(self.first) & np.isinf(self.updates)))

    @property
    def after_memorisation(self) -> int:
        """Seeds whose transition came after they had fitted their training set for as long again.

        Their train accuracy was at ``FITTED`` before half of the updates to the transition.
        """
        return int(np.sum(np.isfinite(self.updates) & (2 * self.fitted <= self.updates)))


def transitions(store: Store, cells: Sequence[Cell]) -> dict[str, Transitions]:
    """The transitions of some cells of a run, by the cell's name, over seeds with a final status.

    A network that diverged has no risk and is left out: it neither reached the boundary nor spent
    its budget.

    Args:
        store: the run directory.
        cells: those without a network that ended and did not diverge are left out.
    """
    _, rows = store.query(
        f"""
        SELECT cell, seed, n.risk, t.updates, t.select_accuracy, t.train_accuracy
        FROM networks n JOIN traces t USING (cell, seed)
        WHERE n.status IN {FINAL} AND n.status <> 'diverged' ORDER BY seed, t.updates
        """
    )
    by_cell: dict[str, dict[int, list[Answer]]] = {}
    for name, seed, *check in rows:
        by_cell.setdefault(name, {}).setdefault(seed, []).append(tuple(check))
    by_name = {}
    for cell in cells:
        achievable = cell.task.truth.achievable_risk
        if achievable is None:  # there is no boundary to reach
            continue
        most = achievable + EXCESS
        networks = by_cell.get(cell.name)
        if networks:
            times = [_times(np.array(checks, float).T, most) for checks in networks.values()]
            updates, since, first, fitted, reached = map(np.array, zip(*times, strict=True))
            by_name[cell.name] = Transitions(
                tuple(networks), updates, since, first, fitted, reached, cell.stop.max_updates
            )
    return by_name


def _times(
    checks: Float[np.ndarray, "columns checks"], most: float
) -> tuple[float, float, float, float, bool]:
    """The entries of ``Transitions`` for one network: updates, since, first, fitted, reached."""
    risk, updates, select, train = checks
    below = 1 - select < most
    transition = first_update(updates, settled(below))
    before = updates[updates < transition].max(initial=0) if transition < np.inf else np.inf
    return (
        transition,
        before,
        first_update(updates, below),
        first_update(updates, train >= FITTED),
        bool(risk[0] < most),
    )
