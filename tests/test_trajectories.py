"""One seed, one course of training: what a larger n, another learner or a longer budget keep."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_tasks import Rings

import simbias
from simbias import MLP, Stop, losses, sgd, tasks
from simbias.training import replay
from simbias.training.fit import TRACE
from simbias.training.jobs import initial_params
from simbias.training.method import Method, Second, no_state
from simbias.training.problem import problem_of
from simbias.training.stack import redraw

TASK = tasks.get("noisy-lms-7", dim=4)
NETWORK, METHOD = MLP(20, 1), sgd(momentum=0.9)
SELECT = 500
PARTS = ("params", "updates", "end", "fitted_since")


def arrays():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 3))
    return tasks.ArrayTask("mine", x, (x[:, 0] > 0).astype(int))


def train(stop, *, network=NETWORK, method=METHOD, seeds=2, **more):
    options = dict(n_train=1000, batch=100, seeds=seeds, stop=stop, n_select=SELECT) | more
    return simbias.training.train(TASK, network, method, **options)


def same(first, other, parts=PARTS):
    """Whether two stacks hold the same bits."""
    pairs = zip(
        *(jax.tree.leaves([getattr(s, p) for p in parts]) for s in (first, other)), strict=True
    )
    return all(np.array_equal(*pair) for pair in pairs)


@pytest.fixture(scope="module")
def longer():
    return train(Stop(max_updates=2000))


# data


@pytest.mark.parametrize(
    ("make_task", "n"),
    [
        (lambda: TASK, 1),
        (lambda: TASK, 1001),
        (Rings, 1001),
        (arrays, 1001),
        pytest.param(lambda: TASK, 999, marks=pytest.mark.slow),
        pytest.param(lambda: tasks.get("xor"), 1001, marks=pytest.mark.slow),
    ],
)
def test_a_larger_training_set_begins_with_a_smaller_one(make_task, n):
    task = make_task()
    smaller, largest = (simbias.data(task, rows, seed=5) for rows in (n, 3000))
    for part in ("x", "y", "exception"):
        np.testing.assert_array_equal(getattr(smaller, part), getattr(largest, part)[:n])
    assert len(np.unique(largest.x, axis=0)) == 3000


@pytest.mark.slow
def test_learners_of_one_seed_meet_the_same_rows_in_the_same_order():
    learned = [
        train(Stop(max_updates=200), seeds=[7, 8]),
        train(Stop(max_updates=400), network=MLP(12, 2, "tanh"), seeds=[7, 8]),
        train(Stop(max_updates=200), method=two_stages(), seeds=[7, 8]),
    ]
    tree = simbias.train(TASK, simbias.estimator("decision-tree"), n_train=1000, seeds=[7])
    for stack in learned:
        own = jax.device_get(redraw(stack, 0))
        np.testing.assert_array_equal(own.x, tree.data[0].x)
        np.testing.assert_array_equal(own.y, tree.data[0].y)
    # one start, whatever minimises what
    hinge = replace(learned[0].cell, loss=losses.hinge())
    problems = [problem_of(hinge, seed) for seed in (7, 8)]
    for other in (learned[2].initial, initial_params(hinge, problems)):
        jax.tree.map(np.testing.assert_array_equal, learned[0].initial, other)
    assert {stack.draws[0] for stack in learned[:1] + learned[2:]} == {learned[0].draws[0]}


# budgets


@pytest.mark.parametrize("budget", (200, 1000))
@pytest.mark.thorough
def test_a_longer_budget_goes_on_from_a_shorter_one(longer, budget):
    shorter = train(Stop(max_updates=budget))
    checks = len(shorter.traces[0])
    for short, other in zip(shorter.traces, longer.traces, strict=True):
        np.testing.assert_array_equal(short, other[:checks])
    assert same(shorter, replay(longer.cell, budget, seeds=2, n_select=SELECT), ("params",))


@pytest.mark.parametrize(
    ("budget", "every"),
    [(200, 7), *(pytest.param(777, every, marks=pytest.mark.slow) for every in (7, 777))],
)
@pytest.mark.thorough
def test_where_checks_lie_changes_no_parameter(budget, every):
    plain, other = Stop(max_updates=budget), Stop(max_updates=budget, check_every=every)
    assert same(train(plain), train(other), ("params",))


@pytest.mark.thorough
def test_a_stop_rule_is_met_where_the_trace_of_a_longer_budget_says(longer):
    accuracy = longer.traces[0][:, TRACE.index("train_accuracy")]
    goal = float(accuracy[2])
    ended = train(Stop(train_accuracy=goal, max_updates=2000)).some([0])
    first = np.argmax(accuracy >= np.float32(goal))
    update = int(longer.traces[0][first, TRACE.index("updates")])
    assert 0 < ended.updates[0] == update < 2000
    np.testing.assert_array_equal(ended.traces[0], longer.traces[0][: first + 1])
    halted = replay(longer.cell, update, seeds=2, n_select=SELECT).some([0])
    assert same(ended, halted, ("params",))


def two_stages():
    """Half the step from update 150 on, which is no check."""

    def step(hyper, params, state, batch):
        gradient = jax.grad(batch.loss)(params)
        rate = hyper["learning_rate"] * state
        return jax.tree.map(lambda p, g: p - rate * g, params, gradient), state

    def enter(hyper, params, state, batch):
        return params, state / 2

    stage = Second(lambda hyper, budget: jnp.int32(150), enter, step)

    def init(hyper, params, n_train):
        return jnp.float32(1)

    return Method("halved", {"learning_rate": 0.1}, init, step, second=stage)


@pytest.mark.thorough
def test_a_second_stage_begins_at_its_update_whatever_the_checks_and_the_budget():
    shorter, longer = (train(Stop(max_updates=n), method=two_stages()) for n in (200, 400))
    assert same(shorter, replay(longer.cell, 200, seeds=2, n_select=SELECT), ("params",))
    often = replace(longer.cell, stop=Stop(max_updates=400, check_every=50))
    first = replay(often, 150, seeds=2, n_select=SELECT)
    plain = train(Stop(max_updates=150, check_every=7), method=sgd())
    close = zip(jax.tree.leaves(first.params), jax.tree.leaves(plain.params), strict=True)
    assert max(np.abs(a - b).max() for a, b in close) < 1e-5
    assert not same(shorter, train(Stop(max_updates=200), method=sgd()), ("params",))


@pytest.mark.thorough
def test_a_schedule_over_the_budget_makes_trajectories_of_their_own():
    def step(hyper, params, state, batch):
        rate = 0.1 * (1 - batch.update / batch.budget)
        return jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(batch.loss)(params)), state

    decayed = Method("decayed", {}, no_state, step, uses_budget=True)
    short, long = (train(Stop(max_updates=n), method=decayed) for n in (200, 400))
    halted = replay(long.cell, 200, seeds=2, n_select=SELECT)
    np.testing.assert_array_equal(halted.traces[0], long.traces[0][:1])  # with the same schedule
    assert not same(short, halted, ("params",))
    with pytest.raises(TypeError):  # what is not declared is not told
        train(Stop(max_updates=200), method=replace(decayed, name="silent", uses_budget=False))
