"""When training ends, and in what words; on rules and on real small runs."""

import json
import math
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbias import MLP, Stop, sgd, tasks, train
from simbias.losses import cross_entropy
from simbias.tasks import Points
from simbias.training import Cell, fit, replay
from simbias.training.jobs import Snapshot
from simbias.training.problem import _most_errors, problem_of
from simbias.training.stop import End


def checks(stop):
    """The updates after which there is a check."""
    return [updates for updates in range(1, stop.max_updates + 1) if stop.checked_at(updates)]


def test_checks_by_hand():
    assert checks(Stop(max_updates=3500)) == [200, 400, 600, 800, 1000, 2000, 3000, 3500]
    assert checks(Stop(max_updates=200, check_every=50)) == [50, 100, 150, 200]
    assert checks(Stop(max_updates=7)) == [7]
    assert not Stop().checked_at(0) and not Stop(max_updates=200).checked_at(400)


@given(st.integers(1, 5000), st.integers(1, 5000), st.none() | st.integers(1, 5000))
def test_checks_lie_at_the_same_updates_whatever_the_budget(first, other, every):
    shorter, longer = sorted((first, other))
    every = every and min(every, shorter)
    few = checks(Stop(max_updates=shorter, check_every=every))
    many = checks(Stop(max_updates=longer, check_every=every))
    assert few[-1] == shorter and many[-1] == longer
    assert few[:-1] == [updates for updates in many if updates < shorter]


@given(st.integers(1, 5000), st.none() | st.integers(1, 5000))
def test_a_stride_divides_the_updates_between_any_two_checks(budget, every):
    stop = Stop(max_updates=budget, check_every=every and min(every, budget))
    assert not any(updates % stop.stride for updates in checks(stop))


@pytest.mark.parametrize(
    "rule, end, status, reason",
    [
        (Stop(train_accuracy=0.99), End.ACCURACY, "done", "train accuracy >= 0.99"),
        (Stop(train_loss=0.01), End.LOSS, "done", "train loss <= 0.01"),
        (Stop(select_accuracy=0.99), End.SELECT, "done", "accuracy on select draws >= 0.99"),
        (Stop(max_updates=300), End.BUDGET, "done", "trained for 300 updates"),
        (
            Stop(select_accuracy=0.99, max_updates=300),
            End.BUDGET,
            "not-converged",
            "budget of 300 updates spent",
        ),
        (
            Stop(train_accuracy=0.99, max_updates=300),
            End.BUDGET,
            "not-converged",
            "budget of 300 updates spent",
        ),
        (
            Stop(train_loss=0.01, max_updates=300),
            End.BUDGET,
            "not-converged",
            "budget of 300 updates spent",
        ),
        (Stop(patience=7), End.PATIENCE, "not-converged", "no lower train loss in 7 checks"),
        (Stop(), End.DIVERGED, "diverged", "train loss not finite at update 300"),
        (Stop(), End.LOST, "diverged", "train loss over 100 times that of a guess at update 300"),
        (Stop(), End.RUNNING, "interrupted", "stopped after 300 updates"),
    ],
)
def test_every_end_has_a_status_and_a_reason(rule, end, status, reason):
    assert rule.outcome(end, 300) == (status, reason)


@pytest.mark.parametrize(
    "setting, value",
    [
        *(
            (name, value)
            for name in ("train_accuracy", "select_accuracy")
            for value in (0, -0.1, 1.01, np.nan, "all")
        ),
        *(("train_loss", value) for value in (-0.1, np.nan, np.inf, "low")),
        *(("max_updates", value) for value in (0, -1, 1.5, None, "many")),
        *(("patience", value) for value in (0, -1, 1.5)),
        *(("check_every", value) for value in (0, -1, 1.5, 40_001, 80_000)),
    ],
)
def test_bad_rules_name_the_argument_what_arrived_and_what_is_allowed(setting, value):
    with pytest.raises(ValueError, match=rf"^{setting}: got .*allowed: .+$"):
        Stop(**{setting: value})


def test_equal_rules_have_equal_settings_whatever_numbers_they_were_given_as():
    first = Stop(train_accuracy=1, train_loss=0, max_updates=np.int64(100), patience=np.int32(3))
    other = Stop(train_accuracy=1.0, train_loss=0.0, max_updates=100, patience=3)
    assert first == other
    assert json.dumps(first.settings) == json.dumps(other.settings)


@pytest.fixture(scope="module")
def tiny():
    def run(stop, *, learning_rate=0.1, name="lms-5", n_train=64, seeds=2):
        return train(
            tasks.get(name, dim=4),
            MLP(8, 1),
            sgd(learning_rate=learning_rate),
            n_train=n_train,
            batch=16,
            seeds=seeds,
            stop=stop,
            n_select=16,
        )

    return run


def test_a_huge_learning_rate_is_reported_as_diverged(tiny):
    stack = tiny(Stop(max_updates=500, check_every=10), learning_rate=1e20)
    for i in range(2):
        status, reason = stack.outcome(i)
        assert status == "diverged"
        assert reason == f"train loss not finite at update {stack.updates[i]}"
        assert not np.isfinite(stack.traces[i][-1, 1])
        assert np.isfinite(stack.traces[i][:-1, 1]).all()
        assert stack.updates[i] < 500


LOST_AND_BACK = (2, 1)  # of seeds at a learning rate of 250


@pytest.mark.parametrize("end", End)
def test_only_a_run_that_ends_short_of_its_goal_is_lost_by_its_loss(end):
    limit = 100 * np.log(2)
    spent = end in (End.BUDGET, End.PATIENCE)
    assert Stop().ended(end, limit * (1 - 1e-9), np.log(2)) == end
    assert Stop().ended(end, limit * (1 + 1e-9), np.log(2)) == (End.LOST if spent else end)
    assert Stop().ended(end, np.nan, np.log(2)) == end


def test_a_loss_that_has_left_every_useful_range_is_diverged_one_that_comes_down_is_not(tiny):
    stack = tiny(Stop(max_updates=500, check_every=10), learning_rate=250, seeds=LOST_AND_BACK)
    (lost, back), limit = [trace[:, 1] for trace in stack.traces], 100 * np.log(2)
    assert np.isfinite([lost, back]).all() and max(back) > limit
    assert lost[-1] > limit > back[-1]
    reason = "train loss over 100 times that of a guess at update 500"
    assert stack.outcome(0) == ("diverged", reason)
    assert stack.outcome(1) == ("done", "trained for 500 updates")


def test_a_network_halted_at_a_high_loss_is_not_said_to_have_diverged(tiny):
    stack = tiny(Stop(max_updates=500, check_every=10), learning_rate=250, seeds=LOST_AND_BACK)
    assert stack.outcome(0)[0] == "diverged"
    before = stack.traces[0][:-1]
    update = int(before[before[:, 1] > 100 * np.log(2)][0, 0])
    halted = replay(stack.cell, update, seeds=LOST_AND_BACK, n_select=16)
    assert halted.outcome(0) == ("interrupted", f"stopped after {update} updates")
    assert halted.traces[0][-1, 1] > 100 * np.log(2)
    assert replay(stack.cell, 500, seeds=LOST_AND_BACK, n_select=16).outcome(0) == stack.outcome(0)


def test_a_moderate_learning_rate_is_not(tiny):
    stack = tiny(Stop(max_updates=500, check_every=10))
    assert [stack.outcome(i)[0] for i in range(2)] == ["done", "done"]
    np.testing.assert_array_equal(stack.updates, [500, 500])


def test_reaching_the_train_accuracy_ends_at_the_first_check_that_does(tiny):
    stack = tiny(Stop(train_accuracy=0.9, max_updates=500, check_every=10))
    accuracy = stack.traces[0][:, 2]
    assert stack.outcome(0) == ("done", "train accuracy >= 0.9")
    assert accuracy[-1] >= np.float32(0.9) and np.all(accuracy[:-1] < 0.9)
    assert stack.updates[0] == stack.traces[0][-1, 0] < 500


def test_reaching_the_train_loss_ends_at_the_first_check_that_does(tiny):
    stack = tiny(Stop(train_loss=0.4, max_updates=500, check_every=10))
    loss = stack.traces[0][:, 1]
    assert stack.outcome(0) == ("done", "train loss <= 0.4")
    assert loss[-1] <= 0.4 and np.all(loss[:-1] > 0.4)


@pytest.mark.parametrize("goal", (0.75, 0.8125, 1.0))
def test_reaching_the_select_accuracy_ends_at_the_first_check_that_does(tiny, goal):
    stack = tiny(Stop(select_accuracy=goal, max_updates=2000, check_every=10))
    accuracy = stack.traces[0][:, 3]
    assert stack.outcome(0) == ("done", f"accuracy on select draws >= {goal:g}")
    assert accuracy[-1] >= goal and np.all(accuracy[:-1] < goal)


def test_a_run_out_of_budget_is_not_converged(tiny):
    stack = tiny(Stop(train_loss=1e-6, max_updates=500, check_every=10))
    assert stack.outcome(0) == ("not-converged", "budget of 500 updates spent")


def test_weights_that_never_move_lose_patience_after_the_first_check(tiny):
    stop = Stop(max_updates=500, check_every=10, patience=3)
    stack = tiny(stop, learning_rate=1e-30)
    assert stack.outcome(0) == ("not-converged", "no lower train loss in 3 checks")
    assert stack.updates[0] == 40


def test_patience_starts_anew_at_every_lower_loss(tiny):
    stop = Stop(max_updates=500, check_every=10, patience=3)
    stack = tiny(stop, learning_rate=1.0, name="noisy-lms-5", seeds=(0, 2))
    restarts = 0
    for i, trace in enumerate(stack.traces):
        stale, best, counted = 0, np.inf, []
        for loss in trace[:, 1]:
            stale, best = (0, loss) if loss < best else (stale + 1, best)
            counted.append(stale)
        assert counted[-1] == 3 and max(counted[:-1]) == 2
        assert stack.outcome(i) == ("not-converged", "no lower train loss in 3 checks")
        restarts += sum(later < earlier for earlier, later in pairwise(counted))
    assert restarts > 0


@pytest.mark.parametrize("n_train", (pytest.param(41, marks=pytest.mark.slow), 64))
def test_perfect_train_accuracy_is_reached_at_every_sample_size(tiny, n_train):
    stop = Stop(train_accuracy=1.0, max_updates=2000, check_every=10)
    stack = tiny(stop, n_train=n_train)
    assert stack.outcome(0) == ("done", "train accuracy >= 1")
    assert stack.traces[0][-1, 2] == 1


def test_the_fewest_right_points_of_an_accuracy_are_those_of_exact_arithmetic():
    # an accuracy as it is written: .995 of 200 is 199, whatever float(0.995) is
    sizes = [*range(1, 130), 199, 200, 201, 999, 1000, 1001, 4000, 40_000]
    written = [f"0.{digits:0{k}d}" for k in (1, 2) for digits in range(1, 10**k)]
    for text in [*written, "0.995", "0.999", "0.9995", "1", "0.3333", "0.0001"]:
        for n in sizes:
            expected = n - math.ceil(Fraction(text) * n)
            assert _most_errors(float(text), n) == expected, (text, n)
    assert _most_errors(None, 10) == -1


class Reads:
    """A network whose logit difference is the first coordinate."""

    def apply(self, params, x):
        return jnp.stack([jnp.zeros(len(x)), x[:, 0]], axis=1)


@cache
def checked(rows, select):
    kind, loss = sgd().compiled_in, cross_entropy()
    program = fit.Program(Reads(), kind, loss, None, (1,), 2, rows, select, 1, 100)
    return jax.jit(partial(fit._check, program))


def check(margins, stop=None, *, select=(1, 1, 1, 1), asked=None, state=None, updates=100):
    """What a check says of signed margins of training and select points, labelled in turn.

    The first half of either are exceptions.
    """
    stop = Stop(max_updates=1000, check_every=100) if stop is None else stop
    cell = Cell(tasks.get("lms-5", dim=2), MLP(2, 1), sgd(), len(margins), batch=1, stop=stop)
    data = []
    for signed in map(np.float32, (margins, select)):
        y = np.arange(len(signed), dtype=np.int32) % 2
        x = np.where(y == 1, signed, -signed)[:, None]
        data.append(Points(x, y, np.arange(len(y)) < len(y) / 2))
    if state is None:
        none = np.full(len(margins), -1, np.int32)
        zero, far = np.int32(0), np.float32(np.inf)
        state = fit.State((), (), zero, zero, zero, none, far, zero, np.int32(End.RUNNING))
    state = state._replace(updates=np.int32(updates))
    state, row = checked(len(margins), asked or len(select))(problem_of(cell, 0), state, *data)
    return state, dict(zip(fit.TRACE, row.tolist(), strict=True))


def test_a_check_counts_what_is_right_among_all_and_among_exceptions():
    margins = [2.0, -1, 3, -1, 1, 1, 1, 1, 1, -1]
    state, row = check(margins, select=[1, 1, -1, -1])
    assert row["updates"] == 100
    assert row["train_loss"] == pytest.approx(np.logaddexp(0, -np.array(margins)).mean())
    assert row["train_accuracy"] == pytest.approx(0.7)
    assert row["exceptions_fitted"] == pytest.approx(0.6)
    assert (row["select_accuracy"], row["exceptions_fresh"]) == (0.5, 1)
    assert End(int(state.end)) is End.RUNNING
    np.testing.assert_array_equal(state.fitted_since, np.where(np.array(margins) > 0, 100, -1))
    # a point that was fitted and is again was fitted since; one that is lost starts anew
    state, _ = check([2.0, 1, -3, *margins[3:]], state=state, updates=200)
    assert state.fitted_since.tolist()[:4] == [100, 200, -1, -1]


def test_select_accuracy_is_of_the_points_that_a_task_has_where_more_are_asked_for():
    stop = Stop(select_accuracy=0.7, max_updates=1000, check_every=100)
    state, row = check([1.0] * 10, stop, select=[1, 1, -1, -1], asked=100)
    assert row["select_accuracy"] == 0.5 and End(int(state.end)) is End.RUNNING


def test_a_tie_says_the_negative_label():
    _, row = check([0.0, 0.0, 0.0, 0.0])
    assert row["train_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("stop", "wrong", "fresh", "end"),
    [
        (dict(train_accuracy=0.9), 1, 4, End.ACCURACY),
        (dict(train_accuracy=0.9), 2, 0, End.RUNNING),
        (dict(train_accuracy=0.91), 1, 0, End.RUNNING),
        (dict(select_accuracy=0.75), 9, 1, End.SELECT),
        (dict(select_accuracy=0.75), 0, 2, End.RUNNING),
        (dict(select_accuracy=1.0), 9, 0, End.SELECT),
        (dict(select_accuracy=1.0), 0, 1, End.RUNNING),
        (dict(train_loss=0.7), 0, 4, End.LOSS),
        (dict(train_loss=0.1), 0, 0, End.RUNNING),
        (dict(max_updates=100), 0, 0, End.BUDGET),
        (dict(max_updates=200), 0, 0, End.RUNNING),
        # of several the one that says most
        (dict(max_updates=100, select_accuracy=0.75), 9, 1, End.SELECT),
        (dict(max_updates=100, select_accuracy=0.75, train_loss=0.7), 0, 1, End.LOSS),
        (dict(max_updates=100, train_loss=0.7, train_accuracy=0.9), 0, 1, End.ACCURACY),
        (dict(max_updates=100, patience=1), 0, 0, End.BUDGET),
    ],
)
def test_a_goal_is_met_at_exactly_its_number_of_errors(stop, wrong, fresh, end):
    stop = Stop(**{"max_updates": 1000, "check_every": 100} | stop)
    margins = np.where(np.arange(10) < wrong, -1.0, 1.0)
    select = np.where(np.arange(4) < fresh, -1.0, 1.0)
    assert End(int(check(margins, stop, select=select)[0].end)) is end


@pytest.mark.parametrize("bad", (np.nan, np.inf, -np.inf))
def test_one_point_without_a_finite_loss_is_divergence_whatever_else_is_reached(bad):
    stop = Stop(max_updates=100, check_every=100, train_accuracy=0.5)
    state, _ = check([-1.0 * abs(bad), 1, 1, 1], stop)
    assert End(int(state.end)) is End.DIVERGED
    assert Snapshot(state, np.zeros((1, 6))).diverged is True
    well = Snapshot(check([1, 1, 1, 1])[0], np.zeros((1, 6)))
    assert well.diverged is False and well.running is True


def test_patience_counts_checks_whose_loss_is_not_strictly_lower():
    stop = Stop(max_updates=1000, check_every=100, patience=2)
    state, stale = None, []
    for margin in (1.0, 1.0, 2.0, 1.5, 2.0):
        state, _ = check([margin] * 4, stop, state=state)
        stale.append((int(state.stale), End(int(state.end))))
    going = End.RUNNING
    assert stale == [(0, going), (1, going), (0, going), (1, going), (2, End.PATIENCE)]
    assert state.best_loss == pytest.approx(np.logaddexp(0, -2.0))
