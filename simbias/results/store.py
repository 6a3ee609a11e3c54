"""The run directory: rows in Parquet files, trace and weights of each network, written atomically.

A file is written under a temporary name, synced and renamed: many writers need no lock, a network
computed twice is one row, and what remains to be done is a set difference. A network's row is
written last, so where there is a row all its files exist; ``rows`` gathers rows in large files.

The row has checksums of the network's files and of itself. Rows are verified whenever they are
read, a trace or weights when they are loaded, and everything where a run begins: that takes as long
as reading every file. Rows from before there were checksums are accepted, as unverified.
"""

import json
import re
import warnings
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import tomli_w

from simbias._checks import fail, known, place
from simbias._escape import csv_text
from simbias._frames import DataFrame, frame
from simbias._keys import VERSION
from simbias._types import Answer, Settings, TableRow
from simbias.experiments import FINAL, Column, cell_of
from simbias.experiments.experiment import OwnCell
from simbias.results import files, parquet
from simbias.results.beside import Beside
from simbias.results.config import read_config
from simbias.results.files import Fault, StoreError, stamp
from simbias.results.parquet import ENTRY, FILE
from simbias.results.rows import OWN, Rows
from simbias.results.schema import INTERNAL_TABLES, ROWS, TABLES, TRACE_COLUMNS, RowIndex
from simbias.training.draws import DrawsError

_FOLDERS = ("traces", "weights", "checkpoints")
_WAIT = 600.0  # seconds for another process to end, or be found dead


class Outcome(NamedTuple):
    """What a run directory keeps of a replica.

    Attributes:
        row: by column name; missing values and NaN are empty.
        trace: likewise, a mapping for each check.
        tensors: weights, for a file of their own.

    Examples:
        >>> from simbias.results.store import Outcome
        >>> Outcome({"status": "done"}).trace
        ()
    """

    row: Mapping[str, object]
    trace: Sequence[Mapping[str, object]] = ()
    tensors: Mapping[str, np.ndarray] | None = None


class Store(Beside):
    """A run directory.

    Args:
        directory: its path.
        create: make it if it is not there; otherwise it must hold a run.
        note: called with a line on each file that reading leaves out, once; default: a warning.

    Raises:
        ValueError: no run directory, a file in its place, or a place that cannot be written.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> columns, rows = store.query("SELECT seed, status, updates FROM networks ORDER BY seed")
        >>> columns, rows
        (['seed', 'status', 'updates'], [(0, 'done', 200), (1, 'done', 200)])
        >>> sorted(store.statuses().values())
        ['done', 'done']
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        create: bool = False,
        note: Callable[[str], None] = warnings.warn,
    ) -> None:
        super().__init__(place("out" if create else "DIR", directory))
        self._note, self._noted = note, set[Path]()
        self._config: tuple[tuple[int, ...], Settings] = (), {}
        self._order: dict[str, int] = {}
        self._rows = {
            name: Rows(self.directory, table, RowIndex, RowIndex._fields)
            for name, table in ROWS.items()
        }
        if create:
            files.check_writable(self.directory)
        if self.config() is None and not create:
            raise fail("DIR", str(directory), "a run directory (made by simbias run)")
        for folder in (*_FOLDERS, *ROWS):
            path = self.directory / folder
            if path.exists() and not path.is_dir():
                raise ValueError(f"{path} is a file: not a run directory of simbias")

    def prepare(self, config: Settings, *, new: bool = False) -> bool:
        """Make the folders, write ``run.toml``, and remove what killed processes left.

        Args:
            config: what ``config()`` returns from then on; TOML has no None.
            new: leave the ``run.toml`` that another process has made meanwhile.

        Returns:
            Whether ``run.toml`` was written.
        """
        for folder in _FOLDERS:
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        files.clear(self.directory)
        path, text = self.directory / "run.toml", tomli_w.dumps(config)
        if new:
            with suppress(
                StoreError
            ):  # a file system without hard links, or nothing can be written
                return files.write_new(path, text.encode())
        self.write_text(path, text)
        return True

    def config(self) -> Settings | None:
        """The contents of ``run.toml``; None where there is none; ValueError for a foreign one."""
        path = self.directory / "run.toml"
        mark = stamp(path)
        if not path.exists():
            return None
        if self._config[0] != mark:
            self._config = mark, read_config(path)
            names = [entry["cell"] for entry in self._config[1]["names"]]
            self._order = {name: place for place, name in enumerate(names)}
        return self._config[1]

    def check_keys(self) -> None:
        """Raise DrawsError where the run was drawn with another version of the random keys."""
        config = self.config()
        if config is not None:
            stored = config.get("versions", {}).get("keys", str(VERSION))  # else draws are compared
            if stored != str(VERSION):
                raise DrawsError(
                    f"{self.directory}: drawn by version {stored} of the random keys, here is"
                    f" version {VERSION}: its rows can be read (table, query, export), but nothing"
                    " can be drawn again or added; run into another directory"
                )

    def order(self, cell: str) -> int:
        """The position of a cell in the suite; cells that are not in it come last."""
        self.config()
        return self._order.get(cell, len(self._order))

    # -- rows ---------------------------------------------------------------------------------

    def finished(self) -> dict[str, str]:
        """Status by hash of the rows whose files are whole and whose status is final."""
        with_weights = self._hashes_with_weights()
        return {
            name: row.status
            for table, rows in self._known().items()
            for name, row in rows.items()
            if row.status in FINAL
            and (name in with_weights or not (ROWS[table].weighed or row.weights_checksum))
        }

    def statuses(self) -> dict[str, str]:
        """Status by hash of every row."""
        return {name: row.status for name, row in self.known().items()}

    def known(self) -> Mapping[str, RowIndex]:
        """The ``RowIndex`` of each sound row, by hash; reads only files that have changed."""
        tables = [rows for rows in self._known().values() if rows]
        return tables[0] if len(tables) == 1 else ChainMap(*tables)

    def write(
        self,
        table: str,
        name: str,
        row: Mapping[str, object],
        trace: Sequence[Mapping[str, object]] = (),
        tensors: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write one outcome: see ``write_together``."""
        self.write_together(table, {name: Outcome(row, trace, tensors)})

    def write_together(self, table: str, outcomes: Mapping[str, Outcome]) -> None:
        """Write outcomes: weights and traces first, then the rows with their checksums.

        A row with a status that is not final never takes the place of one that is.

        Args:
            table: name of one of ``ROWS``.
            outcomes: by the hash of the row.

        Raises:
            StoreError: they could not be written.
        """
        all_final = all(outcome.row["status"] in FINAL for outcome in outcomes.values())
        before: Mapping[str, RowIndex] = {} if all_final else self.known()
        rows = {}
        for name, (row, trace, tensors) in outcomes.items():
            known = before.get(name)
            if known is not None and known.status in FINAL and row["status"] not in FINAL:
                continue
            hashes = self._write_files(name, TRACE_COLUMNS[table], trace, tensors)
            rows[name] = {**row, **hashes}
        if rows:
            self._rows[table].write(rows)

    def compact(self, *, wait: bool = False) -> None:
        """Gather rows into large files, unless another process does; raises StoreError.

        Args:
            wait: whether to wait for that process.
        """
        for rows in self._rows.values():
            rows.compact(wait=_WAIT if wait else 0.0)

    def unverified(self) -> int:
        """The number of rows from before there were checksums."""
        return sum(row.checksum is None for row in self.known().values())

    # -- reading ----------------------------------------------------------------------------

    def query(self, sql: str) -> tuple[list[str], list[Answer]]:
        """Run SQL over ``TABLES``: those of experiments, ``traces``, ``bounds``, ``verdicts``, ...

        Returns:
            Column names and rows.

        Raises:
            ValueError: SQL that fails, with the database's own first line.
        """
        with parquet.alone() as connection:
            for table in mentioned(sql):
                self.load(connection, table)
            return parquet.ask(connection, sql)

    def cell(self, settings: str) -> OwnCell:
        """The cell of the settings in a row; raises ValueError."""
        return cell_of(json.loads(settings))

    def load(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        """Make a table of an empty database of the rows of the run; faults are noted."""
        self._report(self._fill(connection, table))
        for column in (FILE, ENTRY):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")

    def frame(self, table: str) -> DataFrame:
        """A table as a pandas data frame, a row for each network, check, bound, ...

        Raises:
            ValueError: no such table, or pandas is not installed.
        """
        names, rows = self.query(f"FROM {known('table', table, TABLES)}")
        return frame({name: [row[i] for row in rows] for i, name in enumerate(names)})

    def export(self, table: str, path: Path, format: str) -> None:
        """Write a table to one file, ``"csv"`` or ``"parquet"``; raises StoreError."""

        def write(temporary: Path) -> None:
            with parquet.connect() as connection:
                self._report(self._fill(connection, table))
                query = f"(SELECT * {OWN} FROM {table} ORDER BY {FILE}, rowid)"
                if format == "parquet":
                    parquet.copy(connection, query, temporary)
                    return
                result = connection.execute(f"FROM {query}")
                names = [column[0] for column in result.description or []]
                temporary.write_text(csv_text(names, result.fetchall()), encoding="utf-8")

        files.write(path, write)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file atomically; raises StoreError."""
        files.write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    def write_rows(
        self, path: Path, columns: Sequence[Column], rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Write rows to a Parquet file atomically, its folder too; raises StoreError.

        Args:
            path: the file.
            columns: of the file.
            rows: by column name; missing values and NaN are empty.
        """

        def write(temporary: Path) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write(temporary, columns, rows)

        files.write(path, write)

    def read_rows(self, path: Path, columns: Sequence[Column]) -> list[TableRow] | None:
        """The rows of a Parquet file in their order; None where it is missing or damaged.

        A damaged file is reported.
        """
        rows, faults = parquet.read(columns, path)
        self._report(faults)
        return None if faults or not path.exists() else rows

    def read_table(self, table: str) -> list[list[TableRow]]:
        """The rows of each file of a table; files that cannot be used are reported."""
        with parquet.connect() as connection:
            self._report(self._fill(connection, table))
            rows = parquet.rows(connection, table)
        return [list(file_rows) for _, file_rows in groupby(rows, key=itemgetter(FILE))]

    def damaged(self) -> list[Fault]:
        """Files that cannot be used, each with the reason; reads every file."""
        faults = []
        for rows in self._rows.values():
            rows.index()  # its faults are those of its table below
        with parquet.connect() as connection:
            for table in TABLES | INTERNAL_TABLES:
                faults += self._fill(connection, table, doubtful=True)
        return faults + self._damaged_tensors()

    def mend(self) -> list[str]:
        """Move damaged files out of the way, keeping them; returns a line each.

        What they held counts as missing, and is computed again; the sound rows of a file of several
        are kept. Raises StoreError.
        """
        faults = self.damaged()
        kinds = {path: path.parent.name for path, _ in faults}
        aside = {
            path.name: files.set_aside(self.directory, kind, path)
            for path, kind in kinds.items()
            if not any(rows.holds(path) for rows in self._rows.values())
        }
        recomputed = {path.stem for path in kinds if kinds[path] in ("weights", "traces")}
        for table, present in self._known().items():
            rows = self._rows[table]
            damaged = [path for path in kinds if rows.holds(path)]
            if damaged or not recomputed.isdisjoint(present):
                aside |= rows.compact(
                    without=recomputed & set(present), damaged=damaged, wait=_WAIT
                )
        lines = []
        for path, why in faults:
            target = aside.get(path.name)
            moved = f"moved to {target}, " if target is not None and target.exists() else ""
            lines.append(f"{path} cannot be used ({why}): {moved}computed again")
        return lines

    # -- inside -----------------------------------------------------------------------------

    def _known(self) -> dict[str, dict[str, RowIndex]]:
        """The ``RowIndex`` of each table's rows, by table and hash; reports faults."""
        by_table = {}
        for name, rows in self._rows.items():
            by_table[name], faults = rows.index()
            self._report(faults)
        return by_table

    def _fill(
        self, connection: duckdb.DuckDBPyConnection, name: str, *, doubtful: bool = False
    ) -> list[Fault]:
        """Make a table of the sound rows; returns the files of which rows are left out.

        Where only what is ``doubtful`` is asked for, traces are left out whose checksum holds.
        """
        table = (TABLES | INTERNAL_TABLES)[name]
        if table.entry:
            return self._rows[name].fill(connection)
        paths = sorted((self.directory / name).glob("*.parquet"))
        traces = self._damaged_traces(paths) if name == "traces" else []
        known = {fault.path for fault in traces}
        if doubtful and name == "traces":
            known |= {self.trace_path(k) for k, row in self.known().items() if row.trace_checksum}
        sound = [f"{name}/{path.name}" for path in paths if path not in known]
        faults = parquet.fill(connection, name, table.columns, self.directory, sound)
        return traces + [fault for fault in faults if fault.path.exists()]

    def _report(self, faults: Sequence[Fault]) -> None:
        for path, why in faults:
            if path not in self._noted:
                self._note(f"{path} cannot be used ({why}); run again to set it right")
            self._noted.add(path)


def mentioned(sql: str) -> list[str]:
    """The tables that a query names; all of them where it names none."""
    words = set(re.findall(r"\w+", sql.lower()))
    return [table for table in TABLES if table in words] or list(TABLES)
