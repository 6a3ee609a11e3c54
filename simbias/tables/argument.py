"""The steps of the argument with their verdicts, as tables."""

from collections.abc import Mapping, Sequence

import numpy as np

from simbias._numbers import interval, number
from simbias._types import TableRow
from simbias.claims import Step
from simbias.tables.text import TextTable

HEAD = ("verdict", "observed", "proportion", "units, median and range", "claim")


def step_table(
    step: Step, verdicts: Mapping[str, TableRow], evidence: Mapping[str, Sequence[TableRow]]
) -> TextTable:
    """A line for each claim of a step.

    Args:
        step: of ``simbias.claims.argument``.
        verdicts: the stored row of each claim, by id.
        evidence: the rows of its units, by id.
    """
    lines = []
    for claim in step.claims:
        row = verdicts[claim.id]
        observed = proportion = ""
        if row["estimate"] is not None:
            observed = f"{row['holding']} of {row['units']} {row['unit']}s"
            proportion = interval(row["low"], row["high"])
        words = [row["verdict"], observed, proportion, _units(evidence.get(claim.id, []))]
        lines.append([*words, claim.title])
    lines += [["not asked", "", "", "", f"{title}: {why}"] for title, why in step.left_out.items()]
    return TextTable(HEAD, lines, keys=0)


def _units(rows: Sequence[TableRow]) -> str:
    """The median of the units' values and their range."""
    values = np.array([row["value"] for row in rows if row["value"] is not None], float)
    if not len(values):
        return ""
    return f"{number(float(np.median(values)))} {interval(values.min(), values.max())}"


def comes_to(steps: Sequence[Step], verdicts: Mapping[str, TableRow]) -> str:
    """What the argument comes to, in a sentence.

    Args:
        steps: of ``simbias.claims.argument``.
        verdicts: the stored row of each claim, by id.
    """
    words = {name: row["verdict"] for name, row in verdicts.items()}
    conclusions = {step.name: step.conclusion(words) for step in steps if step.name != "enough"}
    parts = []
    for conclusion, text in (("fails", "fails at"), ("open", "is open at")):
        names = [name for name, own in conclusions.items() if own == conclusion]
        parts += [f"{text} step {', '.join(names)}"] if names else []
    return f"The argument {' and '.join(parts) or 'holds at every step that was asked'}."
