"""Every measurement against networks whose answers are known, and against counts by hand.

Longer than 400 lines because the same controls and one planted memoriser serve every measurement.
"""

from dataclasses import replace
from functools import cache

import block_tasks
import jax
import numpy as np
import pytest
import streams
from scipy import stats

from simbias import MLP, sgd, tasks, validate
from simbias.stats.binomial import clopper_pearson
from simbias.stats.bounded import mean_interval
from simbias.stats.estimate import Estimate
from simbias.tasks import oracle
from simbias.training import Cell
from simbias.validation import control, reliance, risk
from simbias.validation.exceptions import difference
from simbias.validation.reliance import AucSum, auc, estimates
from simbias.validation.risk import count

SLAB_TASKS = tuple(name for name in block_tasks.NAMES if name != "lsn")
SIMPLE = tuple(name for name in SLAB_TASKS if tasks.get(name).simple_set)
NOISY = tuple(name for name in SLAB_TASKS if "noisy" in name)
MORE = ("lms-5", "lms-7", "ms-5", "ms-5-7", "noisy-lms-5")  # have the blocks of others
ARCHITECTURES = [(width, depth) for depth in (1, 2) for width in (100, 200, 300)]
N = 40_000
CONFIDENCE = 0.9999  # keys are fixed, so what passes once passes for good
SEEDS = 2


def each(names):
    """Parameters of a test: what says of more tasks what others say is slow."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in MORE else name for name in names]


def cell_of(name, width=100, depth=1):
    return Cell(tasks.get(name), MLP(width, depth), sgd(), n_train=4000)


@cache
def report(name, rule, width=100, depth=1):
    stack = control(cell_of(name, width, depth), rule, seeds=SEEDS)
    return validate(stack, n_certify=N, confidence=CONFIDENCE)


def covers(estimate, value):
    return bool(np.all((estimate.low <= value) & (value <= estimate.high)))


# intervals


def test_difference_of_proportions_is_newcombes_hybrid_interval():
    # his example: 56/70 - 48/80 = .2 with Wilson intervals gives (.0524, .3339)
    def wilson(k, n, z=1.959964):
        centre, spread = k + z**2 / 2, z * np.sqrt(k * (n - k) / n + z**2 / 4)
        low, high = (centre - spread) / (n + z**2), (centre + spread) / (n + z**2)
        return Estimate(np.array([k / n]), np.array([low]), np.array([high]))

    interval = difference(wilson(56, 70), wilson(48, 80))
    assert interval.value == pytest.approx([0.2])
    assert (interval.low[0], interval.high[0]) == pytest.approx((0.0524, 0.3339), abs=5e-5)


# ROC AUC


def pair_count(y, scores):
    positive, negative = scores[y == 1], scores[y == 0]
    above = positive[:, None] > negative[None, :]
    ties = positive[:, None] == negative[None, :]
    return (above + 0.5 * ties).mean()


@pytest.mark.parametrize("ties", (False, True))
def test_auc_is_the_proportion_of_pairs_in_the_right_order(ties):
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 300)
    scores = random.normal(size=300) + y
    scores = np.round(scores) if ties else scores
    assert auc(y, scores) == pytest.approx(pair_count(y, scores), abs=1e-12)


def test_auc_by_hand():
    y = np.array([0, 0, 1, 1])
    assert auc(y, np.array([1.0, 2, 3, 4])) == 1
    assert auc(y, np.array([4.0, 3, 2, 1])) == 0
    assert auc(y, np.array([1.0, 3, 2, 4])) == 0.75
    assert auc(y, np.zeros(4)) == 0.5
    assert np.isnan(auc(np.ones(3, int), np.arange(3.0)))


def test_chunks_of_an_auc_are_weighted_by_their_rows():
    random = np.random.default_rng(3)
    total, parts = AucSum(), []
    for rows in (4000, 1000):
        y = random.integers(0, 2, (1, rows))
        scores = random.normal(size=(1, rows)) + y
        total.add(y, scores)
        parts.append((auc(y[0], scores[0]), min(y.sum(), rows - y.sum())))
    (interval,) = estimates([total], 0.95)
    assert interval.value[0] == pytest.approx(0.8 * parts[0][0] + 0.2 * parts[1][0])
    (first, k), (other, j) = parts  # matched pairs of both chunks are independent terms
    ends = mean_interval(np.array((k * first + j * other) / (k + j)), np.array(k + j), 0.95)
    assert (interval.low[0], interval.high[0]) == pytest.approx(tuple(map(float, ends)))
    assert covers(interval, stats.norm.cdf(1 / np.sqrt(2)))


def test_a_last_chunk_without_one_of_the_labels_does_not_lose_the_auc():
    random = np.random.default_rng(4)
    total = AucSum()
    y = random.integers(0, 2, (1, 1000))
    total.add(y, random.normal(size=(1, 1000)) + y)
    total.add(np.array([[1]]), np.array([[0.3]]))
    assert np.isfinite(estimates([total], 0.95)).all()


# controls


def check_achievable(name, width, depth):
    measured, task = report(name, "achievable", width, depth), tasks.get(name)
    assert np.all(measured.risk.value == 0)
    assert covers(measured.risk, 0) and np.all(measured.risk.high < 3e-4)
    assert np.all(measured.train_accuracy == 1)
    assert np.all(measured.achievable_agreement.value == 1)
    assert np.all(measured.reliance.s_accuracy.value == 1)  # it looks outside S
    assert covers(measured.reliance.sc_accuracy, 0.5)
    assert covers(measured.reliance.sc_auc, 0.5)
    assert np.all(measured.reliance.s_auc.value == 1)
    if name in SIMPLE:
        assert covers(measured.simple_agreement, 1 - oracle.simple_risk(task))
    if name in NOISY:
        ledger = measured.exceptions
        assert np.all(ledger.fitted.value == 1) and np.all(ledger.fresh.value == 1)
        assert np.all(ledger.memorised.value == 0) and covers(ledger.memorised, 0)


def check_simple(name, width, depth):
    measured, exact = report(name, "simple", width, depth), oracle.simple_risk(tasks.get(name))
    assert covers(measured.risk, exact)
    assert np.all(np.abs(measured.risk.value - exact) < 0.005)
    assert np.all(measured.simple_agreement.value > 1 - 1e-4)  # but for rounding at the cuts
    assert covers(measured.achievable_agreement, 1 - exact)
    assert covers(measured.reliance.s_accuracy, 0.5)
    assert covers(measured.reliance.s_auc, 0.5)
    assert covers(measured.reliance.sc_accuracy, 1 - exact)
    # its scores are ordered but for a pair that is twice uninformative: 1 - (2 risk)^2 / 2
    assert covers(measured.reliance.sc_auc, 1 - 2 * exact**2)
    if name in NOISY:
        ledger = measured.exceptions
        assert np.all(ledger.fitted.value < 0.01) and np.all(ledger.fresh.value < 0.01)
        assert covers(ledger.memorised, 0)
        assert np.all(np.abs(measured.train_accuracy - 1 + ledger.counts / 4000) < 5e-4)


@pytest.mark.parametrize("name", each(SLAB_TASKS))
def test_explicit_achievable_network_scores_risk_zero_and_memorised_zero(name):
    check_achievable(name, 100, 1)


@pytest.mark.parametrize("name", each(SIMPLE))
@pytest.mark.thorough
def test_explicit_simple_network_scores_the_simple_risk_and_memorised_zero(name):
    check_simple(name, 100, 1)


@pytest.mark.thorough
def test_controls_hold_for_two_hidden_layers():
    check_achievable("noisy-lms-7", 100, 2)
    check_simple("noisy-lms-7", 100, 2)


@pytest.mark.slow
@pytest.mark.parametrize("width, depth", ARCHITECTURES[1:])
@pytest.mark.parametrize("name", SLAB_TASKS)
def test_controls_hold_in_the_six_architectures(name, width, depth):
    check_achievable(name, width, depth)
    if name in SIMPLE:
        check_simple(name, width, depth)


@pytest.mark.parametrize("name", each(NOISY))
@pytest.mark.thorough
def test_exceptions_are_half_the_noise_of_the_training_set(name):
    counts = report(name, "simple").exceptions.counts
    assert all(stats.binomtest(int(n), 4000, 0.05).pvalue > 1e-5 for n in counts)
    assert counts[0] != counts[1]


@pytest.mark.parametrize("name", each(sorted(set(SLAB_TASKS) - set(NOISY))))
@pytest.mark.thorough
def test_without_exceptions_there_is_nothing_to_memorise(name):
    ledger = report(name, "achievable").exceptions
    assert np.all(ledger.counts == 0)
    assert np.isnan([ledger.fitted.value, ledger.fresh.value, ledger.memorised.value]).all()


@pytest.mark.parametrize("name", each(("ms-5", "ms-7")))
def test_agreement_with_a_simple_rule_is_undefined_where_there_is_none(name):
    assert np.isnan(report(name, "achievable").simple_agreement).all()


def test_a_wrong_network_would_be_caught():
    # planted: the achievable network with its two logits swapped errs everywhere
    stack = control(cell_of("noisy-lms-7"), "achievable", seeds=SEEDS)
    params = jax.tree.map(np.copy, stack.params)
    for part in params["layers"][1].values():
        part[...] = part[..., ::-1]
    measured = validate(replace(stack, params=params), n_certify=N, confidence=CONFIDENCE)
    assert np.all(measured.risk.value == 1) and np.all(measured.train_accuracy == 0)
    assert np.all(measured.reliance.s_auc.value == 0)


# a planted memoriser


def memoriser():
    """The simple network, with a hidden unit a training exception that fires at that point only."""
    stack = control(cell_of("noisy-lms-7", 300), "simple", seeds=SEEDS)
    cell, params = stack.cell, jax.tree.map(np.copy, stack.params)
    first, last = params["layers"][0], params["layers"][1]
    for i, seed in enumerate(stack.seeds):
        plain, y = streams.points(cell.task, seed, cell.n_train)
        x = np.asarray(cell.task.rotate(plain, stack.rotation[i]))
        wrong = np.flatnonzero(oracle.simple_rule(cell.task)(plain) != np.asarray(y))
        units = 2 + np.arange(len(wrong))
        first["kernel"][i][:, units] = (x[wrong] / (x[wrong] ** 2).sum(axis=1, keepdims=True)).T
        first["bias"][i][units] = -0.8
        sign = 2.0 * np.asarray(y)[wrong, None] - 1
        last["kernel"][i][units] = 10 * sign * np.array([[-0.5, 0.5]])
    return replace(stack, params=params)


@pytest.fixture(scope="module")
def planted():
    stack = memoriser()
    return stack, validate(stack, n_certify=N, confidence=CONFIDENCE)


def test_a_planted_memoriser_is_found_out(planted):
    _, measured = planted
    assert np.all(measured.train_accuracy == 1)
    assert covers(measured.risk, 0.05)
    assert np.all(measured.exceptions.fitted.value == 1)
    assert np.all(measured.exceptions.fresh.value < 0.01)
    memorised, fresh = measured.exceptions.memorised, measured.exceptions.fresh
    np.testing.assert_allclose(memorised, 1 - np.array([fresh.value, fresh.high, fresh.low]))
    assert covers(measured.reliance.s_accuracy, 0.5)
    assert np.all(measured.simple_agreement.value > 0.999)


def test_ledger_lists_every_exception_with_its_margin(planted, forward):
    stack, measured = planted
    for i, seed in enumerate(stack.seeds):
        plain, y = streams.points(stack.cell.task, seed, stack.cell.n_train)
        rows = measured.exceptions.rows(seed)
        wrong = np.flatnonzero(oracle.simple_rule(stack.cell.task)(plain) != y)
        np.testing.assert_array_equal(rows.index, wrong)
        assert len(wrong) == measured.exceptions.counts[i] > 100
        np.testing.assert_array_equal(rows.label, y[wrong])
        logits = forward(
            jax.tree.map(lambda leaf, i=i: leaf[i], stack.params),
            plain[wrong].astype(float) @ stack.rotation[i],
        )
        margin = (logits[:, 1] - logits[:, 0]) * (2 * y[wrong] - 1)
        np.testing.assert_allclose(rows.margin, margin, atol=1e-4)
        assert np.all(rows.margin > 0)
        assert np.all(np.abs(plain[wrong, 0]) < 0.1)
    with pytest.raises(ValueError, match=r"^seed: got 9, allowed: one of \[0, 1\]$"):
        measured.exceptions.rows(9)


@pytest.mark.thorough
def test_ledger_dates_only_the_exceptions_that_are_fitted(trained):
    ledger = validate(trained, n_certify=N).exceptions
    for i, seed in enumerate(trained.seeds):
        rows = ledger.rows(seed)
        np.testing.assert_array_equal(rows.fitted_since, trained.fitted_since[i][rows.index])
        sure = np.abs(rows.margin) > 1e-4
        np.testing.assert_array_equal(rows.fitted_since[sure] >= 0, rows.margin[sure] > 0)
        assert {100, 200, -1} == set(rows.fitted_since)
        assert ledger.fitted.value[i] == pytest.approx(np.mean(rows.margin > 0))


def test_a_control_dates_only_the_exceptions_that_are_fitted():
    stack = control(cell_of("noisy-lms-7"), "simple", seeds=SEEDS)
    rows = report("noisy-lms-7", "simple").exceptions.rows(0)
    assert np.all(rows.margin < 0)
    assert np.all(rows.fitted_since == -1)
    assert stack.fitted_since.shape == (SEEDS, 4000)


# estimates of a trained network, against NumPy on draws of its own


def shuffled(x, coordinates, key):
    """Points of which some coordinates, together, are those of other rows."""
    rows = jax.random.permutation(jax.random.key(key), len(x))
    return np.where(np.isin(np.arange(x.shape[1]), coordinates), x[rows], x)


def test_estimates_agree_with_numpy_on_independent_draws(cell, trained, forward):
    measured = validate(trained, n_certify=N, confidence=CONFIDENCE)
    task, rows = cell.task, 20_000
    for i in (0, 3):
        params = jax.tree.map(lambda leaf, i=i: leaf[i], trained.params)
        plain, y = task.sample(jax.random.key(100 + i), rows)
        other = tuple(j for j in range(50) if j not in task.simple_set)
        y = np.asarray(y)

        def margin(x, params=params, i=i):
            logits = forward(params, np.asarray(x, float) @ trained.rotation[i])
            return logits[:, 1] - logits[:, 0]

        whole = margin(plain)
        s = margin(shuffled(plain, task.simple_set, key=1))
        sc = margin(shuffled(plain, other, key=2))
        wrong = oracle.simple_rule(task)(plain) != y
        positive = whole > 0
        for estimate, hits in (
            (measured.risk, positive != (y == 1)),
            (measured.reliance.s_accuracy, (s > 0) == (y == 1)),
            (measured.reliance.sc_accuracy, (sc > 0) == (y == 1)),
            (measured.exceptions.fresh, (positive == (y == 1))[wrong]),
            (measured.simple_agreement, positive == oracle.simple_rule(task)(plain)),
            (measured.achievable_agreement, positive == oracle.achievable_rule(task)(plain)),
        ):
            mean, n = hits.mean(), len(hits)
            slack = 5 * np.sqrt(mean * (1 - mean) / n)
            assert estimate.low[i] - slack <= mean <= estimate.high[i] + slack
        for estimate, scores in ((measured.reliance.s_auc, s), (measured.reliance.sc_auc, sc)):
            expected = auc(y, scores)
            slack = 5 * np.sqrt(expected * (1 - expected) / min(y.sum(), len(y) - y.sum()))
            assert estimate.low[i] - slack <= expected <= estimate.high[i] + slack
        _, x, y_train = _train(trained, i)
        fit = margin(x)
        loss = np.logaddexp(0, np.where(y_train == 1, -fit, fit)).mean()
        assert measured.train_loss[i] == pytest.approx(loss, rel=1e-4)
        assert measured.train_accuracy[i] == pytest.approx(trained.traces[i][-1, 2], abs=3e-4)
        assert measured.exceptions.fitted.value[i] == pytest.approx(
            trained.traces[i][-1, 4], abs=0.01
        )


def _train(stack, i):
    return None, *streams.points(stack.cell.task, stack.seeds[i], stack.cell.n_train)


# chunks


def collect(stack, n):
    chunks = []
    counts = count(stack, n, chunks.append)
    return counts, chunks


@pytest.mark.thorough
def test_a_certify_size_that_is_no_multiple_of_the_chunk_is_drawn_in_full():
    stack = control(cell_of("noisy-lms-7"), "simple", seeds=SEEDS)
    counts, chunks = collect(stack, 25_000)
    assert [chunk.y.shape for chunk in chunks] == [(SEEDS, 20_000), (SEEDS, 5_000)]
    np.testing.assert_array_equal(counts.points, [25_000] * SEEDS)
    assert covers(clopper_pearson(counts.points - counts.correct, counts.points, CONFIDENCE), 0.05)
    # a longer run begins with the same points
    _, longer = collect(stack, 40_000)
    np.testing.assert_array_equal(longer[0].y, chunks[0].y)
    np.testing.assert_array_equal(longer[0].s_randomised, chunks[0].s_randomised)
    assert 0.45 < np.mean(longer[0].y == longer[1].y) < 0.55


@pytest.mark.thorough
def test_the_law_of_the_counts_does_not_depend_on_the_chunk(monkeypatch):
    monkeypatch.setattr(risk, "CHUNK", 5000)
    stack = control(cell_of("noisy-lms-7"), "simple", seeds=SEEDS)
    measured = validate(stack, n_certify=N, confidence=CONFIDENCE)
    assert covers(measured.risk, 0.05)
    assert covers(measured.reliance.s_accuracy, 0.5)
    assert covers(measured.reliance.sc_auc, 0.995)
    whole = report("noisy-lms-7", "simple")
    assert np.all(measured.risk.low < whole.risk.high) and np.all(
        whole.risk.low < measured.risk.high
    )
    width = (measured.reliance.s_auc.high - measured.reliance.s_auc.low) / (
        whole.reliance.s_auc.high - whole.reliance.s_auc.low
    )
    np.testing.assert_allclose(width, 1, rtol=0.05)


@pytest.mark.thorough
def test_a_network_meets_the_same_points_in_any_stack():
    cell = cell_of("noisy-lms-7")
    pair, _ = collect(control(cell, "simple", seeds=[0, 1]), 20_000)
    three, _ = collect(control(cell, "simple", seeds=[1, 5, 0]), 20_000)
    for first, other in zip(pair, three, strict=True):
        np.testing.assert_array_equal(first, other[[2, 0]])


def test_randomised_labels_are_drawn_apart_from_the_points():
    # planted: scores that know the label would show an AUC of 1
    _, chunks = collect(control(cell_of("noisy-lms-7"), "simple", seeds=SEEDS), 20_000)
    y, s, sc = chunks[0]
    for i in range(SEEDS):
        assert auc(y[i], s[i]) == pytest.approx(0.5, abs=0.02)
        assert auc(y[i], sc[i]) > 0.99
        assert auc(y[i], 2.0 * y[i]) == 1
    collected = reliance.Randomised()
    collected(chunks[0])
    assert estimates([collected.s_auc], 0.95)[0].value[0] == auc(y[0], s[0])


@pytest.mark.thorough
def test_the_narrowest_control_of_six_cuts_fits_every_training_point():
    for depth in (1, 2):
        assert np.all(control(cell_of("noisy-lms-7", 6, depth), "achievable").fitted_since == 0)


# bad input


@pytest.mark.parametrize("value", (0, -1, 1.5, "all", None, True))
def test_certify_sizes_below_one_are_refused(value, trained):
    with pytest.raises(ValueError, match=r"^n_certify: got .*allowed: an integer >= 1$"):
        validate(trained, n_certify=value)


@pytest.mark.parametrize("value", (0, 1, -0.5, 95, float("nan"), "high"))
def test_confidence_outside_zero_one_is_refused(value, trained):
    with pytest.raises(ValueError, match=r"^confidence: got .*allowed: a number in \(0, 1\)$"):
        validate(trained, confidence=value)


def test_controls_that_cannot_be_made_are_refused():
    with pytest.raises(ValueError, match="^rule: unknown name 'simpel', nearest: simple"):
        control(cell_of("noisy-lms-7"), "simpel")
    with pytest.raises(ValueError, match="^rule: ms-7 has no simple set"):
        control(cell_of("ms-7"), "simple")
    with pytest.raises(ValueError, match="^width: got 5, allowed: an integer >= 6"):
        control(cell_of("ms-7", 5), "achievable")
    tanh = replace(cell_of("ms-7"), network=MLP(100, 1, "tanh"))
    with pytest.raises(
        ValueError, match=r"^network: got '?\(100,1,tanh\)'?, allowed: an MLP of relu"
    ):
        control(tanh, "achievable")
