"""When two functions are one: by their code, so that closures of one definition are the same."""

from collections.abc import Callable
from functools import partial
from typing import Any


def same_code(function: Callable[..., Any] | None) -> Any:
    """What two functions of one definition have in common, and no others (hashable).

    What a closure holds is not looked at: whoever compares functions so has settings beside them
    that say it. A definition that was changed, as in a notebook, is another.
    """
    if isinstance(function, partial):
        return same_code(function.func), len(function.args), tuple(sorted(function.keywords))
    unwrapped = getattr(function, "__wrapped__", function)
    return getattr(unwrapped, "__code__", unwrapped)
