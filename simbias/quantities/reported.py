"""The quantities of a validator's report, in the order of their columns in results."""

import math
from functools import partial

import numpy as np

from simbias.quantities.quantity import quantity
from simbias.quantities.subject import Subject
from simbias.stats.estimate import Estimate
from simbias.validation.flips import Flips

_EXACT = "Clopper-Pearson"
_accuracy = partial(quantity, 0, 1, needs=("coordinates",), interval=_EXACT)  # of shifted draws
_auc = partial(
    quantity,
    0,
    1,
    needs=("coordinates", "two classes"),
    interval="Hoeffding, over pairs of points",
    version=2,
)


@quantity(0, math.inf, unit="updates", needs=("network",), counts=True)
def updates(subject: Subject) -> np.ndarray:
    """Parameter updates made."""
    counts: np.ndarray = subject.stack.updates
    return counts


@quantity(0, math.inf, unit="nats")
def train_loss(subject: Subject) -> np.ndarray:
    """Mean cross-entropy on the training set."""
    return subject.report.train_loss


@quantity(0, 1, heading="train")
def train_accuracy(subject: Subject) -> np.ndarray:
    """Accuracy on the training set."""
    return subject.report.train_accuracy


@quantity(0, 1, column="none")
def train_error(subject: Subject) -> np.ndarray:
    """1 - train_accuracy."""
    return 1 - subject.report.train_accuracy


@quantity(0, 1, interval=_EXACT)
def risk(subject: Subject) -> Estimate:
    """Error on fresh draws: 1 - accuracy."""
    return subject.report.risk


@quantity(0, 1, interval=_EXACT, column="value", heading="test")
def test_accuracy(subject: Subject) -> Estimate:
    """Accuracy on fresh draws: 1 - risk."""
    value, low, high = subject.report.risk
    return Estimate(1 - value, 1 - high, 1 - low)


@_accuracy(heading="S-rand.", title="$S$-randomised accuracy")
def s_randomised_accuracy(subject: Subject) -> Estimate:
    """Accuracy with the simple set independent of the label."""
    return subject.report.reliance.s_accuracy


@_accuracy(heading="S^c-rand.", title="$S^c$-randomised accuracy")
def sc_randomised_accuracy(subject: Subject) -> Estimate:
    """Accuracy with all but the simple set independent of the label."""
    return subject.report.reliance.sc_accuracy


@_auc(title="$S$-randomised AUC")
def s_randomised_auc(subject: Subject) -> Estimate:
    """ROC AUC with the simple set independent of the label."""
    return subject.report.reliance.s_auc


@_auc(title="$S^c$-randomised AUC")
def sc_randomised_auc(subject: Subject) -> Estimate:
    """ROC AUC with all but the simple set independent of the label."""
    return subject.report.reliance.sc_auc


@quantity(0, math.inf, unit="points", counts=True)
def exceptions(subject: Subject) -> np.ndarray:
    """Training points that the simple rule labels wrongly."""
    return subject.report.exceptions.counts


@quantity(0, 1, needs=("simple set", "exceptions"), column="interval", heading="exc. fitted")
def exceptions_fitted(subject: Subject) -> Estimate:
    """Proportion of the training exceptions labelled correctly."""
    return subject.report.exceptions.fitted


@quantity(0, 1, needs=("simple set", "exceptions"), interval=_EXACT)
def exceptions_fresh(subject: Subject) -> Estimate:
    """The same on fresh exceptions of the same conditional law."""
    return subject.report.exceptions.fresh


@quantity(
    -1,
    1,
    needs=("simple set", "exceptions"),
    interval="Newcombe's hybrid",
    heading="memorised",
    title="memorised fraction",
)
def memorised(subject: Subject) -> Estimate:
    """exceptions_fitted - exceptions_fresh."""
    return subject.report.exceptions.memorised


@quantity(0, 1, needs=("simple set",), interval=_EXACT)
def simple_agreement(subject: Subject) -> Estimate:
    """Proportion of fresh points labelled as the simple rule does."""
    return subject.report.simple_agreement


@quantity(0, 1, needs=("achievable rule",), interval=_EXACT)
def achievable_agreement(subject: Subject) -> Estimate:
    """Proportion of fresh points labelled as the achievable rule does."""
    return subject.report.achievable_agreement


def _flips(subject: Subject) -> Flips:
    flips = subject.report.flips
    if flips is None:  # a cell without noise
        none = np.full(len(subject.report.seeds), np.nan)
        return Flips(none, *[Estimate(none, none, none)] * 3)
    return flips


@quantity(0, math.inf, unit="labels", needs=("network", "noisy labels"), counts=True)
def flips(subject: Subject) -> np.ndarray:
    """Training labels that noise has changed."""
    return _flips(subject).counts


@quantity(0, 1, needs=("network", "noisy labels"), column="value", heading="flips fitted")
def flips_fitted(subject: Subject) -> Estimate:
    """Proportion of the flips whose changed label is answered."""
    return _flips(subject).fitted


@quantity(0, 1, needs=("network", "noisy labels"), column="value")
def flips_possible(subject: Subject) -> Estimate:
    """The greatest proportion of the flips that any classifier answers."""
    return _flips(subject).possible


@quantity(0, 1, needs=("network", "noisy labels"), interval=_EXACT)
def flips_fresh(subject: Subject) -> Estimate:
    """Proportion answered of fresh flips of the same law."""
    return _flips(subject).fresh
