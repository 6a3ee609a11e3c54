"""Directions of networks: fitted on one draw of points, to be measured on another."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from simbias._checks import fail, instance, whole
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.directions.activity import POINTS, Activity, activities
from simbias.directions.exact import unit
from simbias.directions.finder import Finder, get
from simbias.models.copies import Data
from simbias.models.panel import panel
from simbias.stats.labelled import Labelled, named_axes, tidy


@dataclass(frozen=True, eq=False)
class Directions:
    """A direction of one hidden layer for each network, and what the layer does along it.

    Attributes:
        name: of the finder.
        layer: index of the hidden layer, from 0.
        vectors: of length 1.
        means: of the projection, for each label, on the points of the fit.
        gap: distance of the mean activations of the two labels there: the length of an addition of
            dose 1 along any direction, so that a control's is as long as those it is held against.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> own = simbias.directions.directions_of([activity], [np.array([3.0, 4.0])])
        >>> own.vectors, own.means, own.gap
        (array([[0.6, 0.8]]), array([[0.8, 2. ]]), array([2.]))
    """

    name: str
    layer: int
    vectors: Float[np.ndarray, "seeds units"]
    means: Float[np.ndarray, "seeds labels"]
    gap: Float[np.ndarray, " seeds"]

    def __len__(self) -> int:
        return len(self.vectors)

    def projections(self, i: int, activity: Activity) -> Float[np.ndarray, " rows"]:
        """Of activations, on the direction of network ``i``."""
        along: Float[np.ndarray, " rows"] = activity.hidden @ self.vectors[i]
        return along

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes; a network is known by its place."""
        axes = {"vectors": "network unit", "means": "network label", "gap": "network"}
        return named_axes(self, axes)

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


def directions_of(
    fitted_on: list[Activity],
    vectors: list[Float[np.ndarray, " units"]],
    *,
    name: str = "own",
    layer: int = 0,
) -> Directions:
    """Directions from vectors of any length > 0, one for each network's activations.

    Raises:
        ValueError: a vector of norm 0, or of another number of units.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> simbias.directions.directions_of([activity], [np.array([0.0, 7.0])]).vectors
        array([[0., 1.]])
    """
    units = [unit(vector) for vector in vectors]
    for activity, vector in zip(fitted_on, units, strict=True):
        if vector.shape != activity.hidden.shape[1:]:
            wanted = f"({activity.hidden.shape[1]},), the units of the layer"
            raise fail("direction", f"one of shape {vector.shape}", wanted)
    means = np.stack([activity.means for activity in fitted_on])
    return Directions(
        name,
        whole("layer", layer, least=0),
        np.stack(units),
        np.einsum("slu,su->sl", means, np.stack(units)),
        np.linalg.norm(means[:, 1] - means[:, 0], axis=1),
    )


@pinned
def find(
    learned: object,
    finder: Finder | str = "mean-difference",
    data: Data = None,
    *,
    layer: int = 0,
    points: int = POINTS,
) -> Directions:
    """Find a direction of a hidden layer for each network, on fresh points of a stream for fits.

    Args:
        learned: a stack, or classifiers that are networks with ``activations``.
        finder: how, or the name of how.
        data: for classifiers that do not know their training sets.
        layer: index of the hidden layer, from 0.
        points: fresh points for each network.

    Raises:
        ValueError: a network without activations, a layer that does not exist, or a direction of
            norm 0.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.directions.find(stack, points=1000)
        >>> found.name, found.vectors.shape
        ('mean-difference', (2, 8))
    """
    chosen = get(finder) if isinstance(finder, str) else finder
    instance("finder", chosen, Finder)
    classifiers = panel(learned, data)
    fitted_on = activities(classifiers, layer=layer, points=points)
    vectors = []
    for i, activity in enumerate(fitted_on):
        key = jax.random.fold_in(classifiers.data[i].stream("directions"), layer)
        vectors.append(np.asarray(chosen.find(activity, key), np.float64))
    return directions_of(fitted_on, vectors, name=chosen.name, layer=layer)
