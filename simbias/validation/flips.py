"""Flips: training labels that noise has made others than the task's own.

A network that memorises noise gives the flips of its training set their labels, and fresh flips of
the same law no oftener than its errors happen to. Labels that share an input disagree: whatever
answers inputs gives each of them one label, so that not all flips can be fitted; how many can is
the greatest number of equal ones at each input.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Int

from simbias.models.panel import Panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.label_noise import LabelNoise, relabelled_at
from simbias.validation.risk import answers, fresh_points

MOST_FRESH = 100_000  # points whose labels are drawn: a fraction of those that certify


@dataclass(frozen=True)
class Flips:
    """The counts of flipped training labels, and how many classifiers fit.

    Attributes:
        counts: flipped labels of each training set.
        fitted: proportion of them that the classifier answers; known exactly.
        possible: the greatest proportion that any classifier answers; below 1 where labels that
            share an input disagree.
        fresh: proportion answered of fresh flips of the same law.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> noise = simbias.tasks.LabelNoise(alpha=1)
        >>> stack = simbias.train(
        ...     task, net, method, n_train=1000, seeds=2, stop=stop, label_noise=noise
        ... )
        >>> flips = simbias.validate(stack, n_certify=10_000).flips
        >>> flips.counts.shape, flips.possible.value
        ((2,), array([1., 1.]))
    """

    counts: Int[np.ndarray, " seeds"]
    fitted: Estimate
    possible: Estimate
    fresh: Estimate


def possible_flips(
    y: Int[np.ndarray, " rows"], clean: Int[np.ndarray, " rows"], copies: int
) -> int:
    """The most flips that one label an input can answer.

    Args:
        y, clean: the labels of a training set, and the task's own.
        copies: labels that share an input; they follow each other.
    """
    flipped = np.flatnonzero(y != clean)
    keys = np.stack([flipped // copies, y[flipped]], axis=1)
    pairs, alike = np.unique(keys, axis=0, return_counts=True)
    most = np.zeros(-(-len(y) // copies), int)
    np.maximum.at(most, pairs[:, 0], alike)
    return int(most.sum())


def flip_ledger(
    classifiers: Panel,
    counts: Int[np.ndarray, " seeds"],
    fitted: Int[np.ndarray, " seeds"],
    possible: Int[np.ndarray, " seeds"],
    left_out: np.ndarray,
    n_certify: int,
    confidence: float,
) -> Flips | None:
    """What classifiers do with flips; None where labels are the task's own.

    Args:
        classifiers: they and their data sets.
        counts, fitted, possible: flips of each training set, those answered, the most that can be.
        left_out: classifiers with a fault, whose proportions are NaN.
        n_certify: fresh points, of which at most ``MOST_FRESH`` are given noisy labels.
        confidence: of the interval of fresh flips.
    """
    noise = classifiers.data[0].label_noise
    if noise is None:
        return None
    usable = np.where(left_out, 0, counts)

    def exact(hits: Int[np.ndarray, " seeds"]) -> Estimate:
        value = clopper_pearson(np.where(left_out, 0, hits), usable, confidence).value
        return Estimate(value, value, value)

    fresh, hits = fresh_flips(classifiers, noise, min(n_certify, MOST_FRESH))
    fresh, hits = np.where(left_out, 0, fresh), np.where(left_out, 0, hits)
    return Flips(counts, exact(fitted), exact(possible), clopper_pearson(hits, fresh, confidence))


def fresh_flips(
    classifiers: Panel, noise: LabelNoise, points: int
) -> tuple[Int[np.ndarray, " seeds"], Int[np.ndarray, " seeds"]]:
    """How many labels of fresh points noise flips, and how many of them classifiers answer."""
    flips, hits = np.zeros((2, len(classifiers)), np.int64)
    points = fresh_points(classifiers, points)
    chunks = dict.fromkeys(range(len(classifiers)), 0)
    law = noise.law(classifiers.task.classes)
    for i, drawn, labels, _ in answers(classifiers, points):
        stream = classifiers.data[i].stream("fresh flips")
        key = jax.random.fold_in(stream, chunks[i])
        chunks[i] += 1
        noisy = relabelled_at(law, drawn.y, np.asarray(jax.random.uniform(key, (len(drawn.y),))))
        flipped = noisy != drawn.y
        flips[i] += flipped.sum()
        hits[i] += (flipped & (labels == noisy)).sum()
    return flips, hits
