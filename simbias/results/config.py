"""``DIR/run.toml``: the configuration of a run, checked when it is read."""

from pathlib import Path

from simbias._checks import whole
from simbias._files import read_toml
from simbias._types import Settings
from simbias.training.stack import seed_list

_RUN = {"suite": str, "preset": str, "n_certify": int, "cells": list, "seeds": list, "names": list}
_CELL = {"task": dict, "network": dict, "method": dict, "stop": dict, "n_train": int, "batch": int}
_MOST_BYTES = 16_000_000  # it lists every cell


def read_config(path: Path) -> Settings:
    """The contents of the file; raises ValueError where simbias did not write it."""
    config = read_toml(str(path), path, _MOST_BYTES)
    for key, kind in _RUN.items():
        if not isinstance(config.get(key), kind):
            raise ValueError(f"{path}: key {key!r} is missing or odd: not a file of simbias")
    try:
        whole("n_certify", config["n_certify"])
        if config["seeds"]:  # a directory of claims has none
            seed_list(config["seeds"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not all(
        isinstance(entry, dict)
        and isinstance(entry.get("cell"), str)
        and isinstance(entry.get("published"), dict)
        and all(isinstance(value, int | float) for value in entry["published"].values())
        for entry in config["names"]
    ):
        raise ValueError(f"{path}: key 'names' is odd: not a file of simbias")
    if not all(map(_is_cell, config["cells"])):
        raise ValueError(f"{path}: key 'cells' is odd: not a file of simbias")
    return config


def _is_cell(cell: object) -> bool:
    """Whether a value is the settings of a cell; of other experiments only the task is checked."""
    if not isinstance(cell, dict):
        return False
    needed = {"task": dict} if "experiment" in cell else _CELL
    return all(isinstance(cell.get(key), kind) for key, kind in needed.items()) and isinstance(
        cell["task"].get("name"), str
    )
