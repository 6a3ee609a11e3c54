"""Whether two layers, and two seeds, are alike: closed cases, and networks that are known."""

from itertools import permutations

import numpy as np
import pytest

import simbias
from simbias import directions


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def turn(units):
    return np.linalg.qr(normal(units, units, seed=9))[0]


def test_layers_that_are_one_but_for_basis_scale_and_place_are_aligned_to_1():
    hidden = normal(300, 5) * np.arange(1, 6)
    moved = 3 * hidden @ turn(5) + 7
    assert directions.cka(hidden, moved) == pytest.approx(1, abs=1e-12)
    assert directions.procrustes(hidden, moved) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(directions.alignment(hidden, moved), turn(5).T, atol=1e-12)
    assert np.isnan(directions.cka(hidden, np.ones((300, 2))))


def test_independent_layers_are_aligned_to_0_where_the_plain_alignment_is_not():
    n, p, q = 200, 30, 50
    drawn = [(normal(n, p, seed=2 * i), normal(n, q, seed=2 * i + 1)) for i in range(20)]
    values = np.array([directions.cka(*pair) for pair in drawn])
    assert abs(values.mean()) < 4 * values.std(ddof=1) / np.sqrt(20) and values.std() < 0.02
    plain = []
    for a, b in drawn:
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        sizes = [np.linalg.norm(x.T @ y) for x, y in ((b, a), (a, a), (b, b))]
        plain.append(sizes[0] ** 2 / (sizes[1] * sizes[2]))
    assert np.mean(plain) == pytest.approx(np.sqrt(p * q / ((n + p) * (n + q))), rel=0.02)


def test_the_estimate_in_the_alignment_is_a_mean_over_all_four_points():
    """Which is what makes it unbiased: Song et al. (2012), by enumeration of 6 points."""
    a, b = normal(6, 2), normal(6, 3, seed=1)

    def mean(x, y):
        k, g = x @ x.T, y @ y.T
        terms = [
            k[i, j] * (g[i, j] + g[q, r] - 2 * g[i, q]) for i, j, q, r in permutations(range(6), 4)
        ]
        return np.mean(terms)

    wanted = mean(a, b) / np.sqrt(mean(a, a) * mean(b, b))
    assert directions.cka(a, b) == pytest.approx(wanted, rel=1e-12)


def test_procrustes_finds_its_level_among_independent_layers_and_0_on_other_points():
    """The mean singular value of a square normal matrix is 8/(3 pi) of the root of its size."""
    n, p = 1000, 40
    a, b = normal(2 * n, p), normal(2 * n, p, seed=1)
    fitted = directions.alignment(a[:n], b[:n])
    level = 8 / (3 * np.pi) * np.sqrt(p / n)
    assert directions.procrustes(a[:n], b[:n]) == pytest.approx(level, rel=0.03)
    assert abs(directions.procrustes(a[n:], b[n:], fitted)) < 0.02


@pytest.fixture(scope="module")
def explicit(trained):
    return {
        rule: simbias.validation.control(trained.cell, rule, seeds=2)
        for rule in ("simple", "achievable")
    }


def pair(first, second, **more):
    compared = directions.compare_seeds(first.some([0]), second.some([1]), points=500, **more)
    return compared._replace(zones={zone: each.value[0] for zone, each in compared.zones.items()})


@pytest.mark.thorough
def test_seeds_of_one_rule_are_one_solution_whatever_their_rotation(explicit):
    compared = pair(explicit["simple"], explicit["simple"])
    assert compared.labels.value == 1 and set(compared.zones.values()) == {1}
    for layers in (compared.cka, compared.procrustes, compared.direction):
        assert layers.value == pytest.approx(1, abs=1e-9)
    assert compared.transferred.value == 1 and compared.labels.low > 0.99


def test_a_line_and_slabs_part_on_exceptions_alone_and_share_no_feature(explicit):
    compared = pair(explicit["simple"], explicit["achievable"])
    assert compared.zones == {"decided": 1, "right": 1, "exceptions": 0}
    assert abs(compared.cka.value) < 0.3 and compared.direction.value < 0.9
    margin = pair(explicit["simple"], explicit["achievable"], shift="margin")
    assert abs(margin.labels.value - 0.5) < 0.1 and np.isnan(margin.zones["decided"])
    assert abs(margin.cka.value) < 0.05 and (margin.cka.low < margin.cka.value < margin.cka.high)


def test_bad_pairs_are_refused_in_one_line(explicit, trained):
    stack = explicit["simple"]
    two = normal(10, 2)
    for call, message in [
        (lambda: directions.compare_seeds(stack, stack.some([0])), "second: got '1 networks on"),
        (lambda: directions.compare_seeds(stack, stack, points=99), "points: got 99, allowed: an"),
        (lambda: directions.compare_seeds(stack, stack, layer=1), "layer: got 1, allowed: an int"),
        (lambda: directions.compare_seeds(stack, stack, shift="gap"), "shift: unknown name 'gap'"),
        (lambda: directions.cka(two, two[:9]), "first, second: got '10 and 9 points', allowed"),
        (lambda: directions.cka(two[:3], two[:3]), "first, second: got '3 and 3 points', allow"),
        (lambda: directions.alignment(two, two[:, :1]), "second: got '1 units', allowed: 2"),
    ]:
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_last_layer_is_refitted_where_there_is_one(trained):
    with pytest.raises(ValueError, match="^network: got .*, allowed: an MLP, whose last layer can"):
        directions.refit_last_layer(lambda x: x[:, 0], simbias.data(trained.cell.task, n_train=100))
