"""Random search of settings: what is drawn, which trial is taken, and the suite it makes."""

import io

import numpy as np
import pytest
import tomli_w
from rich.console import Console

from simbias import experiments, suites
from simbias.models.classifier import labels
from simbias.models.estimators import fit
from simbias.results import Store
from simbias.runner.execute import execute, prepare
from simbias.runner.progress import ConsoleReporter
from simbias.runner.tune import FIRST_SEED, trials_plan, tuned, tuned_suite
from simbias.suites.spaces import LogUniform, read_spaces, trial
from simbias.tables.tuned import tuned_table

SUITE = """
name = "mine"
summary = "two methods"
source = "none"
[tasks]
[tune]
sgd = { learning_rate = { low = 0.01, high = 1.0 }, momentum = { low = 0.1, high = 0.9 } }
[presets.standard]
summary = "one size"
seeds = 2
n_train = 1000
stop = { gradient_evaluations = 200 }
cells = [
  { task = "noisy-lms-7", network = { name = "mlp", width = 8 }, method = { name = "sgd" } },
  { task = "noisy-lms-7", network = { name = "mlp", width = 8 }, method = { name = "adam" } },
]
"""


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return suites.load(str(path))


def test_trials_are_log_uniform_and_the_same_whatever_else_is_tuned():
    space = {"learning_rate": LogUniform(1e-3, 1.0), "momentum": LogUniform(0.1, 0.9)}
    drawn = [trial("sgd", space, number) for number in range(400)]
    logs = np.log10([settings["learning_rate"] for settings in drawn])
    assert logs.min() >= -3 and logs.max() <= 0
    # the mean of 400 uniform values on (-3, 0) is -1.5, with a standard error of .043
    assert abs(logs.mean() + 1.5) < 0.15
    alone = trial("sgd", {"learning_rate": LogUniform(1e-3, 1.0)}, 7)
    assert alone["learning_rate"] == drawn[7]["learning_rate"]
    assert trial("adam", space, 7) != drawn[7]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"sgdd": {}}, "f: tune: method or estimator: unknown name 'sgdd', nearest: sgd"),
        ({"sgd": {}}, "f: tune.sgd: got {}, allowed: a table of settings"),
        ({"sgd": {"lr": {"low": 1.0, "high": 2.0}}}, "f: tune.sgd: setting: unknown name 'lr'"),
        ({"sgd": {"momentum": {"low": 0.0, "high": 0.9}}}, "f: tune.sgd.momentum.low: got 0.0"),
        ({"sgd": {"momentum": {"low": 0.9, "high": 0.1}}}, "f: tune.sgd.momentum.high: got 0.1"),
        ({"sgd": {"momentum": {"low": 0.9}}}, "high"),
    ],
)
def test_a_space_that_is_none_is_said_in_one_line(table, words):
    with pytest.raises(ValueError) as error:
        read_spaces("f: tune", table)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_only_methods_with_a_space_are_tried_on_seeds_of_their_own(suite):
    plan = trials_plan(suite, "standard", trials=3, seeds=2)
    assert plan.seeds == (FIRST_SEED, FIRST_SEED + 1)
    assert [cell.method.name for cell in plan.cells] == ["sgd"] * 4
    rates = [cell.method.settings["learning_rate"] for cell in plan.cells]
    assert rates[0] == 0.1 and len(set(rates)) == 4
    for wrong in ({"trials": 0}, {"seeds": 0}):
        with pytest.raises(ValueError, match=f"^{next(iter(wrong))}: got 0"):
            trials_plan(suite, "standard", **{"trials": 3, "seeds": 2} | wrong)
    with pytest.raises(ValueError, match="without a space for a learner of smoke"):
        trials_plan(suites.load("pitfalls"), "smoke", trials=1, seeds=1)


def made_up(suite, directory, accuracies, *, diverged=()):
    """A run of trials whose select accuracies, by trial and seed, are these."""
    plan = trials_plan(suite, "standard", trials=len(accuracies) - 1, seeds=2)
    store = Store(directory, create=True)
    prepare(plan, store)
    for cell, of_seeds in zip(plan.cells, accuracies, strict=True):
        for seed, accuracy in zip(plan.seeds, of_seeds, strict=True):
            status = "diverged" if (cell, seed) in diverged or np.isnan(accuracy) else "done"
            checks = [(100, 1.0), (200, accuracy)]  # the last check counts, not the best
            trace = [{"updates": u, "select_accuracy": a} for u, a in checks]
            ended = experiments.Ended(experiments.Replica(cell, seed), status, "r", trace=trace)
            row = experiments.row("s", ended)
            name = experiments.row_name(ended.replica)
            rows = experiments.trace_rows("s", ended)
            store.write("networks", name, row, trace=rows)
    return store


def test_the_best_mean_at_the_end_is_taken_and_its_suite_holds_both(suite, tmp_path):
    store = made_up(suite, tmp_path / "run", [(0.90, 0.92), (0.99, 0.80), (0.93, 0.91)])
    (learner,) = tuned(store, suite, "standard", trials=2)
    assert learner.own_accuracy == pytest.approx(0.91)
    assert learner.accuracy == pytest.approx(0.92)
    expected = trial("sgd", suite.spaces["sgd"], 2)
    assert learner.chosen["method"] == {"name": "sgd", **expected}
    written = tmp_path / "tuned.toml"
    written.write_text(tomli_w.dumps(tuned_suite(suite, "standard", [learner])))
    cells = suites.load(str(written)).preset("standard").cells
    assert [cell["method"] for cell in cells] == [
        {"name": "sgd"}, {"name": "adam"}, learner.chosen["method"],
    ]  # fmt: skip
    (line,) = tuned_table([learner]).lines
    assert line[2:5] == ["2", "0.9100", "0.9200"] and line[5].startswith("lr ")


def test_its_own_settings_stay_where_no_trial_is_better_or_trials_diverge(suite, tmp_path):
    accuracies = [(0.92, 0.92), (0.92, 0.92), (np.nan, 1.0)]
    store = made_up(suite, tmp_path / "run", accuracies)
    (learner,) = tuned(store, suite, "standard", trials=2)
    assert learner.chosen == learner.cell and tuned_table([learner]).lines[0][-1] == "its own"
    assert len(tuned_suite(suite, "standard", [learner])["presets"]["standard"]["cells"]) == 2


def test_a_run_that_lacks_a_trial_is_named(suite, tmp_path):
    store = made_up(suite, tmp_path / "run", [(0.92, 0.92), (0.93, 0.92)])
    with pytest.raises(ValueError, match="^out: got .*without the trial noisy-lms-7"):
        tuned(store, suite, "standard", trials=2)


TREES = """
name = "trees"
summary = "an estimator beside a method"
source = "none"
[tasks]
[tune]
decision-tree = { max_depth = { low = 1, high = 30 }, ccp_alpha = { low = 1e-5, high = 1e-2 } }
[presets.standard]
summary = "one size"
seeds = 2
n_train = 500
n_certify = 1000
[[presets.standard.cells]]
experiment = "estimators"
task = "noisy-lms-7"
estimator = { name = "decision-tree", max_features = 0.5 }
"""


@pytest.mark.thorough
def test_estimators_are_tuned_by_the_points_that_traces_are_evaluated_on(tmp_path):
    pytest.importorskip("sklearn")
    (tmp_path / "trees.toml").write_text(TREES)
    suite = suites.load(str(tmp_path / "trees.toml"))
    plan = trials_plan(suite, "standard", trials=3, seeds=2)
    drawn = [cell.estimator.settings for cell in plan.cells]
    assert all(settings["max_features"] == 0.5 for settings in drawn) and len(drawn) == 4
    assert all(isinstance(settings["max_depth"], int) for settings in drawn[1:])
    store = Store(tmp_path / "run", create=True)
    prepare(plan, store)
    with ConsoleReporter(Console(file=io.StringIO())) as reporter:
        assert execute(plan, store, reporter) == ["done"] * 8
    (learner,) = tuned(store, suite, "standard", trials=3)
    by_hand = []
    for cell in plan.cells:
        fitted = fit(cell.task, cell.estimator, n_train=500, seeds=plan.seeds)
        right = []
        for classifier, data in zip(fitted.members, fitted.data, strict=True):
            fresh = data.task.draw(data.law, data.stream("select"), "select", 10_000)
            right.append(np.mean(labels(classifier, np.asarray(fresh.x)) == np.asarray(fresh.y)))
        by_hand.append(np.mean(right))
    assert learner.own_accuracy == pytest.approx(by_hand[0], abs=1e-12)
    assert learner.accuracy == pytest.approx(max(by_hand), abs=1e-12)
    assert learner.chosen["estimator"] == {"name": "decision-tree", **drawn[np.argmax(by_hand)]}
    (line,) = tuned_table([learner]).lines
    assert line[1] == "decision-tree(max_features=0.5)" and "max depth" in line[5]
