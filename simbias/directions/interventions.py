"""Edits of networks along directions, as classifiers: they compose, and are measured as any other.

Let v have length 1. An **addition** gives h + c v: a translation. A **directional ablation** gives
h - v vᵀh, and an edit that puts another projection t in its place h + (t - vᵀh) v: 0 gives the
ablation, a mean *mean ablation*, the projection of another input *patching*, that of any other
fresh point *resample ablation*, and a chosen one *steering*. **LEACE** takes away what a linear
probe reads of the label, with the least change (``leace``).

References: N. Belrose et al., NeurIPS 2023 (LEACE); A. Arditi et al., "Refusal in language models
is mediated by a single direction", 2024 (additions and ablations of one direction); A. Geiger et
al., "Causal abstractions of neural networks", NeurIPS 2021, and L. Chan et al., "Causal scrubbing",
2022 (patching and resampling).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simbias._checks import each, fail, real
from simbias._pinned import pinned
from simbias._types import AnyArray
from simbias.directions.activity import (
    POINTS,
    Activity,
    fresh_points,
    hidden_layer,
    two_classes,
)
from simbias.directions.directions import Directions
from simbias.directions.erasure import leace
from simbias.models.copies import Data, Edit, edited
from simbias.models.panel import Panel, panel

_MIX = np.uint32(0x9E3779B1)  # an odd number near 2^32 over the golden ratio: spreads bits


@dataclass(frozen=True, eq=False)
class Intervention:
    """An edit of one hidden layer, for each network.

    Attributes:
        name: what is done.
        layer: index of the hidden layer, from 0.
        edit: a pure JAX function of the arrays of a network and the layer's activations.
        arrays: of each network.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> own = simbias.directions.directions_of([activity], [np.array([3.0, 4.0])])
        >>> added = simbias.directions.add(own, dose=0.5)
        >>> added(0, np.array([[0.0, 1.0]])).round(3)
        array([[0.6, 1.8]], dtype=float32)
    """

    name: str
    layer: int
    edit: Edit
    arrays: tuple[dict[str, np.ndarray], ...]

    @pinned
    def __call__(
        self, i: int, hidden: Float[AnyArray, "rows units"]
    ) -> Float[np.ndarray, "rows units"]:
        """Activations of network ``i`` after the edit."""
        after: Float[np.ndarray, "rows units"] = np.asarray(
            self.edit(self.arrays[i], jnp.asarray(hidden, jnp.float32))
        )
        return after


def _added(arrays: dict[str, Array], hidden: Array) -> Array:
    return hidden + arrays["shift"][None]


def _replaced(arrays: dict[str, Array], hidden: Array) -> Array:
    """Of several projections, a row takes one by its own bits: the same in any company."""
    v, projections = arrays["vector"], arrays["projections"]
    bits = jax.lax.bitcast_convert_type(hidden, jnp.uint32)
    units = jnp.arange(1, hidden.shape[1] + 1, dtype=jnp.uint32) * _MIX
    mixed = jnp.sum((bits ^ (bits >> 15)) * units[None], axis=1, dtype=jnp.uint32)
    mixed = (mixed ^ (mixed >> 16)) * _MIX
    chosen = projections[(mixed >> 8) % jnp.uint32(len(projections))]
    return hidden + (chosen - hidden @ v)[:, None] * v[None]


def _erased(arrays: dict[str, Array], hidden: Array) -> Array:
    return hidden - (hidden - arrays["mean"][None]) @ arrays["read"] @ arrays["write"]


def add(directions: Directions, dose: float = 1.0) -> Intervention:
    """Add a multiple of the gap between the mean activations of the labels, along the direction.

    Args:
        directions: of the networks.
        dose: in gaps: 1 moves a point by as much as the labels' means are apart, towards label 1.

    Raises:
        ValueError: a dose that is no number.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> own = simbias.directions.directions_of([activity], [np.array([1.0, 0.0])])
        >>> simbias.directions.add(own, dose=-1.5)(0, np.array([[5.0, 1.0]]))
        array([[2., 1.]], dtype=float32)
    """
    lengths = real("dose", dose) * directions.gap
    shifts = (lengths[:, None] * directions.vectors).astype(np.float32)
    return Intervention("add", directions.layer, _added, tuple({"shift": s} for s in shifts))


def ablate(directions: Directions) -> Intervention:
    """Take the projection on the direction away.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> own = simbias.directions.directions_of([activity], [np.array([1.0, 0.0])])
        >>> simbias.directions.ablate(own)(0, np.array([[5.0, 1.0]]))
        array([[0., 1.]], dtype=float32)
    """
    return _replacing("ablate", directions, np.zeros((len(directions), 1)))


def ablate_to_mean(directions: Directions) -> Intervention:
    """Put the mean projection, halfway between those of the labels, in place of each.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> own = simbias.directions.directions_of([activity], [np.array([1.0, 0.0])])
        >>> simbias.directions.ablate_to_mean(own)(0, np.array([[5.0, 1.0]]))
        array([[1., 1.]], dtype=float32)
    """
    return _replacing("ablate to mean", directions, directions.means.mean(axis=1, keepdims=True))


def steer(directions: Directions, target: float) -> Intervention:
    """Put a chosen projection in place of each.

    Args:
        directions: of the networks.
        target: 0 for the mean projection of label 0, 1 for that of label 1, and in proportion.

    Raises:
        ValueError: a target that is no number.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> own = simbias.directions.directions_of([activity], [np.array([1.0, 0.0])])
        >>> simbias.directions.steer(own, 2.0)(0, np.array([[5.0, 1.0]]))
        array([[4., 1.]], dtype=float32)
    """
    low, high = directions.means.T
    wanted = low + real("target", target) * (high - low)
    return _replacing("steer", directions, wanted[:, None])


@pinned
def patch(
    directions: Directions,
    learned: object,
    inputs: Float[AnyArray, "donors *shape"],
    data: Data = None,
) -> Intervention:
    """Put the projections of other inputs in place of each: of one input its own, of several any.

    Args:
        directions: of the networks.
        learned: those networks.
        inputs: whose projections are put in, as the networks see them.
        data: for classifiers that do not know their training sets.

    Raises:
        ValueError: networks for which the directions are not.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.directions.find(stack, points=1000)
        >>> donor = simbias.data(task, n_train=1000).x[:1]
        >>> simbias.directions.patch(found, stack, donor).arrays[1]["projections"].shape
        (1,)
    """
    classifiers = _matching(directions, panel(learned, data))
    projections = [
        hidden_layer(member, inputs, directions.layer) @ directions.vectors[i]
        for i, member in enumerate(classifiers.members)
    ]
    return _replacing("patch", directions, np.stack(projections))


@pinned
def resample(
    directions: Directions, learned: object, data: Data = None, *, points: int = POINTS
) -> Intervention:
    """Put the projection of any other fresh point, whatever its label, in place of each.

    Which one it is follows from the bits of a row's activations: the classifier is a function.

    Args:
        directions: of the networks.
        learned: those networks.
        data: for classifiers that do not know their training sets.
        points: fresh points whose projections are put in, from a draw of their own.

    Raises:
        ValueError: networks for which the directions are not, or points < 2.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.directions.find(stack, points=1000)
        >>> resampled = simbias.directions.resample(found, stack, points=1000)
        >>> resampled.arrays[0]["projections"].shape
        (1000,)
    """
    classifiers = _matching(directions, panel(learned, data))
    projections = []
    for i, member in enumerate(classifiers.members):
        others = fresh_points(classifiers.data[i], points, "holdout")
        hidden = hidden_layer(member, others.x, directions.layer)
        projections.append(hidden @ directions.vectors[i])
    return _replacing("resample", directions, np.stack(projections))


def erase(fitted_on: Sequence[Activity], *, layer: int = 0) -> Intervention:
    """Take away what a linear probe reads of the label, with the least change (LEACE).

    Args:
        fitted_on: the activations of each network that it is fitted to.
        layer: the hidden layer that they are of.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> hidden, y = np.array([[0.0, 1], [2, 1], [4, 5], [6, 1]]), np.array([0, 0, 1, 1])
        >>> activity = simbias.directions.Activity(hidden, y)
        >>> erased = simbias.directions.erase([activity])(0, hidden)
        >>> bool(np.allclose(erased[:2].mean(axis=0), erased[2:].mean(axis=0), atol=1e-5))
        True
    """
    arrays = []
    for activity in each("fitted_on", fitted_on, Activity):
        eraser = leace(activity.hidden, activity.y[:, None].astype(float))
        read, write = eraser.factors
        parts = {"mean": eraser.mean, "read": read, "write": write}
        arrays.append({name: part.astype(np.float32) for name, part in parts.items()})
    return Intervention("erase", layer, _erased, tuple(arrays))


def intervene(learned: object, *interventions: Intervention, data: Data = None) -> Panel:
    """Networks under interventions, as classifiers: in one layer in the order in which they stand.

    Args:
        learned: a stack of MLPs, or classifiers that are MLPs, edited ones included.
        interventions: what is done to each of them.
        data: for classifiers that do not know their training sets.

    Returns:
        A panel, which ``simbias.validate``, figures and held-out certificates take.

    Raises:
        ValueError: networks that cannot be edited, a layer that they do not have, or interventions
            for another number of networks.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.directions.find(stack, points=1000)
        >>> ablated = simbias.directions.intervene(stack, simbias.directions.ablate(found))
        >>> ablated.members[0].label, ablated.seeds
        ('(8,1) edited', (0, 1))
    """
    classifiers = panel(learned, data)
    for intervention in each("interventions", interventions, Intervention):
        classifiers = edited(
            classifiers,
            intervention.edit,
            layer=intervention.layer,
            arrays=intervention.arrays,
        )
    return classifiers


# Edits by name, of networks along directions that were found on some activity; a steered projection
# is that of label 1.
INTERVENTIONS: Mapping[str, Callable[[Panel, Directions, Sequence[Activity]], Intervention]] = {
    "add": lambda networks, fitted, activity: add(fitted),
    "subtract": lambda networks, fitted, activity: add(fitted, -1.0),
    "ablate": lambda networks, fitted, activity: ablate(fitted),
    "ablate-to-mean": lambda networks, fitted, activity: ablate_to_mean(fitted),
    "resample": lambda networks, fitted, activity: resample(fitted, networks),
    "steer": lambda networks, fitted, activity: steer(fitted, 1.0),
    "erase": lambda networks, fitted, activity: erase(activity, layer=fitted.layer),
}


def _replacing(
    name: str, directions: Directions, projections: Float[np.ndarray, "seeds donors"]
) -> Intervention:
    arrays = tuple(
        {"vector": vector.astype(np.float32), "projections": own.astype(np.float32)}
        for vector, own in zip(directions.vectors, projections, strict=True)
    )
    return Intervention(name, directions.layer, _replaced, arrays)


def _matching(directions: Directions, classifiers: Panel) -> Panel:
    if len(directions) != len(classifiers):
        raise fail("directions", f"{len(directions)} of them", f"{len(classifiers)}, one a network")
    return two_classes(classifiers)
