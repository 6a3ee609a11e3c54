"""What an intervention does beside what changing the input itself does.

A coordinate of a block task is a number of the input, so what a network says when that coordinate
alone is another is known exactly: the reference for edits that are to change what it is of.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.directions.activity import POINTS, fresh_points, two_classes
from simbias.models.classifier import labels
from simbias.models.copies import Data
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate


class Effect(NamedTuple):
    """What an edit does to the labels that networks predict, as proportions of fresh points.

    Attributes:
        switched: whose label is another after the edit.
        wanted: whose label is another where the coordinate is changed in the input.
        agreed: whose label after the edit is that of the changed input.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> other = simbias.models.panel(lambda x: -(x @ data.rotation[0]), data)
        >>> effect = simbias.directions.measure_effect(rule, other, points=500)
        >>> [estimate.value.tolist() for estimate in effect]
        [[1.0], [1.0], [1.0]]
    """

    switched: Estimate
    wanted: Estimate
    agreed: Estimate


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


@pinned
def measure_effect(
    learned: object,
    edited: Panel,
    data: Data = None,
    *,
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    coordinate: int = 0,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Effect:
    """Hold an edit of networks against what they say where the input itself is changed.

    Args:
        learned: a stack, or any classifiers.
        edited: the same ones after an intervention.
        data: for classifiers that do not know their training sets.
        change, coordinate: see ``counterfactual``.
        points: fresh points, that no direction was fitted to.
        confidence: coverage of each interval (Clopper-Pearson).

    Raises:
        ValueError: panels of different networks, or an argument out of range.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> simbias.directions.measure_effect(rule, rule, points=500).agreed.value
        array([0.])
    """
    classifiers, coverage = beside(learned, edited, data), coverage_of(confidence)
    counts, rows = [], []
    for member, after, data_set in zip(
        classifiers.members, edited.members, classifiers.data, strict=True
    ):
        x = fresh_points(data_set, points, "certify").x
        other = counterfactual(data_set, x, change, coordinate=coordinate)
        before, moved, wanted = labels(member, x), labels(after, x), labels(member, other)
        pairs = ((moved, before), (wanted, before))
        counts.append([*(int((a != b).sum()) for a, b in pairs), int((moved == wanted).sum())])
        rows.append(len(x))
    return Effect(*(clopper_pearson(hits, np.array(rows), coverage) for hits in np.array(counts).T))
