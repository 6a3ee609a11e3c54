"""All text of tables: headings, cells and captions."""

from simbias.tables.text import TextTable, latex

__all__ = ["TextTable", "latex"]
