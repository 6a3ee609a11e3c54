"""The exceptions ledger: how a network labels the points that the simple rule labels wrongly.

A network that memorises labels the exceptions of its training set correctly and fresh draws from
the same conditional law no better than before: the difference is the memorised fraction.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.models.classifier import difference as difference_of
from simbias.models.classifier import finite, predicted, score
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.training.stack import Stack
from simbias.validation.flips import possible_flips
from simbias.validation.risk import Counts


@dataclass(frozen=True)
class LedgerRows:
    """The training exceptions of one network, with an entry for each.

    Attributes:
        index: position in the training set.
        label: true label.
        margin: score difference in favour of that label, positive where the point is fitted.
        fitted_since: update of the first check from which on it was fitted for good; -1: it is not;
            0 for a fitted point of a classifier whose training is not known.
    """

    index: Int[np.ndarray, " exceptions"]
    label: Int[np.ndarray, " exceptions"]
    margin: Float[np.ndarray, " exceptions"]
    fitted_since: Int[np.ndarray, " exceptions"]

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an exception; ValueError where pandas is not installed."""
        return frame(vars(self))


@dataclass(frozen=True)
class Ledger:
    """The counts of classifiers' exceptions, and how many are fitted.

    Attributes:
        counts: training exceptions of each data set.
        fitted: fraction of them that the classifier labels correctly; known exactly, so its
            interval is a point.
        fresh: fraction labelled correctly of fresh draws from the same conditional law.
        memorised: fitted - fresh.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> ledger = simbias.validate(stack, n_certify=10_000).exceptions
        >>> ledger.counts.tolist()
        [62, 55]
        >>> ledger.memorised.value.shape
        (2,)
    """

    counts: Int[np.ndarray, " seeds"]
    fitted: Estimate
    fresh: Estimate
    memorised: Estimate
    _panel: Panel = field(repr=False)

    def rows(self, seed: int) -> LedgerRows:
        """Every training exception of the data set with this seed; raises ValueError."""
        i = self._panel.index(seed)
        trained = train_answers(self._panel, i)
        index = np.flatnonzero(trained.exception)
        since = fitted_since(self._panel, i)[index]
        return LedgerRows(index, trained.y[index], trained.margin[index], since)


class TrainFit(NamedTuple):
    """How classifiers label their own training sets.

    ``loss`` is NaN where scores are no logits or probabilities; ``unscored`` counts points without
    a finite score difference. Flips are labels that noise has changed: how many there are, how
    many are answered, and how many can be.
    """

    loss: Float[np.ndarray, " seeds"]
    accuracy: Float[np.ndarray, " seeds"]
    exceptions: Int[np.ndarray, " seeds"]
    exceptions_correct: Int[np.ndarray, " seeds"]
    unscored: Int[np.ndarray, " seeds"]
    flips: Int[np.ndarray, " seeds"]
    flips_fitted: Int[np.ndarray, " seeds"]
    flips_possible: Int[np.ndarray, " seeds"]


def train_fit(classifiers: Panel) -> TrainFit:
    """The fit of each classifier to its training set, which is drawn again."""
    fits = []
    for i, member in enumerate(classifiers.members):
        answers = train_answers(classifiers, i)
        fitted, unscored = (answers.right & answers.exception).sum(), (~answers.finite).sum()
        loss = cross_entropy(answers, member.kind)
        flips = (0, 0, 0)
        if answers.clean is not None:
            noise = classifiers.data[i].label_noise
            copies = 1 if noise is None else noise.copies
            flipped = answers.y != answers.clean
            possible = possible_flips(answers.y, answers.clean, copies)
            flips = (flipped.sum(), (flipped & answers.correct).sum(), possible)
        exceptions = answers.exception.sum(), fitted
        fits.append((loss, answers.correct.mean(), *exceptions, unscored, *flips))
    return TrainFit(*map(np.array, zip(*fits, strict=True)))


def cross_entropy(answers: "Answers", kind: str) -> float:
    """The mean cross-entropy (nats) of scores.

    Infinite where a probability of 0 is given to a label that occurs; NaN where scores are neither
    logits nor probabilities.
    """
    if kind not in ("logits", "probabilities"):
        return np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        if answers.scores.shape[1] == 2:
            margin = answers.margin.astype(float)
            losses = np.logaddexp(0, -margin) if kind == "logits" else -np.log((1 + margin) / 2)
            return float(losses.mean())
        scores = answers.scores.astype(float)
        of_label = scores[np.arange(len(answers.y)), answers.y]
        total = np.logaddexp.reduce(scores, axis=1) if kind == "logits" else 0.0
        return float((total - (of_label if kind == "logits" else np.log(of_label))).mean())


def ledger(classifiers: Panel, trained: TrainFit, counts: Counts, confidence: float) -> Ledger:
    """The ledger of training and fresh exceptions; NaN for classifiers without accuracy."""
    exact = clopper_pearson(trained.exceptions_correct, trained.exceptions, confidence).value
    exact = np.where(np.isnan(trained.accuracy), np.nan, exact)
    fitted = Estimate(exact, exact, exact)
    fresh = clopper_pearson(counts.exceptions_correct, counts.exceptions, confidence)
    return Ledger(trained.exceptions, fitted, fresh, difference(fitted, fresh), classifiers)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two independent proportions, with the hybrid interval of their intervals.

    Newcombe (Statistics in Medicine 1998), method 10, on the intervals given.
    """
    value = first.value - second.value
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, value - down, value + up)


def fitted_since(classifiers: Panel, i: int) -> Int[np.ndarray, " n_train"]:
    """The update from which on each training point was fitted for good; -1: it is not.

    0 for the fitted points of a classifier whose training is not known.
    """
    if classifiers.fitted_since is not None:
        since: Int[np.ndarray, " n_train"] = classifiers.fitted_since[i]
        return since
    return np.where(train_answers(classifiers, i).correct, 0, -1)


class Answers(NamedTuple):
    """A classifier's scores of points whose labels are known.

    Attributes:
        scores: the scores of each class.
        y: the labels.
        exception: which points the simple rule labels wrongly.
        clean: the task's own labels, where ``y`` has noise; None where ``y`` are they.
    """

    scores: Float[np.ndarray, "rows classes"]
    y: Int[np.ndarray, " rows"]
    exception: Bool[np.ndarray, " rows"]
    clean: Int[np.ndarray, " rows"] | None = None

    @property
    def right(self) -> Bool[np.ndarray, " rows"]:
        """Which points are given the task's own label."""
        own: Bool[np.ndarray, " rows"] = predicted(self.scores) == (
            self.y if self.clean is None else self.clean
        )
        return own

    @property
    def correct(self) -> Bool[np.ndarray, " rows"]:
        """Which points are labelled correctly."""
        right: Bool[np.ndarray, " rows"] = predicted(self.scores) == self.y
        return right

    @property
    def finite(self) -> Bool[np.ndarray, " rows"]:
        """Which points have scores that can be compared."""
        return finite(self.scores)

    @property
    def margin(self) -> Float[np.ndarray, " rows"]:
        """The score of the true label less the greatest of the others."""
        ahead: Float[np.ndarray, " rows"]
        if self.scores.shape[1] == 2:
            ahead = difference_of(self.scores)
            return np.where(self.y == 1, ahead, -ahead)
        is_label = np.eye(self.scores.shape[1], dtype=bool)[self.y]
        with np.errstate(invalid="ignore"):
            ahead = self.scores[is_label] - np.where(is_label, -np.inf, self.scores).max(axis=1)
            return ahead


@pinned
def train_answers(learned: Stack | Panel, i: int) -> Answers:
    """The answers of classifier ``i`` on its training points."""
    classifiers = panel(learned)
    data = classifiers.data[i].draw()
    scores = score(classifiers.members[i], data.x)
    clean = None if data.clean is None else np.asarray(data.clean)
    return Answers(scores, np.asarray(data.y), np.asarray(data.exception), clean)
