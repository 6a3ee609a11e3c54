"""Bounds against exact risk, and claims with their verdicts, evidence and premises."""

import json
from collections import Counter
from math import isfinite

from simbias._numbers import counted, interval, number
from simbias._types import TableRow
from simbias.bounds import Evaluation
from simbias.pages.html_table import HtmlCell, HtmlTable, from_text, html_table, slug_of
from simbias.pages.section import PageClaim, PageSection
from simbias.pages.source import PageSource
from simbias.results.schema import EVIDENCE_COLUMNS
from simbias.results.summary import cell_settings
from simbias.tables.bounds import CAPTION, bounds_table
from simbias.tables.verdicts import verdicts_table
from simbias.training.words import phrases

_UNIT = [column.name for column in EVIDENCE_COLUMNS[3:-1]]  # without the claim and the checksum


def bounds(source: PageSource) -> PageSection | None:
    """Every bound of every cell, beside the risk of what it certifies."""
    evaluated = source.evaluations
    if not evaluated:
        return None
    apart = cell_settings(source.store)
    rows, head = [], [""]
    for cell, evaluations in evaluated:
        table = bounds_table(evaluations)
        head = ["cell", "settings", *table.head]
        words = phrases(apart.get(cell.name, {}))
        rows += [(f"{cell.name} {line[0]}", [cell.name, words, *line]) for line in table.lines]
    values = html_table(f"{source.prefix}-bounds", "Bounds against exact risk", head, rows, CAPTION)
    everything = [evaluation for _, evaluations in evaluated for evaluation in evaluations]
    reading = (
        "A bound is valid on a network where the interval of the certified classifier's risk does"
        " not lie above its value. What it assumes, and on how many networks that holds, stands in"
        " the table below."
    )
    return PageSection(
        f"{source.prefix}-theory",
        "Bounds",
        [reading],
        tables=[values, _assumptions(source, everything)],
    )


def _assumptions(source: PageSource, evaluations: list[Evaluation]) -> HtmlTable:
    """What each bound certifies, assumes and where its constants are proved."""
    by_name: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        by_name.setdefault(evaluation.record.bound, []).append(evaluation)
    rows = []
    for name, group in by_name.items():
        record = group[0].record
        held: Counter[str] = Counter()
        for evaluation in group:
            for assumption in evaluation.record.assumptions:
                held[assumption.text] += bool(assumption.holds)
        asked = "; ".join(f"{text} ({n} of {len(group)})" for text, n in held.items())
        reasons = dict.fromkeys(e.record.reason for e in group if e.record.reason)
        valid = [evaluation.valid for evaluation in group if evaluation.valid is not None]
        answer = f"{sum(valid)} of {len(valid)}" if valid else ""
        cells = [name, record.kind, record.certifies, answer, asked]
        cells += ["; ".join(reasons), record.constants or "", f"{record.delta or ''}"]
        rows.append((name, [HtmlCell(cell) for cell in cells]))
    head = ["bound", "kind", "certifies", "valid on", "assumes (holds on networks)"]
    head += ["why there is no value", "constants", "delta"]
    return html_table(f"{source.prefix}-assumptions", "What bounds assume", head, rows)


def claims(source: PageSource) -> PageSection | None:
    """The verdicts, and each claim with what it says, its premises and its units."""
    rows = source.verdicts
    if not rows:
        return None
    evidence = source.evidence
    stated = [_claim(source, row, evidence.get(row["id"], [])) for row in rows]
    table = from_text(f"{source.prefix}-verdicts", "Verdicts", verdicts_table(rows))
    linked = [
        row._replace(cells=[row.cells[0]._replace(below=own.title, to=own.name), *row.cells[1:]])
        for row, own in zip(table.rows, stated, strict=True)
    ]
    units = {
        claim.name: {"names": _UNIT, "rows": [_unit(unit) for unit in evidence[claim.id]]}
        for claim in stated
        if claim.units
    }
    reading = (
        "Supported and refuted are conclusions of tests whose level was spent beforehand;"
        " inconclusive means that these units decide nothing, and inapplicable that a premise"
        " fails. Open a claim for its units: those that fail are what refutes it."
    )
    return PageSection(
        f"{source.prefix}-claims",
        "Claims",
        [reading, _counted(rows)],
        tables=[table._replace(rows=linked)],
        claims=stated,
        data=units,
    )


def _unit(row: TableRow) -> list[object]:
    """The columns of a unit, numbers with six digits; JSON has no infinite ones."""
    values = [row[name] for name in _UNIT]
    return [_written(value) if isinstance(value, float) else value for value in values]


def _written(value: float) -> float | str:
    return float(f"{value:.6g}") if isfinite(value) else f"{value}"


def _counted(rows: list[TableRow]) -> str:
    verdicts = Counter(row["verdict"] for row in rows)
    return f"{counted(len(rows), 'claim')}: " + ", ".join(f"{n} {v}" for v, n in verdicts.items())


def _claim(source: PageSource, row: TableRow, units: list[TableRow]) -> PageClaim:
    ends = "" if row["low"] is None or row["high"] is None else interval(row["low"], row["high"])
    facts = {
        "says": row["says"],
        "source": row["source"],
        "conclusion": row["reason"],
        "quantity": row["quantity"],
        "estimate": f"{number(row['estimate'])} {ends}".strip(),
        "asked": f"{row['quantifier']} {number(row['threshold'])}",
        "units": f"{row['units']} of at most {row['most_units']} {row['unit']}s",
        "hold, fail, ambiguous": _three(row),
        "test": f"{row['test']}, level {number(row['level'] or row['alpha'])}",
        "p-values": f"{number(row['p_supported'])} against its being false,"
        f" {number(row['p_refuted'])} against its being true",
        "family": f"{row['family']}, correction {row['correction']}",
        "version": f"{row['version']}, hash {row['hash']}",
    }
    if row["p_supported"] is None:
        del facts["p-values"]
    return PageClaim(
        f"{source.prefix}-claim-{slug_of(row['id'])}",
        str(row["id"]),
        str(row["verdict"]),
        str(row["title"]),
        {word: str(fact) for word, fact in facts.items() if fact not in (None, "")},
        json.loads(row["premises"]),
        sum(unit["count"] or 0 for unit in units),
    )


def _three(row: TableRow) -> str:
    if row["holding"] is None:
        return ""
    return f"{row['holding']}, {row['failing']}, {row['ambiguous']}"
