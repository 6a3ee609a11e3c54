"""Two networks on the same points: where they agree, and where only one of them errs.

Points are drawn unrotated and turned for each network by its own data set's matrix, so that
networks of different seeds are evaluated on the same points.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt

from simbias import tasks
from simbias._checks import fail, instance, whole
from simbias._keys import identity_key, key_of, stream
from simbias._pinned import pinned
from simbias._types import AnyArray, Params
from simbias.networks import Network
from simbias.parallel import devices_for, over_seeds, spread, stacked
from simbias.stats.binomial import clopper_pearson, paired_difference
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask, Tables, draw
from simbias.training.scores import margins
from simbias.training.stack import Stack
from simbias.validation.risk import CHUNK
from simbias.validation.sound import faults


class Paired(NamedTuple):
    """For each pair of networks, the points on which only one of them errs; arrays (pairs,).

    Counts are 0 where a network of the pair has a fault, so that estimates from them are NaN.
    """

    points: Int[np.ndarray, " pairs"]
    first_errs: Int[np.ndarray, " pairs"]
    second_errs: Int[np.ndarray, " pairs"]

    @property
    def agree(self) -> Int[np.ndarray, " pairs"]:
        """The number of points that both label alike."""
        agreed: Int[np.ndarray, " pairs"] = self.points - self.first_errs - self.second_errs
        return agreed

    def agreement(self, confidence: float) -> Estimate:
        """The proportion of points that both label alike, with its exact interval."""
        return clopper_pearson(self.agree, self.points, confidence)

    def difference(self, confidence: float) -> Estimate:
        """Risk of the first less risk of the second, on the same points."""
        return paired_difference(self.first_errs, self.second_errs, self.points, confidence)


class _Pair(NamedTuple):
    """The traced part of a pair."""

    key: UInt[AnyArray, " words"]
    tables: Tables
    rotations: Float[AnyArray, "two dim dim"]
    params: Params  # with a leading axis of 2


@pinned
def paired(first: Stack, second: Stack, *, points: int, task: BlockTask | None = None) -> Paired:
    """Compare the networks of two stacks in pairs, on the same fresh points.

    The points come from the certify stream of the first network of each pair.

    Args:
        first, second: stacks of equal length and architecture.
        points: number of points for each pair.
        task: the task to draw from; default: the task of the first stack.

    Raises:
        ValueError: stacks that do not match, or points < 1.
    """
    instance("first", first, Stack)
    instance("second", second, Stack)
    if len(first) != len(second) or first.cell.network != second.cell.network:
        arrived = f"{len(second)} x {second.cell.network.label}"
        raise fail("second", arrived, f"{len(first)} x {first.cell.network.label}, as the first")
    task = first.cell.block_task if task is None else task
    dims = {stack.cell.block_task.dim for stack in (first, second)}
    if dims != {task.dim}:
        raise fail("task", f"{task.dim} coordinates", f"{min(dims)}, as the networks")
    left_out = np.array(
        [
            bool(fault or other_fault)
            for fault, other_fault in zip(faults(first), faults(second), strict=True)
        ]
    )
    pairs = [_pair(first, second, i, task) for i in range(len(first))]
    total = np.zeros((len(pairs), 2), np.int64)
    devices = devices_for(len(pairs))
    for start in range(0, whole("points", points), CHUNK):
        rows = min(CHUNK, points - start)
        for i in range(0, len(pairs), len(devices)):
            members = pairs[i : i + len(devices)]
            program = _compiled(first.cell.network, rows, devices)
            errors = program(spread(members, devices), np.uint32(start // CHUNK))
            total[i : i + len(members)] += np.asarray(errors)[: len(members)]
    counts = Paired(np.full(len(pairs), points, np.int64), *total.T)
    return Paired(*(np.where(left_out, 0, part) for part in counts))


def _pair(first: Stack, second: Stack, i: int, task: BlockTask) -> _Pair:
    key = stream(identity_key(tasks.identity(task), first.seeds[i]), "certify")
    first_params, second_params = (
        jax.tree.map(lambda leaf: leaf[i], stack.params) for stack in (first, second)
    )
    return _Pair(
        key=np.asarray(jax.random.key_data(key)),
        tables=task.tables,
        rotations=np.stack([first.rotation[i], second.rotation[i]]),
        params=stacked([first_params, second_params]),
    )


@lru_cache
def _compiled(
    network: Network, rows: int, devices: tuple[jax.Device, ...]
) -> Callable[..., Int[Array, "pairs two"]]:
    def count_errors(pair: _Pair, chunk: UInt[Array, ""]) -> Int[Array, " two"]:
        key = jax.random.fold_in(key_of(pair.key), chunk)
        x, y = draw(pair.tables, key, rows)

        def correct(member: tuple[Params, Array]) -> Array:
            params, rotation = member
            return (margins(network, params, x @ rotation) > 0) == (y == 1)

        first_correct, second_correct = jax.lax.map(correct, (pair.params, pair.rotations))
        return jnp.stack(
            [(~first_correct & second_correct).sum(), (first_correct & ~second_correct).sum()]
        )

    return over_seeds(count_errors, devices)
