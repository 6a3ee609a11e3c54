"""A flax nnx module as an architecture: split once into pure functions of its parameters."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from simbias._checks import fail, instance, whole
from simbias._code import same_code
from simbias._keys import own_key, seed_key
from simbias._pinned import pinned
from simbias._types import Params, PyTree, Settings


@dataclass(frozen=True, eq=False)
class Module:
    """Any nnx module that maps inputs (rows, *shape) to logits (rows, classes).

    It is trained with its dropout and evaluated without; a module with other state, such as the
    running means of batch normalisation, is refused.

    Args:
        name: a name; modules of equal name, settings and code are one architecture.
        make: (shape, classes, rngs) -> module.
        classes: number of logits.
        options: further settings of ``make``, as plain data: part of its identity.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import jax
        >>> from flax import nnx
        >>> import simbias
        >>> class Linear(nnx.Module):
        ...     def __init__(self, shape, classes, rngs):
        ...         self.logits = nnx.Linear(*shape, classes, rngs=rngs)
        ...
        ...     def __call__(self, x):
        ...         return self.logits(x)
        >>> net = simbias.networks.Module("linear", Linear)
        >>> params = net.init(jax.random.key(0), (4,), 2)
        >>> net.apply(params, jax.numpy.ones((3, 4))).shape
        (3, 2)
    """

    name: str
    make: Callable[..., nnx.Module]
    classes: int = 2
    options: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        instance("name", self.name, str)
        if not callable(self.make):
            raise fail("make", self.make, "a function (shape, classes, rngs) -> module")
        object.__setattr__(self, "classes", whole("classes", self.classes, least=2))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Module) and self._known_by == other._known_by

    def __hash__(self) -> int:
        return hash(self._known_by)

    @property
    def _known_by(self) -> Hashable:
        return self.name, self.classes, self.options, same_code(self.make)

    @property
    def settings(self) -> Settings:
        """The values that identify the architecture."""
        return {"name": self.name, "classes": self.classes, **dict(self.options)}

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        options = ",".join(f"{name} {value}" for name, value in self.options)
        return f"{self.name}({options})" if options else self.name

    @pinned
    def init(self, key: Key[Array, ""], shape: tuple[int, ...], classes: int) -> Params:
        """Random parameters; raises ValueError for a task of another number of classes."""
        if classes != self.classes:
            raise fail(f"network {self.name}: classes", self.classes, f"{classes}, as the task has")
        rngs = nnx.Rngs(params=own_key(key), dropout=0)
        return nnx.to_pure_dict(nnx.state(self.make(shape, classes, rngs), nnx.Param))

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """The logits of a batch, without dropout (pure)."""
        return self._logits(params, x, None)

    def apply_in_training(
        self, params: Params, x: Float[Array, "rows *shape"], key: Key[Array, ""]
    ) -> Float[Array, "rows classes"]:
        """The logits of a batch with dropout drawn from the key (pure)."""
        return self._logits(params, x, key)

    def _logits(
        self, params: Params, x: Float[Array, "rows *shape"], key: Key[Array, ""] | None
    ) -> Float[Array, "rows classes"]:
        graph, shapes, streams = _split(self, x.shape[1:], key is not None)
        state = jax.tree.map(lambda shape: shape, shapes)  # a copy to fill
        nnx.replace_by_pure_dict(state, params)
        dropout_key = seed_key(0) if key is None else key
        module = nnx.merge(graph, state, jax.tree.map(partial(_restarted, dropout_key), streams))
        logits: Float[Array, "rows classes"] = module(x)
        return logits

    def update_flops(self, shape: tuple[int, ...], classes: int) -> int:
        """Floating-point operations of one point's update: three times a forward pass."""
        params = jax.eval_shape(lambda key: self.init(key, shape, classes), seed_key(0))
        x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        cost = jax.jit(self.apply).lower(params, x).cost_analysis() or {}
        return int(3 * cost.get("flops", 0))


@lru_cache
def _split(
    network: Module, shape: tuple[int, ...], training: bool
) -> tuple[PyTree, PyTree, PyTree]:
    """The module's structure, with shapes in place of parameters."""

    def build() -> nnx.Module:
        module = network.make(shape, network.classes, nnx.Rngs(params=0, dropout=0))
        module.train() if training else module.eval()
        return module

    parts: tuple[PyTree, ...] = nnx.split(nnx.eval_shape(build), nnx.Param, ...)
    graph, params, rest = parts
    extra = [path for path, leaf in nnx.to_flat_state(rest) if not isinstance(leaf, nnx.RngState)]
    if extra:
        raise fail(f"network {network.name}", f"a module that keeps {extra[0]}", "parameters only")
    return graph, params, rest


def _restarted(key: Key[Array, ""], leaf: Array) -> Array:
    """A random stream's state at its beginning: its key, or its count of draws."""
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return key if is_key else jnp.zeros(leaf.shape, leaf.dtype)
