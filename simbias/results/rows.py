"""The rows of one table of a run directory: written as they end, gathered in files, read once each.

Rows that end together are written into a file of their own, and compaction gathers such files into
large ones (see ``lease``). The name of a large file is the hash of its bytes, which shows whether
it is as it was written; where it is not, the checksum of each row shows which rows still are. Of
two rows of one entry the later counts, and a final one before one that is not.
"""

import re
import threading
import time
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import duckdb

from simbias._files import sync
from simbias.experiments import Table
from simbias.results import checksums, files, parquet
from simbias.results.files import FAILURES, Fault, StoreError, first_lines
from simbias.results.lease import Lease, Listing, Places, pending_name
from simbias.results.parquet import ENTRY, FILE

Index = TypeVar("Index")
OWN = f"EXCLUDE ({FILE}, {ENTRY})"  # leaves the table's own columns
_SEALED = re.compile(r"[0-9a-f]{32}\.parquet")
_WRITTEN = f"coalesce(try_cast(regexp_extract({FILE}, '-([0-9]+)[.]parquet$', 1) AS BIGINT), 0)"
_SMALL, _MANY = 1_000_000, 100  # this many settled files below this many bytes become one
_TRIES = 100
_PAUSE = 0.02  # seconds


class _IndexedRow(NamedTuple, Generic[Index]):
    """A row in the index: of two rows of one entry the one of greater ``rank`` counts."""

    entry: str
    rank: tuple[bool, int, str]
    known: Index


class Rows(Generic[Index]):
    """The rows of a table.

    Args:
        directory: of the run.
        table: one with entries.
        known: makes what is held in memory of a row from its columns ``fields``, given in order.
        fields: names of columns.
    """

    def __init__(
        self, directory: Path, table: Table, known: Callable[..., Index], fields: Sequence[str]
    ) -> None:
        self.directory, self.table = directory, table
        self._known, self._fields = known, ", ".join(fields)
        self._places = Places(directory, table.name)
        self._sealed: Listing = {}  # files whose bytes are known to be what was written
        self._listed: Listing = {}
        self._by_file: dict[str, list[_IndexedRow[Index]]] = {}
        self._index: dict[str, Index] = {}
        self._reading = threading.Lock()

    def holds(self, path: Path) -> bool:
        """Whether a file is one of the table's."""
        return path.parent == self._places.settled or self._places.pending in path.parents

    def write(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Write rows, by entry, that are there together or not at all; raises StoreError."""

        def content(temporary: Path) -> None:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            parquet.write(temporary, self.table.columns, list(rows.values()), each=True)

        files.write(self._places.pending / pending_name(next(iter(rows))), content)

    def fill(self, connection: duckdb.DuckDBPyConnection) -> list[Fault]:
        """Make a table of the sound rows, each entry once; returns the faults of the files."""
        _, faults = self._read(connection, {})
        self._drop_doubles(connection)
        return faults

    def index(self) -> tuple[dict[str, Index], list[Fault]]:
        """What ``known`` made of each entry, and faults; reads only files that have changed.

        Threads may ask at once.
        """
        with self._reading:
            return self._read_changed()

    def _read_changed(self) -> tuple[dict[str, Index], list[Fault]]:
        if self._places.listing() == self._listed:
            return self._index, []
        with parquet.connect() as connection:
            listed, faults = self._read(connection, self._listed)
            fetched = connection.execute(
                f"SELECT {FILE}, {ENTRY}, {self.table.final}, {_WRITTEN}, {self._fields}"
                f" FROM {self.table.name}"
            ).fetchall()
        before = self._listed
        unchanged = [name for name in self._by_file if listed.get(name) == before[name]]
        self._by_file = {name: [] for name in listed} | {
            name: self._by_file[name] for name in unchanged
        }
        for name, entry, final, written, *values in fetched:
            row = _IndexedRow(entry, (final, written, name), self._known(*values))
            self._by_file[name].append(row)
        best: dict[str, _IndexedRow[Index]] = {}
        for rows in self._by_file.values():
            for row in rows:
                if row.entry not in best or best[row.entry].rank < row.rank:
                    best[row.entry] = row
        self._index, self._listed = {entry: row.known for entry, row in best.items()}, listed
        return self._index, faults

    def compact(
        self, *, without: Collection[str] = (), damaged: Collection[Path] = (), wait: float = 0.0
    ) -> dict[str, Path]:
        """Gather rows into large files, unless another process is doing so.

        Args:
            without: entries to leave out.
            damaged: files of which only the sound rows are to stay.
            wait: seconds to wait for another process.

        Returns:
            The new paths of files that were damaged or held entries left out, by file name.

        Raises:
            StoreError: nothing can be written; every file is where it was.
        """
        small = self._small()
        if not (small or without or damaged or self._places.unsettled()):
            return {}
        try:
            claim = self._claim(wait)
            if claim is None:
                return {}
            try:
                aside = self._rewrite(claim, set(without), {*small, *damaged})
            except BaseException as error:
                lost = not claim.folder.exists()
                claim.give_back()
                if lost and isinstance(error, FAILURES):  # another process has taken over
                    return {}
                raise
            claim.release()
        except FAILURES as error:
            why = first_lines(error)
            raise StoreError(f"cannot write {self.directory / self.table.name}: {why}") from error
        return aside

    def _claim(self, wait: float) -> Lease | None:
        end = time.monotonic() + wait
        while True:
            claim = self._places.claim()
            if claim is not None or time.monotonic() >= end:
                return claim
            time.sleep(_PAUSE)

    def _small(self) -> list[Path]:
        """The small settled files, where there are enough of them to be merged."""
        small = [
            self.directory / name
            for name, (_, size, _) in self._places.settled_files().items()
            if size < _SMALL
        ]
        return small if len(small) >= _MANY else []

    def _rewrite(self, claim: Lease, without: set[str], chosen: set[Path]) -> dict[str, Path]:
        """Write the claimed rows, and all others of the same entries, as one file."""
        claim.take_pending()
        for path in chosen:
            claim.take(path)
        self.index()
        held = {self._relative(path) for path in claim.held()}
        entries = {row.entry for name in held for row in self._by_file.get(name, [])} | without
        damaged: set[str] = set()
        for name, rows in self._by_file.items():
            present = {row.entry for row in rows}
            if not present.isdisjoint(without):
                damaged.add(Path(name).name)
            if name.startswith(f"{self.table.name}/") and not present.isdisjoint(entries):
                claim.take(self.directory / name)
        paths = claim.held()
        with parquet.connect() as connection:
            names = {self._relative(path): files.stamp(path) for path in paths}
            faults = self._fill(connection, names)
            if not all(path.exists() for path in paths):
                raise FileNotFoundError(claim.folder)
            damaged |= {path.name for path, _ in faults}
            connection.execute(
                f"DELETE FROM {self.table.name} WHERE {ENTRY} IN (SELECT unnest(?))",
                [list(without)],
            )
            self._drop_doubles(connection)
            ((count,),) = connection.execute(f"SELECT count(*) FROM {self.table.name}").fetchall()
            if count:
                query = f"(SELECT * {OWN} FROM {self.table.name} ORDER BY {ENTRY})"
                # without compression a flipped bit spoils few rows
                parquet.copy(connection, query, claim.written, ", COMPRESSION uncompressed")
        if count:
            sync(claim.written)
            claim.settle(checksums.of_bytes(claim.written.read_bytes()))
        aside = {}
        for path in paths:
            if path.name in damaged:
                aside[path.name] = files.set_aside(self.directory, self.table.name, path)
            else:
                path.unlink(missing_ok=True)
        return aside

    def _read(
        self, connection: duckdb.DuckDBPyConnection, known: Listing
    ) -> tuple[Listing, list[Fault]]:
        """Make a table of the files that are not ``known``; returns all files, and faults.

        A file that another process moves meanwhile is found again where it went. Only a fault that
        is seen twice counts, since a file may have been moved and put back.
        """
        before: list[Fault] = []
        for _ in range(_TRIES):
            connection.execute(f"DROP TABLE IF EXISTS {self.table.name}")
            listed = self._places.listing()
            changed = {name: mark for name, mark in listed.items() if known.get(name) != mark}
            faults = self._fill(connection, changed)
            if not faults or (faults == before and all(path.exists() for path, _ in faults)):
                break
            before = faults
        return listed, faults

    def _fill(self, connection: duckdb.DuckDBPyConnection, names: Listing) -> list[Fault]:
        table = self.table
        return parquet.fill(
            connection,
            table.name,
            table.columns,
            self.directory,
            sorted(names),
            entry=table.entry,
            sealed=self._as_written(names),
        )

    def _as_written(self, names: Listing) -> Container[str]:
        """The files whose name is the hash of their bytes."""
        for name, mark in names.items():
            path = self.directory / name
            if _SEALED.fullmatch(path.name) and self._sealed.get(name) != mark:
                try:
                    checksum = checksums.of_bytes(path.read_bytes())
                except OSError:  # reading it will say why
                    continue
                if checksum == path.stem:
                    self._sealed[name] = mark
        return {name for name, mark in names.items() if self._sealed.get(name) == mark}

    def _drop_doubles(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Leave one row of each entry."""
        name = self.table.name
        connection.execute(
            f"""DELETE FROM {name} WHERE rowid IN (SELECT row FROM (
                SELECT rowid AS row, row_number() OVER (PARTITION BY {ENTRY}
                ORDER BY {self.table.final} DESC, {_WRITTEN} DESC, {FILE} DESC) AS place
                FROM {name}) WHERE place > 1)"""
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.directory).as_posix()
