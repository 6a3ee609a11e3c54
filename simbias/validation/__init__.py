"""What was learned: population risk, reliance, exceptions and agreement, each with an interval.

``validate`` measures a stack on fresh draws; ``measure_grids`` lays dense grids over planes and
counts cuts, ``measure_islands`` looks around memorised exceptions, and ``geometry`` has the exact
boundary of a ReLU network on any plane, and the exact risk on a task of two coordinates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import instance, real, whole
from simbias._pinned import pinned
from simbias.training.stack import Stack
from simbias.validation.controls import control
from simbias.validation.exceptions import Ledger, ledger, train_fit
from simbias.validation.geometry import exact_risk
from simbias.validation.grids import GridReport, measure_grids
from simbias.validation.islands import IslandReport, measure_islands
from simbias.validation.reliance import Randomised, Reliance
from simbias.validation.risk import Estimate, clopper_pearson, count
from simbias.validation.sound import faults, logit_fault, weight_fault

__all__ = [
    "Estimate",
    "GridReport",
    "IslandReport",
    "Ledger",
    "Reliance",
    "Report",
    "control",
    "exact_risk",
    "faults",
    "measure_grids",
    "measure_islands",
    "validate",
]

N_CERTIFY = 200_000
Counted = Int[np.ndarray, " seeds"]


@dataclass(frozen=True)
class Report:
    """What ``validate`` found; every estimate has one entry a network.

    A network that is no classifier, because it diverged or its weights or logits are not finite,
    has NaN for every number but the count of its training exceptions.

    Attributes:
        faults: for each network why it is no classifier; empty where it is one.
        n_certify: fresh points a network.
        confidence: coverage of each interval.
        train_loss, train_accuracy: mean cross-entropy (nats) and accuracy on the training set.
        risk: 1 - accuracy on fresh draws.
        reliance: accuracy and AUC on randomised inputs.
        exceptions: the ledger of the points that the simple rule labels wrongly.
        simple_agreement: share of fresh points on which the network says what the simple rule says;
            NaN where the task has no simple set.
        achievable_agreement: the same for the achievable rule.
    """

    faults: tuple[str, ...]
    n_certify: int
    confidence: float
    train_loss: Float[np.ndarray, " seeds"]
    train_accuracy: Float[np.ndarray, " seeds"]
    risk: Estimate
    reliance: Reliance
    exceptions: Ledger
    simple_agreement: Estimate
    achievable_agreement: Estimate


@pinned
def validate(stack: Stack, *, n_certify: int = N_CERTIFY, confidence: float = 0.95) -> Report:
    """Measure what the networks of a stack learned, on fresh draws.

    The draws come from each network's own certify stream: independent of its training set and of
    the points its traces were evaluated on.

    Args:
        stack: trained networks, or a control.
        n_certify: fresh points a network; memory does not depend on it.
        confidence: coverage of each two-sided interval, in (0, 1).

    Raises:
        ValueError: an argument out of range.
    """
    instance("stack", stack, Stack)
    n_certify = whole("n_certify", n_certify)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    randomised = Randomised()
    counts = count(stack, n_certify, randomised)
    trained = train_fit(stack)
    found = tuple(
        weight_fault(stack, i)
        or logit_fault(trained.unscored[i], stack.cell.n_train, "training")
        or logit_fault(counts.unscored[i], n_certify, "fresh")
        for i in range(len(stack))
    )
    left_out = np.array([bool(fault) for fault in found])
    counts = counts.without(left_out)
    loss, accuracy = (np.where(left_out, np.nan, part) for part in trained[:2])
    trained = trained._replace(loss=loss, accuracy=accuracy)

    def share(successes: Counted, trials: Counted = counts.points) -> Estimate:
        return clopper_pearson(successes, trials, confidence)

    def kept(estimate: Estimate) -> Estimate:
        return Estimate(*(np.where(left_out, np.nan, part) for part in estimate))

    has_simple = counts.points if stack.cell.block_task.simple_set else 0 * counts.points
    return Report(
        faults=found,
        n_certify=n_certify,
        confidence=confidence,
        train_loss=trained.loss,
        train_accuracy=trained.accuracy,
        risk=share(counts.points - counts.correct),
        reliance=Reliance(
            share(counts.s_correct),
            share(counts.sc_correct),
            kept(randomised.s_auc.estimate(confidence)),
            kept(randomised.sc_auc.estimate(confidence)),
        ),
        exceptions=ledger(stack, trained, counts, confidence),
        simple_agreement=share(counts.simple_agreed, has_simple),
        achievable_agreement=share(counts.achievable_agreed),
    )
