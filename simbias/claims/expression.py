"""A claim's quantity as a tree: arithmetic over the vocabulary, evaluated with sound ends.

An expression is evaluated together with an enclosure by interval arithmetic (Moore, Interval
Analysis, 1966). An infinite end stands for every number beyond the floats, so that infinity less
infinity may be anything. Ends are rounded as values are, and therefore hold what the same
arithmetic makes of any numbers between the parts' ends.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np

from simbias._checks import fail
from simbias._types import AnyArray
from simbias.quantities import Quantity
from simbias.stats.estimate import Estimate

_MOST = sys.float_info.max
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "negative": 3}


class Reference(NamedTuple):
    """A quantity of a population, as an expression asks for it.

    Attributes:
        population: its name; "" where the claim has a single population without a name.
        quantity: a name of the vocabulary.
        arguments: names and numbers (an int where it is whole).
    """

    population: str
    quantity: str
    arguments: tuple[str | float, ...] = ()

    def __str__(self) -> str:
        name = f"{self.population}.{self.quantity}" if self.population else self.quantity
        words = (f'"{part}"' if isinstance(part, str) else repr(part) for part in self.arguments)
        return f"{name}({', '.join(words)})" if self.arguments else name


class Operation(NamedTuple):
    """``+``, ``-``, ``*``, ``/``, ``negative`` or a function, with its operands."""

    name: str
    operands: tuple["Node", ...]


Node = float | Reference | Operation


@dataclass(frozen=True)
class Expression:
    """A parsed expression, its definitions written out.

    Attributes:
        node: the tree.
        quantities: what it refers to, in order of appearance.
    """

    node: Node
    quantities: Mapping[Reference, Quantity]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The quantities that must be measured to evaluate it, without repetition."""
        return tuple(self.quantities)

    @property
    def of(self) -> frozenset[str]:
        """The units of its quantities: "setting", "network", "pair"."""
        return frozenset(quantity.of for quantity in self.quantities.values())

    @property
    def text(self) -> str:
        """The canonical text: equal expressions have equal texts."""
        return _text(self.node, 0)

    def evaluate(self, values: Mapping[Reference, Estimate]) -> Estimate:
        """The value with ends that hold every number the parts' ends allow.

        Args:
            values: an estimate for each reference, (units,) each. A NaN end counts as unknown.

        Returns:
            (units,) each; the value is NaN where a part's value is, or where it is undefined.

        Raises:
            ValueError: a reference without an estimate, or estimates of different lengths.
        """
        for reference in self.references:
            if reference not in values:
                raise ValueError(f"values: {reference} is missing")
        lengths = {len(part) for estimate in values.values() for part in estimate} or {1}
        if len(lengths) > 1:
            raise ValueError(f"values: got lengths {sorted(lengths)}, allowed: one length")
        (length,) = lengths
        points = {reference: np.asarray(values[reference].value, float) for reference in values}
        ends = {
            reference: _Interval(
                np.where(np.isnan(estimate.low), -np.inf, estimate.low),
                np.where(np.isnan(estimate.high), np.inf, estimate.high),
            )
            for reference, estimate in values.items()
        }
        with np.errstate(all="ignore"):
            value, interval = _point(self.node, points), _enclosure(self.node, ends)
        return Estimate(*(np.broadcast_to(part, length).copy() for part in (value, *interval)))

    def range(self) -> tuple[float, float]:
        """The least and the largest value, from the ranges of its quantities."""
        ends = {
            reference: _Interval(np.float64(quantity.low), np.float64(quantity.high))
            for reference, quantity in self.quantities.items()
        }
        with np.errstate(all="ignore"):
            low, high = _enclosure(self.node, ends)
        return float(low), float(high)

    def check_defined(self, settings: Mapping[Reference, float]) -> None:
        """Raise ValueError for a quotient or a logarithm that can have no value.

        Args:
            settings: the values of those quantities that are settings.
        """
        ends = {
            reference: _Interval(np.float64(quantity.low), np.float64(quantity.high))
            for reference, quantity in self.quantities.items()
        }
        ends |= {
            reference: _Interval(np.float64(value), np.float64(value))
            for reference, value in settings.items()
        }
        with np.errstate(all="ignore"):
            for part in _parts(self.node):
                if part.name not in ("/", "log"):
                    continue
                low, high = _enclosure(part.operands[-1], ends)
                if part.name == "/" and (low == high == 0 or _vanishes(part.operands[1])):
                    raise fail(self.text, _text(part, 0), "a divisor that is not always 0")
                if part.name == "log" and not high > 0:
                    raise fail(self.text, _text(part, 0), "the logarithm of what can be positive")


def _parts(node: Node) -> Iterator[Operation]:
    if isinstance(node, Operation):
        yield node
        for operand in node.operands:
            yield from _parts(operand)


def _vanishes(node: Node) -> bool:
    """Whether a part is 0 by its form, such as the difference of a part and itself."""
    match node:
        case Operation("-", (first, second)):
            return first == second or (_vanishes(first) and _vanishes(second))
        case Operation("*", operands):
            return any(map(_vanishes, operands))
        case Operation("+" | "min" | "max", operands):
            return all(map(_vanishes, operands))
        case Operation("/" | "negative" | "abs", (first, *_)):
            return _vanishes(first)
    return node == 0.0


def _text(node: Node, precedence: int) -> str:
    """A node's text, in parentheses where it binds less tightly than ``precedence``."""
    if isinstance(node, Reference):
        return str(node)
    if not isinstance(node, Operation):
        return repr(int(node)) if node.is_integer() and abs(node) < 2**53 else repr(node)
    if node.name not in _PRECEDENCE:
        return f"{node.name}({', '.join(_text(operand, 0) for operand in node.operands)})"
    own = _PRECEDENCE[node.name]
    if node.name == "negative":
        words = "-" + _text(node.operands[0], own)
    else:
        left, right = node.operands
        words = f"{_text(left, own)} {node.name} {_text(right, own + 1)}"
    return words if own >= precedence else f"({words})"


class _Interval(NamedTuple):
    low: AnyArray
    high: AnyArray


def _point(node: Node, values: Mapping[Reference, AnyArray]) -> AnyArray:
    if isinstance(node, Reference):
        return values[node]
    if not isinstance(node, Operation):
        return np.float64(node)
    operands = [_point(operand, values) for operand in node.operands]
    operation = _OPERATIONS[node.name]
    return operation(*operands) if len(operands) < 3 else reduce(operation, operands)


def _enclosure(node: Node, ends: Mapping[Reference, _Interval]) -> _Interval:
    if isinstance(node, Reference):
        return ends[node]
    if not isinstance(node, Operation):
        return _Interval(np.float64(node), np.float64(node))
    parts = [_enclosure(operand, ends) for operand in node.operands]
    low, high = zip(*parts, strict=True)
    match node.name:
        case "negative":
            return _Interval(-high[0], -low[0])
        case "abs":
            least = np.maximum(0.0, np.maximum(low[0], -high[0]))
            return _Interval(least, np.maximum(abs(low[0]), abs(high[0])))
        case "min" | "max":
            return _Interval(
                reduce(_OPERATIONS[node.name], low), reduce(_OPERATIONS[node.name], high)
            )
        case "log":
            return _log(parts[0])
        case "/":
            quotient, (bottom, top) = _corners(np.divide, *parts), parts[1]
            zero = (bottom <= 0) & (top >= 0)
            return _Interval(
                np.where(zero, -np.inf, quotient.low), np.where(zero, np.inf, quotient.high)
            )
    return _corners(_OPERATIONS[node.name], *parts)


def _corners(operation: Callable[..., AnyArray], first: _Interval, second: _Interval) -> _Interval:
    """The extremes of an operation that is monotone in each operand.

    0 times an infinite end is 0. So is, as one limit, an infinite end over another, and their
    difference lies between the other corners.
    """
    first, second = _floats(first), _floats(second)
    corners = [operation(x, y) for x in first for y in second]
    corners = [np.where(np.isnan(part), 0.0, part) for part in corners]
    return _Interval(reduce(np.minimum, corners), reduce(np.maximum, corners))


def _log(part: _Interval) -> _Interval:
    low, high = _floats(part)
    return _Interval(
        np.where(low > 0, np.log(low), -np.inf), np.where(high >= 0, np.log(high), np.inf)
    )


def _floats(part: _Interval) -> _Interval:
    """An interval with an end among the floats: an infinite number is only known to lie beyond."""
    return _Interval(np.minimum(part.low, _MOST), np.maximum(part.high, -_MOST))


_OPERATIONS: dict[str, Callable[..., AnyArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "negative": np.negative,
    "abs": np.abs,
    "log": np.log,
    "min": np.minimum,
    "max": np.maximum,
}
