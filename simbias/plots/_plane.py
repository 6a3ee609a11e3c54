"""What a classifier says on a plane of the unrotated space, over contexts from the task's law.

A point of the plane fixes two coordinates; a context is a draw of the others. Both are turned into
inputs, so that any classifier of inputs can be asked.
"""

import numpy as np
from jaxtyping import Float, Int

from simbias.models.classifier import Classifier, labels
from simbias.tasks.block_task import BlockTask

_ROWS = 2**15  # inputs of one call: memory is flat in the resolution and in the contexts
_NORMAL_REACH = 3.0  # standard deviations of a normal coordinate that are shown
_PAD = 0.1  # of the half-width, on either side


def label_rows(classify: Classifier, x: Float[np.ndarray, "rows dim"]) -> Int[np.ndarray, " rows"]:
    """The classifier's labels, asked in blocks of one shape.

    Args:
        classify: what is asked.
        x: inputs.

    Raises:
        ValueError: an answer that is none.
    """
    found = np.empty(len(x), np.int64)
    for start in range(0, len(x), _ROWS):
        block = x[start : start + _ROWS]
        spare = _ROWS - len(block) if start else 0
        asked = np.concatenate([block, x[:spare]]) if spare else block
        found[start : start + len(block)] = labels(classify, asked)[: len(block)]
    return found


def share_positive(
    classify: Classifier,
    rotation: Float[np.ndarray, "dim dim"],
    coordinates: tuple[int, int],
    across: Float[np.ndarray, " columns"],
    up: Float[np.ndarray, " rows"],
    contexts: Float[np.ndarray, "contexts dim"],
) -> Float[np.ndarray, "rows columns"]:
    """The share of contexts in which the classifier says 1, at each point of a grid.

    Every point meets the same contexts, so that differences between points are the classifier's
    and not those of the draws.

    Args:
        classify: what is asked.
        rotation: the matrix that turns unrotated points into inputs.
        coordinates: the horizontal and the vertical coordinate.
        across: horizontal positions, input units.
        up: vertical positions, input units.
        contexts: unrotated points; their two coordinates of the plane are not used.

    Raises:
        ValueError: the classifier's answer is none.
    """
    rotation = np.asarray(rotation, np.float32)
    others = np.array(contexts, np.float32)
    others[:, list(coordinates)] = 0
    base = others @ rotation
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(np.float32)
    offset = grid @ rotation[list(coordinates)]
    share = np.empty(len(grid))
    step = max(1, _ROWS // len(base))
    for start in range(0, len(grid), step):
        block = offset[start : start + step]
        x = (block[:, None, :] + base[None, :, :]).reshape(-1, base.shape[1])
        said = label_rows(classify, _filled(x, step * len(base)))[: len(x)]
        share[start : start + len(block)] = said.reshape(len(block), -1).mean(axis=1)
    return share.reshape(len(up), len(across))


def _filled(x: Float[np.ndarray, "rows dim"], rows: int) -> Float[np.ndarray, "filled dim"]:
    """``x`` with zero rows at its end: one shape a figure is one compilation."""
    return np.concatenate([x, np.zeros((rows - len(x), x.shape[1]), x.dtype)])


def limits(
    task: BlockTask, coordinate: int, seen: Float[np.ndarray, " rows"]
) -> tuple[float, float]:
    """An interval that holds a coordinate's law and the values seen, and a little more."""
    block = task.blocks[coordinate]
    ends = [end for law in block.laws for piece in law for end in piece[:2]]
    ends = ends or [-_NORMAL_REACH, _NORMAL_REACH]
    low, high = min([*ends, *seen]), max([*ends, *seen])
    pad = _PAD * (high - low) / 2
    return float(low - pad), float(high + pad)
