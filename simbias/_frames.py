"""Tables as pandas data frames, for whoever has pandas installed, and lists that are tables."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from simbias._escape import html_text
from simbias._numbers import number

DataFrame = Any  # of pandas, which need not be installed
Item = TypeVar("Item")


def frame(columns: Mapping[str, Iterable[object]]) -> DataFrame:
    """A pandas data frame of columns by name; raises ValueError where pandas is not installed."""
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError:
        words = "is not installed, and a data frame needs it: pip install pandas"
        raise ValueError(f"pandas {words}") from None
    return pandas.DataFrame({name: list(values) for name, values in columns.items()})


class RowList(list[Item], Generic[Item]):
    """A list of which each entry is a row: a data frame, and a table in a notebook.

    Args:
        items: the entries.
        columns: of an entry its cells by the heading.
        caption: over the table.
    """

    def __init__(
        self,
        items: Iterable[Item],
        columns: Callable[[Item], Mapping[str, object]],
        caption: str = "",
    ) -> None:
        super().__init__(items)
        self._columns, self._caption = columns, caption

    def __repr__(self) -> str:
        kinds = " and ".join(sorted({type(item).__name__ for item in self}))
        return f"RowList({len(self)}{f' of {kinds}' if kinds else ''})"

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        rows = [self._columns(item) for item in self]
        return frame({name: [row[name] for row in rows] for name in (rows[0] if rows else ())})

    def _repr_html_(self) -> str:
        """The table, as a notebook shows it."""
        rows = [self._columns(item) for item in self]
        cells = [[_words(cell) for cell in row.values()] for row in rows]
        return html_text(self._caption, list(rows[0]) if rows else (), cells)


def _words(cell: object) -> str:
    if cell is None:
        return ""
    return number(cell) if isinstance(cell, float) else str(cell)
