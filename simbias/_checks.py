"""Argument checks that answer in one line: the argument, what arrived, what is allowed."""

import math
from collections.abc import Iterable
from difflib import get_close_matches
from operator import index
from typing import Any

_MOST_SHOWN = 200  # characters of what arrived


def fail(argument: str, arrived: object, allowed: str) -> ValueError:
    """The error to raise for a bad argument."""
    return ValueError(f"{argument}: got {shown(arrived)}, allowed: {allowed}")


def shown(value: object) -> str:
    """A value in one line that is not too long, whatever it is."""
    try:
        words = " ".join(repr(value).split())
    except Exception:  # an integer of too many digits, a nest, a class of someone else's
        return f"a {type(value).__name__} that cannot be shown"
    return words if len(words) <= _MOST_SHOWN else f"{words[: _MOST_SHOWN - 3]}..."


def whole(argument: str, value: Any, *, least: int = 1, most: int = 2**31 - 1) -> int:
    """``value`` as an int in [least, most]; raises ValueError."""
    try:
        number = index(value)
    except TypeError:  # an array of several integers has the method, but not the value
        raise fail(argument, value, f"an integer >= {least}") from None
    if isinstance(value, bool) or number < least:
        raise fail(argument, value, f"an integer >= {least}")
    if number > most:
        raise fail(argument, value, f"an integer in [{least}, {most}]")
    return number


def instance(argument: str, value: Any, kind: type) -> None:
    """Raise ValueError unless ``value`` is of a class."""
    if not isinstance(value, kind):
        raise fail(argument, value, f"a {kind.__name__}")


def real(
    argument: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """``value`` as a finite float in the interval; raises ValueError."""
    left = "(" if open_low or math.isinf(low) else "["
    right = ")" if open_high or math.isinf(high) else "]"
    allowed = f"a number in {left}{low:g}, {high:g}{right}"
    if isinstance(value, bool | str | bytes) or getattr(value, "shape", ()) != ():
        raise fail(argument, value, allowed)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise fail(argument, value, allowed) from None
    inside = (low < number if open_low else low <= number) and (
        number < high if open_high else number <= high
    )
    if not inside or not math.isfinite(number):
        raise fail(argument, value, allowed)
    return number


def known(argument: str, name: object, names: Iterable[str]) -> str:
    """``name`` if it is one of ``names``; otherwise a ValueError that offers the nearest."""
    names = list(names)
    if isinstance(name, str) and name in names:
        return name
    words = name[:80].lower() if isinstance(name, str) else ""
    near = get_close_matches(words, names, n=3, cutoff=0.5)
    raise ValueError(
        f"{argument}: unknown name {shown(name)}"
        + (f", nearest: {', '.join(near)}" if near else f", known: {', '.join(sorted(names))}")
    )
