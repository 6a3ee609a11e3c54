"""All text of tables: headings, cells and captions."""

from simbias.tables.text import TextTable, latex, markdown

__all__ = ["TextTable", "latex", "markdown"]
