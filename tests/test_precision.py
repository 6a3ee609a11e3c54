"""The precision of products: rounded factors, float32 sums, and nothing else of an update."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simbias
from simbias.training import Cell, cell_from_settings
from simbias.training.jobs import check_memory, group_key
from simbias.training.precision import PRECISIONS, at_precision, check_device
from simbias.training.stack import redraw

TASK = simbias.tasks.get("noisy-lms-5", dim=4)
CELL = Cell(TASK, simbias.MLP(8), simbias.sgd(), 1000, stop=simbias.Stop(max_updates=200))


def rounded(x):
    """What bfloat16 keeps."""
    return x.astype(jnp.bfloat16).astype(jnp.float32)


def squares(params, x):
    return jnp.mean(jax.nn.relu(x @ params["kernel"] + params["bias"][None, :]) ** 2)


def draws(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_gradient_is_that_of_factors_rounded_forward_and_backward():
    x, kernel = draws(64, 30), draws(30, 40)
    params = {"kernel": kernel, "bias": jnp.full(40, 0.1)}
    gradient = jax.jit(at_precision(jax.grad(squares), "bfloat16"))(params, x)
    hidden = jax.nn.relu(rounded(x) @ rounded(kernel) + 0.1)
    slope = 2 * hidden / hidden.size
    np.testing.assert_allclose(gradient["kernel"], rounded(x).T @ rounded(slope), atol=1e-6)
    np.testing.assert_allclose(gradient["bias"], slope.sum(axis=0), rtol=1e-5)  # not rounded
    exact = jax.jit(jax.grad(squares))(params, x)
    assert float(abs(gradient["kernel"] - exact["kernel"]).max()) > 1e-5


def test_products_within_loops_and_branches_are_rounded_too():
    x = draws(8, 8)

    def looped(x):
        def halved(_, y):
            return y @ x / 8

        y = jax.lax.fori_loop(0, 2, halved, x)
        y, _ = jax.lax.scan(lambda y, _: (halved(0, y), None), y, length=2)
        return jax.lax.cond(y.sum() > jnp.inf, lambda y: y, lambda y: y @ x, y)

    expected = x
    for scale in (8, 8, 8, 8, 1):
        expected = rounded(expected) @ rounded(x) / scale
    np.testing.assert_allclose(jax.jit(at_precision(looped, "bfloat16"))(x), expected, rtol=1e-5)


def test_convolutions_are_rounded():
    x, kernel = draws(1, 2, 6, 6), draws(3, 2, 3, 3)

    def convolved(x, kernel):
        return jax.lax.conv(x, kernel, (1, 1), "SAME")

    result = jax.jit(at_precision(convolved, "bfloat16"))(x, kernel)
    np.testing.assert_allclose(result, convolved(rounded(x), rounded(kernel)), atol=1e-5)


def test_float32_is_the_function_itself_and_no_part_of_a_cell():
    assert at_precision(squares, "float32") is squares
    assert replace(CELL, precision="float32").identity == CELL.identity
    assert "precision" not in CELL.settings and "precision" not in CELL.identity


def test_a_cell_at_another_precision_is_another_and_is_read_back():
    other = replace(CELL, precision="bfloat16")
    assert other.settings == CELL.settings | {"precision": "bfloat16"}
    assert other.identity != CELL.identity and group_key(other) != group_key(CELL)
    assert cell_from_settings(other.settings) == other


def test_training_differs_by_rounding_only_and_draws_are_the_same():
    train = {"n_train": 1000, "seeds": 2, "stop": CELL.stop}
    plain = simbias.train(TASK, CELL.network, CELL.method, **train)
    other = simbias.train(TASK, CELL.network, CELL.method, precision="bfloat16", **train)
    assert other.draws == plain.draws
    pairs = zip(jax.tree.leaves(plain.initial), jax.tree.leaves(other.initial), strict=True)
    assert all((mine == theirs).all() for mine, theirs in pairs)
    mine, theirs = (stack.params["layers"][0]["kernel"] for stack in (plain, other))
    assert 0 < abs(mine - theirs).max() < 0.02
    assert theirs.dtype == np.float32 and (theirs != np.asarray(rounded(theirs))).any()


def test_what_evaluates_a_network_is_in_float32():
    cell = replace(CELL, precision="bfloat16")
    stack = simbias.training.replay(cell, 200)
    points = redraw(stack, 0)
    params = jax.tree.map(lambda leaf: leaf[0], stack.params)
    loss = cell.loss.points(cell.network.apply(params, points.x), points.y).mean()
    np.testing.assert_allclose(stack.traces[0][-1, 1], loss, rtol=1e-6)
    coarse = cell.loss.points(cell.network.apply(params, rounded(points.x)), points.y).mean()
    assert abs(coarse - loss) > 1e-5 * loss


def test_what_cannot_be_computed_is_refused_in_one_line():
    with pytest.raises(ValueError, match="precision: unknown name 'float16'"):
        replace(CELL, precision="float16")
    cell = replace(CELL, precision="tensorfloat32")  # which another machine may train
    with pytest.raises(ValueError, match="tensorfloat32', allowed: float32 or bfloat16 on a"):
        check_memory(cell, 1)
    for precision in PRECISIONS:
        check_device(precision, "gpu")
