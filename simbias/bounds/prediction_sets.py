"""Prediction sets of classifiers: labels among which the right one is, by held-out points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simbias._checks import real
from simbias._defaults import DELTA
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.bounds.fresh import FreshEffort, fresh_scores, held_out_scores, planned
from simbias.models.data import DataSet
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.prediction_sets import certify_reach
from simbias.validation import N_CERTIFY


@dataclass(frozen=True, eq=False)
class PredictionSets(FreshEffort):
    """What is certified of sets of labels: a row a classifier, a column a number of points.

    Attributes:
        seeds, held_out, delta, noise, flipped, n_certify, confidence: what was spent on it, as in
            ``prediction_sets``.
        allowed_missing: the certified probability that a set misses the right label.
        reach: how far behind the greatest score that of a label in the set may be; infinity where
            only the set of all labels is certified.
        missed: held-out points whose set misses the right label.
        fresh_missing: on fresh points, the probability of missing, with its exact interval.
        fresh_several: the proportion of fresh points whose set is not a single label.
        fresh_size: the mean number of labels of their sets.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> sets = simbias.bounds.prediction_sets(stack, 0.02, n_certify=10_000)
        >>> sets.reach.shape, bool(((1 <= sets.fresh_size) & (sets.fresh_size <= 2)).all())
        ((2, 1), True)
    """

    allowed_missing: float
    reach: Float[np.ndarray, "seeds sizes"]
    missed: Int[np.ndarray, "seeds sizes"]
    fresh_missing: Estimate
    fresh_several: Estimate
    fresh_size: Float[np.ndarray, "seeds sizes"]

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: classifiers, numbers of held-out points."""
        return named_axes(
            self,
            dict.fromkeys(
                ("reach", "missed", "fresh_missing", "fresh_several", "fresh_size"), "seed held_out"
            ),
            seed=self.seeds,
            held_out=self.held_out,
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


def gaps_of(scores: Float[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows classes"]:
    """How far each score is behind the greatest of its row; 0 in a row that has no scores.

    So a point without scores has the set of all labels, whatever the reach.
    """
    behind: Float[np.ndarray, "rows classes"] = scores.max(axis=1, keepdims=True) - scores
    return np.where(np.isnan(behind), 0.0, behind)


def labels_within(
    gaps: Float[np.ndarray, "rows classes"], reach: float
) -> Bool[np.ndarray, "rows classes"]:
    """Which labels stand in each set."""
    within: Bool[np.ndarray, "rows classes"] = gaps <= reach
    return within


@pinned
def prediction_sets(
    learned: object,
    allowed_missing: float,
    *,
    data: DataSet | Sequence[DataSet] | None = None,
    held_out: int | Sequence[int] | None = None,
    delta: float = DELTA,
    noise: float = 0.0,
    flipped: float = 0.0,
    n_certify: int = N_CERTIFY,
    confidence: float = 0.99,
) -> PredictionSets:
    """Sets of labels that miss the right one with at most the allowed probability, certified.

    The set of a point holds the labels whose scores are within reach of the greatest, so the
    predicted label always. What is certified, and its proof, stands in
    ``simbias.stats.prediction_sets.certify_reach``. It holds for any number of classes, for each
    classifier given its training, and for each number of held-out points separately, at delta:
    those of smaller numbers are the first of larger ones.

    With labels of held-out points that may be wrong, what is certified is still how often the true
    one is missed. A point whose set misses its true label has, with a probability of at least
    1 - noise, that label, so that the sets of a reach that miss true labels with probability p miss
    the observed ones with at least p (1 - noise), whatever the noise depends on. So
    allowed_missing (1 - noise) of the observed ones is certified.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        allowed_missing: in (0, 1).
        data: for a classifier that does not know its training set.
        held_out: one number of held-out points or several; default as many as training points.
        delta: probability that a certificate fails, in (0, 1).
        noise: most probability that the label of a held-out point is another one, given the point,
            in [0, 1).
        flipped: with which probability labels of held-out points are replaced here, by another one
            at random, to try the certificate; at most ``noise``.
        n_certify: fresh points on which the sets are measured.
        confidence: of the intervals on fresh points, in (0, 1).

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000)
        >>> sets = simbias.bounds.prediction_sets(lambda x: x[:, 0], 0.1, data=data, held_out=10)
        >>> sets.reach.tolist(), sets.fresh_size.tolist()  # .9^10 > .05: too few
        ([[inf]], [[2.0]])
    """
    classifiers, effort = planned(
        learned, data, held_out, delta, noise, flipped, n_certify, confidence
    )
    real("allowed_missing", allowed_missing, 0, 1, open_low=True, open_high=True)
    reach, size = np.zeros((2, *effort.shape))
    missed, outside, several = np.zeros((3, *effort.shape), np.int64)
    for i in range(len(classifiers)):
        scores, y = held_out_scores(classifiers, i, "sets", effort)
        right = gaps_of(scores)[np.arange(len(y)), y]
        scores, y = fresh_scores(classifiers, i, "sets", "certify", effort.n_certify)
        gaps = gaps_of(scores)
        for column, points in enumerate(effort.held_out):
            certified = certify_reach(right[:points], allowed_missing * (1 - noise), delta)
            reach[i, column], missed[i, column] = certified
            within = labels_within(gaps, certified.reach)
            outside[i, column] = (~within[np.arange(len(y)), y]).sum()
            several[i, column] = (within.sum(axis=1) > 1).sum()
            size[i, column] = within.sum(axis=1).mean()
    trials = np.full(effort.shape, effort.n_certify)
    return PredictionSets(
        **vars(effort),
        allowed_missing=float(allowed_missing),
        reach=reach,
        missed=missed,
        fresh_missing=clopper_pearson(outside, trials, effort.confidence),
        fresh_several=clopper_pearson(several, trials, effort.confidence),
        fresh_size=size,
    )
