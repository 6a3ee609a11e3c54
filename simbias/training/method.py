"""The interface of a training algorithm: a pair of pure functions and its settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Float

from simbias._types import Params

Batch = tuple[Array, Array]
Loss = Callable[[Params, Batch], Float[Array, ""]]
Hyper = dict[str, Any]  # the settings by name, as traced scalars inside a compiled program


@dataclass(frozen=True)
class Method:
    """A training algorithm.

    Settings are passed to the functions as traced scalars, so that changing one does not compile
    anew; a method whose structure changes is another pair of functions.

    Attributes:
        name: the registered name.
        settings: hyper-parameters, sorted pairs of name and number.
        init: (hyper, params) -> state, a pytree of arrays.
        step: (hyper, loss, params, state, batch) -> (params, state); one update.
    """

    name: str
    settings: tuple[tuple[str, float], ...]
    init: Callable[[Hyper, Params], Any]
    step: Callable[[Hyper, Loss, Params, Any, Batch], tuple[Params, Any]]
