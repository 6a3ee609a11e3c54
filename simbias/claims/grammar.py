"""The language of a claim's quantity: a text becomes an expression, and nothing in it is executed.

A text such as ``learned.risk - min(bound_value("occam"), 1)`` goes through Python's parser and a
whitelist of its syntax.
"""

import ast
import keyword
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from simbias._checks import known
from simbias.claims.expression import Expression, Node, Operation, Reference
from simbias.quantities import Quantity

_LENGTH, _DEPTH, _TERMS = 500, 50, 1000
_MOST = sys.float_info.max
_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_OPERANDS = {"abs": (1, 1), "log": (1, 1), "max": (2, _LENGTH), "min": (2, _LENGTH)}
_ALLOWED = "numbers, quantities, + - * /, abs() log() max() min() and parentheses"


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
        _definable(place, name, quantities, populations): _tree(
            f"{place}: definition {name}", definition
        )
        for name, definition in (definitions or {}).items()
    }
    uses = {
        name: [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        for name, (_, tree) in trees.items()
    }
    graph = {name: [used for used in names if used in trees] for name, names in uses.items()}
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
    references = dict.fromkeys(_references(node))
    return Expression(node, {reference: quantities[reference.quantity] for reference in references})


def _fail(place: str, arrived: object, allowed: str) -> ValueError:
    words = " ".join(repr(arrived).split())
    words = words if len(words) <= 80 else f"{words[:77]}..."
    return ValueError(f"{place}: got {words}, allowed: {allowed}")


def _definable(
    place: str, name: str, quantities: Mapping[str, Quantity], populations: Sequence[str]
) -> str:
    """The name of a definition; ValueError where it is no name, or hides another."""
    place = f"{place}: definition"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or keyword.iskeyword(name):
        raise _fail(place, name, "a name of letters, digits and _")
    for kind, names in [
        ("quantity", quantities), ("function", _OPERANDS), ("population", populations)
    ]:  # fmt: skip
        if name in names:
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


class _Parsed(NamedTuple):
    """A parsed tree with its size: definitions that double each other grow exponentially."""

    node: Node
    terms: int = 1
    depth: int = 1


class _Reader:
    """Turns syntax trees into expressions, one text after the other."""

    def __init__(self, quantities: Mapping[str, Quantity], populations: Sequence[str]) -> None:
        self.quantities, self.populations = quantities, populations
        self.defined: dict[str, _Parsed] = {}
        self.place, self.text = "", ""

    def fail(self, tree: ast.expr, allowed: str = _ALLOWED) -> ValueError:
        return _fail(self.place, ast.get_source_segment(self.text, tree), allowed)

    def known(self, name: str, names: Iterable[str]) -> None:
        known(self.place, name if len(name) <= 80 else f"{name[:77]}...", names)

    def read(self, tree: ast.expr, depth: int = 1) -> _Parsed:
        """The expression of a syntax tree that stands this deep in its text."""
        if depth > _DEPTH:
            raise self.fail(tree, f"nesting at most {_DEPTH} deep")
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _Parsed(float(self.number(tree, value)))
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
                return _Parsed(self.reference(tree, function, arguments))
            case ast.Name(id=name) if name in self.defined:
                return self.defined[name]
            case ast.Name() | ast.Attribute():
                return _Parsed(self.reference(tree, tree, None))
        raise self.fail(tree)

    def operation(
        self, tree: ast.expr, name: str, operands: Sequence[ast.expr], depth: int
    ) -> _Parsed:
        parts = [self.read(operand, depth + 1) for operand in operands]
        terms = 1 + sum(part.terms for part in parts)
        nesting = 1 + max(part.depth for part in parts)
        if terms > _TERMS or nesting > _DEPTH:
            limits = f"at most {_TERMS} terms, nested at most {_DEPTH} deep"
            raise self.fail(tree, f"{limits}, with definitions written out")
        return _Parsed(Operation(name, tuple(part.node for part in parts)), terms, nesting)

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
                    allowed = " or ".join(f"{prefix}.{name}" for prefix in self.populations)
                    raise self.fail(tree, allowed)
                population = ""
            case _:
                raise self.fail(tree)
        return Reference(population, name, self.arguments(tree, self.quantities[name], arguments))

    def arguments(
        self, tree: ast.expr, quantity: Quantity, operands: Sequence[ast.expr] | None
    ) -> tuple[str | float, ...]:
        if not quantity.arguments and operands is not None:
            raise self.fail(tree, f"{quantity.name} without an argument")
        kinds = [argument.kind for argument in quantity.arguments]
        words = (kind.upper() if kind == "number" else f'"{kind}"' for kind in kinds)
        allowed = f"{quantity.name}({', '.join(words)})"
        literals = [_literal(operand) for operand in operands or ()]
        if len(literals) != len(kinds):
            raise self.fail(tree, allowed)
        values: list[str | float] = []
        for argument, literal in zip(quantity.arguments, literals, strict=True):
            match literal:
                case str() if argument.kind != "number" and re.fullmatch(r"[\w.=-]+", literal):
                    values.append(literal)
                case int() | float() if argument.kind == "number":
                    values.append(self.number(tree, literal))
                case _:
                    raise self.fail(tree, allowed)
            try:
                argument.check(values[-1])
            except ValueError as error:
                raise ValueError(f"{self.place}: {quantity.name}: {error}") from None
        return tuple(values)

    def number(self, tree: ast.expr, literal: float) -> float:
        """A finite number; an int where it is whole."""
        if isinstance(literal, bool) or not abs(literal) <= _MOST:
            raise self.fail(tree, "a finite number")
        is_whole = float(literal).is_integer() and abs(literal) < 2**53
        return int(literal) if is_whole else float(literal)


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
