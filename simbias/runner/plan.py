"""From a suite to work: cells, the compiled groups they form, and what they cost."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from simbias._checks import each, fail, instance, known, whole
from simbias._files import parse_toml
from simbias._types import Settings
from simbias.experiments import AnyCell, Replica, cell_of, experiment_of
from simbias.suites import Preset, Suite
from simbias.training.stack import MOST_NETWORKS, seed_list
from simbias.validation import N_CERTIFY


def group_of(cell: AnyCell) -> Hashable:
    """A key that is equal for cells whose replicas run together."""
    experiment = experiment_of(cell)
    return experiment.name, experiment.group(cell)


@dataclass(frozen=True)
class Plan:
    """What a run computes.

    Attributes:
        suite, preset: names.
        cells: in the suite's order.
        published: of each cell, the published values by column.
        seeds: of every cell.
        n_certify: fresh points on which each replica is measured.
    """

    suite: str
    preset: str
    cells: tuple[AnyCell, ...]
    published: tuple[dict[str, float], ...]
    seeds: tuple[int, ...]
    n_certify: int

    @cached_property
    def groups(self) -> list[list[Replica]]:
        """The replicas, in groups that run together, for example in one compiled program."""
        groups: dict[Hashable, list[Replica]] = {}
        for cell in self.cells:
            replicas = groups.setdefault(group_of(cell), [])
            replicas += [Replica(cell, seed) for seed in self.seeds]
        return list(groups.values())

    @property
    def replicas(self) -> list[Replica]:
        """The replicas of all groups, in order."""
        return [replica for group in self.groups for replica in group]

    @property
    def flops(self) -> float:
        """Floating-point operations, as far as they are known, if every budget is spent."""
        return float(sum(experiment_of(cell).work(cell) for cell, _ in self.replicas))

    def config(self) -> Settings:
        """What identifies the run; two runs into one directory must agree on it."""
        return {
            "suite": self.suite,
            "preset": self.preset,
            "n_certify": self.n_certify,
            "cells": [_without_none(cell.settings) for cell in self.cells],
        }


def _without_none(settings: Settings) -> Settings:
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
        n_certify: fresh points of each replica; default: the preset's, or the validator's.
        overrides: ``"key=value"`` with a TOML value, for every cell that has the key: ``n_train``,
            ``batch``, or a dotted key into task, network, method or stop, e.g. ``"task.dim=20"``.

    Raises:
        ValueError: an unknown name or a value out of range, before anything is written.
    """
    instance("suite", suite, Suite)
    chosen: Preset = suite.preset(preset)
    numbers = seed_list(chosen.seeds if seeds is None else seeds)
    if len(numbers) * len(chosen.cells) > MOST_NETWORKS:
        networks = f"{len(numbers)} for each of {len(chosen.cells)} cells"
        raise fail("seeds", networks, f"at most {MOST_NETWORKS} networks")
    keys = {key: kind for cell in chosen.cells for key, kind in _keys(cell).items()}
    changes = [_override(text, keys) for text in each("overrides", overrides, str)]
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
    points = n_certify if n_certify is not None else chosen.n_certify
    published = _published(chosen)
    return Plan(
        suite=suite.name,
        preset=preset,
        cells=cells,
        published=tuple(published.get(cell, {}) for cell in cells),
        seeds=numbers,
        n_certify=N_CERTIFY if points is None else whole("n_certify", points),
    )


def _keys(settings: Settings) -> dict[str, type]:
    """The settings that a cell may have, with the type of each."""
    return {**experiment_of(settings).keys, "task": dict}


Change = tuple[str, str | None, object]  # a part of the settings, a setting in it, its value


def _override(text: str, keys: dict[str, type]) -> Change:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"set: got {text!r}, allowed: KEY=VALUE, for example task.dim=20")
    part, _, setting = key.strip().partition(".")
    known("set: key", part, keys)
    if (keys[part] is dict) != bool(setting):
        shape = f"{part}.SETTING=VALUE" if keys[part] is dict else f"{part}=VALUE"
        raise ValueError(f"set: got {text!r}, allowed: {shape}")
    try:
        parsed = parse_toml(f"value = {value}" if "\n" not in value else "")["value"]
    except RecursionError:
        raise fail("set", text, "a value that is not nested so deep") from None
    except (ValueError, KeyError):
        parsed = value.strip()  # a bare word is a string
    return part, setting or None, parsed


def _cell(place: str, settings: Settings, changes: list[Change]) -> AnyCell:
    merged, own = dict(settings), _keys(settings)
    for part, setting, value in changes:
        if part in own:
            merged[part] = value if setting is None else merged.get(part, {}) | {setting: value}
    try:
        cell: AnyCell = cell_of(merged)
        return cell
    except ValueError as error:
        raise ValueError(f"{'set' if changes else place}: {error}") from None


def _published(preset: Preset) -> dict[AnyCell, dict[str, float]]:
    """The published values by cell: those of entries that are the same in every setting."""
    values: dict[AnyCell, dict[str, float]] = {}
    for entry in preset.published:
        values.setdefault(_cell(entry.place, entry.settings, []), {}).update(entry.values)
    return values
