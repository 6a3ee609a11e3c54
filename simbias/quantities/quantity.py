"""The declaration of a measured number, on the function that measures it.

    @quantity(0, 1, interval="Clopper-Pearson", needs=("simple set",))
    def simple_agreement(subject: Subject) -> Estimate: ...

The first line of the docstring is its meaning. Where a cell lacks what it needs, nothing is
measured and the value is NaN; what is measured is checked against the range.
"""

import keyword
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from simbias._checks import fail, known
from simbias.quantities.needs import NEEDS
from simbias.quantities.subject import Subject
from simbias.quantities.units import unit_named
from simbias.registry import UNITS
from simbias.stats.estimate import Estimate
from simbias.training.cell import Cell

SETTING = "setting"  # a quantity that is known before training, and has no unit of a claim
COLUMNS = ("interval", "value", "none")
_ROUNDING = 1e-9  # by which a float may lie beyond its range

Given: TypeAlias = Any  # an argument: a number or a name, whichever its quantity takes


class Argument(NamedTuple):
    """An argument of a quantity, in brackets behind its name.

    Attributes:
        kind: ``"number"``, or the word for the names that are allowed.
        check: raises ValueError for a bad argument.
        suits: raises ValueError for a cell on which the quantity cannot be measured with it; None:
            every cell suits.
        never: why the quantity has no value on any network with it; "" where it may have one.

    Examples:
        >>> import simbias
        >>> argument = simbias.quantities.declared()["shifted_accuracy"].arguments[0]
        >>> argument.kind
        'shift'
        >>> argument.check("marginal")
        Traceback (most recent call last):
            ...
        ValueError: argument: unknown name 'marginal', nearest: margin
    """

    kind: str
    check: Callable[[Given], object]
    suits: Callable[[Cell, Given], object] | None = None
    never: Callable[[Given], str] | None = None


class Quantity(NamedTuple):
    """A measured number.

    Attributes:
        name: its column, and its word in claims.
        summary: its meaning in one line.
        low, high: the range that it cannot leave, possibly infinite.
        compute: from a subject and the arguments to an entry for each network, pair or point; NaN:
            not measured.
        of: ``"setting"`` (known before training), or the name of a registered unit:
            ``"network"``, ``"pair"`` (of two seeds), ``"point"`` (a fresh point on which one
            network is asked), ...
        unit: of measurement; empty for proportions and other plain numbers.
        needs: names from ``NEEDS``.
        interval: the method of its interval; empty where the value is known without error.
        counts: whether it is a whole number.
        column: what results store: its value, also the ends of its interval, or nothing.
        heading: of its column in tables; empty: tables leave it out.
        title: in figures.
        arguments: what it takes, in the order in which they are written.
        version: of the measurement; stored values of another version are measured again.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> risk = simbias.quantities.declared()["risk"]
        >>> risk.low, risk.high, risk.of, risk.interval
        (0, 1, 'network', 'Clopper-Pearson')
        >>> subject = simbias.quantities.Subject(stack, n_certify=10_000, confidence=0.95)
        >>> risk.compute(subject).value.shape
        (2,)
    """

    name: str
    summary: str
    low: float
    high: float
    compute: Callable[..., Estimate]
    of: str = "network"
    unit: str = ""
    needs: tuple[str, ...] = ()
    interval: str = ""
    counts: bool = False
    column: str = "none"
    heading: str = ""
    title: str = ""
    arguments: tuple[Argument, ...] = ()
    version: int = 1

    @property
    def exact(self) -> bool:
        """Whether it is known without error for a trained network: its interval is a point."""
        return not self.interval

    @property
    def call(self) -> str:
        """The name, with the kinds of its arguments: ``shifted_accuracy(SHIFT)``."""
        kinds = ", ".join(argument.kind.upper() for argument in self.arguments)
        return f"{self.name}({kinds})" if kinds else self.name

    def suits(self, cell: Cell, *given: Given) -> None:
        """Raise ValueError for a cell on which it cannot be measured with these arguments."""
        if "lineages" not in self.needs and not hasattr(cell, "task"):
            raise fail("cell", cell.name, "one of networks or estimators")
        for need in self.needs:
            NEEDS[need].require(cell)
        for argument, value in zip(self.arguments, given, strict=True):
            if argument.suits is not None:
                argument.suits(cell, value)

    def never(self, *given: Given) -> str:
        """Why it has no value on any network with these arguments; empty: it may have one."""
        pairs = zip(self.arguments, given, strict=True)
        reasons = (argument.never(value) for argument, value in pairs if argument.never is not None)
        return next(filter(None, reasons), "")

    def lacking(self, cell: Cell) -> str:
        """Why a column of a cell is empty: the first need that it lacks; empty: it lacks none."""
        unmet = (NEEDS[need] for need in self.needs if not NEEDS[need].met(cell))
        return next((need.without for need in unmet), "")


def quantity(
    low: float,
    high: float,
    *,
    of: str = "network",
    unit: str = "",
    needs: tuple[str, ...] = (),
    interval: str = "",
    counts: bool = False,
    column: str | None = None,
    heading: str = "",
    title: str = "",
    argument: Argument | tuple[Argument, ...] = (),
    version: int = 1,
) -> Callable[[Callable[..., object]], Quantity]:
    """Declare a function as a quantity of its name.

    The function takes a ``Subject`` and, where there are some, the arguments. It returns an
    ``Estimate`` with an entry for each unit (a network, a pair of neighbours in the stack, a point
    of a single network), or only the numbers where they are known without error.

    Args:
        low, high: the range that it cannot leave.
        column: default: the value and the ends of its interval, if it has one; nothing for a
            quantity with an argument or of other units than networks.
        title: default: the name in words.
        argument: one, or a tuple of those that follow each other.
        of, unit, needs, interval, counts, heading, version: as in ``Quantity``.

    Raises:
        ValueError: a name that is no word of small letters, digits and _, or ends in _low or _high;
            an empty range, an unknown need, a column of a quantity with an argument or of other
            units than networks, or a heading without a column.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> @simbias.quantities.quantity(0, np.inf, needs=("network",))
        ... def first_weight(subject):
        ...     "Largest absolute weight of the first layer."
        ...     return np.abs(subject.stack.params["layers"][0]["kernel"]).max((1, 2))
        >>> first_weight.name, first_weight.summary, first_weight.exact
        ('first_weight', 'Largest absolute weight of the first layer', True)
    """
    if not low < high:
        raise fail("low", low, f"less than {high:g}")
    known("of", of, (SETTING, *UNITS.names()))
    for need in needs:
        known("needs", need, NEEDS)
    arguments = (argument,) if isinstance(argument, Argument) else argument
    per_network = of == "network" and not arguments
    stored = ("interval" if interval else "value") if per_network else "none"
    stored = stored if column is None else known("column", column, COLUMNS)
    if stored != "none" and not per_network:
        raise fail("column", stored, "none: it is not one number for each network")
    if heading and stored == "none":
        raise fail("heading", heading, "none: it has no column for tables to show")

    def declare(function: Callable[..., object]) -> Quantity:
        name = function.__name__
        if not re.fullmatch(r"[a-z][a-z0-9_]*(?<!_low)(?<!_high)", name) or keyword.iskeyword(name):
            raise fail("quantity", name, "small letters, digits and _, without _low or _high")

        def compute(subject: Subject, *given: Given) -> Estimate:
            unit_of = unit_named("network" if of == SETTING else of)
            n = unit_of.count(len(subject.stack), subject.n_certify)
            if declaration.lacking(subject.stack.cell):
                return Estimate(*np.full((3, n), np.nan))
            return _checked(declaration, function(subject, *given), n)

        declaration = Quantity(
            name=name,
            summary=(function.__doc__ or "").strip().split("\n")[0].removesuffix("."),
            low=low,
            high=high,
            compute=compute,
            of=of,
            unit=unit,
            needs=needs,
            interval=interval,
            counts=counts,
            column=stored,
            heading=heading,
            title=title or name.replace("_", " "),
            arguments=arguments,
            version=version,
        )
        return declaration

    return declare


def _checked(declaration: Quantity, measured: object, n: int) -> Estimate:
    """The estimate of each unit from measured numbers; raises ValueError outside the range."""
    place = f"quantity {declaration.name}"
    parts = []
    for part in measured if isinstance(measured, Estimate) else (measured,) * 3:
        try:
            numbers = np.asarray(part, float)
        except (TypeError, ValueError):
            raise fail(place, part, "numbers") from None
        numbers = np.full(n, numbers) if numbers.ndim == 0 else numbers
        if numbers.shape != (n,):
            raise fail(place, f"shape {numbers.shape}", f"({n},): an entry a {declaration.of}")
        outside = (numbers < declaration.low - _ROUNDING) | (numbers > declaration.high + _ROUNDING)
        if outside.any():
            allowed = f"a number in [{declaration.low:g}, {declaration.high:g}]"
            raise fail(place, float(numbers[outside][0]), allowed)
        parts.append(numbers)
    value, low, high = parts
    with np.errstate(invalid="ignore"):  # infinite ends
        misplaced = (low - value > _ROUNDING * abs(low)) | (value - high > _ROUNDING * abs(value))
    if misplaced.any():
        i = int(np.argmax(misplaced))
        raise fail(place, f"{value[i]:g} in [{low[i]:g}, {high[i]:g}]", "low <= value <= high")
    if declaration.exact and not np.array_equal(low, high, equal_nan=True):
        raise fail(place, "an interval", "a value known without error, or a name for its interval")
    return Estimate(value, low, high)
