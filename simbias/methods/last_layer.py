"""Last-layer retraining: the logits are refitted, by logistic regression, on balanced groups.

Deep feature reweighting: a network is trained as by SGD; then its last hidden layer is held fixed,
its values on held-out points are standardised, and the last layer becomes the mean of several
logistic regressions with an L1 penalty, each on as many points of every group.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from simbias._checks import fail, real, whole
from simbias._types import Params
from simbias.methods.group_dro import members
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import by_descent, descend, first_stage, start
from simbias.training.method import Batch, Hyper, Method, State

Values = Float[Array, "rows units"]
_Carry = tuple[Array, Array, Array]  # the last head, the one that leads, and how fast


class _HeldBack(NamedTuple):
    velocity: State
    held_out: Int[Array, ""]  # how many of the training set


class _Head(NamedTuple):
    kernel: Float[Array, "units classes"]
    bias: Float[Array, " classes"]


def last_layer(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    first_updates: int = 10_000,
    held_out: float = 0.2,
    inverse_penalty: float = 1.0,
    refits: int = 10,
    iterations: int = 500,
    groups: int = 4,
    schedule: Schedule = "constant",
) -> Method:
    """SGD, then a last layer that is refitted on held-out points of balanced groups.

    The held-out points are the first of the training set, which the first stage does not use. Each
    refit minimises, on a random subset of them with equally many of each group, the sum of absolute
    weights and ``inverse_penalty`` times the sum of cross-entropies. Nothing is updated after the
    refit. It uses the group of each training point.

    It differs from what is published in that the held-out points are taken from the training set,
    the penalty spares the biases, its weight is a setting and not chosen on half of them, and the
    fit is by a fixed number of accelerated proximal steps in float32.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``, of the first stage.
        first_updates: updates before the refit, 1 to 2^24.
        held_out: proportion of the training set, in (0, 1); 0: none is held out, and the last layer
            is refitted on the points that the network was trained on.
        inverse_penalty: C of the logistic regression, > 0; published: 1, .7, .3, .1, .07, .03, .01.
        refits: regressions whose weights are averaged; published: 10 or 20.
        iterations: steps of each.
        groups: their number, as for ``group_dro``.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range; in training, a network that is no MLP.

    References:
        P. Kirichenko, P. Izmailov, A. G. Wilson, "Last layer re-training is sufficient for
        robustness to spurious correlations", ICLR 2023.
        A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse
        problems", SIAM Journal on Imaging Sciences 2, 2009 (the proximal steps).

    Examples:
        >>> import simbias
        >>> method = simbias.methods.last_layer(first_updates=4000)
        >>> method.name, sorted(method.uses), sorted(method.static)
        ('last-layer', ['groups'], ['groups', 'held_out', 'iterations', 'refits'])
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "first_updates": first_stage(first_updates),
        "held_out": real("held_out", held_out, 0, 1, open_high=True),
        "inverse_penalty": real("inverse_penalty", inverse_penalty, 1e-9, 1e9),
        "refits": whole("refits", refits, most=1000),
        "iterations": whole("iterations", iterations, most=100_000),
        "groups": whole("groups", groups, most=10_000),
    }
    return by_descent(
        "last-layer",
        settings,
        _init,
        _first,
        schedule=schedule,
        then=(_refit, _no_update),
        static=frozenset({"held_out", "refits", "iterations", "groups"}),
        uses=frozenset({"groups"}),
    )


def _init(hyper: Hyper, params: Params, n_train: int) -> State:
    if not isinstance(params, dict) or "layers" not in params:
        raise fail("method", "last-layer on another network", "a fully connected network")
    return _HeldBack(start(hyper, params), jnp.int32(_held_out(hyper, n_train)))


def _held_out(hyper: Hyper, n_train: int) -> int:
    return int(hyper["held_out"] * n_train)


def _first(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    own = (batch.rows >= state.held_out).astype(jnp.float32)

    def loss(params: Params) -> Float[Array, ""]:
        return jnp.vdot(own, batch.losses(params)) / jnp.maximum(own.sum(), 1)

    params, velocity = descend(hyper, params, state.velocity, jax.grad(loss)(params), batch)
    return params, state._replace(velocity=velocity)


def _no_update(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    return params, state


def _refit(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    assert batch.group is not None
    rows = _held_out(hyper, len(batch.y)) or len(batch.y)
    classes = params["layers"][len(params["layers"]) - 1]["bias"].shape[0]
    head = refitted_head(
        _last_values(params, batch, rows),
        batch.soft(classes)[:rows],
        members(batch.group[:rows], hyper["groups"]),
        batch.key,
        inverse_penalty=hyper["inverse_penalty"],
        refits=hyper["refits"],
        iterations=hyper["iterations"],
    )
    layers = {**params["layers"], len(params["layers"]) - 1: head}
    return {**params, "layers": layers}, state


def refitted_head(
    values: Values,
    label: Float[Array, "rows classes"],
    member: Float[Array, "rows groups"],
    key: Key[Array, ""],
    *,
    inverse_penalty: float | Float[Array, ""] = 1.0,
    refits: int = 10,
    iterations: int = 500,
) -> dict[str, Array]:
    """Kernel and bias of a last layer: the mean of regressions on balanced groups (pure).

    Args:
        values: of the last hidden layer.
        label: indicators of the classes.
        member: 1 in the own group of each row.
        key: of the random subsets.
        inverse_penalty, refits, iterations: as for ``last_layer``.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from simbias.methods.last_layer import refitted_head
        >>> values, label = jnp.array([[3.0], [1.0]] * 4), jnp.array([[0, 1.0], [1.0, 0]] * 4)
        >>> head = refitted_head(values, label, label, jax.random.key(0))
        >>> print(jnp.argmax(values @ head["kernel"] + head["bias"], axis=1)[:4])
        [1 0 1 0]
    """
    centre, scale = values.mean(axis=0), values.std(axis=0)
    scale = jnp.where(scale > 0, scale, 1)
    values = (values - centre[None]) / scale[None]

    def refit(key: Array) -> _Head:
        weight = balanced(member, key)
        return sparse_logistic(
            values, label, weight, 1 / (inverse_penalty * weight.sum()), iterations
        )

    heads = jax.lax.map(refit, jax.random.split(key, refits))
    kernel = heads.kernel.mean(axis=0) / scale[:, None]
    return {"kernel": kernel, "bias": heads.bias.mean(axis=0) - centre @ kernel}


def _last_values(params: Params, batch: Batch, rows: int) -> Values:
    """The last hidden layer on the first rows of a batch."""
    activations = getattr(batch.network, "activations", None)
    if activations is None:
        raise fail("method", f"last-layer on {batch.network.label}", "a network with hidden layers")
    values: Values = jax.lax.map(
        lambda row: activations(params, row[None])[-1][0],
        batch.x[:rows],
        batch_size=min(1000, rows),
    )
    return values


def balanced(member: Float[Array, "rows groups"], key: Array) -> Float[Array, " rows"]:
    """1 for the rows of a random subset with equally many of each group that has any, else 0.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from simbias.methods.last_layer import balanced
        >>> member = jnp.array([[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0]])
        >>> chosen = balanced(member, jax.random.key(0))
        >>> print(chosen @ member)
        [1. 0. 1.]
    """
    counts = member.sum(axis=0)
    fewest = jnp.where(counts > 0, counts, jnp.inf).min()
    order = jax.random.permutation(key, len(member))
    # how many of each row's group come no later than it in a random order
    place = jnp.cumsum(member[order], axis=0) * member[order]
    chosen = (place.sum(axis=1) <= fewest).astype(jnp.float32)
    return jnp.zeros(len(member)).at[order].set(chosen)


def sparse_logistic(
    values: Values,
    label: Float[Array, "rows classes"],
    weight: Float[Array, " rows"],
    penalty: Float[Array, ""],
    iterations: int,
) -> _Head:
    """Logistic regression with an L1 penalty, by accelerated proximal gradient steps (pure).

    It minimises the weighted mean of cross-entropies plus ``penalty`` times the sum of absolute
    weights. Of two classes it is the binary regression: at the minimum the weights of the classes'
    difference have the same penalty.

    Args:
        values: standardised, since all weights have one penalty.
        label: indicators of the classes.
        weight: of each row, >= 0.
        penalty: of the weights; the biases have none.
        iterations: their number (static).

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.last_layer import sparse_logistic
        >>> values = jnp.array([[1.0, 0.1], [-1.0, 0.1], [1.0, -0.1], [-1.0, -0.1]])
        >>> label = jnp.array([[0, 1.0], [1.0, 0], [0, 1.0], [1.0, 0]])
        >>> head = sparse_logistic(values, label, jnp.ones(4), jnp.float32(0.1), 200)
        >>> print((head.kernel[:, 1] - head.kernel[:, 0]).round(3))
        [2.197 0.   ]
    """
    weight = weight / weight.sum()
    extended = jnp.concatenate([values, jnp.ones((len(values), 1))], axis=1)
    shrunk = jnp.full((extended.shape[1], 1), penalty).at[-1].set(0)
    # half the greatest eigenvalue of the second moments bounds the curvature of a softmax
    moments = (extended * weight[:, None]).T @ extended
    step = 2 / jnp.sqrt(jnp.sum(moments**2))

    def iterate(carry: _Carry, _: None) -> tuple[_Carry, None]:
        last, ahead, momentum = carry
        error = jax.nn.softmax(extended @ ahead) - label
        moved = ahead - step * (extended.T @ (weight[:, None] * error))
        kept = jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - step * shrunk, 0)
        faster = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        return (kept, kept + (momentum - 1) / faster * (kept - last), faster), None

    zero = jnp.zeros((extended.shape[1], label.shape[1]))
    (head, _, _), _ = jax.lax.scan(iterate, (zero, zero, jnp.float32(1)), length=iterations)
    head = head - head.mean(axis=1, keepdims=True)  # rounding drifts where classes move together
    return _Head(head[:-1], head[-1])
