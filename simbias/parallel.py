"""Mapping a pure function over seeds, sharded over the devices and compiled as one program.

A device maps its seeds one after the other, or side by side under ``vmap``. The result of a seed
depends neither on the other seeds nor on the padding, so that a network is the same however the
work is divided.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar, cast

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from simbias._types import AnyArray, PyTree

Result = TypeVar("Result")
Devices = tuple[jax.Device, ...]

_SEEDS, _SHARED = PartitionSpec("seeds"), PartitionSpec()


def devices_for(seeds: int | None = None) -> Devices:
    """The devices over which some seeds are sharded, at most as many as seeds; default: all."""
    return tuple(jax.devices()[:seeds])


def over_seeds(
    function: Callable[..., Result],
    devices: Devices,
    *,
    vectorised: bool = False,
    compiler_options: Mapping[str, str] | None = None,
) -> Callable[..., Result]:
    """A compiled function of many seeds from a pure function of one.

    Args:
        function: takes the pytree of one seed, and any number of pytrees that all seeds share.
        devices: over which the seeds are sharded.
        vectorised: whether a device maps its seeds under ``vmap``, or one after the other.
        compiler_options: XLA's, by name.

    Returns:
        A function of the result of ``spread`` for the same devices, and of the shared pytrees;
        every leaf of its result has the seeds on its leading axis, padding included.
    """

    def of_seeds(own: PyTree, shared: tuple[PyTree, ...]) -> Result:
        def of_seed(own: PyTree) -> Result:
            return function(own, *shared)

        return jax.vmap(of_seed)(own) if vectorised else jax.lax.map(of_seed, own)

    mapped = jax.shard_map(
        of_seeds, mesh=_mesh(devices), in_specs=(_SEEDS, _SHARED), out_specs=_SEEDS, check_vma=False
    )

    def program(own: PyTree, *shared: PyTree) -> Result:
        return mapped(own, shared)

    options = None if compiler_options is None else dict(compiler_options)
    return jax.jit(program, compiler_options=options)


def spread(trees: Sequence[PyTree], devices: Devices, *, rows: int | None = None) -> PyTree:
    """Pytrees of one structure, one for each seed, stacked on an axis sharded over the devices.

    Args:
        trees: of NumPy arrays and numbers.
        devices: each holds equally many rows.
        rows: of the leading axis, a multiple of the devices; default: the least that holds all. The
            last of the trees fills them up.
    """
    rows = -(-len(trees) // len(devices)) * len(devices) if rows is None else rows
    spare = [trees[-1]] * (rows - len(trees))
    return jax.device_put(stacked([*trees, *spare]), NamedSharding(_mesh(devices), _SEEDS))


def shared(tree: PyTree, devices: Devices) -> PyTree:
    """A pytree that all seeds share, whole on each of the devices."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), _SHARED))


def compile_ahead(
    function: Callable[..., object],
    devices: Devices,
    own: PyTree,
    *whole: PyTree,
    rows: int | None = None,
) -> None:
    """Compile a function of ``over_seeds`` without data: what calls it next finds the program.

    Args:
        function: for the same devices.
        devices: over which the seeds are sharded.
        own: the pytree of one seed, of NumPy arrays or their shapes.
        *whole: the pytrees that all seeds share.
        rows: of the leading axis; default: one for each device.
    """
    sharding = NamedSharding(_mesh(devices), _SEEDS)

    def of_all(leaf: AnyArray) -> jax.ShapeDtypeStruct:
        shape = (len(devices) if rows is None else rows, *leaf.shape)
        return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)

    cast(jax.stages.Wrapped, function).lower(jax.tree.map(of_all, own), *whole).compile()


def stacked(trees: Sequence[PyTree]) -> PyTree:
    """Pytrees of one structure stacked on a leading axis (NumPy)."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@lru_cache
def _mesh(devices: Devices) -> Mesh:
    """The one-axis mesh over which seeds are sharded."""
    return jax.make_mesh((len(devices),), ("seeds",), axis_types=(AxisType.Auto,), devices=devices)
