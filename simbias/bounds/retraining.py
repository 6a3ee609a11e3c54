"""What training on altered sets says of generalisation: measures that train networks anew.

To replace one point: for a training set S of independent points z_1, ..., z_n, and S^i with another
draw z' in the place of z_i, z_i is a fresh point for the network A(S^i), which is distributed as
A(S). So the expected error on fresh points is E err(A(S^i), z_i), for every i, and

    E gap = E 1/n sum_i (err(A(S^i), z_i) - err(A(S), z_i)),

whatever the algorithm (O. Bousquet, A. Elisseeff, JMLR 2002; S. Shalev-Shwartz et al., JMLR 2010).
The right side is stability on average, measured here on some i of one S: its interval is about this
training set, its replacements and the training's randomness, and covers the mean over all of its n
points. It is a measure: what bounds promise of it, for algorithms whose stability is proved, is the
expectation over all training sets. (Without a replacement batches would hold other points, and more
than one thing would differ.)

Coin flips: let labels be h(x) in {-1, 1} of networks h from a class H, and sigma n fair signs. A
bound that holds for all of a class at once by its Rademacher complexity reads, with probability 1 -
delta (P. Bartlett, S. Mendelson, JMLR 2002),

    R <= training error + Rad_S(H) + 3 sqrt(ln(2/delta)/(2n)),
    Rad_S(H) = E_sigma sup_{h in H} 1/n sum_i sigma_i h(x_i),

since the errors (1 - y h(x))/2 have half the complexity of H, which counts twice. Training on sigma
for labels ends in some h of any class that holds what training can reach, and with training error e
its sum is 1 - 2e: so Rad_S(H) >= E (1 - 2e), and the right side cannot be below what is computed.
"""

import math

import numpy as np

from simbias.bounds.bound import INVARIANCES, BoundValue, bound, independent
from simbias.bounds.observed import Observed
from simbias.bounds.record import Assumption
from simbias.stats.bounded import betting_interval
from simbias.stats.student import half_width_of_mean


def _replaced(observed: Observed) -> Assumption:
    """Networks were trained with one point replaced."""
    replacements = observed.replacements
    detail = "none" if replacements is None else f"{len(replacements.errs)} points"
    return Assumption("networks trained with one point replaced", replacements is not None, detail)


def _on_coins(observed: Observed) -> Assumption:
    """Networks were trained on coin flips."""
    errors = observed.coin_errors
    detail = "none" if errors is None else f"{len(errors)} draws"
    return Assumption("networks trained on coin flips", errors is not None, detail)


@bound(
    "replace-one",
    family="stability",
    certifies="nothing",
    kind="measure",
    assumptions=(independent, _replaced),
    invariant=INVARIANCES,
    layers=False,
)
def replace_one(observed: Observed, delta: float) -> BoundValue:
    """Error on a training point once another draw has its place, less the error with it: the gap.

    Among the terms: the interval of the value, exact for points drawn without replacement (by
    betting, at confidence 1 - delta); the mean change of the loss, with Student's approximate
    interval where the changes differ; the proportion of fresh points that are labelled otherwise
    after a replacement, on average and at most.
    """
    replacements = observed.replacements
    assert replacements is not None  # the assumption
    change = replacements.other_errs.astype(float) - replacements.errs
    low, high = betting_interval((change + 1) / 2, 1 - delta)
    loss = replacements.other_loss - replacements.loss
    terms = {
        "value, low": 2 * float(low) - 1,
        "value, high": 2 * float(high) - 1,
        "error on the points": float(replacements.errs.mean()),
        "error without them": float(replacements.other_errs.mean()),
        "change of the loss": float(loss.mean()),
        "labels changed, mean": float(replacements.relabelled.mean()),
        "labels changed, most": float(replacements.relabelled.max()),
        "points": float(len(change)),
    }
    width = half_width_of_mean(loss, 1 - delta)
    if not math.isnan(width):
        terms |= {
            "change of the loss, low": terms["change of the loss"] - width,
            "change of the loss, high": terms["change of the loss"] + width,
        }
    return BoundValue(float(change.mean()), terms)


@bound(
    "rademacher-floor",
    family="capacity",
    certifies="nothing",
    kind="measure",
    assumptions=(independent, _on_coins),
    invariant=INVARIANCES,
)
def rademacher_floor(observed: Observed, delta: float) -> BoundValue:
    """What no bound by the Rademacher complexity of all that training reaches can be below.

    Training error + mean of 1 - 2 (error on coin flips) + 3 sqrt(ln(2/delta)/(2n)). A measure: the
    mean over few draws stands for the expectation, whose interval (by betting, at confidence 1 -
    delta) is among the terms, and training is no exact supremum.
    """
    errors = observed.coin_errors
    assert errors is not None  # the assumption
    low, high = betting_interval(errors, 1 - delta)
    complexity = float(np.mean(1 - 2 * errors))
    confidence = 3 * math.sqrt(math.log(2 / delta) / (2 * observed.n))
    terms = {
        "training error": observed.train_error,
        "complexity": complexity,
        "confidence": confidence,
        "complexity, low": 1 - 2 * float(high),
        "complexity, high": 1 - 2 * float(low),
        "draws": float(len(errors)),
    }
    return BoundValue(observed.train_error + complexity + confidence, terms)
