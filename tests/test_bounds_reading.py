"""Which points a data-dependent prior and its bound may read: labels are flipped, and inputs are
spoiled, on the side that must not be read, where nothing may change, and on the other, where it
must.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from simbias import MLP, sgd, tasks
from simbias.bounds import descent
from simbias.bounds import observed as observed_of
from simbias.bounds.observed import Observed, observe
from simbias.bounds.posterior import _posterior, _problem
from simbias.tasks.oracle import Layer
from simbias.training import Cell
from simbias.training import problem as problem_of
from simbias.validation import control

N, FIRST, PADDED = 91, 45, 4096
PRIOR, POSTERIOR, PADDING = slice(0, FIRST), slice(FIRST, N), slice(N, PADDED)
STEPS = 20


def observed():
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (N, 3))
    layers = [
        tuple(Layer(random.normal(size=(a, b)), random.normal(size=b)) for a, b in ((3, 5), (5, 2)))
        for _ in (0, 1)
    ]
    return Observed(
        layers=layers[0], x=x, y=(x[:, 0] + 0.3 * x[:, 1] > 0).astype(int), initial=layers[1]
    )


@pytest.fixture(scope="module")
def problem():
    return jax.tree.map(jnp.asarray, _problem(observed(), "first half"))


def spoiled(problem, rows):
    """No input there is a number, and every label is the other one."""
    return problem._replace(
        x=problem.x.at[rows].set(jnp.nan), sign=problem.sign.at[rows].multiply(-1)
    )


def flipped(problem, rows):
    return problem._replace(sign=problem.sign.at[rows].multiply(-1))


@jax.jit
def learned(problem):
    """The centre of the prior."""
    return descent._learn(jax.nn.relu, problem, jnp.int32(STEPS), jax.random.key(0))


@jax.jit
def descended(problem):
    centre = problem.centre
    return descent._descend(jax.nn.relu, problem, centre, jnp.int32(STEPS), jax.random.key(1))


@partial(jax.jit, static_argnums=1)
def counted(problem, pairs=descent.ROWS):
    """Errors of the posterior that is sure of the trained weights."""
    sure = jax.tree.map(lambda leaf: jnp.full_like(leaf, -20.0), problem.mean)
    free = descent.Free(problem.mean, sure, jnp.zeros(2))
    return descent._errors(jax.nn.relu, problem, free, pairs, jax.random.key(2))


def same(first, other):
    return all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), first, other)))


@pytest.mark.thorough
def test_a_posterior_is_descended_by_adam_on_the_quadratic_bound(problem):
    n = N - FIRST
    start = jax.tree.map(lambda leaf: jnp.full_like(leaf, np.log(0.03)), problem.mean)
    free = descent.Free(problem.mean, start, jnp.full(2, 2 * np.log(0.03), jnp.float32))
    rate = optax.exponential_decay(0.01 * 0.003 ** (1 / STEPS), STEPS, 0.003)
    adam = optax.adam(rate, b1=0.9, b2=0.999, eps=1e-8)

    def bound(free, x, sign, noise):
        deviation = jax.tree.map(jnp.exp, free.log_deviation)
        output, width = descent._output(jax.nn.relu, free.mean, deviation, x, (noise,))
        error = jax.scipy.stats.norm.cdf(-sign * output / width).mean()
        divergence = descent._divergence(free, problem.centre)
        rest = (divergence + np.log(2 * np.sqrt(n) / 0.05)) / (2 * n)
        return (jnp.sqrt(error + rest) + jnp.sqrt(rest)) ** 2

    @jax.jit
    def step(i, free, state):
        key_rows, key_units = jax.random.split(jax.random.fold_in(jax.random.key(1), i))
        rows = jax.random.randint(key_rows, (descent.BATCH,), FIRST, N)
        units = descent.BATCH, len(problem.mean[0].bias)
        noise = jax.random.normal(jax.random.fold_in(key_units, 0), units)
        slope = jax.grad(bound)(free, problem.x[rows], problem.sign[rows], noise)
        with jax.numpy_dtype_promotion("standard"):  # optax counts in integers
            moves, state = adam.update(slope, state)
        return optax.apply_updates(free, moves), state

    state = adam.init(free)
    for i in range(STEPS):
        free, state = step(i, free, state)
    for first, other in zip(*map(jax.tree.leaves, (descended(problem), free)), strict=True):
        np.testing.assert_allclose(first, other, atol=2e-5)


@pytest.mark.thorough
def test_a_prior_is_learned_by_momentum_on_the_logistic_loss_of_its_half(problem):
    def loss(layers, x, sign):
        (inner, bias), (outer, shift) = layers
        output = jnp.maximum(x @ inner + bias[None, :], 0) @ outer + shift[None, :]
        return jnp.log1p(jnp.exp(-sign * output[:, 0])).mean()

    slope_of = jax.jit(jax.grad(loss))
    layers = problem.centre
    speed = jax.tree.map(jnp.zeros_like, layers)
    for i in range(STEPS):
        draw = jax.random.fold_in(jax.random.key(0), i)
        rows = jax.random.randint(draw, (descent.BATCH,), 0, FIRST)
        slope = slope_of(layers, problem.x[rows], problem.sign[rows])
        speed = jax.tree.map(lambda v, g: 0.9 * v + g, speed, slope)
        layers = jax.tree.map(lambda w, v: w - 0.1 * v, layers, speed)
    for first, other in zip(*map(jax.tree.leaves, (learned(problem), layers)), strict=True):
        np.testing.assert_allclose(first, other, atol=1e-5)


def test_the_sample_is_split_in_halves_of_which_the_first_is_the_priors(problem):
    assert (problem.first, problem.n, len(problem.x)) == (FIRST, N, PADDED)
    np.testing.assert_array_equal(problem.x[:N], observed().x.astype(np.float32))


@pytest.mark.parametrize(
    ("names", "own", "others"),
    [
        (learned, PRIOR, (POSTERIOR, PADDING)),
        (descended, POSTERIOR, (PRIOR, PADDING)),
        (counted, POSTERIOR, (PRIOR, PADDING)),
    ],
)
@pytest.mark.thorough
def test_a_prior_reads_its_own_half_and_its_bound_the_other(problem, names, own, others):
    usual = names(problem)
    assert not same(usual, names(flipped(problem, own)))
    for rows in others:
        assert same(usual, names(spoiled(problem, rows)))


def test_every_point_of_a_half_is_read(problem):
    for fitted, rows in ((learned, PRIOR), (descended, POSTERIOR)):
        usual = fitted(problem)
        for row in (rows.start, rows.stop - 1):
            assert not same(usual, fitted(spoiled(problem, row)))
    # 2000 pairs meet each of 46 points some 43 times
    usual = int(counted(problem))
    for row in (FIRST, N - 1):
        assert abs(int(counted(flipped(problem, row))) - usual) > 20


def test_without_steps_a_prior_is_centred_at_the_initialisation(problem):
    whole = jax.tree.map(jnp.asarray, _problem(observed(), "initialisation"))
    assert whole.first == 0
    for other in (problem, whole, spoiled(whole, slice(None))):
        centre = descent._learn(jax.nn.relu, other, jnp.int32(0), jax.random.key(0))
        assert same(centre, problem.centre)


@pytest.mark.parametrize(("prior", "n"), (("initialisation", N), ("first half", N - FIRST)))
def test_a_bound_counts_the_points_that_its_prior_has_not_read(problem, prior, n):
    log = jax.tree.map(lambda leaf: jnp.full_like(leaf, np.log(0.03)), problem.mean)
    free = descent.Free(problem.mean, log, jnp.full(2, 2 * np.log(0.03)))
    optimised = descent.Optimised(free, problem.centre, jnp.int32(7))
    assert _posterior(observed(), prior, jax.device_get(optimised)).n == n


@pytest.mark.thorough
def test_held_out_errors_are_counted_on_a_stream_that_nothing_else_reads(monkeypatch):
    cell = Cell(tasks.get("noisy-lms-7", dim=3), MLP(2, 1), sgd(), n_train=8, batch=4)
    asked, points, fresh = [], problem_of.draw_points, observed_of.drawn

    def draw_points(draw, of, name, rows):
        asked.append((name, rows))
        return points(draw, of, name, rows)

    def drawn(draw, name, rows, key, law):
        asked.append((name, rows))
        return fresh(draw, name, rows, key, law)

    monkeypatch.setattr(problem_of, "draw_points", draw_points)
    for module in (problem_of, observed_of):
        monkeypatch.setattr(module, "drawn", drawn)
    observe(control(cell, "simple"), 0, held_out=11)
    assert [name for name, rows in asked if rows == 11] == ["holdout"]
    assert "holdout" not in [name for name, rows in asked if rows != 11]
