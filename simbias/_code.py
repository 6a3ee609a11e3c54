"""Equality of functions by their code, so that closures of one definition are the same."""

from collections.abc import Callable, Hashable
from functools import partial
from inspect import unwrap


def same_code(function: Callable[..., object] | None) -> Hashable:
    """A hashable value that two functions have in common if they are of one definition.

    What a closure holds is not compared: the caller compares settings beside the functions. A
    definition that was changed, as in a notebook, is another. Of a partial function, functions
    among its arguments are compared too.
    """
    if isinstance(function, partial):
        given = [*enumerate(function.args), *sorted(function.keywords.items())]
        held = tuple((name, same_code(v) if callable(v) else None) for name, v in given)
        return same_code(function.func), held
    unwrapped = unwrap(function) if callable(function) else function
    code: Hashable = getattr(unwrapped, "__code__", unwrapped)
    return code
