"""From a suite to work: cells, the compiled groups they form, and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simbias._checks import each, fail, instance, known, whole
from simbias._files import parse_toml
from simbias.registry import LOSSES, METHODS, NETWORKS, TASKS
from simbias.suites import Preset, Suite
from simbias.training.cell import Cell, cell_from_settings
from simbias.training.stack import MOST_NETWORKS, Job, group_key, seed_list
from simbias.validation import N_CERTIFY

_PARTS = {"task": TASKS, "network": NETWORKS, "method": METHODS, "stop": None, "loss": LOSSES}


@dataclass(frozen=True)
class Plan:
    """What a run computes.

    Attributes:
        suite, preset: names.
        cells: in the suite's order.
        published: for each cell, published values by column.
        seeds: each cell is trained with all of them.
        n_certify: fresh points a network.
    """

    suite: str
    preset: str
    cells: tuple[Cell, ...]
    published: tuple[dict[str, float], ...]
    seeds: tuple[int, ...]
    n_certify: int

    @cached_property
    def groups(self) -> list[list[Job]]:
        """The networks, by the compiled program that trains them."""
        groups: dict[Any, list[Job]] = {}
        for cell in self.cells:
            jobs = groups.setdefault(group_key(cell), [])
            jobs += [Job(cell, seed) for seed in self.seeds]
        return list(groups.values())

    @property
    def jobs(self) -> list[Job]:
        """All networks."""
        return [job for group in self.groups for job in group]

    @property
    def flops(self) -> float:
        """Floating-point operations of the training updates, if every budget is spent."""
        return float(
            sum(
                cell.stop.max_updates
                * cell.batch
                * cell.network.update_flops(cell.task.shape, cell.task.classes)
                for cell, _ in self.jobs
            )
        )

    def config(self) -> dict[str, Any]:
        """What identifies the run; two runs into one directory must agree on it."""
        return {
            "suite": self.suite,
            "preset": self.preset,
            "n_certify": self.n_certify,
            "cells": [_without_none(cell.settings) for cell in self.cells],
        }


def _without_none(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as TOML can hold them."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in settings.items()
        if value is not None
    }


def make_plan(
    suite: Suite,
    preset: str,
    *,
    seeds: int | Sequence[int] | None = None,
    n_certify: int | None = None,
    overrides: Sequence[str] = (),
) -> Plan:
    """Resolve a suite's preset.

    Args:
        suite: as loaded.
        preset: its name.
        seeds: how many, or which; default: the preset's.
        n_certify: fresh points a network; default: the preset's, or the validator's.
        overrides: ``"key=value"`` with a TOML value, for every cell: ``n_train``, ``batch``, or a
            dotted key into task, network, method or stop, e.g. ``"task.dim=20"``.

    Raises:
        ValueError: an unknown name or a value out of range, before anything is written.
    """
    instance("suite", suite, Suite)
    chosen: Preset = suite.preset(preset)
    numbers = seed_list(chosen.seeds if seeds is None else seeds)
    if len(numbers) * len(chosen.cells) > MOST_NETWORKS:
        many = f"{len(numbers)} for each of {len(chosen.cells)} cells"
        raise fail("seeds", many, f"at most {MOST_NETWORKS} networks")
    changes = [_override(text) for text in each("overrides", overrides, str)]
    places = [f"{part}.{setting}" if setting else part for part, setting, _ in changes]
    for place in dict.fromkeys(places):
        if places.count(place) > 1:
            raise ValueError(f"set: {place} given {places.count(place)} times, allowed: once")
    cells = tuple(
        dict.fromkeys(
            _cell(f"{suite.name}: presets.{preset}.cells", settings, changes)
            for settings in chosen.cells
        )
    )
    certify = n_certify if n_certify is not None else chosen.n_certify
    return Plan(
        suite=suite.name,
        preset=preset,
        cells=cells,
        published=tuple(_published(chosen, cell) for cell in cells),
        seeds=numbers,
        n_certify=N_CERTIFY if certify is None else whole("n_certify", certify),
    )


def _override(text: str) -> tuple[str, str | None, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"set: got {text!r}, allowed: KEY=VALUE, for example task.dim=20")
    part, _, setting = key.strip().partition(".")
    known("set: key", part, ["n_train", "batch", *_PARTS])
    if (part in _PARTS) != bool(setting):
        shape = f"{part}.SETTING=VALUE" if part in _PARTS else f"{part}=VALUE"
        raise ValueError(f"set: got {text!r}, allowed: {shape}")
    try:
        parsed = parse_toml(f"value = {value}" if "\n" not in value else "")["value"]
    except RecursionError:
        raise fail("set", text, "a value that is not nested so deep") from None
    except (ValueError, KeyError):
        parsed = value.strip()  # a bare word is a string
    return part, setting or None, parsed


def _cell(place: str, settings: dict[str, Any], changes: list[tuple[str, str | None, Any]]) -> Cell:
    merged: dict[str, Any] = {"batch": 256, "stop": {}} | settings
    for part, setting, value in changes:
        if setting is None:
            merged[part] = value
        else:
            merged[part] = merged.get(part, {}) | {setting: value}
    try:
        return cell_from_settings(merged)
    except ValueError as error:
        raise ValueError(f"{'set' if changes else place}: {error}") from None


def _published(preset: Preset, cell: Cell) -> dict[str, float]:
    """The published values of a cell: those of entries that are the same in every setting."""
    values: dict[str, float] = {}
    for entry in preset.published:
        values |= entry.values if _cell(entry.place, entry.settings, []) == cell else {}
    return values
