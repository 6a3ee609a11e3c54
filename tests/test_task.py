"""Draws from a task follow its exact laws, independently, and survive rotation."""

import block_tasks
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROWS
from scipy import stats

from simbias import tasks
from simbias.tasks import blocks
from simbias.tasks.block_task import BlockTask

PIECEWISE = tuple(name for name in block_tasks.ALL if name != "lsn")
ALPHA = 1e-6  # chance that a correct sampler fails a check; keys are fixed, so it passes for good


def law_distance(values, law):
    """The Kolmogorov distance of values from a mixture of uniforms."""
    values = np.sort(values)
    exact = sum(
        mass * np.clip((values - low) / (high - low), 0, 1) for low, high, mass in law if high > low
    )
    n = len(values)
    above, below = np.arange(1, n + 1) / n - exact, exact - np.arange(n) / n
    return max(above.max(), below.max())


def law_bound(n):
    """Dvoretzky, Kiefer and Wolfowitz with Massart's constant."""
    return np.sqrt(np.log(2 / ALPHA) / (2 * n))


def within_binomial(count, n, p):
    return stats.binomtest(int(count), int(n), p).pvalue > ALPHA


@pytest.mark.parametrize("name", PIECEWISE)
@pytest.mark.parametrize("label", (0, 1))
def test_every_coordinate_follows_its_law_given_the_label(name, label, draws):
    x, y = draws(name)
    x = x[y == label]
    task = tasks.get(name)
    for j in range(min(3, task.dim)):
        law = task.blocks[j].laws[label]
        assert law_distance(x[:, j], law) < law_bound(len(x))
    rest = x[:, 1:].ravel()  # identically distributed: one sharp check
    assert law_distance(rest, task.blocks[1].laws[label]) < law_bound(len(rest))


@pytest.mark.parametrize("name", PIECEWISE)
def test_each_piece_has_its_mass_up_to_binomial_error(name, draws):
    x, y = draws(name)
    task = tasks.get(name)
    for j in (0, 1):
        for label in (0, 1):
            values = x[y == label, j]
            for low, high, mass in task.blocks[j].laws[label]:
                inside = (low - 1e-6 <= values) & (values <= high + 1e-6)
                assert within_binomial(inside.sum(), len(values), mass)


def test_a_sampler_with_equal_slab_masses_would_be_caught(draws):
    x, y = draws("ms-7")
    values = x[y == 1].ravel()
    law = tasks.get("ms-7").blocks[0].laws.positive
    flat = [piece._replace(mass=1 / 4) for piece in law]
    assert law_distance(values, flat) > 10 * law_bound(len(values))


@pytest.mark.parametrize("name", PIECEWISE)
def test_float32_draws_stay_inside_the_support(name, draws):
    x, y = draws(name)
    for j, block in enumerate(tasks.get(name).blocks):
        for label, law in enumerate(block.laws):
            values = x[y == label, j, None]
            low, high, _ = np.array(law).T
            outside = np.maximum(low - values, values - high).min(axis=1)
            assert outside.max() <= 1e-6


@pytest.mark.parametrize("name", block_tasks.ALL)
def test_labels_are_fair(name, draws):
    _, y = draws(name)
    assert set(np.unique(y)) == {0, 1}
    assert within_binomial(y.sum(), ROWS, 0.5)


def counts_vary_binomially(counts, n, p):
    """Whether the variance of counts over draws is that of independent Bernoulli variables."""
    scaled = np.sum((counts - n * p) ** 2) / (n * p * (1 - p))
    return ALPHA < stats.chi2.cdf(scaled, len(counts)) < 1 - ALPHA


def test_corruption_and_labels_are_independent_bernoulli_draws():
    task, n = tasks.get("noisy-lms-7", dim=2), 1000
    draw = jax.jit(lambda key: task.sample(key, n))
    sets = [draw(key) for key in jax.random.split(jax.random.key(3), 100)]
    corrupted = np.array([(np.abs(np.asarray(x)[:, 0]) < 0.1).sum() for x, _ in sets])
    positive = np.array([np.asarray(y).sum() for _, y in sets])
    assert counts_vary_binomially(corrupted, n, 0.1)
    assert counts_vary_binomially(positive, n, 0.5)
    assert abs(stats.pearsonr(corrupted, positive)[0]) < 0.5


def test_corrupting_a_fixed_number_of_points_would_be_caught():
    assert not counts_vary_binomially(np.full(100, 100), 1000, 0.1)


def test_corruption_does_not_depend_on_the_label(draws):
    x, y = draws("noisy-lms-7")
    corrupted = np.abs(x[:, 0]) < 0.1
    assert within_binomial(corrupted[y == 1].sum(), y.sum(), 0.1)
    assert within_binomial(y[corrupted].sum(), corrupted.sum(), 0.5)


def largest_correlation(x, y):
    """Over pairs of coordinates and three features of each, within the classes."""
    largest = 0.0
    for label in (0, 1):
        part = x[y == label]
        for feature in (part, part**2, np.cos(9 * part)):
            spread = feature.std(axis=0) > 1e-9
            matrix = np.corrcoef(feature[:, spread].T)
            largest = max(largest, np.abs(matrix - np.eye(len(matrix))).max())
    return largest


@pytest.mark.parametrize("name", ("noisy-lms-7", "noisy-ms-5-7", "lsn"))
def test_coordinates_are_independent_given_the_label(name, draws):
    x, y = draws(name)
    assert largest_correlation(x, y) < 6 / np.sqrt(ROWS / 2)


def test_coordinates_that_share_their_draw_would_be_caught(draws):
    x, y = (part.copy() for part in draws("noisy-lms-7"))
    shared = np.arange(ROWS) % 5 == 0  # a fifth of the rows repeats coordinate 1 in coordinate 2
    x[shared, 2] = x[shared, 1]
    assert largest_correlation(x, y) > 6 / np.sqrt(ROWS / 2)


def test_rows_are_independent_of_their_neighbours(draws):
    x, y = draws("noisy-lms-7")
    for series in (y, np.abs(x[:, 0]) < 0.1, np.abs(x[:, 1])):
        series = series.astype(float)
        assert abs(np.corrcoef(series[1:], series[:-1])[0, 1]) < 5 / np.sqrt(ROWS)


@pytest.mark.thorough
def test_another_key_draws_other_points():
    task = tasks.get("lms-7")
    same, again, other = (task.sample(jax.random.key(seed), ROWS) for seed in (1, 1, 2))
    assert np.array_equal(same[0], again[0])
    assert not np.isclose(same[0], other[0]).any(axis=1).all()
    assert 0.4 < np.mean(same[1] == other[1]) < 0.6


def test_rotation_is_orthogonal_and_depends_on_the_key():
    task = tasks.get("lms-7")
    turn, other = (np.asarray(task.rotation(jax.random.key(seed)), float) for seed in (0, 1))
    np.testing.assert_allclose(turn @ turn.T, np.eye(50), atol=1e-5)
    assert np.abs(turn - other).max() > 0.1


def test_first_entry_of_a_haar_rotation_is_fair_about_zero():
    task = tasks.get("lms-7", dim=2)
    turn = jax.jit(task.rotation)
    turns = np.stack([turn(key) for key in jax.random.split(jax.random.key(0), 200)])
    # Haar on O(2): the first row is uniform on the circle, the determinant a fair sign
    angle = np.arctan2(turns[:, 0, 1], turns[:, 0, 0])
    assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4
    assert within_binomial((np.linalg.det(turns) > 0).sum(), 200, 0.5)


def test_turning_back_gives_the_unrotated_points():
    task = tasks.get("lms-7")
    turn = task.rotation(jax.random.key(5))
    plain, y = task.sample(jax.random.key(6), ROWS)
    turned, y_turned = task.sample(jax.random.key(6), ROWS, rotation=turn)
    np.testing.assert_array_equal(y, y_turned)
    np.testing.assert_allclose(turned @ turn.T, plain, atol=1e-5)
    np.testing.assert_allclose(task.rotate(plain, turn), turned, atol=1e-6)
    np.testing.assert_allclose(turned, np.asarray(plain, float) @ np.asarray(turn), atol=1e-5)
    assert np.abs(np.asarray(turned - plain)).max() > 0.5


@pytest.mark.parametrize("shape", ((3, 3), (50, 3), (50,)))
def test_rotation_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"^rotation: got .*allowed: shape \(50, 50\)$"):
        tasks.get("lms-7").sample(jax.random.key(0), 2, rotation=jnp.zeros(shape))


@pytest.mark.parametrize("rows", (0, -1, 1.5, "many"))
def test_fewer_than_one_row_is_refused(rows):
    with pytest.raises(ValueError, match=r"^rows: got .*allowed: an integer >= 1$"):
        tasks.get("lms-7").sample(jax.random.key(0), rows)


@pytest.mark.thorough
def test_lsn_has_a_sign_a_slab_and_gaussian_coordinates(draws):
    x, y = draws("lsn")
    np.testing.assert_array_equal(x[:, 0], 2 * y - 1)
    assert np.all(x[y == 0, 1] == 0)
    assert set(np.unique(x[y == 1, 1])) == {-1, 1}
    assert within_binomial((x[y == 1, 1] == 1).sum(), (y == 1).sum(), 0.5)
    rest = x[:, 2:]
    assert np.isfinite(rest).all()
    assert stats.kstest(rest[:, 0], stats.norm.cdf).pvalue > ALPHA
    assert stats.kstest(rest.ravel(), stats.norm.cdf).pvalue > ALPHA
    np.testing.assert_allclose(np.cov(rest.T), np.eye(48), atol=6 / np.sqrt(ROWS))


def test_lsn_is_not_rotated():
    turn = tasks.get("lsn").rotation(jax.random.key(0))
    np.testing.assert_array_equal(turn, np.eye(50))


def test_normal_quantiles_are_finite_for_every_uniform_draw():
    from simbias.tasks.block_task import quantile

    ends = jnp.array([[0.0] * 3, [1 - 2**-23] * 3], jnp.float32)
    x = np.asarray(quantile(tasks.get("lsn", dim=3).tables, ends, jnp.array([0, 1])))
    assert np.isfinite(x).all()
    assert x[0, 2] < -4.9 and x[1, 2] > 4.9


def test_margins_are_those_of_each_kind_of_coordinate():
    task = tasks.get("ms-5-7", margin={"slab-5": 0.05, "slab-7": 0.15}, dim=4)
    assert task.margins == {"slab-5": 0.05, "slab-7": 0.15}
    assert task.dim == 4


def test_a_task_of_one_coordinate_can_be_made_by_hand():
    task = BlockTask("by-hand", {}, (blocks.linear(noise=1.0),), (0,))
    x, y = task.sample(jax.random.key(0), ROWS)
    assert np.abs(np.asarray(x)).max() <= 0.1
    assert within_binomial(((np.asarray(x)[:, 0] > 0) == np.asarray(y)).sum(), ROWS, 0.5)
