"""Contexts of a plane: draws of the other coordinates given a label, and the slab coordinates."""

from collections.abc import Sequence
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simbias._checks import each, fail, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias.models.panel import Panel, panel
from simbias.tasks import BlockTask
from simbias.tasks.block_task import Tables, draw_uniforms, quantile
from simbias.tasks.blocks import Block
from simbias.tasks.oracle import achievable_rule, decided
from simbias.training.stack import Stack
from simbias.validation.cuts import side


@pinned
def draw_given(
    task: BlockTask, key: Key[Array, ""], y: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows dim"]:
    """Unrotated draws given labels (float64)."""
    return np.array(_given(task.tables, own_key(key), jnp.asarray(y, jnp.int32)), np.float64)


@jax.jit
def _given(tables: Tables, key: Key[Array, ""], y: Int[Array, " rows"]) -> Array:
    return quantile(tables, draw_uniforms(tables, key, len(y))[0], y)


def slab_coordinates(
    task: BlockTask, coordinates: Sequence[int] | None, most: int = 4
) -> list[int]:
    """Coordinates outside the simple set that attain the Bayes risk: those given, or the first.

    Raises:
        ValueError: no coordinates, one twice, or one that does not attain it.
    """
    outside = task.others
    if coordinates is None:
        return list(islice((j for j in outside if _attains(task, j)), most))
    chosen = [whole("coordinates", j, least=0) for j in each("coordinates", coordinates, object)]
    distinct = bool(chosen) and len(set(chosen)) == len(chosen)
    if not distinct or not all(j in outside and _attains(task, j) for j in chosen):
        allowed = "distinct coordinates outside the simple set that attain the Bayes risk"
        raise fail("coordinates", chosen, allowed)
    return chosen


def _attains(task: BlockTask, coordinate: int) -> bool:
    try:
        return achievable_rule(task, coordinate).coordinate == coordinate
    except ValueError:
        return False


@pinned
def draw_lines(
    learned: Stack | Panel, i: int, simple: int, contexts: int
) -> Float[np.ndarray, "contexts dim"]:
    """The contexts of a data set, with the simple coordinate anywhere in its margin."""
    classifiers = panel(learned)
    task, key = classifiers.block_task, classifiers.data[i].stream("context")
    key_x, key_position = jax.random.split(key)
    x = draw_given(task, key_x, np.arange(contexts) % 2)
    gaps = np.array(_margins(task.blocks[simple]))
    ends = np.append(0, np.cumsum(np.diff(gaps)))
    position = np.asarray(jax.random.uniform(key_position, (contexts,)), np.float64) * ends[-1]
    gap = np.searchsorted(ends[1:-1], position, side="right")
    x[:, simple] = gaps[gap, 0] + position - ends[gap]
    return x


def _margins(block: Block) -> list[tuple[float, float]]:
    """The intervals of a support on which no label is likelier: its margins.

    The whole support where no label is likelier anywhere; the points at which the label changes
    where one is likelier everywhere.
    """
    low, high = side(block)
    parts = decided(block)
    ends = [low, *(end for part in parts for end in part[:2]), high]
    stretches = list(zip(ends[::2], ends[1::2], strict=True))
    return [stretch for stretch in stretches if stretch[0] < stretch[1]] or stretches[1:-1]
