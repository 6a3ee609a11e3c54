"""The language of a claim's quantity: arithmetic over the vocabulary, with sound ends.

A text such as ``learned.risk - min(bound("occam"), 1)`` goes through Python's parser and a
whitelist of its syntax; nothing in it is executed. An expression is evaluated together with an
enclosure by interval arithmetic (Moore, Interval Analysis, 1966). An infinite end stands for every
number beyond the floats, so that infinity less infinity may be anything. Ends are rounded as values
are, and therefore hold what the same arithmetic makes of any numbers between the parts' ends.
"""

import ast
import keyword
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np

from simbias._checks import known
from simbias.claims.quantities import Quantity
from simbias.validation.risk import Estimate

_LENGTH, _DEPTH, _TERMS = 500, 50, 1000
_MOST = sys.float_info.max
_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "negative": 3}
_OPERANDS = {"abs": (1, 1), "log": (1, 1), "max": (2, _LENGTH), "min": (2, _LENGTH)}
_ALLOWED = "numbers, quantities, + - * /, abs() log() max() min() and parentheses"


class Reference(NamedTuple):
    """A quantity of a population, as an expression asks for it.

    Attributes:
        population: its name; "" where the claim has a single population without a name.
        quantity: a name of the vocabulary.
        argument: a name or a number (an int where it is whole); None: it takes none.
    """

    population: str
    quantity: str
    argument: str | float | None = None

    def __str__(self) -> str:
        name = f"{self.population}.{self.quantity}" if self.population else self.quantity
        if self.argument is None:
            return name
        words = f'"{self.argument}"' if isinstance(self.argument, str) else repr(self.argument)
        return f"{name}({words})"


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
        """What must be measured to evaluate it, without repetition."""
        return tuple(self.quantities)

    @property
    def of(self) -> frozenset[str]:
        """What its quantities are of: "setting", "network", "pair"."""
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
            found = _point(self.node, points), *_enclosure(self.node, ends)
        return Estimate(*(np.broadcast_to(part, length).copy() for part in found))

    def range(self) -> tuple[float, float]:
        """Ends of the values it can take, by those of its quantities."""
        ends = {
            reference: _Interval(np.float64(quantity.low), np.float64(quantity.high))
            for reference, quantity in self.quantities.items()
        }
        with np.errstate(all="ignore"):
            low, high = _enclosure(self.node, ends)
        return float(low), float(high)


def parse(
    place: str,
    text: object,
    *,
    quantities: Mapping[str, Quantity],
    populations: Sequence[str] = (),
    definitions: Mapping[str, object] | None = None,
) -> Expression:
    """Read an expression; its definitions are checked whether it uses them or not.

    Args:
        place: where the text stands, for messages, e.g. ``"my.toml: quantity"``.
        text: at most 500 characters.
        quantities: the vocabulary.
        populations: names that must stand before a quantity; none, or "": none must.
        definitions: named expressions that may use each other.

    Raises:
        ValueError: in one line, what is not allowed and where.
    """
    trees = {
        _definable(place, name, quantities, populations): _tree(f"{place}: definition {name}", each)
        for name, each in (definitions or {}).items()
    }
    uses = {
        name: [part.id for part in ast.walk(tree) if isinstance(part, ast.Name)]
        for name, (_, tree) in trees.items()
    }
    graph = {name: [used for used in found if used in trees] for name, found in uses.items()}
    reader = _Reader(quantities, [name for name in populations if name])
    try:
        for name in TopologicalSorter(graph).static_order():
            reader.place = f"{place}: definition {name}"
            reader.text, tree = trees[name]
            reader.defined[name] = reader.read(tree)
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"{place}: definitions: {cycle} is a cycle") from None
    reader.place = place
    reader.text, tree = _tree(place, text)
    node = reader.read(tree).node
    found = dict.fromkeys(_references(node))
    return Expression(node, {reference: quantities[reference.quantity] for reference in found})


def _fail(place: str, arrived: object, allowed: str) -> ValueError:
    words = " ".join(repr(arrived).split())
    words = words if len(words) <= 80 else f"{words[:77]}..."
    return ValueError(f"{place}: got {words}, allowed: {allowed}")


def _definable(
    place: str, name: str, quantities: Mapping[str, Quantity], populations: Sequence[str]
) -> str:
    """The name of a definition, if it is one and hides nothing."""
    place = f"{place}: definition"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or keyword.iskeyword(name):
        raise _fail(place, name, "a name of letters, digits and _")
    for kind, taken in [
        ("quantity", quantities), ("function", _OPERANDS), ("population", populations)
    ]:  # fmt: skip
        if name in taken:
            raise _fail(place, name, f"another name, that of no {kind}")
    return name


def _tree(place: str, text: object) -> tuple[str, ast.expr]:
    """A text on one line with its syntax tree."""
    if not isinstance(text, str):
        raise _fail(place, text, "an expression, as a string")
    if len(text) > _LENGTH:
        raise _fail(place, text, f"at most {_LENGTH} characters, not {len(text)}")
    if "#" in text:  # a comment would swallow what follows it
        raise _fail(place, text, _ALLOWED)
    line = " ".join(text.split())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return line, ast.parse(line, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning):
        raise _fail(place, text, _ALLOWED) from None


class _Read(NamedTuple):
    """A tree with its size: a definition that doubles another grows exponentially."""

    node: Node
    terms: int = 1
    depth: int = 1


class _Reader:
    """Turns syntax trees into expressions, one text after the other."""

    def __init__(self, quantities: Mapping[str, Quantity], populations: Sequence[str]) -> None:
        self.quantities, self.populations = quantities, populations
        self.defined: dict[str, _Read] = {}
        self.place, self.text = "", ""

    def fail(self, tree: ast.expr, allowed: str = _ALLOWED) -> ValueError:
        return _fail(self.place, ast.get_source_segment(self.text, tree), allowed)

    def known(self, name: str, names: Iterable[str]) -> None:
        known(self.place, name if len(name) <= 80 else f"{name[:77]}...", names)

    def read(self, tree: ast.expr, depth: int = 1) -> _Read:
        """The expression of a syntax tree that stands this deep in its text."""
        if depth > _DEPTH:
            raise self.fail(tree, f"nesting at most {_DEPTH} deep")
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _Read(float(self.number(tree, value)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.operation(tree, "negative", [operand], depth)
            case ast.BinOp(op=sign, left=left, right=right) if type(sign) in _SIGNS:
                return self.operation(tree, _SIGNS[type(sign)], [left, right], depth)
            case ast.Call(func=ast.Name(id=name), args=operands, keywords=[]) if name in _OPERANDS:
                least, most = _OPERANDS[name]
                if not least <= len(operands) <= most:
                    raise self.fail(tree, "one operand" if most == 1 else "two operands or more")
                return self.operation(tree, name, operands, depth)
            case ast.Call(func=function, args=arguments, keywords=[]):
                return _Read(self.reference(tree, function, arguments))
            case ast.Name(id=name) if name in self.defined:
                return self.defined[name]
            case ast.Name() | ast.Attribute():
                return _Read(self.reference(tree, tree, None))
        raise self.fail(tree)

    def operation(
        self, tree: ast.expr, name: str, operands: Sequence[ast.expr], depth: int
    ) -> _Read:
        parts = [self.read(operand, depth + 1) for operand in operands]
        terms = 1 + sum(part.terms for part in parts)
        deep = 1 + max(part.depth for part in parts)
        if terms > _TERMS or deep > _DEPTH:
            limits = f"at most {_TERMS} terms, nested at most {_DEPTH} deep"
            raise self.fail(tree, f"{limits}, with definitions written out")
        return _Read(Operation(name, tuple(part.node for part in parts)), terms, deep)

    def reference(
        self, tree: ast.expr, named: ast.expr, arguments: Sequence[ast.expr] | None
    ) -> Reference:
        match named:
            case ast.Attribute(value=ast.Name(id=population), attr=name) if self.populations:
                self.known(population, self.populations)
                self.known(name, self.quantities)
            case ast.Attribute(value=ast.Name()):
                raise self.fail(tree, "a quantity without a population: there is only one")
            case ast.Name(id=name):
                if name in self.populations:
                    raise self.fail(tree, f"{name}.QUANTITY")
                if name in _OPERANDS:
                    raise self.fail(tree, f"{name} with its operands in parentheses")
                if name in self.defined:
                    raise self.fail(tree, f"{name} without an argument")
                names = [*self.quantities, *_OPERANDS, *self.defined, *self.populations]
                self.known(name, names)
                if self.populations:
                    allowed = " or ".join(f"{one}.{name}" for one in self.populations)
                    raise self.fail(tree, allowed)
                population = ""
            case _:
                raise self.fail(tree)
        return Reference(population, name, self.argument(tree, self.quantities[name], arguments))

    def argument(
        self, tree: ast.expr, quantity: Quantity, arguments: Sequence[ast.expr] | None
    ) -> str | float | None:
        if quantity.argument is None:
            if arguments is not None:
                raise self.fail(tree, f"{quantity.name} without an argument")
            return None
        number = quantity.argument == "number"
        allowed = (
            f"{quantity.name}(NUMBER)" if number else f'{quantity.name}("{quantity.argument}")'
        )
        match [_literal(each) for each in arguments or ()]:
            case [str() as name] if not number and re.fullmatch(r"[\w.-]+", name):
                value: str | float = name
            case [int() | float() as size] if number:
                value = self.number(tree, size)
            case _:
                raise self.fail(tree, allowed)
        if quantity.check is not None:
            try:
                quantity.check(value)
            except ValueError as error:
                raise ValueError(f"{self.place}: {quantity.name}: {error}") from None
        return value

    def number(self, tree: ast.expr, literal: float) -> float:
        """A finite number; an int where it is whole."""
        if isinstance(literal, bool) or not abs(literal) <= _MOST:
            raise self.fail(tree, "a finite number")
        whole = float(literal).is_integer() and abs(literal) < 2**53
        return int(literal) if whole else float(literal)


def _literal(tree: ast.expr) -> object:
    """The value of a literal, which may have a minus; None for anything else."""
    match tree:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as size)):
            return -size
    return None


def _references(node: Node) -> Iterator[Reference]:
    if isinstance(node, Reference):
        yield node
    elif isinstance(node, Operation):
        for operand in node.operands:
            yield from _references(operand)


def _text(node: Node, binds: int) -> str:
    """A node's text where only what binds at least so tightly may stand without parentheses."""
    if isinstance(node, Reference):
        return str(node)
    if not isinstance(node, Operation):
        return repr(int(node)) if node.is_integer() and abs(node) < 2**53 else repr(node)
    if node.name not in _BINDS:
        return f"{node.name}({', '.join(_text(operand, 0) for operand in node.operands)})"
    own = _BINDS[node.name]
    if node.name == "negative":
        words = "-" + _text(node.operands[0], own)
    else:
        left, right = node.operands
        words = f"{_text(left, own)} {node.name} {_text(right, own + 1)}"
    return words if own >= binds else f"({words})"


class _Interval(NamedTuple):
    low: Any
    high: Any


def _point(node: Node, values: Mapping[Reference, Any]) -> Any:
    if isinstance(node, Reference):
        return values[node]
    if not isinstance(node, Operation):
        return np.float64(node)
    operands = [_point(operand, values) for operand in node.operands]
    operation = _POINT[node.name]
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
            return _Interval(reduce(_POINT[node.name], low), reduce(_POINT[node.name], high))
        case "log":
            return _log(parts[0])
        case "/":
            quotient, (bottom, top) = _corners(np.divide, *parts), parts[1]
            zero = (bottom <= 0) & (top >= 0)
            return _Interval(
                np.where(zero, -np.inf, quotient.low), np.where(zero, np.inf, quotient.high)
            )
    return _corners(_POINT[node.name], *parts)


def _corners(operation: Any, first: _Interval, second: _Interval) -> _Interval:
    """The extremes of an operation that is monotone in each operand.

    0 times an infinite end is 0. So is, as one limit, an infinite end over another, and their
    difference lies between the other corners.
    """
    first, second = _floats(first), _floats(second)
    found = [operation(x, y) for x in first for y in second]
    found = [np.where(np.isnan(part), 0.0, part) for part in found]
    return _Interval(reduce(np.minimum, found), reduce(np.maximum, found))


def _log(part: _Interval) -> _Interval:
    low, high = _floats(part)
    return _Interval(
        np.where(low > 0, np.log(low), -np.inf), np.where(high >= 0, np.log(high), np.inf)
    )


def _floats(part: _Interval) -> _Interval:
    """An interval that reaches into the floats: an infinite number is only known to lie beyond."""
    return _Interval(np.minimum(part.low, _MOST), np.maximum(part.high, -_MOST))


_POINT: dict[str, Callable[..., Any]] = {
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
