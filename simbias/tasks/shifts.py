"""Shifted tasks: the same coordinates, differently distributed.

The first three keep the achievable rule right on every point, so that a network's loss of accuracy
is due to its own rule; on the gaps of the slab coordinates no rule is right or wrong, and only the
agreement of networks can be measured.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from simbias._checks import fail, known
from simbias.tasks.block_task import BlockTask
from simbias.tasks.blocks import Block, Pair, Piece
from simbias.tasks.oracle import parts_of


def in_gaps(block: Block) -> Block:
    """The coordinate uniform over its gaps, the space between its decided intervals.

    Raises:
        ValueError: a coordinate without gaps: standard normal, or of one decided interval.
    """
    decided = [part for part in parts_of(block) if (part.negative > 0) != (part.positive > 0)]
    ends = [(left.high, right.low) for left, right in pairwise(decided) if left.high < right.low]
    total = sum(high - low for low, high in ends)
    if not total:
        raise fail("block", block.kind, "a coordinate with gaps between decided intervals")
    law = tuple(Piece(low, high, (high - low) / total) for low, high in ends)
    return replace(block, laws=Pair(law, law))


def evened(block: Block) -> Block:
    """The coordinate with all its intervals equally likely given the label."""
    negative, positive = (
        tuple(piece._replace(mass=1 / len(law)) for piece in law) for law in block.laws
    )
    return replace(block, laws=Pair(negative, positive))


def _changed(
    task: BlockTask, change: Callable[[Block], Block], *, simple: bool
) -> tuple[Block, ...]:
    """The blocks with those of the simple set changed, or all the others."""
    return tuple(
        change(block) if (i in task.simple_set) == simple else block
        for i, block in enumerate(task.blocks)
    )


SHIFTS: dict[str, Callable[[BlockTask], tuple[Block, ...]]] = {
    "none": lambda task: task.blocks,
    "margin": lambda task: _changed(task, in_gaps, simple=True),
    "even-slabs": lambda task: _changed(task, evened, simple=False),
    "gaps": lambda task: _changed(task, in_gaps, simple=False),
}
BENIGN = ("none", "margin", "even-slabs")


def shifted(task: BlockTask, shift: str) -> BlockTask:
    """The task under a shift.

    Args:
        task: what networks were trained on.
        shift: ``"none"``; ``"margin"``: the simple coordinates lie in their margin whatever the
            label, and only the others are informative; ``"even-slabs"``: all slabs are equally
            likely given the label; ``"gaps"``: the others lie in the gaps between slabs whatever
            the label, where the training distribution has no mass.

    Raises:
        ValueError: an unknown shift, a task without simple coordinates for ``"margin"``, or one
            with normal coordinates.
    """
    known("shift", shift, SHIFTS)
    if shift == "margin" and not task.simple_set:
        raise fail("shift", f"{shift} on {task.name}", "a task with a simple set")
    settings = {**task.settings, "shift": shift} if shift != "none" else task.settings
    return replace(task, settings=settings, blocks=SHIFTS[shift](task))
