"""A lower bound on every two-sided uniform-convergence bound, from sign-flipped training sets.

V. Nagarajan, J. Z. Kolter, "Uniform convergence may be unable to explain generalization in deep
learning" (NeurIPS 2019). Where the law of a coordinate given the label is symmetric about 0, the
training set S with the signs of those coordinates flipped, S' = g(S), is distributed as S for any
fixed g. A two-sided bound eps on the gap of every network that training may return, from every
sample but a share delta, then holds on S' for the network learned from S, but for a share of
2 delta: so eps >= |R(h_S) - error of h_S on g(S)|. The flips are fixed beforehand; several of them
cost one delta each.
"""

import numpy as np

from simbias.bounds.bound import Found, bound, has_held_out, independent
from simbias.bounds.evidence import Evidence, HeldOut
from simbias.bounds.record import Premise
from simbias.stats.binomial import clopper_pearson
from simbias.tasks.blocks import Block, Piece

_DIGITS = 9


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
    made = {}
    for name, index in chosen.items():
        if len(index):
            made[name] = np.ones(len(blocks))
            made[name][index] = -1
    return made


def _symmetric(evidence: Evidence) -> Premise:
    text = "some coordinates are sign-symmetric given the label"
    if evidence.blocks is None:
        return Premise(text, False, "the laws are unknown")
    count = sum(map(is_symmetric, evidence.blocks))
    return Premise(text, count > 0, f"{count} of {len(evidence.blocks)}")


@bound(
    "uniform-convergence",
    family="convergence",
    certifies="nothing",
    kind="measure",
    premises=(independent, _symmetric, has_held_out),
    invariant=("permutation", "unit-rescaling", "layer-rescaling"),
)
def uniform_convergence(evidence: Evidence, delta: float) -> Found:
    """Every two-sided uniform-convergence bound on the gap is at least this large.

    The distance of the error on a flipped training set from the confidence interval of the risk,
    the largest over the flips; 0 where all lie inside.
    """
    held = evidence.held_out or HeldOut(0, 1)
    risk = clopper_pearson(np.array(held.errors), np.array(held.points), 1 - delta)
    low, high = float(risk.low), float(risk.high)
    turn = np.eye(evidence.x.shape[1]) if evidence.rotation is None else evidence.rotation
    plain = evidence.x @ turn.T
    terms = {"training error": evidence.train_error, "risk, low": low, "risk, high": high}
    value = 0.0
    for name, signs in flips(evidence.blocks or ()).items():
        error = evidence.error(evidence.margins_at((plain * signs) @ turn))
        terms[f"error, {name} flipped"] = error
        value = max(value, low - error, error - high)
    return Found(value, terms)
