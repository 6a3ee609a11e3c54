"""The run directory: one Parquet row and one weights file a network, written atomically.

A file is written under a temporary name, synced and renamed, and its name is the hash of what it
holds: many writers need no lock, a network computed twice is one row, and what remains to be done
is a set difference. A network's row is written last, so a row means that all of it is there.
"""

import json
import os
import re
import tempfile
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from simbias._checks import fail
from simbias.results import parquet
from simbias.results.parquet import FILE, Fault, first_lines
from simbias.results.schema import ADDED, FINAL, NETWORKS, TABLES, TRACES, Column

_RUN = {"suite": str, "preset": str, "n_certify": int, "cells": list, "seeds": list, "names": list}
_CELL = {"task": dict, "network": dict, "method": dict, "stop": dict, "n_train": int, "batch": int}
_FOLDERS = ("networks", "traces", "weights", "checkpoints")
_KEPT = {
    "weights": {"rotation", "fitted_since", "updates", "end", "seconds"},
    "checkpoints": {"trace"},
}
_STALE_SECONDS = 3600  # temporary files older than this were left by a killed process


# A row belongs in the file that its network's hash names (see ``records.network_name``).
_MISNAMED = f"""SELECT {FILE} FROM networks
    WHERE left(sha256(settings || '|' || seed), 16) <> parse_filename({FILE}, true)"""


class StoreError(OSError):
    """Something could not be written or read; the message is one line that names it."""


class Store:
    """A run directory.

    Args:
        directory: its path.
        create: make it if it is not there; otherwise it must hold a run.
        note: hears of every file that reading leaves out, once; default: a warning.

    Raises:
        ValueError: no run directory, a file in its place, or a place that cannot be written.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        create: bool = False,
        note: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.directory = Path(directory)
        self._note, self._noted = note, set[Path]()
        if create:
            check_writable(self.directory)
        if self.config() is None and not create:
            raise fail("DIR", str(directory), "a run directory (made by simbias run)")
        for folder in _FOLDERS:
            path = self.directory / folder
            if path.exists() and not path.is_dir():
                raise ValueError(f"{path} is a file: not a run directory of simbias")

    def prepare(self, config: str) -> None:
        """Make the folders, write ``run.toml``, and clear what killed processes left."""
        for folder in _FOLDERS:
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        for path in self.directory.rglob(".*.tmp"):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink(missing_ok=True)
        self.write_text(self.directory / "run.toml", config)

    def config(self) -> dict[str, Any] | None:
        """The contents of ``run.toml``; None where there is none; ValueError for a foreign one."""
        path = self.directory / "run.toml"
        if not path.exists():
            return None
        try:
            config = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
        for key, kind in _RUN.items():
            if not isinstance(config.get(key), kind):
                raise ValueError(f"{path}: key {key!r} is missing or odd: not a file of simbias")
        if not all(
            isinstance(entry, dict) and {"cell", "published"} <= set(entry)
            for entry in config["names"]
        ):
            raise ValueError(f"{path}: key 'names' is odd: not a file of simbias")
        if not all(
            isinstance(cell, dict)
            and all(isinstance(cell.get(key), kind) for key, kind in _CELL.items())
            and isinstance(cell["task"].get("name"), str)
            for cell in config["cells"]
        ):
            raise ValueError(f"{path}: key 'cells' is odd: not a file of simbias")
        return config

    def order(self, cell: str) -> int:
        """The place of a cell in the suite; cells that are not in it come last."""
        names = [entry["cell"] for entry in (self.config() or {}).get("names", [])]
        return names.index(cell) if cell in names else len(names)

    # -- networks ---------------------------------------------------------------------------

    def finished(self) -> dict[str, str]:
        """Status by hash of the networks whose files are whole and whose status is final."""
        statuses = self.statuses()
        return {
            name: status
            for name, status in statuses.items()
            if status in FINAL and self.weights_path(name).is_file()
        }

    def statuses(self) -> dict[str, str]:
        """Status by hash of every row."""
        return {Path(row[FILE]).stem: row["status"] for row in self.rows("networks")}

    def write_network(
        self,
        name: str,
        row: Mapping[str, Any],
        trace: Sequence[Mapping[str, Any]] = (),
        tensors: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Keep a network: weights and trace first, then its row; raises StoreError."""
        if tensors is not None:
            self._write(self.weights_path(name), lambda path: save_file(dict(tensors), path))
        if trace:
            self.write_rows(self.directory / "traces" / f"{name}.parquet", TRACES, trace)
        self.write_rows(self.directory / "networks" / f"{name}.parquet", NETWORKS, [row])

    def weights_path(self, name: str) -> Path:
        """Where the weights of a network are."""
        return self.directory / "weights" / f"{name}.safetensors"

    def weights(self, name: str) -> dict[str, np.ndarray]:
        """The tensors of a network; raises StoreError."""
        return _load(self.weights_path(name))

    def trace(self, name: str, columns: Sequence[str]) -> np.ndarray:
        """The trace of a network as float32 (checks, columns)."""
        path = self.directory / "traces" / f"{name}.parquet"
        if not path.is_file():
            return np.zeros((0, len(columns)), np.float32)
        rows, faults = parquet.read(TRACES, [path])
        for fault in faults:
            raise StoreError(f"cannot read {path}: {fault.why}")
        found = [[row[name] for name in columns] for row in rows]
        return np.array(found, np.float32).reshape(len(rows), len(columns))

    # -- checkpoints ------------------------------------------------------------------------

    def write_checkpoint(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Keep the state of a network in training; raises StoreError."""
        self._write(self._checkpoint(name), lambda path: save_file(dict(tensors), path))

    def checkpoint(self, name: str) -> dict[str, np.ndarray] | None:
        """The state of a network in training; None where none was kept."""
        path = self._checkpoint(name)
        return _load(path) if path.is_file() else None

    def drop_checkpoint(self, name: str) -> None:
        """Forget the state of a network that has ended."""
        self._checkpoint(name).unlink(missing_ok=True)

    # -- reading ----------------------------------------------------------------------------

    def query(self, sql: str) -> tuple[list[str], list[tuple]]:
        """Run SQL over the tables ``networks``, ``traces``, ``bounds``, ``verdicts``, ``evidence``.

        Returns:
            Column names and rows.

        Raises:
            ValueError: SQL that fails, with the database's own first line.
        """
        with duckdb.connect() as connection:
            for table in _mentioned(sql):
                self._tell(self._fill(connection, table))
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {FILE}")
            # a question must not be able to write, least of all over the results
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            try:
                statements = connection.extract_statements(sql)
                if len(statements) != 1:
                    raise fail("SQL", sql, "one statement")
                result = connection.execute(statements[0])
                names = [column[0] for column in result.description or []]
                return names, result.fetchall()
            except duckdb.Error as error:
                raise ValueError(f"SQL: {first_lines(error)}") from None

    def export(self, table: str, path: Path, format: str) -> None:
        """Write a table to one file, ``"csv"`` or ``"parquet"``; raises StoreError."""

        def write(temporary: Path) -> None:
            with duckdb.connect() as connection:
                self._tell(self._fill(connection, table))
                whole = f"(SELECT * EXCLUDE {FILE} FROM {table} ORDER BY {FILE})"
                parquet.copy(connection, whole, temporary, format)

        self._write(path, write)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file atomically; raises StoreError."""
        self._write(path, lambda temporary: temporary.write_text(text))

    def write_rows(
        self, path: Path, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write rows to a Parquet file atomically, its folder too; raises StoreError.

        Args:
            path: the file.
            columns: what the file has.
            rows: by column name; what is missing or NaN is empty.
        """

        def write(temporary: Path) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write(temporary, columns, rows)

        self._write(path, write)

    def read_rows(self, path: Path, columns: Sequence[Column]) -> list[dict[str, Any]] | None:
        """The rows of a Parquet file as they were written; None where it cannot be read."""
        rows, faults = parquet.read(columns, [path])
        return None if faults or not path.exists() else rows

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, each with the name of its file as ``FILE``."""
        with duckdb.connect() as connection:
            self._tell(self._fill(connection, table))
            return parquet.rows(connection, table)

    def damaged(self) -> list[Fault]:
        """Result files that cannot be used, each with the reason."""
        found = []
        for table in TABLES:
            with duckdb.connect() as connection:
                found += self._fill(connection, table)
        for folder in ("weights", "checkpoints"):
            for path in sorted((self.directory / folder).glob("*.safetensors")):
                why = _safetensors_fault(path, _KEPT[folder])
                if why:
                    found.append(Fault(path, why))
        return found

    def set_aside(self, path: Path) -> Path:
        """Move a damaged file out of the way, keeping it; its network counts as missing."""
        aside = self.directory / "set-aside" / path.parent.name
        aside.mkdir(parents=True, exist_ok=True)
        target = aside / f"{path.name}.{time.time_ns()}"
        os.replace(path, target)
        if path.parent.name in ("weights", "traces"):
            (self.directory / "networks" / f"{path.stem}.parquet").unlink(missing_ok=True)
        return target

    # -- inside -----------------------------------------------------------------------------

    def _checkpoint(self, name: str) -> Path:
        return self.directory / "checkpoints" / f"{name}.safetensors"

    def _files(self, table: str) -> list[Path]:
        return sorted((self.directory / table).glob("*.parquet"))

    def _fill(self, connection: duckdb.DuckDBPyConnection, table: str) -> list[Fault]:
        """Make a table of the sound files; returns the others."""
        faults = parquet.fill(connection, table, (TABLES | ADDED)[table], self._files(table))
        if table == "networks":
            for (filename,) in connection.execute(_MISNAMED).fetchall():
                connection.execute(f"DELETE FROM {table} WHERE {FILE} = ?", [filename])
                path = self.directory / table / filename
                faults.append(Fault(path, "its name is not that of its network"))
        return faults

    def _tell(self, faults: Sequence[Fault]) -> None:
        for path, why in faults:
            if path not in self._noted:
                self._note(f"{path} cannot be used ({why}); run again to set it right")
            self._noted.add(path)

    def _write(self, path: Path, write: Callable[[Path], Any]) -> None:
        """Write under a temporary name, sync, rename; leaves nothing behind on failure."""
        temporary = path.parent / f".{os.getpid()}.{time.time_ns()}.tmp"
        try:
            write(temporary)
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, path)
        except (OSError, duckdb.Error, SafetensorError) as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(f"cannot write {path}: {first_lines(error)}") from error


def _mentioned(sql: str) -> list[str]:
    """The tables whose names are in a question; all where there is none."""
    words = set(re.findall(r"\w+", sql.lower()))
    return [table for table in TABLES | ADDED if table in words] or list(TABLES | ADDED)


def check_writable(directory: Path) -> None:
    """Raise ValueError unless a run directory can be made or written there; leaves no trace."""
    at = directory.absolute()
    while not at.parent.exists():
        at = at.parent
    try:  # permissions do not tell (root, read-only and virtual file systems): try it
        if at.exists():
            with tempfile.TemporaryFile(dir=at):
                pass
        else:
            at.mkdir()
            at.rmdir()
    except OSError as error:
        raise ValueError(
            f"out: got {str(directory)!r} ({error.strerror}), allowed: a directory that can be"
            " written or made"
        ) from None


def to_toml(table: Mapping[str, Any]) -> str:
    """A flat or nested mapping of plain values as TOML text."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)  # strings, numbers and booleans read the same in TOML


def _load(path: Path) -> dict[str, np.ndarray]:
    with _reading(path):
        return load_file(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error, SafetensorError) as error:
        raise StoreError(f"cannot read {path}: {first_lines(error)}") from error


def _safetensors_fault(path: Path, kept: set[str]) -> str | None:
    try:
        with safe_open(path, "np") as handle:
            missing = sorted(kept - set(handle.keys()))
            return f"no tensor {missing[0]}: not a file of simbias" if missing else None
    except (OSError, SafetensorError) as error:
        return first_lines(error)
