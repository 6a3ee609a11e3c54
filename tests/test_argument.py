"""The argument as claims: its steps, what they come to, and the page of the command line."""

from importlib import import_module

import pytest
from command_line import call

import simbias
from simbias.claims import Step, argument
from simbias.registry import BOUNDS
from simbias.results import Store
from simbias.tables.argument import comes_to
from simbias.training import Cell

NOISY = Cell(simbias.tasks.get("noisy-lms-7"), simbias.MLP(50), simbias.sgd(), n_train=10_000)


def named(cell):
    return {step.name: step for step in argument(cell)}


@pytest.mark.thorough
def test_the_steps_come_to_claims_of_one_family_that_can_all_be_decided():
    steps = argument(NOISY)
    assert [step.name for step in steps] == ["1", "2", "3", "3-4", "4", "5", "enough"]
    claims = [claim for step in steps for claim in step.claims]
    assert {claim.family_size for claim in claims} == {len(claims)} == {18}
    assert len({claim.id for claim in claims}) == 18 and not any(step.left_out for step in steps)
    assert {claim.populations[""].identity for claim in claims} == {NOISY.identity}


def test_a_bound_that_is_to_certify_is_one_from_training_points_and_shown_to_be_valid():
    steps = named(NOISY)

    def bounds(step):
        return {ref.arguments[0] for claim in step.claims for ref in claim.quantity.references}

    trained = {name for name in bounds(steps["3"]) if BOUNDS.factory(name).kind == "bound"}
    assert bounds(steps["3-4"]) == trained and len(trained) == 4


def test_claims_without_a_meaning_on_a_task_are_left_out_of_their_step_and_of_the_family():
    steps = named(Cell(simbias.tasks.get("ms-7"), simbias.MLP(50), simbias.sgd(), n_train=10_000))
    (why,) = steps["5"].left_out.values()
    assert why == "exceptions_fresh: task: got 'ms-7', allowed: a task with a simple set"
    assert {claim.family_size for step in steps.values() for claim in step.claims} == {17}


@pytest.mark.parametrize(
    ("needs", "verdicts", "conclusion"),
    [
        ("all", ["supported", "supported"], "holds"),
        ("all", ["supported", "refuted"], "fails"),
        ("all", ["supported", "inconclusive"], "open"),
        ("all", ["supported", "inapplicable"], "holds"),
        ("one", ["supported", "refuted"], "holds"),
        ("one", ["refuted", "refuted"], "fails"),
        ("one", ["inconclusive", "refuted"], "open"),
        ("one", ["inapplicable", "inapplicable"], "not asked"),
    ],
)
def test_a_step_holds_by_the_verdicts_of_its_claims(needs, verdicts, conclusion):
    claims = named(NOISY)["3"].claims[:2]
    step = Step("3", "", claims, needs, {})
    by_id = {claim.id: verdict for claim, verdict in zip(claims, verdicts, strict=True)}
    assert step.conclusion(by_id) == conclusion


def test_what_would_be_enough_is_no_step_that_the_argument_could_fail_at():
    steps = argument(NOISY)
    verdicts = {claim.id: {"verdict": "supported"} for step in steps for claim in step.claims}
    assert comes_to(steps, verdicts) == "The argument holds at every step that was asked."
    verdicts |= {claim.id: {"verdict": "refuted"} for claim in steps[-1].claims}
    assert comes_to(steps, verdicts) == "The argument holds at every step that was asked."
    verdicts |= {"4-matches": {"verdict": "refuted"}, "2-fits": {"verdict": "inconclusive"}}
    assert comes_to(steps, verdicts) == "The argument fails at step 4 and is open at step 2."


SMALL = """
source = "none"
predicate = { op = ">=", value = 1, margin = 0 }
quantifier = { kind = "probability", at_least = 0.5 }
unit = { of = "network", redraws = ["rotation", "data", "initialisation", "order"] }
effort = { n_certify = 2000, confidence = 0.999 }
inference = { test = "beta-binomial", alpha = 0.2, units = 12, family = "f", correction = "holm" }

[[claim]]
id = "2-fits"
title = "it fits"
quantity = "train_accuracy"
predicate = { value = 0.6 }

[[claim]]
id = "3-4-certifies"
title = "occam certifies"
quantity = 'certifies("occam", 0.01)'
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two claims in place of the argument's; the figures and the table of one bound."""
    path = tmp_path / "claims" / "argument.toml"
    path.parent.mkdir()
    path.write_text(SMALL)
    monkeypatch.setattr(import_module("simbias.claims.argument"), "files", lambda _: path.parent)
    monkeypatch.setattr("simbias.bounds.bound_names", lambda _: ["occam"])
    return ["lms-7", "--dim=4", "--width=16", "--n-train=300", f"--out={tmp_path / 'out'}"]


@pytest.mark.slow
def test_the_page_is_printed_from_what_was_judged_and_again_without_training(
    small, tmp_path, monkeypatch
):
    code, out, err = call("argue", *small)
    assert (code, err) == (0, "")
    assert "The argument on lms-7, d 4, (16,1), n 300" in out
    assert "2. We train on (x, f(x)), x drawn from D. [holds]" in out
    assert "The argument fails at step 3-4." in out
    figures = sorted(path.name for path in (tmp_path / "out" / "figures").glob("*.png"))
    assert [name.split("-")[0].split(".")[0] for name in figures] == [
        "boundary",
        "bounds",
        "claims",
    ]
    assert all(name in out for name in figures)

    def train(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(import_module("simbias.cli.argue"), "_judge", train)
    code, again, err = call("argue", *small)
    assert (code, err) == (0, "") and again == out[out.index("The argument on") :]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["noisy-lms-77"], "task: unknown name 'noisy-lms-77', nearest: noisy-lms-7"),
        (["noisy-lms-7", "--width=0"], "width: got 0"),
        (["noisy-lms-7", "--n-train=0"], "n_train: got 0"),
        (["noisy-lms-7", "--dim=1"], "dim: got 1"),
        (["noisy-lms-7", "--learning-rate=nan"], "learning_rate: got nan"),
        (["xor", "--dim=4", "--depth=-1"], "depth: got -1"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("argue", *words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_directory_of_another_run_is_refused(tmp_path):
    lists = {"cells": [], "seeds": [], "names": []}
    words = {"suite": "pitfalls", "preset": "smoke", "device": "cpu", "versions": {}}
    Store(tmp_path, create=True).prepare(words | lists | {"n_certify": 1})
    code, _, err = call("argue", "lms-7", f"--out={tmp_path}")
    assert code == 2 and "holds a run of pitfalls" in err
