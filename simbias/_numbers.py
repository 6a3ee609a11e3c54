"""Numbers and intervals as tables and messages write them; axes and headings have their own."""

from collections.abc import Callable


def number(value: float | None) -> str:
    """A number with four digits; empty for None."""
    return "" if value is None else f"{value:.4g}"


def hundredths(value: float) -> str:
    """A number with two digits after its point."""
    return f"{value:.2f}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: ``3 seeds``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def interval(low: float, high: float, written: Callable[[float], str] = number) -> str:
    """An interval: ``[0.1, 0.25]``."""
    return f"[{written(low)}, {written(high)}]"
