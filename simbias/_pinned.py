"""The settings under which everything is computed, whatever those of JAX and NumPy around it.

A draw depends on its seed and a trained number on its draws, never on a global flag: 64-bit
mode, another generator or faster products, set in the environment or by another library, would
give other numbers, and JAX's debugging aids would stop what is sound. So whatever draws, compiles
or computes is entered through ``pinned``; outside, settings stay as the user has them.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import wraps
from typing import Literal, ParamSpec, TypedDict, TypeVar

import jax
import numpy as np

from simbias._checks import fail
from simbias._devices import platform

GENERATOR = "threefry2x32"
PRODUCTS = "float32"  # of float32 matrices: accelerators would round their entries

# What can be set for a while, each a context of JAX with its value: what shapes numbers, then what
# would stop a sound computation.
_Setting = tuple[Callable[..., AbstractContextManager[object]], object]
_PINNED: list[_Setting] = [
    (jax.enable_x64, False),
    (jax.default_prng_impl, GENERATOR),
    (jax.threefry_partitionable, True),
    (jax.default_device, None),
    (jax.softmax_custom_jvp, False),
    (jax.disable_jit, False),
    (jax.debug_nans, False),
    (jax.debug_infs, False),
    (jax.debug_key_reuse, False),
    (jax.transfer_guard, "allow"),
]
# What cannot, and would give other numbers.
_REFUSED: dict[str, object] = {"jax_disable_most_optimizations": False}
# Flags of XLA under which infinities and NaN need not be noticed, or sums round otherwise.
_OTHERWISE = re.compile(
    r"--xla_\w*fast_math(=true|=1)?|--xla_backend_optimization_level=[012]", re.IGNORECASE
)

_Action = Literal["ignore", "warn"]


class _Arithmetic(TypedDict):
    divide: _Action
    over: _Action
    under: _Action
    invalid: _Action


_ARITHMETIC: _Arithmetic = {  # as NumPy has it by default
    "divide": "warn",
    "over": "warn",
    "under": "ignore",
    "invalid": "warn",
}
_NO_MESH = jax.sharding.Mesh(np.empty((), object), ())
_thread = threading.local()  # JAX's contexts are those of a thread

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def lenient() -> Iterator[None]:
    """Promotion of dtypes and ranks as JAX has it by default, for code that is not from here."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@contextmanager
def settings() -> Iterator[None]:
    """Compute under the settings of simbias, on this thread; within them, nothing more is done.

    Raises:
        ValueError: a setting that would change numbers and cannot be set aside, or a platform that
            JAX cannot start.
    """
    if getattr(_thread, "entered", False):
        yield
        return
    for name, sound in _REFUSED.items():
        if jax.config.values.get(name, sound) != sound:
            raise fail(name, jax.config.values[name], f"{sound}, as numbers hang on it")
    for flag in os.environ.get("XLA_FLAGS", "").split():
        if _OTHERWISE.fullmatch(flag):
            raise fail("XLA_FLAGS", flag, "flags that leave arithmetic as it is")
    # a CPU always multiplies so, and asking it to would only rule out its fastest products
    products: _Setting
    products = jax.default_matmul_precision, None if platform() == "cpu" else PRODUCTS
    with ExitStack() as entered:
        for setting, value in [*_PINNED, products]:
            entered.enter_context(setting(value))
        with suppress(ValueError):  # within a caller's program its mesh stays
            entered.enter_context(jax.set_mesh(_NO_MESH))
        entered.enter_context(np.errstate(**_ARITHMETIC))
        _thread.entered = True
        entered.callback(setattr, _thread, "entered", False)
        yield


def pinned(function: Callable[P, R]) -> Callable[P, R]:
    """The function, entered under ``settings``."""

    @wraps(function)
    def entered(*arguments: P.args, **options: P.kwargs) -> R:
        with settings():
            return function(*arguments, **options)

    return entered
