"""Reading suite files: keys are checked, settings merged and products of values expanded."""

import copy
import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from itertools import product
from math import prod
from pathlib import Path

from simbias._checks import check_keys, fail, instance, known, real, whole
from simbias._files import read_toml
from simbias._registry import resource
from simbias._types import Settings
from simbias.experiments import Experiment, experiment_of, experiments
from simbias.experiments.registered import KEY
from simbias.registry import SUITES
from simbias.suites.spaces import read_spaces
from simbias.suites.suite import Preset, Published, Suite
from simbias.training.stack import MOST_NETWORKS
from simbias.training.words import by_part

_SUITE = {"name": str, "summary": str, "source": str, "tasks": dict, "presets": dict}
_PRESET = {"summary": str, "seeds": int, "cells": list}
_MOST_CELLS = 10_000  # of a suite
_FEW = f"at most {_MOST_CELLS} cells"


def load(name: str) -> Suite:
    """A registered suite by its name, or a suite file by its path (ending in .toml).

    Raises:
        ValueError: an unknown name, an unreadable file, or a file with unknown or missing keys or
            values of the wrong type.

    Examples:
        >>> import simbias
        >>> simbias.suites.load("phase").summary
        'where in d, n, depth and weight decay a network memorises noisy-lms-7, and when it stops'
        >>> simbias.suites.load("pitfall")
        Traceback (most recent call last):
            ...
        ValueError: suite: unknown name 'pitfall', nearest: pitfalls
    """
    instance("suite", name, str)
    if name.endswith(".toml"):
        path: Traversable = Path(name)
    else:
        entries = SUITES.entries()
        path = resource(entries[known("suite", name, entries)].reference)
    return _suite(path.name, read_toml(f"suite: {name}", path))


def _suite(file: str, table: Settings) -> Suite:
    _check(file, "", table, _SUITE, {"published": list, "tune": dict})
    for key, name in [("name", table["name"]), *(("presets", name) for name in table["presets"])]:
        if not re.fullmatch(r"[\w-]{1,100}", name):  # both name the run's directory
            raise fail(f"{file}: {key}", name, "letters, digits, - and _, at most 100")
    shared_keys = _shared_keys()
    for task, settings in table["tasks"].items():
        _check(file, f"tasks.{task}", settings, {}, shared_keys)
    published = table.get("published", [])
    for i, entry in enumerate(published):
        place = f"published[{i}]"
        experiment = _check_cell(file, place, entry, {"values": dict})
        for key, value in entry["values"].items():
            column = experiment.shown[known(f"{file}: {place}.values: key", key, experiment.shown)]
            real(f"{file}: {place}.values.{key}", value, column.low, column.high)
    presets, total = {}, 0
    written: dict[str, list[tuple[str, Settings]]] = {}  # cells and their places, by preset
    for name, preset in table["presets"].items():
        preset_place = f"presets.{name}"
        _check(
            file, preset_place, preset, _PRESET, {**shared_keys, "n_certify": int, "include": str}
        )
        shared = {key: preset[key] for key in shared_keys if key in preset}
        own = [(f"{preset_place}.cells[{i}]", cell) for i, cell in enumerate(preset["cells"])]
        if "include" in preset:
            own = (
                written[known(f"{file}: {preset_place}.include", preset["include"], written)] + own
            )
        written[name] = own
        cells: list[Settings] = []
        for place, cell in own:
            experiment = _check_cell(file, place, cell)
            merged = _merged(file, place, table["tasks"], shared, cell)
            for key in experiment.needed:
                if key not in merged:
                    raise ValueError(f"{file}: {place}: key {key!r} is missing here and in tasks")
            expanded = expand(f"{file}: {place}", merged)
            cells += expanded
            total += len(expanded)
            if total > _MOST_CELLS:
                raise fail(
                    f"{file}: {preset_place}.cells", f"{total} cells with those before", _FEW
                )
        if not cells:
            raise fail(f"{file}: {preset_place}.cells", [], "at least one cell")
        certify = preset.get("n_certify")
        presets[name] = Preset(
            name,
            preset["summary"],
            whole(f"{file}: {preset_place}.seeds", preset["seeds"], most=MOST_NETWORKS),
            whole(f"{file}: {preset_place}.n_certify", certify) if certify is not None else None,
            tuple(cells),
            tuple(_entries(file, table, _without_lists(shared))),
        )
    spaces = read_spaces(f"{file}: tune", table.get("tune", {}))
    return Suite(table["name"], table["summary"], table["source"], presets, spaces)


def _shared_keys() -> dict[str, type]:
    """The keys that tasks and presets may set for their cells: of any experiment, but learners."""
    kinds = experiments().values()
    learners = {experiment.learner for experiment in kinds}
    return {
        key: kind
        for experiment in kinds
        for key, kind in experiment.keys.items()
        if key not in learners
    }


def _check_cell(
    file: str, place: str, cell: object, more: Mapping[str, type] | None = None
) -> Experiment:
    """The experiment of a cell as it is written; raises ValueError for keys that it lacks."""
    if not isinstance(cell, dict):
        raise fail(f"{file}: {place}", cell, "a table")
    try:
        experiment = experiment_of(cell)
    except ValueError as error:
        raise ValueError(f"{file}: {place}: {error}") from None
    needed = {experiment.learner: dict} if experiment.learner else {}
    _check(
        file, place, cell, {**needed, **(more or {})}, {**experiment.keys, "task": None, KEY: str}
    )
    return experiment


def _entries(file: str, table: Settings, shared: Settings) -> Iterator[Published]:
    """The published values of cells that are complete with the settings of a preset."""
    for i, entry in enumerate(table.get("published", [])):
        place = f"published[{i}]"
        cell = {key: value for key, value in entry.items() if key != "values"}
        merged = _merged(file, place, table["tasks"], shared, cell)
        if all(key in merged for key in experiment_of(cell).needed):
            for settings in expand(f"{file}: {place}", merged):
                yield Published(f"{file}: {place}", settings, entry["values"])


def _without_lists(settings: Settings) -> Settings:
    """Settings without arrays: values are published for one setting, not for a product."""
    return {
        key: _without_lists(value) if isinstance(value, dict) else value
        for key, value in settings.items()
        if not isinstance(value, list)
    }


def _merged(file: str, place: str, tasks: Settings, shared: Settings, cell: Settings) -> Settings:
    """A cell's settings: the task's, under the preset's, under its own."""
    task = cell.get("task")
    task = {"name": task} if isinstance(task, str) else task
    if not isinstance(task, dict) or not isinstance(task.get("name"), str):
        raise fail(f"{file}: {place}.task", task, "a task name, or a table with a name")
    merged: Settings = {}
    own = {*experiment_of(cell).keys, "task", KEY}
    for layer in (tasks.get(task["name"], {}), shared, cell | {"task": task}):
        for key, value in copy.deepcopy({key: layer[key] for key in layer if key in own}).items():
            merged[key] = merged.get(key, {}) | value if isinstance(value, dict) else value
    return merged


def expand(place: str, cell: Settings) -> list[Settings]:
    """The cells of a product: over every setting that is an array of values."""
    axes = {axis: value for axis, value in by_part(cell).items() if isinstance(value, list)}
    for axis, values in axes.items():
        if not values:
            raise fail(".".join([place, *filter(None, axis)]), values, "at least one value")
    size = prod(map(len, axes.values()))
    if size > _MOST_CELLS:
        raise fail(place, f"a product of {size} cells", _FEW)
    expanded = []
    fixed = {
        part: {key: value for key, value in settings.items() if (part, key) not in axes}
        if isinstance(settings, dict)
        else settings
        for part, settings in cell.items()
        if ("", part) not in axes
    }
    for chosen in product(*axes.values()):
        point = copy.deepcopy(fixed)
        for (part, key), value in zip(axes, chosen, strict=True):
            (point[part] if part else point)[key] = value
        expanded.append(point)
    return expanded


def _check(
    file: str,
    section: str,
    table: object,
    required: Mapping[str, type],
    optional: Mapping[str, type | None],
) -> None:
    """Raise ValueError for a section's unknown or missing keys and wrong types."""
    check_keys(f"{file}: {section}".rstrip(": "), table, required, optional, lists=True)
