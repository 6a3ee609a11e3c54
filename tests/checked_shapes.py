"""What the tests run the package under: each array of a signature has the shape and dtype it says.

jaxtyping's import hook decorates each function and dataclass of the package; beartype checks what
is handed over and what comes back. What is not checked, and why:

- annotations that say no shape: mypy reads them, and what a caller gets wrong there is for the
  package's own errors to say;
- a call in which a test itself hands over something else, on purpose or in short: what the package
  then refuses it refuses in its own words;
- calls of one function beyond the first ``MOST`` of a test, with all that they call: a check takes
  as long as a small sum;
- functions within functions: each call would make their checks anew, which takes milliseconds;
- fields of named tuples: JAX fills them with whatever it maps over;
- elements of ``Params`` and ``PyTree``, and of what ``Any`` stands for (``simbias/_types.py``);
- processes that a test starts: they run the package as a user does.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, TypeCheckError, install_import_hook, jaxtyped

_TESTS = str(Path(__file__).parent)
MOST = 5
# an integer is a float, as for mypy (PEP 484)
number_tower = beartype(conf=BeartypeConf(is_pep484_tower=True))
calls: Counter[object] = Counter()  # of each function in this test
_aside = False  # within a call that is not checked


def says_shape(hint: object) -> bool:
    """Whether an annotation says the shape of an array."""
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return get_origin(hint) is not Callable and any(map(says_shape, get_args(hint)))


def arrays_only(function):
    """beartype's check of the annotations that say shapes."""
    hints = {name: hint for name, hint in function.__annotations__.items() if says_shape(hint)}
    function.__annotations__ = hints
    return number_tower(function) if hints else function


def checked(function, /):
    """The function, under the check where its signature says shapes."""
    if isinstance(function, property):
        return property(*map(checked, (function.fget, function.fset, function.fdel)))
    if isinstance(function, classmethod | staticmethod):
        return type(function)(checked(function.__func__))
    if inspect.isclass(function):
        if is_dataclass(function):
            function.__init__ = checked(function.__init__)
        return function
    if function is None or "<locals>" in function.__qualname__:
        return function
    if not any(map(says_shape, getattr(function, "__annotations__", {}).values())):
        return function

    @cache
    def strict():  # takes milliseconds: not before the function is called
        return jaxtyped(function, typechecker=arrays_only)

    @wraps(function)
    def entered(*arguments: Any, **options: Any) -> Any:
        if _aside:
            return function(*arguments, **options)
        if calls[function] >= MOST:
            return _set_aside(function, arguments, options)
        calls[function] += 1
        try:
            return strict()(*arguments, **options)
        except TypeCheckError as error:
            first = not hasattr(error, "seen")  # not that of a function called from this one
            error.seen = True
            if not first or "checking the parameters of" not in str(error):
                raise
            if _by_a_test():
                return _set_aside(function, arguments, options)
            try:
                _set_aside(function, arguments, options)
            except ValueError:  # it is refused, in the function's own words
                raise
            except Exception:
                pass
            raise

    return entered


def _by_a_test() -> bool:
    """Whether a test, not the package, has called a checked function, be it by way of JAX."""
    frame = sys._getframe(2)
    while frame is not None:
        name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
        if name.split(".")[0] == "simbias" and name != "simbias._pinned":
            return False
        if file.startswith(_TESTS) and file != __file__:
            return True
        frame = frame.f_back
    return False


def _set_aside(function, arguments, options):
    global _aside
    _aside = True
    try:
        return function(*arguments, **options)
    finally:
        _aside = False


def install() -> None:
    """Check the arrays of what is imported from the package from here on."""
    jaxtyping.jaxtyped = lambda typechecker: checked  # with which the hook decorates
    install_import_hook("simbias", "beartype.beartype")
