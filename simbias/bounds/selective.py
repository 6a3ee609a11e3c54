"""Selective certificates: where classifiers may answer at an allowed risk, from held-out points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simbias._checks import fail, whole
from simbias._defaults import DELTA
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.bounds.fresh import (
    FreshEffort,
    FreshScores,
    available,
    fresh_scores,
    held_out_scores,
    leads,
    planned,
)
from simbias.models.classifier import predicted
from simbias.models.data import DataSet
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.reveal import observed_rates
from simbias.stats.selective import certify_answers, least_points, thresholds_of
from simbias.validation import N_CERTIFY


@dataclass(frozen=True, eq=False)
class Selective(FreshEffort):
    """Where classifiers may answer: a row a classifier, a column a number of held-out points.

    Attributes:
        seeds, held_out, delta, noise, flipped, n_certify, confidence: what was spent on it, as in
            ``selective``.
        allowed_risk: the certified risk of answered points.
        threshold: the least lead that is answered; infinity where nothing is certified.
        points, errors: held-out points that are answered, and wrongly so.
        answered: the proportion of points that are answered, of the held-out ones, with an interval
            that holds with probability 1 - delta though they chose the threshold.
        fresh_answered, fresh_risk: on fresh points, the proportion and the risk of those that are
            answered, with exact intervals; the risk is NaN where none is.

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

    allowed_risk: float
    threshold: Float[np.ndarray, "seeds sizes"]
    points: Int[np.ndarray, "seeds sizes"]
    errors: Int[np.ndarray, "seeds sizes"]
    answered: Estimate
    fresh_answered: Estimate
    fresh_risk: Estimate

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: classifiers, numbers of held-out points."""
        return named_axes(
            self,
            dict.fromkeys(
                ("threshold", "points", "errors", "answered", "fresh_answered", "fresh_risk"),
                "seed held_out",
            ),
            seed=self.seeds,
            held_out=self.held_out,
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def selective(
    learned: object,
    allowed_risk: float,
    *,
    data: DataSet | Sequence[DataSet] | None = None,
    held_out: int | Sequence[int] | None = None,
    delta: float = DELTA,
    noise: float = 0.0,
    uniform: bool = False,
    flipped: float = 0.0,
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

    With labels of held-out points that may be wrong, what is certified is still the risk by the
    true ones. Of the points that are answered at a threshold, those answered wrongly show errors at
    least at the rate r (1 - noise) where their risk is r, whatever the noise depends on
    (``simbias.stats.reveal.observed_rates``), which increases with r. So a rate of at most that of
    the allowed risk is certified in place of the allowed risk; with two classes and uniform noise,
    that of a risk up to 1/2 is the risk itself, and the noise costs answers only.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        allowed_risk: in (0, 1).
        data: for a classifier that does not know its training set.
        held_out: one number of held-out points or several; default as many as training points.
        delta: probability that a certificate fails, in (0, 1).
        noise: most probability that the label of a held-out point is another one, given the point,
            in [0, 1); below 1/2 where it is uniform.
        uniform: whether labels are two and all as likely to be another one.
        flipped: with which probability labels of held-out points are replaced here, by another one
            at random, to try the certificate; at most ``noise``.
        levels: thresholds at most.
        n_select: points from which thresholds are taken.
        n_certify: fresh points on which proportion and risk are measured.
        confidence: of the intervals on fresh points, in (0, 1).

    Raises:
        ValueError: an argument out of range, or uniform noise of more than two classes.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000)
        >>> sizes = [100, 10_000]
        >>> found = simbias.bounds.selective(lambda x: x[:, 0], 0.4, data=data, held_out=sizes)
        >>> found.held_out, found.answered.value.shape
        ((100, 10000), (1, 2))
    """
    classifiers, effort = planned(
        learned, data, held_out, delta, noise, flipped, n_certify, confidence
    )
    if uniform and classifiers.task.classes != 2:
        raise fail("uniform", uniform, "False with more than two classes")
    least_points(allowed_risk, delta)
    shown = observed_rates(allowed_risk, noise, uniform=uniform)[0]
    fewest = least_points(shown, delta)
    levels = whole("levels", levels)
    n_select = available(classifiers, "select", whole("n_select", n_select))
    rows, counts = [], np.zeros((2, *effort.shape), np.int64)
    for i in range(len(classifiers)):
        seen = leads(fresh_scores(classifiers, i, "selective", "select", n_select).scores)
        lead, wrong = _judged(held_out_scores(classifiers, i, "selective", effort))
        rows.append(
            [
                certify_answers(
                    lead[:size],
                    wrong[:size],
                    thresholds_of(seen, min(1.0, 2 * fewest / size), levels),
                    shown,
                    delta,
                )
                for size in effort.held_out
            ]
        )
        lead, wrong = _judged(
            fresh_scores(classifiers, i, "selective", "certify", effort.n_certify)
        )
        reached = lead[:, None] >= np.array([certified.threshold for certified in rows[-1]])
        counts[:, i] = reached.sum(axis=0), reached[wrong].sum(axis=0)
    table = np.array(rows, np.float64)
    trials = np.full(effort.shape, effort.n_certify)
    return Selective(
        **vars(effort),
        allowed_risk=float(allowed_risk),
        threshold=table[..., 0],
        points=table[..., 1].astype(np.int64),
        errors=table[..., 2].astype(np.int64),
        answered=Estimate(*np.moveaxis(table[..., 3:], -1, 0)),
        fresh_answered=clopper_pearson(counts[0], trials, effort.confidence),
        fresh_risk=clopper_pearson(counts[1], counts[0], effort.confidence),
    )


def _judged(
    scored: FreshScores,
) -> tuple[Float[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """The lead of each point, and whether its label is said wrongly."""
    wrong: Bool[np.ndarray, " rows"] = predicted(scored.scores) != scored.y
    return leads(scored.scores), wrong
