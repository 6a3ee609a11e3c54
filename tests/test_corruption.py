"""Mean corruption errors of rules whose accuracies are known."""

import numpy as np
import pytest

import simbias
from simbias import tasks
from simbias.tasks.oracle import achievable_rule, simple_rule
from simbias.validation import measure_corruption

N = 4000
SHIFTS = ("conflict=0.25", "conflict=0.5", "margin")


def data_of(name="noisy-lms-7"):
    return simbias.data(tasks.get(name, dim=4), n_train=50)


def rules(data):
    simple, best = simple_rule(data.task), achievable_rule(data.task, 1)

    def unrotated(x):
        return np.asarray(x) @ data.rotation.T

    return {
        "simple": lambda x: simple(unrotated(x)) - 0.5,
        "achievable": lambda x: best(unrotated(x)) - 0.5,
        "guess": lambda x: x[:, 0] - x[:, 0] + 1,
    }


@pytest.mark.parametrize(("rule", "score"), [("simple", 1.0), ("achievable", 0.0)])
def test_the_score_is_one_for_the_simple_rule_and_none_for_the_achievable(rule, score):
    data = data_of()
    report = measure_corruption(
        rules(data)[rule], data, shifts=SHIFTS, n_certify=N, confidence=0.999
    )
    assert report.score.low <= score <= report.score.high
    assert report.score.high - report.score.low < 0.15


def test_by_hand_a_guess_scores_a_half_over_the_errors_of_each_corruption():
    """Noise .1: the simple rule errs with .05 + .9 q in conflict, so .275 + .5, and in the margin
    with .5; a guess with .5 everywhere: (1 / .775 + 1) / 2."""
    data = data_of()
    report = measure_corruption(rules(data)["guess"], data, shifts=SHIFTS, n_certify=N)
    assert report.reference == pytest.approx(
        {"conflict=0.25": 0.275, "conflict=0.5": 0.5, "margin": 0.5}
    )
    assert report.score.value == pytest.approx((1 / 0.775 + 1) / 2, abs=0.03)
    value = [report.risks[shift].value.item() for shift in SHIFTS]
    expected = ((value[0] + value[1]) / 0.775 + value[2] / 0.5) / 2
    assert report.score.value == pytest.approx(expected)


def test_the_intervals_of_all_shifts_hold_together():
    """Without an error in n points the upper limit is 1 - (error / 2 k) ** (1 / n) for k shifts."""
    data = data_of()
    report = measure_corruption(
        rules(data)["achievable"], data, shifts=SHIFTS, n_certify=400, confidence=0.9
    )
    for estimate in report.risks.values():
        assert estimate.high == pytest.approx(1 - (0.1 / 6) ** (1 / 400))


def test_corruptions_under_which_the_simple_rule_never_errs_are_left_out():
    data = data_of("lms-7")
    two = measure_corruption(
        rules(data)["guess"], data, shifts=("margin", "density=0.9"), n_certify=400
    )
    assert set(two.risks) == {"margin", "density=0.9"} and two.reference["density=0.9"] == 0
    assert two.score.value == pytest.approx(two.risks["margin"].value / 0.5)


@pytest.mark.parametrize(
    ("name", "shifts", "words"),
    [
        ("noisy-lms-7", ("gaps",), "unknown name"),
        ("noisy-lms-7", ("margin", "margin"), "each shift once"),
        ("noisy-lms-7", (), "some under which a simple rule errs"),
        ("lms-7", ("density=0.9",), "some under which a simple rule errs"),
        ("ms-7", ("even-slabs",), "some under which a simple rule errs"),
        ("ms-7", ("margin",), "a task with a simple set"),
    ],
)
def test_shifts_by_which_nothing_is_measured_are_refused(name, shifts, words):
    data = simbias.data(tasks.get(name, dim=4), n_train=50)
    with pytest.raises(ValueError, match=words):
        measure_corruption(lambda x: x[:, 0], data, shifts=shifts, n_certify=100)
