"""Text for other programs: what a spreadsheet would run, and what LaTeX would, is only shown."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
    "\n": " ",
    "S^c": "$S^c$",  # the complement of the simple set
}


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV under their names; empty where there is nothing.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_shown, names))
    writer.writerows(map(_shown, row) for row in rows)
    return text.getvalue()


def tex(text: str) -> str:
    """Text as LaTeX shows it."""
    words = re.sub(r"S\^c|.|\n", lambda found: _TEX.get(found[0], found[0]), text)
    return f"{{}}{words}" if words.startswith(("[", "*")) else words  # else it belongs to a \\


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = re.sub(r"\r\n?", "\n", value)  # the writer quotes no other end of a line
    if not re.match(r"[=+\-@\t\n＝＋－＠]", value):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
