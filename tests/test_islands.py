"""Islands around exceptions: both controls, islands made by hand, and brute force."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
import streams
from scipy import stats

from simbias import MLP, sgd, tasks
from simbias.parallel import stacked
from simbias.stats.binomial import clopper_pearson
from simbias.tasks import oracle
from simbias.tasks.oracle import Layer
from simbias.training import Cell
from simbias.validation import control, vicinity
from simbias.validation.contexts import draw_given
from simbias.validation.islands import _at_most, _compared, _proportion, _student, measure_islands
from simbias.validation.vicinity import _island

DIM, OWN, SEEDS, POINTS = 4, 3, 2, 10
MEASURES = ("fitted", "axis", "chord", "area", "relative")


def cell_of(name="noisy-lms-7", dim=DIM, **network):
    return Cell(tasks.get(name, dim=dim), MLP(8, 1, **network), sgd(), n_train=2000)


@cache
def report(rule, seeds=SEEDS):
    stack = control(cell_of(), rule, seeds=seeds)
    return measure_islands(stack, sample=POINTS, directions=5, coordinates=[1, OWN])


def training_set(cell, seed):
    return streams.points(cell.task, seed, cell.n_train)


def peak(radius, dim=2):
    """A network that says 1 where |x0| + |x1| < radius, and nowhere else."""
    first = np.zeros((dim, 4))
    first[0, :2], first[1, 2:] = (1, -1), (1, -1)
    return [
        Layer(first, np.zeros(4)),
        Layer(-np.ones((4, 1)), np.array([2.0])),
        Layer(np.array([[-0.5, 0.5]]), np.array([1, -1]) * (2 - radius) / 2),
    ]


# controls


@pytest.mark.thorough
def test_the_achievable_network_treats_training_and_fresh_exceptions_alike():
    measured = report("achievable")
    for name in MEASURES:
        excess = getattr(measured, name).excess
        assert np.all((excess.low <= 0) & (0 <= excess.high)), name
    assert np.all(measured.fitted.training.value == 1) and np.all(measured.fitted.fresh.value == 1)
    assert np.all(measured.chord.training.value > 0.1)


@pytest.mark.thorough
def test_the_simple_network_has_no_islands():
    measured = report("simple")
    for islands in (*measured.training, *measured.fresh):
        assert len(islands.index) == POINTS
        assert not islands.fitted.any() and not islands.open.any()
        assert not islands.axis.any() and not islands.chord.any() and not islands.area.any()
    for name in MEASURES:
        compared = getattr(measured, name)
        assert not np.any([part.value for part in compared]), name
        if name == "relative":  # nothing bounds it, and nothing is seen of its spread
            assert np.isnan([part.low for part in compared]).all()
        else:
            assert np.all(compared.fresh.low == 0) and np.all(compared.fresh.high > 0), name
            assert np.all((compared.excess.low < 0) & (compared.excess.high > 0)), name
    assert all(np.all(islands.fitted_since == -1) for islands in measured.training)


@pytest.mark.thorough
def test_around_the_achievable_network_islands_are_its_slabs():
    measured = report("achievable")
    cuts = oracle.achievable_rule(tasks.get("noisy-lms-7", dim=DIM), OWN).cuts
    edges = np.array([-np.inf, *cuts, np.inf])
    for islands in (*measured.training, *measured.fresh):
        x = islands.position[:, OWN]
        slab = np.searchsorted(cuts, x)
        up, down = edges[slab + 1] - x, x - edges[slab]
        kept = np.minimum(np.column_stack([up, down]), measured.reach)
        np.testing.assert_allclose(islands.axis[:, OWN], kept, atol=1e-6)
        assert np.all(islands.axis[:, :OWN] == measured.reach)
        height = np.minimum(edges[slab + 1], 1) - np.maximum(edges[slab], -1)
        np.testing.assert_allclose(islands.area[:, 1], 2 * height, atol=1e-6)
        np.testing.assert_allclose(islands.area[:, 0], 4, atol=1e-9)  # that plane is one label
        assert islands.open.all()


@pytest.mark.thorough
def test_where_some_exceptions_are_fitted_these_have_islands_and_the_others_have_none(monkeypatch):
    # a network with the two inner cuts only: it labels two slabs, and their exceptions, wrongly
    stack, drawn = control(cell_of(), "achievable", seeds=SEEDS), []

    def given(*arguments):
        drawn.append(draw_given(*arguments))
        return drawn[-1]

    monkeypatch.setattr(vicinity, "draw_given", given)
    rule = oracle.achievable_rule(stack.cell.task, OWN)
    rule = replace(rule, cuts=rule.cuts[2:-2])
    layers = [oracle.explicit_network(rule, turn, width=8, depth=1) for turn in stack.rotation]
    stack = replace(stack, params=stacked(list(map(stack.cell.network.from_layers, layers))))
    measured = measure_islands(stack, sample=30, directions=5, coordinates=[1, OWN])
    edges = np.array([-np.inf, *rule.cuts, np.inf])
    pairs = zip(measured.training, measured.fresh, strict=True)
    for islands, ends in zip([islands for pair in pairs for islands in pair], drawn, strict=True):
        right = rule(islands.position) == islands.label
        assert 0 < right.sum() < len(right) == 30
        np.testing.assert_array_equal(islands.fitted, right)
        for part in (islands.axis, islands.chord, islands.area, islands.open):
            assert not part[~right].any() and part[right].any()
        # on the way to a draw its label is kept up to the next cut, or all the way
        arms = ends.reshape(30, 5, DIM) - islands.position[:, None]
        arms[..., 0] = 0
        x, way = islands.position[:, OWN, None], arms[..., OWN]
        slab = np.searchsorted(rule.cuts, x)
        proportion = np.minimum((np.where(way > 0, edges[slab + 1], edges[slab]) - x) / way, 1)
        kept = proportion * np.linalg.norm(arms, axis=2)
        np.testing.assert_allclose(islands.chord[right], kept[right], atol=1e-5)
        assert {True, False} <= set((proportion[right] < 1).ravel())
    for kind in ("training", "fresh"):
        for i, islands in enumerate(getattr(measured, kind)):
            right, radius = islands.fitted, np.median(islands.chord, axis=1)
            for name, values in (
                ("fitted", 1.0 * right),
                ("axis", np.median(islands.axis.reshape(30, -1), axis=1)),
                ("chord", radius),
                ("area", islands.area.mean(axis=1)),
                ("relative", radius / islands.nearest),
                ("size", radius[right]),
                ("open", 1.0 * islands.open[right].all(axis=1)),
            ):
                value = getattr(getattr(measured, name), kind).value[i]
                assert value == pytest.approx(values.mean()), name


# islands made by hand


@pytest.mark.parametrize("radius", (0.01, 0.2, 0.7))
def test_a_diamond_is_measured_exactly_whatever_box_it_takes(radius):
    task = tasks.get("noisy-lms-7", dim=2)
    island = _island(task, peak(radius), np.zeros(2), (0, 1))
    assert island.area == pytest.approx(2 * radius**2, rel=1e-9)
    assert not island.open and island.label == 1


def test_a_diamond_cut_off_by_the_support_is_open():
    island = _island(tasks.get("noisy-lms-7", dim=2), peak(1.5), np.zeros(2), (0, 1))
    assert island.open
    assert island.area == pytest.approx(4 - 4 * 0.5**2 / 2, rel=1e-9)


def test_an_island_is_that_of_the_plane_through_the_point():
    x = np.array([0.0, 0.0, 0.9])
    layers = peak(0.5, dim=3)
    layers[0].weight[2] = 0.1  # moves the peak as x2 moves
    island = _island(tasks.get("noisy-lms-7", dim=3), layers, x, (0, 1))
    # |x0 + .09| + |.09 - x0| is .18 between, so the diamond loses .18 in either coordinate
    assert 0 < island.area < 2 * 0.5**2


# the points


def test_points_are_training_exceptions_and_fresh_ones():
    measured, rule = report("achievable"), oracle.simple_rule(tasks.get("noisy-lms-7", dim=DIM))
    for seed in range(SEEDS):
        x, y = training_set(cell_of(), seed)
        own, new = measured.training[seed], measured.fresh[seed]
        assert len(set(own.index)) == POINTS
        np.testing.assert_allclose(own.position, x[own.index], atol=1e-6)
        np.testing.assert_array_equal(own.label, y[own.index])
        for islands in (own, new):
            assert np.all(rule(islands.position) != islands.label)
        assert np.all(new.index == -1) and np.all(new.fitted_since == -1)
        assert np.all(own.fitted_since == 0)  # a control: from the beginning
        assert not np.isin(new.position[:, OWN], x[:, OWN]).any()


def test_the_nearest_point_of_the_other_label_is_found_among_all():
    x, y = training_set(cell_of(), 0)
    x = x.astype(float)
    for islands in (report("achievable").training[0], report("achievable").fresh[0]):
        apart = np.linalg.norm(islands.position[:, None] - x, axis=2)
        expected = np.where(y != islands.label[:, None], apart, np.inf).min(axis=1)
        np.testing.assert_allclose(islands.nearest, expected)


def test_a_network_has_the_same_islands_in_every_stack():
    first, other = report("achievable").training[1], report("achievable", seeds=(1,)).training[0]
    for name in ("index", "axis", "chord", "area"):
        np.testing.assert_array_equal(getattr(first, name), getattr(other, name))


def test_ways_lead_to_draws_with_the_same_simple_coordinate():
    # the simple coordinate of an exception is all that the simple rule looks at, so on such a way
    # a network of one line keeps its label to the end, whichever it is
    stack = control(cell_of(), "simple")
    for leaf in jax.tree.leaves(stack.params["layers"][1]):
        leaf *= -1  # the simple rule's opposite labels every exception correctly
    measured = measure_islands(stack, sample=10, directions=4)
    islands = measured.training[0]
    assert islands.fitted.all() and np.all(islands.chord > 0.05)
    assert np.all(islands.axis[:, 1:] == measured.reach)
    np.testing.assert_allclose(
        islands.axis[:, 0].min(axis=1), np.abs(islands.position[:, 0]), atol=1e-6
    )
    assert np.all(islands.area == pytest.approx(2)) and islands.open.all()


def test_a_task_without_errors_of_the_simple_rule_has_no_points():
    measured = measure_islands(control(cell_of("lms-7"), "simple"), sample=5, directions=2)
    assert len(measured.training[0].index) == len(measured.fresh[0].index) == 0
    assert np.isnan(np.array([getattr(measured, name) for name in MEASURES])).all()


# statistics


def test_intervals_of_means_without_a_bound_are_students_and_none_without_spread():
    random = np.random.default_rng(0)
    many, other = random.normal(size=30), 0.3 * random.normal(size=12) + 1
    compared = _compared([[many, np.ones(9)], [other, other]], 0.9, _student)
    own = stats.t.interval(0.9, 29, many.mean(), stats.sem(many))
    assert (compared.training.low[0], compared.training.high[0]) == pytest.approx(own)
    first = stats.t.interval(0.95, 29, many.mean(), stats.sem(many))
    second = stats.t.interval(0.95, 11, other.mean(), stats.sem(other))
    ends = first[0] - second[1], first[1] - second[0]
    assert (compared.excess.low[0], compared.excess.high[0]) == pytest.approx(ends)
    assert (
        compared.training.value[1] == 1
        and np.isnan([compared.training.low[1], compared.excess.low[1]]).all()
    )


def test_a_way_that_is_the_same_around_every_point_has_an_interval_with_width():
    compared = _compared([[np.full(50, 1.0)], [np.zeros(50)]], 0.95, _at_most(14.0))
    # a fresh exception in twenty may keep its label as far as can be, and none of fifty shows it
    assert compared.fresh.high[0] > 14 * 0.05 and compared.fresh.low[0] == 0
    assert compared.training.low[0] < 1 < compared.training.high[0]
    assert compared.excess.value[0] == 1 and compared.excess.low[0] < 0 < compared.excess.high[0]


@pytest.mark.slow
def test_rare_ways_are_covered_as_often_as_the_interval_says():
    random, covered = np.random.default_rng(1), 0
    for _ in range(300):
        fresh = 2.0 * (random.random(50) < 0.02)  # 36% of samples show none
        compared = _compared([[np.ones(50)], [fresh]], 0.95, _at_most(4.0))
        covered += compared.fresh.low[0] <= 0.04 <= compared.fresh.high[0]
    assert covered >= 285


def test_proportions_have_clopper_and_pearsons_interval_where_all_points_agree():
    compared = _compared([[np.ones(50)], [np.zeros(50)]], 0.95, _proportion)
    exact = clopper_pearson(np.array([50]), np.array([50]), 0.95)
    assert compared.training.low == pytest.approx(exact.low) and compared.training.high == [1]
    assert compared.excess.low[0] < exact.low[0] and compared.excess.high == [1]


def test_one_point_has_a_mean_and_students_interval_none():
    compared = _compared([[np.array([2.0])], [np.array([1.0, 3.0])]], 0.9, _student)
    assert compared.training.value == [2] and np.isnan(compared.training.low).all()
    assert compared.fresh.value == [2] and np.isfinite(compared.fresh.low).all()
    assert compared.excess.value == [0] and np.isnan(compared.excess.low).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"sample": 1}, "sample"),
        ({"directions": 0}, "directions"),
        ({"coordinates": [0]}, "coordinates"),
        ({"reach": 0}, "reach"),
        ({"confidence": 0}, "confidence"),
    ],
)
def test_bad_arguments_are_named(options, word):
    with pytest.raises(ValueError, match=f"^{word}: got"):
        measure_islands(control(cell_of(), "simple"), **options)


def test_other_networks_and_tasks_without_a_simple_set_are_refused():
    with pytest.raises(ValueError, match="^network: got"):
        measure_islands(replace(control(cell_of(), "simple"), cell=cell_of(activation="tanh")))
    with pytest.raises(ValueError, match="^learned: got"):
        measure_islands(control(cell_of("ms-7"), "achievable"))
