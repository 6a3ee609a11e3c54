"""Which coordinates a network relies on: accuracy and ROC AUC on randomised inputs.

S-randomised inputs carry no label information in the simple set, S^c-randomised inputs none outside
it (Shah et al., NeurIPS 2020, section 4). With exclusive reliance on the simple set the
S-randomised accuracy is 1/2 and the S^c-randomised accuracy equals the standard one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from simbias.stats.bounded import mean_interval
from simbias.stats.estimate import Estimate
from simbias.validation.risk import Scores


class Reliance(NamedTuple):
    """Accuracy and ROC AUC on randomised inputs, with intervals.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> reliance = simbias.validate(stack, n_certify=10_000).reliance

        Without the simple coordinate these networks guess; without the others they lose nothing:

        >>> reliance.s_accuracy.value < 0.6
        array([ True,  True])
        >>> reliance.sc_accuracy.value > 0.9
        array([ True,  True])
    """

    s_accuracy: Estimate
    sc_accuracy: Estimate
    s_auc: Estimate
    sc_auc: Estimate


class AucSum:
    """The ROC AUC over chunks, with flat memory.

    The AUC of a chunk is an unbiased estimate of the population's, and chunks are independent, so
    their mean is one too.
    """

    def __init__(self) -> None:
        self._values: list[tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]] = []
        self._weights: list[int] = []

    def add(
        self, y: Int[np.ndarray, "seeds rows"], scores: Float[np.ndarray, "seeds rows"]
    ) -> None:
        """Add a chunk of every network."""
        aucs = np.array([auc(labels, margin) for labels, margin in zip(y, scores, strict=True)])
        ones = y.sum(axis=1)
        self._values.append((aucs, np.minimum(ones, y.shape[1] - ones)))
        self._weights.append(y.shape[1])

    def means(self) -> Float[np.ndarray, "3 seeds"]:
        """The mean over chunks, weighted by their rows, and, for its interval, by terms; terms."""
        aucs, matched = np.array(self._values).transpose(1, 0, 2)  # each (chunks, seeds)
        weights = np.where(np.isnan(aucs), 0.0, np.array(self._weights)[:, None])
        terms, finite_aucs = matched.sum(axis=0), np.nan_to_num(aucs)
        with np.errstate(invalid="ignore"):
            weights /= weights.sum(axis=0)
            mean = np.sum(matched * finite_aucs, axis=0) / terms
        return np.stack([np.sum(weights * finite_aucs, axis=0), mean, terms])


def estimates(sums: Sequence[AucSum], confidence: float) -> list[Estimate]:
    """Means over chunks, weighted by their rows, with intervals that hold for every law.

    A chunk in which a label is missing has no AUC and no weight. Given its labels, m of the one and
    n of the other, the AUC of a chunk is the mean over all m n pairs, and so the average, over the
    ways to match min(m, n) points of each label, of the mean of as many independent terms 0, 1/2 or
    1 with the population's AUC as their expectation (W. Hoeffding, JASA 1963, section 5b). The mean
    over chunks weighted by min(m, n) is then such an average with K = sum of min(m, n) terms, one
    matching in each chunk, and ``mean_interval`` holds for it, whatever the scores and however many
    are tied; it is extended to the mean by rows, which differs by little. At 200,000 points it is
    1.4 times as wide at an AUC of 1/2 as the normal interval by DeLong, DeLong and Clarke-Pearson
    (Biometrics 1988), which misses near 1.
    """
    if not sums:
        return []
    value, mean, terms = np.stack([each.means() for each in sums], axis=1)
    low, high = mean_interval(mean, terms, confidence)
    limits = value, np.minimum(low, value), np.maximum(high, value)
    return [Estimate(*(limit[i] for limit in limits)) for i in range(len(sums))]


class Randomised:
    """Collects the scores of the randomised inputs chunk by chunk."""

    def __init__(self) -> None:
        self.s_auc, self.sc_auc = AucSum(), AucSum()

    def __call__(self, scores: Scores) -> None:
        """Add a chunk of every network."""
        self.s_auc.add(scores.y, scores.s_randomised)
        self.sc_auc.add(scores.y, scores.sc_randomised)


def auc(y: Int[np.ndarray, " rows"], scores: Real[np.ndarray, " rows"]) -> float:
    """The ROC AUC of scores; NaN where one label is missing.

    Args:
        y: labels, 0 or 1.
        scores: larger where label 1 is likelier; ties count half.
    """
    positive, negative = np.sort(scores[y == 1]), np.sort(scores[y == 0])
    if not len(positive) or not len(negative):
        return np.nan
    left = np.searchsorted(negative, positive, side="left")
    right = np.searchsorted(negative, positive, side="right")
    return float(((left + right) / (2 * len(negative))).mean())
