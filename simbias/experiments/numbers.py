"""Quantities as columns: which there are, what they are called, and the numbers of each row."""

import warnings
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from simbias.experiments.table import Column
from simbias.quantities import NEEDS, Quantity, Subject, declared
from simbias.registry import QUANTITIES

_BESIDE = ("risk",)  # the ends of its interval stand beside it, of all others behind the values


def free(taken: Collection[str]) -> dict[str, Quantity]:
    """The quantities that are columns; one of another package only under names that are free."""
    found = {name: made for name, made in declared().items() if made.column != "none"}
    for name in [name for name in found if name in taken]:
        warnings.warn(f"left out: quantity: plug-in {name!r}, the name of a column", stacklevel=2)
        del found[name]
    return found


def number_columns(quantities: Mapping[str, Quantity]) -> list[Column]:
    """Values of this package, their intervals, then those of other packages."""
    values, ends, added = [], [], []
    for name, quantity in quantities.items():
        both = [_value(quantity), *_ends(quantity)]
        if not QUANTITIES.owns(name):
            added += both
        elif name in _BESIDE:
            values += both
        else:
            values.append(both[0])
            ends += both[1:]
    return values + ends + added


def _value(quantity: Quantity) -> Column:
    meaning = ", ".join(filter(None, [quantity.summary, quantity.unit]))
    return Column(quantity.name, "BIGINT" if quantity.counts else "DOUBLE", meaning)


def _ends(quantity: Quantity) -> list[Column]:
    if quantity.column != "interval":
        return []
    of = f"of its 95% interval{f' ({quantity.interval})' * bool(quantity.interval)}"
    return [
        Column(f"{quantity.name}_{end}", "DOUBLE", f"{word} end {of}")
        for end, word in (("low", "lower"), ("high", "upper"))
    ]


class Numbers(NamedTuple):
    """What the columns of one row hold, and by reason which of them are empty."""

    columns: dict[str, object]
    empty: dict[str, list[str]]

    @property
    def reasons(self) -> list[str]:
        """Why columns are empty, a line a reason."""
        return [
            f"{why}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} empty"
            for why, names in self.empty.items()
        ]


def numbers(subject: Subject, quantities: Mapping[str, Quantity]) -> list[Numbers]:
    """The columns of every network or estimator, with a reason for each that is empty.

    A quantity of another package that cannot be measured leaves its own columns empty.
    """
    found = [Numbers({}, {}) for _ in subject.stack.seeds]
    for name, quantity in quantities.items():
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
    """Why a quantity has no value: what the cell lacks, what the scores are not, or the network."""
    unmeasured = subject.report.unmeasured.get(quantity.name.replace("_randomised", ""), "")
    last = NEEDS[quantity.needs[-1]].without if quantity.needs else "no value"
    return quantity.lacking(subject.stack.cell) or unmeasured or last
