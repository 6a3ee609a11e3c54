"""Tables of a page: a link on every row, and what rows are sorted by."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from simbias.tables import TextTable

_NUMBER = r"[-+−]?(?:\d[\d,]*\.?\d*(?:e[-+]?\d+)?|inf)"
_EMPTY = ("", "-", "inapplicable")
_MOST = 1000  # rows that a browser lays out and sorts at once
_LONG = 30  # letters that want a column wide enough for some words

Row = TypeVar("Row")


class HtmlCell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: what it says.
        below: a second line: an interval, or what was published.
        order: what its row is sorted by; None: by the text.
        to: name of what it leads to within the page; empty: nothing.

    Examples:
        >>> from simbias.pages.html_table import HtmlCell
        >>> HtmlCell(".95", below="[.94, .96]").to
        ''
    """

    text: str
    below: str = ""
    order: float | None = None
    to: str = ""

    @property
    def plain(self) -> bool:
        """Whether a browser reads the number to sort by off the text."""
        match = re.match(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\d,.k])", self.text)
        return match is not None and float(match[0]) == self.order


class HtmlRow(NamedTuple):
    """A row of a table, and its name within the page, which a link ends in.

    Examples:
        >>> from simbias.pages.html_table import HtmlRow
        >>> HtmlRow("row-0", ()).name
        'row-0'
    """

    name: str
    cells: Sequence[HtmlCell]


class HtmlTable(NamedTuple):
    """A table of a page.

    Attributes:
        name: within the page.
        title: its caption.
        head: names of the columns.
        rows: in the order in which they are first shown.
        note: explains the numbers.
        numbers: whether a column holds numbers.
        long: whether a column holds long texts.

    Examples:
        >>> from simbias.pages.html_table import HtmlTable
        >>> HtmlTable("table-0", "networks", ("seed",), (), "", (True,), (False,)).title
        'networks'
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[HtmlRow]
    note: str
    numbers: Sequence[bool]
    long: Sequence[bool]


def html_table(
    name: str,
    title: str,
    head: Sequence[str],
    rows: Iterable[tuple[str, Sequence[HtmlCell | str]]],
    note: str = "",
) -> HtmlTable:
    """A table of cells, whose numbers are found; columns that say nothing are left out.

    Args:
        name: of the table.
        title: its caption.
        head: names of the columns.
        rows: what tells each apart, in words, and its cells.
        note: explains the numbers.
    """
    kept = [(key, [HtmlCell(c) if isinstance(c, str) else c for c in cells]) for key, cells in rows]
    told = [i for i in range(len(head)) if any(c[i].text or c[i].below for _, c in kept)]
    head, kept = [head[i] for i in told], [(key, [cells[i] for i in told]) for key, cells in kept]
    columns = list(zip(*(cells for _, cells in kept), strict=True))
    numbers = [_holds_numbers(column) for column in columns]
    long = [any(len(cell.text) > _LONG for cell in column) for column in columns]
    taken: dict[str, int] = {}
    named = []
    for key, cells in kept:
        slug = f"{name}-{slug_of(key)}"
        taken[slug] = taken.get(slug, 0) + 1
        unique = slug if taken[slug] == 1 else f"{slug}-{taken[slug]}"
        ordered = [
            cell._replace(order=_order(cell.text)) if number and cell.order is None else cell
            for cell, number in zip(cells, numbers, strict=True)
        ]
        named.append(HtmlRow(unique, ordered))
    return HtmlTable(name, title, list(head), named, note, numbers, long)


def first_rows(rows: list[Row], command: str) -> tuple[list[Row], str]:
    """As many rows as a page shows, and what must be said where these are not all.

    Args:
        rows: in the order of the table.
        command: of a shell, that gives all of them.
    """
    if len(rows) <= _MOST:
        return rows, ""
    return rows[:_MOST], f"the first {_MOST:,} of {len(rows):,} rows; all of them: {command}"


def from_text(name: str, title: str, table: TextTable) -> HtmlTable:
    """A printed table as one of a page; the first columns tell its rows apart."""
    rows = [(" ".join(line[: max(table.keys, 1)]), list(line)) for line in table.lines]
    return html_table(name, title, table.head, rows, table.caption)


def slug_of(words: str) -> str:
    """Words as part of a link."""
    return re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-")[:80] or "row"


def _holds_numbers(column: Sequence[HtmlCell]) -> bool:
    telling = [cell for cell in column if cell.order is not None or cell.text not in _EMPTY]
    return bool(telling) and all(
        cell.order is not None or re.match(rf"[<>\[]?\s*{_NUMBER}k?(?![\w-])", cell.text)
        for cell in telling
    )


def _order(text: str) -> float | None:
    """The number that a text begins with: ``>100k`` is a hundred thousand."""
    match = re.match(rf"[<>\[]?\s*({_NUMBER})(k?)", text)
    if match is None:
        return None
    return float(match[1].replace(",", "").replace("−", "-")) * (1000 if match[2] else 1)
