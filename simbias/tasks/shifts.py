"""Shifted tasks: the same coordinates, differently distributed.

All but two keep the achievable rule right on every point, so that a network's loss of accuracy is
due to its own rule. Where the other coordinates are in conflict only the simple rule is right; on
the gaps of the slab coordinates no rule is right or wrong, and only the agreement of networks can
be measured.
"""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from simbias._checks import fail, known, real
from simbias.tasks.block_task import BlockTask
from simbias.tasks.blocks import Block, Pair, Piece
from simbias.tasks.oracle import (
    attained_rule,
    bayes_rule,
    decided,
    parts_of,
    simple_rule,
)
from simbias.tasks.tilted import tilted_risk

_MOST_POWER = 10.0


class Shift(NamedTuple):
    """How a task is shifted.

    Attributes:
        change: the new law of a coordinate, given the number behind the name (NaN: none).
        simple: which coordinates change: those of the simple set, the others, or all (None).
        low, high: the range of the number; None: the shift takes none.
        benign: whether the achievable rule stays right on every point.
        tilts: whether the number is an angle, by which points are tilted in a plane.
        check: raises ValueError for a task that cannot be shifted so far; None: it always can.

    Examples:
        >>> from simbias.tasks.shifts import SHIFTS
        >>> shift = SHIFTS["conflict"]
        >>> shift.low, shift.high, shift.benign
        (0, 1, True)
    """

    change: Callable[[Block, float], Block]
    simple: bool | None
    low: float | None = None
    high: float | None = None
    benign: bool = True
    tilts: bool = False
    check: Callable[[BlockTask, float], None] | None = None


class OracleAccuracy(NamedTuple):
    """Exact accuracies of a task's own rules under a shift; None where it lacks the rule.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.shifts import oracle_accuracy
        >>> oracle_accuracy(simbias.tasks.get("lms-5", dim=4), "none")
        OracleAccuracy(simple=1.0, achievable=1.0)
    """

    simple: float | None
    achievable: float | None


def in_gaps(block: Block) -> Block:
    """The coordinate uniform over its gaps, the space between its decided intervals.

    Raises:
        ValueError: a coordinate without gaps: standard normal, or of one decided interval.
    """
    certain = [part for part in parts_of(block) if (part.negative > 0) != (part.positive > 0)]
    ends = [(left.high, right.low) for left, right in pairwise(certain) if left.high < right.low]
    total = sum(high - low for low, high in ends)
    if not total:
        raise fail("block", block.kind, "a coordinate with gaps between decided intervals")
    law = tuple(Piece(low, high, (high - low) / total) for low, high in ends)
    return replace(block, laws=Pair(law, law))


def tempered(block: Block, power: float) -> Block:
    """The coordinate with interval masses given the label as a power of its own; 0: all equal."""

    def law(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        masses = [piece.mass**power for piece in pieces]
        return tuple(
            piece._replace(mass=mass / sum(masses))
            for piece, mass in zip(pieces, masses, strict=True)
        )

    return replace(block, laws=Pair(*map(law, block.laws)))


def in_conflict(block: Block, probability: float) -> Block:
    """The coordinate drawn, with a probability, as if given the other label."""

    def law(own: tuple[Piece, ...], other: tuple[Piece, ...]) -> tuple[Piece, ...]:
        pieces = [piece._replace(mass=(1 - probability) * piece.mass) for piece in own]
        pieces += [piece._replace(mass=probability * piece.mass) for piece in other]
        return tuple(sorted(piece for piece in pieces if piece.mass > 0))

    negative, positive = block.laws
    return replace(block, laws=Pair(law(negative, positive), law(positive, negative)))


def concentrated(block: Block, proportion: float) -> Block:
    """The coordinate with a proportion of each interval's mass in its inner half; 1/2: as it is.

    The density stays symmetric about the middle of each interval, and its support within it.
    """

    def parts(piece: Piece) -> list[Piece]:
        low, high, mass = piece
        quarter, beside = (high - low) / 4, mass * (1 - proportion) / 2
        if not quarter:
            return [piece]
        return [
            Piece(low, low + quarter, beside),
            Piece(low + quarter, high - quarter, mass * proportion),
            Piece(high - quarter, high, beside),
        ]

    laws = ([part for piece in law for part in parts(piece) if part.mass > 0] for law in block.laws)
    return replace(block, laws=Pair(*map(tuple, laws)))


def moved(block: Block, distance: float) -> Block:
    """The coordinate with every interval moved by a distance; a normal one stays."""
    laws = (
        tuple(Piece(low + distance, high + distance, mass) for low, high, mass in law)
        for law in block.laws
    )
    return replace(block, laws=Pair(*laws))


def _within_gaps(task: BlockTask, distance: float) -> None:
    """Raise ValueError where a coordinate outside the simple set would move across a cut."""
    others = {task.blocks[i]: i for i in task.others}
    least = min(
        (
            abs(cut - end)
            for block, i in others.items()
            for cut in bayes_rule(task, i).cuts
            for part in decided(block)
            for end in part[:2]
        ),
        default=math.inf,
    )
    if not abs(distance) < least:
        raise fail(
            "shift", f"move-others={distance:g} on {task.name}", f"less than the margin, {least:g}"
        )


def _has_plane(task: BlockTask, angle: float) -> None:
    """Raise ValueError unless a simple and another coordinate, with densities, span a plane."""
    first = [task.blocks[i] for i in (*task.simple_set[:1], *task.others[:1])]
    pieces = [piece for block in first for law in block.laws for piece in law]
    dense = all(block.laws.positive for block in first) and all(p.low < p.high for p in pieces)
    if len(first) < 2 or not task.simple_set or not dense:
        words = "a task with a simple and another coordinate, both of intervals"
        raise fail("shift", f"tilt={angle:g} on {task.name}", words)


SHIFTS: dict[str, Shift] = {
    "none": Shift(lambda block, _: block, None),
    "margin": Shift(lambda block, _: in_gaps(block), True),
    "conflict": Shift(in_conflict, True, 0, 1),
    "move": Shift(moved, True, -2, 2),
    "even-slabs": Shift(lambda block, _: tempered(block, 0), False),
    "slab-masses": Shift(tempered, False, 0, _MOST_POWER),
    "move-others": Shift(moved, False, -1, 1, check=_within_gaps),
    "density": Shift(concentrated, None, 0, 1),
    "tilt": Shift(lambda block, _: block, None, -180, 180, tilts=True, check=_has_plane),
    "conflict-others": Shift(in_conflict, False, 0, 1, benign=False),
    "gaps": Shift(lambda block, _: in_gaps(block), False, benign=False),
}
BENIGN = tuple(name for name, shift in SHIFTS.items() if shift.benign)


def read_shift(
    text: object, *, among: Collection[str] = tuple(SHIFTS), argument: str = "shift"
) -> tuple[str, float]:
    """The name of a shift and its number (NaN: none), of ``"NAME"`` or ``"NAME=NUMBER"``.

    Raises:
        ValueError: an unknown name, a number that is missing, out of range or not wanted.
    """
    name, equals, number = text.partition("=") if isinstance(text, str) else (text, "", "")
    name = known(argument, name, among)
    low, high = SHIFTS[name].low, SHIFTS[name].high
    if low is None or high is None:
        if equals:
            raise fail(argument, text, f"{name}, without a number")
        return name, math.nan
    try:
        return name, real(argument, float(number), low, high)
    except ValueError:
        raise fail(argument, text, f"{name}=NUMBER, in [{low:g}, {high:g}]") from None


def shifted(task: BlockTask, shift: str) -> BlockTask:
    """The task under a shift.

    Args:
        task: what networks were trained on.
        shift: of the simple coordinates: ``"margin"``, they lie in their margin whatever the
            label, and only the others are informative; ``"conflict=P"``, each is drawn as given
            the other label with probability P (a symmetric one changes its sign; at 1/2 the
            simple set is randomised); ``"move=S"``, they move by S.

            Of the others: ``"even-slabs"``, all slabs are equally likely given the label;
            ``"slab-masses=T"``, slabs have masses in proportion to the power T of their own;
            ``"move-others=S"``, they move by S, less than the margin. Not benign are
            ``"conflict-others=P"`` and ``"gaps"``, where they lie in the gaps between slabs
            whatever the label, and the training distribution has no mass.

            Of all: ``"none"``; ``"density=W"``, a proportion W of the mass of each interval lies in
            its inner half; ``"tilt=A"``, points are turned by A degrees in the plane of the first
            simple and the first other coordinate, so that a rule of any further one stays right.

    Raises:
        ValueError: an unknown shift, a number out of its range, a task without simple coordinates
            for a shift of these, gaps where coordinates are normal, or a benign shift by which the
            achievable rule would label more points wrongly.

    Notes:
        Changed coordinates are independent of each other given the label, as all are before points
        are tilted. At 1/2
        ``"conflict-others"`` draws each with a label of its own, where the S^c-randomised points
        of a report keep one other label for all of them; for a rule of one coordinate it is the
        same.
    """
    name, number = read_shift(shift)
    if name == "none":
        return task
    kind = SHIFTS[name]
    if kind.simple and not task.simple_set:
        raise fail("shift", f"{shift} on {task.name}", "a task with a simple set")
    text = name if math.isnan(number) else f"{name}={number!r}"
    blocks = tuple(
        kind.change(block, number)
        if kind.simple is None or (i in task.simple_set) == kind.simple
        else block
        for i, block in enumerate(task.blocks)
    )
    if kind.check is not None:
        kind.check(task, number)
    moved_task = replace(
        task,
        settings={**task.settings, "shift": text},
        blocks=blocks,
        angle=number if kind.tilts else task.angle,
    )
    rule = attained_rule(task) if kind.benign else None
    if rule is not None and tilted_risk(moved_task, rule) > tilted_risk(task, rule) + 1e-12:
        words = "one that keeps the labels of the achievable rule right"
        raise fail("shift", f"{shift} on {task.name}", words)
    return moved_task


def possible_shifts(task: BlockTask, shifts: Iterable[str]) -> list[str]:
    """Those of some shifts that a task has, in their order.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.shifts import possible_shifts
        >>> possible_shifts(simbias.tasks.get("ms-7", dim=3), ["margin", "even-slabs"])
        ['even-slabs']
    """
    possible = []
    for shift in shifts:
        try:
            shifted(task, shift)
        except ValueError:
            continue
        possible.append(shift)
    return possible


def oracle_accuracy(task: BlockTask, shift: str) -> OracleAccuracy:
    """Exact accuracies under a shift of the task's own simple and achievable rule.

    They are finite sums over the laws of one coordinate each, or of two where points are tilted. On
    a linear simple coordinate of margin m and noise p, and slabs without noise, they are:

    ===================  ========================================  ==========
    shift                simple                                    achievable
    ===================  ========================================  ==========
    none, density,       1 - p/2                                   1
    even-slabs,
    slab-masses,
    move-others
    conflict=q           1 - p/2 - q (1 - p)                       1
    margin               1/2                                       1
    move=s               1 - p/2 - (1 - p) min(1, d / (1-m)) / 2,  1
                         d = max(0, abs(s) - m)
    conflict-others=q    1 - p/2                                   1 - q
    gaps                 1 - p/2                                   1/2
    tilt=a               of cos(a) x0 - sin(a) x1, whose law is    1
                         a sum of trapezoids
    ===================  ========================================  ==========

    Where labels are flipped independently with probability h, an accuracy a becomes
    h + (1 - 2h) a.

    Args:
        task: the task whose rules are meant.
        shift: see ``shifted``.

    Raises:
        ValueError: a shift that the task does not have.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.shifts import oracle_accuracy
        >>> task = simbias.tasks.get("noisy-lms-7", noise=0.5)
        >>> oracle_accuracy(task, "conflict=0.25")
        OracleAccuracy(simple=0.625, achievable=1.0)
    """
    other = shifted(task, shift)
    rules = simple_rule(task), attained_rule(task)
    return OracleAccuracy(
        *(None if rule is None else 1 - tilted_risk(other, rule) for rule in rules)
    )
