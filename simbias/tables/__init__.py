"""All table text: what columns are called, what stands in them, and what the numbers are."""

from simbias.tables.text import TextTable, latex

__all__ = ["TextTable", "latex"]
