"""Text for other programs, escaped: spreadsheets, LaTeX and notebooks show it and run nothing."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

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

_FORMULA = tuple("=+-@\t\n＝＋－＠")  # what one begins with


def csv_text(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV under their names; empty where there is nothing.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_shown, names))
    writer.writerows(map(_shown, row) for row in rows)
    return text.getvalue()


def json_text(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as a JSON list with an object a row, on a line each.

    JSON has finite numbers only: NaN is null, an infinite number a text. A name that comes again
    has a number after it.
    """
    unique: list[str] = []
    for name in names:
        numbered = (f"{name}_{i}" for i in range(1, len(names)))
        unique.append(next(candidate for candidate in (name, *numbered) if candidate not in unique))
    lines = [json.dumps(dict(zip(unique, map(_plain, row), strict=True))) for row in rows]
    return "[" + ",\n".join(lines) + "]\n"


def _plain(value: object) -> object:
    """A value of the database as one of JSON."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return None if math.isnan(value) else _number(value)
        case dict():
            return {str(key): _plain(member) for key, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case bytes():
            return value.hex()
    return str(value)


def _number(value: float | Decimal) -> float | str:
    return float(value) if math.isfinite(value) else str(value)


def tex(text: str) -> str:
    """Text escaped for LaTeX."""
    words = re.sub(r"S\^c|.|\n", lambda sign: _TEX.get(sign[0], sign[0]), text)
    return f"{{}}{words}" if words.startswith(("[", "*")) else words  # else it belongs to a \\


def html_text(caption: str, names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small table for a notebook, which shows HTML: every text in it is text."""

    def line(tag: str, texts: Iterable[object]) -> str:
        cells = "".join(f"<{tag}>{html.escape(str(text))}</{tag}>" for text in texts)
        return f"<tr>{cells}</tr>"

    body = "".join(line("td", row) for row in rows)
    head = f"<thead>{line('th', names)}</thead>" if names else ""
    title = f"<caption>{html.escape(caption)}</caption>"
    return f"<table>{title}{head}<tbody>{body}</tbody></table>"


def _shown(value: object) -> object:
    if not isinstance(value, str):
        return None if isinstance(value, float) and math.isnan(value) else value
    if "\r" in value:
        value = re.sub(r"\r\n?", "\n", value)  # the writer quotes no other end of a line
    if not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
