"""The table of a directory's verdicts."""

import json
from collections.abc import Sequence

from simbias._numbers import interval, number
from simbias._types import TableRow
from simbias.claims import declared_tests
from simbias.tables.text import TextTable

HEAD = (
    "claim",
    "version, level",
    "verdict",
    "estimate",
    "interval",
    "asked",
    "units",
    "hold/fail/amb.",
    "premises",
)


def verdicts_table(rows: Sequence[TableRow]) -> TextTable:
    """A line for each claim, from the rows of stored verdicts."""
    lines = []
    for row in rows:
        estimate, ends, counts = "", "", ""
        if row["estimate"] is not None:
            estimate = number(row["estimate"])
            counts = f"{row['holding']}/{row['failing']}/{row['ambiguous']}"
        if row["low"] is not None and row["high"] is not None:
            ends = interval(row["low"], row["high"])
        premises = "; ".join(json.loads(row["premises"]))
        if row["verdict"] == "inapplicable":
            premises = row["reason"]
        units = f"{row['units']} {row['unit']}s" if row["units"] else ""
        if row["more"]:
            units += f", {row['more']} more would decide"
        # a run that did not spend alpha over versions has no level
        level = row["alpha"] if row["level"] is None else row["level"]
        named = [row["id"], f"{row['version']}, {number(level)}", row["verdict"]]
        lines.append([*named, estimate, ends, row["says"], units, counts, premises])
    return TextTable(HEAD, lines, _caption())


def _caption() -> str:
    assuming = [name for name, test in declared_tests().items() if test.assumes]
    return (
        "version: of the claim in this directory; level: version v spends alpha/(v (v + 1)), so"
        " that all of them together spend alpha; hold/fail/amb.: units surely inside and outside of"
        " what is claimed, and neither, missing ones included; interval: two-sided, of confidence"
        " 1 - level, misses of the units' own intervals included, and approximate where the test"
        f" assumes a law ({', '.join(assuming)}); verdicts: one-sided tests at that level,"
        " corrected within families"
    )
