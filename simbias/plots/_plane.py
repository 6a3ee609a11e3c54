"""The labels of a classifier on a plane of the unrotated space, over contexts from the task's law.

A point of the plane fixes two coordinates; a context is a draw of the others. Both are turned into
inputs, so that any classifier of inputs can label them.
"""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simbias._checks import fail, whole
from simbias._pinned import lenient, pinned
from simbias._types import PyTree
from simbias.models import DataSet, classifier
from simbias.models.classifier import Classifier, labels
from simbias.tasks import BlockTask, Points, Task
from simbias.tasks.task import numbers_of

_ROWS = 2**15  # inputs of one call: memory is flat in the resolution and in the contexts
_NORMAL_REACH = 3.0  # standard deviations of a normal coordinate that are shown
_PAD = 0.1  # of the half-width, on either side


def plane(task: Task, coordinates: tuple[int, int]) -> tuple[int, int]:
    """Two different coordinates of the task; raises ValueError."""
    pair, dim = tuple(whole("coordinates", j, least=0) for j in coordinates), numbers_of(task)
    if len(pair) != 2 or pair[0] == pair[1] or max(pair) >= dim:
        raise fail("coordinates", coordinates, f"two different integers in [0, {dim})")
    return pair[0], pair[1]


def label_rows(
    classify: Classifier, x: Float[np.ndarray, "rows *shape"]
) -> Int[np.ndarray, " rows"]:
    """The classifier's labels, computed in blocks of one shape.

    Args:
        classify: the classifier.
        x: inputs.

    Raises:
        ValueError: answers that are no labels.
    """
    answers = np.empty(len(x), np.int64)
    for start in range(0, len(x), _ROWS):
        block = x[start : start + _ROWS]
        spare = _ROWS - len(block) if start else 0
        padded = np.concatenate([block, x[:spare]]) if spare else block
        answers[start : start + len(block)] = labels(classify, padded)[: len(block)]
    return answers


def class_proportions(
    classify: Classifier,
    task: Task,
    rotation: Float[np.ndarray, "turned turned"],
    coordinates: tuple[int, int],
    across: Float[np.ndarray, " columns"],
    up: Float[np.ndarray, " rows"],
    contexts: Float[np.ndarray, "contexts dim"],
) -> Float[np.ndarray, "classes rows columns"]:
    """The proportion of contexts with each label of the classifier, at each point of a grid.

    Every point meets the same contexts, so that differences between points are the classifier's
    and not those of the draws.

    Args:
        classify: the classifier.
        task: gives the shape of an input and the number of classes.
        rotation: the matrix that turns unrotated points into inputs; of no rows: they are inputs.
        coordinates: the horizontal and the vertical coordinate.
        across: horizontal positions, input units.
        up: vertical positions, input units.
        contexts: unrotated points; their two coordinates of the plane are not used.

    Raises:
        ValueError: answers that are no labels of the task.
    """
    rotation, classes = np.asarray(rotation, np.float32), task.classes
    others = np.array(contexts, np.float32)
    others[:, list(coordinates)] = 0
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(np.float32)
    if len(rotation):
        base, offset = others @ rotation, grid @ rotation[list(coordinates)]
    else:
        base, offset = others, np.zeros((len(grid), others.shape[1]), np.float32)
        offset[:, list(coordinates)] = grid
    proportion = np.empty((classes, len(grid)))
    step = max(1, _ROWS // len(base))
    for start in range(0, len(grid), step):
        block = offset[start : start + step]
        x = _filled(
            (block[:, None, :] + base[None, :, :]).reshape(-1, base.shape[1]), step * len(base)
        )
        label = label_rows(classify, x.reshape(-1, *task.shape))[: len(block) * len(base)]
        if label.max() >= classes:
            raise fail("classifier", f"label {label.max()}", f"labels in [0, {classes - 1}]")
        cell = np.arange(len(block)).repeat(len(base)) * classes + label
        count = np.bincount(cell, minlength=len(block) * classes).reshape(-1, classes)
        proportion[:, start : start + len(block)] = count.T / len(base)
    return proportion.reshape(classes, len(up), len(across))


def _filled(x: Float[np.ndarray, "rows dim"], rows: int) -> Float[np.ndarray, "filled dim"]:
    """``x`` with zero rows at its end: one shape for a figure is one compilation."""
    return np.concatenate([x, np.zeros((rows - len(x), x.shape[1]), x.dtype)])


def limits(task: Task, coordinate: int, seen: Float[np.ndarray, " rows"]) -> tuple[float, float]:
    """An interval that holds the values seen, a coordinate's law where known, and a little more."""
    ends: list[float] = []
    if isinstance(task, BlockTask):
        laws = task.blocks[coordinate].laws
        ends = [end for law in laws for piece in law for end in piece[:2]]
        ends = ends or [-_NORMAL_REACH, _NORMAL_REACH]
    low, high = min([*ends, *seen]), max([*ends, *seen])
    # a coordinate that never varies, such as a corner of a picture, has a plane all the same
    pad = _PAD * (high - low) / 2 or 1.0
    return float(low - pad), float(high + pad)


@pinned
def context_points(data: DataSet, contexts: int) -> Float[np.ndarray, "contexts dim"]:
    """At most ``contexts`` fresh unrotated points: a task of given points may have fewer."""
    task, rotation = data.task, np.asarray(data.rotation)
    rows = min(contexts, getattr(task, "most", {}).get("select", contexts))
    x = np.asarray(_drawn(task.draw, rows, data.stream("context"), data.law).x)
    x = x.reshape(rows, -1)
    return x @ rotation.T if len(rotation) else x


@partial(jax.jit, static_argnums=(0, 1))
def _drawn(draw: Callable[..., Points], rows: int, key: Key[Array, ""], law: PyTree) -> Points:
    with lenient():
        return draw(law, key, "select", rows)


def achievable_labels(
    task: Task,
    coordinates: tuple[int, int],
    across: Float[np.ndarray, " columns"],
    up: Float[np.ndarray, " rows"],
    contexts: Float[np.ndarray, "contexts dim"],
) -> Int[np.ndarray, "rows columns"] | None:
    """The labels of the task's rule in the plane; None where contexts change them, or no rule."""
    rule = getattr(task, "achievable_rule", None)
    if rule is None:
        return None
    classify = classifier(rule, classes=task.classes)
    proportion = class_proportions(
        classify, task, np.zeros((0, 0)), coordinates, across, up, contexts
    )
    return proportion.argmax(axis=0) if (proportion.max(axis=0) == 1).all() else None
