"""Classifiers made of others: ensembles, quantised copies, networks with edited activations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import softmax

from simbias._checks import fail, whole
from simbias._pinned import pinned
from simbias._types import AnyArray, Params, PyTree
from simbias.models.classifier import Classifier, Traced, score
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.networks import MLP
from simbias.networks.mlp import ACTIVATIONS
from simbias.networks.scorer import Scorer
from simbias.parallel import stacked

Data = DataSet | Sequence[DataSet] | None
Edit = Callable[[PyTree, Array], Array]  # of a network's own arrays and activations


@dataclass(frozen=True)
class _Mean:
    """Networks of one architecture, each given a point as its own data set turns it."""

    network: Scorer
    members: int
    turned: bool

    @property
    def label(self) -> str:
        return f"{self.members} x {self.network.label}"

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        def probabilities(member: tuple[Params, Array]) -> Array:
            own_params, turn = member
            return jax.nn.softmax(self.network.apply(own_params, x @ turn if self.turned else x))

        scores: Float[Array, "rows classes"] = jax.lax.map(probabilities, params).mean(axis=0)
        return scores


@dataclass(frozen=True, eq=False)
class _HostMean:
    """Any classifiers, each given a point as its own data set turns it."""

    members: tuple[Classifier, ...]
    turns: tuple[np.ndarray | None, ...]
    kind = "probabilities"
    stochastic = False

    @property
    def label(self) -> str:
        return f"{len(self.members)} classifiers"

    def scores(self, x: Float[np.ndarray, "rows *shape"]) -> Float[np.ndarray, "rows classes"]:
        probabilities = []
        for member, turn in zip(self.members, self.turns, strict=True):
            scores = score(member, x if turn is None else x @ turn)
            probabilities.append(softmax(scores, axis=1) if member.kind == "logits" else scores)
        mean: Float[np.ndarray, "rows classes"] = np.mean(probabilities, axis=0)
        return mean


@pinned
def ensemble(learned: object, data: Data = None, *, seed: int | None = None) -> Panel:
    """All classifiers as one: the mean of their probabilities (of labels: of their votes).

    Where their data sets have different rotations, a point is turned back, and then turned as the
    training set of each classifier was.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        data: for classifiers that do not know their training sets.
        seed: of the data set on which the ensemble is evaluated; default: the first.

    Returns:
        A panel of one classifier.

    Raises:
        ValueError: a seed that is not among them, or scores that are no probabilities.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> ensemble = simbias.models.ensemble(stack)
        >>> ensemble.members[0].label, ensemble.members[0].kind, ensemble.seeds
        ('2 x (8,1)', 'probabilities', (0,))
    """
    classifiers = panel(learned, data)
    i = 0 if seed is None else classifiers.index(seed)
    back = classifiers.data[i].rotation.T
    turned = any(not np.array_equal(data_set.rotation.T, back) for data_set in classifiers.data)
    turns = [np.asarray(back @ data_set.rotation, np.float32) for data_set in classifiers.data]
    for member in classifiers.members:
        if member.kind == "scores" or member.stochastic:
            raise fail("classifier", f"{member.kind} of {member.label}", "logits or probabilities")
    kinds = {member.kind for member in classifiers.members}
    mean: Classifier = _HostMean(
        classifiers.members, tuple(turn if turned else None for turn in turns)
    )
    if classifiers.network is not None and kinds == {"logits"}:
        params = [getattr(member, "params", None) for member in classifiers.members]
        faults = filter(None, (getattr(member, "fault", "") for member in classifiers.members))
        network = _Mean(classifiers.network, len(classifiers), turned)
        arrays = stacked(params), np.stack(turns)
        mean = Traced(network, arrays, "probabilities", next(faults, ""))
    return Panel((mean,), (classifiers.data[i],))


@pinned
def quantised(learned: object, data: Data = None, *, bits: int = 8) -> Panel:
    """Copies of networks with every array of parameters rounded to 2^bits evenly spaced values.

    Args:
        learned: a stack, or traced classifiers.
        data: for classifiers that do not know their training sets.
        bits: number of bits of each parameter, in 1..16.

    Raises:
        ValueError: bits out of range, or classifiers without parameters.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> panel = simbias.models.quantised(stack, bits=2)
        >>> len(np.unique(panel.members[0].params["layers"][0]["kernel"]))
        4
    """
    levels = 2 ** whole("bits", bits, most=16) - 1

    def rounded(leaf: AnyArray) -> AnyArray:
        values = np.asarray(leaf, np.float64)
        low = values.min(initial=0)
        step = (values.max(initial=0) - low) / levels
        return np.float32(low + step * np.round((values - low) / step)) if step > 0 else leaf

    classifiers = panel(learned, data)
    members = [
        replace(member, params=jax.tree.map(rounded, member.params))
        for member in _traced(classifiers)
    ]
    return replace(classifiers, members=tuple(members), fitted_since=None)


@dataclass(frozen=True)
class _Plain:
    """An edit that takes activations alone."""

    edit: Callable[[Array], Array]

    def __call__(self, arrays: PyTree, hidden: Array) -> Array:
        return jnp.asarray(self.edit(hidden))


@dataclass(frozen=True)
class _Edited:
    """An MLP in which activations of hidden layers are edited, those of one layer in their order.

    The arrays of the edits stand beside the layers of its parameters, under ``edits``.
    """

    network: MLP
    edits: tuple[tuple[int, Edit], ...]

    @property
    def label(self) -> str:
        return f"{self.network.label} edited"

    def activations(
        self, params: Params, x: Float[Array, "rows *shape"]
    ) -> list[Float[Array, "rows width"]]:
        """The values of every hidden layer after its edits, first layer first."""
        layers, values = params["layers"], []
        x = x.reshape(len(x), -1)
        for i in sorted(layers)[:-1]:
            x = ACTIVATIONS[self.network.activation](_affine(layers[i], x))
            for (layer, edit), arrays in zip(self.edits, params["edits"], strict=True):
                x = edit(arrays, x) if layer == i else x
            values.append(x)
        return values

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        layers = params["layers"]
        return _affine(layers[max(layers)], self.activations(params, x)[-1])


def _affine(layer: Params, x: Array) -> Array:
    values: Array = x @ layer["kernel"] + layer["bias"][None]
    return values


def edited(
    learned: object,
    edit: Callable[..., Array],
    data: Data = None,
    *,
    layer: int = 0,
    arrays: Sequence[PyTree] | None = None,
) -> Panel:
    """Networks that compute their scores from edited activations.

    Edits compose: what is edited can be edited again, in the same layer after what was there.

    Args:
        learned: a stack of MLPs, or classifiers that are MLPs.
        edit: a pure JAX function of a hidden layer's activations, (rows, units) to the same; with
            ``arrays``, of the network's own ones and the activations.
        data: for classifiers that do not know their training sets.
        layer: index of the hidden layer, from 0.
        arrays: a pytree for each classifier, all of one structure: one program serves all.

    Raises:
        ValueError: classifiers that are not MLPs, a layer that they do not have, or arrays for
            another number of classifiers.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> silenced = simbias.models.edited(stack, lambda hidden: hidden.at[:, 0].set(0.0))
        >>> silenced.seeds
        (0, 1)
        >>> silenced.members[0].scores(simbias.data(task, n_train=1000).x).shape
        (1000, 2)
    """
    classifiers, members = panel(learned, data), []
    if arrays is not None and len(arrays) != len(classifiers):
        raise fail("arrays", f"{len(arrays)} of them", f"{len(classifiers)}, one a classifier")
    own: Edit = _Plain(edit) if arrays is None else edit
    for i, member in enumerate(_traced(classifiers)):
        before = member.network if isinstance(member.network, _Edited) else None
        network = member.network if before is None else before.network
        if not isinstance(network, MLP) or not network.is_layered:
            raise fail("network", member.label, "an MLP of affine layers")
        whole("layer", layer, least=0, most=network.depth - 1)
        edits = (*(before.edits if before else ()), (layer, own))
        kept = (*(member.params["edits"] if before else ()), () if arrays is None else arrays[i])
        params = {**member.params, "edits": kept}
        members.append(replace(member, network=_Edited(network, edits), params=params))
    return replace(classifiers, members=tuple(members), fitted_since=None)


def _traced(classifiers: Panel) -> list[Traced]:
    """The members of a panel, which must all have parameters; raises ValueError."""
    members = [member for member in classifiers.members if isinstance(member, Traced)]
    if len(members) < len(classifiers):
        raise fail("classifier", classifiers.members[0].label, "networks, which have parameters")
    return members
