"""One word, one thing: the glossary in CONTRIBUTING against the names of the package."""

import ast
import inspect
import re
from collections import Counter
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pytest

import simbias

ROOT = Path(simbias.__file__).parent
# names that would do for anything, and so say nothing
EMPTY = {"one", "found", "made", "said", "at"}
ROOMS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def glossary():
    """The words and, of each, the names in code."""
    text = (ROOT.parent / "CONTRIBUTING.md").read_text()
    section = text.split("## Glossary", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| ?(.*?) ?\|$", section, re.MULTILINE)
    return {word: re.findall(r"`([\w.]+)`", names) for word, _, names in rows if word != "word"}


def public_classes():
    """The classes that rooms re-export, by identity: a room may show what another one has."""
    by_class = {}
    for room in ROOMS:
        module = import_module(f"simbias.{room}")
        for name in getattr(module, "__all__", ()):
            if inspect.isclass(value := getattr(module, name)):
                by_class.setdefault(value, []).append(f"{room}.{name}")
    return by_class


@cache
def parsed(folder):
    return {path: ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))}


def test_every_public_class_stands_in_the_glossary_once():
    listed = Counter(name for names in glossary().values() for name in names)
    assert max(listed.values()) == 1
    missing = [names for names in public_classes().values() if not listed.keys() & set(names)]
    assert missing == []


@pytest.mark.parametrize("name", [name for names in glossary().values() for name in names])
def test_what_the_glossary_names_is_there(name):
    room, _, rest = name.partition(".")
    module = import_module(f"simbias.{room}")
    while "." in rest:
        inner, _, rest = rest.partition(".")
        module = import_module(f"{module.__name__}.{inner}")
    assert inspect.isclass(attrgetter(rest)(module))


def test_words_stand_in_one_row_and_mean_something():
    words = [word for row in glossary() for word in row.split(", ")]
    assert len(words) > 40 and len(set(words)) == len(words)


def test_no_two_classes_have_one_name():
    names = Counter(
        node.name for tree in parsed(ROOT).values() for node in tree.body
        if isinstance(node, ast.ClassDef)
    )  # fmt: skip
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("folder", ("simbias", "tests", "figures", "benchmarks"))
def test_locals_and_parameters_say_what_they_hold(folder):
    empty = [
        f"{path.name}:{node.lineno}"
        for path, tree in parsed(ROOT.parent / folder).items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in EMPTY)
        or (isinstance(node, ast.arg) and node.arg in EMPTY)
    ]
    assert empty == []
