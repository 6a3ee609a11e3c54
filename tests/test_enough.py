"""What held-out points are enough for, as quantities: requests, values, limits."""

from dataclasses import replace
from importlib.resources import files

import jax
import numpy as np
import pytest

from simbias import bounds
from simbias.claims import load
from simbias.claims.grammar import parse
from simbias.quantities import Subject, declared

ASKED = (0.2, 500, 0.1)
EFFORT = dict(n_certify=2000, confidence=0.9)


def measured(stack, name, *asked):
    return declared()[name].compute(Subject(stack, **EFFORT), *asked)


@pytest.mark.parametrize(
    "call, message",
    (
        ("answered(1, 500, 0)", "answered: allowed: got 1"),
        ("answered(0.1, 2.5, 0)", "answered: points: got 2.5"),
        ("set_size(0.1, 0, 0)", "set_size: points: got 0"),
        ("set_missing(0.1, 500, 1)", "set_missing: noise: got 1"),
        ("answered_risk(0.1, 500)", r"answered_risk\(NUMBER, NUMBER, NUMBER\)"),
        ("revealing_points(0, 0)", "revealing_points: allowed: got 0"),
    ),
)
def test_what_held_out_points_cannot_be_asked_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        parse("q", call, quantities=declared())


@pytest.mark.thorough
def test_quantities_are_what_the_certificates_say(trained):
    asked = dict(held_out=500, noise=0.1, **EFFORT)
    answering = bounds.selective(trained, 0.2, **asked)
    sets = bounds.prediction_sets(trained, 0.2, **asked)
    for name, expected in (
        ("answered", answering.fresh_answered),
        ("answered_risk", answering.fresh_risk),
        ("set_missing", sets.fresh_missing),
    ):
        for part, own in zip(measured(trained, name, *ASKED), expected, strict=True):
            np.testing.assert_array_equal(part, own[:, 0])
    np.testing.assert_allclose(measured(trained, "set_size", *ASKED).value, sets.fresh_size[:, 0])


@pytest.mark.thorough
def test_where_nothing_is_answered_no_answer_is_wrong(trained):
    few = (0.001, 20, 0)  # .999^20 > .05
    for name in ("answered", "answered_risk"):
        assert (measured(trained, name, *few).high[:] < 0.02).all()
        assert (measured(trained, name, *few).value == 0).all()


@pytest.mark.thorough
def test_the_points_that_reveal_a_risk_are_those_of_its_test_and_fall_as_it_grows(trained):
    subject = Subject(trained, **EFFORT)
    risk, points = subject.report.risk, measured(trained, "revealing_points", 0.02, 0)
    for part, own in zip(points, (risk.value, risk.high, risk.low), strict=True):
        assert part.tolist() == [bounds.points_to_reveal(0.02, r).always for r in own]
    assert (measured(trained, "revealing_points", 0.6, 0).value == np.inf).all()
    noisy = measured(trained, "revealing_points", 0.02, 0.01)
    assert (noisy.value > points.value).all()
    hidden = measured(trained, "revealing_points", 0.02, 0.4)
    assert (hidden.value == np.inf).all()


@pytest.mark.thorough
def test_what_is_no_classifier_has_none_of_these(trained):
    params = jax.tree.map(np.array, trained.params)
    for leaf in jax.tree.leaves(params):
        leaf[1] = np.nan
    broken = replace(trained, params=params)
    for name in ("answered", "answered_risk", "set_size", "set_missing"):
        for part in measured(broken, name, *ASKED):
            assert np.isnan(part).tolist() == [False, True, False, False]
    points = measured(broken, "revealing_points", 0.02, 0)
    assert np.isnan(points.value).tolist() == [False, True, False, False]


def test_the_claims_of_what_is_enough_go_along_held_out_points():
    claims = load(files("simbias.claims") / "builtin" / "enough.toml")
    for name, noises in (("answered", (0, 0.1)), ("answered_risk", (0,)), ("set_size", (0,))):
        asked = [
            reference.arguments
            for claim in claims
            for reference in claim.quantity.references
            if reference.quantity == name
        ]
        sizes = (1000, 3000, 10_000, 40_000)
        assert asked == [(0.01, points, noise) for noise in noises for points in sizes]
