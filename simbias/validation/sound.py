"""Which networks of a stack are classifiers: those that did not diverge, with finite logits.

A comparison with NaN is false, so a network without finite logits would be counted as one that
says 0 everywhere. Whatever measures or draws a stack asks here first and leaves such members out.
"""

import jax
import numpy as np

from simbias._checks import fail
from simbias.training.stack import Stack
from simbias.training.stop import End
from simbias.validation.exceptions import train_margins


def faults(stack: Stack) -> tuple[str, ...]:
    """For each network why it is no classifier, in a few words; empty where it is one.

    It has diverged, its weights are not finite, or its logits are not on its own training set.
    """
    return tuple(weight_fault(stack, i) or _logit_fault(stack, i) for i in range(len(stack)))


def weight_fault(stack: Stack, i: int) -> str:
    """What is wrong with network ``i`` on any data: it diverged, or weights are not finite."""
    if stack.end[i] in (End.DIVERGED, End.LOST):
        return f"diverged: {stack.outcome(i)[1]}"
    leaves = [np.asarray(leaf[i]) for leaf in jax.tree.leaves(stack.params)]
    bad = sum(int(np.sum(~np.isfinite(leaf))) for leaf in leaves)
    return f"{bad} of {sum(leaf.size for leaf in leaves)} weights not finite" if bad else ""


def logit_fault(bad: int, points: int, kind: str) -> str:
    """What the number of points without a finite logit difference tells."""
    return f"logits not finite on {bad} of {points} {kind} points" if bad else ""


def _logit_fault(stack: Stack, i: int) -> str:
    margin = train_margins(stack, i)[0]
    return logit_fault(int(np.sum(~np.isfinite(margin))), len(margin), "training")


def sound(stack: Stack) -> Stack:
    """The stack of the networks that are classifiers; ValueError says why there are none."""
    found = faults(stack)
    kept = [seed for seed, fault in zip(stack.seeds, found, strict=True) if not fault]
    if not kept:
        said = "; ".join(f"seed {seed} {why}" for seed, why in zip(stack.seeds, found, strict=True))
        raise fail("stack", said, "a network with finite logits")
    return stack if len(kept) == len(stack) else stack.some(kept)


def sound_seed(stack: Stack, seed: int | None) -> int:
    """A seed whose network is a classifier: the one asked for, or the first there is.

    Raises:
        ValueError: it is not in the stack, or is no classifier, or none of them is.
    """
    if seed is None:
        return sound(stack).seeds[0]
    (fault,) = faults(stack.some([seed]))
    if fault:
        raise fail("seed", f"{seed}, {fault}", "a network with finite logits")
    return seed
