"""Rows in Parquet files, through DuckDB.

A name is never a pattern. Files of other versions are read: a column that a file lacks is empty,
one that is not known here is kept. What cannot be read is named with its reason, and the rest read.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import numpy as np

from simbias.results import checksums
from simbias.results.schema import CHECKSUM, Column

FILE = "_file"  # the column that names the file of a row
_READ = f"read_parquet(?, filename = '{FILE}', hive_partitioning = false)"
_SCHEMAS = """SELECT file_name, list_sort(list(concat_ws(' ', name, type, converted_type,
    logical_type)))::VARCHAR, list(lower(name)) FROM parquet_schema(?) GROUP BY file_name"""
T = TypeVar("T")


class Fault(NamedTuple):
    """A file that cannot be used, and why, in one line."""

    path: Path
    why: str


def connect() -> duckdb.DuckDBPyConnection:
    """An empty database in memory that touches no folder and prints nothing of its own accord."""
    connection = duckdb.connect(config={"temp_directory": ""})  # else .tmp in the current directory
    connection.execute("SET enable_progress_bar = false")  # else on standard output after 2 seconds
    return connection


def write(path: Path, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to a Parquet file, with their checksum where there is a column for it.

    What is missing or NaN is empty. Raises duckdb.Error.
    """
    marks = ", ".join("?" * len(columns))
    values = [[_plain(row.get(column.name)) for column in columns] for row in rows]
    with connect() as connection:
        connection.execute(f"CREATE TABLE rows ({_typed(columns)})")
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", values)
        if CHECKSUM in columns:
            written = _records(connection.execute("FROM rows"))
            seal = checksums.of_rows(_content(written, [column.name for column in columns]))
            connection.execute(f"UPDATE rows SET {CHECKSUM.name} = ?", [seal])
        copy(connection, "rows", path)


def copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write a table, or a query in brackets, to a Parquet file; raises duckdb.Error."""
    with _reach(path.parent) as folder:
        target = str(folder / path.name).replace("'", "''")
        connection.execute(f"COPY {query} TO '{target}' (FORMAT parquet)")


def fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[Column],
    paths: Sequence[Path],
) -> list[Fault]:
    """Make a table with the rows of files, and the file of each row as column ``FILE``.

    Args:
        connection: where to.
        table: its name.
        columns: what it has at least; what files hold besides is added.
        paths: of one folder.

    Returns:
        The files without which it was made.
    """
    faults = [Fault(path, "not a file") for path in paths if path.exists() and not path.is_file()]
    names = [path.name for path in paths if path.is_file()]
    if not names:
        connection.execute(f'CREATE TABLE {table} ({_typed(columns)}, "{FILE}" VARCHAR)')
        return faults

    def told(found: Iterable[tuple[str, str]]) -> list[Fault]:
        wrong = [Fault(paths[0].parent / name, why) for name, why in found]
        return [fault for fault in wrong if fault.path.exists()]  # or another process moved it

    with _reach(paths[0].parent) as folder:

        def ask(sql: str, some: Sequence[str]) -> list[tuple]:
            return connection.execute(sql, [[str(folder / name) for name in some]]).fetchall()

        schemas, unread = _by_halves(lambda some: ask(_SCHEMAS, some), names)
        faults += told(unread)
        alike: dict[str, list[str]] = {}
        needed = [column.name for column in columns if column.needed]
        for filename, schema, present in (row for answer in schemas for row in answer):
            missing = [name for name in needed if name not in present]
            if missing:
                why = f"no column {missing[0]}: not a file of simbias"
                faults += told([(Path(filename).name, why)])
            else:
                alike.setdefault(schema, []).append(Path(filename).name)
        extra: dict[str, tuple[str, str]] = {}  # name and type, by the name in small letters
        known = {column.name for column in columns} | {FILE}
        describe = f"DESCRIBE SELECT * FROM {_READ}"
        for some in alike.values():
            for answer in _by_halves(lambda part: ask(describe, part), some)[0]:
                for name, kind, *_ in answer:
                    if name.lower() not in known:
                        first, same = extra.get(name.lower(), (name, kind))
                        extra[name.lower()] = first, kind if kind == same else "VARCHAR"
        added = "".join(f", {_name(name)} {kind}" for name, kind in extra.values())
        connection.execute(f'CREATE TABLE {table} ({_typed(columns)}, "{FILE}" VARCHAR{added})')
        insert = f"INSERT INTO {table} BY NAME SELECT * FROM {_READ}"
        for some in alike.values():
            faults += told(_by_halves(lambda part: ask(insert, part), some)[1])
    connection.execute(f"UPDATE {table} SET {FILE} = parse_filename({FILE})")
    wrong = {}
    if CHECKSUM in columns:
        changed = _changed(rows(connection, table), [column.name for column in columns])
        wrong = dict.fromkeys(changed, checksums.CHANGED)
    wrong |= _incomplete(connection, table, needed)
    leave_out(connection, table, wrong)
    return faults + told(wrong.items())


def read(columns: Sequence[Column], paths: Sequence[Path]) -> tuple[list[dict], list[Fault]]:
    """The rows of files of one folder, file by file as they were written, and the faulty files."""
    with connect() as connection:
        faults = fill(connection, "found", columns, paths)
        return rows(connection, "found"), faults


def rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    """The rows of a table that ``fill`` made, file by file as they were written."""
    return _records(connection.execute(f"SELECT * FROM {table} ORDER BY {FILE}, rowid"))


def leave_out(connection: duckdb.DuckDBPyConnection, table: str, names: Iterable[str]) -> None:
    """Take the rows of some files out of a table that ``fill`` made."""
    for name in names:
        connection.execute(f"DELETE FROM {table} WHERE {FILE} = ?", [name])


def first_lines(error: BaseException) -> str:
    """An error's message in one line, without the query it came from."""
    lines = [line.strip() for line in str(error).split("LINE 1:")[0].splitlines() if line.strip()]
    return " ".join(lines)


def _by_halves(
    ask: Callable[[Sequence[str]], T], names: Sequence[str]
) -> tuple[list[T], list[tuple[str, str]]]:
    """What is answered about files, asked of ever fewer at once where some cannot be read."""
    try:
        return [ask(names)], []
    except (duckdb.Error, OSError) as error:
        if len(names) == 1:
            return [], [(names[0], first_lines(error))]
    middle = len(names) // 2
    left, right = (_by_halves(ask, part) for part in (names[:middle], names[middle:]))
    return left[0] + right[0], left[1] + right[1]


def _incomplete(
    connection: duckdb.DuckDBPyConnection, table: str, needed: Sequence[str]
) -> dict[str, str]:
    """The files with a row that lacks what makes it one of the table."""
    return {
        filename: f"a row without {name}"
        for name in needed
        for (filename,) in connection.execute(
            f"SELECT DISTINCT {FILE} FROM {table} WHERE {name} IS NULL"
        ).fetchall()
    }


def _changed(rows: Sequence[Mapping[str, Any]], known: Sequence[str]) -> set[str]:
    """The files whose rows are not those that were written together.

    Columns that are not known are another version's, or were added by hand: they may count or not.
    """
    together: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row[CHECKSUM.name] is not None:
            together.setdefault((row[FILE], row[CHECKSUM.name]), []).append(row)
    return {
        filename
        for (filename, seal), some in together.items()
        if seal not in (checksums.of_rows(_content(some, names)) for names in (some[0], known))
    }


def _content(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """What a checksum of rows is of."""
    counted = [name for name in names if name not in (FILE, CHECKSUM.name)]
    return [{name: row[name] for name in counted} for row in rows]


def _records(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@contextmanager
def _reach(folder: Path) -> Iterator[Path]:
    """A folder under a name that the database takes literally, and that is text.

    It reads paths as patterns, and one with a backslash cannot be escaped.
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


def _plain(value: Any) -> Any:
    """A Python value for the database; NaN becomes empty."""
    value = value.item() if isinstance(value, np.generic | np.ndarray) else value
    return None if isinstance(value, float) and np.isnan(value) else value
