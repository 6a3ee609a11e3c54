"""Training one network as a pure function: the program that is compiled and run over stacks.

A network's training set is a function of a key, so a segment of training draws it on the device
rather than carrying it: the state that travels is the parameters and a few counters, and nothing
but shapes is compiled in. Batches are cut from a stream of consecutive epochs, each a fresh order
of the whole set, so every batch is full and every point is used once an epoch.
"""

from collections.abc import Callable
from functools import partial
from math import floor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt

from simbias._identity import canonical
from simbias._keys import identity_key, key_of, seed_key, stream
from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, Params, PyTree
from simbias.losses import Loss
from simbias.networks import Network
from simbias.networks.scorer import Scorer
from simbias.tasks.task import Points, sampler
from simbias.training.cell import Cell
from simbias.training.method import Batch, Hyper, Method, Step
from simbias.training.shuffle import KEY_WORDS, epoch_index
from simbias.training.stop import COARSE, End

SEGMENT_CHECKS = 64  # most checks of one segment: the size of its trace buffer
_ROWS = 1000  # rows of one forward pass of a check: activations stay in cache

TRACE = (
    "updates",
    "train_loss",
    "train_accuracy",
    "select_accuracy",
    "exceptions_fitted",
    "exceptions_fresh",
)


class Program(NamedTuple):
    """What is compiled in: networks that agree on it (and on shapes) share one program."""

    network: Network
    method: Method
    loss: Loss
    draw: Callable[..., Points]
    shape: tuple[int, ...]
    classes: int
    n_train: int
    n_select: int
    batch: int
    stride: int  # updates that are always made together


class Keys(NamedTuple):
    """The words of a network's keys.

    Attributes:
        data: of the task: rotation, training set and fresh points hang from it.
        initialisation: of the network.
        order: of the sizes of training set and batch.
        method: of the seed alone: what an update draws, such as dropout.
    """

    data: UInt[AnyArray, " words"]
    initialisation: UInt[AnyArray, " words"]
    order: UInt[AnyArray, " words"]
    method: UInt[AnyArray, " words"]


class Problem(NamedTuple):
    """What is traced: everything else that sets a network apart.

    Training halts at ``max_updates``; ``budget`` is what a method is told. ``supersample`` is None
    for a training set drawn from ``keys.data``; otherwise the training set is the masked half of
    the supersample drawn from that key, and the others are those of the mask.
    """

    keys: Keys
    law: PyTree
    hyper: Hyper
    goal_errors: Int[AnyArray, ""]
    goal_loss: Float[AnyArray, ""]
    goal_select_error: Float[AnyArray, ""]
    max_updates: Int[AnyArray, ""]
    budget: Int[AnyArray, ""]
    spacing: Int[AnyArray, " two"]
    patience: Int[AnyArray, ""]
    supersample: UInt[AnyArray, " words"] | None = None


class State(NamedTuple):
    """A network in training.

    ``fitted_since`` is, for each training point, the update of the first check from which on it
    was labelled correctly at every check; -1 where it is labelled wrongly.
    """

    params: Params
    method: PyTree
    updates: Int[AnyArray, ""]
    epoch: UInt[AnyArray, ""]
    offset: UInt[AnyArray, ""]
    fitted_since: Int[AnyArray, " n_train"]
    best_loss: Float[AnyArray, ""]
    stale: Int[AnyArray, ""]
    end: Int[AnyArray, ""]


Segment = tuple[State, Float[Array, "checks columns"], Int[Array, ""]]


def program(cell: Cell, n_select: int) -> Program:
    """The compiled-in part of a cell."""
    return Program(
        network=cell.network,
        method=cell.method.compiled_in,
        loss=cell.loss,
        draw=sampler(cell.task),
        shape=cell.task.shape,
        classes=cell.task.classes,
        n_train=cell.n_train,
        n_select=n_select,
        batch=cell.batch,
        # a second stage may begin at any update
        stride=cell.stop.stride if cell.method.second is None else 1,
    )


@pinned
def problem(cell: Cell, seed: int, mask: int | None = None) -> Problem:
    """The traced part of a network, as NumPy arrays; ``mask`` is that of a ``MaskedJob``."""
    stop = cell.stop
    data = identity_key(cell.task_identity, seed)
    identities = {
        "initialisation": cell.network_identity,
        "order": canonical({"n_train": int(cell.n_train), "batch": int(cell.batch)}),
        "method": "method",
    }
    keys = {"data": data} | {name: identity_key(of, seed) for name, of in identities.items()}
    if mask is not None:
        keys = {name: jax.random.fold_in(stream(key, "mask"), mask) for name, key in keys.items()}
    return Problem(
        keys=Keys(**{name: np.asarray(jax.random.key_data(key)) for name, key in keys.items()}),
        law=jax.tree.map(np.asarray, cell.task.law(stream(data, "rotation"))),
        hyper={name: np.float32(value) for name, value in cell.method.traced.items()},
        goal_errors=np.int32(_most_errors(stop.train_accuracy, cell.n_train)),
        goal_loss=np.float32(-np.inf if stop.train_loss is None else stop.train_loss),
        goal_select_error=np.float32(
            -1 if stop.select_accuracy is None else 1 - stop.select_accuracy
        ),
        max_updates=np.int32(stop.max_updates),
        budget=np.int32(stop.max_updates),
        spacing=np.array(stop.spacing, np.int32),
        patience=np.int32(np.iinfo(np.int32).max if stop.patience is None else stop.patience),
        supersample=None if mask is None else np.asarray(jax.random.key_data(data)),
    )


@pinned
def shapes(cell: Cell) -> str:
    """The shapes of a cell's problems: what sets compiled programs apart beyond ``program``."""
    law = jax.eval_shape(cell.task.law, seed_key(0))
    return str((jax.tree.map(lambda leaf: leaf.shape, law), list(cell.method.traced)))


def _most_errors(accuracy: float | None, n_train: int) -> int:
    """The most training errors with which an accuracy is reached; -1: never."""
    return -1 if accuracy is None else floor((1 - accuracy) * n_train * (1 + 1e-12) + 1e-9)


def draw_points(draw: Callable[..., Points], problem: Problem, split: str, rows: int) -> Points:
    """Points of one of a network's streams (``train``, ``select``, ``holdout``)."""
    with lenient():
        return draw(problem.law, stream(key_of(problem.keys.data), split), split, rows)


def draw_supersample(draw: Callable[..., Points], problem: Problem, pairs: int) -> Points:
    """The points of a masked network's supersample: pair i is points i and ``pairs`` + i."""
    key = stream(key_of(problem.supersample), "supersample")
    with lenient():
        return draw(problem.law, key, "train", 2 * pairs)


def draw_mask(problem: Problem, pairs: int) -> Bool[Array, " pairs"]:
    """Whether a masked network is trained on the second point of each pair: fair coins."""
    return jax.random.bernoulli(stream(key_of(problem.keys.data), "mask"), shape=(pairs,))


def draw_training_set(draw: Callable[..., Points], problem: Problem, n_train: int) -> Points:
    """The training set: a draw of its own, or the masked half of a supersample."""
    if problem.supersample is None:
        return draw_points(draw, problem, "train", n_train)
    chosen = jnp.arange(n_train) + n_train * draw_mask(problem, n_train).astype(jnp.int32)
    pairs = draw_supersample(draw, problem, n_train)
    points: Points = jax.tree.map(lambda part: part[chosen], pairs)
    return points


@pinned
def training_set(cell: Cell, problem: Problem) -> Points:
    """The training set of a network, drawn again (compiled, and left on the device)."""
    return draw_once(sampler(cell.task), cell.n_train, problem)


def draw_once(draw: Callable[..., Points], n_train: int, problem: Problem) -> Points:
    """The training set on its own."""
    points: Points = _drawn(draw, n_train, problem._replace(hyper={}))
    return points


@partial(jax.jit, static_argnums=(0, 1))
def _drawn(draw: Callable[..., Points], n_train: int, problem: Problem) -> Points:
    return draw_training_set(draw, problem, n_train)


def start(program: Program, problem: Problem) -> State:
    """A network before its first update."""
    key = stream(key_of(problem.keys.initialisation), "initialisation")
    with lenient():
        params = program.network.init(key, program.shape, program.classes)
        method = program.method.init(_hyper(program, problem), params, program.n_train)
    return State(
        params=params,
        method=method,
        updates=jnp.int32(0),
        epoch=jnp.uint32(0),
        offset=jnp.uint32(0),
        fitted_since=jnp.full(program.n_train, -1, jnp.int32),
        best_loss=jnp.float32(jnp.inf),
        stale=jnp.int32(0),
        end=jnp.int32(End.RUNNING),
    )


def _hyper(program: Program, problem: Problem) -> Hyper:
    """All settings of the method by name."""
    return {**program.method.settings, **problem.hyper}


def evaluated(program: Program, problem: Problem, state: State) -> Params:
    """The parameters that are measured and kept."""
    if program.method.evaluated is None:
        return state.params
    with lenient():
        return program.method.evaluated(_hyper(program, problem), state.params, state.method)


def segment(program: Program, problem: Problem, state: State, checks: Int[Array, ""]) -> Segment:
    """Train on for at most ``checks`` checks, or until the stop rule holds.

    Returns:
        The state, the trace (one row of ``TRACE`` a check) and how many of its rows are filled.
    """
    train = draw_training_set(program.draw, problem, program.n_train)
    select = draw_points(program.draw, problem, "select", program.n_select)
    words = jax.random.bits(stream(key_of(problem.keys.order), "order"), (KEY_WORDS,))
    own = stream(key_of(problem.keys.method), "method")
    hyper, second = _hyper(program, problem), program.method.second
    budget = problem.budget if program.method.uses_budget else None

    def batch_of(rows: Array, update: Array) -> Batch:
        def some(part: Array) -> Array:
            return part.at[rows].get(mode="promise_in_bounds")

        return Batch(
            x=some(train.x),
            y=some(train.y),
            rows=rows,
            group=None if train.group is None else some(train.group),
            key=jax.random.fold_in(own, update),
            update=update,
            budget=budget,
            network=program.network,
            objective=program.loss,
        )

    def updater(step: Step) -> Callable[[State, None], tuple[State, None]]:
        def update(state: State, _: None) -> tuple[State, None]:
            n, batch = jnp.uint32(program.n_train), jnp.uint32(program.batch)
            place = state.offset + jnp.arange(program.batch, dtype=jnp.uint32)
            wrapped = place >= n
            rows = epoch_index(
                words,
                state.epoch + wrapped.astype(jnp.uint32),
                jnp.where(wrapped, place - n, place),
                program.n_train,
            )
            with lenient():
                batch_data = batch_of(rows, state.updates)
                params, method = step(hyper, state.params, state.method, batch_data)
            offset = state.offset + batch
            over = offset >= n
            return state._replace(
                params=params,
                method=method,
                updates=state.updates + 1,
                epoch=state.epoch + over.astype(jnp.uint32),
                offset=jnp.where(over, offset - n, offset),
            ), None

        return update

    def updates(state: State) -> State:
        def with_step(step: Step, state: State) -> State:
            return jax.lax.scan(updater(step), state, length=program.stride)[0]

        if second is None:
            return with_step(program.method.step, state)
        with lenient():
            begins = second.start(hyper, budget)

        def entered(state: State) -> State:
            every = batch_of(jnp.arange(program.n_train), state.updates)
            with lenient():
                params, method = second.enter(hyper, state.params, state.method, every)
            return state._replace(params=params, method=method)

        state = jax.lax.cond(state.updates == begins, entered, lambda same: same, state)
        after: State = jax.lax.cond(
            state.updates < begins,
            partial(with_step, program.method.step),
            partial(with_step, second.step),
            state,
        )
        return after

    def block(carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        state, trace, done = carry
        # fitted_since is as long as the training set: it stays out of the inner loop's carry
        held = state.fitted_since
        check = _next_check(problem, state.updates)
        state = jax.lax.while_loop(
            lambda state: state.updates < check,
            updates,
            state._replace(fitted_since=jnp.zeros(0, jnp.int32)),
        )
        state = state._replace(fitted_since=held)
        state, row = _check(program, problem, state, train, select)
        return state, trace.at[done].set(row), done + 1

    def running(carry: tuple[State, Array, Array]) -> Bool[Array, ""]:
        state, _, done = carry
        goes_on: Bool[Array, ""] = (state.end == End.RUNNING) & (done < checks)
        return goes_on

    trace = jnp.zeros((SEGMENT_CHECKS, len(TRACE)), jnp.float32)
    return jax.lax.while_loop(running, block, (state, trace, jnp.int32(0)))


def _next_check(problem: Problem, updates: Int[Array, ""]) -> Int[Array, ""]:
    """The update of the first check after so many updates."""
    every = jnp.where(updates < COARSE, problem.spacing[0], problem.spacing[1])
    return jnp.minimum((updates // every + 1) * every, problem.max_updates)


def logits(
    network: Scorer, params: Params, x: Float[Array, "rows *shape"]
) -> Float[Array, "rows classes"]:
    """The scores of the classes, in blocks of rows."""
    with lenient():
        scores: Float[Array, "rows classes"] = jax.lax.map(
            lambda row: network.apply(params, row[None])[0], x, batch_size=min(_ROWS, len(x))
        )
        return scores


def margins(
    network: Scorer, params: Params, x: Float[Array, "rows *shape"]
) -> Float[Array, " rows"]:
    """The logit difference of two classes, positive where the network says 1."""
    scores = logits(network, params, x)
    return scores[:, 1] - scores[:, 0]


def decided(scores: Float[Array, "rows classes"]) -> Int[Array, " rows"]:
    """The class of the highest score, the first of several; 0 of two that cannot be compared."""
    if scores.shape[-1] == 2:
        return (scores[:, 1] - scores[:, 0] > 0).astype(jnp.int32)
    return jnp.argmax(scores, axis=-1).astype(jnp.int32)


@pinned
def ask(network: Scorer, params: Params, x: Float[AnyArray, "rows *shape"]) -> np.ndarray:
    """``margins`` of one network (compiled, NumPy)."""
    return np.asarray(_ask(network, params, x))


@partial(jax.jit, static_argnums=0)
def _ask(network: Scorer, params: Params, x: Array) -> Array:
    return margins(network, params, x)


def _check(
    program: Program, problem: Problem, state: State, train: Points, select: Points
) -> tuple[State, Float[Array, " columns"]]:
    params = evaluated(program, problem, state)
    scores = logits(program.network, params, train.x)
    loss = program.loss.points(scores, train.y).mean()
    correct = decided(scores) == train.y
    errors = jnp.sum(~correct, dtype=jnp.int32)
    fresh = decided(logits(program.network, params, select.x)) == select.y
    fresh_errors = jnp.sum(~fresh, dtype=jnp.float32)

    since = jnp.where(state.fitted_since < 0, state.updates, state.fitted_since)
    better = loss < state.best_loss
    stale = jnp.where(better, 0, state.stale + 1)
    end = jnp.int32(End.RUNNING)
    for condition, why in (  # the last that holds is the reason given
        (stale >= problem.patience, End.PATIENCE),
        (state.updates >= problem.max_updates, End.BUDGET),
        # the hundredth of an error is for the rounding of the product
        (fresh_errors <= problem.goal_select_error * program.n_select + 0.01, End.SELECT),
        (loss <= problem.goal_loss, End.LOSS),
        (errors <= problem.goal_errors, End.ACCURACY),
        (~jnp.isfinite(loss), End.DIVERGED),
    ):
        end = jnp.where(condition, jnp.int32(why), end)
    row = jnp.stack(
        [
            state.updates.astype(jnp.float32),
            loss,
            1 - errors.astype(jnp.float32) / program.n_train,
            1 - fresh_errors / program.n_select,
            _share(correct, train.exception),
            _share(fresh, select.exception),
        ]
    )
    return state._replace(
        fitted_since=jnp.where(correct, since, -1),
        best_loss=jnp.minimum(loss, state.best_loss),
        stale=stale,
        end=end,
    ), row


def _share(correct: Bool[Array, " rows"], among: Bool[Array, " rows"]) -> Float[Array, ""]:
    """The fraction correct among some rows; NaN where there are none."""
    hits = jnp.sum(correct & among, dtype=jnp.float32)
    return hits / jnp.sum(among, dtype=jnp.float32)
