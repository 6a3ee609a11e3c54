"""What the pages show in Python: the names of one are there, and the examples of others run."""

import ast
import re
from inspect import isclass
from pathlib import Path
from types import UnionType
from typing import NamedTuple, Union, get_args, get_origin, get_type_hints

import pytest

import simbias

DOCS = Path(__file__).parent.parent / "docs"
NAMES, OWN, BOARD = "python.md", "how-to/python.md", "leaderboard.md"


def examples(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


class Typed(NamedTuple):
    """A value of which only its class is known, or that it is of one of several."""

    kinds: tuple[type, ...]


class Attributes(ast.NodeVisitor):
    """The attributes that a source asks of what simbias declares, without running it.

    A name that is assigned is what the signature of the called function says; an attribute is what
    its class declares. What other libraries return is not known, nor what stands behind a protocol.
    """

    def __init__(self):
        self.names, self.found, self.missing = {}, [], []

    def visit_Import(self, node):
        for alias in node.names:
            name = alias.name.partition(".")[0]
            self.names[alias.asname or name] = __import__(name)

    def visit_ImportFrom(self, node):
        module = __import__(node.module, fromlist=["*"])
        for alias in node.names:
            self.names[alias.asname or alias.name] = getattr(module, alias.name)

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = self.value(node.value)

    def visit_Attribute(self, node):
        self.visit(node.value)
        owner = self.value(node.value)
        if owner is not None and of_simbias(owner):
            there = has(owner, node.attr)
            (self.found if there else self.missing).append(ast.unparse(node))

    def value(self, node):
        """What an expression is: an object, something of a class, or None where it is not known."""
        match node:
            case ast.Name():
                return self.names.get(node.id)
            case ast.Attribute():
                owner = self.value(node.value)
                return None if owner is None else member(owner, node.attr)
            case ast.Call():
                function = self.value(node.func)
                if isclass(function):
                    return Typed((function,))
                return returned(function) if callable(function) else None
        return None


def of_simbias(owner):
    return all(
        (getattr(kind, "__module__", None) or getattr(kind, "__name__", "")).startswith("simbias")
        and not getattr(kind, "_is_protocol", False)
        for kind in (owner.kinds if isinstance(owner, Typed) else (owner,))
    )


def has(owner, name):
    if not isinstance(owner, Typed):
        return hasattr(owner, name)
    return any(
        hasattr(kind, name) or name in getattr(base, "__annotations__", {})
        for kind in owner.kinds
        for base in kind.__mro__
    )


def member(owner, name):
    if not isinstance(owner, Typed):
        return getattr(owner, name, None)
    kind = next((kind for kind in owner.kinds if has(Typed((kind,)), name)), object)
    declared = getattr(kind, name, None)
    if isinstance(declared, property):
        return returned(declared.fget)
    hint = hints(kind).get(name)
    return declared if hint is None and callable(declared) else typed(hint)


def returned(function):
    return typed(hints(function).get("return"))


def hints(thing):
    try:
        return get_type_hints(thing)
    except (NameError, TypeError):  # a name that only a type checker imports
        return {}


def typed(hint):
    """Something of the classes that a hint names; None where it names none, or other things."""
    several = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = tuple(get_origin(kind) or kind for kind in several if kind is not type(None))
    return Typed(kinds) if kinds and all(isclass(kind) for kind in kinds) else None


def asked_of(source):
    attributes = Attributes()
    attributes.visit(ast.parse(source))
    return attributes


def test_what_the_page_asks_of_simbias_is_declared():
    attributes = asked_of("\n".join(examples(NAMES)))
    assert attributes.missing == []
    known = {
        "report.reliance.s_accuracy", "report.exceptions.memorised", "report.to_frame",
        "simbias.validate(control).risk", "stack.to_frame", "data.rotation", "simbias.claims.check",
        "grids.simple_agreement", "islands.chord.training", "decision.lines",
    }  # fmt: skip
    assert known <= set(attributes.found)


@pytest.mark.parametrize(
    "asked",
    [
        "islands.toward",
        "islands.chord.freshly",
        "report.exceptions.forgotten",
        "simbias.validate(stack).risks",
        "simbias.plots.boundaries",
        "trees.to_fram",
        "stack.cells",
        "simbias.validation.measure_island",
    ],
)
def test_a_name_of_the_page_that_nothing_has_is_told(asked):
    assert asked_of("\n".join([*examples(NAMES), asked])).missing == [asked]


@pytest.mark.slow
def test_the_example_of_ones_own_learners_runs_and_learns():
    (example,) = examples(OWN)
    names = {}
    exec(compile(example, OWN, "exec"), names)
    assert names["stack"].outcome(0)[0] == "done"
    assert names["report"].risk.value[0] < 0.05


@pytest.mark.slow
def test_learners_of_ones_own_stand_on_the_leaderboard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    *learners, board = examples(BOARD)
    torch_learner = learners.pop()
    names = {}
    for example in (*learners, board):
        exec(compile(example, BOARD, "exec"), names)
    standings = {standing.learner: standing for standing in names["standings"]}
    assert len(standings) == 4 and standings["sgd, (16,1)"].against is None
    assert standings["signs, (16,1)"].against.seeds == 2
    assert (tmp_path / "board.png").exists()
    pytest.importorskip("torch")
    exec(compile(torch_learner, BOARD, "exec"), names)
    (standing,) = simbias.results.leaderboard([names["torch_adam"]], n_certify=1000)
    assert standing.learner == "torch-adam" and standing.statuses == {"done": 2}
