"""The command line: verbs that parse, call and print.

Imports that start JAX or matplotlib are made by the verbs that need them, so that help and lists
answer at once.
"""

import functools
import io
import os
import re
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, ParamSpec

import tyro

from simbias import __version__
from simbias._checks import fail, known
from simbias._claim_tables import listed
from simbias._escape import csv_text, json_text
from simbias._process import DONE, FAILED, USAGE, program, stopped, tell
from simbias.console import make_console, print_names, print_table, say
from simbias.describe import describe, describe_file
from simbias.registry import REGISTRIES

if TYPE_CHECKING:
    from rich.console import Console

    from simbias.plots.run import Bounded
    from simbias.results.store import Store
    from simbias.runner.plan import Plan

DESCRIPTION = """Simplicity bias and generalisation, measured against exactly known ground truth.

Exit codes: 0 done, 1 some networks failed or the run was stopped, 2 usage. --debug, anywhere on
the line, shows the traceback of an error; --version, alone, shows the version."""

Suite = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SUITE")]
Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
Directory = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
Sql = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SQL")]
Words = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="WORD")]
Kind = Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="KIND")]
# Values after one flag, and flags: whichever way they are given, all of them count.
Several = Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction]
_SEVERAL: set[str] = set()  # the flags of such options

P = ParamSpec("P")  # of a verb

app = tyro.extras.SubcommandApp()
_types = tyro.constructors.ConstructorRegistry()


@_types.primitive_rule
def _text(
    type_info: tyro.constructors.PrimitiveTypeInfo,
) -> tyro.constructors.PrimitiveConstructorSpec[str | Path] | None:
    """Texts and paths have at least one character: an empty path would be this directory."""
    kind = type_info.type
    if kind not in (str, Path):
        return None

    def read(words: list[str]) -> str | Path:
        if not words[0]:
            raise ValueError("got '', allowed: at least one character")
        return Path(words[0]) if kind is Path else words[0]

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH" if kind is Path else "STR",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


def _verb(name: str | None = None) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Register a verb. Parsing only binds its arguments: errors of usage and of work stay apart."""

    def register(function: Callable[P, int]) -> Callable[P, int]:
        @functools.wraps(function)
        def bound(*arguments: P.args, **options: P.kwargs) -> Callable[[], int]:
            return functools.partial(function, *arguments, **options)

        app.command(name=name or function.__name__)(bound)
        for argument, annotation in function.__annotations__.items():
            if tyro.conf.UseAppendAction in getattr(annotation, "__metadata__", ()):
                _SEVERAL.add("--" + argument.strip("_").replace("_", "-"))
        return function

    return register


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        if arguments == ["--version"]:
            print(f"simbias {__version__}")
            return DONE
        if arguments:
            known("command", arguments[0], [*app._subcommands, "-h", "--help", "--version"])
        return _parse(arguments or ["--help"])()
    except SystemExit as error:  # help
        return int(error.code or DONE)
    except BrokenPipeError:  # the reader, head say, has seen enough
        return DONE
    except KeyboardInterrupt:
        tell(stopped(arguments))
        return FAILED
    except (ValueError, OSError) as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno and not error.filename:
            tell(f"standard output: {error.strerror}")
        else:
            tell(str(error))
        return USAGE if isinstance(error, ValueError) else FAILED
    except Exception as error:
        if debug:
            raise
        words = " ".join(str(error).split())[:300] or "no reason given"
        tell(f"{type(error).__name__}: {words} (--debug shows where)")
        return FAILED


def _parse(arguments: list[str]) -> Callable[[], int]:
    """The verb with its arguments; the parser's boxed usage errors become one line."""
    _refuse_repeats(arguments)
    said = io.StringIO()
    try:
        with redirect_stderr(said), _types:
            verb: Callable[[], int] = app.cli(
                args=arguments, prog="simbias", description=DESCRIPTION
            )
            return verb
    except SystemExit as error:
        if not error.code:
            raise
        raise ValueError(_unboxed(said.getvalue())) from None


def _unboxed(text: str) -> str:
    """The first paragraph of a box, in one line; its borders are ASCII where the output is."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)  # colours, where the output is a terminal
    lines = [line.strip(" │") for line in plain.splitlines()]
    borders = [i for i, line in enumerate(lines) if re.match(r"[╭╰]|[─-]{3,}", line)]
    first, end = [*borders, len(lines), len(lines)][:2] if borders else (-1, len(lines))
    words = " ".join(lines[first + 1 : end]).split("Got errors:")[0].replace("(required)", "")
    words = re.sub(r"\S{60,}(\s+\S{60,})*", lambda long: f"{long[0][:57]}...", words)
    return " ".join(words.split()).removeprefix("Error parsing ")


def _refuse_repeats(arguments: list[str]) -> None:
    """Raise ValueError for an option of one value that is given twice: one would be ignored."""
    given = [word.partition("=")[0].replace("_", "-") for word in arguments[1:]]
    for flag in dict.fromkeys(given):
        times = given.count(flag)
        if times > 1 and re.fullmatch(r"--[a-z][a-z-]*", flag) and flag not in _SEVERAL:
            raise ValueError(f"{flag}: given {times} times, allowed: once")


@_verb(name="list")
def list_(kind: Kind = None) -> int:
    """List the registered names.

    Args:
        kind: tasks, networks, methods, quantities, bounds, suites, claims, ...; default: all.
    """
    if kind is not None:
        known("kind", kind, [*REGISTRIES, "claims"])
    for registry in REGISTRIES.values():
        if kind in (None, registry.kind):
            entries = registry.entries().items()
            print_names(registry.kind, {name: entry.summary for name, entry in entries})
    if kind in (None, "claims"):
        titles, left_out = listed()
        print_names("claims", titles)
        for line in left_out:
            tell(line)
    return DONE


@_verb()
def info(name: Name) -> int:
    """Show what is known of a task, network, method, quantity, bound, suite, claim, ...

    Args:
        name: a name that `simbias list` shows, or the path of a file of claims or of a suite,
            ending in .toml.
    """
    if name.endswith(".toml"):
        describe_file(name)
        return DONE
    names = {kind: list(registry.entries()) for kind, registry in REGISTRIES.items()}
    names["claims"] = list(listed()[0])
    known("name", name, dict.fromkeys(one for several in names.values() for one in several))
    for i, kind in enumerate(kind for kind, several in names.items() if name in several):
        print("\n" * (i > 0), end="")
        describe(kind, name)
    return DONE


@_verb()
def run(
    suite: Suite,
    /,
    preset: str = "standard",
    out: Path | None = None,
    seeds: int | None = None,
    set_: Annotated[Several, tyro.conf.arg(name="set")] = (),
    n_certify: int | None = None,
    cores: int | None = None,
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Run the experiments of a suite, train networks say; resume where the directory holds some.

    Args:
        suite: a suite's name, or the path of a suite file ending in .toml.
        preset: smoke, standard or full, as the suite has them.
        out: run directory; default runs/SUITE-PRESET.
        seeds: how many a cell; default: the preset's.
        set_: KEY=VALUE overrides for every cell, e.g. task.dim=20 stop.max_updates=5000.
        n_certify: fresh points on which each network is certified; default 200000.
        cores: CPU cores to train on; default: all that the process may use.
        dry_run: print cells, compiled groups and an estimate, and write nothing.
    """
    sets = _each("--set", set_)
    _start_jax(cores)
    from simbias import suites
    from simbias.experiments import experiment_of
    from simbias.runner.execute import execute, prepare
    from simbias.runner.plan import make_plan
    from simbias.runner.progress import Told

    console = make_console()
    plan = make_plan(suites.load(suite), preset, seeds=seeds, n_certify=n_certify, overrides=sets)
    if dry_run:
        _print_plan(console, plan)
        return DONE
    directory = out or Path("runs") / f"{plan.suite}-{plan.preset}"
    store = _store(directory, create=True)
    prepare(plan, store)
    with Told(console) as told:
        statuses = execute(plan, store, told)
    _print_summary(console, store)
    figures = list((directory / "figures").glob("boundary-*.png"))
    learned = any(experiment_of(cell).learned for cell in plan.cells)
    if learned and (told.replicas or not figures):
        try:
            drawn = _draw(store, ["boundary"], None, None, None)
            figures = [path for path in drawn if path.suffix == ".png"]
        except (ValueError, OSError) as error:  # the run is done, whatever can be drawn of it
            say(console, f"no boundary figure: {error}")
    if figures:  # the oldest is the one that a run draws itself
        oldest = min(figures, key=lambda path: path.stat().st_mtime)
        say(console, f"boundary figure: {oldest}")
    if preset != "full":
        for again in _full_run(suite, out, seeds, sets, n_certify, cores):
            say(console, f"the full run: {again}")
    return FAILED if {"error", "diverged"} & set(statuses) else DONE


@_verb()
def status(directory: Directory, /) -> int:
    """Show how far a run has come.

    Args:
        directory: a run directory.
    """
    from simbias.results.summary import cell_settings
    from simbias.training.words import phrases

    store = _store(directory)
    config = store.config() or {}
    counts: dict[str, Counter[str]] = {}
    for row in store.known().values():
        counts.setdefault(row.cell, Counter())[row.status] += 1
    seeds = len(config["seeds"])
    print(f"{config['suite']} --preset {config['preset']}, {seeds} seeds")
    for cell, settings in cell_settings(store).items():
        have = counts.get(cell, Counter())
        missing = seeds - sum(have.values())
        states = [f"{count} {state}" for state, count in sorted(have.items())]
        states += [f"{missing} missing"] * (missing > 0)
        print(f"  {', '.join(filter(None, [cell, phrases(settings)]))}: {', '.join(states)}")
    if unverified := store.unverified():
        print(f"  unverified, kept before there were checksums: {unverified} rows")
    return DONE


@_verb()
def table(directory: Directory, /) -> int:
    """Print the results of a run: means over seeds with intervals, beside published values.

    Args:
        directory: a run directory.
    """
    store = _store(directory)
    _print_summary(make_console(), store)
    return DONE


@_verb()
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
    store = _store(directory)
    _start_jax(None)
    kinds = None if kind == "all" else [kind]
    for path in _draw(store, kinds, cell, seed, coordinate):
        print(path)
    return DONE


@_verb()
def bounds(
    directory: Directory,
    /,
    cell: str | None = None,
    delta: float = 0.05,
    bounds: Several = (),
    n_certify: int | None = None,
    masks: int = 0,
    cores: int | None = None,
) -> int:
    """Hold bounds on a run's networks against the exact risk: table, figure, DIR/bounds/*.parquet.

    Of estimators too, for which held-out certificates have a value. Where there are several cells
    of networks, say also which numbers tell networks that generalise from those
    that do not. A rerun reads what the same settings gave; delete DIR/bounds to compute it anew.

    Args:
        directory: a run directory.
        cell: name of a cell, or the beginning of some; default: all that have networks.
        delta: probability, over the sample, with which each bound may fail, in (0, 1).
        bounds: names that `simbias list bounds` shows; default: all.
        n_certify: fresh points on which each risk is measured; default 200000.
        masks: how many networks to train on masks of a supersample for each network of the run,
            for the estimate f-cmi; 0: none.
        cores: CPU cores to compute on; default: all that the process may use.
    """
    chosen = _each("--bounds", bounds)
    store = _store(directory)
    _start_jax(cores)
    from simbias.bounds import bound_names
    from simbias.bounds.discrimination import discriminate
    from simbias.bounds.judged import check_effort
    from simbias.experiments import experiment_of
    from simbias.results import bounds as kept
    from simbias.results.records import learned
    from simbias.results.summary import cell_settings
    from simbias.tables.bounds import bounds_table
    from simbias.tables.discrimination import discrimination_table
    from simbias.training.words import phrases
    from simbias.validation import N_CERTIFY

    console = make_console()
    n_certify = N_CERTIFY if n_certify is None else n_certify
    check_effort(delta, n_certify, masks)
    names = tuple(bound_names(chosen or None))
    settings = cell_settings(store)
    found = []
    for made, networks in learned(store, cell):
        asked = kept.Asked(made, tuple(networks), names, delta, n_certify, masks)
        judged = kept.hold(store, asked)
        what = experiment_of(made).table.name
        found += [(made, judged)] if what == "networks" else []
        words = phrases({"delta": delta} | settings.get(made.name, {}))
        say(console, f"{made.name}, {words}, {len(networks)} {what}: {asked.path(store)}")
        print_table(console, bounds_table(judged))
        for seed, reason in kept.set_apart(judged).items():
            say(console, f"left out: {made.name} seed {seed}: {reason}")
        _name_figures(console, store, "bounds", made.name, [(made, judged)])
    if len(found) > 1:
        try:
            scores = discriminate(*kept.comparable(found))
        except ValueError as error:
            say(console, f"which numbers tell networks apart cannot be said: {error}")
        else:
            print_table(console, discrimination_table(scores))
            _name_figures(console, store, "discrimination", bounds=found)
    return DONE


@_verb()
def claims(words: Words = (), /, out: Path | None = None, cores: int | None = None) -> int:
    """List claims, judge them, check a file of your own, or show the verdicts of a directory.

    claims; claims run [ID or family or FILE ...] --out DIR; claims check FILE; claims DIR; claims
    vocabulary. A rerun on the same directory resumes; a claim that says something else starts over
    as its next version, at a smaller level.

    Args:
        words: nothing; run and what to judge (default: all built-in claims); check and a file
            ending in .toml; a directory that holds verdicts; or vocabulary, for the quantities
            that a claim may be about.
        out: directory of run; default runs/claims.
        cores: CPU cores to train on; default: all that the process may use.
    """
    first, rest = (words[0], words[1:]) if words else ("list", ())
    if out is not None and first != "run":
        raise ValueError(f"out: got {str(out)!r}, allowed: with claims run only")
    if first == "run":
        return _claims_run(rest, out or Path("runs") / "claims", cores)
    if first not in ("check", "list", "vocabulary"):
        if rest or not Path(first).is_dir():
            known("claims: word", first, ["run", "check", "vocabulary", "a directory of claims"])
        console, store = make_console(), _store(Path(first))
        _print_verdicts(console, store)
        _name_figures(console, store, "claims")
        return DONE
    wanted = first == "check"
    if len(rest) != wanted:
        allowed = "one file" if wanted else "none"
        raise ValueError(f"claims {first}: got {len(rest)} words after it, allowed: {allowed}")
    if first == "vocabulary":
        from simbias.tables.claims import vocabulary_table

        print_table(make_console(), vocabulary_table())
        return DONE
    from simbias.claims import builtin, feasible, load
    from simbias.tables.claims import claims_table

    found = load(rest[0]) if rest else list(builtin().values())
    if rest:
        feasible(found)
    print_table(make_console(), claims_table(found))
    return DONE


def _claims_run(words: Sequence[str], directory: Path, cores: int | None) -> int:
    _start_jax(cores)
    from simbias.claims import choose

    chosen = choose(words)
    from simbias.runner import claims as runner
    from simbias.runner.progress import Told

    console = make_console()
    store = runner.open_store(directory, tell)
    verdicts, statuses = runner.run(
        chosen, store, reporter=lambda: Told(console), note=lambda text: say(console, text)
    )
    for verdict in verdicts:
        claim = verdict.claim
        say(console, f"\n{claim.id}, version {claim.version}: {claim.title}")
        say(console, f"  {verdict.verdict}: {verdict.reason}")
        for premise in verdict.premises:
            say(console, f"  premise {premise}")
    say(console, "")
    _print_verdicts(console, store)
    _name_figures(console, store, "claims")
    return FAILED if {"error", "diverged"} & statuses else DONE


@_verb()
def export(
    directory: Directory,
    /,
    format: Literal["csv", "latex", "parquet"],
    table: str | None = None,
    out: Path | None = None,
) -> int:
    """Write a run's results to one file: a row a network, or the table as LaTeX.

    Args:
        directory: a run directory.
        format: csv, parquet (a row a network, or what else the table has) or latex (a row a cell).
        table: networks, estimators, traces, bounds, ...; default: the one that the run is of.
        out: the file, or - for standard output; default: TABLE.csv, TABLE.parquet or table.tex in
            DIR.
    """
    from simbias.results.schema import TABLES
    from simbias.results.summary import summarise, tables_of
    from simbias.tables import latex
    from simbias.tables.summary import summary_table

    if str(out) == "-" and format == "parquet" and sys.stdout.isatty():
        raise fail("out", "-", "a file, or standard output that is no terminal, for parquet")
    store = _store(directory)
    if table is None and format != "latex":
        (table, *others) = tables_of(store)
        if others:
            raise fail("table", None, f"one of {', '.join([table, *others])}")
    elif format == "latex" and table is not None:
        raise fail("table", table, "none for latex, which has a row a cell")
    elif table is not None:
        known("table", table, TABLES)
    name = "table.tex" if table is None else f"{table}.{format}"
    with tempfile.TemporaryDirectory() if str(out) == "-" else nullcontext() as folder:
        path = Path(folder, name) if folder else out or directory / name
        if table is None:
            store.write_text(path, latex(summary_table(summarise(store))))
        else:
            store.export(table, path, format)
        if folder:
            sys.stdout.flush()
            sys.stdout.buffer.write(path.read_bytes())
        else:
            print(path)
    return DONE


@_verb()
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
    names, rows = _store(directory).query(text)
    if format == "table":
        from simbias.tables.answer import answer_table

        print_table(make_console(), answer_table(names, rows))
    else:
        print({"csv": csv_text, "json": json_text}[format](names, rows), end="")
    return DONE


@_verb()
def doctor() -> int:
    """Say what simbias would run on, and whether it is set up well."""
    _start_jax(None)
    from simbias.runner import machine

    for line in machine.describe():
        print(line)
    return DONE


def _each(flag: str, several: Iterable[Sequence[str]]) -> list[str]:
    """The values of an option that may be given several times; raises ValueError."""
    if not all(several):
        raise ValueError(f"{flag}: got nothing, allowed: at least one value")
    return [value for values in several for value in values]


def _store(directory: Path, *, create: bool = False) -> "Store":
    """A run directory; files that cannot be used are a line each on standard error."""
    from simbias.results.store import Store

    return Store(directory, create=create, note=tell)


def _full_run(
    suite: str,
    out: Path | None,
    seeds: int | None,
    overrides: Sequence[str],
    n_certify: int | None,
    cores: int | None,
) -> list[str]:
    """The command of the suite's full preset, with what was given; none where it would fail."""
    from simbias import suites
    from simbias.results.store import Store
    from simbias.runner.execute import check_same
    from simbias.runner.plan import make_plan

    try:
        loaded = suites.load(suite)
        plan = make_plan(loaded, "full", seeds=seeds, n_certify=n_certify, overrides=overrides)
        directory = Path("runs", f"{plan.suite}-full") if out is None else Path(f"{out}-full")
        check_same(plan, Store(directory, create=True))
    except ValueError:
        return []
    options = {
        "--out": None if out is None else directory,
        "--seeds": seeds,
        "--n-certify": n_certify,
        "--cores": cores,
    }
    words = ["run", suite, "--preset", "full"]
    for option, value in options.items():
        words += [] if value is None else [option, str(value)]
    return [f"{program()} {shlex.join([*words, *(['--set', *overrides] if overrides else [])])}"]


def _print_summary(console: "Console", store: "Store") -> None:
    """A run's results, a line a cell."""
    from simbias.results import summarise
    from simbias.tables.summary import summary_table

    print_table(console, summary_table(summarise(store)))


def _print_plan(console: "Console", plan: "Plan") -> None:
    """Cells, compiled groups and an estimate of the time."""
    from simbias.experiments import experiment_of
    from simbias.runner.machine import matmul_gflops
    from simbias.training.words import phrases, told_apart

    what = " and ".join(dict.fromkeys(experiment_of(cell).table.name for cell in plan.cells))
    say(console, f"{plan.suite} {plan.preset}: {len(plan.replicas)} {what}")
    apart = dict(zip(plan.cells, told_apart([cell.settings for cell in plan.cells]), strict=True))
    for i, group in enumerate(plan.groups, 1):
        say(console, f"compiled group {i}")
        for cell in dict.fromkeys(one.cell for one in group):
            seeds = sum(one.cell == cell for one in group)
            always = dict(experiment_of(cell).effort(cell))
            say(
                console,
                f"  {cell.name}, {phrases(apart[cell] | always)}: {seeds} seed{'s' * (seeds > 1)}",
            )
    peak = matmul_gflops()
    minutes = plan.flops / peak / 1e9 / 60
    say(
        console,
        f"{plan.flops / 1e12:.1f} TFLOP of updates if every budget is spent: {minutes:.1f} minutes"
        f" at the {peak:.0f} GFLOP/s of matrix products measured here; expect once to three times"
        " that, and a few seconds to compile each group",
    )


def _print_verdicts(console: "Console", store: "Store") -> None:
    """The verdicts of a directory; ValueError: it has none."""
    from simbias.results.claims import read_verdicts
    from simbias.tables.verdicts import verdicts_table

    rows = read_verdicts(store)
    if not rows:
        raise fail("DIR", f"{store.directory}, which has no verdicts", "a directory that has some")
    print_table(console, verdicts_table(rows))


def _name_figures(
    console: "Console",
    store: "Store",
    kind: str,
    cell: str | None = None,
    bounds: "Bounded | None" = None,
) -> None:
    """Draw the figure of what was printed, and say where it is; why not, where there is none."""
    from simbias.plots.run import draw
    from simbias.results import StoreError

    try:
        for path in draw(store, [kind], cell=cell, bounds=bounds):
            say(console, str(path))
    except (ValueError, StoreError) as error:
        say(console, f"no {kind} figure: {error}")


def _start_jax(cores: int | None) -> None:
    from simbias._devices import configure

    configure(cores)


def _draw(
    store: "Store",
    kinds: Sequence[str] | None,
    cell: str | None,
    seed: int | None,
    coordinate: int | None,
) -> list[Path]:
    from simbias.plots.run import draw

    def note(text: str) -> None:
        print(f"simbias: {text}", file=sys.stderr)

    return draw(store, kinds, cell=cell, seed=seed, coordinate=coordinate, note=note)


if __name__ == "__main__":
    from simbias.__main__ import main as program_

    sys.exit(program_())
