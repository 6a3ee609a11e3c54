"""The least that a compiled program needs of a network: scores of a batch."""

from typing import Protocol

from jaxtyping import Array, Float

from simbias._types import Params


class Scorer(Protocol):
    """The part of a classifier that is compiled in: hashable, with a pure function."""

    def __hash__(self) -> int:
        """Equal settings, equal hash: compiled programs are looked up by it."""
        ...

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        ...

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """Scores of each row, whatever else is in the batch."""
        ...
