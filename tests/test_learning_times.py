"""When training points are learned: exceptions and flips beside their controls."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import simbias
from simbias.quantities import Subject, declared
from simbias.tasks import LabelNoise
from simbias.training import Cell
from simbias.training.stack import redraw
from simbias.validation import learning_auc

TASK = simbias.tasks.get("noisy-lms-5", dim=4)  # as the examples have it
CELL = Cell(TASK, simbias.MLP(8), simbias.sgd(), n_train=1000, stop=simbias.Stop(max_updates=200))
NOISY = replace(CELL, label_noise=LabelNoise(alpha=1))


def controlled(cell):
    """Explicit networks: what was learned when is put in by hand."""
    return simbias.validation.control(cell, "simple", seeds=2)


def with_times(stack, late, early=10, later=20):
    """The stack whose points were learned at two times, or (later = -1) not at all."""
    since = np.stack([np.where(late(i), later, early) for i in range(len(stack))])
    return replace(stack, fitted_since=since.astype(np.int32))


@pytest.fixture(scope="module")
def points():
    return [simbias.data(TASK, n_train=1000, seed=seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def stack():
    return controlled(CELL)


def in_margin(data):
    return np.abs(data.x @ data.rotation.T[:, 0]) < 0.1


@pytest.mark.parametrize("later", [20, -1])
def test_exceptions_that_are_learned_last_or_never_are_told_from_all_others(stack, points, later):
    late = with_times(stack, lambda i: points[i].exception, later=later)
    assert learning_auc(late).tolist() == [1, 1]
    assert learning_auc(late, control="in-margin").tolist() == [1, 1]
    early = with_times(stack, lambda i: ~points[i].exception, later=later)
    assert learning_auc(early).tolist() == [0, 0]


def test_equal_times_tell_nothing(stack):
    assert learning_auc(with_times(stack, lambda i: np.zeros(1000, bool))).tolist() == [0.5, 0.5]


def test_points_that_are_late_because_they_lie_in_the_margin_are_no_evidence(stack, points):
    """The control catches what the first comparison takes for memorising."""
    late = with_times(stack, lambda i: in_margin(points[i]))
    others = learning_auc(late)
    assert (others > 0.9).all() and learning_auc(late, control="in-margin").tolist() == [0.5, 0.5]
    beside = [(in_margin(data) & ~data.exception).sum() for data in points]
    rest = [(~data.exception).sum() for data in points]
    assert others == pytest.approx(1 - np.array(beside) / rest / 2)


def test_flips_stand_beside_labels_that_were_not_changed_and_rare_ones_that_are_right():
    stack = controlled(NOISY)
    drawn = [redraw(stack, i) for i in range(2)]
    flipped = [np.asarray(points.y != points.clean) for points in drawn]
    late = with_times(stack, lambda i: flipped[i])
    for control in ("others", "exceptions"):
        assert learning_auc(late, "flips", control).tolist() == [1, 1]
    rare = with_times(stack, lambda i: flipped[i] | np.asarray(drawn[i].exception))
    assert (learning_auc(rare, "flips") > 0.9).all()
    assert learning_auc(rare, "flips", "exceptions").tolist() == [0.5, 0.5]
    # exceptions with a changed label are none of either kind
    assert (learning_auc(with_times(stack, lambda i: flipped[i])) == 0.5).all()


def test_networks_without_finite_weights_have_no_such_number(stack):
    lost = replace(stack, params=jax.tree.map(lambda leaf: leaf * np.nan, stack.params))
    assert np.isnan(learning_auc(lost)).all()


@pytest.mark.parametrize(
    ("cell", "asked", "words"),
    [
        (CELL, ("islands", "others"), "^kind: unknown name 'islands'"),
        (CELL, ("exceptions", "exceptions"), "^control: unknown name 'exceptions'"),
        (CELL, ("flips", "others"), "^kind: got 'flips', allowed: exceptions: labels"),
        (
            replace(CELL, task=simbias.tasks.get("ms-5", dim=4)),
            ("exceptions", "in-margin"),
            "^control: got 'in-margin of ms-5', allowed: others",
        ),
    ],
)
def test_what_is_not_there_to_be_told_is_refused_in_one_line(stack, cell, asked, words):
    with pytest.raises(ValueError, match=words) as error:
        learning_auc(replace(stack, cell=cell), *asked)
    assert "\n" not in str(error.value)


def test_the_quantities_of_claims_are_those_numbers(stack, points):
    late = with_times(stack, lambda i: points[i].exception)
    subject = Subject(late, n_certify=1000, confidence=0.95)
    assert declared()["exceptions_late"].compute(subject, "others").value.tolist() == [1, 1]
    scales = simbias.validation.noise_scale(late)[:, 0]
    assert declared()["noise_scale"].compute(subject, "initial").value == pytest.approx(scales)
    with pytest.raises(ValueError, match="^label_noise: got None"):
        declared()["flips_late"].suits(CELL, "others")
    with pytest.raises(ValueError, match="^kind: got 'flips'"):
        declared()["flips_late"].arguments[0].suits(CELL, "others")
