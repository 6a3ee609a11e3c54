"""Inputs in which one coordinate is another: the reference for edits of what it is of.

A coordinate of a block task is a number of the input, so what a network says when that coordinate
alone is another is known exactly.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._types import AnyArray
from simbias.directions.activity import two_classes
from simbias.models.copies import Data
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel


def mirrored(values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Of a coordinate, the other sign."""
    return -values


def coverage_of(confidence: float) -> float:
    """The confidence, a number in (0, 1); raises ValueError."""
    return real("confidence", confidence, 0, 1, open_low=True, open_high=True)


def beside(learned: object, edited: Panel, data: Data) -> Panel:
    """The networks that were edited; raises ValueError where they are others."""
    classifiers = two_classes(panel(learned, data))
    if edited.seeds != classifiers.seeds:
        raise fail("edited", f"seeds {list(edited.seeds)}", f"{list(classifiers.seeds)}")
    return classifiers


def counterfactual(
    data: DataSet,
    x: Float[AnyArray, "rows dim"],
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    *,
    coordinate: int = 0,
) -> Float[np.ndarray, "rows dim"]:
    """Inputs in which one coordinate of the task is another number, and all else is left.

    An input is x = z R with the coordinates z and an orthogonal R, whose row r of the coordinate
    gives z = x rᵀ: so the changed input is x + (change(z) - z) r.

    Args:
        data: the data set whose inputs they are.
        x: inputs.
        change: of the coordinate; default: the other sign, which mirrors a linear coordinate.
        coordinate: index before rotation.

    Returns:
        Inputs, float32.

    Raises:
        ValueError: a task that is not made of coordinates, or a coordinate that it has not.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> other = simbias.directions.counterfactual(data, data.x)
        >>> before, after = data.x @ data.rotation.T, other @ data.rotation.T
        >>> bool(np.allclose(after[:, 0], -before[:, 0], atol=1e-5))
        True
        >>> bool(np.allclose(after[:, 1:], before[:, 1:], atol=1e-5))
        True
    """
    whole("coordinate", coordinate, least=0, most=data.block_task.dim - 1)
    inputs, row = np.asarray(x, np.float64), np.asarray(data.rotation[coordinate], np.float64)
    values = inputs @ row
    changed = inputs + (np.asarray(change(values)) - values)[:, None] * row
    return changed.astype(np.float32)
