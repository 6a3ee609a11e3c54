"""Training one network as a pure function: the program that is compiled and run over stacks.

A network's training set is a function of a key, so a segment of training draws it on the device
rather than carrying it: the state that travels is the parameters and a few counters, and nothing
but shapes is compiled in. Batches are cut from a stream of consecutive epochs, each a fresh order
of the whole set, so every batch is full and every point is used once an epoch.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt

from simbias._keys import key_of, seed_key, stream
from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, Params, PyTree
from simbias.losses import Loss
from simbias.networks import Network
from simbias.tasks.label_noise import Fresh, label_uniforms, relabelled
from simbias.tasks.task import Points, sampler, shifted_draw, unlabelled_draw
from simbias.training.cell import PRECISION, Cell
from simbias.training.members import member_by_member
from simbias.training.method import Batch, Hyper, Method, Step
from simbias.training.precision import at_precision
from simbias.training.problem import TrainingProblem, draw_points, draw_training_set
from simbias.training.scores import labels_of, logits
from simbias.training.shuffle import KEY_WORDS, epoch_index
from simbias.training.stop import COARSE, End

SEGMENT_CHECKS = 64  # most checks of one segment: the size of its trace buffer
_MOST_AHEAD = 2**18  # labels of which uniforms are drawn ahead, 8 bytes each: 2 MB
TRACE = (
    "updates",
    "train_loss",
    "train_accuracy",
    "select_accuracy",
    "exceptions_fitted",
    "exceptions_fresh",
)


class Program(NamedTuple):
    """The part of training that is compiled in; networks of equal programs and shapes share one."""

    network: Network
    method: Method
    loss: Loss
    draw: Callable[..., Points]
    shape: tuple[int, ...]
    classes: int
    n_train: int
    n_select: int
    batch: int
    stride: int  # updates of one inner loop
    # the draws of such points, where they are used
    unlabelled: Callable[..., Array] | None = None
    shifted: Callable[..., tuple[Array, Array]] | None = None
    precision: str = PRECISION


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
        unlabelled=unlabelled_draw(cell.task) if "unlabelled" in cell.method.uses else None,
        shifted=shifted_draw(cell.task) if "shifted" in cell.method.uses else None,
        precision=cell.precision,
    )


@pinned
@lru_cache
def law_shapes(cell: Cell) -> PyTree:
    """The shapes of the law of a cell's task, which are the same for all seeds."""
    return jax.eval_shape(cell.task.law, seed_key(0))


def shapes(cell: Cell) -> str:
    """The shapes of a cell's problems, on which a compiled program depends beside ``program``."""
    law = law_shapes(cell)
    noise = None if cell.label_noise is None else cell.label_noise.arrays(cell.task.classes)
    of_noise = () if noise is None else (str(jax.tree.map(np.shape, noise)),)
    return str((jax.tree.map(lambda leaf: leaf.shape, law), list(cell.method.traced), *of_noise))


def start(program: Program, problem: TrainingProblem) -> State:
    """A network before its first update, by a program of the settings that matter until then."""
    state: State = _started(*_starting(program, problem))
    return state


def compile_start(program: Program, problem: TrainingProblem) -> None:
    """Compile the program of ``start`` without a call."""
    _started.lower(*_starting(program, problem)).compile()


def _starting(program: Program, problem: TrainingProblem) -> tuple[Any, ...]:
    compiled_in = program.network, program.method, program.shape, program.classes, program.n_train
    return *compiled_in, problem.keys.initialisation, problem.hyper


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _started(
    network: Network,
    method: Method,
    shape: tuple[int, ...],
    classes: int,
    n_train: int,
    words: UInt[Array, " words"],
    hyper: Hyper,
) -> State:
    key = stream(key_of(words), "initialisation")
    with lenient():
        params = network.init(key, shape, classes)
        method = member_by_member(method, network)
        method_state = method.init({**method.settings, **hyper}, params, n_train)
    return State(
        params=params,
        method=method_state,
        updates=jnp.int32(0),
        epoch=jnp.uint32(0),
        offset=jnp.uint32(0),
        fitted_since=jnp.full(n_train, -1, jnp.int32),
        best_loss=jnp.float32(jnp.inf),
        stale=jnp.int32(0),
        end=jnp.int32(End.RUNNING),
    )


def start_from(program: Program, problem: TrainingProblem, params: Params) -> State:
    """A network before its first update, which is made from some parameters."""
    with lenient():
        trained_by = member_by_member(program.method, program.network)
        method = trained_by.init(_hyper(program, problem), params, program.n_train)
    return start(program, problem)._replace(params=params, method=method)


def _hyper(program: Program, problem: TrainingProblem) -> Hyper:
    """All settings of the method by name."""
    return {**program.method.settings, **problem.hyper}


def evaluated(program: Program, problem: TrainingProblem, state: State) -> Params:
    """The parameters that are evaluated and kept."""
    method = member_by_member(program.method, program.network)
    if method.evaluated is None:
        return state.params
    with lenient():
        return method.evaluated(_hyper(program, problem), state.params, state.method)


def segment(
    program: Program, problem: TrainingProblem, state: State, checks: Int[Array, ""]
) -> Segment:
    """Train on for at most ``checks`` checks, or until the stop rule holds.

    Returns:
        The state, the trace (a row of ``TRACE`` for each check) and its number of filled rows.
    """
    train = draw_training_set(program.draw, problem, program.n_train)
    select = draw_points(program.draw, problem, "select", program.n_select)
    words = jax.random.bits(stream(key_of(problem.keys.order), "order"), (KEY_WORDS,))
    method_key = stream(key_of(problem.keys.method), "method")
    unlabelled_key = stream(key_of(problem.keys.data), "unlabelled")
    label_key = stream(key_of(problem.keys.data), "fresh labels")
    uses_groups = "groups" in program.method.uses
    method = member_by_member(program.method, program.network)
    hyper, second = _hyper(program, problem), method.second
    budget = problem.budget if program.method.uses_budget else None
    with lenient():
        begins = jnp.int32(0) if second is None else second.start(hyper, budget)

    noise = problem.label_noise
    drawn_anew = noise if isinstance(noise, Fresh) else None

    def uniforms_of(update: Array, rows: int = program.batch) -> Array:
        return label_uniforms(jax.random.fold_in(label_key, update), rows)

    def ahead(update: Array) -> Array | None:
        # bits for many updates take little longer than for one
        if drawn_anew is None or program.stride * program.batch > _MOST_AHEAD:
            return None
        return jax.vmap(uniforms_of)(update + jnp.arange(program.stride))

    def batch_of(rows: Array, update: Array, uniforms: Array | None) -> Batch:
        def take(part: Array) -> Array:
            return part.at[rows].get(mode="promise_in_bounds")

        def label() -> Array:
            if drawn_anew is not None:
                drawn = uniforms_of(update, len(rows)) if uniforms is None else uniforms
                return relabelled(drawn_anew.labels, take(train.y), drawn)
            return take(train.y if train.soft is None else train.soft)

        further = problem.law, jax.random.fold_in(unlabelled_key, update), len(rows)
        return Batch(
            x=take(train.x),
            y=label(),
            rows=rows,
            group=None if train.group is None or not uses_groups else take(train.group),
            key=jax.random.fold_in(method_key, update),
            update=update,
            budget=budget,
            network=program.network,
            objective=program.loss,
            unlabelled=None if program.unlabelled is None else program.unlabelled(*further),
            shifted=None if program.shifted is None else program.shifted(*further),
        )

    def updater(step: Step) -> Callable[[State, Array | None], tuple[State, None]]:
        def update(state: State, uniforms: Array | None) -> tuple[State, None]:
            n, batch = jnp.uint32(program.n_train), jnp.uint32(program.batch)
            position = state.offset + jnp.arange(program.batch, dtype=jnp.uint32)
            wrapped = position >= n
            rows = epoch_index(
                words,
                state.epoch + wrapped.astype(jnp.uint32),
                jnp.where(wrapped, position - n, position),
                program.n_train,
            )
            with lenient():
                batch_data = batch_of(rows, state.updates, uniforms)
                stepped = at_precision(
                    lambda params, kept: step(hyper, params, kept, batch_data), program.precision
                )
                params, kept = stepped(state.params, state.method)
            offset = state.offset + batch
            finished = offset >= n
            return state._replace(
                params=params,
                method=kept,
                updates=state.updates + 1,
                epoch=state.epoch + finished.astype(jnp.uint32),
                offset=jnp.where(finished, offset - n, offset),
            ), None

        return update

    def until(update: Array, step: Step, state: State) -> State:
        def stride(state: State) -> State:
            further = ahead(state.updates)
            moved: State
            moved, _ = jax.lax.scan(updater(step), state, further, length=program.stride)
            return moved

        trained: State = jax.lax.while_loop(lambda state: state.updates < update, stride, state)
        return trained

    def to_check(check: Array, state: State) -> State:
        if second is None:
            return until(check, method.step, state)
        stage = second

        def entered(pair: tuple[State, Array]) -> tuple[State, Array]:
            state, _ = pair
            with lenient():
                full_batch = batch_of(jnp.arange(program.n_train), state.updates, None)
                params, kept = stage.enter(hyper, state.params, state.method, full_batch)
            # what the first stage reached is no measure of the second
            fresh = {"best_loss": jnp.float32(jnp.inf), "stale": jnp.int32(0)}
            return state._replace(params=params, method=kept, **fresh), jnp.bool_(False)

        state = until(jnp.minimum(check, begins), method.step, state)
        # a loop of at most one turn: under vmap a cond would compute it at every check
        enters = (state.updates == begins) & (state.updates < check)
        state, _ = jax.lax.while_loop(lambda pair: pair[1], entered, (state, enters))
        return until(check, stage.step, state)

    def block(carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        state, trace, filled = carry
        # fitted_since is as long as the training set: it stays out of the inner loop's carry
        fitted_since = state.fitted_since
        check = _next_check(problem, state.updates)
        state = to_check(check, state._replace(fitted_since=jnp.zeros(0, jnp.int32)))
        state = state._replace(fitted_since=fitted_since)
        last_stage = None if second is None else state.updates > begins
        state, row = _check(program, problem, state, train, select, last_stage)
        return state, trace.at[filled].set(row), filled + 1

    def running(carry: tuple[State, Array, Array]) -> Bool[Array, ""]:
        state, _, filled = carry
        goes_on: Bool[Array, ""] = (state.end == End.RUNNING) & (filled < checks)
        return goes_on

    trace = jnp.zeros((SEGMENT_CHECKS, len(TRACE)), jnp.float32)
    return jax.lax.while_loop(running, block, (state, trace, jnp.int32(0)))


def no_segment(problem: TrainingProblem, state: State) -> Segment:
    """What ``segment`` gives of a network that has ended."""
    return state, jnp.zeros((SEGMENT_CHECKS, len(TRACE)), jnp.float32), jnp.int32(0)


def _next_check(problem: TrainingProblem, updates: Int[Array, ""]) -> Int[Array, ""]:
    """The update of the first check after a number of updates."""
    every = jnp.where(updates < COARSE, problem.spacing[0], problem.spacing[1])
    return jnp.minimum((updates // every + 1) * every, problem.max_updates)


def _check(
    program: Program,
    problem: TrainingProblem,
    state: State,
    train: Points,
    select: Points,
    last_stage: Bool[Array, ""] | None = None,
) -> tuple[State, Float[Array, " columns"]]:
    """The state after a check, and its row; goals are for the last stage (None: the only one)."""

    def goal(met: Bool[Array, ""]) -> Bool[Array, ""]:
        return met if last_stage is None else met & last_stage

    params = evaluated(program, problem, state)
    scores = logits(program.network, params, train.x)
    loss = program.loss.points(scores, train.y if train.soft is None else train.soft).mean()
    labels = labels_of(scores)
    correct = labels == train.y
    right = correct if train.clean is None else labels == train.clean
    errors = jnp.sum(~correct, dtype=jnp.int32)
    fresh = labels_of(logits(program.network, params, select.x)) == select.y
    points = len(select.y)  # a task of given points may have fewer than are asked for
    fresh_errors = jnp.sum(~fresh, dtype=jnp.float32)

    since = jnp.where(state.fitted_since < 0, state.updates, state.fitted_since)
    better = loss < state.best_loss
    stale = jnp.where(better, 0, state.stale + 1)
    end = jnp.int32(End.RUNNING)
    for condition, reason in (  # the last that holds is the reason given
        (goal(stale >= problem.patience), End.PATIENCE),
        (state.updates >= problem.max_updates, End.BUDGET),
        # the hundredth of an error is for the rounding of the product
        (goal(fresh_errors <= problem.goal_select_error * points + 0.01), End.SELECT),
        (goal(loss <= problem.goal_loss), End.LOSS),
        (goal(errors <= problem.goal_errors), End.ACCURACY),
        (~jnp.isfinite(loss), End.DIVERGED),
    ):
        end = jnp.where(condition, jnp.int32(reason), end)
    row = jnp.stack(
        [
            state.updates.astype(jnp.float32),
            loss,
            1 - errors.astype(jnp.float32) / program.n_train,
            1 - fresh_errors / points,
            _proportion(right, train.exception),
            _proportion(fresh, select.exception),
        ]
    )
    return state._replace(
        fitted_since=jnp.where(correct, since, -1),
        best_loss=jnp.minimum(loss, state.best_loss),
        stale=stale,
        end=end,
    ), row


def _proportion(correct: Bool[Array, " rows"], among: Bool[Array, " rows"]) -> Float[Array, ""]:
    """The fraction correct among some rows; NaN where there are none."""
    hits = jnp.sum(correct & among, dtype=jnp.float32)
    return hits / jnp.sum(among, dtype=jnp.float32)
