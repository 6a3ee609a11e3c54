"""Boundaries in a plane as lines: where a majority changes, and where the task's rules cut."""

import numpy as np
from contourpy import contour_generator
from jaxtyping import Float

from simbias.tasks import BlockTask
from simbias.tasks.oracle import Rule, achievable_rule, simple_rule

Line = Float[np.ndarray, "_ 2"]  # vertices, of any number


def majority_lines(
    across: Float[np.ndarray, " columns"],
    up: Float[np.ndarray, " rows"],
    proportion: Float[np.ndarray, "rows columns"],
    tolerance: float,
) -> list[Line]:
    """The lines where the majority over contexts changes: the 1/2 contour, where there is one.

    Where the other coordinates decide, the proportion is a plateau near 1/2 and its contour only
    follows the draw of the contexts. So a point within the tolerance of 1/2 takes a value that goes
    linearly from the nearest point decided for 0 to the nearest one decided for 1, which lays the
    line in the middle of a narrow undecided band; and bands wider than a quarter of the plane,
    which have no line to speak of, are left out.

    Args:
        across: horizontal positions, input units.
        up: vertical positions, input units.
        proportion: proportion of contexts in which the classifier says 1.
        tolerance: distance from 1/2 up to which a proportion claims no majority.

    Returns:
        The vertices of each line, input units.
    """
    from scipy.ndimage import distance_transform_edt  # slow to import: not before it is needed

    undecided = np.abs(proportion - 0.5) <= tolerance
    positive, negative = ~undecided & (proportion > 0.5), ~undecided & (proportion < 0.5)
    if not positive.any() or not negative.any():
        return []
    spacing = (up[1] - up[0], across[1] - across[0])
    to_positive = distance_transform_edt(~positive, sampling=spacing)
    to_negative = distance_transform_edt(~negative, sampling=spacing)
    between = (to_negative - to_positive) / (to_negative + to_positive)
    height = np.where(undecided, tolerance * between, proportion - 0.5)
    reach = min(across[-1] - across[0], up[-1] - up[0]) / 8
    wide = undecided & (np.maximum(to_positive, to_negative) > reach)
    lines = contour_generator(across, up, np.ma.array(height, mask=wide)).lines(0.0)
    return [np.asarray(line) for line in lines]


def plane_rules(task: BlockTask, coordinates: tuple[int, int]) -> dict[str, Rule]:
    """The simple rule, and the achievable rule on the vertical coordinate, where they can be drawn.

    A rule is left out where the task has none, or none on the coordinates of the plane alone.
    """
    rules = {"simple": simple_rule(task)}
    try:
        rules["achievable"] = achievable_rule(task, coordinates[1])
    except ValueError:  # this coordinate alone does not attain the Bayes risk
        pass
    return {
        name: rule
        for name, rule in rules.items()
        if rule is not None and rule.coordinate in coordinates
    }


def rule_lines(
    rule: Rule,
    coordinates: tuple[int, int],
    across: Float[np.ndarray, " columns"],
    up: Float[np.ndarray, " rows"],
) -> list[Line]:
    """A straight line for each cut, from edge to edge of the plane."""
    if rule.coordinate == coordinates[0]:
        return [np.column_stack([[cut, cut], up[[0, -1]]]) for cut in rule.cuts]
    return [np.column_stack([across[[0, -1]], [cut, cut]]) for cut in rule.cuts]


def rule_labels(
    rule: Rule,
    coordinates: tuple[int, int],
    across: Float[np.ndarray, " columns"],
    up: Float[np.ndarray, " rows"],
) -> np.ndarray:
    """A rule's labels on a grid of the plane, an array (up, across) of 0 and 1."""
    plane = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    x = np.zeros((len(plane), max(coordinates) + 1))
    x[:, coordinates] = plane
    return rule(x).reshape(len(up), len(across))
