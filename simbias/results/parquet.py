"""Rows in Parquet files, through DuckDB.

A name is never a pattern. Files of other versions are read: a column that a file lacks is empty,
an unknown one is kept. Files that cannot be read are named with the reason, and the rest are read.
"""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np

from simbias._checks import fail
from simbias._types import Answer, TableRow
from simbias.experiments import Column
from simbias.experiments.table import CHECKSUM
from simbias.results import checksums
from simbias.results.files import Fault, first_lines

FILE = "_file"  # the column that names the file of a row
ENTRY = "_entry"  # the column that names the entry of a row
_ROW = "_row"
_UNHASHED = (FILE, ENTRY, _ROW, CHECKSUM.name)  # columns that a row's checksum leaves out
_AT_ONCE = 200  # files read by one query
_READ = f"read_parquet(?, filename = '{FILE}', hive_partitioning = false)"
_SCHEMAS = """SELECT file_name, list_sort(list(concat_ws(' ', name, type, converted_type,
    logical_type)))::VARCHAR, list(lower(name)) FROM parquet_schema(?) GROUP BY file_name"""
_QUIET = "SET enable_progress_bar = false"  # else on standard output after 2 seconds
_PYTHON = {"VARCHAR": str, "BIGINT": int, "DOUBLE": float, "BOOLEAN": bool}
T = TypeVar("T")


_instances: dict[int, duckdb.DuckDBPyConnection] = {}  # by process: none outlives a fork
_numbers = count()


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory that touches no folder and prints nothing of its own accord.

    It lives in an instance that the process keeps, as starting one takes longer than most queries.
    """
    instance, name = _instance(), f"own_{next(_numbers)}"
    try:
        with instance.cursor() as connection:
            connection.execute(f"ATTACH ':memory:' AS {name}")
            connection.execute(f"USE {name}")
            connection.execute(_QUIET)
            yield connection
    finally:
        try:
            with instance.cursor() as connection:
                connection.execute(f"DETACH {name}")
        except duckdb.Error:  # after an error the instance is of no more use
            _instances.pop(os.getpid(), None)


def _instance() -> duckdb.DuckDBPyConnection:
    """The instance that the process keeps."""
    process = os.getpid()
    if process not in _instances:
        _instances[process] = alone()
    return _instances[process]


def alone() -> duckdb.DuckDBPyConnection:
    """The same in an instance of its own, whose settings may be locked."""
    connection = duckdb.connect(config={"temp_directory": ""})  # else .tmp in the current directory
    connection.execute(_QUIET)
    connection.execute("SET threads = 1")  # every thread would take its buffers for every file
    cached = "FROM duckdb_settings() WHERE name = 'enable_external_file_cache'"
    if connection.execute(cached).fetchall():  # not in old versions
        connection.execute("SET enable_external_file_cache = false")  # a file is read as it is
    return connection


def write(
    path: Path,
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, object]],
    *,
    each: bool = False,
) -> None:
    """Write rows to a Parquet file, with their checksum where there is a column for it.

    Missing values and NaN are stored as NULL. Raises duckdb.Error.

    Args:
        path: of the file.
        columns: of the rows.
        rows: values by column name.
        each: whether each row has a checksum of its own, or all have that of all of them.
    """
    kept = [
        {column.name: _value(column, row.get(column.name)) for column in columns} for row in rows
    ]
    if rows and CHECKSUM in columns:
        names = [column.name for column in columns]
        for group in [[row] for row in kept] if each else [kept]:
            seal = checksums.of_rows(_content(group, names))
            for row in group:
                row[CHECKSUM.name] = seal
    single = len(rows) == 1  # values are planned in half the time of lists
    parts = [
        f"CAST(? AS {column.type})" if single else f"unnest(CAST(? AS {column.type}[]))"
        for column in columns
    ]
    query = ", ".join(
        f"{part} AS {_name(column.name)}" for part, column in zip(parts, columns, strict=True)
    )
    lists = [[row[column.name] for row in kept] for column in columns]
    with _instance().cursor() as connection:
        values = [values[0] for values in lists] if single else lists
        copy(connection, f"(SELECT {query})", path, values=values)


def copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    options: str = "",
    values: Sequence[object] = (),
) -> None:
    """Write a table, or a query in brackets with its values, to a Parquet file.

    Raises duckdb.Error.
    """
    with _literal_path(path.parent) as folder:
        target = str(folder / path.name).replace("'", "''")
        connection.execute(f"COPY {query} TO '{target}' (FORMAT parquet{options})", values)


def fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[Column],
    folder: Path,
    files: Sequence[str],
    *,
    entry: str = "",
    sealed: Container[str] = frozenset(),
) -> list[Fault]:
    """Make a table with the rows of files, and the file of each row as column ``FILE``.

    Args:
        connection: the database.
        table: name of the new table.
        columns: that it has at least; further columns of the files are added.
        folder: that the files are in.
        files: their paths below it.
        entry: SQL of the text that names the entry of a row, which becomes column ``ENTRY``;
            without it the rows of a file stand together: a wrong one leaves all of them out.
        sealed: files whose content is known to be as written.

    Returns:
        The files of which rows were left out; another process may have moved some of them.
    """
    faults = [
        Fault(path, "not a file")
        for path in (folder / name for name in files)
        if path.exists() and not path.is_file()
    ]
    folders = {fault.path for fault in faults}
    names = [name for name in files if folder / name not in folders]
    own = f', "{FILE}" VARCHAR, "{ENTRY}" VARCHAR'
    needed = [column.name for column in columns if column.needed]
    if not names:
        connection.execute(f"CREATE TABLE {table} ({_typed(columns)}{own})")
        return faults

    def located(reasons: Iterable[tuple[str, str]]) -> list[Fault]:
        return [Fault(folder / name, why) for name, why in reasons]

    with _literal_path(folder) as place:
        start = len(f"{place}/")

        def ask(sql: str, part: Sequence[str]) -> list[Answer]:
            return connection.execute(sql, [[str(place / name) for name in part]]).fetchall()

        schemas, unread = _by_parts(lambda part: ask(_SCHEMAS, part), names)
        faults += located(unread)
        by_schema: dict[str, list[str]] = {}
        for path, schema, present in (row for answer in schemas for row in answer):
            missing = [name for name in needed if name not in present]
            if missing:
                faults += located(
                    [(path[start:], f"no column {missing[0]}: not a file of simbias")]
                )
            else:
                by_schema.setdefault(schema, []).append(path[start:])
        extra: dict[str, tuple[str, str]] = {}  # name and type, by the name in small letters
        known = {column.name for column in columns} | {FILE, ENTRY}
        describe = f"DESCRIBE SELECT * FROM {_READ}"
        for group in by_schema.values():
            for answer in _by_halves(lambda part: ask(describe, part), group)[0]:
                for name, kind, *_ in answer:
                    if name.lower() not in known:
                        first, first_kind = extra.get(name.lower(), (name, kind))
                        extra[name.lower()] = first, kind if kind == first_kind else "VARCHAR"
        added = "".join(f", {_name(name)} {kind}" for name, kind in extra.values())
        connection.execute(f"CREATE TABLE {table} ({_typed(columns)}{own}{added})")
        insert = f"INSERT INTO {table} BY NAME SELECT * FROM {_READ}"
        for group in by_schema.values():
            faults += located(_by_parts(lambda part: ask(insert, part), group)[1])
        connection.execute(
            f"UPDATE {table} SET {FILE} = {FILE}[{start + 1}:], {ENTRY} = {entry or 'NULL'}"
        )
    wrong: dict[int, str] = {}
    if CHECKSUM in columns:
        wrong = _changed(connection, table, [column.name for column in columns], sealed)
    wrong |= _incomplete(connection, table, needed)
    return faults + located(_delete_rows(connection, table, wrong, alone=bool(entry)))


def read(columns: Sequence[Column], path: Path) -> tuple[list[TableRow], list[Fault]]:
    """The rows of a file in their order, and the faults of the file."""
    with connect() as connection:
        faults = fill(connection, "found", columns, path.parent, [path.name])
        return rows(connection, "found"), [fault for fault in faults if path.exists()]


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[Answer]]:
    """Column names and rows of one statement, run after locking the connection out of files.

    Raises:
        ValueError: SQL that fails, with the database's own first line.
    """
    connection.execute("RESET threads")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return answer(connection, sql)


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[Answer]]:
    """As ``ask``, for a statement of our own."""
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise fail("SQL", sql, "one statement")
        result = connection.execute(statements[0])
        names = [column[0] for column in result.description or []]
        return names, result.fetchall()
    except duckdb.Error as error:
        raise ValueError(f"SQL: {first_lines(error)}") from None


def rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[TableRow]:
    """The rows of a table that ``fill`` made, file by file as they were written."""
    return _records(connection.execute(f"SELECT * FROM {table} ORDER BY {FILE}, rowid"))


def _by_halves(
    ask: Callable[[Sequence[str]], T], names: Sequence[str]
) -> tuple[list[T], list[tuple[str, str]]]:
    """Answers about all files in as few calls as possible, and the reasons of unreadable files.

    A call that fails is repeated for either half of its files.
    """
    try:
        return [ask(names)], []
    except (duckdb.Error, OSError) as error:
        if len(names) == 1:
            return [], [(names[0], first_lines(error))]
    middle = len(names) // 2
    left, right = (_by_halves(ask, part) for part in (names[:middle], names[middle:]))
    return left[0] + right[0], left[1] + right[1]


def _by_parts(
    ask: Callable[[Sequence[str]], T], names: Sequence[str]
) -> tuple[list[T], list[tuple[str, str]]]:
    """As ``_by_halves``, one part of the files after another, to bound the memory."""
    answers, unread = [], []
    for start in range(0, len(names), _AT_ONCE):
        answered, wrong = _by_halves(ask, names[start : start + _AT_ONCE])
        answers += answered
        unread += wrong
    return answers, unread


def _incomplete(
    connection: duckdb.DuckDBPyConnection, table: str, needed: Sequence[str]
) -> dict[int, str]:
    """The rows with an empty column that they need, with the reason, by row number."""
    return {
        row: f"a row without {name}"
        for name in needed
        for (row,) in connection.execute(
            f"SELECT rowid FROM {table} WHERE {_name(name)} IS NULL"
        ).fetchall()
    }


def _changed(
    connection: duckdb.DuckDBPyConnection, table: str, known: Sequence[str], sealed: Container[str]
) -> dict[int, str]:
    """The rows whose checksum does not match those written together, by row number.

    Unknown columns come from another version, or were added by hand: the checksum may be with or
    without them.
    """
    files = connection.execute(f"SELECT DISTINCT {FILE} FROM {table}").fetchall()
    unsealed = [name for (name,) in files if name not in sealed]
    if not unsealed:
        return {}
    groups: dict[tuple[str, str], list[TableRow]] = {}
    result = connection.execute(
        f"SELECT rowid AS {_ROW}, * FROM {table} WHERE {CHECKSUM.name} IS NOT NULL"
        f" AND {FILE} IN (SELECT unnest(?)) ORDER BY rowid",
        [unsealed],
    )
    for row in _records(result):
        groups.setdefault((row[FILE], row[CHECKSUM.name]), []).append(row)
    return {
        row[_ROW]: checksums.CHANGED
        for (_, seal), group in groups.items()
        if seal not in (checksums.of_rows(_content(group, names)) for names in (group[0], known))
        for row in group
    }


def _delete_rows(
    connection: duckdb.DuckDBPyConnection, table: str, wrong: dict[int, str], *, alone: bool
) -> list[tuple[str, str]]:
    """Delete wrong rows, and where not ``alone`` their whole file; returns files with reasons."""
    if not wrong:
        return []
    stored = connection.execute(
        f"SELECT rowid, {FILE}, count(*) OVER (PARTITION BY {FILE}) FROM {table}"
        f" WHERE {FILE} IN (SELECT {FILE} FROM {table} WHERE rowid IN (SELECT unnest(?)))"
        " ORDER BY rowid",
        [list(wrong)],
    ).fetchall()
    faults: dict[str, str] = {}
    counts = Counter(name for row, name, _ in stored if row in wrong)
    for row, name, total in stored:
        if row in wrong and name not in faults:
            part = f"{counts[name]} of {total} rows: " if alone and counts[name] < total else ""
            faults[name] = part + wrong[row]
    deleted = [row for row, _, _ in stored if not alone or row in wrong]
    connection.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT unnest(?))", [deleted])
    return list(faults.items())


def _content(rows: Sequence[Mapping[str, object]], names: Iterable[str]) -> list[TableRow]:
    """The columns of rows that count for their checksum."""
    counted = [name for name in names if name not in _UNHASHED]
    return [{name: row[name] for name in counted} for row in rows]


def _records(result: duckdb.DuckDBPyConnection) -> list[TableRow]:
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@contextmanager
def _literal_path(folder: Path) -> Iterator[Path]:
    """A path of a folder that the database takes literally, and that is text.

    The database reads paths as patterns, and one with a backslash cannot be escaped.
    """
    place = folder.absolute()
    if not re.search(r"[*?\[\\\ud800-\udfff]", str(place)):
        yield place
        return
    with tempfile.TemporaryDirectory() as beside:
        link = Path(beside, "folder")
        os.symlink(place, link)
        yield link


def _typed(columns: Sequence[Column]) -> str:
    return ", ".join(f"{_name(column.name)} {column.type}" for column in columns)


def _name(name: str) -> str:
    quoted = name.replace('"', '""')
    return f'"{quoted}"'


def _value(column: Column, value: object) -> object:
    """A value as it is read from a column that it was written to; NaN becomes None."""
    value = value.item() if isinstance(value, np.generic | np.ndarray) else value
    missing = value is None or (isinstance(value, float) and np.isnan(value))
    return None if missing else _PYTHON[column.type](value)
