"""Networks trained on altered sets: what is altered and nothing else, the gap, coin flips."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest

from simbias import MLP, Stop, sgd, tasks
from simbias._keys import stream
from simbias.bounds import (
    BOUNDS,
    Observed,
    Replacements,
    coin_flip_errors,
    evaluate,
    replaced_points,
)
from simbias.tasks.oracle import Layer
from simbias.training import Cell, fit
from simbias.training.jobs import AlteredJob, Job, train_jobs
from simbias.training.problem import problem_of, training_set

pytestmark = pytest.mark.thorough

REPLACE_ONE, FLOOR = (BOUNDS.factory(name) for name in ("replace-one", "rademacher-floor"))


@pytest.fixture(scope="module")
def small():
    """Few points in many dimensions: they are memorised."""
    stop = Stop(max_updates=600, check_every=200)
    method = sgd(learning_rate=0.1, momentum=0.9)
    return Cell(tasks.get("ms-7", dim=40), MLP(20, 1), method, n_train=64, batch=16, stop=stop)


@pytest.fixture(scope="module")
def replacements(small):
    return replaced_points(small, 0, points=24, n_fresh=2000)


@pytest.fixture(scope="module")
def coin_errors(small):
    return coin_flip_errors(small, 0, draws=4)


def observed(y=(0, 1), **given):
    layers = (Layer(np.zeros((1, 2)), np.zeros(2)),)  # says 0 of everything
    return Observed(layers=layers, x=np.ones((len(y), 1)), y=np.array(y), **given)


def test_one_point_is_replaced_and_nothing_else_differs(small):
    own = training_set(small, problem_of(*Job(small, 3)))
    altered = training_set(small, problem_of(*AlteredJob(small, 3, replaced=5)))
    moved = np.flatnonzero(np.any(np.asarray(own.x) != np.asarray(altered.x), axis=1))
    assert moved.tolist() == [5]
    whole = training_set(small, problem_of(*AlteredJob(small, 3, replaced=-1)))
    for part, other in zip(jax.tree.leaves(own), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(part, other)
    first, second = (problem_of(*job) for job in (Job(small, 3), AlteredJob(small, 3, replaced=5)))
    for own_key, other_key in zip(first.keys, second.keys, strict=True):
        np.testing.assert_array_equal(own_key, other_key)


def test_replacements_of_different_points_are_independent_draws(small):
    others = [training_set(small, problem_of(*AlteredJob(small, 3, replaced=i))) for i in (5, 6)]
    rows = [np.asarray(points.x)[i] for points, i in zip(others, (5, 6), strict=True)]
    own = np.asarray(training_set(small, problem_of(*Job(small, 3))).x)
    assert min(np.abs(own - row).max(axis=1).min() for row in rows) > 1e-3
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


def test_coin_flips_are_fair_and_depend_on_seed_and_draw_alone(small):
    jobs = [AlteredJob(small, seed, coins=draw) for seed in (0, 1) for draw in range(10)]
    sets = [training_set(small, problem_of(*job)) for job in jobs]
    own = training_set(small, problem_of(*Job(small, 0)))
    np.testing.assert_array_equal(own.x, sets[0].x)
    labels = np.array([points.y for points in sets])
    assert abs(labels.mean() - 0.5) < 4 / math.sqrt(4 * labels.size)
    for other in (np.roll(labels, 1, axis=0), np.asarray(own.y), labels[:, ::-1]):
        assert abs(np.mean(labels == other) - 0.5) < 4 / math.sqrt(4 * labels.size)
    again = training_set(small, problem_of(*AlteredJob(small, 0, coins=0)))
    np.testing.assert_array_equal(again.y, sets[0].y)


@pytest.mark.slow
def test_without_a_replacement_the_network_is_that_of_the_seed(small):
    jobs = Job(small, 0), AlteredJob(small, 0, replaced=-1)
    ended = [train_jobs([job])[job].state.params for job in jobs]
    for own, other in zip(*map(jax.tree.leaves, ended), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4)


def test_replacing_a_memorised_point_costs_what_fresh_points_cost(small, replacements):
    """The value estimates the gap, which the risk of the network itself gives too."""
    record = REPLACE_ONE(observed(replacements=replacements))
    assert record.terms["error on the points"] == 0
    job = AlteredJob(small, 0, replaced=-1)
    state = train_jobs([job])[job].state
    problem = problem_of(*job)
    program = fit.program(small, 1)
    fresh = small.task.draw(
        problem.law, stream(jax.random.wrap_key_data(problem.keys.data), "certify"), "certify", 4000
    )
    logits = small.network.apply(fit.evaluated(program, problem, state), fresh.x)
    gap = float(np.mean((logits[:, 1] > logits[:, 0]) != (fresh.y == 1)))
    assert 0.2 < gap < 0.6
    assert record.terms["value, low"] < gap < record.terms["value, high"]
    assert record.value == pytest.approx(gap, abs=4 * math.sqrt(gap * (1 - gap) / 24))
    assert record.terms["change of the loss"] > 0.1
    assert 0 < record.terms["labels changed, mean"] < 0.3


def test_a_network_that_keeps_its_points_shows_no_gap(small, replacements):
    # planted: the network with all its points in place of those without one
    same = replacements._replace(other_errs=replacements.errs, other_loss=replacements.loss)
    record = REPLACE_ONE(observed(replacements=same))
    assert (record.value, record.terms["change of the loss"]) == (0, 0)
    assert "change of the loss, low" not in record.terms  # nothing varies


def test_values_by_hand():
    replacements = Replacements(
        errs=np.array([1, 0, 0, 0]),
        other_errs=np.array([0, 1, 1, 0]),
        loss=np.array([1.0, 0.0, 0.0, 0.0]),
        other_loss=np.array([0.0, 2.0, 1.0, 0.0]),
        relabelled=np.array([0.0, 0.1, 0.1, 0.2]),
    )
    record = REPLACE_ONE(observed(replacements=replacements), delta=0.05)
    assert record.value == 1 / 4 and record.terms["change of the loss"] == 1 / 2
    # changes -1, 2, 1, 0 of deviation sqrt(5/3); t of three degrees of freedom 3.182
    assert record.terms["change of the loss, high"] == pytest.approx(0.5 + 3.182 * 0.6455, abs=1e-3)
    assert record.terms["labels changed, mean"] == pytest.approx(0.1)
    assert record.terms["labels changed, most"] == 0.2
    assert -1 <= record.terms["value, low"] < 1 / 4 < record.terms["value, high"] <= 1

    floor = FLOOR(observed([0, 0, 0, 1], coin_errors=np.array([0.0, 0.25])), delta=0.05)
    assert floor.terms["training error"] == 1 / 4 and floor.terms["complexity"] == 3 / 4
    assert floor.value == pytest.approx(1 / 4 + 3 / 4 + 3 * math.sqrt(math.log(40) / 8))
    assert floor.terms["complexity, low"] < 3 / 4 < floor.terms["complexity, high"]


@pytest.mark.slow
def test_a_network_that_fits_coin_flips_has_a_floor_of_one(coin_errors):
    fitted = FLOOR(observed([0] * 64, coin_errors=coin_errors))
    assert fitted.terms["complexity"] > 0.9 and fitted.value > 0.9 + fitted.terms["confidence"]


@pytest.mark.slow
def test_a_network_too_small_to_fit_coin_flips_has_a_low_floor():
    task, stop = tasks.get("ms-7", dim=2), Stop(max_updates=200)
    errors = coin_flip_errors(Cell(task, MLP(1, 1), sgd(), n_train=2000, stop=stop), 0, draws=2)
    assert FLOOR(observed(coin_errors=errors)).terms["complexity"] < 0.15


def test_more_points_or_draws_leave_the_first_ones_as_they_are(small, replacements, coin_errors):
    fewer = replaced_points(small, 0, points=2, n_fresh=2000)
    for part, whole in zip(fewer, replacements, strict=True):
        np.testing.assert_array_equal(part, whole[:2])
    np.testing.assert_array_equal(coin_flip_errors(small, 0, draws=1), coin_errors[:1])


def test_evaluations_train_anew_where_it_is_asked_for(small):
    from simbias import train

    stack = train(small.task, small.network, small.method, n_train=64, batch=16, stop=small.stop)
    names = ["replace-one", "rademacher-floor", "l2-norm"]
    without = evaluate(stack, bounds=names, n_certify=100)
    assert [each.record.reason for each in without[:2]] == [
        "networks trained with one point replaced: none",
        "networks trained on coin flips: none",
    ]
    anew = evaluate(stack, bounds=names, n_certify=100, retrained=2)
    assert [each.record.terms.get("points") for each in anew] == [2, None, None]
    assert anew[1].record.terms["draws"] == 2 and anew[1].valid is None
    assert anew[2].record == without[2].record


@pytest.mark.parametrize(
    "call, message",
    (
        (lambda cell: replaced_points("cell", 0, points=1), "^cell: got 'cell', allowed: a Cell"),
        (lambda cell: replaced_points(cell, -1, points=1), "^seeds: got"),
        (lambda cell: replaced_points(cell, 0, points=0), "^points: got 0, allowed"),
        (lambda cell: replaced_points(cell, 0, points=65), r"^points: got 65, allowed: .*64"),
        (lambda cell: replaced_points(cell, 0, points=1, n_fresh=0), "^n_fresh: got 0, allowed"),
        (lambda cell: coin_flip_errors(cell, 0, draws=0), "^draws: got 0, allowed"),
        (
            lambda cell: replaced_points(replace(cell, task=given()), 0, points=1),
            "^cell: got 'given', allowed: one whose task draws from a law, not given points$",
        ),
        (
            lambda cell: coin_flip_errors(replace(cell, task=given(3)), 0, draws=1),
            "^cell: got '3 classes', allowed: one whose task has two$",
        ),
        (
            lambda cell: observed(coin_errors=np.array([1.5])),
            r"^coin_errors: got 'shape \(1,\)', allowed: errors in \[0, 1\]",
        ),
        (
            lambda cell: observed(replacements=Replacements(*(np.zeros(2),) * 4, np.zeros(3))),
            r"^replacements: relabelled: got 'shape \(3,\)', allowed: one entry for each point$",
        ),
    ),
)
def test_bad_arguments_are_refused_in_one_line(small, call, message):
    with pytest.raises(ValueError, match=message):
        call(small)


def given(classes=2):
    source = np.random.default_rng(0)
    return tasks.ArrayTask(
        "given", source.normal(size=(200, 40)).astype(np.float32), source.integers(0, classes, 200)
    )


def test_a_network_that_diverges_is_named(small):
    wild = replace(small, method=sgd(learning_rate=1e20))
    with pytest.raises(
        ValueError, match="^cell: got '.* diverged, seed 0', allowed: networks that"
    ):
        coin_flip_errors(wild, 0, draws=1)
