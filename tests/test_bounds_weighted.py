"""Weighted certificates of classifiers: known densities, exact risks under a shift, coin flips."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

import simbias
from simbias import bounds, tasks
from simbias.bounds.fresh import fresh_scores, unrotated_points
from simbias.models import panel
from simbias.tasks.block_task import BlockTask
from simbias.tasks.blocks import Block, Pair, Piece
from simbias.tasks.densities import draw_unrotated, log_density, weights, weights_of
from simbias.tasks.shifts import shifted
from simbias.validation import control

TASK = tasks.get("noisy-lms-7", dim=4)
FEW = dict(held_out=[100, 2000], n_simulated=2000, n_certify=400)


@pytest.fixture(scope="module")
def data():
    return simbias.data(TASK, n_train=500)


def test_largest_weights_and_masses_outside_by_hand():
    def largest(shift, noise=0.2, dim=3):
        task = tasks.get("noisy-lms-7", dim=dim, noise=noise)
        return weights_of(task, shifted(task, shift))

    assert largest("margin") == pytest.approx((1 / 0.2, 0))
    # masses given the label 1/2, 1/4, 1/4 and 7/16, 7/16, 1/16, 1/16, all equal
    assert largest("even-slabs", dim=2) == pytest.approx((4, 0))
    assert largest("even-slabs") == pytest.approx((16, 0))
    assert largest("density=0.8", dim=2) == pytest.approx(((0.8 / 0.5) ** 2, 0))
    assert largest("none") == (1, 0)
    # what is in conflict lies on the other side, where there is no mass given the label
    assert largest("conflict=0.25") == pytest.approx((np.inf, 0.25 * 0.8))
    assert largest("gaps")[1] == 1


def test_a_move_leaves_the_support_by_its_length():
    task = tasks.get("lms-5", dim=2)  # linear: uniform on [.1, 1]
    assert weights_of(task, shifted(task, "move=0.09")) == pytest.approx((np.inf, 0.1))


def test_weights_are_those_of_the_densities():
    other = shifted(TASK, "slab-masses=0.3")
    x, y = draw_unrotated(TASK, np.random.default_rng(0), 2000)
    expected = np.exp(log_density(other, x, y) - log_density(TASK, x, y))
    np.testing.assert_allclose(weights(TASK, other, x, y), expected)
    assert np.ptp(expected) > 1 and expected.mean() == pytest.approx(1, abs=0.1)
    away = weights(TASK, shifted(TASK, "conflict=0.5"), -x, y)
    assert set(np.unique(np.isinf(away))) == {False, True}


def test_near_an_end_the_larger_of_both_weights_counts():
    steps = (Piece(0.0, 1.0, 0.5), Piece(1.0, 2.0, 0.5))
    uneven = (Piece(0.0, 1.0, 0.1), Piece(1.0, 2.0, 0.9))
    first, other = (
        BlockTask("steps", {}, (Block("steps", 0.1, Pair(law, law)),), (0,))
        for law in (steps, uneven)
    )
    x, y = np.array([[0.5], [1 - 1e-7], [1 + 1e-7], [-1e-7], [2.5]]), np.zeros(5, int)
    exact = weights(first, other, x, y)
    np.testing.assert_allclose(exact[:3], [0.2, 0.2, 1.8])
    rounded = weights(first, other, x, y, rounding=1e-6)
    np.testing.assert_allclose(rounded[:4], [0.2, 1.8, 1.8, 0.2])
    assert rounded[4] == 0  # beyond both laws


def test_weights_belong_to_the_points_that_are_scored(data):
    seen = []

    def recorded(x):
        seen.append(x)
        return x[:, 0]

    own = panel(recorded, data)
    _, y = fresh_scores(own, 0, "weighted", "holdout", 300)
    points = unrotated_points(own, 0, "weighted", "holdout", 300)
    np.testing.assert_array_equal(points.y, y)
    np.testing.assert_allclose(points.x @ data.rotation, seen[0], atol=1e-5)
    inside = weights(TASK, shifted(TASK, "density=0.7"), points.x.astype(np.float64), y)
    assert np.isfinite(inside).all() and (inside > 0).all()


@pytest.mark.thorough
def test_a_classifier_at_chance_is_never_certified_below_it_more_often_than_delta():
    # labels are fair coins under every shift, so what looks at nothing errs half the time
    task = tasks.get("noisy-lms-7", dim=3)
    sets = [simbias.data(task, n_train=10, seed=seed) for seed in range(20)]
    constant = [lambda x: np.ones(len(x))] * len(sets)
    below = 0
    for shift in ("even-slabs", "conflict=0.3", "density=0.9"):
        weighted = bounds.weighted(
            constant, shift, data=sets, held_out=300, delta=0.2, n_simulated=500, n_certify=100
        )
        below += int((weighted.limit < 0.5).sum())
        assert weighted.limit.max() <= 1 and np.median(weighted.limit) < 0.95
    assert stats.binomtest(below, 3 * len(sets), 0.2, alternative="greater").pvalue > 0.01


@pytest.mark.thorough
def test_the_explicit_networks_are_certified_at_what_their_rules_lose():
    cell = simbias.training.Cell(TASK, simbias.MLP(100, 1), simbias.sgd(), n_train=500)
    shift, risks = "margin", {"achievable": 0.0, "simple": 0.5}
    for rule, risk in risks.items():
        weighted = bounds.weighted(control(cell, rule), shift, **FEW)
        assert weighted.fresh_risk.low <= risk <= weighted.fresh_risk.high
        assert (weighted.limit >= risk).all()
        assert weighted.limit[0, 1] < risk + 0.3 and weighted.limit[0, 1] < weighted.limit[0, 0]
        assert weighted.weighted_error[0, 1] == pytest.approx(risk, abs=0.15)
        assert (weighted.cap == weighted.largest).all() and not weighted.left_out.any()
    # planted: the risk without the shift would be certified for the simple network
    plain = bounds.weighted(control(cell, "simple"), "none", **FEW)
    assert plain.limit[0, 1] < 0.15


@pytest.mark.thorough
def test_the_mass_outside_the_support_counts_as_errors():
    cell = simbias.training.Cell(TASK, simbias.MLP(100, 1), simbias.sgd(), n_train=500)
    weighted = bounds.weighted(control(cell, "achievable"), "conflict=0.3", **FEW)
    assert weighted.outside == pytest.approx(0.3 * 0.9)
    assert weighted.left_out[1] > weighted.outside and weighted.limit[0, 1] < weighted.outside + 0.1


@pytest.mark.thorough
def test_points_without_finite_scores_are_errors(data):
    def half(x, answer):
        return np.where(x[:, 0] > 0, np.nan, answer)

    # two answers of which one is right: points without scores are errors of both
    all_weighted = [
        bounds.weighted(partial(half, answer=answer), "none", data=data, **FEW)
        for answer in (-5.0, 5.0)
    ]
    assert sum(weighted.weighted_error[0, 1] for weighted in all_weighted) == pytest.approx(
        1.5, abs=0.05
    )
    assert all_weighted[0].cap[0] == all_weighted[0].largest == 1


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(shift="gaps"), "^shift: got 'gaps on noisy-lms-7', allowed: one with points where"),
        (dict(shift="conflct=0.1"), "^shift: unknown name 'conflct', nearest: conflict"),
        (dict(shift="conflict=2"), "^shift: got 'conflict=2', allowed"),
        (dict(delta=0), "^delta: got 0, allowed"),
        (dict(held_out=0), "^held_out: got 0, allowed"),
        (dict(n_simulated=0), "^n_simulated: got 0, allowed"),
        (dict(confidence=1), "^confidence: got 1, allowed"),
    ),
)
def test_bad_arguments_are_refused_in_one_line(data, change, message):
    given = dict(shift="margin", data=data) | change
    with pytest.raises(ValueError, match=message):
        bounds.weighted(lambda x: x[:, 0], **given)


def test_a_task_without_densities_is_refused():
    data = simbias.data(tasks.get("lsn", dim=4), n_train=10)
    with pytest.raises(ValueError, match="^task: got 'lsn', allowed: .* densities$"):
        bounds.weighted(lambda x: x[:, 0], "even-slabs", data=data)
