"""Contexts of a plane: draws of the other coordinates given a label, and the slab coordinates."""

from collections.abc import Sequence
from itertools import islice

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt

from simbias._checks import each, fail, whole
from simbias._keys import own_key, split_words, uniform
from simbias._pinned import pinned
from simbias.models.panel import Panel, panel
from simbias.tasks import BlockTask
from simbias.tasks.block_task import quantile
from simbias.tasks.blocks import Block
from simbias.tasks.oracle import achievable_rule, decided
from simbias.training.stack import Stack
from simbias.validation.cuts import side


@pinned
def draw_given(
    task: BlockTask, key: Key[Array, ""], y: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows dim"]:
    """Unrotated draws given labels (float64)."""
    return _given(task, np.asarray(jax.random.key_data(own_key(key))), y)


def _given(
    task: BlockTask, words: UInt[np.ndarray, " words"], y: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, "rows dim"]:
    numbers = uniform(split_words(words)[0], (len(y), task.dim))  # those of ``draw_uniforms``
    return np.array(_quantile(task.tables, numbers, y.astype(np.int32)), np.float64)


_quantile = jax.jit(quantile)


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
    task, words = classifiers.block_task, classifiers.data[i].words("context")
    words_x, words_position = split_words(words)
    x = _given(task, words_x, np.arange(contexts) % 2)
    gaps = np.array(_margins(task.blocks[simple]))
    ends = np.append(0, np.cumsum(np.diff(gaps)))
    position = uniform(words_position, (contexts,)).astype(np.float64) * ends[-1]
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
