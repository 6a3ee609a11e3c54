"""Which coordinates a network relies on: accuracy and ROC AUC on randomised inputs.

S-randomised inputs carry no label information in the simple set, S^c-randomised inputs none outside
it (Shah et al., NeurIPS 2020, section 4). Exclusive reliance on the simple set shows as an
S-randomised accuracy of 1/2 and an S^c-randomised accuracy equal to the standard one.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from simbias.validation.risk import Estimate, Scores


class Reliance(NamedTuple):
    """Accuracy and ROC AUC on randomised inputs, with intervals."""

    s_accuracy: Estimate
    sc_accuracy: Estimate
    s_auc: Estimate
    sc_auc: Estimate


class AucSum:
    """The ROC AUC over chunks, with flat memory.

    The AUC of a chunk is an unbiased estimate of the population's, and chunks are independent, so
    their mean is one too; its variance is the sum of the chunks' (DeLong, DeLong and
    Clarke-Pearson, Biometrics 1988).
    """

    def __init__(self) -> None:
        self._values: list[tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]] = []
        self._weights: list[int] = []

    def add(
        self, y: Int[np.ndarray, "seeds rows"], scores: Float[np.ndarray, "seeds rows"]
    ) -> None:
        """Take in a chunk of every network."""
        pairs = [delong(labels, margin) for labels, margin in zip(y, scores, strict=True)]
        auc, variance = np.array(pairs).T
        self._values.append((auc, variance))
        self._weights.append(y.shape[1])

    def estimate(self, confidence: float) -> Estimate:
        """Normal interval of the mean over chunks, weighted by their rows.

        A chunk in which a label is missing says nothing and has no weight. Where the AUC is exactly
        0 or 1 the interval has no width: no pair was out of order.
        """
        aucs, variances = np.array(self._values).transpose(1, 0, 2)  # each (chunks, seeds)
        weights = np.where(np.isnan(aucs), 0.0, np.array(self._weights)[:, None])
        with np.errstate(invalid="ignore"):
            weights /= weights.sum(axis=0)
        auc = np.sum(weights * np.nan_to_num(aucs), axis=0)
        variance = np.sum(weights**2 * np.nan_to_num(variances), axis=0)
        half = ndtri((1 + confidence) / 2) * np.sqrt(variance)
        return Estimate(auc, np.maximum(auc - half, 0), np.minimum(auc + half, 1))


class Randomised:
    """Collects the scores of the randomised inputs chunk by chunk."""

    def __init__(self) -> None:
        self.s_auc, self.sc_auc = AucSum(), AucSum()

    def __call__(self, scores: Scores) -> None:
        """Take in a chunk."""
        self.s_auc.add(scores.y, scores.s_randomised)
        self.sc_auc.add(scores.y, scores.sc_randomised)


def delong(y: Int[np.ndarray, " rows"], scores: Float[np.ndarray, " rows"]) -> tuple[float, float]:
    """The ROC AUC of scores and its variance; NaN where one label is missing.

    Args:
        y: labels, 0 or 1.
        scores: larger where label 1 is thought likelier; ties count half.
    """
    positive, negative = np.sort(scores[y == 1]), np.sort(scores[y == 0])
    m, n = len(positive), len(negative)
    if not m or not n:
        return np.nan, np.nan

    def below(ordered: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Share of ordered values below each point, ties counting half."""
        left = np.searchsorted(ordered, points, side="left")
        return (left + np.searchsorted(ordered, points, side="right")) / (2 * len(ordered))

    above, under = below(negative, positive), 1 - below(positive, negative)
    spread = [part.var(ddof=1) / len(part) if len(part) > 1 else 0.0 for part in (above, under)]
    return float(above.mean()), float(sum(spread))
