"""The run directory: one Parquet row and one weights file a network, written atomically.

A file is written under a temporary name, synced and renamed, and its name is the hash of what it
holds: many writers need no lock, a network computed twice is one row, and what remains to be done
is a set difference. A network's row is written last, so a row means that all of it is there.

The row has checksums of the network's files and of itself. Rows are verified whenever they are
read, a trace or weights when they are loaded, and everything where a run begins: that takes as long
as reading every file. What was kept before there were checksums passes, as unverified.
"""

import contextlib
import json
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from datetime import time as clock
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from simbias._checks import fail, place, whole
from simbias._escape import csv_text
from simbias._files import read_toml
from simbias.results import checksums, parquet
from simbias.results.parquet import FILE, Fault, first_lines
from simbias.results.schema import (
    ADDED,
    CHECKSUM,
    FINAL,
    NETWORKS,
    OTHERS,
    TABLES,
    TRACES,
    Column,
)
from simbias.training.stack import seed_list

_RUN = {"suite": str, "preset": str, "n_certify": int, "cells": list, "seeds": list, "names": list}
_CELL = {"task": dict, "network": dict, "method": dict, "stop": dict, "n_train": int, "batch": int}
_MOST_CONFIG = 16_000_000  # bytes of run.toml, which says every cell
_FOLDERS = ("networks", "traces", "weights", "checkpoints")
_COLUMNS = TABLES | ADDED | OTHERS
_KEPT = {
    "weights": {"rotation", "fitted_since", "updates", "end", "seconds"},
    "checkpoints": {"trace"},
}
T = TypeVar("T")
_STALE_SECONDS = 3600  # temporary files older than this were left by a killed process


# A row belongs in the file that its network's hash names (see ``records.network_name``).
_MISNAMED = f"""SELECT {FILE} FROM networks
    WHERE left(sha256(settings || '|' || seed), 16) <> parse_filename({FILE}, true)"""


class StoreError(OSError):
    """Something could not be written or read; the message is one line that names it.

    Args:
        message: the line.
        why: its part without the file's name.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message


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
        self.directory = place("out" if create else "DIR", directory)
        self._note, self._noted = note, set[Path]()
        self._verified: dict[Path, tuple[Any, ...]] = {}
        self._read: tuple[dict[str, tuple[int, ...]], dict[str, dict[str, Any]]] = {}, {}
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
            with contextlib.suppress(FileNotFoundError):  # its writer has renamed it
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
        self.write_text(self.directory / "run.toml", config)

    def config(self) -> dict[str, Any] | None:
        """The contents of ``run.toml``; None where there is none; ValueError for a foreign one."""
        path = self.directory / "run.toml"
        if not path.exists():
            return None
        config = read_toml(str(path), path, _MOST_CONFIG)
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
        return {name: row["status"] for name, row in self.networks().items()}

    def networks(self) -> dict[str, dict[str, Any]]:
        """The sound rows of networks, by hash; read again only where a file has changed."""
        if self._read[0] != self._listing():
            with parquet.connect() as connection:
                self._tell(self._fill(connection, "networks"))
        return self._read[1]

    def write_network(
        self,
        name: str,
        row: Mapping[str, Any],
        trace: Sequence[Mapping[str, Any]] = (),
        tensors: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Keep a network: weights and trace first, then its row with their checksums.

        A row with a status that is not final never takes the place of one that is. Raises
        StoreError.
        """
        row = dict(row)
        path = self.directory / "networks" / f"{name}.parquet"
        if row["status"] not in FINAL and path.exists():
            before = self.read_rows(path, NETWORKS)
            if before and before[0]["status"] in FINAL:
                return
        if tensors is not None:
            row["weights_checksum"] = checksums.of_tensors(tensors)
            self._write(self.weights_path(name), lambda path: save_file(dict(tensors), path))
        if trace:

            def write(temporary: Path) -> None:
                parquet.write(temporary, TRACES, trace)
                row["trace_checksum"] = checksums.of_bytes(temporary.read_bytes())

            self._write(self.trace_path(name), write)
        self.write_rows(path, NETWORKS, [row])

    def weights_path(self, name: str) -> Path:
        """Where the weights of a network are."""
        return self.directory / "weights" / f"{name}.safetensors"

    def trace_path(self, name: str) -> Path:
        """Where the trace of a network is."""
        return self.directory / "traces" / f"{name}.parquet"

    def weights(self, name: str) -> dict[str, np.ndarray]:
        """The tensors of a network; raises StoreError where they are not those of its row."""
        return self._weights(name, self.networks().get(name, {}))

    def trace(self, name: str, columns: Sequence[str]) -> np.ndarray:
        """The trace of a network as float32 (checks, columns); none where none was kept.

        Raises:
            StoreError: it cannot be read, or is not that of the network's row.
        """
        path = self.trace_path(name)
        row = self.networks().get(name, {})
        if not self._matching(row, "trace_checksum", path, partial(_trace, path)):
            return np.zeros((0, len(columns)), np.float32)
        rows, faults = parquet.read(TRACES, [path])
        for fault in faults:
            raise StoreError(f"cannot read {path}: {fault.why}")
        found = [[row[name] for name in columns] for row in rows]
        return np.array(found, np.float32).reshape(len(rows), len(columns))

    def unverified(self) -> int:
        """How many networks have a row from before checksums."""
        return sum(row[CHECKSUM.name] is None for row in self.networks().values())

    def _weights(self, name: str, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        path = self.weights_path(name)

        def load() -> tuple[dict[str, np.ndarray], str]:
            tensors, _ = _load(path)
            return tensors, checksums.of_tensors(tensors)

        return self._matching(row, "weights_checksum", path, load)

    def _matching(
        self, row: Mapping[str, Any], column: str, path: Path, load: Callable[[], tuple[T, str]]
    ) -> T:
        """A file of a network; raises StoreError where it is not the one that its row speaks of."""
        for _ in range(2):  # another process may have written both in between
            content, found = load()
            if row.get(column) in (None, found):
                return content
            rows, _ = parquet.read(NETWORKS, [self.directory / "networks" / f"{path.stem}.parquet"])
            row = rows[0] if rows else row
        raise _unusable(path, checksums.CHANGED if found else "it is missing")

    # -- checkpoints ------------------------------------------------------------------------

    def write_checkpoint(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Keep the state of a network in training; raises StoreError."""
        seal = {"network": name, CHECKSUM.name: checksums.of_tensors(tensors)}
        self._write(self._checkpoint(name), lambda path: save_file(dict(tensors), path, seal))

    def checkpoint(self, name: str) -> dict[str, np.ndarray] | None:
        """The state of a network in training; None where none was kept; raises StoreError."""
        path = self._checkpoint(name)
        if not path.is_file():
            return None
        tensors, seal = _load(path)
        if seal and seal != {"network": name, CHECKSUM.name: checksums.of_tensors(tensors)}:
            raise _unusable(path, checksums.CHANGED)
        return tensors

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
        with parquet.connect() as connection:
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
            with parquet.connect() as connection:
                self._tell(self._fill(connection, table))
                whole = f"(SELECT * EXCLUDE {FILE} FROM {table} ORDER BY {FILE}, rowid)"
                if format == "parquet":
                    parquet.copy(connection, whole, temporary)
                    return
                found = connection.execute(f"FROM {whole}")
                names = [column[0] for column in found.description or []]
                temporary.write_text(csv_text(names, found.fetchall()), encoding="utf-8")

        self._write(path, write)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file atomically; raises StoreError."""
        self._write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

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
        """The rows of a Parquet file as they were written; None, and told, where it is not whole.

        None as well where there is no such file.
        """
        rows, faults = parquet.read(columns, [path])
        self._tell(faults)
        return None if faults or not path.exists() else rows

    def damaged(self) -> list[Fault]:
        """Files that cannot be used, each with the reason; reads all that there are."""
        found = []
        with parquet.connect() as connection:
            for table in _COLUMNS:
                found += self._fill(connection, table)
        rows = self.networks()
        weights = {path.stem for path in (self.directory / "weights").glob("*.safetensors")}
        kept = {name for name, row in rows.items() if row["weights_checksum"]}
        whole = [self.weights_path(name) for name in sorted(weights | kept)]
        whole += sorted((self.directory / "checkpoints").glob("*.safetensors"))
        for path in whole:
            seal = rows.get(path.stem, {}).get("weights_checksum")
            now = (seal, *_stamp(path))
            if self._verified.get(path) == now:
                continue
            try:
                if path.parent.name == "weights":
                    tensors = self._weights(path.stem, rows.get(path.stem, {}))
                else:
                    tensors = self.checkpoint(path.stem) or {}
                missing = sorted(_KEPT[path.parent.name] - set(tensors))
                if missing and path.exists():
                    found.append(Fault(path, f"no tensor {missing[0]}: not a file of simbias"))
                else:
                    self._verified[path] = now
            except StoreError as error:
                found.append(Fault(path, error.why))
        return found

    def mend(self) -> list[str]:
        """Move damaged files out of the way, keeping them; returns a line each.

        What they were of counts as missing, and is computed again.
        """
        lines = []
        for path, why in self.damaged():
            aside = self.set_aside(path)
            moved = f"moved to {aside}, " if aside.exists() else ""
            lines.append(f"{path} cannot be used ({why}): {moved}computed again")
        return lines

    def set_aside(self, path: Path) -> Path:
        """Move a damaged file, and with it its network's row; returns where the file is then."""
        row = self.directory / "networks" / f"{path.stem}.parquet"
        both = (row, path) if path.parent.name in ("weights", "traces") else (path,)
        for one in both:
            target = self.directory / "set-aside" / one.parent.name / f"{one.name}.{time.time_ns()}"
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # missing, or another process was faster
                os.replace(one, target)
        return target

    # -- inside -----------------------------------------------------------------------------

    def _checkpoint(self, name: str) -> Path:
        return self.directory / "checkpoints" / f"{name}.safetensors"

    def _files(self, table: str) -> list[Path]:
        return sorted((self.directory / table).glob("*.parquet"))

    def _fill(self, connection: duckdb.DuckDBPyConnection, table: str) -> list[Fault]:
        """Make a table of the sound files; returns the others."""
        paths, listing = self._files(table), self._listing() if table == "networks" else {}
        others = self._other_traces(paths) if table == "traces" else []
        wrong = {fault.path for fault in others}
        sound = [path for path in paths if path not in wrong]
        others += parquet.fill(connection, table, _COLUMNS[table], sound)
        if table == "networks":
            names = [name for (name,) in connection.execute(_MISNAMED).fetchall()]
            parquet.leave_out(connection, table, names)
            why = "its name is not that of its network"
            others += [Fault(self.directory / table / name, why) for name in names]
            rows = parquet.rows(connection, table)
            self._read = listing, {Path(row[FILE]).stem: row for row in rows}
        return others

    def _listing(self) -> dict[str, tuple[int, ...]]:
        """What tells whether a row of networks was written since."""
        return {path.name: _stamp(path) for path in self._files("networks")}

    def _other_traces(self, paths: Sequence[Path]) -> list[Fault]:
        """The traces that are not those of which the rows of networks speak."""
        present = {path.stem for path in paths}
        rows = self.networks()
        kept = {name for name, row in rows.items() if row["trace_checksum"]}
        found = []
        for name in sorted(present | kept):
            path = self.trace_path(name)
            try:
                load = partial(_trace, path)
                self._matching(rows.get(name, {}), "trace_checksum", path, load)
            except StoreError as error:
                found.append(Fault(path, error.why))
        return found

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
    return "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, date | clock | float):
        return str(value)
    # text, integers and booleans are those of JSON, but for escapes in pairs and the last of ASCII
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _stamp(path: Path) -> tuple[int, ...]:
    """What tells whether a file was written since; nothing where there is none."""
    try:
        known = path.stat()
    except OSError:
        return ()
    return known.st_mtime_ns, known.st_size, known.st_ino


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} cannot be used ({why})", why)


def _load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and what the file says of itself."""
    with _reading(path), safe_open(path, "np") as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}, handle.metadata() or {}


def _trace(path: Path) -> tuple[bool, str]:
    """Whether there is a trace, and its checksum."""
    with _reading(path):
        try:
            return True, checksums.of_bytes(path.read_bytes())
        except FileNotFoundError:
            return False, ""


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error, SafetensorError) as error:
        why = first_lines(error)
        raise StoreError(f"cannot read {path}: {why}", why) from error
