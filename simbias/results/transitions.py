"""Transitions: when, along training, networks reach the achievable boundary, and how many do.

A network that memorises may find the achievable rule later on, in a sudden jump. Its transition is
the first check at which the error on select draws exceeds the achievable risk by less than 1%; a
network whose budget is spent before is censored there, not a network without a transition.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binom

from simbias.results.store import Store
from simbias.tasks.oracle import achievable_risk
from simbias.training.cell import Cell
from simbias.validation import Estimate
from simbias.validation.risk import clopper_pearson

EXCESS = 0.01  # excess risk over the achievable one below which the boundary counts as reached
FITTED = 0.999  # train accuracy from which on the training set counts as fitted
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Transitions:
    """The seeds of one cell.

    Attributes:
        updates: first check at which the select error is within ``EXCESS``; infinity: censored.
        fitted: first check at which the train accuracy is at least ``FITTED``; infinity: never.
        reached: whether the certified risk, at the end, is within ``EXCESS`` of the achievable one.
        budget: the most updates a network was given.
    """

    updates: Float[np.ndarray, " seeds"]
    fitted: Float[np.ndarray, " seeds"]
    reached: Bool[np.ndarray, " seeds"]
    budget: int

    @property
    def share(self) -> Estimate:
        """Share of seeds that reach the achievable boundary, with its Clopper-Pearson interval."""
        return clopper_pearson(np.sum(self.reached), np.array(len(self.reached)), CONFIDENCE)

    @property
    def median(self) -> Estimate:
        """Median transition, in updates, with its exact interval from order statistics.

        Infinity stands for "after the budget"; with fewer than six seeds no pair of order
        statistics covers with 95%, and the interval is the whole range of possible times.
        """
        times, n = np.sort(self.updates), len(self.updates)
        # it lies between the (k+1)-th and the (n-k)-th with probability 1 - 2 P(Binomial <= k)
        k = int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)) - 1
        low, high = (times[k], times[n - 1 - k]) if k >= 0 else (0.0, np.inf)
        middle = (times[(n - 1) // 2], times[n // 2])
        value = np.mean(middle) if np.isfinite(middle).all() else np.inf
        return Estimate(*map(np.asarray, (value, low, high)))

    @property
    def after_memorisation(self) -> int:
        """Seeds whose transition came after they had fitted their training set for as long again.

        Their train accuracy was at ``FITTED`` before half of the updates to the transition.
        """
        return int(np.sum(np.isfinite(self.updates) & (2 * self.fitted <= self.updates)))


def transitions(store: Store, cells: Sequence[Cell]) -> dict[str, Transitions]:
    """The transitions of some cells of a run, by the cell's name, over seeds that were measured.

    Args:
        store: the run directory.
        cells: which; those without a measured network are left out.
    """
    limits = ", ".join(f"('{cell.name}', {achievable_risk(cell.task) + EXCESS})" for cell in cells)
    _, rows = store.query(
        f"""
        SELECT cell, min(t.updates) FILTER (1 - t.select_accuracy < most),
            min(t.updates) FILTER (t.train_accuracy >= {FITTED}),
            any_value(n.risk) < any_value(most)
        FROM networks n JOIN traces t USING (cell, seed) JOIN (VALUES {limits}) v(cell, most)
            USING (cell)
        WHERE n.risk IS NOT NULL
        GROUP BY cell, seed ORDER BY seed
        """
    )
    found = {}
    for cell in cells:
        mine = [row[1:] for row in rows if row[0] == cell.name]
        if mine:
            times = np.array([row[:2] for row in mine], float)  # None becomes NaN
            updates, fitted = np.where(np.isnan(times), np.inf, times).T
            reached = np.array([row[2] for row in mine], bool)
            found[cell.name] = Transitions(updates, fitted, reached, cell.stop.max_updates)
    return found
