"""Examples in docstrings: each public callable has one, and all of them run as they are written."""

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import simbias


def _public():
    """What simbias and its rooms re-export and can be called, by the first name that it has."""
    found, rooms = {}, [room.name for room in pkgutil.iter_modules(simbias.__path__) if room.ispkg]
    for place in ["simbias", *(f"simbias.{room}" for room in rooms)]:
        room = import_module(place)
        for name in getattr(room, "__all__", ()):
            thing = getattr(room, name)
            if callable(thing) and not inspect.ismodule(thing):
                found.setdefault(thing, f"{place}.{name}")
    return [pytest.param(thing, id=name) for thing, name in found.items()]


def run(text, name):
    """Run the examples of a docstring; returns how many there are, and what went otherwise."""
    test = doctest.DocTestParser().get_doctest(text, {"__name__": name}, name, None, None)
    said = []
    doctest.DocTestRunner().run(test, out=said.append)
    return len(test.examples), "".join(said)


@pytest.mark.parametrize("public", _public())
def test_a_public_callable_has_an_example_that_runs_as_it_is_written(public, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where examples write
    text = inspect.cleandoc(public.__doc__ or "")
    assert "\nExamples:\n" in text, "no Examples"
    examples, failed = run(text.split("\nExamples:\n")[1], public.__name__)
    assert examples and not failed, failed


def test_an_example_that_says_another_number_is_told():
    examples, failed = run(">>> 1 + 1\n3\n", "sum")
    assert examples == 1 and "Expected:" in failed
