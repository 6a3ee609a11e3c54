"""Two networks on the same points: counted agreement, differences, and points that are the same."""

import jax
import numpy as np
import pytest

from simbias import MLP, sgd, tasks, validate
from simbias.stats.binomial import clopper_pearson
from simbias.tasks.shifts import shifted
from simbias.training import Cell
from simbias.training.draws import DrawsError
from simbias.validation import control
from simbias.validation.paired import Paired, paired

POINTS = 40_000  # whole chunks
CELL = Cell(
    tasks.get("noisy-lms-7", dim=4), MLP(width=16, depth=1), sgd(learning_rate=0.1), n_train=256
)


@pytest.fixture(scope="module")
def rules():
    return {name: control(CELL, name, seeds=2) for name in ("achievable", "simple")}


@pytest.mark.thorough
def test_a_network_agrees_with_itself_everywhere(rules):
    pairs = paired(rules["simple"], rules["simple"], points=POINTS)
    assert (pairs.agree == POINTS).all() and (pairs.points == POINTS).all()
    assert (pairs.difference(0.99).low <= 0).all() and (pairs.difference(0.99).high >= 0).all()


@pytest.mark.thorough
def test_the_achievable_network_errs_nowhere_and_the_simple_one_as_often_as_its_rule(rules):
    pairs = paired(rules["simple"], rules["achievable"], points=POINTS)
    assert (pairs.second_errs == 0).all()
    risk = validate(rules["simple"], n_certify=POINTS, confidence=0.999).risk
    gain = pairs.difference(0.999)
    assert ((gain.low <= 0.05) & (0.05 <= gain.high)).all()  # half of the noise of 0.1
    assert (np.abs(gain.value - risk.value) < 0.01).all()


def test_networks_of_other_rotations_agree_on_the_same_unrotated_points(rules):
    first, second = rules["achievable"].some([0]), rules["achievable"].some([1])
    assert not np.allclose(first.rotation, second.rotation)
    assert paired(first, second, points=POINTS).agree == POINTS


def test_a_network_without_its_own_rotation_is_refused(rules):
    first, second = rules["achievable"].some([0]), rules["achievable"].some([1])
    object.__setattr__(second, "rotation", first.rotation)
    with pytest.raises(DrawsError, match="another rotation"):
        paired(first, second, points=POINTS)


def test_points_of_another_task_are_asked_about(rules):
    # in the margin the simple rule says one thing whatever the label, and errs on half
    task = shifted(CELL.task, "margin")
    pairs = paired(rules["simple"], rules["achievable"], points=POINTS, task=task)
    assert (pairs.difference(0.999).low > 0.45).all() and (pairs.second_errs == 0).all()


def test_counts_do_not_depend_on_the_number_of_devices(rules, monkeypatch):
    both = paired(rules["simple"], rules["achievable"], points=POINTS)
    device = jax.devices()[:1]
    monkeypatch.setattr(jax, "devices", lambda: device)
    np.testing.assert_array_equal(
        both.first_errs, paired(rules["simple"], rules["achievable"], points=POINTS).first_errs
    )


def test_an_odd_number_of_pairs_on_two_devices_are_what_they_are_alone():
    assert len(jax.devices()) == 2
    simple, best = (control(CELL, rule, seeds=[0, 1, 7]) for rule in ("simple", "achievable"))
    whole = paired(simple, best, points=POINTS)
    assert len(set(whole.first_errs)) == 3
    for i, seed in enumerate((0, 1, 7)):
        alone = paired(simple.some([seed]), best.some([seed]), points=POINTS)
        for first, other in zip(alone, whole, strict=True):
            assert first[0] == other[i]


def test_the_interval_of_a_difference_by_hand():
    # 30 of 100 points tell them apart, and the first errs on 20 of these
    counts = Paired(*np.array([[100], [20], [10]]))
    interval = counts.difference(0.95)
    proportion = clopper_pearson(np.array(30), np.array(100), 0.975)
    first = clopper_pearson(np.array(20), np.array(30), 0.975)
    assert interval.value[0] == pytest.approx(0.1)
    assert interval.low[0] == pytest.approx(
        min(s * (2 * first.low - 1) for s in (proportion.low, proportion.high))
    )
    assert interval.high[0] == pytest.approx(proportion.high * (2 * first.high - 1))


def test_intervals_of_differences_cover():
    draw = np.random.default_rng(0).multinomial(500, [0.15, 0.05, 0.8], size=2000)[:, :2]
    counts = Paired(np.full(2000, 500), *draw.T)
    interval = counts.difference(0.9)
    assert np.mean((interval.low <= 0.1) & (0.1 <= interval.high)) >= 0.9


@pytest.mark.parametrize(
    ("second", "more", "words"),
    [
        (lambda rules: rules["simple"].some([0]), {}, "second: got"),
        (lambda rules: rules["simple"], {"points": 0}, "points: got 0"),
        (lambda rules: rules["simple"], {"task": tasks.get("lms-7", dim=5)}, "task: got"),
    ],
)
def test_stacks_that_do_not_go_together_are_refused(rules, second, more, words):
    with pytest.raises(ValueError, match=words):
        paired(rules["simple"], second(rules), **{"points": 100, **more})
