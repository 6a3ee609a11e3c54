"""Trained networks are those of a hand-written loop, however the work is divided.

Longer than 400 lines because one stack, trained once, is what all others are compared with.
"""

import itertools
import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import streams

from simbias import MLP, Stop, sgd, tasks, train
from simbias._keys import identity_key, stream
from simbias.tasks import oracle
from simbias.training import Cell, fit, replay
from simbias.training.fit import TRACE
from simbias.training.jobs import Job, _layout, group_key, train_jobs
from simbias.training.problem import problem_of
from simbias.training.shuffle import KEY_WORDS, epoch_index
from simbias.training.stack import assemble
from simbias.training.stop import End

TOLERANCE = 1e-4  # on weights, after 200 updates
SELECT = 2000
COLUMN = {name: i for i, name in enumerate(TRACE)}


def training_set(cell, seed, name="train", rows=None):
    """Unrotated and rotated points of one of a network's streams, drawn through the task."""
    plain, y = streams.points(cell.task, seed, rows or cell.n_train, name)
    return plain, plain @ streams.rotation(cell.task, seed), y


def start_key(cell, seed):
    """From which the initial parameters are drawn."""
    return stream(identity_key(cell.network_identity, seed), "initialisation")


def margin(forward, params, x):
    logits = forward(params, x)
    return logits[:, 1] - logits[:, 0]


def of(stack, i):
    return jax.tree.map(lambda leaf: leaf[i], stack.params)


def difference(first, other):
    """The largest difference between two pytrees of arrays."""
    leaves = zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True)
    return max(np.abs(a - b).max() for a, b in leaves)


def gap(first, other):
    """The largest difference between two snapshots' weights."""
    return difference(first.state.params, other.state.params)


@pytest.fixture
def one_device(monkeypatch):
    devices = jax.devices()
    assert len(devices) == 2
    monkeypatch.setattr(jax, "devices", lambda *_: devices[:1])


def by_hand(cell, seed, updates):
    """Minibatch SGD on one hidden layer in NumPy float64: gradients and bookkeeping by hand.

    Returns:
        The parameters after ``updates`` updates, and one update earlier.
    """
    hyper = dict(cell.method.settings)
    _, x, y = training_set(cell, seed)
    x = x.astype(float)
    layers = cell.network.init(start_key(cell, seed), cell.task.shape)["layers"]
    w = [np.asarray(layers[i][name], float) for i in (0, 1) for name in ("kernel", "bias")]
    v = [np.zeros_like(part) for part in w]
    n, epochs = cell.n_train, -(-updates * cell.batch // cell.n_train)
    key = identity_key(f'{{"batch":{cell.batch},"n_train":{n}}}', seed)
    words = jax.random.bits(stream(key, "order"), (KEY_WORDS,))
    place = jnp.tile(jnp.arange(n, dtype=jnp.uint32), epochs)
    epoch = jnp.repeat(jnp.arange(epochs, dtype=jnp.uint32), n)
    order = np.asarray(jax.jit(epoch_index, static_argnums=3)(words, epoch, place, n))
    rows = order[: updates * cell.batch].reshape(updates, cell.batch)
    for batch in rows:
        before = w.copy()
        hidden = x[batch] @ w[0] + w[1]
        active = np.maximum(hidden, 0)
        logits = active @ w[2] + w[3]
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(batch)), y[batch]] -= 1
        d_logits = p / len(batch)
        d_hidden = d_logits @ w[2].T * (hidden > 0)
        g = [x[batch].T @ d_hidden, d_hidden.sum(0), active.T @ d_logits, d_logits.sum(0)]
        for i in range(4):
            v[i] = hyper["momentum"] * v[i] + g[i] + hyper["weight_decay"] * w[i]
            w[i] = w[i] - hyper["learning_rate"] * v[i]
    return tuple(
        {"layers": {i: {"kernel": part[2 * i], "bias": part[2 * i + 1]} for i in (0, 1)}}
        for part in (w, before)
    )


@pytest.mark.thorough
def test_two_hundred_updates_equal_a_loop_written_by_hand(cell, trained):
    for seed in (0, 3):
        hand, short = by_hand(cell, seed, 200)
        assert difference(of(trained, seed), hand) <= TOLERANCE
        # planted failure: one update too few
        assert difference(of(trained, seed), short) > 10 * TOLERANCE


def test_initial_weights_are_those_of_the_initialisation_stream(cell, trained):
    for i, seed in enumerate(trained.seeds):
        fresh = cell.network.init(start_key(cell, seed), cell.task.shape)
        initial = jax.tree.map(lambda leaf, i=i: leaf[i], trained.initial)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), initial, fresh)


def test_seeds_have_weights_rotations_and_data_of_their_own(cell, snapshots, trained):
    jobs = list(snapshots)
    assert gap(snapshots[jobs[0]], snapshots[jobs[1]]) > 0.05
    assert np.abs(trained.rotation[0] - trained.rotation[1]).max() > 0.05
    labels = [training_set(cell, seed)[2] for seed in (0, 1)]
    assert 0.4 < np.mean(labels[0] == labels[1]) < 0.6
    for i, seed in enumerate(trained.seeds):
        turn = streams.rotation(cell.task, seed)
        np.testing.assert_allclose(trained.rotation[i], turn, atol=1e-6)


def test_a_stack_of_two_gives_the_networks_of_a_stack_of_four(cell, snapshots):
    pair = train_jobs([Job(cell, 2), Job(cell, 1)], n_select=SELECT)
    for job, snapshot in pair.items():
        assert gap(snapshot, snapshots[job]) == 0
        np.testing.assert_array_equal(snapshot.trace, snapshots[job].trace)


@pytest.mark.slow
def test_one_device_gives_the_networks_of_two(cell, snapshots, one_device):
    for job, snapshot in train_jobs(list(snapshots)[:2], n_select=SELECT).items():
        assert gap(snapshot, snapshots[job]) <= TOLERANCE


@pytest.mark.parametrize("size", (pytest.param(2, marks=pytest.mark.slow), 3, 4))
@pytest.mark.thorough
def test_vectorised_stacks_give_the_networks_trained_one_a_core(size, cell, snapshots):
    jobs = list(snapshots)[:size]
    for job, snapshot in train_jobs(jobs, n_select=SELECT, vectorised=True).items():
        assert gap(snapshot, snapshots[job]) <= TOLERANCE
        np.testing.assert_allclose(snapshot.trace, snapshots[job].trace, atol=2e-3)


@pytest.mark.slow
def test_a_vectorised_stack_on_one_device_gives_the_networks_of_two(cell, snapshots, one_device):
    again = train_jobs(list(snapshots), n_select=SELECT, vectorised=True)
    for job, snapshot in again.items():
        assert gap(snapshot, snapshots[job]) <= TOLERANCE


class Interrupted(Exception):
    pass


def interrupt(jobs, after):
    """Train until so many segments are done; what was checkpointed by then."""
    saved = {}

    def checkpoint(moved):
        saved.update(moved)
        if len(calls) == after - 1:
            raise Interrupted
        calls.append(None)

    calls = []
    with pytest.raises(Interrupted):
        train_jobs(jobs, n_select=SELECT, after_segment=checkpoint)
    return saved


@pytest.mark.parametrize("after", (1, 2))
def test_a_resumed_run_gives_the_networks_of_an_uninterrupted_one(after, snapshots):
    jobs = list(snapshots)
    saved = interrupt(jobs, after)
    assert sum(not snapshot.running for snapshot in saved.values()) < len(jobs)
    resumed = train_jobs(jobs, n_select=SELECT, saved=saved)
    for job in jobs:
        assert gap(resumed[job], snapshots[job]) == 0
        np.testing.assert_array_equal(resumed[job].trace, snapshots[job].trace)
        np.testing.assert_array_equal(
            resumed[job].state.fitted_since, snapshots[job].state.fitted_since
        )


def test_finished_snapshots_are_not_trained_again(snapshots):
    again = train_jobs(
        list(snapshots), n_select=SELECT, saved=snapshots, after_segment=lambda moved: 1 / 0
    )
    assert all(again[job] is snapshots[job] for job in snapshots)


@pytest.mark.thorough
def test_every_segment_is_reported_with_the_networks_that_moved(cell):
    seen = []
    train_jobs(
        [Job(cell, seed) for seed in range(3)],
        n_select=SELECT,
        after_segment=lambda moved: seen.append(
            {job.seed: int(snapshot.state.updates) for job, snapshot in moved.items()}
        ),
    )
    assert len(seen[0]) == 2 and all(seen)
    for seed in range(3):
        updates = [moved[seed] for moved in seen if seed in moved]
        assert updates == sorted(set(updates)) and updates[-1] == 200


@pytest.mark.thorough
def test_the_seconds_of_a_network_are_its_part_of_the_devices_time(cell, monkeypatch):
    # a clock that goes on by 3 a look: a segment takes 3 on each of two devices
    clock = SimpleNamespace(perf_counter=itertools.count(0, 3.0).__next__)
    monkeypatch.setattr(sys.modules["simbias.training.jobs"], "time", clock)
    parts = dict.fromkeys(range(3), 0.0)

    def counted(moved):
        for job in moved:
            parts[job.seed] += 3 * 2 / len(moved)

    jobs = [Job(cell, seed) for seed in range(3)]
    again = train_jobs(jobs, n_select=SELECT, after_segment=counted)
    assert {job.seed: snapshot.seconds for job, snapshot in again.items()} == parts


@pytest.mark.thorough
def test_last_check_equals_a_recomputation_from_the_returned_weights(cell, trained, forward):
    simple = oracle.simple_rule(cell.task)
    for i, seed in enumerate(trained.seeds):
        trace = trained.traces[i]
        np.testing.assert_array_equal(trace[:, COLUMN["updates"]], [100, 200])
        last = dict(zip(TRACE, trace[-1], strict=True))
        plain, x, y = training_set(cell, seed)
        margins = margin(forward, of(trained, i), x)
        correct, wrong = (margins > 0) == (y == 1), simple(plain) != y
        loss = np.logaddexp(0, np.where(y == 1, -margins, margins)).mean()
        # a point whose margin is rounding error may be counted either way
        unsure = np.mean(np.abs(margins) < 1e-4) + 1e-6
        assert abs(last["train_accuracy"] - correct.mean()) <= unsure
        assert last["train_loss"] == pytest.approx(loss, rel=1e-4)
        assert last["exceptions_fitted"] == pytest.approx(correct[wrong].mean(), abs=0.006)
        plain, x, y = training_set(cell, seed, "select", SELECT)
        fresh, wrong = (margin(forward, of(trained, i), x) > 0) == (y == 1), simple(plain) != y
        assert last["select_accuracy"] == pytest.approx(fresh.mean(), abs=6e-4)
        assert last["exceptions_fresh"] == pytest.approx(fresh[wrong].mean(), abs=0.011)


def test_fitted_since_is_the_first_check_from_which_a_point_stayed_fitted(
    cell, snapshots, trained, forward
):
    jobs = list(snapshots)[:2]
    early = interrupt(jobs, 1)
    assert [int(early[job].state.updates) for job in jobs] == [100, 100]
    for i, job in enumerate(jobs):
        _, x, y = training_set(cell, job.seed)
        margins = [
            margin(forward, params, x) for params in (early[job].state.params, of(trained, i))
        ]
        sure = np.all([np.abs(each) > 1e-4 for each in margins], axis=0)
        then, now = ((each > 0) == (y == 1) for each in margins)
        expected = np.where(now, np.where(then, 100, 200), -1)
        assert sure.mean() > 0.99
        np.testing.assert_array_equal(trained.fitted_since[i][sure], expected[sure])
        assert {-1, 100, 200} <= set(expected)


@pytest.mark.thorough
def test_networks_of_one_call_may_have_stop_rules_of_their_own(cell, snapshots):
    def with_stop(**settings):
        stop = Stop(check_every=100, **settings)
        return Cell(cell.task, cell.network, cell.method, cell.n_train, cell.batch, stop)

    cells = [
        with_stop(max_updates=100),
        with_stop(max_updates=300),
        with_stop(max_updates=400, train_accuracy=0.6),
        with_stop(max_updates=300, train_loss=0.0),
        cell,
    ]
    assert len({group_key(each, SELECT) for each in cells}) == 1
    again = train_jobs([Job(each, 0) for each in cells], n_select=SELECT)
    updates = [int(snapshot.state.updates) for snapshot in again.values()]
    ends = [int(snapshot.state.end) for snapshot in again.values()]
    assert updates[:2] == [100, 300] and updates[3:] == [300, 200]
    assert updates[2] < 400
    assert ends == [End.BUDGET, End.BUDGET, End.ACCURACY, End.BUDGET, End.BUDGET]
    for snapshot, count in zip(again.values(), updates, strict=True):
        np.testing.assert_array_equal(
            snapshot.trace[:, COLUMN["updates"]], np.arange(100, count + 1, 100)
        )
    statuses = [assemble(each, {0: again[Job(each, 0)]}).outcome(0)[0] for each in cells]
    assert statuses == ["done", "done", "done", "not-converged", "done"]
    # who else is in the call changes nothing
    assert gap(again[Job(cell, 0)], snapshots[Job(cell, 0)]) == 0


def test_cells_of_other_shapes_do_not_share_a_program(cell):
    def other(**changes):
        given = {
            "task": cell.task,
            "network": cell.network,
            "method": cell.method,
            "n_train": 4000,
            "batch": 256,
            "stop": cell.stop,
        } | changes
        return group_key(Cell(**given), SELECT)

    same = group_key(cell, SELECT)
    assert other() == same
    assert other(method=sgd(learning_rate=0.7)) == same
    assert other(task=tasks.get("noisy-lms-7", margin=0.05, noise=0.3)) == same
    for changes in (
        {"n_train": 4001},
        {"batch": 255},
        {"network": MLP(100, 2)},
        {"task": tasks.get("noisy-lms-7", dim=49)},
        {"stop": Stop(max_updates=200, check_every=50)},
    ):
        assert other(**changes) != same


def test_train_returns_the_seeds_asked_for_in_their_order(cell, trained):
    stack = train(
        cell.task,
        cell.network,
        cell.method,
        n_train=4000,
        seeds=[3, 1],
        stop=cell.stop,
        n_select=SELECT,
    )
    assert stack.seeds == (3, 1) and len(stack) == 2
    assert (stack.index(3), stack.index(1)) == (0, 1)
    for i, seed in enumerate(stack.seeds):
        jax.tree.map(np.testing.assert_array_equal, of(stack, i), of(trained, seed))
    assert stack.outcome(0) == ("done", "trained for 200 updates")
    assert np.all(stack.seconds > 0)
    with pytest.raises(ValueError, match=r"^seed: got 2, allowed: one of \[3, 1\]$"):
        stack.index(2)


@pytest.mark.slow
def test_points_for_traces_do_not_touch_the_weights(cell, snapshots):
    again = train_jobs([Job(cell, 0), Job(cell, 1)], n_select=100)
    for job, snapshot in again.items():
        assert gap(snapshot, snapshots[job]) <= TOLERANCE


@pytest.mark.thorough
def test_networks_leave_a_vectorised_stack_as_they_end(cell):
    longer = Cell(
        cell.task,
        cell.network,
        cell.method,
        cell.n_train,
        cell.batch,
        Stop(max_updates=300, check_every=100),
    )
    jobs = [Job(cell, 0), Job(cell, 1), Job(longer, 0), Job(longer, 1)]
    again = train_jobs(jobs, n_select=SELECT, vectorised=True)
    assert [int(again[job].state.updates) for job in jobs] == [200, 200, 300, 300]
    assert [len(again[job].trace) for job in jobs] == [2, 2, 3, 3]


class Device:
    def __init__(self, memory):
        self.memory = memory

    def memory_stats(self):
        return None if self.memory is None else {"bytes_limit": self.memory}


@pytest.mark.parametrize(
    ("jobs", "networks", "width"),
    [(1, 3, 1), (2, 3, 2), (3, 3, 4), (4, 3, 4), (5, 3, 6), (7, 3, 6), (7, 1, 2), (7, 0, 2)],
)
def test_a_vectorised_stack_fills_half_of_the_memory_of_each_device(
    jobs, networks, width, monkeypatch
):
    # 300 training and 100 select points of 3 coordinates: 80 bytes a point
    cell = Cell(tasks.get("lms-5", dim=3), MLP(2, 1), sgd(), n_train=300)
    program, problem = fit.program(cell, 100), problem_of(cell, 0)
    need = 400 * 80
    for memory in (2 * need * networks, 2 * need * (networks + 1) - 1):
        monkeypatch.setattr(jax, "devices", lambda memory=memory: [Device(memory), None])
        assert math.prod(_layout(program, problem, jobs, True)) == width
        assert _layout(program, problem, jobs, False) == (min(2, jobs), 8)
    # a masked network draws twice its training points
    masked = problem_of(cell, 0, 0)
    monkeypatch.setattr(jax, "devices", lambda: [Device(2 * 700 * 80 * networks), None])
    assert math.prod(_layout(program, masked, jobs, True)) == width


def test_a_device_that_does_not_say_its_memory_is_taken_to_have_eight_gib(monkeypatch):
    cell = Cell(tasks.get("lms-5", dim=3), MLP(2, 1), sgd(), n_train=2**20)
    program, problem = fit.program(cell, 0), problem_of(cell, 0)
    monkeypatch.setattr(jax, "devices", lambda: [Device(None)])
    assert _layout(program, problem, 1000, True) == (1, 2**33 // 2 // (2**20 * 80)) == (1, 51)


def test_few_networks_of_much_memory_are_trained_one_in_a_call():
    for width, rows in ((1000, 8), (300_000, 1)):
        cell = Cell(tasks.get("lms-5", dim=3), MLP(width, 1), sgd(), n_train=300)
        assert _layout(fit.program(cell, 0), problem_of(cell, 0), 9, False) == (2, rows)


@pytest.mark.thorough
def test_networks_that_end_soon_are_trained_several_in_a_call(cell, snapshots):
    moved = []
    jobs = [*snapshots, *(Job(cell, seed) for seed in range(10, 16))]
    again = train_jobs(jobs, n_select=SELECT, after_segment=lambda part: moved.append(len(part)))
    assert moved[0] == 2 < max(moved)
    for job, snapshot in snapshots.items():
        assert gap(again[job], snapshot) == 0
        np.testing.assert_array_equal(again[job].trace, snapshot.trace)


@pytest.mark.slow
@pytest.mark.parametrize("width, depth", [(300, 1), (100, 2), (300, 2)])
def test_larger_networks_do_not_depend_on_the_division_of_work(width, depth, monkeypatch):
    cell = Cell(
        tasks.get("noisy-lms-7"),
        MLP(width, depth),
        sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-5),
        n_train=40_000,
        stop=Stop(max_updates=200, check_every=20),
    )
    jobs = [Job(cell, seed) for seed in range(2)]
    devices = jax.devices()
    two = train_jobs(jobs, n_select=SELECT)
    # side by side products round otherwise, which 200 updates of two wide layers make much of
    begun = train_jobs(jobs, n_select=SELECT, until=20)
    vectorised = train_jobs(jobs, n_select=SELECT, until=20, vectorised=True)
    monkeypatch.setattr(jax, "devices", lambda *_: devices[:1])
    on_all = train_jobs(jobs, n_select=SELECT)
    stacked = train_jobs(jobs, n_select=SELECT, until=20, vectorised=True)
    for job in jobs:
        assert gap(two[job], on_all[job]) == 0
        for other in (vectorised, stacked):
            assert gap(begun[job], other[job]) <= TOLERANCE


@pytest.mark.thorough
def test_a_replay_is_the_network_as_it_was_along_training(cell, trained):
    half = replay(cell, 100, seeds=4, n_select=SELECT)
    whole = replay(cell, 200, seeds=[2], n_select=SELECT)
    for i in range(4):
        np.testing.assert_allclose(half.traces[i], trained.traces[i][:1], rtol=1e-5)
        assert half.outcome(i) == ("interrupted", "stopped after 100 updates")
    jax.tree.map(
        lambda first, other: np.testing.assert_allclose(first[0], other[2], atol=1e-4),
        whole.params,
        trained.params,
    )
    assert whole.outcome(0) == trained.outcome(2)


@pytest.mark.parametrize("updates", (0, 150, 300, 2.5))
def test_a_replay_stops_at_checks_of_the_training_only(cell, updates):
    with pytest.raises(ValueError, match="^updates: got"):
        replay(cell, updates)


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(seeds=(0, 1)), "^updates: got '4 entries', allowed: one for each seed, 2$"),
        (dict(seeds=(0, 1, 2, 2)), "^seeds: got"),
        (dict(rotation=np.zeros((4, 3, 3))), r"^rotation: got 'shape \(4, 3, 3\)', allowed: sh"),
        (dict(fitted_since=np.zeros((4, 7))), "^fitted_since: got 'shape"),
        (dict(params={"a": np.zeros((3, 1))}), r"^params: got 'leading axes \[\(3,\)\]', allowed"),
        (dict(initial={"a": np.zeros((4, 1)), "b": np.zeros((1, 4))}), "^initial: got 'leading"),
        (dict(traces=()), "^traces: got '0 entries'"),
    ),
)
def test_a_stack_of_parts_that_do_not_go_together_is_refused(trained, change, message):
    with pytest.raises(ValueError, match=message):
        replace(trained, **change)
    assert len(replace(trained, initial=None)) == 4
