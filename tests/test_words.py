"""Settings in words: departures from the catalogue, what varies, and where it is said."""

import pytest

from simbias import MLP, Stop, sgd, tasks
from simbias.results.summary import Mean, Summary
from simbias.tables import latex
from simbias.tables.summary import summary_table
from simbias.tasks.shifts import shifted
from simbias.training import Cell
from simbias.training.words import (
    by_part,
    departures,
    distinguishing,
    how_trained,
    phrase,
    phrases,
    task_words,
    value_words,
)


def cell(task=None, n=500, lr=0.1, width=8, **stop):
    task = tasks.get("noisy-lms-7", **(task or {}))
    return Cell(task, MLP(width), sgd(learning_rate=lr), n, stop=Stop(**stop)).settings


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.05, ".05"),
        (-0.5, "-.5"),
        (1.0, "1"),
        (10.05, "10.05"),
        (5e-5, "5e-5"),
        (0.12345678, ".12345678"),
        (40_000, "40k"),
        (2500, "2.5k"),
        (12_345, "12,345"),
        (10_000_000, "10M"),
        (999, "999"),
        (None, "-"),
        (False, "no"),
        ([5, 7], "5-7"),
        ({"linear": 0.05, "slab-7": 0.1}, "linear .05, slab-7 .1"),
        ("tanh", "tanh"),
    ],
)
def test_values_are_as_short_as_they_are_exact(value, words):
    assert value_words(value) == words


def test_settings_have_the_names_of_the_field():
    settings = {"dim": 20, "n_train": 10_000, "learning_rate": 0.3, "weight_decay": 5e-4}
    assert phrases(settings) == "d 20, n 10k, lr .3, weight decay .0005"
    assert phrase("train_accuracy", None) == "no train accuracy"
    # what a task lacks is not said of it; a goal that a rule lacks is
    assert phrases({"noise": None, "select_accuracy": None}) == "no select accuracy"


def test_settings_are_known_by_their_part_and_their_name_there():
    settings = {"task": {"name": "ms-7", "margin": {"slab": 0.1}}, "n_train": 5, "stop": {}}
    assert by_part(settings) == {
        ("task", "name"): "ms-7",
        ("task", "margin"): {"slab": 0.1},
        ("", "n_train"): 5,
    }


def test_how_a_network_is_trained_leaves_out_task_and_learner_and_has_one_order():
    settings = list(how_trained(cell(max_updates=100)))
    assert [part or name for part, name in settings[:3]] == ["n_train", "batch", "method"]
    assert [part for part, _ in settings[2:]] == sorted(
        (part for part, _ in settings[2:]), key=["method", "loss", "stop"].index
    )
    assert how_trained(cell())["loss", "name"] == "cross-entropy"
    assert ("loss", "name") not in how_trained({"task": {"name": "ms-7"}, "n_train": 5})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ""),
        ({"dim": 50, "margin": 0.1, "noise": 0.1, "slabs": 7}, ""),
        ({"dim": 20}, ", d 20"),
        ({"slabs": 5}, ", slabs 5"),
        ({"margin": 0.05}, ", margin .05"),
        ({"margin": {"linear": 0.05}}, ", margin linear .05"),
        ({"margin": {"linear": 0.05}, "slabs": 5}, ", margin linear .05, slabs 5"),
        ({"noise": 0.2, "dim": 4}, ", d 4, noise .2"),
    ],
)
def test_whatever_differs_from_the_catalogue_is_said_and_nothing_else(settings, words):
    task = tasks.get("noisy-lms-7", **settings)
    assert task_words(task) == f"noisy-lms-7{words}"
    assert task_words({"name": task.name, **task.settings}) == f"noisy-lms-7{words}"


def test_shifts_pairs_of_slabs_and_tasks_without_a_catalogue():
    assert task_words(shifted(tasks.get("lms-5", dim=3), "gaps")) == "lms-5, d 3, shift gaps"
    assert task_words(tasks.get("ms-5-7", slabs=[3, 7])) == "ms-5-7, slabs 3-7"
    assert task_words({"name": "mine", "dim": 3}) == "mine"


def test_settings_said_elsewhere_are_left_out():
    task = tasks.get("noisy-lms-7", dim=4, margin={"linear": 0.05})
    assert task_words(task, but=["dim"]) == "noisy-lms-7, margin linear .05"
    assert departures(task, but=["margin"]) == {"dim": 4}


def test_cells_are_told_apart_by_what_varies_in_the_run():
    told_apart = distinguishing([cell(), cell(lr=0.3), cell(n=10_000), cell(train_accuracy=0.9)])
    assert [phrases(settings) for settings in told_apart] == [
        "n 500, lr .1, no train accuracy",
        "n 500, lr .3, no train accuracy",
        "n 10k, lr .1, no train accuracy",
        "n 500, lr .1, train accuracy .9",
    ]


def test_a_margin_that_varies_is_one_number_where_it_is_one():
    first, two = cell({"margin": 0.1}), cell({"margin": 0.05})
    assert [phrases(told_apart) for told_apart in distinguishing([first, two])] == [
        "margin .1",
        "margin .05",
    ]
    two = cell({"margin": {"linear": 0.05}})
    assert [phrases(told_apart) for told_apart in distinguishing([first, two])] == [
        "margin linear .1",
        "margin linear .05",
    ]


def test_the_number_of_slabs_does_not_make_equal_margins_differ():
    told_apart = distinguishing([cell({"slabs": 5}), cell({"slabs": 7})])
    assert [phrases(settings) for settings in told_apart] == ["slabs 5", "slabs 7"]


def test_a_departure_shared_by_all_cells_is_said_of_each():
    told_apart = distinguishing([cell({"dim": 4}), cell({"dim": 4}, lr=0.3)])
    assert [phrases(settings) for settings in told_apart] == ["d 4, lr .1", "d 4, lr .3"]


def test_what_follows_from_task_and_network_is_not_said_to_vary():
    other = Cell(tasks.get("ms-7"), MLP(8), sgd(learning_rate=0.3), 500).settings
    wide = cell(width=16, n=500)
    assert distinguishing([cell(), other, wide]) == [{}, {}, {}]


def test_methods_that_vary_are_named():
    first, two = cell(), cell()
    two["method"] = {"name": "adam", "learning_rate": 0.1}
    told_apart = distinguishing([first, two])
    assert [phrases(each) for each in told_apart][1] == "method adam"


def test_where_losses_vary_a_cell_that_names_none_has_the_cross_entropy():
    first, two = cell(), cell()
    two["loss"] = {"name": "hinge"}
    assert [phrases(each) for each in distinguishing([first, two])] == [
        "loss cross-entropy",
        "loss hinge",
    ]
    assert distinguishing([first, first]) == distinguishing([two, two]) == [{}, {}]


def test_settings_of_two_parts_with_one_name_stay_apart():
    first, two = cell(), cell({"noise": 0.2})
    first["method"] |= {"noise": 1.0}
    two["method"] |= {"noise": 2.0}
    told_apart = distinguishing([first, two])
    assert [phrases(each) for each in told_apart] == [
        "noise .1, method noise 1",
        "noise .2, method noise 2",
    ]


def test_tables_and_latex_say_settings_in_words():
    mean = Mean(0.5, 0.1, None)
    settings = [{"n_train": 10_000, "margin": 0.05}, {"n_train": 40_000, "margin": 0.1}]
    told_apart = [
        Summary(
            "c", "noisy-lms-7, slabs 5", "(8,1)", own, {"done": 2}, dict.fromkeys(MEANS, mean), None
        )
        for own in settings
    ]
    table = summary_table(told_apart)
    assert table.head[:5] == ["task", "network", "n", "margin", "networks"]
    assert table.lines[0][:5] == ["noisy-lms-7, slabs 5", "(8,1)", "10k", ".05", "2 done"]
    text = latex(table)
    assert "noisy-lms-7, slabs 5 & (8,1) & 40k & .1 & 2 done" in text
    assert "{" not in text.split("midrule")[1].split("bottomrule")[0]


MEANS = (
    "train_accuracy",
    "test_accuracy",
    "s_randomised_accuracy",
    "sc_randomised_accuracy",
    "exceptions_fitted",
    "memorised",
)
