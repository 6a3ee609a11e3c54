"""The experiment of directions: what a cell asks, its rows along training, and their figures."""

import jax
import numpy as np
import pytest

import simbias
from simbias.cli import main
from simbias.experiments import Context, Replica, cell_of, experiments
from simbias.experiments.directions import directions
from simbias.experiments.questions import Question
from simbias.plots.run import Absent, Chosen
from simbias.registry import FIGURES
from simbias.results import Store
from simbias.training.stack import checkpoints

pytestmark = pytest.mark.thorough

OF = """experiment = "directions", task = { name = "noisy-lms-5", dim = 4 }, \
network = { name = "mlp", width = 8 }"""
SUITE = """
name = "small"
summary = "every question"
source = "none"

[tasks.noisy-lms-5]
method = { name = "sgd", learning_rate = 0.1 }
stop = { max_updates = 200, check_every = 100 }

[presets.only]
summary = "one size"
seeds = 2
n_certify = 300
n_train = 1000
cells = [
  { OF, asked = { name = "edit", intervention = ["add", "erase"], updates = 200 } },
  { OF, asked = { name = "doses" } },
  { OF, asked = { name = "layer", updates = [100, 200] } },
  { OF, asked = { name = "refit" } },
  { OF, asked = { name = "seeds", other = [0, 1] } },
  { OF, asked = { name = "edit", layer = 3 } },
  { OF, made = { name = "simple" }, asked = { name = "edit", intervention = "ablate-to-mean" } },
]
"""


class Quiet(Context):
    n_certify, saved = 300, {}

    def advanced(self, moved):
        pass

    def measuring(self, replicas):
        pass


@pytest.fixture(scope="module")
def settings():
    task = simbias.tasks.get("noisy-lms-5", dim=4)
    net, stop = simbias.MLP(8), simbias.Stop(max_updates=200, check_every=100)
    counterpart = simbias.training.Cell(task, net, simbias.sgd(), n_train=1000, stop=stop)
    return {**counterpart.settings, "experiment": "directions"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    suite, directory = folder / "small.toml", folder / "run"
    suite.write_text(SUITE.replace("OF", OF))
    assert main(["run", str(suite), "--preset", "only", "--out", str(directory)]) == 1
    return directory


def rows(run, what, where):
    return Store(run).query(f"SELECT {what} FROM directions WHERE {where} ORDER BY cell, seed")[1]


def test_a_cell_is_made_again_from_its_settings_and_has_an_identity_of_its_own(settings):
    asked = [
        {"name": "edit"},
        {"name": "edit", "direction": "probe"},
        {"name": "layer", "target": "slab", "updates": 100},
        {"name": "seeds", "other": 1},
    ]
    cells = [cell_of({**settings, "asked": each}) for each in asked]
    cells.append(cell_of({**settings, "asked": asked[0], "made": {"name": "simple"}}))
    for cell in cells:
        assert cell_of(cell.settings) == cell
    assert len({cell.identity for cell in cells}) == len({cell.name for cell in cells}) == 5
    groups = {experiments()["directions"].group(cell) for cell in cells}
    assert len(groups) == 2  # trained once, and the explicit ones


@pytest.mark.parametrize("more, message", [
    ({"asked": {"name": "edits"}}, "asked: name: unknown name 'edits', nearest: edit"),
    ({"asked": {"name": "edit", "probe": "linear"}}, "asked: key: unknown name 'probe', known"),
    ({"asked": {"name": "edit", "intervention": "abl"}}, "asked: intervention: unknown name 'abl"),
    ({"asked": {"name": "edit", "direction": "mean"}}, "asked: direction: unknown name 'mean', k"),
    ({"asked": {"name": "layer", "layer": -1}}, "asked: layer: got -1, allowed: an integer >= 0"),
    ({"asked": {"name": "refit", "updates": 150}}, "asked: updates: got 150, allowed: a check"),
    (
        {"asked": {"name": "refit", "updates": 100}, "made": {"name": "simple"}},
        "asked: updates: got 100, allowed: none",
    ),
    ({"asked": {"name": "refit"}, "made": {"name": "simpel"}}, "made: name: unknown name 'simpel'"),
    ({"asked": {"name": "seeds", "shift": "gap"}}, "shift: unknown name 'gap', nearest: gaps"),
])  # fmt: skip
def test_what_cannot_be_asked_is_said_in_one_line(settings, more, message):
    with pytest.raises(ValueError) as error:
        cell_of({**settings, **more})
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_networks_at_several_checks_are_those_that_training_passes(settings):
    cell = cell_of({**settings, "asked": {"name": "refit"}}).counterpart
    halfway, ended = checkpoints(cell, [100, 200], seeds=2)
    alone = simbias.training.replay(cell, 100, seeds=2)
    for first, second in ((halfway, alone), (ended, simbias.training.replay(cell, 200, seeds=2))):
        for a, b in zip(jax.tree.leaves(first.params), jax.tree.leaves(second.params), strict=True):
            assert np.array_equal(a, b)
        assert [first.outcome(i) for i in (0, 1)] == [second.outcome(i) for i in (0, 1)]
        assert np.array_equal(first.fitted_since, second.fitted_since)


def test_a_row_holds_what_was_asked_and_measured_and_nothing_else(run):
    told = "asked, status, updates, switched_low <= switched AND switched <= switched_high"
    answers = rows(run, f"{told}, decoded IS NULL, off_target", "made = 'trained' AND layer = 0")
    edits = [row for row in answers if row[0] == "edit"]
    assert len(edits) == 4 and {row[1:5] for row in edits} == {("done", 200, True, True)}
    layers = rows(run, "updates, decoded_beyond_low < decoded_beyond_high", "asked = 'layer'")
    assert sorted(layers) == [(100, True), (100, True), (200, True), (200, True)]
    ((simple, other),) = set(rows(run, "made, asked", "made = 'simple'"))
    assert (simple, other) == ("simple", "edit")


def test_a_line_that_is_ablated_leaves_a_coin(run):
    (accuracy,), (again,) = rows(run, "edited_accuracy", "made = 'simple'")
    assert abs(accuracy - 0.5) < 0.1 and abs(again - 0.5) < 0.1


def test_a_seed_is_compared_with_others_only(run):
    pairs = rows(run, "seed, other, alike, cka", "asked = 'seeds'")
    assert {(seed, other) for seed, other, alike, _ in pairs if alike is not None} == {
        (0, 1),
        (1, 0),
    }
    values = [alike for *_, alike, _ in pairs if alike is not None]
    assert all(0.7 < alike <= 1 for alike in values) and len(pairs) == 4


def test_a_layer_that_there_is_not_is_an_error_of_its_row_alone(run):
    ((status, reason), again) = rows(run, "status, reason", "status != 'done'")
    assert status == "error" and reason == "layer: got 3, allowed: an integer in [0, 0]"
    assert again == (status, reason)


def test_a_question_is_answered_alike_in_any_company(settings, run):
    cell = cell_of({**settings, "asked": {"name": "edit", "intervention": "add"}})
    (ended,) = directions.run([Replica(cell, 1)], Quiet())
    ((switched,),) = rows(run, "switched", "intervention = 'add' AND seed = 1 AND layer = 0")
    assert ended.status == "done" and ended.columns["switched"] == switched
    assert Question("edit").settings == {"name": "edit"}


@pytest.mark.parametrize("kind, count", [
    ("doses", 27 // 3), ("effects", None), ("decoded", None), ("alike", None), ("seeds", None),
])  # fmt: skip
def test_figures_hold_the_rows_of_the_run(run, kind, count):
    name, display = FIGURES.factory(kind)(Chosen(Store(run)))
    (table,) = display.tables().values()
    assert name == kind and len(next(iter(table.values()))) > 1
    if count:
        assert len(set(table["x"])) == count
    display.plot()
    with pytest.raises(Absent):
        FIGURES.factory(kind)(Chosen(Store(run), "another"))


def test_figures_are_drawn_from_the_command_line_and_at_the_end_of_a_run(run, capsys):
    assert (run / "figures" / "effects.png").exists()
    capsys.readouterr()
    assert main(["plot", str(run), "--kind", "doses"]) == 0
    assert "doses.png" in capsys.readouterr().out
