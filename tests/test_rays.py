"""Changes of label along rays against networks solved by hand and against dense scans."""

from itertools import pairwise

import numpy as np
import pytest

from simbias.tasks.oracle import Layer, Rule, explicit_network
from simbias.validation.rays import _STRETCHES, crossings, first_crossing, majority_changes


def random_layers(sizes, seed=0, outputs=2):
    random = np.random.default_rng(seed)
    return [
        Layer(random.normal(size=(a, b)) * np.sqrt(2 / a), 0.3 * random.normal(size=b))
        for a, b in pairwise([*sizes, outputs])
    ]


def margin(layers, x):
    for i, (weight, bias) in enumerate(layers):
        x = x @ weight + bias
        x = np.maximum(x, 0) if i < len(layers) - 1 else x
    return x[:, 1] - x[:, 0]


def zigzag(cuts, depth=1):
    """A network on the plane whose label changes at cuts of the second coordinate."""
    return explicit_network(Rule(1, cuts, 0), np.eye(2), width=len(cuts) + 3, depth=depth)


def scan(layers, origin, direction, reach, points=20_001):
    """Changes of label by looking everywhere, to within one step."""
    t = np.linspace(0, reach, points)
    label = margin(layers, origin + t[:, None] * direction) > 0
    return t[1:][label[1:] != label[:-1]], t[1]


@pytest.mark.parametrize("depth", (1, 2, 4))
def test_every_cut_of_a_known_rule_is_met_at_its_place(depth):
    cuts = (-0.7, -0.2, 0.1, 0.6)
    ray, t = crossings(zigzag(cuts, depth), np.array([[0.3, -1.0]]), np.array([[0.0, 1.0]]), 2.0)
    assert ray.tolist() == [0] * 4
    np.testing.assert_allclose(t, np.array(cuts) + 1, atol=1e-14)


def test_a_label_is_kept_up_to_the_nearest_cut_in_the_direction_looked():
    origins = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 0.9], [0.0, 0.0]])
    directions = np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 1.0], [1.0, 0.0]])
    distances = first_crossing(zigzag((-0.2, 0.1, 0.6)), origins, directions, 3.0)
    np.testing.assert_allclose(distances, [0.1, 0.2, np.inf, np.inf], atol=1e-14)


def test_distances_are_in_units_of_the_direction():
    directions = np.array([[0.0, 1.0], [0.0, 10.0], [3.0, 0.5]])
    distances = first_crossing(zigzag((0.4,)), np.zeros((3, 2)), directions, 1.0)
    np.testing.assert_allclose(distances, [0.4, 0.04, 0.8], atol=1e-14)


def test_a_ray_looks_as_far_as_its_own_reach_and_no_further():
    reach = np.array([0.39, 0.41, 0.0])
    distances = first_crossing(zigzag((0.4,)), np.zeros((3, 2)), np.eye(2)[[1, 1, 1]], reach)
    assert np.isinf(distances).tolist() == [True, False, True]


@pytest.mark.parametrize("sizes", ((5, 40), (5, 30, 30), (5, 12, 12, 12), (5,)))
def test_crossings_are_those_of_a_dense_scan(sizes):
    layers, random = random_layers(sizes, seed=3), np.random.default_rng(1)
    origins, directions = random.normal(size=(2, 40, sizes[0]))
    reach = 4.0
    ray, t = crossings(layers, origins, directions, reach)
    first = first_crossing(layers, origins, directions, reach)
    np.testing.assert_allclose(
        margin(layers, origins[ray] + t[:, None] * directions[ray]), 0, atol=1e-12
    )
    total = 0
    for i, (origin, direction) in enumerate(zip(origins, directions, strict=True)):
        seen, step = scan(layers, origin, direction, reach)
        mine = t[ray == i]
        assert np.all(np.diff(mine) > 0)
        assert first[i] == pytest.approx(mine[0] if len(mine) else np.inf, abs=1e-12)
        for place in seen:  # the scan misses pairs of changes within a step, but invents none
            assert np.min(np.abs(mine - place)) <= step
        total += len(seen)
    assert total > 10
    assert total <= len(t) <= total + 4


def test_a_change_too_short_for_a_scan_is_found():
    layers = zigzag((0.3, 0.3 + 1e-9))
    origin, direction = np.zeros(2), np.array([0.0, 1.0])
    assert len(scan(layers, origin, direction, 1.0)[0]) == 0
    distances = first_crossing(layers, origin[None], direction[None], 1.0)
    np.testing.assert_allclose(distances, 0.3, atol=1e-12)


def test_dead_and_tied_units_change_nothing():
    cuts = (-0.5, 0.25)
    plain = zigzag(cuts)
    (weight, bias), last = plain
    doubled = [
        Layer(np.hstack([weight, weight, 0 * weight]), np.concatenate([bias, bias, bias - 9])),
        Layer(np.vstack([last.weight / 2, last.weight / 2, last.weight]), last.bias),
    ]
    arguments = (np.array([[0.0, -1.0]]), np.array([[0.0, 1.0]]), 2.0)
    for first, other in zip(
        crossings(plain, *arguments), crossings(doubled, *arguments), strict=True
    ):
        np.testing.assert_allclose(first, other, atol=1e-14)


def test_a_constant_network_and_a_ray_that_stands_still_never_change():
    origins, directions = np.zeros((2, 2)), np.eye(2)
    for bias in ([0.0, 0.0], [-1.0, 1.0]):
        constant = [Layer(np.zeros((2, 3)), np.zeros(3)), Layer(np.zeros((3, 2)), np.array(bias))]
        assert np.isinf(first_crossing(constant, origins, directions, 9.0)).all()
    assert np.isinf(first_crossing(zigzag((0.1,)), origins, 0 * directions, 9.0)).all()


def test_a_margin_of_zero_has_label_zero():
    origins, up = np.array([[0.0, 0.5], [0.0, 0.5]]), np.array([[0.0, 1.0], [0.0, -1.0]])
    layers = [Layer(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([0.0, -0.5]))]  # x1 - 1/2
    np.testing.assert_array_equal(first_crossing(layers, origins, up, 1.0), [0, np.inf])


@pytest.mark.parametrize("proportion", _STRETCHES[1:])
def test_a_crossing_where_one_stretch_of_the_search_ends_is_found_once(proportion):
    for place in (np.nextafter(proportion, 0), proportion, np.nextafter(proportion, 2)):
        layers = zigzag((float(place),))
        distances = first_crossing(layers, np.zeros((1, 2)), np.eye(2)[1:], 1.0)
        assert distances[0] == pytest.approx(place, abs=1e-14) or (
            proportion == 1 and np.isinf(distances[0])
        )


def test_one_output_is_the_logit_difference():
    layers = random_layers((4, 20), seed=5)
    last = layers[-1]
    single = [layers[0], Layer(np.diff(last.weight), np.diff(last.bias))]
    origins, directions = np.random.default_rng(2).normal(size=(2, 30, 4))
    distances = first_crossing(layers, origins, directions, 5.0)
    assert np.isfinite(distances).sum() > 5
    np.testing.assert_allclose(
        first_crossing(single, origins, directions, 5.0), distances, rtol=1e-9
    )


def test_chunks_do_not_change_the_answer(monkeypatch):
    layers = random_layers((3, 16, 16), seed=6)
    origins, directions = np.random.default_rng(3).normal(size=(2, 50, 3))
    whole = (
        first_crossing(layers, origins, directions, 3.0),
        *crossings(layers, origins, directions, 3.0),
    )
    monkeypatch.setattr("simbias.validation.rays._NUMBERS", 1)
    parts = (
        first_crossing(layers, origins, directions, 3.0),
        *crossings(layers, origins, directions, 3.0),
    )
    for first, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(first, other, rtol=1e-9)


def test_the_majority_changes_where_most_rays_have():
    # 100 rays: 80 go from 0 to 1 at 1 and back at 3, 20 are 1 and go to 0 at 2
    label = np.arange(100) >= 80
    ray = np.concatenate([np.repeat(np.arange(80), 2), np.arange(80, 100)])
    distance = np.concatenate([np.tile([1.0, 3.0], 80), np.full(20, 2.0)])
    assert majority_changes(label, ray, distance) == 2
    few = ray < 25  # without most of them, 1 is never more than a minority
    assert majority_changes(label, ray[few], distance[few]) == 0
    assert majority_changes(label, ray[:0], distance[:0]) == 0


def test_a_majority_within_chance_is_none():
    label = np.arange(100) >= 60  # 40 to 60, then 55 to 45: both within two standard errors
    ray, distance = np.arange(45, 60), np.ones(15)
    assert majority_changes(label, ray, distance) == 0
    ray = np.arange(20, 60)  # 80 to 20: beyond, but there was no majority before
    assert majority_changes(label, ray, np.ones(40)) == 0


def test_no_rays_no_crossings():
    none = np.zeros((0, 2))
    assert first_crossing(zigzag((0.1,)), none, none, 1.0).shape == (0,)
    assert [part.shape for part in crossings(zigzag((0.1,)), none, none, 1.0)] == [(0,), (0,)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"origins": np.zeros(2)}, "origins"),
        ({"origins": np.zeros((3, 5))}, "origins"),
        ({"directions": np.zeros((2, 2))}, "directions"),
        ({"reach": np.ones(2)}, "reach"),
        ({"reach": -1.0}, "reach"),
        ({"reach": np.inf}, "reach"),
    ],
)
def test_bad_arguments_are_named(change, word):
    arguments = {"origins": np.zeros((3, 2)), "directions": np.ones((3, 2)), "reach": 1.0} | change
    for function in (first_crossing, crossings):
        with pytest.raises(ValueError, match=f"^{word}: got"):
            function(zigzag((0.1,)), **arguments)
