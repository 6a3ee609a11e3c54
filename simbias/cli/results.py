"""The verbs that show what a run holds: table, plot, report, export, query."""

import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from simbias._checks import fail, known
from simbias._escape import csv_text, json_text
from simbias._process import DONE, print_error
from simbias.cli.shared import Directories, Directory, Sql, open_store, start_jax
from simbias.console import make_console, print_table, print_text
from simbias.registry import REGISTRIES

if TYPE_CHECKING:
    from rich.console import Console

    from simbias.plots.run import Chosen
    from simbias.results.store import Store


def table(directory: Directory, /, leaderboard: bool = False) -> int:
    """Print the results of a run: means over seeds with intervals, beside published values.

    Args:
        directory: a run directory.
        leaderboard: instead, the learners of each task side by side, compared on the same data.
    """
    store = open_store(directory)
    if leaderboard:
        from simbias.results.leaderboard import leaderboard as standings_of
        from simbias.tables.leaderboard import leaderboard_table

        print_table(make_console(), leaderboard_table(standings_of(store)))
    else:
        print_summary(make_console(), store)
    return DONE


def plot(
    directory: Directory,
    /,
    kind: str = "all",
    cell: str | None = None,
    seed: int | None = None,
    coordinate: int | None = None,
) -> int:
    """Draw a run's figures into DIR/figures, as PDF and PNG with the plotted data as CSV.

    Args:
        directory: a run directory.
        kind: which figure, a name that `simbias list figures` shows; all: those of what the
            directory has that take seconds, so without islands.
        cell: name of the cell, or its beginning; default: the suite's first with a network that
            did not diverge, or with bounds.
        seed: which network of the cell, for boundary and islands; default: the first that did not.
        coordinate: which slab coordinate, for boundary and islands; default: the one along which
            the network changes its label most often.
    """
    known("kind", kind, ["all", *REGISTRIES["figures"].names()])
    store = open_store(directory)
    start_jax(None)
    from simbias.plots.run import Chosen, draw

    chosen = Chosen(store, cell, seed, coordinate, note=print_error)
    for path in draw(chosen, None if kind == "all" else [kind]):
        print(path)
    return DONE


def report(
    directories: Directories,
    /,
    out: Path | None = None,
    networks: int = 4,
    replays: int = 0,
    cores: int | None = None,
) -> int:
    """Write one HTML file that shows a run, or two side by side, and opens anywhere.

    Args:
        directories: run directories; of two, their differences come first.
        out: the file; default: report.html in the first directory, of several report-NAME.html.
        networks: most networks of a run in the boundary explorer.
        replays: checks along training at which the explorer shows these, beside the first and the
            last; each trains them again.
        cores: CPU cores to compute on; default: all that the process may use.
    """
    if not directories:
        raise fail("DIR", "none", "at least one run directory")
    stores = [open_store(directory) for directory in directories]
    start_jax(cores)
    from simbias.pages import page

    others = "".join(f"-{directory.resolve().name}" for directory in directories[1:])
    path = out or directories[0] / f"report{others}.html"
    stores[0].write_text(path, page(directories, networks=networks, replays=replays))
    print(path)
    return DONE


def export(
    directory: Directory,
    /,
    format: Literal["csv", "latex", "parquet"],
    table: str | None = None,
    out: Path | None = None,
) -> int:
    """Write a run's results to one file: a row for each network, or the table as LaTeX.

    Args:
        directory: a run directory.
        format: csv, parquet (a row for each network, or what else the table has) or latex (one for
            each cell).
        table: networks, estimators, traces, bounds, ...; default: the one that the run is of.
            For latex: leaderboard, or a row for each cell.
        out: the file, or - for standard output; default: TABLE.csv, TABLE.parquet or table.tex in
            DIR.
    """
    from simbias.results.leaderboard import leaderboard as standings_of
    from simbias.results.schema import TABLES
    from simbias.results.summary import summarise, tables_of
    from simbias.tables import latex
    from simbias.tables.leaderboard import leaderboard_table
    from simbias.tables.summary import summary_table

    if str(out) == "-" and format == "parquet" and sys.stdout.isatty():
        raise fail("out", "-", "a file, or standard output that is no terminal, for parquet")
    store = open_store(directory)
    if table is None and format != "latex":
        (table, *others) = tables_of(store)
        if others:
            raise fail("table", None, f"one of {', '.join([table, *others])}")
    elif format == "latex":
        known("table", table or "leaderboard", ["leaderboard"])
    elif table is not None:
        known("table", table, TABLES)
    name = {"latex": f"{table or 'table'}.tex"}.get(format, f"{table}.{format}")
    with tempfile.TemporaryDirectory() if str(out) == "-" else nullcontext() as folder:
        path = Path(folder, name) if folder else out or directory / name
        if format == "latex":
            text_table = (
                summary_table(summarise(store))
                if table is None
                else leaderboard_table(standings_of(store))
            )
            store.write_text(path, latex(text_table))
        else:
            store.export(str(table), path, format)
        if folder:
            sys.stdout.flush()
            sys.stdout.buffer.write(path.read_bytes())
        else:
            print(path)
    return DONE


def query(
    directory: Directory, sql: Sql, /, format: Literal["table", "csv", "json"] = "table"
) -> int:
    """Run SQL (DuckDB's) over a run's tables: networks, estimators, traces, bounds, verdicts, ...

    Args:
        directory: a run directory.
        sql: e.g. "select network, avg(risk) from networks group by all"; "describe networks" shows
            the columns.
        format: table (a list of its values for each row where rows are too wide), csv, or json (a
            list of objects); what is missing or NaN is empty in csv and null in json.
    """
    text = os.fsencode(sql).decode(errors="replace")  # whatever the locale's encoding is
    names, rows = open_store(directory).query(text)
    if format == "table":
        from simbias.tables.answer import answer_table

        print_table(make_console(), answer_table(names, rows))
    else:
        print({"csv": csv_text, "json": json_text}[format](names, rows), end="")
    return DONE


def print_summary(console: "Console", store: "Store") -> None:
    """A run's results, a line for each cell."""
    from simbias.results import summarise
    from simbias.tables.summary import summary_table

    print_table(console, summary_table(summarise(store)))


def draw_computed(
    console: "Console", kind: str, chosen: "Chosen", *, optional: bool = False
) -> list[Path]:
    """Draw the figure of what a verb has computed: its files, or none, and print why.

    An optional one may be of what the run has not, which is no news.
    """
    from simbias.plots.run import Absent, draw, no_figure

    try:
        return draw(chosen, [kind])
    except Absent as error:
        if not optional:
            print_text(console, no_figure(kind, error))
        return []
    except (ValueError, OSError) as error:  # it is computed, whatever can be drawn of it
        print_text(console, no_figure(kind, error))
        return []
