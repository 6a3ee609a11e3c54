"""f-CMI: information by hand, masks that say what was trained on, and networks that memorise."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest
import streams

from simbias import MLP, Stop, sgd, tasks
from simbias._keys import stream
from simbias.bounds import Masked, Observed, evaluate, evaluation, masked_predictions, observe
from simbias.bounds.f_cmi import f_cmi, plug_in_information
from simbias.tasks.oracle import Layer
from simbias.training import Cell, fit
from simbias.training.jobs import MaskedJob, train_jobs
from simbias.training.problem import problem_of, training_set
from simbias.validation import control

MOST = math.sqrt(2 * math.log(2))  # of a point whose training is given away
MASKS = 8


def record(predictions, mask, y):
    """The record of masked predictions; the network beside them plays no part."""
    layers = (Layer(np.zeros((1, 2)), np.zeros(2)),)
    masked = Masked(predictions, mask, y)
    return f_cmi(Observed(layers=layers, x=np.ones((1, 1)), y=np.zeros(1, int), masked=masked))


def memorised(mask, y):
    """Predictions that are right on what was trained on and wrong on the ghosts."""
    second = mask[..., None] == np.array([0, 1])
    return np.where(second, y, 1 - y)


def coins(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 2, shape)


# -- by hand --------------------------------------------------------------------------------


def test_predictions_that_give_the_mask_away_have_information_ln_2():
    mask = np.tile([[0], [0], [1], [1]], 4000)
    measured = record(np.stack([mask, 1 - mask], -1), mask, coins(4000, 2))
    assert measured.value == pytest.approx(MOST)
    # 2 of the 6 orders of the masks of a pair give it away too, the other 4 are independent
    assert measured.terms["value under independence"] == pytest.approx(MOST / 3, abs=0.005)


def test_independent_frequencies_have_no_information():
    values = np.array([(a, b, u) for a in (0, 1) for b in (0, 1) for u in (0, 1)])
    predictions, mask = values[:, None, :2], values[:, 2:]
    np.testing.assert_array_equal(plug_in_information(predictions, mask), [0])
    measured = record(predictions, mask, np.array([[0, 1]]))
    assert (measured.value, measured.log10) == (0, -math.inf)


def test_information_of_four_networks_by_hand():
    # pair 1: labels 00, 00, 00, 11 under masks 0, 0, 1, 1; pair 2: always 01
    predictions = np.array([[[0, 0], [0, 1]]] * 3 + [[[1, 1], [0, 1]]])
    mask = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    by_hand = math.log(4 / 3) / 2 + math.log(2 / 3) / 4 + math.log(2) / 4
    np.testing.assert_allclose(plug_in_information(predictions, mask), [by_hand, 0])
    measured = record(predictions, mask, np.array([[0, 1], [0, 0]]))
    assert measured.value == pytest.approx(math.sqrt(2 * by_hand) / 2)
    # pair 1: network 3 is wrong where it was trained, the others are on the ghosts; pair 2: all
    # are wrong on the second point, where networks 2 and 4 were trained
    assert measured.terms["error on trained points"] == (1 + 2) / 8
    assert measured.terms["error on ghosts"] == (3 + 2) / 8
    assert measured.terms["observed gap"] == pytest.approx(2 / 8)
    assert (measured.terms["masks"], measured.terms["pairs"]) == (4, 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_gap_is_that_of_ghosts_over_points_trained_on(seed):
    mask, y = coins(6, 30, seed=seed), coins(30, 2, seed=9)
    measured = record(memorised(mask, y), mask, y)
    assert measured.terms["error on trained points"] == 0
    assert measured.terms["observed gap"] == measured.terms["error on ghosts"] == 1
    # planted: the mask read the wrong way round
    assert record(memorised(mask, y), 1 - mask, y).terms["observed gap"] == -1


def test_few_masks_tell_of_independent_predictions_and_many_do_not():
    values, levels = [], []
    for masks in (4, 16, 256):
        measured = record(coins(masks, 2000, 2), coins(masks, 2000, seed=1), coins(2000, 2))
        values.append(measured.value)
        levels.append(measured.terms["value under independence"])
    assert values[0] > values[1] > values[2]
    assert values == pytest.approx(levels, rel=0.03)
    # for many masks, 2 x 2 x masks x information is chi square with (4 - 1)(2 - 1) = 3 degrees
    chi = math.sqrt(2) * math.gamma(2) / math.gamma(1.5)
    assert values[2] == pytest.approx(chi / math.sqrt(256), rel=0.03)


def test_masks_of_other_networks_leave_the_value_under_independence():
    mask, y = coins(16, 500), coins(500, 2, seed=1)
    predictions = memorised(mask, y)
    own, other = record(predictions, mask, y), record(predictions, np.roll(mask, 1, axis=0), y)
    level = own.terms["value under independence"]
    assert other.value == pytest.approx(level, rel=0.05)
    assert own.value > 3 * level


def test_which_point_of_a_pair_is_the_first_does_not_matter():
    mask, y, predictions = coins(5, 40), coins(40, 2, seed=1), coins(5, 40, 2, seed=2)
    first = record(predictions, mask, y)
    other = record(predictions[..., ::-1], 1 - mask, y[:, ::-1])
    assert other.value == pytest.approx(first.value)
    assert other.terms["observed gap"] == pytest.approx(first.terms["observed gap"])
    order = np.random.default_rng(3).permutation(5)
    assert record(predictions[order], mask[order], y).value == pytest.approx(first.value)


@pytest.mark.parametrize(
    "change, message",
    (
        (
            dict(mask=np.zeros((1, 3))),
            r"^masked: mask: got 'shape \(1, 3\)', allowed: at least two",
        ),
        (
            dict(mask=np.zeros((2, 0))),
            r"^masked: mask: got 'shape \(2, 0\)', allowed: at least two",
        ),
        (dict(mask=np.zeros(2)), r"^masked: mask: got 'shape \(2,\)'"),
        (
            dict(predictions=np.zeros((2, 3))),
            r"^masked: predictions: got .*allowed: shape \(2, 3, 2\)$",
        ),
        (dict(y=np.zeros(3)), r"^masked: y: got 'shape \(3,\)', allowed: shape \(3, 2\)$"),
        (dict(y=np.full((3, 2), 2)), r"^masked: y: got \[2\], allowed: 0 or 1$"),
    ),
)
def test_masked_predictions_that_do_not_fit_are_refused(change, message):
    given = dict(predictions=np.zeros((2, 3, 2)), mask=np.zeros((2, 3)), y=np.zeros((3, 2)))
    with pytest.raises(ValueError, match=message):
        record(**(given | change))


# -- networks -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """A cell that memorises: 256 points, 400 updates."""
    return Cell(
        tasks.get("noisy-lms-7", dim=10),
        MLP(50, 1),
        sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-5),
        n_train=256,
        stop=Stop(max_updates=400, check_every=200),
    )


@pytest.fixture(scope="module")
def masked(small):
    return masked_predictions(small, 0, masks=MASKS)


def supersample(cell, seed):
    """Inputs (n, 2, dim) and labels (n, 2) of the pairs, drawn through the task."""
    x, y = streams.points(cell.task, seed, 2 * cell.n_train, "supersample")
    x = x @ streams.rotation(cell.task, seed)
    n = cell.n_train
    return np.stack([x[:n], x[n:]], axis=1), np.stack([y[:n], y[n:]], axis=1)


@pytest.mark.thorough
def test_a_network_is_trained_on_the_masked_half_of_its_supersample(small, masked):
    x, y = supersample(small, 0)
    np.testing.assert_array_equal(masked.y, y)
    pairs = np.arange(small.n_train)
    for j in (0, 5):
        data = training_set(small, problem_of(small, 0, j))
        second = masked.mask[j].astype(int)
        np.testing.assert_allclose(data.x, x[pairs, second], atol=1e-5)
        np.testing.assert_array_equal(data.y, y[pairs, second])


@pytest.mark.thorough
def test_masks_are_fair_and_independent(small, masked):
    assert abs(masked.mask.mean() - 0.5) < 4 / math.sqrt(4 * masked.mask.size)
    agreement = (masked.mask[:-1] == masked.mask[1:]).mean(1)
    np.testing.assert_allclose(agreement, 0.5, atol=4 / math.sqrt(4 * small.n_train))


def test_each_mask_has_an_initialisation_and_an_order_of_its_own(small):
    problems = [problem_of(small, 0, mask) for mask in (0, 1)] + [problem_of(small, 0)]
    program = fit.program(small, 1)
    kernels = [fit.start(program, each).params["layers"][0]["kernel"] for each in problems]
    orders = [stream(jax.random.wrap_key_data(each.keys.order), "order") for each in problems]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(kernels[i] - kernels[j]).max() > 0.05
        assert orders[i] != orders[j]
        np.testing.assert_array_equal(problems[i].law.rotation, problems[j].law.rotation)


@pytest.mark.thorough
def test_the_last_check_is_of_the_points_that_the_mask_says(small, masked):
    jobs = [MaskedJob(small, 0, mask) for mask in (1, 6)]
    for job, snapshot in train_jobs(jobs).items():
        right = masked.predictions[job.mask] == (masked.y == 1)
        second = masked.mask[job.mask][:, None] == np.array([False, True])
        assert snapshot.trace[-1, 2] == pytest.approx(right[second].mean(), abs=0.005)
        assert snapshot.trace[-1, 2] > right[~second].mean() + 0.02


def test_masks_are_the_same_again_and_however_many_there_are(small, masked):
    again = masked_predictions(small, 0, masks=2)
    for first, other in zip(
        again, (masked.predictions[:2], masked.mask[:2], masked.y), strict=True
    ):
        np.testing.assert_array_equal(first, other)
    assert np.any(masked_predictions(small, 1, masks=2).y != masked.y)


def test_a_network_that_memorises_has_a_gap_below_the_value(masked):
    measured = record(*masked)
    assert measured.terms["observed gap"] > 0.03
    assert measured.value > measured.terms["observed gap"]
    assert measured.value > 1.5 * measured.terms["value under independence"]


@pytest.mark.slow
def test_a_network_that_learned_the_rule_tells_nothing():
    cell = Cell(tasks.get("lms-7"), MLP(100, 1), sgd(), 2000, stop=Stop(max_updates=4000))
    measured = record(*masked_predictions(cell, 0, masks=MASKS))
    assert measured.value < 0.01 and abs(measured.terms["observed gap"]) < 0.005


@pytest.fixture(scope="module")
def pair(small):
    """Explicit networks passed off as trained: f-CMI looks at the cell and the seeds only."""
    return replace(control(small, "simple", seeds=2), updates=np.array([400, 400]))


@pytest.mark.thorough
def test_every_network_of_a_stack_is_bounded_on_masks_of_its_own_seed(pair, small):
    evaluations = evaluate(pair, bounds=["f-cmi", "l2-norm"], n_certify=1000, masks=2)
    for each in evaluations[::2]:
        assert each.record.value == record(*masked_predictions(small, each.seed, masks=2)).value
        assert each.valid is None and each.gap is None
    assert evaluations[0].record.value != evaluations[2].record.value


@pytest.mark.thorough
def test_masks_are_trained_only_where_they_are_asked_for(pair, small, monkeypatch):
    monkeypatch.setattr(evaluation, "masked_predictions", lambda *_, **__: 1 / 0)
    without = evaluate(pair, bounds=["f-cmi"], n_certify=1000)
    for first in without:
        assert first.record.reason == "networks trained on masks of a supersample: none"
    evaluate(pair, bounds=["l2-norm"], n_certify=1000, masks=2)
    explicit = evaluate(control(small, "simple"), bounds=["f-cmi"], n_certify=1000, masks=2)
    assert not explicit[0].record.applicable


def test_networks_on_masks_that_diverge_leave_only_this_estimate_without_a_value(small):
    wild = replace(small, method=sgd(learning_rate=1e20))
    with pytest.raises(
        ValueError, match="^masks: got '2, of which 2 diverged, seed 1', allowed: n"
    ):
        masked_predictions(wild, 1, masks=2)
    stack = replace(control(wild, "simple"), updates=np.array([400]))
    estimate, norm = evaluate(stack, bounds=["f-cmi", "l2-norm"], n_certify=1000, masks=2)
    reason = "masked networks are classifiers: masks: got '2, of which 2 diverged, seed 0'"
    assert estimate.record.reason.startswith(reason) and norm.record.applicable
    assert estimate.risk == norm.risk is not None


def test_dependent_draws_have_no_value(pair, masked):
    observed = replace(observe(pair, 0), masked=masked)
    assert f_cmi(observed).applicable
    assert not f_cmi(replace(observed, independent=False)).applicable


@pytest.mark.parametrize("masks", (1, -1, 2.5, True, "8"))
def test_a_number_of_masks_that_says_nothing_is_refused(pair, small, masks):
    with pytest.raises(ValueError, match="^masks: got"):
        evaluate(pair, bounds=["l2-norm"], masks=masks)
    with pytest.raises(ValueError, match="^masks: got .*allowed: an integer >= 2$"):
        masked_predictions(small, 0, masks=masks)


def test_something_else_than_a_cell_and_a_seed_is_refused(small):
    with pytest.raises(ValueError, match="^cell: got 'run', allowed: a Cell$"):
        masked_predictions("run", 0, masks=2)
    with pytest.raises(ValueError, match="^seeds: got -1"):
        masked_predictions(small, -1, masks=2)
