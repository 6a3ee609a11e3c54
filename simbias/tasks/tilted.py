"""The exact risk of one-coordinate rules on a task whose points are tilted in a plane.

A tilted coordinate is u = a x + b z of two coordinates that are independent given the label, each
uniform on one of its intervals: a trapezoidal law for each pair of intervals.
"""

from itertools import pairwise, product

import numpy as np

from simbias.tasks.block_task import BlockTask
from simbias.tasks.oracle import Rule, rule_risk

_ALONE = 1e-12  # a coefficient of no more leaves the other coordinate alone


def tilted_risk(task: BlockTask, rule: Rule) -> float:
    """The exact error of a one-coordinate rule on a task, tilted or not.

    A rule of a coordinate outside the tilted plane has the risk that it has without the tilt.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import simple_rule
        >>> from simbias.tasks.shifts import shifted
        >>> from simbias.tasks.tilted import tilted_risk
        >>> task = simbias.tasks.get("lms-7", dim=3)
        >>> round(tilted_risk(shifted(task, "tilt=90"), simple_rule(task)), 12)
        0.5
    """
    weights = None if task.tilt is None else task.tilt[:, rule.coordinate]
    parts = [] if weights is None else [int(j) for j in np.flatnonzero(abs(weights) > _ALONE)]
    if weights is None or (parts == [rule.coordinate] and weights[rule.coordinate] > 0):
        return rule_risk(task, rule)
    edges = [-np.inf, *rule.cuts, np.inf]
    wrong = 0.0
    for label in (0, 1):
        laws = [task.blocks[j].laws[label] for j in parts]
        for pieces in product(*laws):
            mass = float(np.prod([piece.mass for piece in pieces]))
            ends = [
                sorted((weights[j] * piece.low, weights[j] * piece.high))
                for j, piece in zip(parts, pieces, strict=True)
            ]
            start = sum(low for low, _ in ends)
            widths = sorted(high - low for low, high in ends)
            below = [trapezoid(edge - start, *([0.0, *widths][-2:])) for edge in edges]
            for i, (left, right) in enumerate(pairwise(below)):
                if (rule.first + i) % 2 != label:
                    wrong += mass * (right - left)
    return wrong / 2


def trapezoid(value: float, narrow: float, wide: float) -> float:
    """P(v + w <= value) of v uniform on [0, narrow] and w on [0, wide], narrow <= wide, 0 < wide.

    Examples:
        >>> from simbias.tasks.tilted import trapezoid
        >>> trapezoid(0.5, 1.0, 1.0), trapezoid(1.0, 0.0, 4.0), trapezoid(2.0, 1.0, 2.0)
        (0.125, 0.25, 0.75)
    """
    if value <= 0:
        return 0.0
    if value >= narrow + wide:
        return 1.0
    if value < narrow:
        return value**2 / (2 * narrow * wide)
    if value <= wide:
        return (value - narrow / 2) / wide
    return 1 - (narrow + wide - value) ** 2 / (2 * narrow * wide)
