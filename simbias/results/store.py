"""The run directory: one Parquet row and one weights file a network, written atomically.

A file is written under a temporary name, synced and renamed, and its name is the hash of what it
holds: many writers need no lock, a network computed twice is one row, and what remains to be done
is a set difference. A network's row is written last, so a row means that all of it is there.
"""

import json
import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from simbias._checks import fail
from simbias.results.schema import ADDED, FINAL, NETWORKS, TABLES, TRACES, Column

_RUN = {"suite": str, "preset": str, "n_certify": int, "cells": list, "seeds": list, "names": list}
_FOLDERS = ("networks", "traces", "weights", "checkpoints")
_KEPT = {
    "weights": {"rotation", "fitted_since", "updates", "end", "seconds"},
    "checkpoints": {"trace"},
}
_STALE_SECONDS = 3600  # temporary files older than this were left by a killed process


# A row belongs in the file that its network's hash names (see ``records.network_name``).
_MISNAMED = """SELECT 1 FROM read_parquet(?, filename=true, union_by_name=true)
    WHERE left(sha256(settings || '|' || seed), 16) <> parse_filename(filename, true) LIMIT 1"""


class StoreError(OSError):
    """Something could not be written or read; the message is one line that names it."""


class Store:
    """A run directory.

    Args:
        directory: its path.
        create: make it if it is not there; otherwise it must hold a run.

    Raises:
        ValueError: no run directory, a file in its place, or a place that cannot be written.
    """

    def __init__(self, directory: str | Path, *, create: bool = False) -> None:
        self.directory = Path(directory)
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
        rows = self._rows("networks", "filename, status")
        return {Path(filename).stem: status for filename, status in rows}

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
        with _reading(path):
            found = duckdb.execute(f"SELECT {', '.join(columns)} FROM read_parquet(?)", [str(path)])
            table = found.fetchnumpy()
        arrays = [np.ma.filled(table[name].astype(np.float32), np.nan) for name in columns]
        return np.stack(arrays, axis=1)

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
            for table, columns in (TABLES | ADDED).items():
                self._view(connection, table, columns)
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
                raise ValueError(f"SQL: {_first_lines(error)}") from None

    def export(self, table: str, path: Path, format: str) -> None:
        """Write a table to one file, ``"csv"`` or ``"parquet"``; raises StoreError."""

        def write(temporary: str) -> None:
            with duckdb.connect() as connection:
                self._view(connection, table, TABLES[table])
                connection.execute(f"COPY {table} TO {_quoted(temporary)} (FORMAT {format})")

        self._write(path, write)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file atomically; raises StoreError."""
        self._write(path, lambda temporary: Path(temporary).write_text(text))

    def write_rows(
        self, path: Path, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write rows to a Parquet file atomically, its folder too; raises StoreError.

        Args:
            path: the file.
            columns: what the file has.
            rows: by column name; what is missing or NaN is empty.
        """
        typed = ", ".join(f'"{column.name}" {column.type}' for column in columns)
        marks = ", ".join("?" * len(columns))
        values = [[_plain(row.get(column.name)) for column in columns] for row in rows]

        def write(temporary: str) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect() as connection:
                connection.execute(f"CREATE TABLE rows ({typed})")
                connection.executemany(f"INSERT INTO rows VALUES ({marks})", values)
                connection.execute(f"COPY rows TO {_quoted(temporary)} (FORMAT parquet)")

        self._write(path, write)

    def read_rows(self, path: Path, columns: Sequence[Column]) -> list[dict[str, Any]] | None:
        """The rows of a Parquet file as they were written; None where it cannot be read."""
        names = [column.name for column in columns]
        chosen = ", ".join(f'"{name}"' for name in names)
        try:
            rows = duckdb.execute(f"SELECT {chosen} FROM read_parquet(?)", [str(path)]).fetchall()
        except (duckdb.Error, OSError):
            return None
        return [dict(zip(names, row, strict=True)) for row in rows]

    def damaged(self) -> list[tuple[Path, str]]:
        """Result files that cannot be used, each with the reason."""
        found = []
        for table, columns in TABLES.items():
            if not self._whole(table, columns):
                for path in self._files(table):
                    why = _parquet_fault(path, columns)
                    if why:
                        found.append((path, why))
        for folder in ("weights", "checkpoints"):
            for path in sorted((self.directory / folder).glob("*.safetensors")):
                why = _safetensors_fault(path, _KEPT[folder])
                if why:
                    found.append((path, why))
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

    def _rows(self, table: str, columns: str) -> list[tuple]:
        if not self._files(table):
            return []
        glob = str(self.directory / table / "*.parquet")
        with _reading(self.directory / table):
            return duckdb.execute(
                f"SELECT {columns} FROM read_parquet(?, filename=true, union_by_name=true)", [glob]
            ).fetchall()

    def _view(
        self, connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Column]
    ) -> None:
        """A table of the sound files, empty where there are none."""
        if self._whole(table, columns):
            files = self._files(table)
        else:
            files = [path for path in self._files(table) if not _parquet_fault(path, columns)]
        typed = ", ".join(f'"{column.name}" {column.type}' for column in columns)
        connection.execute(f"CREATE TABLE {table} ({typed})")
        if files:
            connection.execute(
                f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet(?, union_by_name=true)",
                [[str(path) for path in files]],
            )

    def _whole(self, table: str, columns: Sequence[Column]) -> bool:
        """Whether one pass reads every file of a table and finds its columns."""
        if not self._files(table):
            return True
        glob = str(self.directory / table / "*.parquet")
        names = [column.name for column in columns]
        try:
            shortest = duckdb.execute(
                "SELECT min(found) FROM (SELECT count(*) FILTER (list_contains(?, name)) AS found"
                " FROM parquet_schema(?) GROUP BY file_name)",
                [names, glob],
            ).fetchone()
            duckdb.execute("SELECT max(COLUMNS(*)) FROM read_parquet(?)", [glob]).fetchall()
            if columns is NETWORKS and duckdb.execute(_MISNAMED, [glob]).fetchone():
                return False
        except (duckdb.Error, OSError):
            return False
        return shortest is not None and shortest[0] == len(names)

    def _write(self, path: Path, write: Callable[[str], Any]) -> None:
        """Write under a temporary name, sync, rename; leaves nothing behind on failure."""
        temporary = path.parent / f".{path.name}.{os.getpid()}.{time.time_ns()}.tmp"
        try:
            write(str(temporary))
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, path)
        except (OSError, duckdb.Error, SafetensorError) as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(f"cannot write {path}: {_first_lines(error)}") from error


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


def _plain(value: Any) -> Any:
    """A Python value for the database; NaN becomes empty."""
    value = value.item() if isinstance(value, np.generic | np.ndarray) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def _quoted(path: str) -> str:
    """A path as an SQL string."""
    return "'" + path.replace("'", "''") + "'"


def _load(path: Path) -> dict[str, np.ndarray]:
    with _reading(path):
        return load_file(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error, SafetensorError) as error:
        raise StoreError(f"cannot read {path}: {_first_lines(error)}") from error


def _parquet_fault(path: Path, columns: Sequence[Column]) -> str | None:
    if not path.is_file():
        return "not a file"
    try:
        result = duckdb.execute("SELECT * FROM read_parquet(?)", [str(path)])
        present = {column[0] for column in result.description or []}
        result.fetchall()
        missing = [column.name for column in columns if column.name not in present]
        if missing:
            return f"no column {missing[0]}: not a file of simbias"
        misnamed = columns is NETWORKS and duckdb.execute(_MISNAMED, [str(path)]).fetchone()
    except (duckdb.Error, OSError) as error:
        return _first_lines(error)
    return "its name is not that of its network" if misnamed else None


def _safetensors_fault(path: Path, kept: set[str]) -> str | None:
    try:
        with safe_open(path, "np") as handle:
            missing = sorted(kept - set(handle.keys()))
            return f"no tensor {missing[0]}: not a file of simbias" if missing else None
    except (OSError, SafetensorError) as error:
        return _first_lines(error)


def _first_lines(error: BaseException) -> str:
    """An error's message in one line, without the query it came from."""
    lines = [line.strip() for line in str(error).split("LINE 1:")[0].splitlines() if line.strip()]
    return " ".join(lines)
