"""The tables of claims, and of the quantities that a claim may be about."""

from collections.abc import Sequence

from simbias.claims import Claim
from simbias.quantities import declared
from simbias.tables.text import TextTable


def claims_table(claims: Sequence[Claim]) -> TextTable:
    """A line for each claim."""
    head = ("id", "says", "test", "units", "family", "hash", "title")
    lines = [
        (
            claim.id,
            claim.says,
            claim.criterion.test,
            str(claim.units),
            claim.family,
            claim.hash,
            claim.title,
        )
        for claim in claims
    ]
    return TextTable(head, lines)


def vocabulary_table() -> TextTable:
    """A line for each quantity that a claim may be about."""
    lines = [
        (
            quantity.call,
            quantity.of,
            f"[{quantity.low:g}, {quantity.high:g}] {quantity.unit}".strip(),
            quantity.summary,
        )
        for quantity in declared().values()
    ]
    return TextTable(("quantity", "of a", "range", "meaning"), lines)
