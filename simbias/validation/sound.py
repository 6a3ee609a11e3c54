"""Which members of a stack are usable classifiers: those that did not diverge, with finite scores.

A comparison with NaN is false, so a network without finite logits would be counted as one of label
0 everywhere. Measurements and figures leave such members out.
"""

from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Bool

from simbias._checks import fail
from simbias.models.classifier import Traced
from simbias.models.estimators import Fitted
from simbias.models.panel import Panel, panel
from simbias.stats.estimate import Estimate
from simbias.training.stack import Stack
from simbias.validation.exceptions import train_answers

Several = TypeVar("Several", Stack, Fitted)


def faults(learned: Stack | Fitted | Panel) -> tuple[str, ...]:
    """For each classifier why it is not usable, in a few words; empty where it is.

    It has diverged, or its weights, or its scores on its own training set, are not finite.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> simbias.validation.faults(stack)
        ('', '')
    """
    classifiers = panel(learned)
    return tuple(
        weight_fault(classifiers, i) or _score_fault(classifiers, i)
        for i in range(len(classifiers))
    )


def faulty(learned: Stack | Fitted | Panel) -> Bool[np.ndarray, " classifiers"]:
    """Which classifiers are not usable, by ``faults``."""
    return np.array([bool(fault) for fault in faults(learned)])


def of_sound(estimate: Estimate, left_out: Bool[np.ndarray, " classifiers"]) -> Estimate:
    """The estimates; NaN for classifiers that are left out."""
    return Estimate(*(np.where(left_out, np.nan, part) for part in estimate))


def weight_fault(classifiers: Panel, i: int) -> str:
    """The fault of classifier ``i`` on any data: it diverged, or weights are not finite."""
    member = classifiers.members[i]
    if not isinstance(member, Traced):
        return ""
    if member.fault:
        return member.fault
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(member.params)]
    bad = sum(int(np.sum(~np.isfinite(leaf))) for leaf in leaves)
    return f"{bad} of {sum(leaf.size for leaf in leaves)} weights not finite" if bad else ""


def score_fault(classifiers: Panel, i: int, bad: int, points: int, split: str) -> str:
    """The fault of classifier ``i`` with ``bad`` points without a finite score difference."""
    kind = classifiers.members[i].kind
    return f"{kind} not finite on {bad} of {points} {split} points" if bad else ""


def _score_fault(classifiers: Panel, i: int) -> str:
    scored = train_answers(classifiers, i).finite
    return score_fault(classifiers, i, int(np.sum(~scored)), len(scored), "training")


def sound(learned: Several) -> Several:
    """The members of a stack, or of estimators, without a fault; raises ValueError without any."""
    seeds = sound_seeds(learned)
    return learned if len(seeds) == len(learned) else learned.some(seeds)


def sound_seeds(learned: Stack | Fitted | Panel) -> list[int]:
    """The seeds of the classifiers without a fault; raises ValueError without any."""
    classifiers = panel(learned)
    reasons = faults(classifiers)
    seeds = [seed for seed, fault in zip(classifiers.seeds, reasons, strict=True) if not fault]
    if not seeds:
        arrived = "; ".join(
            f"seed {seed} {reason}" for seed, reason in zip(classifiers.seeds, reasons, strict=True)
        )
        raise fail("stack", arrived, "a network with finite logits")
    return seeds


def sound_seed(learned: Stack | Panel, seed: int | None) -> int:
    """A seed whose network has no fault: the one given, or the first.

    Raises:
        ValueError: it is not in the stack, or its network has a fault, or all of them have.
    """
    classifiers = panel(learned)
    if seed is None:
        return sound_seeds(classifiers)[0]
    i = classifiers.index(seed)
    fault = weight_fault(classifiers, i) or _score_fault(classifiers, i)
    if fault:
        raise fail("seed", f"{seed}, {fault}", "a network with finite logits")
    return seed
