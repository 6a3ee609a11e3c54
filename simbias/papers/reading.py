"""Reads a file of published numbers (TOML): what is run, what was published, what is tolerated.

An exhibit has a ``cell``, the settings that its numbers share, and a list of ``numbers``; each adds
settings of its own (a list of values makes a product, every cell of which has the values) or names
several ``cells`` that its quantity compares. ``values`` are published: a number, or both ends of a
range, by what measures it (the language of claims). ``tolerance`` is a number, or one by quantity.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from simbias._checks import check_keys, fail, instance, known, real, whole
from simbias._files import read_toml
from simbias._types import Settings
from simbias.claims.expression import Expression
from simbias.claims.grammar import parse
from simbias.experiments import cell_of, label_of
from simbias.experiments.experiment import OwnCell
from simbias.papers.paper import Exhibit, Paper, PublishedNumber
from simbias.quantities import declared
from simbias.suites.reading import expand
from simbias.training.words import by_part, phrase

_PAPER = {
    "name": str, "summary": str, "source": str, "presets": dict, "n_certify": int, "exhibit": list
}  # fmt: skip
_SHARED = {"cell": dict, "seeds": dict, "tolerance": None, "because": str}
_EXHIBIT = {"where": str, "says": str, "numbers": list}
_UNNAMED = ("network", "estimator", "stop")  # a learner has its label


def names() -> list[str]:
    """The papers of this package.

    Examples:
        >>> import simbias
        >>> simbias.papers.names()
        ['massive-noise', 'massive-noise-mixture', 'pitfalls']
    """
    return sorted(source.name.removesuffix(".toml") for source in _own())


def _own() -> list[Traversable]:
    folder = files("simbias.papers")
    return [source for source in folder.iterdir() if source.name.endswith(".toml")]


def load(name: str) -> Paper:
    """A paper of this package by its name, or a file of published numbers by its path.

    Args:
        name: of ``names()``, or a path ending in .toml.

    Raises:
        ValueError: in one line, the file, the key, what arrived and what is allowed.

    Examples:
        >>> import simbias
        >>> simbias.papers.load("pitfalls").source
        'Shah, Tamuly, Raghunathan, Jain, Netrapalli, NeurIPS 2020, arXiv 2006.07710'
        >>> simbias.papers.load("pitfall")
        Traceback (most recent call last):
            ...
        ValueError: paper: unknown name 'pitfall', nearest: pitfalls
    """
    instance("paper", name, str)
    if name.endswith(".toml"):
        return _read(name, Path(name))
    return _builtin(known("paper", name, names()))


@cache
def _builtin(name: str) -> Paper:
    """A paper of this package: it names nothing that others add, and is read once."""
    return _read(name, files("simbias.papers") / f"{name}.toml")


def _read(name: str, source: Traversable) -> Paper:
    file, table = source.name, read_toml(f"paper: {name}", source)
    check_keys(file, table, _PAPER)
    presets = table["presets"]
    for preset, words in presets.items():
        instance(f"{file}: presets.{preset}", words, str)
    exhibits = tuple(
        _exhibit(f"{file}: exhibit[{i}]", entry, presets)
        for i, entry in enumerate(table["exhibit"])
    )
    n_certify = whole(f"{file}: n_certify", table["n_certify"])
    return Paper(table["name"], table["summary"], table["source"], presets, n_certify, exhibits)


def _exhibit(place: str, table: Settings, presets: Settings) -> Exhibit:
    check_keys(place, table, _EXHIBIT, {**_SHARED, "differs": str})
    numbers: list[PublishedNumber] = []
    for i, entry in enumerate(table["numbers"]):
        own = f"{place}: numbers[{i}]"
        check_keys(own, entry, {"values": dict}, {**_SHARED, "cells": dict, "label": str})
        shared = {key: table[key] for key in _SHARED if key in table and key != "cell"} | entry
        for key in ("seeds", "tolerance", "because"):
            if key not in shared:
                raise ValueError(f"{own}: key {key!r} is missing here and in its exhibit")
        for preset, seeds in shared["seeds"].items():
            known(f"{own}: seeds: preset", preset, presets)
            whole(f"{own}: seeds.{preset}", seeds, least=2)
        for label, populations in _populations(own, table.get("cell", {}), entry):
            numbers += [
                _number(own, shared, label, populations, text, value)
                for text, value in entry["values"].items()
            ]
    return Exhibit(table["where"], table["says"], table.get("differs", ""), tuple(numbers))


def _number(
    place: str,
    shared: Settings,
    label: str,
    populations: dict[str, OwnCell],
    text: str,
    value: object,
) -> PublishedNumber:
    ends = value if isinstance(value, list) and len(value) == 2 else [value, value]
    low, high = (real(f"{place}: values.{text}", end) for end in ends)
    tolerances = shared["tolerance"]
    tolerance = tolerances.get(text) if isinstance(tolerances, dict) else tolerances
    return PublishedNumber(
        shared.get("label", label),
        _expression(f"{place}: values", text, populations),
        populations,
        low,
        real(f"{place}: values.{text}", high, low),
        real(f"{place}: tolerance of {text}", tolerance, 0),
        shared["because"],
        shared["seeds"],
    )


def _expression(place: str, text: str, populations: dict[str, OwnCell]) -> Expression:
    """What measures a number; raises ValueError for what its networks do not have."""
    expression = parse(place, text, quantities=declared(), populations=tuple(populations))
    for reference, quantity in expression.quantities.items():
        if quantity.of not in ("network", "setting"):
            raise fail(f"{place}: {text}", f"{reference}, of a {quantity.of}", "of a network")
        try:
            quantity.suits(populations[reference.population], *reference.arguments)
        except ValueError as error:
            raise ValueError(f"{place}: {text}: {error}") from None
    return expression


def _populations(
    place: str, shared: Settings, entry: Settings
) -> list[tuple[str, dict[str, OwnCell]]]:
    """The cells of a number, in words and by name: of each of a product, or those it compares."""
    if "cells" in entry:
        compared = {
            name: _cell(f"{place}: cells.{name}", _merged(_merged(shared, entry), {"cell": cell}))
            for name, cell in entry["cells"].items()
        }
        return [(" and ".join(compared), compared)]
    merged = _merged(shared, entry)
    products = {
        axis: values for axis, values in by_part(merged).items() if isinstance(values, list)
    }
    own = {**by_part(_merged({}, entry)), **products}
    populations = []
    for settings in expand(place, merged):
        cell = _cell(place, settings)
        populations.append((_label(cell, settings, own), {"": cell}))
    return populations


def _merged(shared: Settings, entry: Settings) -> Settings:
    """Settings under an entry's own; a table is merged with the table of its key."""
    merged = dict(shared)
    for key, value in entry.get("cell", {}).items():
        value = {"name": value} if key == "task" and isinstance(value, str) else value
        own = merged.get(key, {})
        own = {"name": own} if isinstance(own, str) else own
        merged[key] = {**own, **value} if isinstance(value, dict) else value
    return merged


def _cell(place: str, settings: Settings) -> OwnCell:
    task = settings.get("task")
    settings = settings | {"task": {"name": task} if isinstance(task, str) else task}
    if not isinstance(settings["task"], dict) or "name" not in settings["task"]:
        raise fail(f"{place}: task", task, "a task name, or a table with a name")
    try:
        return cell_of(settings)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    except KeyError as error:
        raise ValueError(f"{place}: key {error} is missing") from None


def _label(cell: OwnCell, settings: Settings, own: Iterable[tuple[str, str]]) -> str:
    """A cell in words: its learner, and the settings that are its number's own."""
    values = by_part(settings)
    words = [
        str(values[part, key]) if key == "name" else phrase(key, values[part, key])
        for part, key in own
        if part not in _UNNAMED
    ]
    return ", ".join([label_of(cell), *words])
