"""Grids, cuts and distances of networks whose answers are known, and of a trained stack."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from scipy import stats

from simbias import MLP, Stop, sgd, tasks, train, validate
from simbias.parallel import stacked
from simbias.stats.bounded import betting_interval
from simbias.tasks import oracle
from simbias.training import Cell
from simbias.training.problem import problem_of
from simbias.validation import control, cuts
from simbias.validation.contexts import draw_given, draw_lines, slab_coordinates
from simbias.validation.cuts import curve_distances
from simbias.validation.grids import _over_contexts, _proportion_over_contexts, measure_grids
from simbias.validation.planes import ZONES

DIM, OWN = 4, 3  # the explicit achievable network looks at the last coordinate
RESOLUTION, CONTEXTS = 40, 32


def cell_of(name="noisy-lms-7", dim=DIM, depth=1, **network):
    return Cell(tasks.get(name, dim=dim), MLP(8, depth, **network), sgd(), n_train=300)


@cache
def report(rule, depth=1):
    stack = control(cell_of(depth=depth), rule, seeds=3)
    return measure_grids(stack, coordinates=[1, OWN], resolution=RESOLUTION, contexts=CONTEXTS)


def with_rule(stack, rule):
    """The same stack with explicit networks of another rule."""
    network = stack.cell.network
    layers = [
        oracle.explicit_network(rule, turn, width=network.width, depth=network.depth)
        for turn in stack.rotation
    ]
    return replace(stack, params=stacked([network.from_layers(own) for own in layers]))


# controls


@pytest.mark.parametrize("depth", (1, 2))
@pytest.mark.thorough
def test_the_achievable_network_gets_full_marks_in_every_zone_of_every_plane(depth):
    agreement = report("achievable", depth).achievable_agreement
    assert agreement.value.shape == (3, 2, len(ZONES))
    assert np.all(agreement.value == 1) and np.all(agreement.high == 1)
    assert np.all(
        (agreement.low > 0.7) & (agreement.low < 0.9)
    )  # 16 pairs of contexts tell no more


def test_the_simple_network_follows_the_simple_rule_and_half_of_the_achievable_one():
    grids = report("simple")
    assert np.all(grids.simple_agreement.value == 1)
    np.testing.assert_allclose(grids.achievable_agreement.value, 0.5, atol=1e-6)


def test_only_the_plane_of_its_own_coordinate_shows_what_the_achievable_network_says():
    grids = report("achievable")
    rule = oracle.achievable_rule(tasks.get("noisy-lms-7", dim=2), 1)
    rows = rule(np.column_stack([0 * grids.up[1], grids.up[1]]))
    assert np.all(grids.proportion[:, 1] == rows[:, None])
    assert np.all(grids.proportion[:, 0] == 0.5)  # the context decides
    assert np.all(grids.given[:, 0, 0] == 0) and np.all(grids.given[:, 0, 1] == 1)


def test_cuts_of_the_controls_and_what_they_are_worth():
    best = report("achievable")
    assert best.achievable_cuts == (6, 6)
    assert np.all(best.counts[:, 1] == 6) and np.all(best.counts[:, 0] == 0)
    assert np.all(best.majority_cuts == [0, 6])
    np.testing.assert_allclose(best.cut_accuracy.value, [[0.5, 1]] * 3)
    line = report("simple")
    assert np.all(line.counts == 0) and np.all(line.majority_cuts == 0)
    assert np.all(line.cut_accuracy.value == 0.5)


def test_cuts_are_looked_for_on_every_slab_coordinate():
    best, line = report("achievable"), report("simple")
    assert best.slabs == line.slabs == (1, 2, OWN)
    assert np.all(best.slab_cuts == [0, 0, 6]) and np.all(line.slab_cuts == 0)


def test_distances_of_the_controls():
    best = report("achievable").distances
    np.testing.assert_allclose(best[:, 1], 0, atol=1e-6)  # float32 weights
    assert np.isnan(best[:, 0]).all()  # no boundary in the planes of other coordinates
    # a line at x0 = 0 against cuts: each end of a cut is 1 away; half of a cut's length away on
    # average, the other way half of the way between cuts
    mean, largest = np.moveaxis(report("simple").distances, -1, 0)
    cuts = np.array(oracle.achievable_rule(tasks.get("noisy-lms-7", dim=2), 1).cuts)
    x = np.linspace(-1, 1, 20_001)
    back = np.abs(x[:, None] - cuts).min(axis=1).mean()
    np.testing.assert_allclose(mean, (0.5 + back) / 2, atol=1e-3)
    assert np.all((largest > 0.998) & (largest <= 1))


def test_a_network_without_the_two_outer_cuts_is_caught():
    stack = control(cell_of(), "achievable")
    full = oracle.achievable_rule(stack.cell.task, OWN)
    grids = measure_grids(
        with_rule(stack, replace(full, cuts=full.cuts[1:-1], first=1 - full.first)),
        coordinates=[OWN],
        resolution=RESOLUTION,
        contexts=CONTEXTS,
    )
    assert np.all(grids.counts == 4) and grids.majority_cuts == 4
    assert grids.cut_accuracy.value == pytest.approx(0.9375)
    # the two outer slabs of the four positive ones are wrong, and no negative one
    agreed = grids.achievable_agreement.value[0, 0]
    assert agreed[[0, 2]] == pytest.approx(0.75, abs=0.03)
    mean, largest = grids.distances[0, 0, 0]
    gap = full.cuts[1] - full.cuts[0]
    assert largest == pytest.approx(gap, abs=1e-6)
    assert mean == pytest.approx((0 + gap * 2 / 6) / 2, abs=1e-6)


# what is asked


@pytest.mark.thorough
def test_two_coordinates_leave_no_context_and_nothing_to_chance():
    stack = control(cell_of(dim=2), "achievable", seeds=2)
    grids = measure_grids(stack, resolution=20, contexts=CONTEXTS)
    assert grids.contexts == 0 and grids.coordinates == (1,)
    assert set(np.unique(grids.given)) == set(np.unique(grids.proportion)) == {0, 1}
    assert np.all(grids.achievable_agreement.value == 1)
    assert grids.counts.shape == (2, 1, CONTEXTS) and np.all(grids.counts == 6)
    assert grids.distances.shape == (2, 1, 1, 2)


@pytest.mark.thorough
def test_proportions_are_those_of_points_put_together_by_hand(trained, forward):
    grids = measure_grids(trained, coordinates=[2], resolution=21, contexts=6, planes=1)
    i, task = 3, trained.cell.task
    x = draw_lines(trained, i, 0, 6)
    params = jax.tree.map(lambda leaf: leaf[i], trained.params)
    for row, column in ((0, 0), (4, 4), (8, 3), (2, 5)):
        x[:, 0], x[:, 2] = grids.across[column], grids.up[0, row]
        logits = forward(params, x @ trained.rotation[i].astype(float))
        label = logits[:, 1] > logits[:, 0]
        assert grids.given[i, 0, :, row, column] == pytest.approx(
            [label[::2].mean(), label[1::2].mean()]
        )
        assert grids.proportion[i, 0, row, column] == pytest.approx(label.mean())
    assert task.blocks[2].kind == "slab-7"


@pytest.mark.thorough
def test_a_network_that_has_learned_a_line_agrees_with_it_outside_the_margin(trained):
    grids = measure_grids(trained, coordinates=[1, 2], resolution=30, contexts=64, planes=1)
    agreed = grids.simple_agreement
    assert np.all(agreed.value[..., :2] > 0.98)
    inside = grids.achievable_agreement.value[..., 2]
    assert np.all(np.abs(inside - 0.5) < 0.15)
    assert np.all((agreed.low <= agreed.value) & (agreed.value <= agreed.high))


@pytest.mark.thorough
def test_devices_do_not_change_the_answer(trained, monkeypatch):
    options = {"coordinates": [1], "resolution": 21, "contexts": 6, "planes": 1}
    two = measure_grids(trained, **options)
    devices = jax.devices()
    assert len(devices) == 2
    monkeypatch.setattr(jax, "devices", lambda *_: devices[:1])
    grids = measure_grids(trained, **options)
    np.testing.assert_array_equal(grids.given, two.given)
    np.testing.assert_array_equal(grids.simple_agreement, two.simple_agreement)


def test_what_is_not_asked_for_changes_nothing_else(trained):
    options = {"coordinates": [2, 1], "resolution": 21, "contexts": 6}
    whole = measure_grids(trained, planes=1, **options)
    part = measure_grids(trained, planes=0, every_slab=False, **options)
    assert part.slabs == (2, 1) and part.distances.shape == (*whole.distances.shape[:2], 0, 2)
    own = [whole.slabs.index(slab) for slab in part.slabs]
    np.testing.assert_array_equal(part.slab_cuts, whole.slab_cuts[:, own])
    np.testing.assert_array_equal(part.given, whole.given)


def test_a_network_meets_the_same_contexts_in_every_stack():
    stacks = [control(cell_of(), "achievable", seeds=seeds) for seeds in ([0, 5], [5])]
    first, alone = (draw_lines(stack, stack.index(5), 0, CONTEXTS) for stack in stacks)
    np.testing.assert_array_equal(first, alone)
    assert not np.array_equal(first, draw_lines(stacks[0], 0, 0, CONTEXTS))


@pytest.mark.thorough
def test_contexts_have_the_labels_in_turn_and_the_simple_coordinate_in_its_margin():
    stack = control(cell_of(dim=3), "achievable")
    x = draw_lines(stack, 0, 0, 1000)
    assert np.all(np.abs(x[:, 0]) < 0.1) and abs(x[:, 0].mean()) < 0.01
    label = oracle.achievable_rule(stack.cell.task, 1)(x)
    np.testing.assert_array_equal(label, np.arange(1000) % 2)


def test_the_margin_of_a_slab_coordinate_is_all_of_its_gaps():
    stack = control(cell_of("noisy-ms-5-7", dim=3), "achievable")
    x = draw_lines(stack, 0, 0, 1000)[:, 0]
    told = oracle.decided(stack.cell.task.blocks[0])
    assert len(told) == 5
    gaps = [(piece.high, other.low) for piece, other in zip(told[:-1], told[1:], strict=True)]
    held = [np.mean((low <= x) & (x <= high)) for low, high in gaps]
    assert held == pytest.approx([0.25] * 4, abs=0.05)


def test_draws_given_labels_have_those_labels():
    task, y = tasks.get("lms-7", dim=3), np.array([1, 1, 0, 1, 0])
    x = draw_given(task, jax.random.key(0), y)
    assert x.dtype == np.float64
    np.testing.assert_array_equal(oracle.simple_rule(task)(x), y)


def test_other_networks_have_proportions_but_no_exact_geometry():
    cell = cell_of(activation="tanh")
    rotation = np.stack([problem_of(cell, 0).law.rotation])
    stack = replace(control(cell_of(), "achievable"), cell=cell, rotation=rotation, draws=("",))
    grids = measure_grids(stack, resolution=20, contexts=4)
    assert np.isfinite(grids.given).all()
    for part in (grids.counts, grids.cuts.value, grids.majority_cuts, grids.distances):
        assert np.isnan(part).all()


def test_a_diverged_network_has_no_exact_geometry():
    stack = control(cell_of(), "achievable", seeds=2)
    for leaf in jax.tree.leaves(stack.params):
        leaf[1] = np.nan
    options = {"coordinates": [OWN], "resolution": RESOLUTION, "contexts": CONTEXTS}
    grids = measure_grids(stack, **options)
    assert np.isfinite(grids.counts[0]).all() and np.isnan(grids.counts[1]).all()


def test_default_coordinates_attain_the_bayes_risk():
    assert slab_coordinates(tasks.get("noisy-lms-7"), None) == [1, 2, 3, 4]
    assert slab_coordinates(tasks.get("lsn"), None) == [1]


# statistics and distances


def test_intervals_are_stratified_by_label():
    random = np.random.default_rng(0)
    values = random.normal(size=(5, 40)) + 7 * (np.arange(40) % 2)  # labels differ by far
    interval = _over_contexts(values, 0.95)
    zero, ones = values[:, ::2], values[:, 1::2]
    expected = stats.ttest_ind(zero, -ones, axis=1).confidence_interval()
    np.testing.assert_allclose(interval.low, expected.low / 2)
    np.testing.assert_allclose(interval.high, expected.high / 2)


def test_without_spread_over_contexts_nothing_is_known_of_unbounded_means():
    interval = _over_contexts(np.full((1, 40), 3.0), 0.95)
    assert interval.value == [3] and np.isnan(interval.low).all() and np.isnan(interval.high).all()


def test_units_of_a_proportion_are_pairs_of_contexts_given_either_label():
    values = (np.arange(40) % 2)[None] * 1.0  # labels differ by far, pairs not at all
    interval = _proportion_over_contexts(values, 0.95)
    ends = map(float, betting_interval(np.full(20, 0.5), 0.95))
    assert tuple(part[0] for part in interval) == pytest.approx((0.5, *ends))


def line(*vertices):
    return np.array(vertices, float)


def test_distance_between_parallel_lines():
    first, other = [line((0, 0), (2, 0))], [line((2, 0.5), (1, 0.5), (0, 0.5))]
    assert curve_distances(first, other, 0.01) == pytest.approx((0.5, 0.5))


def test_distance_to_a_part_is_none_one_way_and_some_the_other():
    whole, half = [line((0, 0), (2, 0))], [line((0, 0), (1, 0))]
    mean, largest = curve_distances(whole, half, 0.01)
    assert mean == pytest.approx((0.25 + 0) / 2, abs=1e-4)  # 0 on one half, 1/2 on the other
    assert 1 - 0.005 <= largest <= 1


def test_distances_do_not_depend_on_where_the_vertices_are():
    random = np.random.default_rng(1)
    first = [random.normal(size=(6, 2)), random.normal(size=(3, 2))]
    other = [random.normal(size=(5, 2))]
    split = [np.insert(curve, 1, curve[:2].mean(axis=0), axis=0) for curve in first]
    expected = curve_distances(first, other, 1e-3)
    assert curve_distances(split, other, 1e-3) == pytest.approx(expected, abs=1e-3)
    assert curve_distances(other, first, 1e-3) == pytest.approx(expected, abs=1e-12)


def test_points_lie_close_enough_for_what_is_said_of_hausdorff_distances():
    # short by at most half of the spacing, 1/1000 of a side: a tooth between two points is missed
    assert cuts._STEP / 2 == 1 / 1000
    tooth = [np.array([(0.0, 0.0), (1 - cuts._STEP, 0.0), (1, 5), (1 + cuts._STEP, 0), (2, 0)])]
    base = [np.array([(0.0, 0.0), (2.0, 0.0)])]
    assert 5 - cuts._STEP / 2 <= curve_distances(tooth, base, cuts._STEP)[1] <= 5


def test_there_is_no_distance_to_nothing():
    assert np.isnan(curve_distances([], [line((0, 0), (1, 1))], 0.1)).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"coordinates": [0]}, "coordinates"),
        ({"coordinates": []}, "coordinates"),
        ({"coordinates": [1, 1]}, "coordinates"),
        ({"coordinates": [DIM]}, "coordinates"),
        ({"resolution": 1}, "resolution"),
        ({"contexts": 5}, "contexts"),
        ({"planes": -1}, "planes"),
        ({"confidence": 1}, "confidence"),
    ],
)
def test_bad_arguments_are_named(options, word):
    with pytest.raises(ValueError, match=f"^{word}: got"):
        measure_grids(control(cell_of(), "simple"), **options)


def test_a_task_without_a_simple_set_has_no_planes():
    with pytest.raises(ValueError, match="^learned: got"):
        measure_grids(control(cell_of("ms-7"), "achievable"))


# trained to the end


def trained_to_the_end(dim, depth, updates):
    return train(
        tasks.get("noisy-lms-7", dim=dim),
        MLP(100, depth),
        sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-5),
        n_train=40_000,
        seeds=2,
        stop=Stop(max_updates=updates),
    )


@pytest.mark.slow
@pytest.mark.parametrize("dim", (2, 5))
def test_in_few_dimensions_two_hidden_layers_learn_the_achievable_rule(dim):
    stack = trained_to_the_end(dim, 2, 40_000)
    assert np.all(validate(stack).achievable_agreement.low >= 0.99)
    grids = measure_grids(stack)
    margin = grids.achievable_agreement.value[:, :, ZONES.index("margin-slab")]
    assert np.all(margin >= 0.99)
    if dim == 2:  # the only slab coordinate; with more, their cuts may be shared out
        assert np.all(grids.slab_cuts == 6) and np.all(grids.cut_accuracy.value == 1)


@pytest.mark.slow
def test_in_fifty_dimensions_a_network_follows_the_simple_rule_and_learns_no_cut():
    grids = measure_grids(trained_to_the_end(50, 1, 20_000))
    outside = [ZONES.index("support-slab"), ZONES.index("support-gap")]
    assert np.all(grids.simple_agreement.value[:, :, outside] >= 0.98)
    inside = grids.achievable_agreement
    zone = ZONES.index("margin-slab")
    assert np.all((inside.low[:, :, zone] < 0.55) & (inside.high[:, :, zone] > 0.45))
    assert np.all(grids.cuts.value < 6) and np.all(grids.slab_cuts < 6)
