"""The interface of an architecture, and architectures by name."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float, Key

from simbias._types import Params, Settings
from simbias.registry import NETWORKS


@runtime_checkable
class Network(Protocol):
    """An architecture: hashable settings, and pure functions on a pytree of parameters.

    One that is random in training, as with dropout, has ``apply_in_training(params, x, key)`` too.
    One whose hidden layers can be read has ``activations(params, x)``: a list of their values,
    each with a leading axis of rows, first layer first.

    Examples:
        A linear classifier as a user's own architecture:

        >>> from dataclasses import dataclass
        >>> import jax
        >>> import simbias
        >>> @dataclass(frozen=True)
        ... class Linear:
        ...     settings = {"name": "linear"}
        ...     label = "linear"
        ...
        ...     def init(self, key, shape, classes):
        ...         return {"kernel": jax.random.normal(key, (*shape, classes))}
        ...
        ...     def apply(self, params, x):
        ...         return x @ params["kernel"]
        ...
        ...     def update_flops(self, shape, classes):
        ...         return 6 * shape[0] * classes
        >>> isinstance(Linear(), simbias.networks.Network)
        True
    """

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

    def init(self, key: Key[Array, ""], shape: tuple[int, ...], classes: int) -> Params:
        """Random parameters for inputs of a shape (without the axis of rows)."""
        ...

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """The logits of each row, one for each class."""
        ...

    def update_flops(self, shape: tuple[int, ...], classes: int) -> int:
        """Floating-point operations of one row's forward and backward pass."""
        ...


def get(name: str, /, **settings: object) -> Network:
    """The architecture registered as ``name`` with the given settings; raises ValueError.

    Examples:
        >>> import simbias
        >>> simbias.networks.get("mlp", width=8)
        MLP(width=8, depth=1, activation='relu')
    """
    network: Network = NETWORKS.make(name, settings)
    return network
