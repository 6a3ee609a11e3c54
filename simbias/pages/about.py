"""What was run, how to repeat it, and what is missing or has failed."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence

from simbias import _claim_tables, suites
from simbias._numbers import counted
from simbias._types import Settings, TableRow
from simbias.experiments import FINAL, experiments
from simbias.pages.html_table import HtmlTable, first_rows, html_table
from simbias.pages.section import PageSection
from simbias.pages.source import PageSource
from simbias.results.summary import cell_settings
from simbias.runner.claims import SUITE
from simbias.runner.plan import make_plan
from simbias.training.words import phrases

_LINES = 100  # of what is missing


def about(source: PageSource) -> PageSection:
    """What was run: the settings, the versions and the command."""
    config = source.store.config() or {}
    facts = {
        "run directory": source.store.directory.name,
        "suite": f"{config.get('suite', '')}",
        "preset": f"{config.get('preset', '')}",
        "seeds": ", ".join(map(str, config.get("seeds", []))),
        "fresh points of each certificate": f"{config.get('n_certify', '')}",
        "device": f"{config.get('device', '')}",
        "versions": ", ".join(f"{name} {v}" for name, v in config.get("versions", {}).items()),
    }
    command, words = _repeating(source, config)
    return PageSection(
        f"{source.prefix}-about",
        "What was run",
        words=words,
        facts={name: value for name, value in facts.items() if value},
        command=command,
        tables=_cells(source, config),
    )


def missing(source: PageSource) -> PageSection:
    """What is missing or has failed, with the reasons."""
    config = source.store.config() or {}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in source.store.known().values():
        counts[row.cell][row.status] += 1
    short = [
        f"{cell}: {counted(len(config['seeds']) - there, 'seed')} of {len(config['seeds'])} not run"
        for cell in (entry["cell"] for entry in config.get("names", []))
        if (there := sum(counts[cell].values())) < len(config["seeds"])
    ]
    failed = _failed(source)
    lines = [*short, *(_without_place(source, note) for note in dict.fromkeys(source.notes))]
    if len(lines) > _LINES:
        lines[_LINES:] = [f"and {len(lines) - _LINES:,} more"]
    words = [] if lines or failed else ["Nothing: all is done, and was read."]
    return PageSection(
        f"{source.prefix}-missing",
        "What is missing or failed",
        words=words,
        lines=lines,
        tables=failed,
    )


def _without_place(source: PageSource, note: str) -> str:
    """A note that says nothing of where the run lies on its owner's disk."""
    return note.replace(str(source.store.directory), source.store.directory.name)


def _cells(source: PageSource, config: Settings) -> list[HtmlTable]:
    """Every cell with all of its settings."""
    apart = cell_settings(source.store)
    rows = []
    for entry, cell in zip(config.get("names", []), config.get("cells", []), strict=False):
        name = entry["cell"]
        words = phrases(apart.get(name, {}))
        rows.append((name, [name, words, json.dumps(cell, ensure_ascii=False)]))
    head = ("cell", "what sets it apart", "every setting")
    table = html_table(f"{source.prefix}-cells", "The cells of the run", head, rows)
    return [table] if rows else []


def _failed(source: PageSource) -> list[HtmlTable]:
    """Rows that did not come to their end, with their reasons."""
    rows: list[tuple[str, list[str]]] = []
    for experiment in experiments().values():
        query = f"SELECT cell, seed, status, reason FROM {experiment.table.name} ORDER BY 1, 2"
        _, answers = source.store.query(query)
        rows += [
            (f"{cell} seed {seed}", [cell, f"{seed}", status, reason or ""])
            for cell, seed, status, reason in answers
            if status != "done"
        ]
    title = "Networks and others that are not done"
    asked = "SELECT cell, seed, status, reason FROM networks WHERE status <> 'done'"
    rows, not_all = first_rows(rows, f'simbias query {source.store.directory.name} "{asked}"')
    *others, last = sorted(FINAL)
    note = f"Those with the status {', '.join(others)} or {last} have ended and are measured."
    note += f" Here are {not_all}." if not_all else ""
    table = html_table(
        f"{source.prefix}-not-done", title, ("cell", "seed", "status", "reason"), rows, note
    )
    return [table] if rows else []


def _repeating(source: PageSource, config: Settings) -> tuple[str, list[str]]:
    """The command that repeats a run, and what must be said of it."""
    if config.get("suite") == SUITE:
        return _judging(source.verdicts, source.store.directory.name), []
    suite, preset = str(config.get("suite")), str(config.get("preset"))
    seeds = config.get("seeds", [])
    words = ["simbias", "run", suite, "--preset", preset]
    words += ["--seeds", str(len(seeds)), "--n-certify", str(config.get("n_certify"))]
    words += ["--out", source.store.directory.name]
    remarks = []
    try:
        plan = make_plan(
            suites.load(suite), preset, seeds=len(seeds), n_certify=int(config["n_certify"])
        )
        if plan.config()["cells"] != config["cells"] or list(plan.seeds) != seeds:
            remarks = [
                "The suite of that name has other cells or seeds here: those below are the run's."
            ]
    except ValueError as error:
        remarks = [f"The suite cannot be read here: {' '.join(str(error).split())[:300]}"]
    return shlex.join(words), remarks


def _judging(verdicts: Sequence[TableRow], directory: str) -> str:
    """The command that judges the same claims; a family that is whole bears its name."""
    own = {row["id"] for row in verdicts}
    families: dict[str, set[str]] = defaultdict(set)
    for name, claim in _claim_tables.listed()[0].items():
        families[claim.family].add(name)
    whole = [family for family, names in families.items() if names and names <= own]
    covered = set().union(*(families[family] for family in whole))
    words = ["simbias", "claims", "run", *sorted(whole), *sorted(own - covered)]
    return shlex.join([*words, "--out", directory])
