"""One way to map a pure function over seeds: laid over the devices, compiled as one program.

A device maps its seeds one after the other, or side by side under ``vmap``. What is made of one
seed hangs neither on the others nor on what fills the devices up, so that a network is the same
however the work is divided.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from simbias._types import PyTree

Result = TypeVar("Result")
Devices = tuple[jax.Device, ...]

_SEEDS, _SHARED = PartitionSpec("seeds"), PartitionSpec()


def devices_for(seeds: int | None = None) -> Devices:
    """The devices that so many seeds are laid over, no more of them than seeds; default: all."""
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
        function: takes a pytree of one seed's, and any number of pytrees that all seeds share.
        devices: over which the seeds are laid.
        vectorised: whether a device maps its seeds under ``vmap``, or one after the other.
        compiler_options: XLA's, by name.

    Returns:
        A function of what ``spread`` gives for the same devices, and of the shared pytrees; every
        leaf of its result has the seeds on its leading axis, rows that fill up included.
    """

    def several(own: PyTree, shared: tuple[PyTree, ...]) -> Result:
        def one(own: PyTree) -> Result:
            return function(own, *shared)

        return jax.vmap(one)(own) if vectorised else jax.lax.map(one, own)

    mapped = jax.shard_map(
        several,
        mesh=_mesh(devices),
        in_specs=(_SEEDS, _SHARED),
        out_specs=_SEEDS,
        check_vma=False,
    )

    def program(own: PyTree, *shared: PyTree) -> Result:
        return mapped(own, shared)

    options = None if compiler_options is None else dict(compiler_options)
    return jax.jit(program, compiler_options=options)


def spread(
    trees: Sequence[PyTree], devices: Devices, *, rows: int | None = None, filler: PyTree = None
) -> PyTree:
    """Pytrees of one structure, a seed's each, as one whose leading axis is laid over the devices.

    Args:
        trees: of NumPy arrays and numbers.
        devices: each takes as many rows as every other.
        rows: of the leading axis, a multiple of the devices; default: the least that holds all.
        filler: what stands in rows without a tree; default: the last of the trees.
    """
    rows = -(-len(trees) // len(devices)) * len(devices) if rows is None else rows
    spare = [trees[-1] if filler is None else filler] * (rows - len(trees))
    return jax.device_put(stacked([*trees, *spare]), NamedSharding(_mesh(devices), _SEEDS))


def stacked(trees: Sequence[PyTree]) -> PyTree:
    """Pytrees of one structure as one, with a leading axis (NumPy)."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@lru_cache
def _mesh(devices: Devices) -> Mesh:
    """The one-axis mesh over which seeds are laid."""
    return jax.make_mesh((len(devices),), ("seeds",), axis_types=(AxisType.Auto,), devices=devices)
