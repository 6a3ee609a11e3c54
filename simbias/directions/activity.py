"""What a hidden layer does on drawn points: that from which directions are fitted and measured.

Points come from a stream of their own, and within it from a split for each purpose: what was fitted
is measured on points that neither training nor the fit has met.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias._checks import fail, known, whole
from simbias._memory import fits
from simbias._pinned import pinned
from simbias._types import AnyArray, Params
from simbias.models import Traced
from simbias.models.copies import Data, edited
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.networks.scorer import Scorer
from simbias.tasks.block_task import block_task
from simbias.tasks.task import Points, numbers_of
from simbias.training.problem import drawn

POINTS = 2000  # that are drawn where a caller does not say how many
SPLITS = ("select", "holdout", "certify")  # for fits, for what is put in, and for measurements


@runtime_checkable
class _Readable(Protocol):
    """A network whose hidden layers can be read."""

    def __hash__(self) -> int:
        """Compiled programs are looked up by it."""
        ...

    def activations(self, params: Params, x: Array) -> list[Array]:
        """The values of every hidden layer, first layer first."""
        ...


Slopes = Callable[[], Float[np.ndarray, "rows units"]]


def _unknown() -> np.ndarray:
    raise fail("activity", "activations without their network", "those of a network, for slopes")


@dataclass(frozen=True, eq=False)
class Activity:
    """Activations of one hidden layer, and the labels of their points.

    Attributes:
        hidden: activations, float64.
        y: labels, 0 or 1.
        slopes: computes the gradient of label 1's lead in scores by the activations.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> activity.means
        array([[0., 1.],
               [2., 1.]])
    """

    hidden: Float[np.ndarray, "rows units"]
    y: Int[np.ndarray, " rows"]
    slopes: Slopes = _unknown

    def __post_init__(self) -> None:
        if set(np.unique(self.y)) != {0, 1}:
            raise fail("labels", sorted({int(label) for label in self.y}), "0 and 1, each drawn")

    @property
    def means(self) -> Float[np.ndarray, "labels units"]:
        """The mean activation of each label."""
        return np.stack([self.hidden[self.y == label].mean(axis=0) for label in (0, 1)])


@pinned
def activities(
    learned: object,
    data: Data = None,
    *,
    layer: int = 0,
    points: int = POINTS,
    split: str = "select",
) -> list[Activity]:
    """The activations of a hidden layer on fresh points, for each network.

    Args:
        learned: a stack, or classifiers that are networks with ``activations``.
        data: for classifiers that do not know their training sets.
        layer: index of the hidden layer, from 0.
        points: fresh points for each network, at most those that the task has.
        split: the stream of points, one of ``SPLITS``.

    Raises:
        ValueError: a network without activations, a layer that does not exist, more than two
            classes, or points < 2.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> first, second = simbias.directions.activities(stack, points=1000)
        >>> first.hidden.shape, first.hidden.dtype.name
        ((1000, 8), 'float64')
    """
    classifiers = two_classes(panel(learned, data))
    read = []
    for i, member in enumerate(classifiers.members):
        drawn_points = fresh_points(classifiers.data[i], points, split)
        hidden = hidden_layer(member, drawn_points.x, layer)
        slopes = partial(_slopes, classifiers, i, layer, drawn_points.x, hidden.shape[1])
        read.append(Activity(hidden, np.asarray(drawn_points.y), slopes))
    return read


def two_classes(classifiers: Panel) -> Panel:
    """The panel itself; raises ValueError where its task has not two classes."""
    if classifiers.task.classes != 2:
        raise fail("task", f"{classifiers.task.classes} classes", "2, the values of a concept")
    return classifiers


def fresh_points(data_set: DataSet, points: int, split: str) -> Points:
    """Fresh points of a data set, of a split of the stream of directions (NumPy).

    Under a shift coordinates have another law, and are turned as those of the training set are.
    """
    task, rows = data_set.fresh, whole("points", points, least=2)
    known("split", split, SPLITS)
    most = getattr(task, "most", {}).get(split)
    rows = rows if most is None else min(rows, most)
    fits("points", rows, 4.0 * rows * numbers_of(task), where="device")
    words = np.asarray(jax.random.key_data(data_set.stream("directions")))
    law = data_set.law
    if task != data_set.task:
        law = law._replace(tables=block_task(task).tables)
    chosen: Points = jax.device_get(drawn(task.draw, split, rows, words, law))
    return chosen


def hidden_layer(
    member: object, x: Float[AnyArray, "rows *shape"], layer: int
) -> Float[np.ndarray, "rows units"]:
    """The activations of a layer of a network, float64; raises ValueError where there are none."""
    if not isinstance(member, Traced) or not isinstance(member.network, _Readable):
        name = getattr(member, "label", member)
        raise fail("network", name, "one whose hidden layers can be read (activations)")
    values = _hidden(member.network, member.params, x)
    whole("layer", layer, least=0, most=len(values) - 1)
    return np.asarray(values[layer], np.float64).reshape(len(x), -1)


@partial(jax.jit, static_argnums=0)
def _hidden(network: _Readable, params: Params, x: Array) -> list[Array]:
    return network.activations(params, x)


def _moved(shift: Float[Array, "rows units"], hidden: Array) -> Array:
    return hidden + shift


@pinned
def _slopes(
    classifiers: Panel, i: int, layer: int, x: Float[AnyArray, "rows *shape"], units: int
) -> np.ndarray:
    """By a shift of each row's activations, where it is 0."""
    alone = Panel(classifiers.members[i : i + 1], classifiers.data[i : i + 1])
    shift = np.zeros((len(x), units), np.float32)
    (member,) = edited(alone, _moved, layer=layer, arrays=[shift]).members
    assert isinstance(member, Traced)
    return np.asarray(_gradient(member.network, member.params, x), np.float64)


@partial(jax.jit, static_argnums=0)
def _gradient(network: Scorer, params: Params, x: Array) -> Array:
    def lead(shift: Array) -> Array:
        edits = (*params["edits"][:-1], shift)
        scores = network.apply({**params, "edits": edits}, x)
        return jnp.sum(scores[:, 1] - scores[:, 0])

    slopes: Array = jax.grad(lead)(params["edits"][-1])
    return slopes
