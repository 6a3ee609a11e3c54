"""Exact geometry against grids, counts of arrangements, networks drawn by hand and Monte Carlo.

Longer than 400 lines because the same networks, by hand and at random, have their decisions,
components and risks held against each other.
"""

import itertools
from dataclasses import replace
from functools import cache
from itertools import combinations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from simbias import MLP, sgd, tasks
from simbias.parallel import stacked
from simbias.stats.binomial import clopper_pearson
from simbias.tasks import blocks, oracle
from simbias.tasks.block_task import BlockTask
from simbias.tasks.oracle import Layer
from simbias.training import Cell
from simbias.validation import control, polygons
from simbias.validation.geometry import (
    Box,
    Plane,
    component,
    components,
    decide,
    exact_risk,
    layers_of,
    margin,
    restrict,
)

SQUARE = Box(-1, 1, -1, 1)
BOX = Box(-1.2, 1.1, -1.0, 1.3)
NETWORKS = [  # width, depth and seed
    *((5, 1, 0), (100, 1, 2), (12, 2, 3), (9, 3, 5)),
    *(pytest.param(spec, marks=pytest.mark.slow) for spec in ((40, 1, 1), (60, 2, 4), (15, 4, 6))),
]
RISK_TASKS = ("noisy-lms-7", "ms-7", "noisy-ms-5-7", "lms-5", "lsn")


def scale(layers, box):
    """The largest sum that the output can form on the box."""
    largest = np.abs(box.corners).max(axis=0)
    for layer in layers:
        largest = largest @ np.abs(layer.weight) + np.abs(layer.bias)
    return float(largest[0])


@cache
def random(width, depth, seed, *, dim=2, steepness=3.0):
    """Two logits of random weights, the mean margin on the square near 0."""
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in zip((dim, *[width] * depth), (*[width] * depth, 2), strict=True):
        bound = steepness / np.sqrt(inputs)
        weight = rng.uniform(-bound, bound, (inputs, outputs))
        layers.append(Layer(weight, rng.uniform(-bound, bound, outputs)))
    middle = np.mean(margin(layers, rng.uniform(-1, 1, (1000, dim))))
    layers[-1].bias[0] += middle
    return layers


def plain(layers):
    return restrict(layers, Plane(np.zeros(2), np.eye(2)))


def drawn(*layers):
    """A network from its weights, a row an output: (weights with the bias last)."""
    tables = [np.array(rows, float) for rows in layers]
    return [Layer(table[:, :-1].T.copy(), table[:, -1].copy()) for table in tables]


ABSOLUTES = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]  # |x| and |y| in two halves each
DIAMOND = drawn(ABSOLUTES, [[-1, -1, -1, -1, 0.5]])  # 1/2 - |x| - |y|
SADDLE = drawn(ABSOLUTES, [[1, 1, -1, -1, 0]])  # |x| - |y|
RING = drawn(  # 1/8 - ||x| + |y| - 1/2|
    ABSOLUTES, [[1, 1, 1, 1, -0.5], [-1, -1, -1, -1, 0.5]], [[-1, -1, 0.125]]
)


def grid(box, n=400):
    """Centres of n * n equal rectangles, rows first."""
    across = box.left + (np.arange(n) + 0.5) / n * (box.right - box.left)
    up = box.bottom + (np.arange(n) + 0.5) / n * (box.top - box.bottom)
    return np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)


def labels(layers, x):
    """What the network says, a few rows at a time."""
    parts = np.array_split(x, 1 + len(x) // 50_000)
    return np.concatenate([margin(layers, part) > 0 for part in parts])


def length(lines):
    return sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in lines)


def is_closed(line):
    return bool((line[0] == line[-1]).all())


def patterns(layers, x):
    """Which units are on at points, a row each."""
    seen = []
    for layer in layers[:-1]:
        x = x @ layer.weight + layer.bias
        seen.append(x > 0)
        x = np.maximum(x, 0)
    return np.concatenate(seen, axis=1)


# decisions of random networks


@pytest.mark.parametrize("spec", NETWORKS)
@pytest.mark.parametrize("regions", (False, True))
def test_areas_sum_to_the_boxs_and_agree_with_a_grid(spec, regions):
    layers = plain(random(*spec))
    decision = decide(layers, BOX, regions=regions)
    assert sum(decision.area) == pytest.approx(BOX.area, rel=1e-12)
    step = (BOX.right - BOX.left) / 400
    proportion = labels(layers, grid(BOX)).mean() * BOX.area
    assert abs(decision.area[1] - proportion) <= 0.1 * length(decision.lines) * step


@pytest.mark.parametrize("spec", NETWORKS)
def test_f_is_zero_on_every_vertex_and_changes_sign_across_every_line(spec):
    layers = plain(random(*spec))
    lines = decide(layers, BOX).lines
    assert lines
    for line in lines:
        assert np.abs(margin(layers, line)).max() < 1e-9 * scale(layers, BOX)
        arms = np.diff(line, axis=0)
        far = np.hypot(*arms.T) > 1e-3
        left = np.stack([-arms[:, 1], arms[:, 0]], axis=1)[far] * 1e-4
        middle = ((line[1:] + line[:-1]) / 2)[far]
        assert (margin(layers, middle + left) > 0).all()
        assert (margin(layers, middle - left) < 0).all()


@pytest.mark.parametrize("spec", NETWORKS)
def test_lines_are_closed_or_end_on_the_boxs_edge(spec):
    for line in decide(plain(random(*spec)), BOX).lines:
        assert (line[:-1] != line[1:]).any(axis=1).all()
        if not is_closed(line):
            sides = np.array(BOX).reshape(2, 2).T
            for end in (line[0], line[-1]):
                assert np.abs(end - sides).min() < 1e-9


@pytest.mark.parametrize("spec", NETWORKS)
def test_cutting_all_cells_finds_the_decision_that_pruning_finds(spec):
    layers = plain(random(*spec))
    pruned, whole = decide(layers, BOX), decide(layers, BOX, regions=True)
    assert pruned.regions is None
    assert pruned.area == pytest.approx(whole.area, rel=1e-12)
    assert len(pruned.lines) == len(whole.lines)
    assert length(pruned.lines) == pytest.approx(length(whole.lines), rel=1e-9)


@pytest.mark.parametrize("steepness", (1.0, 3.0))
@pytest.mark.parametrize("width", (1, 10, 100))
def test_one_layer_has_as_many_regions_as_an_arrangement_of_lines(width, steepness):
    layers = plain(random(width, 1, 7, steepness=steepness))
    (weight, bias), box = layers[0], SQUARE
    corners = box.corners @ weight + bias
    crossing = np.flatnonzero((corners.min(axis=0) < 0) & (corners.max(axis=0) > 0))
    meeting = 0
    for i, j in combinations(crossing, 2):
        point = np.linalg.solve(weight[:, [i, j]].T, -bias[[i, j]])
        meeting += bool((np.abs(point) < 1).all())
    regions = decide(layers, box, regions=True).regions
    assert len(regions) == 1 + len(crossing) + meeting


@pytest.mark.parametrize("spec", NETWORKS)
def test_regions_are_the_activation_patterns_one_convex_polygon_each(spec):
    layers = plain(random(*spec))
    regions = decide(layers, BOX, regions=True).regions
    within = patterns(layers, np.array([corners.mean(axis=0) for corners in regions]))
    names = {row.tobytes() for row in within}
    assert len(names) == len(regions)
    assert {row.tobytes() for row in patterns(layers, grid(BOX))} <= names
    for corners in regions:
        arms = np.roll(corners, -1, axis=0) - corners
        turns = arms[:, 0] * np.roll(arms, -1, 0)[:, 1] - arms[:, 1] * np.roll(arms, -1, 0)[:, 0]
        assert len(corners) >= 3 and (turns > -1e-12).all()
    assert sum(polygons.enclosed(corners) for corners in regions) == pytest.approx(BOX.area)


def test_the_logit_difference_is_affine_on_a_region_and_not_on_the_box():
    layers = plain(random(12, 2, 3))
    zero = 1e-12 * scale(layers, BOX)

    def bend(corners):
        return abs(margin(layers, corners.mean(axis=0)[None])[0] - margin(layers, corners).mean())

    assert all(bend(corners) < zero for corners in decide(layers, BOX, regions=True).regions)
    assert bend(BOX.corners) > 1e6 * zero


@pytest.mark.slow
@pytest.mark.parametrize("spec", [(300, 1), (100, 2), (300, 2)])
def test_large_networks_agree_with_a_fine_grid(spec):
    layers = plain(random(*spec, 11))
    decision = decide(layers, BOX)
    proportion = labels(layers, grid(BOX, 1000)).mean() * BOX.area
    assert sum(decision.area) == pytest.approx(BOX.area, rel=1e-12)
    assert decision.area[1] == pytest.approx(proportion, abs=1e-3 * BOX.area)
    held = [
        sum(part.area for part in components(decision) if part.label == label) for label in (0, 1)
    ]
    assert held == pytest.approx(decision.area, abs=1e-9)


# invariances


@settings(max_examples=15)
@given(
    shift=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    angle=st.floats(0, 6),
    stretch=st.floats(0.01, 100),
    gain=st.floats(1e-3, 1e3),
)
@pytest.mark.thorough
def test_areas_do_not_depend_on_how_the_plane_is_described(shift, angle, stretch, gain):
    layers = random(12, 2, 3, dim=5)
    rng = np.random.default_rng(0)
    plane = Plane(rng.normal(size=5), rng.normal(size=(2, 5)))
    expected = decide(restrict(layers, plane), BOX).area
    across, up = np.array(shift)
    moved = Plane(plane.origin - np.array(shift) @ plane.axes, plane.axes)
    box = Box(BOX.left + across, BOX.right + across, BOX.bottom + up, BOX.top + up)
    assert decide(restrict(layers, moved), box).area == pytest.approx(expected, rel=1e-9)
    scaled = Plane(plane.origin, plane.axes / stretch)
    area = decide(restrict(layers, scaled), Box(*(side * stretch for side in BOX))).area
    assert np.array(area) / stretch**2 == pytest.approx(expected, rel=1e-9)
    louder = [*layers[:-1], Layer(gain * layers[-1].weight, gain * layers[-1].bias)]
    assert decide(restrict(louder, plane), BOX).area == pytest.approx(expected, rel=1e-9)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = Plane(plane.origin, turn @ plane.axes)
    ends = decide(restrict(layers, turned), BOX).lines
    back = [line @ turn @ plane.axes + plane.origin for line in ends]
    assert all(np.abs(margin(layers, line)).max() < 1e-9 for line in back)


def test_exchanging_the_logits_exchanges_the_areas_and_turns_the_lines():
    layers = random(12, 2, 3)
    other = [*layers[:-1], Layer(layers[-1].weight[:, ::-1], layers[-1].bias[::-1])]
    first, two = decide(plain(layers), BOX), decide(plain(other), BOX)
    assert first.area == pytest.approx(two.area[::-1], rel=1e-12)
    assert length(first.lines) == pytest.approx(length(two.lines))


# networks drawn by hand


def test_the_diamond_is_found_exactly():
    decision = decide(DIAMOND, SQUARE, regions=True)
    assert decision.area == pytest.approx((3.5, 0.5), abs=1e-15)
    (line,) = decision.lines
    assert is_closed(line)
    np.testing.assert_allclose(np.abs(line).sum(axis=1), 0.5, atol=1e-15)
    assert polygons.enclosed(line) == pytest.approx(0.5)  # label 1 on its left
    assert len(decision.regions) == 4


@pytest.mark.parametrize("name", ["lms-5", "noisy-lms-7", "ms-7", "noisy-ms-5-7", "lsn"])
@pytest.mark.parametrize("depth", (1, 2))
def test_an_explicit_network_has_its_boundary_at_the_rules_cuts(name, depth):
    task = tasks.get(name, dim=2)
    rule = oracle.achievable_rule(task)
    layers = plain(oracle.explicit_network(rule, np.eye(2), width=20, depth=depth))
    lines = decide(layers, BOX).lines
    places = sorted(float(line[0, rule.coordinate]) for line in lines)
    assert places == pytest.approx(rule.cuts, abs=1e-15)
    for line in lines:
        assert np.ptp(line[:, rule.coordinate]) < 1e-15
        low, high = np.sort(np.array(BOX).reshape(2, 2)[1 - rule.coordinate])
        along = np.sort(line[:, 1 - rule.coordinate])
        assert (along[0], along[-1]) == pytest.approx((low, high))


# components


def test_a_ring_has_an_inside_and_an_outside():
    inner, outer, ring = sorted(components(decide(RING, SQUARE)), key=lambda part: part[:2])
    assert [part.label for part in (inner, outer, ring)] == [0, 0, 1]
    areas = 2 * 0.375**2, 4 - 2 * 0.625**2, 2 * (0.625**2 - 0.375**2)
    assert (inner.area, outer.area, ring.area) == pytest.approx(areas)
    assert (inner.open, outer.open, ring.open) == (False, True, False)
    assert [len(part.holes) for part in (inner, outer, ring)] == [0, 1, 1]
    for point, expected in ((0, 0), inner), ((0.5, 0), ring), ((-0.9, 0.9), outer):
        assert component(RING, np.array(point), SQUARE).area == expected.area


def test_a_component_that_the_box_cuts_is_open():
    part = component(DIAMOND, np.array([0.1, 0.0]), Box(0, 1, -1, 1))
    assert (part.label, part.open) == (1, True)
    assert part.area == pytest.approx(0.25)
    assert not component(DIAMOND, np.array([0.1, 0.0]), Box(-0.6, 1, -1, 1)).open


def test_label_0_is_connected_through_a_saddle_and_label_1_is_not():
    parts = components(decide(SADDLE, SQUARE))
    assert sorted((part.label, round(part.area, 12)) for part in parts) == [(0, 2), (1, 1), (1, 1)]


def test_a_box_of_one_label_is_one_open_component():
    part = component(DIAMOND, np.array([0.9, 0.9]), Box(0.8, 1, 0.8, 1))
    assert (part.label, part.open, part.holes) == (0, True, ())
    assert part.area == pytest.approx(0.04)


def test_a_point_on_a_corner_of_the_box_has_a_component():
    for corner in SQUARE.corners:
        assert component(DIAMOND, corner, SQUARE).label == 0


@pytest.mark.parametrize("spec", NETWORKS)
def test_components_make_up_the_areas_and_match_a_labelled_grid(spec):
    layers = plain(random(*spec))
    decision = decide(layers, BOX)
    parts = components(decision)
    for label in (0, 1):
        held = sum(part.area for part in parts if part.label == label)
        assert held == pytest.approx(decision.area[label], abs=1e-10)
    points = grid(BOX)
    image = labels(layers, points).reshape(400, 400)
    for label in (0, 1):
        named, count = ndimage.label(image == label)
        largest = int(np.argmax(np.bincount(named[named > 0], minlength=count + 1)))
        where = ndimage.binary_erosion(named == largest, iterations=2)
        part = component(layers, points[np.flatnonzero(where)[0]], BOX)
        assert part.label == label
        assert part.area == pytest.approx(np.mean(named == largest) * BOX.area, abs=0.05)


def egg_carton(level, directions):
    """The sum of zigzags of slope 1 along two directions, with tops 0.5 apart, minus a level."""
    turns = np.arange(-3, 3.1, 0.25)  # tops at +-0.25, +-0.75, ...
    slopes = np.array([1.0, *np.resize([-2.0, 2.0], len(turns) - 1)])
    units = [[*direction, -turn] for direction in directions for turn in turns]
    return drawn(units, [[*slopes, *slopes, -0.25 - level]])


@pytest.mark.parametrize("level, islands", [(-0.1, 0), (0, 16), (0.05, 16), (0.2, 16)])
def test_an_egg_carton_has_the_islands_that_stand_out(level, islands):
    parts = components(decide(egg_carton(level, np.eye(2)), SQUARE))
    tops = [part for part in parts if part.label == 1 and not part.open]
    assert len(tops) == islands
    assert [part.area for part in tops] == pytest.approx([2 * (0.25 - level) ** 2] * islands)
    ground = [part for part in parts if part.label == 0]
    assert len(ground) == (1 if level >= 0 else 25)  # hollows, of which the inner 9 are closed
    assert sum(part.open for part in ground) == (1 if level >= 0 else 16)
    if level > 0:
        assert len(ground[0].holes) == islands


def test_components_make_up_the_areas_of_islands_and_of_degenerate_networks():
    islands = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        if seed % 2:  # whole weights: lines meet in points, and f is 0 on regions
            width, depth = int(rng.integers(2, 30)), int(rng.integers(1, 4))
            layers = random(width, depth, seed, steepness=float(rng.choice([2, 6, 20])))
            layers = [Layer(np.round(layer.weight), np.round(layer.bias)) for layer in layers]
        else:
            layers = egg_carton(rng.uniform(-0.2, 0.2), rng.normal(size=(2, 2)))
        decision = decide(plain(layers), BOX)
        parts = components(decision)
        for label in (0, 1):
            held = sum(part.area for part in parts if part.label == label)
            assert held == pytest.approx(decision.area[label], abs=1e-10)
        assert sum(decision.area) == pytest.approx(BOX.area, rel=1e-12)
        islands += sum(not part.open for part in parts)
    assert islands > 50


# degenerate input


@pytest.mark.parametrize("bias, area", [(1, (0, 4)), (-1, (4, 0)), (0, (4, 0))])
@pytest.mark.parametrize("weight", (0.0, 1.0))
def test_a_constant_network_has_no_boundary(bias, area, weight):
    layers = drawn([[weight, 0, 0], [weight, 0, 0]], [[1, -1, bias]])
    decision = decide(layers, SQUARE, regions=True)
    assert decision.area == area
    assert decision.lines == ()
    assert len(decision.regions) == 1 + bool(weight)
    (whole,) = components(decision)
    assert (whole.area, whole.open) == (4, True)


def test_a_linear_network_is_cut_once():
    decision = decide(drawn([[1, 1, 0]]), SQUARE, regions=True)
    assert decision.area == (2, 2)
    assert [line.tolist() for line in decision.lines] == [[[-1, 1], [1, -1]]]
    assert len(decision.regions) == 1


@pytest.mark.parametrize(
    "spare",
    [
        [0, 0, 0],  # zero weights
        [0, 0, -1],  # dead
        [1, 0, -5],  # off on the box
        [1, 0, 5],  # on throughout, and without influence
        [1, 0, 0],  # a duplicate
        [3, 0, 0],  # the same line
        [1, 0, 1],  # along the left side of the box
        [1, 1, 2],  # through a corner of the box
        [1, 0, 1e-14],  # a duplicate up to rounding
    ],
)
def test_a_unit_without_influence_changes_neither_lines_nor_areas(spare):
    layers = drawn([*ABSOLUTES, spare], [[-1, -1, -1, -1, 0, 0.5]])
    for regions in (False, True):
        decision = decide(layers, SQUARE, regions=regions)
        assert decision.area == pytest.approx((3.5, 0.5), abs=1e-12)
        assert len(decision.lines) == 1 and is_closed(decision.lines[0])
        assert length(decision.lines) == pytest.approx(2 * np.sqrt(2))
        assert all(polygons.enclosed(corners) > 0 for corners in decision.regions or ())


def test_a_boundary_through_vertices_of_cells_is_one_line():
    layers = drawn([*ABSOLUTES, [1, -1, 0], [1, 1, 0]], [[1, -1, 0, 0, 0, 0, 0]])  # f = x
    decision = decide(layers, SQUARE, regions=True)
    assert decision.area == pytest.approx((2, 2))
    assert len(decision.lines) == 1
    assert np.abs(decision.lines[0][:, 0]).max() == 0


def test_a_line_where_f_is_zero_and_the_label_the_same_is_no_boundary():
    touching = drawn([[1, 0, 0], [-1, 0, 0]], [[1, 1, 0]])  # |x|
    assert decide(touching, SQUARE).lines == ()
    assert decide(touching, SQUARE).area == pytest.approx((0, 4))
    below = drawn([[1, 0, 0], [-1, 0, 0]], [[-1, -1, 0]])
    assert decide(below, SQUARE).lines == ()
    # |x| + max(0, max(0, x) - max(0, y)): on one side of x = 0 cells are finer than on the other
    finer = drawn(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0]],
        [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, -1, 0]],
        [[1, 1, 1, 0]],
    )
    for regions in (False, True):
        assert decide(finer, SQUARE, regions=regions).lines == ()


def test_a_region_where_f_is_zero_belongs_to_label_0():
    half = drawn([[1, 0, 0]], [[1, 0]])  # max(0, x)
    for regions in (False, True):
        decision = decide(half, SQUARE, regions=regions)
        assert decision.area == pytest.approx((2, 2))
        (line,) = decision.lines
        assert np.abs(line[:, 0]).max() == 0 and np.ptp(line[:, 1]) == 2
        assert line[0, 1] == 1  # downwards: label 1 on its left
    # 0 between x = 0 and x = 2y below the axis, positive elsewhere
    wedge = drawn([[1, 0, 0], [-1, 0, 0], [0, -1, 0]], [[1, 0, 0, 0], [0, 1, -2, 0]], [[1, 1, 0]])
    decision = decide(wedge, SQUARE)
    assert decision.area == pytest.approx((0.75, 3.25))
    (line,) = decision.lines
    assert length([line]) == pytest.approx(1 + np.sqrt(1.25))


def test_a_boundary_along_the_boxs_edge_is_not_inside_it():
    for layers in (drawn([[1, 0, 1]]), drawn([[1, 0, 1]], [[1, 0]])):  # x + 1, max(0, x + 1)
        decision = decide(layers, SQUARE)
        assert decision.lines == ()
        assert decision.area == pytest.approx((0, 4))


def test_a_small_box_far_from_the_origin_is_resolved():
    layers = plain(random(60, 2, 4))
    whole = decide(layers, BOX)
    corner = whole.lines[0][len(whole.lines[0]) // 2]
    for side in (1e-2, 1e-5):
        box = Box(corner[0] - side, corner[0] + side, corner[1] - side, corner[1] + side)
        decision = decide(layers, box)
        assert sum(decision.area) == pytest.approx(box.area, rel=1e-9)
        assert min(decision.area) > 0.01 * box.area
        assert len(decision.lines) >= 1


def test_a_picture_moved_far_away_and_made_small_has_the_same_lines():
    layers, centre, scale = plain(random(60, 2, 4)), np.array([3.0, 50.0]), 1e-4
    first = layers[0].weight / scale
    moved = [Layer(first, layers[0].bias - centre @ first), *layers[1:]]
    sides = zip(centre - scale, centre + scale, strict=True)
    decision = decide(moved, Box(*itertools.chain(*sides)))
    here = decide(layers, SQUARE)
    shortest = min(np.linalg.norm(np.diff(line, axis=0), axis=1).min() for line in here.lines)
    assert shortest < 1e-3  # a join that grew with the distance would swallow it
    ordered = sorted(here.lines, key=lambda line: tuple(line.mean(axis=0)))
    others = [(line - centre) / scale for line in decision.lines]
    for line, other in zip(
        ordered, sorted(others, key=lambda x: tuple(x.mean(axis=0))), strict=True
    ):
        assert line.shape == other.shape
    np.testing.assert_allclose(np.array(decision.area) / scale**2, here.area, rtol=1e-6)


# exact risk


@pytest.mark.parametrize("name", RISK_TASKS)
@pytest.mark.parametrize("depth", (1, 2))
def test_explicit_networks_have_the_exact_risks_of_their_rules(name, depth):
    task = tasks.get(name, dim=2)
    achievable = oracle.explicit_network(
        oracle.achievable_rule(task), np.eye(2), width=20, depth=depth
    )
    assert exact_risk(task, achievable) == pytest.approx(0, abs=1e-15)
    rule = oracle.simple_rule(task)
    if rule is not None:
        simple = oracle.explicit_network(rule, np.eye(2), width=20, depth=depth)
        assert exact_risk(task, simple) == pytest.approx(oracle.simple_risk(task), abs=1e-15)


def monte_carlo(task, layers, chunks):
    wrong = 0
    rows = 500_000
    for chunk in range(chunks):
        x, y = task.sample(jax.random.key(100 + chunk), rows)
        wrong += int(np.sum(labels(layers, np.asarray(x, np.float64)) != np.asarray(y)))
    return clopper_pearson(np.array([wrong]), np.array([rows * chunks]), 0.9999)


@pytest.mark.parametrize("name", RISK_TASKS)
def test_exact_risk_lies_in_the_interval_of_a_million_points(name):
    task, layers = tasks.get(name, dim=2), random(30, 1, 8)
    estimate, risk = monte_carlo(task, layers, 2), exact_risk(task, layers)
    assert estimate.low[0] <= risk <= estimate.high[0]
    assert 0.01 < risk < 0.99
    shifted = [layers[0]._replace(bias=layers[0].bias + 0.3), *layers[1:]]  # planted
    other = exact_risk(task, shifted)
    assert name == "lsn" or not estimate.low[0] <= other <= estimate.high[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", RISK_TASKS)
@pytest.mark.parametrize("spec", [(30, 1), (100, 2)])
def test_exact_risk_lies_in_the_interval_of_ten_million_points(name, spec):
    task, layers = tasks.get(name, dim=2), random(*spec, 8)
    estimate = monte_carlo(task, layers, 20)
    assert estimate.low[0] <= exact_risk(task, layers) <= estimate.high[0]


def test_an_atom_beside_an_interval_is_integrated_along_the_line():
    atom = blocks.atoms("sign", {-1: 0.75, 1: 0.25}, {-1: 0.25, 1: 0.75})
    task = BlockTask("by-hand", {}, (atom, blocks.linear(margin=0.2)), (0,))
    diagonal = drawn([[0.2, 1, 0]])  # 1 where x2 > -x1/5: wrong on none of the linear intervals
    assert exact_risk(task, diagonal) == pytest.approx(0, abs=1e-15)
    # 1 where x2 > -x1/2: given x1 = 1 a label-0 point is wrong on (-0.5, -0.2), 3/8 of its interval
    steeper = drawn([[0.5, 1, 0]])
    assert exact_risk(task, steeper) == pytest.approx(0.25 * 3 / 8)
    only_atoms = BlockTask("by-hand", {}, (atom, atom), (0,))
    assert exact_risk(only_atoms, drawn([[1, 0, 0]])) == pytest.approx(0.25)
    assert exact_risk(only_atoms, drawn([[1, 1, 0]])) == pytest.approx(  # a tie is label 0
        (0.25**2 + (1 - 0.75**2)) / 2
    )


def test_exact_risk_refuses_other_tasks():
    with pytest.raises(ValueError, match="task: got '3 coordinates', allowed: a task of 2"):
        exact_risk(tasks.get("lms-5", dim=3), random(5, 1, 0, dim=3))
    gaussian = BlockTask("by-hand", {}, (blocks.linear(), blocks.normal()), (0,))
    with pytest.raises(ValueError, match="task: got 'a normal coordinate'"):
        exact_risk(gaussian, random(5, 1, 0))


# from stacks


@cache
def untrained(dim, width=20, depth=2):
    """A stack of networks at random initialisation, each with its rotation."""
    network = MLP(width, depth)
    cell = Cell(tasks.get("lms-7", dim=dim), network, sgd(), n_train=256)
    stack = control(cell, "achievable", seeds=2)
    params = stacked(
        [jax.device_get(network.init(jax.random.key(seed), (dim,))) for seed in stack.seeds]
    )
    return replace(stack, params=params)


@pytest.mark.parametrize("i", (0, 1))
@pytest.mark.thorough
def test_layers_take_unrotated_points(i, forward):
    stack = untrained(5)
    layers = layers_of(stack, i)
    x = np.random.default_rng(i).uniform(-1, 1, (100, 5))
    params = jax.tree.map(lambda leaf: leaf[i], stack.params)
    logits = forward(params, x @ stack.rotation[i].astype(np.float64))
    np.testing.assert_allclose(margin(layers, x), logits[:, 1] - logits[:, 0], atol=1e-12)
    assert all(part.dtype == np.float64 for layer in layers for part in layer)
    plane = Plane(x[0], x[1:3])
    u = np.random.default_rng(9).uniform(-1, 1, (50, 2))
    np.testing.assert_allclose(
        margin(restrict(layers, plane), u), margin(layers, x[0] + u @ x[1:3]), atol=1e-12
    )


@pytest.mark.parametrize("rule", ("achievable", "simple"))
def test_a_controls_exact_risk_survives_its_rotation(rule):
    cell = Cell(tasks.get("noisy-lms-7", dim=2), MLP(100, 2), sgd(), n_train=256)
    risk = exact_risk(cell.task, layers_of(control(cell, rule), 0))
    known = 0.0 if rule == "achievable" else oracle.simple_risk(cell.task)
    assert risk == pytest.approx(known, abs=1e-6)  # weights are float32


def test_other_networks_and_positions_are_refused():
    stack = untrained(5)
    leaky = replace(stack, cell=replace(stack.cell, network=MLP(20, 2, "leaky-relu")))
    with pytest.raises(ValueError, match="network: got .*leaky-relu.*allowed: an MLP of relu"):
        layers_of(leaky, 0)
    for i in (-1, 2):
        with pytest.raises(ValueError, match=rf"i: got {i}, allowed: an integer in \[0, 2\)"):
            layers_of(stack, i)


@pytest.mark.parametrize(
    "sides", [(1, 1, 0, 1), (1, 0, 0, 1), (0, 1, 2, 1), (0, np.inf, 0, 1), (0, 1, np.nan, 1)]
)
def test_an_empty_or_infinite_box_is_refused(sides):
    with pytest.raises(ValueError, match="(left|right|bottom|top): got"):
        Box(*sides)


def test_planes_networks_and_points_that_do_not_fit_are_refused():
    layers = random(5, 1, 0, dim=3)
    with pytest.raises(ValueError, match="plane: got"):
        restrict(layers, Plane(np.zeros(2), np.eye(2)))
    with pytest.raises(ValueError, match="plane: got"):
        restrict(layers, Plane(np.full(3, np.nan), np.eye(3)[:2]))
    with pytest.raises(ValueError, match="restricted_layers: got"):
        decide(layers, SQUARE)
    with pytest.raises(ValueError, match="restricted_layers: got 'weights that are not finite'"):
        decide(drawn([[np.nan, 0, 0]]), SQUARE)
    with pytest.raises(ValueError, match="layers: got '3 outputs'"):
        margin(drawn([[1, 0, 0]] * 3), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="point: got"):
        component(DIAMOND, np.array([2.0, 0.0]), SQUARE)
    with pytest.raises(ValueError, match="box: got"):
        decide(DIAMOND, (0, 1, 0, 1))
