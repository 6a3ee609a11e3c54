"""A lower bound on every two-sided uniform-convergence bound, from sign-flipped training sets.

V. Nagarajan, J. Z. Kolter, "Uniform convergence may be unable to explain generalization in deep
learning" (NeurIPS 2019). Where the law of a coordinate given the label is symmetric about 0, the
training set S with the signs of those coordinates flipped, S' = g(S), is distributed as S for any
fixed g. A two-sided bound eps on the gap of every network that training may return, from every
sample but a proportion delta, then holds on S' for the network learned from S, but for a proportion
of 2 delta: so eps >= |R(h_S) - error of h_S on g(S)|. The flips are fixed beforehand; several of
them cost one delta each.
"""

import numpy as np

from simbias.bounds.bound import BoundValue, bound, has_held_out, independent
from simbias.bounds.observed import HeldOut, Observed
from simbias.bounds.record import Assumption
from simbias.stats.binomial import clopper_pearson
from simbias.tasks.blocks import Block, Piece

_DIGITS = 9  # to which pieces are compared


def is_symmetric(block: Block) -> bool:
    """Whether both laws of a coordinate are unchanged by x -> -x."""

    def pieces(law: tuple[Piece, ...], sign: int) -> list[tuple[float, ...]]:
        ends = [sorted((sign * low, sign * high)) for low, high, _ in law]
        return sorted(
            tuple(round(float(v) + 0.0, _DIGITS) + 0.0 for v in (*pair, piece.mass))
            for pair, piece in zip(ends, law, strict=True)
        )

    return all(pieces(law, 1) == pieces(law, -1) for law in block.laws)


def flips(blocks: tuple[Block, ...]) -> dict[str, np.ndarray]:
    """Signs (dim,) by name: all, the first half, the second half and every other of the symmetric
    coordinates; empty where there are none."""
    places = np.flatnonzero([is_symmetric(block) for block in blocks])
    half = (len(places) + 1) // 2
    chosen = {
        "all": places,
        "first half": places[:half],
        "second half": places[half:],
        "every other": places[::2],
    }
    signs = {}
    for name, index in chosen.items():
        if len(index):
            signs[name] = np.ones(len(blocks))
            signs[name][index] = -1
    return signs


def _symmetric(observed: Observed) -> Assumption:
    text = "some coordinates are sign-symmetric given the label"
    if observed.blocks is None:
        return Assumption(text, False, "the laws are unknown")
    count = sum(map(is_symmetric, observed.blocks))
    return Assumption(text, count > 0, f"{count} of {len(observed.blocks)}")


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

    The distance of the error on a flipped training set from the confidence interval of the risk,
    the largest over the flips; 0 where all lie inside.
    """
    held_out = observed.held_out or HeldOut(0, 1)
    risk = clopper_pearson(np.array(held_out.errors), np.array(held_out.points), 1 - delta)
    low, high = float(risk.low), float(risk.high)
    rotation = np.eye(observed.x.shape[1]) if observed.rotation is None else observed.rotation
    unrotated = observed.x @ rotation.T
    terms = {"training error": observed.train_error, "risk, low": low, "risk, high": high}
    value = 0.0
    for name, signs in flips(observed.blocks or ()).items():
        error = observed.error(observed.margins_at((unrotated * signs) @ rotation))
        terms[f"error, {name} flipped"] = error
        value = max(value, low - error, error - high)
    return BoundValue(value, terms)
