"""Learners side by side: pairs of seeds, signs and limits by hand, on rows that were made up."""

from dataclasses import replace

import numpy as np
import pytest

import simbias
from simbias import experiments
from simbias.experiments import cell_of
from simbias.experiments.solutions import SolutionCell
from simbias.results import Store, leaderboard
from simbias.tables.leaderboard import leaderboard_table
from simbias.training import cell_from_settings


def board(directory, learners, *, statuses=None):
    """The standings of learners with these risks by seed, in the order of a suite."""
    store = Store(directory, create=True)
    names = [{"cell": cell.name, "published": {}} for cell in learners]
    config = {"suite": "s", "preset": "p", "n_certify": 500, "cells": [], "seeds": [0]}
    store.prepare(config | {"names": names})
    for cell, risks in learners.items():
        for seed, risk in enumerate(risks):
            columns = {"updates": 100, "train_seconds": 1.5, "exceptions_fresh": 1 - risk}
            diverged = risk is None or np.isnan(risk)
            columns |= {} if diverged else {"risk": risk, "s_randomised_accuracy": 1 - risk / 2}
            status = "diverged" if diverged else "done"
            ended = experiments.Ended(experiments.Replica(cell, seed), status, "r", columns)
            table = experiments.experiment_of(cell).table.name
            row = experiments.row("s", ended)
            store.write(table, experiments.row_name(ended.replica), row)
    return {standing.learner: standing for standing in leaderboard(store)}


@pytest.fixture(scope="module")
def other(cell):
    return replace(cell, method=simbias.sgd(learning_rate=0.5, momentum=0.9, weight_decay=5e-5))


FIRST, SECOND = "sgd, lr .1", "sgd, lr .5"


@pytest.mark.thorough
def test_twelve_of_twelve_seeds_are_better_and_eleven_of_twelve_too(cell, other, tmp_path):
    risks = [0.05] * 12
    standings = board(tmp_path / "all", {cell: risks, other: [0.04] * 12})
    against = standings[SECOND].against
    assert list(standings) == [SECOND, FIRST] and standings[FIRST].against is None
    assert (against.better, against.worse, against.seeds) == (12, 0, 12)
    assert against.median == pytest.approx(0.01) and against.verdict == "better"
    # P(B >= 11) = 13/4096 <= .05/2 for B binomial (12, 1/2)
    almost = board(tmp_path / "most", {cell: risks, other: [0.04] * 11 + [0.06]})[SECOND].against
    assert almost.verdict == "better" and (almost.better, almost.worse) == (11, 1)


def test_a_task_of_one_learner_is_drawn_only_where_no_task_has_several(cell, other, tmp_path):
    board(tmp_path, {cell: [0.1], other: [0.1], replace(cell, n_train=cell.n_train + 1): [0.1]})
    standings = leaderboard(Store(tmp_path))
    tasks = [standing.task for standing in standings]
    (lone,) = (standing for standing in standings if tasks.count(standing.task) == 1)
    (compared,) = set(tasks) - {lone.task}
    assert simbias.plots.leaderboard(standings).tasks == [compared]
    assert simbias.plots.leaderboard([lone]).tasks == [lone.task]


@pytest.mark.thorough
def test_limits_are_order_statistics_at_the_level_shared_by_all_comparisons(cell, other, tmp_path):
    gains = np.linspace(0.001, 0.012, 12)
    alone = board(tmp_path / "alone", {cell: [0.05] * 12, other: list(0.05 - gains)})
    # P(B >= 10) = 79/4096 <= .025 for B binomial (12, 1/2), P(B >= 9) = 299/4096 is not:
    # the third value from either end
    against = alone[SECOND].against
    assert (against.low, against.high) == pytest.approx((0.003, 0.010))
    third = replace(other, method=simbias.sgd(learning_rate=0.2))
    fourth = replace(other, method=simbias.sgd(learning_rate=0.3))
    with_others = {third: [0.05] * 12, fourth: [0.05] * 12}
    several = board(
        tmp_path / "several", {cell: [0.05] * 12, other: list(0.05 - gains), **with_others}
    )
    name = next(name for name in several if "lr .5" in name)
    # each side .05 / 6: P(B >= 11) = 13/4096 is below it, P(B >= 10) is not
    assert several[name].against.low == pytest.approx(0.002)


@pytest.mark.thorough
def test_ties_count_for_neither_and_few_seeds_decide_nothing(cell, other, tmp_path):
    same = board(tmp_path / "same", {cell: [0.05] * 12, other: [0.05] * 12})[SECOND].against
    assert (same.better, same.worse, same.median) == (0, 0, 0) and same.verdict == "not told apart"
    few = board(tmp_path / "few", {cell: [0.05] * 5, other: [0.01] * 5})[SECOND].against
    assert few.verdict == "not told apart" and (few.low, few.high) == (-np.inf, np.inf)


def test_a_network_that_diverged_is_worse_than_any_and_equal_to_another(cell, other, tmp_path):
    nan = np.nan
    half = board(tmp_path, {cell: [0.05, 0.05, nan], other: [nan, 0.05, nan]})[SECOND]
    assert (half.against.better, half.against.worse) == (0, 1)
    assert half.statuses == {"diverged": 2, "done": 1}
    assert half.reached.value == 0  # of three seeds, not of the one that was measured


@pytest.mark.thorough
def test_only_seeds_that_both_have_are_compared(cell, other, tmp_path):
    standings = board(tmp_path, {cell: [0.05] * 7, other: [0.04] * 9})
    assert standings[SECOND].against.seeds == 7


def test_where_the_simple_rule_makes_no_error_the_score_is_on_randomised_points(tmp_path):
    task = simbias.tasks.get("lms-7", dim=4)
    cells = [
        simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(learning_rate=rate), n_train=300)
        for rate in (0.1, 0.5)
    ]
    standings = board(tmp_path, dict(zip(cells, ([0.2] * 8, [0.1] * 8), strict=True)))
    best = standings["sgd, lr .5"]
    assert best.score == "s_randomised_accuracy"
    assert best.against.median == pytest.approx(0.05) and best.against.verdict == "better"


def test_the_reference_is_sgd_wherever_it_stands_and_each_task_has_its_own(cell, other, tmp_path):
    forest = cell_of(
        {
            "experiment": "estimators",
            "task": cell.settings["task"],
            "estimator": {"name": "decision-tree"},
            "n_train": cell.n_train,
        }
    )
    elsewhere = replace(cell, n_train=2000)
    standings = board(tmp_path, {forest: [0.05], cell: [0.05], elsewhere: [0.05]})
    assert standings["decision-tree"].against.seeds == 1
    assert np.isnan(standings["decision-tree"].gradients) and standings["sgd"].against is None


def test_gradients_are_updates_at_their_cost_and_a_solution_is_told_the_rule(cell, tmp_path):
    wide = replace(cell, network=simbias.networks.Ensemble(simbias.MLP(8), members=3))
    solution = SolutionCell(cell, "explicit")
    standings = board(tmp_path, {cell: [0.05], wide: [0.04], solution: [0.0]})
    by_gradients = {name: standing.gradients for name, standing in standings.items()}
    assert by_gradients["sgd, 3 x (8,1)"] == 300 and by_gradients["sgd, (100,1)"] == 100
    assert standings["solution, explicit"].uses == ("the achievable rule",)


def test_a_budget_of_gradients_makes_fewer_updates_where_one_costs_more(cell):
    stop = {"gradient_evaluations": 400, "check_every": 100}
    settings = {**cell.settings, "stop": stop}
    assert cell_from_settings(settings).stop.max_updates == 400
    ensemble = {"name": "ensemble", "members": 3, "width": 8, "depth": 1}
    assert cell_from_settings({**settings, "network": ensemble}).stop.max_updates == 133
    for wrong, words in (
        ({"max_updates": 1000}, "stop: gradient_evaluations: got 400, allowed: none beside"),
        ({"gradient_evaluations": 0}, "stop: gradient_evaluations: got 0"),
    ):
        with pytest.raises(ValueError, match=words):
            cell_from_settings({**settings, "stop": stop | wrong})


@pytest.mark.thorough
def test_the_table_says_who_is_better_by_how_much_and_who_is_the_reference(cell, other, tmp_path):
    standings = board(tmp_path, {cell: [0.05] * 12, other: [0.04] * 12})
    table = leaderboard_table(list(standings.values()))
    best, reference = (dict(zip(table.head, line, strict=True)) for line in table.lines)
    assert best["learner"] == SECOND and best["against the reference"] == "better"
    assert best["gain"] == "+0.0100 [+0.0100, +0.0100]" and best["better, worse"] == "12, 0 of 12"
    assert reference["against the reference"] == "reference" and reference["gain"] == ""
    assert best["reach the rule"] == "0/12 [0.00, 0.26]" and best["gradients"] == "100"


def test_a_run_without_learners_has_no_board(tmp_path):
    store = Store(tmp_path, create=True)
    store.prepare({"suite": "s", "preset": "p", "n_certify": 5, "cells": [], "seeds": []})
    with pytest.raises(ValueError, match="^DIR: got .*without a learner"):
        leaderboard(store)


@pytest.mark.thorough
def test_what_was_trained_in_the_session_is_measured_and_each_learner_stands_once(trained):
    (standing,) = leaderboard([trained], n_certify=2000)
    report = simbias.validate(trained, n_certify=2000)
    assert standing.excess_risk.value == pytest.approx(report.risk.value.mean())
    assert standing.gradients == 200 and standing.reached.value == 0
    for wrong, words in (
        ([trained, trained], "twice', allowed: each once"),
        ([3], "^learners: got 3, allowed: what simbias.train returned"),
        ([], "^learners: got .., allowed: at least one"),
    ):
        with pytest.raises(ValueError, match=words):
            leaderboard(wrong, n_certify=2000)
