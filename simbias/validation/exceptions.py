"""The exceptions ledger: how a network treats the points that the simple rule labels wrongly.

A network that memorises labels the exceptions of its training set correctly and fresh draws from
the same conditional law no better than before: the difference is the memorised fraction.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from simbias._pinned import pinned
from simbias.training import fit
from simbias.training.stack import Stack, redraw
from simbias.validation.risk import Counts, Estimate, clopper_pearson


@dataclass(frozen=True)
class Rows:
    """The training exceptions of one network, an entry each.

    Attributes:
        index: place in the training set.
        label: true label.
        margin: logit difference in favour of that label, positive where the point is fitted.
        fitted_since: update of the first check from which on it was fitted for good; -1: it is not.
    """

    index: Int[np.ndarray, " exceptions"]
    label: Int[np.ndarray, " exceptions"]
    margin: Float[np.ndarray, " exceptions"]
    fitted_since: Int[np.ndarray, " exceptions"]


@dataclass(frozen=True)
class Ledger:
    """Exceptions of a stack.

    Attributes:
        counts: training exceptions of each network.
        fitted: fraction of them that the network labels correctly; known exactly, so its interval
            is a point.
        fresh: the same on fresh draws from the same conditional law.
        memorised: fitted - fresh.
    """

    counts: Int[np.ndarray, " seeds"]
    fitted: Estimate
    fresh: Estimate
    memorised: Estimate
    _stack: Stack = field(repr=False)

    def rows(self, seed: int) -> Rows:
        """Every training exception of the network with this seed; raises ValueError."""
        i = self._stack.index(seed)
        margin, y, exception = train_margins(self._stack, i)
        index = np.flatnonzero(exception)
        signed = np.where(y == 1, margin, -margin)
        return Rows(index, y[index], signed[index], self._stack.fitted_since[i][index])


class TrainFit(NamedTuple):
    """How the networks of a stack label their own training sets.

    ``unscored`` counts points without a finite logit difference.
    """

    loss: Float[np.ndarray, " seeds"]
    accuracy: Float[np.ndarray, " seeds"]
    exceptions: Int[np.ndarray, " seeds"]
    exceptions_correct: Int[np.ndarray, " seeds"]
    unscored: Int[np.ndarray, " seeds"]


def train_fit(stack: Stack) -> TrainFit:
    """Draw each training set again and label it."""
    found = []
    for i in range(len(stack)):
        margin, y, exception = train_margins(stack, i)
        correct = (margin > 0) == (y == 1)
        with np.errstate(invalid="ignore"):  # a network without finite logits
            loss = np.logaddexp(0, np.where(y == 1, -margin, margin).astype(float)).mean()
        fitted, unscored = (correct & exception).sum(), (~np.isfinite(margin)).sum()
        found.append((loss, correct.mean(), exception.sum(), fitted, unscored))
    return TrainFit(*map(np.array, zip(*found, strict=True)))


def ledger(stack: Stack, trained: TrainFit, counts: Counts, confidence: float) -> Ledger:
    """Put training and fresh exceptions side by side; NaN for networks without accuracy."""
    exact = clopper_pearson(trained.exceptions_correct, trained.exceptions, confidence).value
    exact = np.where(np.isnan(trained.accuracy), np.nan, exact)
    fitted = Estimate(exact, exact, exact)
    fresh = clopper_pearson(counts.exceptions_correct, counts.exceptions, confidence)
    return Ledger(trained.exceptions, fitted, fresh, difference(fitted, fresh), stack)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two independent proportions, with the hybrid interval of their intervals.

    Newcombe (Statistics in Medicine 1998), method 10, on the intervals given.
    """
    value = first.value - second.value
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, value - down, value + up)


@pinned
def train_margins(stack: Stack, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logit difference, label and whether it is an exception, for network i's training points."""
    data = redraw(stack, i)
    params = jax.tree.map(lambda leaf: leaf[i], stack.params)
    margin = fit.ask(stack.cell.network, params, data.x)
    return margin, np.asarray(data.y), np.asarray(data.exception)
