"""Arrays whose axes have names and whose entries have labels, and tables made of them.

A report with arrays of more than one axis gives them by name: ``report.labelled()["risks"]`` says
what stands along each axis, so that an entry is asked for by what it is of, not by where it lies.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from simbias._checks import fail, known
from simbias._frames import DataFrame, frame
from simbias.stats.estimate import Estimate


@dataclass(frozen=True, eq=False)
class Labelled:
    """An array with named axes.

    Attributes:
        values: an array with one dimension for each axis.
        axes: what stands along each dimension, by its name, in the order of the dimensions.
        low, high: limits of each entry, shaped as the values; None where it has no interval.

    Raises:
        ValueError: axes of other lengths than the values have.

    Examples:
        >>> import numpy as np
        >>> from simbias.validation import Labelled
        >>> risk = Labelled(np.array([[0.1, 0.2], [0.3, 0.4]]), {"seed": (0, 1), "n": (100, 200)})
        >>> risk.at(n=200).values
        array([0.2, 0.4])
        >>> risk.at(seed=1, n=100).values.item()
        0.3
        >>> risk.at(n=300)
        Traceback (most recent call last):
            ...
        ValueError: n: got 300, allowed: one of 100, 200
    """

    values: np.ndarray
    axes: Mapping[str, Sequence[object]]
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = tuple(map(len, self.axes.values()))
        if np.shape(self.values) != shape:
            raise fail("axes", f"lengths {shape}", f"{np.shape(self.values)}, the values' shape")

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the axes."""
        return tuple(self.axes)

    def at(self, **labels: object) -> "Labelled":
        """The entries with these labels, without their axes; ValueError for an unknown one."""
        place: list[int | slice] = [slice(None)] * len(self.axes)
        for axis, label in labels.items():
            entries = list(self.axes[known("axis", axis, self.axes)])
            if label not in entries:
                raise fail(axis, label, f"one of {', '.join(map(str, entries))}")
            place[self.dims.index(axis)] = entries.index(label)
        left = {axis: entries for axis, entries in self.axes.items() if axis not in labels}
        values, low, high = (
            None if part is None else np.asarray(part[tuple(place)])
            for part in (self.values, self.low, self.high)
        )
        assert values is not None
        return Labelled(values, left, low, high)

    def to_frame(self) -> DataFrame:
        """A pandas data frame, a row an entry; raises ValueError where pandas is not installed."""
        return frame(tidy({"": self}))

    def __repr__(self) -> str:
        along = ", ".join(f"{axis} {len(entries)}" for axis, entries in self.axes.items())
        return f"Labelled({along})"


def named_axes(
    report: object, axes: Mapping[str, str], **along: Iterable[object]
) -> dict[str, Labelled]:
    """Fields of a report as arrays with named axes.

    Args:
        report: what has the fields: arrays, estimates, or estimates by a word.
        axes: the names of a field's axes, separated by blanks; the last one of estimates by a word
            is along their words.
        along: what stands along an axis; positions where it is not said.

    Examples:
        >>> from types import SimpleNamespace
        >>> from simbias.stats.labelled import named_axes
        >>> report = SimpleNamespace(counts=[[3, 4, 5], [6, 7, 8]])
        >>> arrays = named_axes(report, {"counts": "seed zone"}, seed=(10, 11))
        >>> arrays["counts"].at(seed=11).axes
        {'zone': (0, 1, 2)}
    """
    arrays = {}
    for name, words in axes.items():
        dims, field = words.split(), getattr(report, name)
        entries = {axis: tuple(along[axis]) for axis in dims if axis in along}
        if hasattr(field, "_asdict") and not isinstance(field, Estimate):
            field = field._asdict()  # estimates by a word, as a named tuple
        if isinstance(field, Mapping):
            entries[dims[-1]] = tuple(field)
            field = Estimate(*(np.stack(ends, -1) for ends in zip(*field.values(), strict=True)))
        ends = field if isinstance(field, Estimate) else (np.asarray(field), None, None)
        for axis, length in zip(dims, np.shape(ends[0]), strict=True):
            entries.setdefault(axis, tuple(range(length)))
        arrays[name] = Labelled(ends[0], {axis: entries[axis] for axis in dims}, *ends[1:])
    return arrays


def tidy(arrays: Mapping[str, Labelled]) -> dict[str, list[object]]:
    """Columns of a table with a row for each entry of each array.

    They are the array's name (``quantity``, where there is more than one), the axes, None where
    an array has not got one, and ``value``, ``low`` and ``high``.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.labelled import Labelled, tidy
        >>> columns = tidy({"risk": Labelled(np.array([0.1, 0.2]), {"seed": (0, 1)})})
        >>> list(columns), columns["seed"]
        (['seed', 'value', 'low', 'high'], [0, 1])
    """
    dims = dict.fromkeys(axis for array in arrays.values() for axis in array.axes)
    columns: dict[str, list[object]] = {
        name: [] for name in ("quantity", *dims, "value", "low", "high")
    }
    for name, array in arrays.items():
        ends = [array.values, array.low, array.high]
        flat = [np.full(array.values.size, np.nan) if e is None else np.ravel(e) for e in ends]
        for labels, *entry in zip(product(*array.axes.values()), *flat, strict=True):
            along = dict(zip(array.axes, labels, strict=True))
            row = {"quantity": name, **dict.fromkeys(dims), **along}
            row |= dict(zip(("value", "low", "high"), entry, strict=True))
            for column, cell in row.items():
                columns[column].append(cell)
    if len(arrays) == 1:
        del columns["quantity"]
    return columns
