"""The exceptions ledger: how a network treats the points that the simple rule labels wrongly.

A network that memorises labels the exceptions of its training set correctly and fresh draws from
the same conditional law no better than before: the difference is the memorised fraction.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simbias._pinned import pinned
from simbias.models.classifier import differences
from simbias.models.panel import Panel, panel
from simbias.training.stack import Stack
from simbias.validation.risk import Counts, Estimate, clopper_pearson


@dataclass(frozen=True)
class Rows:
    """The training exceptions of one network, an entry each.

    Attributes:
        index: place in the training set.
        label: true label.
        margin: score difference in favour of that label, positive where the point is fitted.
        fitted_since: update of the first check from which on it was fitted for good; -1: it is not;
            0 for a fitted point of a classifier of whose training nothing is known.
    """

    index: Int[np.ndarray, " exceptions"]
    label: Int[np.ndarray, " exceptions"]
    margin: Float[np.ndarray, " exceptions"]
    fitted_since: Int[np.ndarray, " exceptions"]


@dataclass(frozen=True)
class Ledger:
    """Exceptions of classifiers.

    Attributes:
        counts: training exceptions of each data set.
        fitted: fraction of them that the classifier labels correctly; known exactly, so its
            interval is a point.
        fresh: the same on fresh draws from the same conditional law.
        memorised: fitted - fresh.
    """

    counts: Int[np.ndarray, " seeds"]
    fitted: Estimate
    fresh: Estimate
    memorised: Estimate
    _panel: Panel = field(repr=False)

    def rows(self, seed: int) -> Rows:
        """Every training exception of the data set with this seed; raises ValueError."""
        i = self._panel.index(seed)
        margin, y, exception = train_margins(self._panel, i)
        index = np.flatnonzero(exception)
        signed = np.where(y == 1, margin, -margin)
        return Rows(index, y[index], signed[index], fitted_since(self._panel, i)[index])


class TrainFit(NamedTuple):
    """How classifiers label their own training sets.

    ``loss`` is NaN where scores are no logits or probabilities; ``unscored`` counts points without
    a finite score difference.
    """

    loss: Float[np.ndarray, " seeds"]
    accuracy: Float[np.ndarray, " seeds"]
    exceptions: Int[np.ndarray, " seeds"]
    exceptions_correct: Int[np.ndarray, " seeds"]
    unscored: Int[np.ndarray, " seeds"]


def train_fit(asked: Panel) -> TrainFit:
    """Draw each training set again and label it."""
    found = []
    for i, one in enumerate(asked.members):
        margin, y, exception = train_margins(asked, i)
        correct = (margin > 0) == (y == 1)
        loss = cross_entropy(np.where(y == 1, margin, -margin).astype(float), one.kind)
        fitted, unscored = (correct & exception).sum(), (~np.isfinite(margin)).sum()
        found.append((loss, correct.mean(), exception.sum(), fitted, unscored))
    return TrainFit(*map(np.array, zip(*found, strict=True)))


def cross_entropy(margin: Float[np.ndarray, " rows"], kind: str) -> float:
    """The mean cross-entropy (nats) of two classes' scores, given their margin for the true label.

    Infinite where a probability of 0 is given to a label that occurs; NaN where scores are neither
    logits nor probabilities.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind == "logits":
            return float(np.logaddexp(0, -margin).mean())
        return float(-np.log((1 + margin) / 2).mean()) if kind == "probabilities" else np.nan


def ledger(asked: Panel, trained: TrainFit, counts: Counts, confidence: float) -> Ledger:
    """Put training and fresh exceptions side by side; NaN for classifiers without accuracy."""
    exact = clopper_pearson(trained.exceptions_correct, trained.exceptions, confidence).value
    exact = np.where(np.isnan(trained.accuracy), np.nan, exact)
    fitted = Estimate(exact, exact, exact)
    fresh = clopper_pearson(counts.exceptions_correct, counts.exceptions, confidence)
    return Ledger(trained.exceptions, fitted, fresh, difference(fitted, fresh), asked)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two independent proportions, with the hybrid interval of their intervals.

    Newcombe (Statistics in Medicine 1998), method 10, on the intervals given.
    """
    value = first.value - second.value
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, value - down, value + up)


def fitted_since(asked: Panel, i: int) -> Int[np.ndarray, " n_train"]:
    """The update from which on each training point was fitted for good; -1: it is not.

    0 for the points that a classifier fits of whose training nothing is known.
    """
    if asked.fitted_since is not None:
        return asked.fitted_since[i]
    margin, y, _ = train_margins(asked, i)
    return np.where((margin > 0) == (y == 1), 0, -1)


@pinned
def train_margins(learned: Stack | Panel, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score difference, label and whether it is an exception, of classifier i's training points."""
    asked = panel(learned)
    data = asked.data[i].draw()
    margin = differences(asked.members[i], data.x)
    return margin, np.asarray(data.y), np.asarray(data.exception)
