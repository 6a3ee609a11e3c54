"""The interface of a training algorithm: pure functions, its settings, and what it declares.

A method is identified by its settings and its code, so its functions may be closures. A number
that is traced can be changed without compiling anew; a setting that decides the shape of a program
is declared static. Methods are compared at equal cost and at what they were told, so each declares
its gradient evaluations, and what it uses beyond labelled points: it is given nothing else.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, Key

from simbias._checks import fail, known
from simbias._code import same_code
from simbias._types import Params, PyTree, Settings
from simbias.losses import Loss
from simbias.networks import Network

Hyper = Mapping[str, Any]  # the settings by name: traced ones as scalars, static ones as given
State: TypeAlias = PyTree  # of arrays
USES = {  # what a method may use beyond inputs and their labels, in words
    "groups": "the group of each training point",
    "unlabelled": "unlabelled points under a shift",
    "shifted": "labelled points under a shift",
}


class UpdateRule(NamedTuple):
    """An update w <- w - learning_rate v, v <- momentum v + gradient of the mean loss of a batch.

    Bounds that assume such training read it.

    Examples:
        >>> import simbias
        >>> method = simbias.sgd(learning_rate=0.1, momentum=0.9, weight_decay=0.0)
        >>> method.update_rule(method.settings)
        UpdateRule(learning_rate=0.1, momentum=0.9)
    """

    learning_rate: float
    momentum: float


@dataclass(frozen=True)
class Batch:
    """What an update may read: points, and the network on them as functions of parameters.

    Attributes:
        x: inputs.
        y: labels, integers; or soft, a distribution over the classes for each point.
        rows: the index of each point in the training set.
        group: the group of each point, integers >= 0; None unless the method declares that it uses
            groups. Of a block task it is 2 y, and one more for an exception.
        key: a random key of this update alone.
        update: number of updates made before it.
        budget: the most updates that will be made; None unless the method declares that it uses
            it, so that a longer training continues a shorter one.
        network: the architecture.
        objective: the loss.
        unlabelled: inputs that are drawn for this update alone, as many as the batch has points,
            from the task under its shift (of a block task: with its simple coordinates drawn given
            another label); None unless the method declares that it uses them.
        shifted: such inputs with their labels (of a block task: that of all coordinates but the
            simple ones), drawn from the same stream; None unless the method declares their use.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> from simbias.training.method import Batch
        >>> net, loss = simbias.MLP(4), simbias.losses.cross_entropy()
        >>> params = net.init(jax.random.key(0), (3,), 2)
        >>> batch = Batch(
        ...     x=jnp.ones((5, 3)),
        ...     y=jnp.zeros(5, jnp.int32),
        ...     rows=jnp.arange(5),
        ...     group=None,
        ...     key=jax.random.key(1),
        ...     update=jnp.int32(0),
        ...     budget=None,
        ...     network=net,
        ...     objective=loss,
        ... )
        >>> batch.logits(params).shape, batch.losses(params).shape, batch.loss(params).shape
        ((5, 2), (5,), ())
    """

    x: Float[Array, "rows *shape"]
    y: Int[Array, " rows"] | Float[Array, "rows classes"]
    rows: Integer[Array, " rows"]
    group: Int[Array, " rows"] | None
    key: Key[Array, ""]
    update: Int[Array, ""]
    budget: Int[Array, ""] | None
    network: Network
    objective: Loss
    unlabelled: Float[Array, "rows *shape"] | None = None
    shifted: tuple[Float[Array, "rows *shape"], Int[Array, " rows"]] | None = None

    def logits(self, params: Params) -> Float[Array, "rows classes"]:
        """The logits of each point, as the network is trained (with dropout, if it has any)."""
        apply = getattr(self.network, "apply_in_training", None)
        if apply is None:
            return self.network.apply(params, self.x)
        scores: Float[Array, "rows classes"] = apply(params, self.x, self.key)
        return scores

    @property
    def label(self) -> Int[Array, " rows"]:
        """The label of each point, of a soft one the likeliest."""
        return self.y if self.y.ndim == 1 else self.y.argmax(axis=1).astype(jnp.int32)

    def soft(self, classes: int) -> Float[Array, "rows classes"]:
        """The label of each point as a distribution over the classes."""
        return jax.nn.one_hot(self.y, classes, dtype=jnp.float32) if self.y.ndim == 1 else self.y

    def losses(self, params: Params) -> Float[Array, " rows"]:
        """The loss of each point."""
        return self.objective.points(self.logits(params), self.y)

    def loss(self, params: Params) -> Float[Array, ""]:
        """The mean loss."""
        return self.losses(params).mean()

    def at(self, x: Float[Array, "rows *shape"], y: Array) -> "Batch":
        """The batch with other inputs and labels, which may be soft: mixed or attacked points."""
        return replace(self, x=x, y=y)


Step = Callable[[Hyper, Params, State, Batch], tuple[Params, State]]


class Second(NamedTuple):
    """A second stage, which goes on from the state that the first one left.

    Goals and patience of a stop rule count from its first update on, and a budget must hold it.

    Attributes:
        start: (hyper, budget) -> the update at which it begins; ``budget`` as of a ``Batch``.
        enter: (hyper, params, state, batch) -> (params, state), once; the batch is the whole
            training set.
        step: as that of a method.
    """

    start: Callable[[Hyper, Int[Array, ""] | None], Int[Array, ""]]
    enter: Step
    step: Step


def one_gradient(settings: Settings) -> int:
    """The cost of a method that evaluates one gradient an update.

    Examples:
        >>> from simbias.training.method import one_gradient
        >>> one_gradient({})
        1
    """
    return 1


@dataclass(frozen=True, eq=False)
class Method:
    """A training algorithm; methods of equal name, settings and code are equal.

    Attributes:
        name: the registered name.
        settings: of any type that TOML holds.
        init: (hyper, params, n_train) -> state.
        step: (hyper, params, state, batch) -> (params, state); one update.
        static: names of the settings that are compiled in; all that are not numbers must be.
        evaluated: (hyper, params, state) -> the parameters that are evaluated and kept, such as an
            average; None: those that are trained.
        second: a second stage; None: there is none.
        update_rule: (settings) -> its ``UpdateRule``; None where it has another form.
        uses_budget: whether an update depends on the budget, as a schedule does.
        cost: (settings) -> gradient evaluations of an update, each on as many points as a batch
            has.
        uses: what it uses beyond inputs and labels: ``"groups"``, ``"unlabelled"``,
            ``"shifted"``. A cell of a task that lacks it cannot be made.

    Raises:
        ValueError: a static name that is not a setting, a traced setting that is not a number, or
            uses that are not known.

    Examples:
        Gradient descent on signs, as a user's own method:

        >>> import jax
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> def start(hyper, params, n_train):
        ...     return ()
        >>> def update(hyper, params, state, batch):
        ...     signs = jax.tree.map(jnp.sign, jax.grad(batch.loss)(params))
        ...     return jax.tree.map(lambda w, s: w - hyper["step"] * s, params, signs), state
        >>> method = simbias.training.Method("signs", {"step": 0.001}, start, update)
        >>> method.name, method.traced
        ('signs', {'step': 0.001})
        >>> method.cost(method.settings), sorted(method.uses)
        (1, [])
    """

    name: str
    settings: Mapping[str, object]
    init: Callable[[Hyper, Params, int], State]
    step: Step
    static: frozenset[str] = frozenset()
    evaluated: Callable[[Hyper, Params, State], Params] | None = None
    second: Second | None = None
    update_rule: Callable[[Settings], UpdateRule] | None = None
    uses_budget: bool = False
    cost: Callable[[Settings], int] = one_gradient
    uses: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
        object.__setattr__(self, "static", frozenset(self.static))
        for name in self.static:
            known("static", name, self.settings)
        object.__setattr__(self, "uses", frozenset(self.uses))
        for name in self.uses:
            known("uses", name, USES)
        for name, value in self.traced.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise fail(f"setting {name}", value, "a number, or to be declared static")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and self._known_by == other._known_by

    def __hash__(self) -> int:
        return hash(self._known_by)

    @property
    def traced(self) -> Settings:
        """The settings that are numbers inside a compiled program."""
        return {name: self.settings[name] for name in sorted(self.settings.keys() - self.static)}

    @property
    def compiled_in(self) -> "Method":
        """The method without its traced settings: what programs are compiled for."""
        return replace(self, settings={name: self.settings[name] for name in sorted(self.static)})

    @cached_property
    def code(self) -> Hashable:
        """A hashable that is equal for methods of one definition."""
        stages = (self.init, self.step, self.evaluated, *(self.second or ()))
        return tuple(map(same_code, (*stages, self.update_rule, self.cost)))

    @cached_property
    def _known_by(self) -> Hashable:
        settings = repr(sorted(self.settings.items()))
        return self.name, settings, self.static, self.uses_budget, self.uses, self.code


def no_state(hyper: Hyper, params: Params, n_train: int) -> State:
    """The ``init`` of a method that keeps nothing between updates.

    Examples:
        >>> from simbias.training.method import no_state
        >>> float(no_state({}, params={}, n_train=100))
        0.0
    """
    # a number: compiling a loop that carries an array without entries ends jaxlib 0.11.2
    return jnp.zeros((), jnp.float32)
