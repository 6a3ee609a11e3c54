"""Text in columns: wrapped between words, and laid out anew where even that is too wide."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

_GAP = 2  # between columns, characters
_ROOMY = 16  # a column in one of several tables, where its texts have no longer word

Rows = Sequence[Sequence[str]]


class Line(NamedTuple):
    """A line of a table, and whether it belongs to the names of the columns."""

    text: str
    heading: bool = False


def laid_out(names: Sequence[str], rows: Rows, width: int, *, keys: int = 1) -> list[Line]:
    """A table as lines.

    A table that is too wide at the length of its words becomes several below each other, each of
    which repeats the first columns; where these leave no room, each row becomes a list.

    Args:
        names: of the columns.
        rows: their texts.
        width: of the page, characters; only a single word may pass it.
        keys: how many columns tell rows apart; 0: lists rather than several tables.
    """
    columns = [list(column) for column in zip(names, *rows, strict=True)]
    least = [
        max((len(word) for text in column for word in text.split()), default=0)
        for column in columns
    ]
    most = [max(map(len, column)) for column in columns]
    roomy = [max(short, min(long, _ROOMY)) for short, long in zip(least, most, strict=True)]
    blocks = [list(range(len(columns)))] if _fits(least, width) else None
    blocks = blocks or _blocks(roomy, width, keys) or _blocks(least, width, keys)
    if blocks is None:
        return [Line(text) for text in _lists(names, rows, width)]
    lines: list[Line] = []
    for block in blocks:
        widths = _widths([least[i] for i in block], [most[i] for i in block], width)
        lines += [Line("")] * bool(lines)
        for place, texts in enumerate(zip(*(columns[i] for i in block), strict=True)):
            lines += [Line(text, place == 0) for text in _row(texts, widths)]
    return lines


def _fits(widths: Sequence[int], width: int) -> bool:
    return sum(widths) + _GAP * (len(widths) - 1) <= width


def _blocks(widths: Sequence[int], width: int, keys: int) -> list[list[int]] | None:
    """The columns of each table; None where the keys and another column are too wide."""
    first = list(range(keys))
    blocks = [first]
    for i in range(keys, len(widths)):
        if not keys or not _fits([widths[j] for j in (*first, i)], width):
            return None
        block = [*blocks[-1], i]
        if _fits([widths[j] for j in block], width):
            blocks[-1] = block
        else:
            blocks.append([*first, i])
    return blocks


def _widths(least: Sequence[int], most: Sequence[int], width: int) -> list[int]:
    """Each column has room for its words; short texts come whole, long ones share the rest."""
    spare = width - sum(least) - _GAP * (len(least) - 1)
    widths = list(least)
    need = [long - short for short, long in zip(least, most, strict=True)]
    for done, i in enumerate(sorted(range(len(need)), key=need.__getitem__)):
        extra = min(need[i], spare if need[i] <= _ROOMY else spare // (len(need) - done))
        widths[i] += extra
        spare -= extra
    return widths


def _row(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row of a table, over as many lines as its longest text."""
    cells = [wrapped(text, width) for text, width in zip(texts, widths, strict=True)]
    height = max(map(len, cells))
    padded = [[*lines, *[""] * (height - len(lines))] for lines in cells]
    gap = " " * _GAP
    return [
        gap.join(f"{part:<{width}}" for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    ]


def _lists(names: Sequence[str], rows: Rows, width: int) -> list[str]:
    """Each row as a list, a line for each column that is not empty, a blank line between rows."""
    indent = max(map(len, names), default=0) + _GAP
    lines: list[str] = [] if rows else wrapped("  ".join(names), width)
    for row in rows:
        lines += [""] * bool(lines)
        for name, text in zip(names, row, strict=True):
            if text:
                first, *others = wrapped(text, max(width - indent, 1))
                lines.append(f"{name:<{indent}}{first}")
                lines += [" " * indent + other for other in others]
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most a width, broken between words; a longer word keeps a line of its own."""
    if len(text) <= width and "\n" not in text:
        return [text]
    lines = [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
    ]
    return lines or [""]
