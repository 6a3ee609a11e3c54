"""Numbers of lineages for claims: means of a measure, and whether all follow their closed forms.

A unit is a block of lineages: those of one seed. The mean that its lineages are drawn from has an
interval by the normal limit, and wants 30 of them; what they were themselves needs none.
"""

import math

import numpy as np
from scipy.special import ndtri

from simbias._checks import known, whole
from simbias.generations.agreement import agreement
from simbias.generations.generator import MEASURES
from simbias.generations.lineages import LineageCell
from simbias.generations.stack import LineageStack
from simbias.quantities import Argument, Estimate, Subject, quantity

_FEWEST = 30  # lineages of a mean with an interval


def _within(cell: object, generation: float) -> None:
    if isinstance(cell, LineageCell):
        whole("generation", generation, most=cell.generations)


_MEASURE = Argument("measure", lambda name: known("measure", name, MEASURES))
_GENERATION = Argument("number", lambda value: whole("generation", value), _within)


@quantity(
    -math.inf, math.inf, needs=("lineages",), interval="normal", argument=(_MEASURE, _GENERATION)
)
def lineage_mean(subject: Subject, measure: str, generation: int) -> Estimate:
    """Mean of a measure over the lineages of a seed at a generation."""
    stack = subject.stack
    assert isinstance(stack, LineageStack)
    wide = -float(ndtri((1 - subject.confidence) / 2))
    rows = []
    for moments in stack.moments:
        kept = moments.get(measure)
        if kept is None or kept.counted[generation - 1] < _FEWEST:
            rows.append((math.nan, math.nan, math.nan))
            continue
        mean, error = kept.mean[generation - 1], kept.error[generation - 1]
        rows.append((mean, mean - wide * error, mean + wide * error))
    return Estimate(*np.array(rows, float).T)


@quantity(-math.inf, math.inf, needs=("lineages",), argument=(_MEASURE, _GENERATION))
def lineage_value(subject: Subject, measure: str, generation: int) -> list[float]:
    """A measure of the lineages of a seed at a generation, averaged over as many as there are."""
    stack = subject.stack
    assert isinstance(stack, LineageStack)
    own = [moments.get(measure) for moments in stack.moments]
    return [math.nan if kept is None else float(kept.mean[generation - 1]) for kept in own]


@quantity(
    0,
    math.inf,
    needs=("lineages",),
    argument=Argument("number", lambda value: whole("last", value), _within),
)
def lineage_misfit(subject: Subject, last: int) -> list[float]:
    """Farthest mean of a seed's lineages from its closed form, over its simultaneous 99% limit."""
    stack = subject.stack
    assert isinstance(stack, LineageStack)
    misfits = []
    for moments in stack.moments:
        entries = agreement({stack.cell: moments})
        early = [entry.off for entry in entries if entry.generation <= last]
        misfits.append(max(early, default=math.nan))
    return misfits
