"""The table of an answer to a question in SQL."""

from collections.abc import Sequence

from simbias.tables.text import TextTable


def answer_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> TextTable:
    """Its rows as they are, empty where there is nothing; a list for each where they are wide."""
    lines = [["" if value is None else str(value) for value in row] for row in rows]
    return TextTable(names, lines, keys=0)
