"""Selective certificates: where classifiers may answer at an allowed risk, from held-out points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import real, whole
from simbias._defaults import DELTA
from simbias._pinned import pinned
from simbias.bounds.fresh import available, fresh_scores, leads, sizes_of
from simbias.models.classifier import predicted
from simbias.models.data import DataSet
from simbias.models.panel import panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.selective import certify_answers, least_points, thresholds_of
from simbias.validation import N_CERTIFY


@dataclass(frozen=True, eq=False)
class Selective:
    """Where classifiers may answer: a row a classifier, a column a number of held-out points.

    Attributes:
        seeds: the seed of each data set.
        held_out: numbers of held-out points, increasing.
        allowed_risk: the certified risk of answered points.
        delta: probability, at each number of held-out points, that the certificate fails.
        threshold: the least lead that is answered; infinity where nothing is certified.
        points, errors: held-out points that are answered, and wrongly so.
        answered: the proportion of points that are answered, of the held-out ones, with an interval
            that holds with probability 1 - delta though they chose the threshold.
        fresh_answered, fresh_risk: on fresh points, the proportion and the risk of those that are
            answered, with exact intervals; the risk is NaN where none is.
        n_certify: fresh points for each classifier.
        confidence: coverage of each interval on fresh points.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.bounds.selective(stack, 0.04, n_certify=10_000)
        >>> found.threshold.shape, found.fresh_risk.value.shape
        ((2, 1), (2, 1))
        >>> bool((found.errors <= 0.04 * found.points).all())
        True
    """

    seeds: tuple[int, ...]
    held_out: tuple[int, ...]
    allowed_risk: float
    delta: float
    threshold: Float[np.ndarray, "seeds sizes"]
    points: Int[np.ndarray, "seeds sizes"]
    errors: Int[np.ndarray, "seeds sizes"]
    answered: Estimate
    fresh_answered: Estimate
    fresh_risk: Estimate
    n_certify: int
    confidence: float


@pinned
def selective(
    learned: object,
    allowed_risk: float,
    *,
    data: DataSet | Sequence[DataSet] | None = None,
    held_out: int | Sequence[int] | None = None,
    delta: float = DELTA,
    levels: int = 100,
    n_select: int = 10_000,
    n_certify: int = N_CERTIFY,
    confidence: float = 0.99,
) -> Selective:
    """Certify where classifiers may answer: the risk of answered points is at most the allowed one.

    A point is answered where its lead, the greatest score less the second (of two classes
    |margin|), reaches a threshold. Thresholds are leads of points of their own, whose labels are
    not read: the first answers as many held-out points as twice what certifies without an error,
    or all where there are fewer, and the last all; what is certified, and its proof, stands in
    ``simbias.stats.selective.certify_answers``. It holds for each classifier, given its training,
    and for each number of held-out points separately, at delta: those of smaller numbers are the
    first of larger ones, and for several at once delta is to be divided among them.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        allowed_risk: in (0, 1).
        data: for a classifier that does not know its training set.
        held_out: one number of held-out points or several; default as many as training points.
        delta: probability that a certificate fails, in (0, 1).
        levels: thresholds at most.
        n_select: points from which thresholds are taken.
        n_certify: fresh points on which proportion and risk are measured.
        confidence: of the intervals on fresh points, in (0, 1).

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000)
        >>> sizes = [100, 10_000]
        >>> found = simbias.bounds.selective(lambda x: x[:, 0], 0.4, data=data, held_out=sizes)
        >>> found.held_out, found.answered.value.shape
        ((100, 10000), (1, 2))
    """
    classifiers = panel(learned, data)
    fewest = least_points(allowed_risk, delta)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    levels, sizes = whole("levels", levels), sizes_of(classifiers, held_out)
    n_select = available(classifiers, "select", whole("n_select", n_select))
    n_certify = available(classifiers, "certify", whole("n_certify", n_certify))
    rows, counts = [], np.zeros((2, len(classifiers), len(sizes)), np.int64)
    for i in range(len(classifiers)):

        def asked(split: str, rows: int, i: int = i) -> tuple[np.ndarray, np.ndarray]:
            scores, y = fresh_scores(classifiers, i, "selective", split, rows)
            return leads(scores), predicted(scores) != y

        seen, _ = asked("select", n_select)
        lead, wrong = asked("holdout", sizes[-1])
        rows.append(
            [
                certify_answers(
                    lead[:size],
                    wrong[:size],
                    thresholds_of(seen, min(1.0, 2 * fewest / size), levels),
                    allowed_risk,
                    delta,
                )
                for size in sizes
            ]
        )
        lead, wrong = asked("certify", n_certify)
        reached = lead[:, None] >= np.array([certified.threshold for certified in rows[-1]])
        counts[:, i] = reached.sum(axis=0), reached[wrong].sum(axis=0)
    table = np.array(rows, np.float64)
    return Selective(
        seeds=classifiers.seeds,
        held_out=sizes,
        allowed_risk=float(allowed_risk),
        delta=float(delta),
        threshold=table[..., 0],
        points=table[..., 1].astype(np.int64),
        errors=table[..., 2].astype(np.int64),
        answered=Estimate(*np.moveaxis(table[..., 3:], -1, 0)),
        fresh_answered=clopper_pearson(counts[0], np.full_like(counts[0], n_certify), confidence),
        fresh_risk=clopper_pearson(counts[1], counts[0], confidence),
        n_certify=n_certify,
        confidence=confidence,
    )
