"""Argument checks: errors are one line with the argument, its value and the allowed values."""

import errno
import math
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import accumulate
from operator import index
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, TypeVar

Kind = TypeVar("Kind")

_MOST = 2**31 - 1  # what 32 bits hold
_MOST_SHOWN = 200  # characters of what arrived
_MOST_NAMES, _MOST_LETTERS = 30, 600  # of those that are known
_WORDS = {
    str: "a string", int: "an integer", float: "a number", dict: "a table", list: "an array",
}  # fmt: skip


class NotInstalled(ValueError):
    """What is asked for needs a library that is missing."""


def fail(argument: str, arrived: object, allowed: str) -> ValueError:
    """The error to raise for a bad argument."""
    return ValueError(f"{argument}: got {shown(arrived)}, allowed: {allowed}")


def shown(value: object) -> str:
    """A value in one line that is not too long, whatever it is."""
    try:
        words = " ".join(repr(value).split())
    except Exception:  # an integer of too many digits, a nest, a class of someone else's
        return f"{_one(type(value))} that cannot be shown"
    return words if len(words) <= _MOST_SHOWN else f"{words[: _MOST_SHOWN - 3]}..."


def _one(kind: type) -> str:
    """A class by its name, with the article that is spoken before it."""
    vowel = kind.__name__[0] in "AEIOaeio"  # a u is spoken as in Unit
    return f"{'an' if vowel else 'a'} {kind.__name__}"


def whole(argument: str, value: object, *, least: int = 1, most: int = _MOST) -> int:
    """``value`` as an int in [least, most]; raises ValueError."""
    try:
        # numbers of Python first: whether a class follows a protocol is looked up at length
        number = index(value) if isinstance(value, int | SupportsIndex) else least - 1
    except TypeError:  # an array of several integers has the method, but not the value
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        usual = most == _MOST and number <= most
        allowed = f">= {least}" if usual else f"in [{least}, {most}]"
        raise fail(argument, value, f"an integer {allowed}")
    return number


def instance(argument: str, value: object, kind: type) -> None:
    """Raise ValueError unless ``value`` is of a class."""
    if not isinstance(value, kind):
        raise fail(argument, value, _one(kind))


def each(argument: str, values: object, kind: type[Kind]) -> list[Kind]:
    """The members of a collection, all of a class; raises ValueError."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise fail(argument, values, f"a list, each {_one(kind)}")
    members = list(values)
    for member in members:
        instance(argument, member, kind)
    return members


def place(argument: str, value: object) -> Path:
    """``value`` as a path; raises ValueError."""
    if not isinstance(value, str | Path) or str(value) == "" or "\0" in str(value):
        raise fail(argument, value, "a path, of at least one character")
    try:
        os.lstat(value)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise fail(argument, value, "a shorter path") from None
    return Path(value)


def real(
    argument: str,
    value: object,
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
    if isinstance(value, bool) or getattr(value, "shape", ()) != ():
        raise fail(argument, value, allowed)
    if not isinstance(value, float | int | SupportsFloat | SupportsIndex):
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
    ends = accumulate(len(each_name) + 2 for each_name in sorted(names))  # in the list
    count = min(sum(end <= _MOST_LETTERS for end in ends), _MOST_NAMES)
    more = f" and {len(names) - count} more" * (len(names) > count)
    listed = f", known: {', '.join(sorted(names)[:count])}{more}"
    raise ValueError(
        f"{argument}: unknown name {shown(name)}"
        + (f", nearest: {', '.join(near)}" if near else listed)
    )


def check_keys(
    place: str,
    table: object,
    required: Mapping[str, type],
    optional: Mapping[str, type | None] | None = None,
    *,
    lists: bool = False,
) -> None:
    """Raise ValueError for unknown or missing keys and wrong types.

    Args:
        place: where the table stands in its file.
        table: what stands there.
        required, optional: the type of each key's value; None: any.
        lists: an array may stand for a number; its members are checked where they are read.
    """
    if not isinstance(table, dict):
        raise fail(place, table, "a table")
    allowed = dict(required) | dict(optional or {})
    for key in table:
        known(f"{place}: key", key, allowed)
    for key in required:
        if key not in table:
            raise ValueError(f"{place}: key {key!r} is missing")
    for key, value in table.items():
        kind = allowed[key]
        if kind is None or (lists and kind in (int, float) and isinstance(value, list)):
            continue
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or isinstance(value, bool):
            raise fail(f"{place}: {key}", value, _WORDS[kind])
