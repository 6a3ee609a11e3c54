"""The interface of an architecture."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float, Key

from simbias._types import Params, Settings


@runtime_checkable
class Network(Protocol):
    """An architecture: hashable settings, and two pure functions on a pytree of parameters."""

    def __hash__(self) -> int:
        """Equal settings, equal hash: compiled programs are looked up by architecture."""
        ...

    @property
    def settings(self) -> Settings:
        """The values that identify it; ``name`` is the registered name."""
        ...

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        ...

    def init(self, key: Key[Array, ""], dim: int) -> Params:
        """Random parameters for inputs of ``dim`` coordinates."""
        ...

    def apply(self, params: Params, x: Float[Array, "rows dim"]) -> Float[Array, "rows classes"]:
        """Two logits a row."""
        ...

    def update_flops(self, dim: int) -> int:
        """Floating-point operations of one row's forward and backward pass."""
        ...
