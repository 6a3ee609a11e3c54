"""Exact ground truth in float64: Bayes rules and risks, cut curves, networks with known weights.

Each coordinate's two laws are piecewise uniform, so everything about one coordinate is a finite
sum. Given the label coordinates are independent, so the log-likelihood ratio of a set of
coordinates is a sum of independent finite variables, and the Bayes risk on any set is exact too.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import fail, whole
from simbias._types import AnyArray
from simbias.tasks.blocks import Block, Coordinates, Pair, Piece, of_coordinates

_DIGITS = 12  # endpoints that differ by less than this many decimals are one endpoint


class Part(NamedTuple):
    """An interval (or an atom) on which both laws are uniform, with its mass given each label."""

    low: float
    high: float
    negative: float
    positive: float


@dataclass(frozen=True)
class Rule:
    """A classifier of one coordinate: the label left of the first cut, changing at every cut.

    Attributes:
        coordinate: index of the unrotated coordinate that the rule reads.
        cuts: increasing positions.
        first: label (0 or 1) left of the first cut.

    Examples:
        >>> import numpy as np
        >>> from simbias.tasks.oracle import Rule
        >>> rule = Rule(coordinate=0, cuts=(-0.5, 0.5), first=1)
        >>> rule(np.array([[-1.0], [0.0], [1.0]]))
        array([1, 0, 1])
    """

    coordinate: int
    cuts: tuple[float, ...]
    first: int

    def __call__(self, x: Float[AnyArray, "rows dim"]) -> Int[np.ndarray, " rows"]:
        """Labels (rows,) of unrotated points (rows, dim)."""
        crossed = np.searchsorted(self.cuts, np.asarray(x)[:, self.coordinate], side="right")
        return (self.first + crossed) % 2


def parts_of(block: Block) -> list[Part]:
    """The coarsest partition of a block's support on which both conditional laws are uniform.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import parts_of
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> [(round(part.low, 3), round(part.high, 3)) for part in parts_of(task.blocks[0])]
        [(-1.0, -0.1), (-0.1, 0.1), (0.1, 1.0)]
    """
    return list(_parts_of(block.laws))


@lru_cache
def _parts_of(laws: Pair) -> tuple[Part, ...]:
    ends = {round(end, _DIGITS): end for law in laws for piece in law for end in piece[:2]}
    edges = sorted(ends)
    parts = []
    for low, high in sorted([(edge, edge) for edge in edges] + list(pairwise(edges))):
        masses = [sum(_overlap(piece, low, high) for piece in law) for law in laws]
        if any(masses):
            parts.append(Part(ends[low], ends[high], *masses))
    return tuple(parts)


def _overlap(piece: Piece, low: float, high: float) -> float:
    """The mass of a piece on a part, parts being aligned with all endpoints."""
    left, right = round(piece.low, _DIGITS), round(piece.high, _DIGITS)
    if left == right or low == high:
        return piece.mass if (low, high) == (left, right) else 0.0
    return piece.mass * (high - low) / (right - left) if left <= low and high <= right else 0.0


def decided(block: Block) -> list[Part]:
    """The parts of a block's support on which one label is likelier than the other.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import decided
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> len(decided(task.blocks[1]))
        5
    """
    return [
        part
        for part in parts_of(block)
        if not np.isclose(part.positive, part.negative, rtol=1e-12, atol=0)
    ]


def bayes_rule(task: Coordinates, coordinate: int) -> Rule:
    """The Bayes rule on one coordinate.

    Where the label is a tie or the density is 0, the cut lies in the middle between the decided
    neighbours: the boundary of largest margin.

    Raises:
        ValueError: not a coordinate of the task.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import bayes_rule
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> bayes_rule(task, 0)
        Rule(coordinate=0, cuts=(0.0,), first=0)
        >>> len(bayes_rule(task, 1).cuts)
        4
    """
    of_coordinates(task)
    coordinate = whole("coordinate", coordinate, least=0, most=task.dim - 1)
    labelled = [
        (part, int(part.positive > part.negative)) for part in decided(task.blocks[coordinate])
    ]
    cuts = tuple(
        (left.high + right.low) / 2
        for (left, before), (right, after) in pairwise(labelled)
        if before != after
    )
    return Rule(coordinate, cuts, labelled[0][1] if labelled else 0)


def rule_risk(task: Coordinates, rule: Rule) -> float:
    """The exact error of a one-coordinate rule on the task.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import bayes_rule, rule_risk
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> [round(rule_risk(task, bayes_rule(task, coordinate)), 10) for coordinate in (0, 1)]
        [0.05, 0.0]
    """
    wrong = 0.0
    edges = [-np.inf, *rule.cuts, np.inf]
    laws: Pair = task.blocks[rule.coordinate].laws
    if not laws.positive:
        return 0.5
    for label, law in enumerate(laws):
        for i, (left, right) in enumerate(pairwise(edges)):
            if (rule.first + i) % 2 != label:
                wrong += sum(_proportion(piece, left, right) for piece in law)
    return wrong / 2


def _proportion(piece: Piece, left: float, right: float) -> float:
    """The mass of a piece in [left, right)."""
    if piece.low == piece.high:
        return piece.mass if left <= piece.low < right else 0.0
    length = max(0.0, min(piece.high, right) - max(piece.low, left))
    return piece.mass * length / (piece.high - piece.low)


def bayes_risk(task: Coordinates, coordinates: tuple[int, ...] | None = None) -> float:
    """The least error of any rule on a set of coordinates (default: all of them).

    Args:
        task: the task.
        coordinates: indices of unrotated coordinates.

    Raises:
        ValueError: an index that is not a coordinate of the task.

    Notes:
        Half the overlap of the two joint laws, summed over the values that the joint log-likelihood
        ratio can take.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import bayes_risk
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> round(bayes_risk(task, (0,)), 10), bayes_risk(task)
        (0.05, 0.0)
    """
    overlap = {0.0: (1.0, 1.0)}
    for index in range(task.dim) if coordinates is None else coordinates:
        if index not in range(task.dim):
            raise fail("coordinates", index, f"integers in [0, {task.dim})")
        if task.blocks[index].is_normal:
            continue
        joint: dict[float, tuple[float, float]] = {}
        for ratio, (negative, positive) in overlap.items():
            for part in parts_of(task.blocks[index]):
                if part.negative == 0 or part.positive == 0:
                    continue  # decided without error: adds nothing to the overlap
                total = round(ratio + float(np.log(part.positive / part.negative)), _DIGITS)
                negative_mass, positive_mass = joint.get(total, (0.0, 0.0))
                joint[total] = (
                    negative_mass + negative * part.negative,
                    positive_mass + positive * part.positive,
                )
        overlap = joint
    return sum(min(pair) for pair in overlap.values()) / 2


def achievable_risk(task: Coordinates) -> float:
    """The Bayes risk on all coordinates.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import achievable_risk
        >>> achievable_risk(simbias.tasks.get("noisy-lms-5", dim=2))
        0.0
    """
    return bayes_risk(task)


def achievable_rule(task: Coordinates, coordinate: int | None = None) -> Rule:
    """The Bayes rule on all coordinates, as a one-coordinate rule that attains it.

    Args:
        task: the task.
        coordinate: which coordinate to use; default the last that attains the Bayes risk (a slab
            coordinate in every catalogue task).

    Raises:
        ValueError: the coordinate, or every coordinate, falls short of the Bayes risk.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import achievable_rule
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> rule = achievable_rule(task)
        >>> rule.coordinate, len(rule.cuts)
        (1, 4)
    """
    least = achievable_risk(task)
    candidates = range(task.dim) if coordinate is None else (coordinate,)
    for index in reversed(candidates):
        rule = bayes_rule(task, index)
        if rule_risk(task, rule) <= least + 1e-12:
            return rule
    raise fail("coordinate", coordinate, f"one whose own Bayes risk is the task's, {least:g}")


def attained_rule(task: Coordinates) -> Rule | None:
    """``achievable_rule``; None where no single coordinate attains the Bayes risk.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import attained_rule
        >>> attained_rule(simbias.tasks.get("noisy-lms-5", dim=2)).coordinate
        1
    """
    try:
        return achievable_rule(task)
    except ValueError:
        return None


def simple_rule(task: Coordinates) -> Rule | None:
    """The Bayes rule on the simple set alone; None where the task has no simple set.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import simple_rule
        >>> simple_rule(simbias.tasks.get("noisy-lms-5", dim=2))
        Rule(coordinate=0, cuts=(0.0,), first=0)
    """
    if not task.simple_set:
        return None
    least = bayes_risk(task, task.simple_set)
    for index in task.simple_set:
        rule = bayes_rule(task, index)
        if rule_risk(task, rule) <= least + 1e-12:
            return rule
    raise fail("simple_set", task.simple_set, "coordinates of which one attains the Bayes risk")


def simple_risk(task: Coordinates) -> float | None:
    """The exact risk of the simple rule; None where the task has no simple set.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import simple_risk
        >>> round(simple_risk(simbias.tasks.get("noisy-lms-5", dim=2)), 10)
        0.05
    """
    rule = simple_rule(task)
    return None if rule is None else rule_risk(task, rule)


def cut_curve(block: Block) -> Float[np.ndarray, " cuts"]:
    """Best accuracy from one coordinate with at most c cuts, for c = 0, 1, ...

    Args:
        block: the coordinate's laws.

    Returns:
        Accuracies, up to the least number of cuts that attains the Bayes accuracy.

    Notes:
        A dynamic programme over the parts: within a part accuracy is linear in the position of a
        cut, so cuts at part edges are enough.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.oracle import cut_curve
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> cut_curve(task.blocks[1]).round(4)
        array([0.5   , 0.6875, 0.875 , 0.9375, 1.    ])
    """
    parts = parts_of(block)
    # best[label, c]: accuracy on the parts so far, the current label, c cuts made
    best = np.full((2, len(parts) + 1), -np.inf)
    best[:, 0] = 0
    for part in parts:
        switched = np.full_like(best, -np.inf)
        switched[:, 1:] = best[::-1, :-1]
        best = np.maximum(best, switched) + np.array([[part.negative], [part.positive]]) / 2
    curve = np.maximum.accumulate(best.max(axis=0)) if parts else np.array([0.5])
    return curve[: int(np.argmax(curve >= curve[-1] - 1e-12)) + 1]


class Layer(NamedTuple):
    """An affine map x -> x @ weight + bias."""

    weight: Float[np.ndarray, "inputs outputs"]
    bias: Float[np.ndarray, " outputs"]


def explicit_network(
    rule: Rule, rotation: Float[AnyArray, "dim dim"], *, width: int, depth: int
) -> list[Layer]:
    """ReLU layers that compute a rule exactly: hidden layers of ``width`` units, then two logits.

    Args:
        rule: the rule to realise.
        rotation: the data set's matrix, (dim, dim).
        width: units of each hidden layer.
        depth: number of hidden layers.

    Raises:
        ValueError: fewer units than cuts.

    Notes:
        The logit difference is constant up to 1 before the first cut and from there a zigzag of
        slope +-1 along the rule's coordinate, zero exactly at the cuts. A unit begins it and one
        turns it between each two cuts: as many units as cuts. Later hidden layers pass these
        nonnegative values on. The remaining units are dead.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.tasks.oracle import achievable_rule, explicit_network
        >>> from simbias.validation import exact_risk
        >>> task = simbias.tasks.get("noisy-lms-5", dim=2)
        >>> layers = explicit_network(achievable_rule(task), np.eye(2), width=4, depth=1)
        >>> exact_risk(task, layers)
        0.0
    """
    cuts = np.array(rule.cuts)
    units = len(cuts)
    if whole("width", width) < units:
        raise fail("width", width, f"an integer >= {units} for a rule of {units} cuts")
    direction = np.asarray(rotation, np.float64)[rule.coordinate]
    kinks = np.array([*cuts[:1] - 1, *(cuts[1:] + cuts[:-1]) / 2])
    slopes = np.array([1.0 if i == 0 else 2.0 * (-1) ** i for i in range(units)])
    first = Layer(np.zeros((len(direction), width)), np.zeros(width))
    first.weight[:, :units] = direction[:, None]
    first.bias[:units] = -kinks
    layers = [first]
    for _ in range(whole("depth", depth) - 1):
        layers.append(Layer(np.zeros((width, width)), np.zeros(width)))
        layers[-1].weight[range(units), range(units)] = 1
    sign = 1 if rule.first == 0 else -1
    last = Layer(np.zeros((width, 2)), np.zeros(2))
    last.weight[:units] = sign * np.outer(slopes, [-0.5, 0.5])
    last.bias[:] = sign * np.array([0.5, -0.5])  # a rule without cuts is this constant alone
    return [*layers, last]
