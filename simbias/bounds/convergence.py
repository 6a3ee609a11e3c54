"""A lower bound on every two-sided uniform-convergence bound, from maps of the training set.

V. Nagarajan, J. Z. Kolter, "Uniform convergence may be unable to explain generalization in deep
learning" (NeurIPS 2019). Where a map g of labelled points leaves their law as it is
(``simbias.tasks.symmetries``), the training set S with every point mapped, g(S), is distributed as
S. A two-sided bound eps holds, for all samples but a proportion d, on the gap of every network that
training returns from one of these samples. Let S and g(S) both be among them, as they are but for a
proportion 2d: then it holds on g(S) for the network h learned from S, and eps >= |R(h) - error of h
on g(S)|.

Of K maps fixed beforehand,

- S and all g(S) are among them but for a proportion (K + 1) d (union): eps is at least the largest
  distance, which is the value;
- K d of the g(S) are not, on average, so m or more of them with probability at most K d/m (Markov):
  eps is at least the m-th largest distance but for a proportion (1 + K/m) d. For the median, m =
  ceil(K/2), that is 3d at most, however many maps there are.

Distances are those from the interval of the risk, whose miscoverage is to be added.
"""

import math

import numpy as np

from simbias.bounds.bound import BoundValue, bound, has_held_out, independent
from simbias.bounds.observed import HeldOut, Observed
from simbias.bounds.record import Assumption
from simbias.stats.binomial import clopper_pearson
from simbias.tasks.symmetries import symmetries


def _symmetric(observed: Observed) -> Assumption:
    """Some map leaves the law as it is."""
    text = "some map leaves the law as it is"
    if observed.blocks is None:
        return Assumption(text, False, "the laws are unknown")
    count = len(symmetries(observed.blocks))
    return Assumption(text, count > 0, f"{count} maps of {len(observed.blocks)} coordinates")


@bound(
    "uniform-convergence",
    family="convergence",
    certifies="nothing",
    kind="measure",
    assumptions=(independent, _symmetric, has_held_out),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
)
def uniform_convergence(observed: Observed, delta: float) -> BoundValue:
    """Every two-sided uniform-convergence bound on the gap is at least this large.

    The distance of the error on a mapped training set from the confidence interval of the risk, the
    largest over the maps; 0 where all lie inside. Among the terms: the median of the distances (the
    upper one of an even number), for which fewer samples have to be left out.
    """
    held_out = observed.held_out or HeldOut(0, 1)
    risk = clopper_pearson(np.array(held_out.errors), np.array(held_out.points), 1 - delta)
    low, high = float(risk.low), float(risk.high)
    rotation = np.eye(observed.x.shape[1]) if observed.rotation is None else observed.rotation
    unrotated = observed.x @ rotation.T
    terms = {"training error": observed.train_error, "risk, low": low, "risk, high": high}
    distances = []
    for name, mapped in symmetries(observed.blocks or ()).items():
        error = observed.error(observed.margins_at(mapped(unrotated, observed.y) @ rotation))
        terms[f"error, {name}"] = error
        distances.append(max(0.0, low - error, error - high))
    distances.sort(reverse=True)
    terms["maps"] = float(len(distances))
    terms["distance, median"] = distances[math.ceil(len(distances) / 2) - 1]
    return BoundValue(distances[0], terms)
