"""The tables of what may be claimed, and of what is."""

from collections.abc import Sequence

from simbias.claims import Claim
from simbias.quantities import declared
from simbias.tables.text import TextTable


def claims_table(claims: Sequence[Claim]) -> TextTable:
    """A line a claim."""
    head = ("id", "says", "test", "units", "family", "hash", "title")
    lines = [
        (one.id, one.says, one.criterion.test, str(one.units), one.family, one.hash, one.title)
        for one in claims
    ]
    return TextTable(head, lines)


def vocabulary_table() -> TextTable:
    """A line a quantity that a claim may be about."""
    lines = [
        (one.call, one.of, f"[{one.low:g}, {one.high:g}] {one.unit}".strip(), one.summary)
        for one in declared().values()
    ]
    return TextTable(("quantity", "of a", "range", "meaning"), lines)
