"""The run directory: rows in Parquet files, and a trace and weights a network, written atomically.

A file is written under a temporary name, synced and renamed: many writers need no lock, a network
computed twice is one row, and what remains to be done is a set difference. A network's row is
written last, so a row means that all of it is there; ``rows`` says how rows become large files.

The row has checksums of the network's files and of itself. Rows are verified whenever they are
read, a trace or weights when they are loaded, and everything where a run begins: that takes as long
as reading every file. What was kept before there were checksums passes, as unverified.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
from safetensors.numpy import save_file

from simbias._checks import fail, known, place
from simbias._escape import csv_text
from simbias._frames import frame
from simbias.results import checksums, files, parquet, tensors
from simbias.results.config import read_config
from simbias.results.files import Fault, StoreError, stamp, unusable
from simbias.results.parquet import ENTRY, FILE
from simbias.results.rows import OWN, Rows
from simbias.results.schema import (
    CHECKSUM,
    FINAL,
    NETWORK_ROWS,
    TABLES,
    TRACES,
    UNASKED,
    UNKNOWN,
    Column,
    Known,
)

_FOLDERS = ("networks", "traces", "weights", "checkpoints")
_KEPT = {
    "weights": {"rotation", "fitted_since", "updates", "end", "seconds"},
    "checkpoints": {"trace"},
}
_WAIT = 600.0  # seconds for another process to end, or be found dead
T = TypeVar("T")


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
        self._config: tuple[tuple[int, ...], dict[str, Any]] = (), {}
        self._order: dict[str, int] = {}
        self._rows = Rows(self.directory, NETWORK_ROWS, Known, Known._fields)
        if create:
            files.check_writable(self.directory)
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
        files.clear(self.directory)
        self.write_text(self.directory / "run.toml", config)

    def config(self) -> dict[str, Any] | None:
        """The contents of ``run.toml``; None where there is none; ValueError for a foreign one."""
        path = self.directory / "run.toml"
        now = stamp(path)
        if not path.exists():
            return None
        if self._config[0] != now:
            self._config = now, read_config(path)
            names = [entry["cell"] for entry in self._config[1]["names"]]
            self._order = {name: place for place, name in enumerate(names)}
        return self._config[1]

    def order(self, cell: str) -> int:
        """The place of a cell in the suite; cells that are not in it come last."""
        self.config()
        return self._order.get(cell, len(self._order))

    # -- networks ---------------------------------------------------------------------------

    def finished(self) -> dict[str, str]:
        """Status by hash of the networks whose files are whole and whose status is final."""
        there = self._weighed()
        return {
            name: status
            for name, status in self.statuses().items()
            if status in FINAL and name in there
        }

    def statuses(self) -> dict[str, str]:
        """Status by hash of every row."""
        return {name: row.status for name, row in self.networks().items()}

    def networks(self) -> dict[str, Known]:
        """What is known of each network with a sound row, by hash; reads only what has changed."""
        known, faults = self._rows.index()
        self._tell(faults)
        return known

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
        if row["status"] not in FINAL:
            before = self.networks().get(name)
            if before is not None and before.status in FINAL:
                return
        if tensors is not None:
            row["weights_checksum"] = checksums.of_tensors(tensors)
            files.write(self.weights_path(name), lambda path: save_file(dict(tensors), path))
        if trace:

            def write(temporary: Path) -> None:
                parquet.write(temporary, TRACES, trace)
                row["trace_checksum"] = checksums.of_bytes(temporary.read_bytes())

            files.write(self.trace_path(name), write)
        self._rows.write(name, row)

    def compact(self, *, wait: bool = False) -> None:
        """Gather rows into large files, unless another process does, which may be waited for.

        Raises StoreError.
        """
        self._rows.compact(wait=_WAIT if wait else 0.0)

    def weights_path(self, name: str) -> Path:
        """Where the weights of a network are."""
        return self.directory / "weights" / f"{name}.safetensors"

    def trace_path(self, name: str) -> Path:
        """Where the trace of a network is."""
        return self.directory / "traces" / f"{name}.parquet"

    def weights(self, name: str, rows: Mapping[str, Known] | None = None) -> dict[str, np.ndarray]:
        """The tensors of a network; raises StoreError where they are not those of its row.

        Args:
            name: the network's.
            rows: what ``networks`` gives, where it is at hand.
        """
        path = self.weights_path(name)

        def load() -> tuple[dict[str, np.ndarray], str]:
            found, _ = tensors.load(path)
            return found, checksums.of_tensors(found)

        return self._matching(path, "weights_checksum", load, rows)

    def trace(self, name: str, columns: Sequence[str]) -> np.ndarray:
        """The trace of a network as float32 (checks, columns); none where none was kept.

        Raises:
            StoreError: it cannot be read, or is not that of the network's row.
        """
        path = self.trace_path(name)
        if not self._matching(path, "trace_checksum", partial(tensors.file_checksum, path)):
            return np.zeros((0, len(columns)), np.float32)
        rows, faults = parquet.read(TRACES, path)
        for fault in faults:
            raise StoreError(f"cannot read {path}: {fault.why}")
        found = [[row[name] for name in columns] for row in rows]
        return np.array(found, np.float32).reshape(len(rows), len(columns))

    def unverified(self) -> int:
        """How many networks have a row from before checksums."""
        return sum(row.checksum is None for row in self.networks().values())

    def _matching(
        self,
        path: Path,
        column: str,
        load: Callable[[], tuple[T, str]],
        rows: Mapping[str, Known] | None = None,
    ) -> T:
        """A file of a network; raises StoreError where it is not the one that its row speaks of."""
        row = (self.networks() if rows is None else rows).get(path.stem, UNKNOWN)
        for _ in range(2):  # another process may have written both in between
            content, found = load()
            if getattr(row, column) in (None, found):
                return content
            row = self.networks().get(path.stem, row)
        raise unusable(path, checksums.CHANGED if found else "it is missing")

    # -- checkpoints ------------------------------------------------------------------------

    def write_checkpoint(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Keep the state of a network in training; raises StoreError."""
        seal = {"network": name, CHECKSUM.name: checksums.of_tensors(tensors)}
        files.write(self._checkpoint(name), lambda path: save_file(dict(tensors), path, seal))

    def checkpoint(self, name: str) -> dict[str, np.ndarray] | None:
        """The state of a network in training; None where none was kept; raises StoreError."""
        path = self._checkpoint(name)
        if not path.is_file():
            return None
        found, seal = tensors.load(path)
        if seal and seal != {"network": name, CHECKSUM.name: checksums.of_tensors(found)}:
            raise unusable(path, checksums.CHANGED)
        return found

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
                for column in (FILE, ENTRY):
                    connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
            return parquet.ask(connection, sql)

    def frame(self, table: str) -> Any:
        """A table as a pandas data frame, a row a network, check, bound, ...

        Raises:
            ValueError: no such table, or pandas is not installed.
        """
        names, rows = self.query(f"FROM {known('table', table, TABLES)}")
        return frame({name: [row[i] for row in rows] for i, name in enumerate(names)})

    def export(self, table: str, path: Path, format: str) -> None:
        """Write a table to one file, ``"csv"`` or ``"parquet"``; raises StoreError."""

        def write(temporary: Path) -> None:
            with parquet.connect() as connection:
                self._tell(self._fill(connection, table))
                whole = f"(SELECT * {OWN} FROM {table} ORDER BY {FILE}, rowid)"
                if format == "parquet":
                    parquet.copy(connection, whole, temporary)
                    return
                found = connection.execute(f"FROM {whole}")
                names = [column[0] for column in found.description or []]
                temporary.write_text(csv_text(names, found.fetchall()), encoding="utf-8")

        files.write(path, write)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file atomically; raises StoreError."""
        files.write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

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

        files.write(path, write)

    def read_rows(self, path: Path, columns: Sequence[Column]) -> list[dict[str, Any]] | None:
        """The rows of a Parquet file as they were written; None, and told, where it is not whole.

        None as well where there is no such file.
        """
        rows, faults = parquet.read(columns, path)
        self._tell(faults)
        return None if faults or not path.exists() else rows

    def read_table(self, table: str) -> list[list[dict[str, Any]]]:
        """The rows of each file of a table; what cannot be used is told."""
        with parquet.connect() as connection:
            self._tell(self._fill(connection, table))
            found = parquet.rows(connection, table)
        return [list(rows) for _, rows in groupby(found, key=itemgetter(FILE))]

    def damaged(self) -> list[Fault]:
        """Files that cannot be used, each with the reason; reads all that there are."""
        found = []
        self._rows.index()  # its faults are among those of its table
        with parquet.connect() as connection:
            for table in TABLES | UNASKED:
                found += self._fill(connection, table)
        rows = self.networks()
        kept = {name for name, row in rows.items() if row.weights_checksum}
        whole = [self.weights_path(name) for name in sorted(self._weighed() | kept)]
        whole += sorted((self.directory / "checkpoints").glob("*.safetensors"))
        for path in whole:
            now = (rows.get(path.stem, UNKNOWN).weights_checksum, *stamp(path))
            if self._verified.get(path) == now:
                continue
            try:
                if path.parent.name == "weights":
                    there = self.weights(path.stem, rows)
                else:
                    there = self.checkpoint(path.stem) or {}
                missing = sorted(_KEPT[path.parent.name] - set(there))
                if missing and path.exists():
                    found.append(Fault(path, f"no tensor {missing[0]}: not a file of simbias"))
                else:
                    self._verified[path] = now
            except StoreError as error:
                found.append(Fault(path, error.why))
        return found

    def mend(self) -> list[str]:
        """Move damaged files out of the way, keeping them; returns a line each.

        What they were of counts as missing, and is computed again; the sound rows of a file of many
        are kept. Raises StoreError.
        """
        faults = self.damaged()
        kinds = {path: path.parent.name for path, _ in faults}
        aside = {
            path.name: files.set_aside(self.directory, kind, path)
            for path, kind in kinds.items()
            if not self._rows.holds(path)
        }
        if faults:
            aside |= self._rows.compact(
                without={path.stem for path in kinds if kinds[path] in ("weights", "traces")},
                damaged=[path for path in kinds if self._rows.holds(path)],
                wait=_WAIT,
            )
        lines = []
        for path, why in faults:
            target = aside.get(path.name)
            moved = f"moved to {target}, " if target is not None and target.exists() else ""
            lines.append(f"{path} cannot be used ({why}): {moved}computed again")
        return lines

    # -- inside -----------------------------------------------------------------------------

    def _checkpoint(self, name: str) -> Path:
        return self.directory / "checkpoints" / f"{name}.safetensors"

    def _weighed(self) -> set[str]:
        """The networks that have weights."""
        return {path.stem for path in (self.directory / "weights").glob("*.safetensors")}

    def _fill(self, connection: duckdb.DuckDBPyConnection, name: str) -> list[Fault]:
        """Make a table of what is sound; returns the files of which rows are left out."""
        table = (TABLES | UNASKED)[name]
        if table.entry:
            return self._rows.fill(connection)
        paths = sorted((self.directory / name).glob("*.parquet"))
        others = self._other_traces(paths) if name == "traces" else []
        wrong = {fault.path for fault in others}
        sound = [f"{name}/{path.name}" for path in paths if path not in wrong]
        found = parquet.fill(connection, name, table.columns, self.directory, sound)
        return others + [fault for fault in found if fault.path.exists()]

    def _other_traces(self, paths: Sequence[Path]) -> list[Fault]:
        """The traces that are not those of which the rows of networks speak."""
        present = {path.stem for path in paths}
        rows = self.networks()
        kept = {name for name, row in rows.items() if row.trace_checksum}
        found = []
        for name in sorted(present | kept):
            path = self.trace_path(name)
            try:
                self._matching(path, "trace_checksum", partial(tensors.file_checksum, path), rows)
            except StoreError as error:
                found.append(Fault(path, error.why))
        return found

    def _tell(self, faults: Sequence[Fault]) -> None:
        for path, why in faults:
            if path not in self._noted:
                self._note(f"{path} cannot be used ({why}); run again to set it right")
            self._noted.add(path)


def _mentioned(sql: str) -> list[str]:
    """The tables whose names are in a question; all where there is none."""
    words = set(re.findall(r"\w+", sql.lower()))
    return [table for table in TABLES if table in words] or list(TABLES)
