"""The numbers of a row: every quantity that is a column, measured on the networks of a stack."""

from typing import Any, NamedTuple

import numpy as np

from simbias.quantities import NEEDS, Quantity, Subject
from simbias.registry import QUANTITIES
from simbias.results.schema import NUMBERS


class Numbers(NamedTuple):
    """What one network's columns hold, and by reason which of them are empty."""

    columns: dict[str, Any]
    empty: dict[str, list[str]]

    @property
    def reasons(self) -> list[str]:
        """Why columns are empty, a line a reason."""
        return [
            f"{why}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} empty"
            for why, names in self.empty.items()
        ]


def numbers(subject: Subject) -> list[Numbers]:
    """The columns of every network, with a reason for each that is empty.

    A quantity of another package that cannot be measured leaves its own columns empty.
    """
    found = [Numbers({}, {}) for _ in subject.stack.seeds]
    for name, quantity in NUMBERS.items():
        try:
            estimate, fault = quantity.measure(subject, None), ""
        except Exception as error:
            if QUANTITIES.owns(name):
                raise
            fault = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        for i, one in enumerate(found):
            value = np.nan if fault else estimate.value[i]
            if np.isnan(value):
                one.empty.setdefault(fault or _without(quantity, subject), []).append(name)
                continue
            one.columns[name] = int(value) if quantity.counts else value
            if quantity.column == "interval":
                ends = {f"{name}_low": estimate.low[i], f"{name}_high": estimate.high[i]}
                one.columns.update(ends)
    return found


def _without(quantity: Quantity, subject: Subject) -> str:
    """Why a quantity has no value on a network: what the cell lacks, or else the network."""
    last = NEEDS[quantity.needs[-1]].without if quantity.needs else "no value"
    return quantity.lacking(subject.stack.cell) or last
