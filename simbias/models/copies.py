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
from simbias._types import AnyArray, Params
from simbias.models.classifier import Classifier, Traced, score
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.networks import MLP
from simbias.networks.mlp import ACTIVATIONS
from simbias.networks.scorer import Scorer
from simbias.parallel import stacked

Data = DataSet | Sequence[DataSet] | None


@dataclass(frozen=True)
class _Mean:
    """Networks of one architecture, each asked about a point as its own data set turns it."""

    network: Scorer
    members: int
    turned: bool

    @property
    def label(self) -> str:
        return f"{self.members} x {self.network.label}"

    def apply(self, params: Params, x: Float[Array, "rows dim"]) -> Float[Array, "rows classes"]:
        def one(of: tuple[Params, Array]) -> Array:
            return jax.nn.softmax(self.network.apply(of[0], x @ of[1] if self.turned else x))

        scores: Float[Array, "rows classes"] = jax.lax.map(one, params).mean(axis=0)
        return scores


@dataclass(frozen=True, eq=False)
class _HostMean:
    """Any classifiers, each asked about a point as its own data set turns it."""

    members: tuple[Classifier, ...]
    turns: tuple[np.ndarray | None, ...]
    kind = "probabilities"
    stochastic = False

    @property
    def label(self) -> str:
        return f"{len(self.members)} classifiers"

    def scores(self, x: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, "rows classes"]:
        found = []
        for member, turn in zip(self.members, self.turns, strict=True):
            scores = score(member, x if turn is None else x @ turn)
            found.append(softmax(scores, axis=1) if member.kind == "logits" else scores)
        mean: Float[np.ndarray, "rows classes"] = np.mean(found, axis=0)
        return mean


@pinned
def ensemble(learned: object, data: Data = None, *, seed: int | None = None) -> Panel:
    """All classifiers together: the mean of their probabilities (of labels: of their votes).

    Where their data sets were turned otherwise, a point of the one that is asked about is turned
    back, and as each classifier has it.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        data: for classifiers that do not know their training sets.
        seed: of the data set that the ensemble is asked about; default: the first.

    Returns:
        A panel of one.

    Raises:
        ValueError: a seed that is not among them, or scores that are no probabilities.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> both = simbias.models.ensemble(stack)
        >>> both.members[0].label, both.members[0].kind, both.seeds
        ('2 x (8,1)', 'probabilities', (0,))
    """
    asked = panel(learned, data)
    i = 0 if seed is None else asked.index(seed)
    back = asked.data[i].rotation.T
    turned = any(not np.array_equal(one.rotation.T, back) for one in asked.data)
    turns = [np.asarray(back @ one.rotation, np.float32) for one in asked.data]
    for member in asked.members:
        if member.kind == "scores" or member.stochastic:
            raise fail("classifier", f"{member.kind} of {member.label}", "logits or probabilities")
    kinds = {member.kind for member in asked.members}
    made: Classifier = _HostMean(asked.members, tuple(turn if turned else None for turn in turns))
    if asked.network is not None and kinds == {"logits"}:
        params = [getattr(member, "params", None) for member in asked.members]
        faults = filter(None, (getattr(member, "fault", "") for member in asked.members))
        network = _Mean(asked.network, len(asked), turned)
        both = stacked(params), np.stack(turns)
        made = Traced(network, both, "probabilities", next(faults, ""))
    return Panel((made,), (asked.data[i],))


@pinned
def quantised(learned: object, data: Data = None, *, bits: int = 8) -> Panel:
    """Copies of networks with every array of parameters rounded to 2^bits evenly spaced values.

    Args:
        learned: a stack, or traced classifiers.
        data: for classifiers that do not know their training sets.
        bits: of each number, in 1..16.

    Raises:
        ValueError: bits out of range, or classifiers without parameters.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> rough = simbias.models.quantised(stack, bits=2)
        >>> len(np.unique(rough.members[0].params["layers"][0]["kernel"]))
        4
    """
    levels = 2 ** whole("bits", bits, most=16) - 1

    def rounded(leaf: AnyArray) -> AnyArray:
        values = np.asarray(leaf, np.float64)
        low = values.min(initial=0)
        step = (values.max(initial=0) - low) / levels
        return np.float32(low + step * np.round((values - low) / step)) if step > 0 else leaf

    asked = panel(learned, data)
    members = [replace(one, params=jax.tree.map(rounded, one.params)) for one in _traced(asked)]
    return replace(asked, members=tuple(members), fitted_since=None)


@dataclass(frozen=True)
class _Edited:
    """An MLP of which the activations of one hidden layer are changed."""

    network: MLP
    layer: int
    edit: Callable[[Array], Array]

    @property
    def label(self) -> str:
        return f"{self.network.label} edited"

    def apply(self, params: Params, x: Float[Array, "rows dim"]) -> Float[Array, "rows classes"]:
        made = params["layers"]
        for i in sorted(made):
            x = x @ made[i]["kernel"] + made[i]["bias"][None]
            if i < len(made) - 1:
                x = ACTIVATIONS[self.network.activation](x)
                x = jnp.asarray(self.edit(x)) if i == self.layer else x
        return x


def edited(
    learned: object, edit: Callable[[Array], Array], data: Data = None, *, layer: int = 0
) -> Panel:
    """Networks that go on from changed activations.

    Args:
        learned: a stack of MLPs, or classifiers that are such.
        edit: a pure JAX function of a hidden layer's activations, (rows, units) to the same.
        data: for classifiers that do not know their training sets.
        layer: which hidden layer, from 0.

    Raises:
        ValueError: classifiers that are no MLPs, or a layer that they do not have.

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
    asked, members = panel(learned, data), []
    for one in _traced(asked):
        if not isinstance(one.network, MLP):
            raise fail("network", one.label, "an MLP")
        whole("layer", layer, least=0, most=one.network.depth - 1)
        members.append(replace(one, network=_Edited(one.network, layer, edit)))
    return replace(asked, members=tuple(members), fitted_since=None)


def _traced(asked: Panel) -> list[Traced]:
    """The members, which must all have parameters; raises ValueError."""
    made = [one for one in asked.members if isinstance(one, Traced)]
    if len(made) < len(asked):
        raise fail("classifier", asked.members[0].label, "networks, which have parameters")
    return made
