"""Quantities as columns: their declarations, and their values in each row."""

import warnings
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from simbias._types import AnyStack
from simbias.experiments.table import Column
from simbias.quantities import NEEDS, Quantity, Subject, declared
from simbias.registry import QUANTITIES
from simbias.validation import Report

_BESIDE = ("risk",)  # the ends of its interval follow it, those of all others follow all values


def free(taken: Collection[str]) -> dict[str, Quantity]:
    """The quantities that are columns, without those of other packages whose name is taken."""
    columns = {name: quantity for name, quantity in declared().items() if quantity.column != "none"}
    for name in [name for name in columns if name in taken]:
        warnings.warn(f"left out: quantity: plug-in {name!r}, the name of a column", stacklevel=2)
        del columns[name]
    return columns


def number_columns(quantities: Mapping[str, Quantity]) -> list[Column]:
    """The columns of quantities: values of this package, their intervals, then other packages'."""
    values, ends, added = [], [], []
    for name, quantity in quantities.items():
        columns = [_value(quantity), *_ends(quantity)]
        if not QUANTITIES.owns(name):
            added += columns
        elif name in _BESIDE:
            values += columns
        else:
            values.append(columns[0])
            ends += columns[1:]
    return values + ends + added


def _value(quantity: Quantity) -> Column:
    meaning = ", ".join(filter(None, [quantity.summary, quantity.unit]))
    return Column(quantity.name, "BIGINT" if quantity.counts else "DOUBLE", meaning)


def _ends(quantity: Quantity) -> list[Column]:
    if quantity.column != "interval":
        return []
    interval = f"of its 95% interval{f' ({quantity.interval})' * bool(quantity.interval)}"
    return [
        Column(f"{quantity.name}_{end}", "DOUBLE", f"{word} end {interval}")
        for end, word in (("low", "lower"), ("high", "upper"))
    ]


class Numbers(NamedTuple):
    """The measured columns of one row, and the names of its empty columns by reason."""

    columns: dict[str, object]
    empty: dict[str, list[str]]

    @property
    def reasons(self) -> list[str]:
        """Why columns are empty, a line for each reason."""
        return [
            f"{why}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} empty"
            for why, names in self.empty.items()
        ]


def numbers(subject: Subject, quantities: Mapping[str, Quantity]) -> list[Numbers]:
    """The measured columns of every network or estimator, with a reason for each empty one.

    A quantity of another package that raises an error leaves its own columns empty.
    """
    rows = [Numbers({}, {}) for _ in subject.stack.seeds]
    for name, quantity in quantities.items():
        try:
            estimate, fault = quantity.compute(subject), ""
        except Exception as error:
            if QUANTITIES.owns(name):
                raise
            fault = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        for i, row in enumerate(rows):
            value = np.nan if fault else estimate.value[i]
            if np.isnan(value):
                if fault or not _of_other_cells(quantity, subject):
                    row.empty.setdefault(fault or _why_empty(quantity, subject), []).append(name)
                continue
            row.columns[name] = int(value) if quantity.counts else value
            if quantity.column == "interval":
                ends = {f"{name}_low": estimate.low[i], f"{name}_high": estimate.high[i]}
                row.columns.update(ends)
    return rows


class Validated(NamedTuple):
    """What a network or estimator has come to: its status, the reason, and measured columns."""

    status: str
    reason: str
    columns: dict[str, object]


def validated(
    learned: AnyStack, report: Report, quantities: Mapping[str, Quantity], seconds: float
) -> list[Validated]:
    """The outcome of every network or estimator that was validated.

    Args:
        learned: a stack, or estimators.
        report: of its validation.
        quantities: what is measured.
        seconds: of the validation, which its networks share.
    """
    outcomes = []
    for i, row in enumerate(numbers(Subject.validated(learned, report), quantities)):
        status, reason = learned.outcome(i)
        if report.faults[i]:
            status, reason = "diverged", f"{reason}; {report.faults[i]}"
        else:
            reason = "; ".join([reason, *row.reasons])
        times = {"train_seconds": learned.seconds[i], "validate_seconds": seconds / len(learned)}
        columns = row.columns | {"n_certify": report.n_certify} | times
        outcomes.append(Validated(status, reason, columns))
    return outcomes


def _of_other_cells(quantity: Quantity, subject: Subject) -> bool:
    """Whether a cell's settings say enough: of clean labels no row says what noise would do."""
    noise: object = getattr(subject.stack.cell, "label_noise", None)
    return "noisy labels" in quantity.needs and noise is None


def _why_empty(quantity: Quantity, subject: Subject) -> str:
    """Why a quantity has no value: what the cell, the scores or the network lacks."""
    unmeasured = subject.report.unmeasured.get(quantity.name.replace("_randomised", ""), "")
    last = NEEDS[quantity.needs[-1]].without if quantity.needs else "no value"
    return quantity.lacking(subject.stack.cell) or unmeasured or last
