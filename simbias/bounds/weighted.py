"""Weighted certificates: the risk under a known shift, from held-out points of the task itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._defaults import DELTA
from simbias._frames import DataFrame, frame
from simbias._memory import fits
from simbias._pinned import pinned
from simbias.bounds.fresh import available, fresh_scores, sizes_of, unrotated_points
from simbias.models.classifier import predicted
from simbias.models.data import DataSet
from simbias.models.panel import panel
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.weighted import capped_limit, choose_cap, left_out_limit
from simbias.tasks.densities import draw_unrotated, weights, weights_of
from simbias.tasks.shifts import shifted
from simbias.validation import N_CERTIFY
from simbias.validation.risk import errors

SIMULATED_PROPORTION = 0.1  # of delta, for what the cap leaves out
_ROUNDING = 1e-6  # of held-out points, which are drawn in float32


@dataclass(frozen=True, eq=False)
class Weighted:
    """The certified risk of classifiers under a shift: a row a classifier, a column a number of
    held-out points.

    Attributes:
        seeds: the seed of each data set.
        held_out: numbers of held-out points, increasing.
        shift: see ``simbias.tasks.shifts.shifted``.
        delta: probability, at each number of held-out points, that the certificate fails.
        limit: the certified risk under the shift, at most 1.
        weighted_error: the mean over held-out points of errors with their capped weights.
        cap: the most that a point weighs, for each number of held-out points.
        left_out: the limit of the risk that the cap leaves out, a part of ``limit``.
        largest: the largest weight of any point, infinite where the shift leaves the support.
        outside: how much mass the shift has outside the support of the task; counted as errors.
        fresh_risk: on fresh points of the shifted task, the risk with exact intervals.
        n_certify: fresh points for each classifier.
        confidence: coverage of each interval on fresh points.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.bounds.weighted(stack, "slab-masses=0.8", n_certify=10_000)
        >>> found.limit.shape, found.fresh_risk.value.shape
        ((2, 1), (2,))
        >>> bool((found.fresh_risk.low < found.limit[:, 0]).all())
        True
    """

    seeds: tuple[int, ...]
    held_out: tuple[int, ...]
    shift: str
    delta: float
    limit: Float[np.ndarray, "seeds sizes"]
    weighted_error: Float[np.ndarray, "seeds sizes"]
    cap: Float[np.ndarray, " sizes"]
    left_out: Float[np.ndarray, " sizes"]
    largest: float
    outside: float
    fresh_risk: Estimate
    n_certify: int
    confidence: float

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: classifiers, numbers of held-out points."""
        return named_axes(
            self,
            {
                "limit": "seed held_out",
                "weighted_error": "seed held_out",
                "cap": "held_out",
                "left_out": "held_out",
                "fresh_risk": "seed",
            },
            seed=self.seeds,
            held_out=self.held_out,
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def weighted(
    learned: object,
    shift: str,
    *,
    data: DataSet | Sequence[DataSet] | None = None,
    held_out: int | Sequence[int] | None = None,
    delta: float = DELTA,
    n_simulated: int = 20_000,
    n_certify: int = N_CERTIFY,
    confidence: float = 0.99,
) -> Weighted:
    """Certify the risk under a shift without a single point of it: densities are known exactly.

    Each held-out point of the task weighs what its density given the label is under the shift, over
    that under the task, at most a cap. What the cap leaves out does not depend on the classifier,
    and its limit comes from simulated points of the shift; the cap is chosen from others, before
    any held-out point is seen. Statement and proof stand in ``simbias.stats.weighted``. It holds
    for each classifier, given its training, and for each number of held-out points separately, at
    delta, over held-out and simulated points together. Points without finite scores are errors.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        shift: see ``simbias.tasks.shifts.shifted``; where it leaves the support of the task the
            mass outside counts as errors.
        data: for a classifier that does not know its training set.
        held_out: one number of held-out points or several; default as many as training points.
        delta: probability that a certificate fails, in (0, 1).
        n_simulated: points of the shift from which the cap is chosen, and as many again that say
            what it leaves out; no classifier is asked about them.
        n_certify: fresh points of the shift on which the risk is measured.
        confidence: of the intervals on fresh points, in (0, 1).

    Raises:
        ValueError: an argument out of range, a task whose coordinates have no densities, a shift
            that it does not have, or one that lies outside its support altogether.

    References:
        H. Shimodaira, "Improving predictive inference under covariate shift by weighting the
        log-likelihood function", Journal of Statistical Planning and Inference 2000.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000)
        >>> found = simbias.bounds.weighted(lambda x: x[:, 0], "conflict=0.1", data=data)
        >>> round(found.outside, 6), found.limit.shape
        (0.09, (1, 1))
    """
    classifiers = panel(learned, data)
    task = classifiers.block_task
    other = shifted(task, shift)
    largest, outside = weights_of(task, other)
    if outside >= 1:
        raise fail("shift", f"{shift} on {task.name}", "one with points where the task has some")
    delta = real("delta", delta, 0, 1, open_low=True, open_high=True)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    sizes, n_simulated = sizes_of(classifiers, held_out), whole("n_simulated", n_simulated)
    n_certify = available(classifiers, "certify", whole("n_certify", n_certify))
    fits("n_simulated", n_simulated, 16.0 * n_simulated * task.dim)
    generator = np.random.default_rng(0)
    choosing, simulated = (
        weights(task, other, *draw_unrotated(other, generator, n_simulated)) for _ in range(2)
    )
    cap = np.array([choose_cap(choosing, largest, size, delta) for size in sizes])
    spent = np.where(cap < largest, SIMULATED_PROPORTION * delta, 0.0)
    left_out = np.array(
        [
            left_out_limit(simulated, most, part) if part else 0.0
            for most, part in zip(cap.tolist(), spent.tolist(), strict=True)
        ]
    )
    limit, mean = np.zeros((2, len(classifiers), len(sizes)))
    for i in range(len(classifiers)):
        scores, y = fresh_scores(classifiers, i, "weighted", "holdout", sizes[-1])
        wrong = np.isnan(scores).any(axis=1) | (predicted(scores) != y)
        points = unrotated_points(classifiers, i, "weighted", "holdout", sizes[-1])
        x, y = np.asarray(points.x, np.float64), np.asarray(points.y)
        own = weights(task, other, x, y, rounding=_ROUNDING)
        for k, size in enumerate(sizes):
            capped = np.minimum(own[:size], cap[k])
            mean[i, k] = np.mean(capped * wrong[:size])
            certified = capped_limit(capped, wrong[:size], float(cap[k]), delta - float(spent[k]))
            limit[i, k] = min(1.0, certified + left_out[k])
    return Weighted(
        seeds=classifiers.seeds,
        held_out=sizes,
        shift=shift,
        delta=delta,
        limit=limit,
        weighted_error=mean,
        cap=cap,
        left_out=left_out,
        largest=largest,
        outside=outside,
        fresh_risk=errors(classifiers.under(shift), n_certify, confidence),
        n_certify=n_certify,
        confidence=confidence,
    )
