"""Which members of a stack are classifiers: those that did not diverge, with finite scores.

A comparison with NaN is false, so a network without finite logits would be counted as one that
says 0 everywhere. Whatever measures or draws classifiers asks here first and leaves such members
out.
"""

from typing import TypeVar

import jax
import numpy as np

from simbias._checks import fail
from simbias.models.classifier import Traced
from simbias.models.estimators import Fitted
from simbias.models.panel import Panel, panel
from simbias.training.stack import Stack
from simbias.validation.exceptions import train_answers

Several = TypeVar("Several", Stack, Fitted)


def faults(learned: Stack | Fitted | Panel) -> tuple[str, ...]:
    """For each classifier why it is none, in a few words; empty where it is one.

    It has diverged, its weights are not finite, or its scores are not on its own training set.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> simbias.validation.faults(stack)
        ('', '')
    """
    asked = panel(learned)
    return tuple(weight_fault(asked, i) or _score_fault(asked, i) for i in range(len(asked)))


def weight_fault(asked: Panel, i: int) -> str:
    """What is wrong with classifier ``i`` on any data: it diverged, or weights are not finite."""
    member = asked.members[i]
    if not isinstance(member, Traced):
        return ""
    if member.fault:
        return member.fault
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(member.params)]
    bad = sum(int(np.sum(~np.isfinite(leaf))) for leaf in leaves)
    return f"{bad} of {sum(leaf.size for leaf in leaves)} weights not finite" if bad else ""


def score_fault(asked: Panel, i: int, bad: int, points: int, which: str) -> str:
    """What the number of points without a finite score difference tells."""
    kind = asked.members[i].kind
    return f"{kind} not finite on {bad} of {points} {which} points" if bad else ""


def _score_fault(asked: Panel, i: int) -> str:
    scored = train_answers(asked, i).finite
    return score_fault(asked, i, int(np.sum(~scored)), len(scored), "training")


def sound(learned: Several) -> Several:
    """Those of a stack, or of estimators, that are classifiers; ValueError says why none is."""
    kept = sound_seeds(learned)
    return learned if len(kept) == len(learned) else learned.some(kept)


def sound_seeds(learned: Stack | Fitted | Panel) -> list[int]:
    """The seeds of the classifiers that can be judged; ValueError says why there are none."""
    asked = panel(learned)
    found = faults(asked)
    kept = [seed for seed, fault in zip(asked.seeds, found, strict=True) if not fault]
    if not kept:
        said = "; ".join(f"seed {seed} {why}" for seed, why in zip(asked.seeds, found, strict=True))
        raise fail("stack", said, "a network with finite logits")
    return kept


def sound_seed(learned: Stack | Panel, seed: int | None) -> int:
    """A seed whose network is a classifier: the one asked for, or the first there is.

    Raises:
        ValueError: it is not in the stack, or is no classifier, or none of them is.
    """
    asked = panel(learned)
    if seed is None:
        return sound_seeds(asked)[0]
    i = asked.index(seed)
    fault = weight_fault(asked, i) or _score_fault(asked, i)
    if fault:
        raise fail("seed", f"{seed}, {fault}", "a network with finite logits")
    return seed
