"""Quantities of directions on networks whose hidden units are known."""

from types import SimpleNamespace

import numpy as np
import pytest

import simbias
from simbias.quantities import Subject, declared
from simbias.stats.estimate import Estimate


@pytest.fixture(scope="module")
def subjects(trained):
    return {
        rule: Subject(
            simbias.validation.control(trained.cell, rule, seeds=2),
            n_certify=2000,
            confidence=0.95,
        )
        for rule in ("simple", "achievable")
    }


@pytest.mark.parametrize("edit, switched", [("add", 0.5), ("subtract", 0.5), ("ablate", 0.5)])
@pytest.mark.thorough
def test_edits_of_the_only_direction_of_a_line_switch_the_label(subjects, edit, switched):
    value = declared()["edit_switched"].compute(subjects["simple"], edit).value
    assert (abs(value - switched) < 0.05).all()
    after = declared()["edited_accuracy"].compute(subjects["simple"], edit).value
    assert (abs(after - 0.5) < 0.05).all()


def test_doses_are_those_of_the_coordinate_for_a_line_and_not_for_slabs(subjects):
    agreement = {
        rule: declared()["dose_agreement"].compute(subject) for rule, subject in subjects.items()
    }
    assert (agreement["simple"].low > 0.97).all() and (agreement["achievable"].high < 0.9).all()


@pytest.mark.thorough
def test_what_is_decoded_is_beyond_a_random_network_where_slabs_are_read(subjects):
    beyond = {
        rule: declared()["decoded_beyond"].compute(subject, "label", "linear", "last")
        for rule, subject in subjects.items()
    }
    assert (beyond["achievable"].low > 0.3).all() and (abs(beyond["simple"].value) < 0.08).all()


@pytest.mark.parametrize("probe", ["linear", pytest.param("shallow", marks=pytest.mark.slow)])
@pytest.mark.thorough
def test_slabs_are_decoded_from_what_reads_them_and_not_from_a_line(subjects, probe):
    """The coordinate that the explicit network reads, beyond what a random layer keeps of it."""
    beyond = {
        rule: declared()["decoded_beyond"].compute(subject, "slab", probe, "last")
        for rule, subject in subjects.items()
    }
    assert (beyond["achievable"].low > 0.1).all() and (beyond["simple"].high < 0).all()


@pytest.mark.thorough
def test_the_features_of_slabs_allow_the_achievable_rule_and_those_of_a_line_do_not(subjects):
    risk = {rule: declared()["refitted_risk"].compute(each) for rule, each in subjects.items()}
    assert (risk["achievable"].high < 0.01).all() and (risk["simple"].low > 0.03).all()


def test_what_an_edit_keeps_is_of_points_that_the_line_does_not_decide(subjects):
    """A network of slabs changes no label with the line, one of the line alone all."""
    kept, switched = (declared()[name].compute for name in ("edit_kept", "edit_switched"))
    left = kept(subjects["achievable"], "add").value
    np.testing.assert_allclose(left, 1 - switched(subjects["achievable"], "add").value)
    assert np.isnan(kept(subjects["simple"], "add").value).all()


def test_an_addition_leaves_the_part_of_an_ablation_that_is_variance(subjects):
    residual = declared()["addition_residual"].compute(subjects["simple"])
    assert ((residual.low < residual.value) & (residual.value < residual.high)).all()
    assert (residual.low > 0.05).all() and (residual.high <= 1).all()


def test_explicit_networks_of_two_seeds_are_the_same_solution(subjects):
    compare = declared()["seed_similarity"].compute
    for rule in ("simple", "achievable"):
        labels = compare(subjects[rule], "labels", "first", "last")
        assert labels.value.shape == (1,) and labels.value[0] == 1
        assert compare(subjects[rule], "cka", "first", "last").value[0] == pytest.approx(1)


def test_an_alignment_that_is_beyond_one_by_chance_is_one(subjects, monkeypatch):
    beyond = Estimate(*np.array([[1.002], [0.998], [1.006]]))
    monkeypatch.setattr(
        "simbias.quantities.directions.compare_seeds",
        lambda *given, **more: SimpleNamespace(_asdict=lambda: {"cka": beyond}),
    )
    fresh = Subject(subjects["simple"].stack, n_certify=2000, confidence=0.95)
    alignment = declared()["seed_similarity"].compute(fresh, "cka", "last", "last")
    assert [part.item() for part in alignment] == [1, 0.998, 1]


@pytest.mark.slow
def test_what_is_decoded_before_a_transition_is_of_networks_at_half_of_it():
    task, stop = simbias.tasks.get("noisy-lms-5", dim=2), simbias.Stop(max_updates=1000)
    stack = simbias.train(task, simbias.MLP(16), simbias.sgd(), n_train=1000, seeds=2, stop=stop)
    subject = Subject(stack, n_certify=1000, confidence=0.95)
    until = declared()["transition_updates"].compute(subject).value
    before = declared()["decoded_before"].compute(subject, "label", "linear", "last")
    assert np.array_equal(np.isfinite(before.value), np.isfinite(until) & (until >= 400))


@pytest.mark.parametrize("name, given, message", [
    ("edit_switched", ("ablat",), "edit: unknown name 'ablat', nearest: ablate"),
    ("decoded_beyond", ("labels", "linear", "last"), "target: unknown name 'labels', nearest"),
    ("decoded_beyond", ("label", "lineal", "last"), "probe: unknown name 'lineal', nearest: lin"),
    ("edit_kept", ("substract",), "edit: unknown name 'substract', nearest: subtract"),
    ("seed_similarity", ("ckas", "last", "last"), "comparison: unknown name 'ckas', nearest: cka"),
    ("seed_similarity", ("cka", "last", "lst"), "check: unknown name 'lst', nearest: last"),
    ("decoded_beyond", ("label", "linear", "lost"), "layer: unknown name 'lost', nearest: last"),
])  # fmt: skip
def test_bad_arguments_are_refused_in_one_line(name, given, message):
    with pytest.raises(ValueError) as error:
        for argument, value in zip(declared()[name].arguments, given, strict=True):
            argument.check(value)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
