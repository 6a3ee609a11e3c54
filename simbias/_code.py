"""When two functions are one: by their code, so that closures of one definition are the same."""

from collections.abc import Callable, Hashable
from functools import partial
from inspect import unwrap


def same_code(function: Callable[..., object] | None) -> Hashable:
    """What two functions of one definition have in common, and no others (hashable).

    What a closure holds is not looked at: whoever compares functions so has settings beside them
    that say it. A definition that was changed, as in a notebook, is another.
    """
    if isinstance(function, partial):
        return same_code(function.func), len(function.args), tuple(sorted(function.keywords))
    unwrapped = unwrap(function) if callable(function) else function
    code: Hashable = getattr(unwrapped, "__code__", unwrapped)
    return code
