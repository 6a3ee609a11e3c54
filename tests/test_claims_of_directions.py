"""Quantities of directions on networks whose hidden units are known."""

import pytest

import simbias
from simbias.quantities import Subject, declared


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


def test_what_is_decoded_is_beyond_a_random_network_where_slabs_are_read(subjects):
    beyond = {
        rule: declared()["decoded_beyond"].compute(subject, "label", "linear", "last")
        for rule, subject in subjects.items()
    }
    assert (beyond["achievable"].low > 0.3).all() and (abs(beyond["simple"].value) < 0.08).all()


@pytest.mark.parametrize("name, given, message", [
    ("edit_switched", ("ablat",), "edit: unknown name 'ablat', nearest: ablate"),
    ("decoded_beyond", ("labels", "linear", "last"), "target: unknown name 'labels', nearest"),
    ("decoded_beyond", ("label", "lineal", "last"), "probe: unknown name 'lineal', nearest: lin"),
    ("decoded_beyond", ("label", "linear", "lost"), "layer: unknown name 'lost', nearest: last"),
])  # fmt: skip
def test_bad_arguments_are_refused_in_one_line(name, given, message):
    with pytest.raises(ValueError) as error:
        for argument, value in zip(declared()[name].arguments, given, strict=True):
            argument.check(value)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
