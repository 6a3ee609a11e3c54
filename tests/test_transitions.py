"""Transitions: from traces written by hand to proportions, medians and the table."""

import numpy as np
import pytest

from simbias import MLP, Stop, experiments, sgd, tasks
from simbias.experiments import row_name
from simbias.plots.run import table_rows
from simbias.results import Store, summarise
from simbias.results.transitions import Transitions, _times, transitions
from simbias.tables import latex
from simbias.tables.summary import summary_table
from simbias.training import Cell
from simbias.training.jobs import Job

BUDGET = 4000


def cell_of(dim, **stop):
    return Cell(
        tasks.get("noisy-lms-7", dim=dim),
        MLP(8, 1),
        sgd(),
        n_train=300,
        stop=Stop(max_updates=BUDGET, check_every=1000, **stop),
    )


@pytest.fixture
def write(tmp_path):
    """Write networks of a cell from (select accuracies, train accuracies, risk) a seed."""
    store = Store(tmp_path / "run", create=True)

    def cells(**members):
        config = {"suite": "hand", "preset": "one", "n_certify": 10, "cells": [], "seeds": [0]}
        names = [{"cell": cell.name, "published": {}} for cell, _ in members.values()]
        store.prepare(config | {"names": names})
        for cell, seeds in members.values():
            for seed, (select, train, risk) in enumerate(seeds):
                job = Job(cell, seed)
                status = "diverged" if risk is None else "done"
                ended = experiments.Ended(job, status, "by hand", {"risk": risk})
                trace = [
                    {
                        "suite": "hand",
                        "cell": cell.name,
                        "seed": seed,
                        "updates": 1000 * (i + 1),
                        "select_accuracy": accuracy,
                        "train_accuracy": fitted,
                    }
                    for i, (accuracy, fitted) in enumerate(zip(select, train, strict=True))
                ]
                store.write("networks", row_name(job), experiments.row("hand", ended), trace)
        return store

    return cells


HIGH = [0.9, 0.9, 0.995, 1.0]
BACK = [0.9, 0.995, 0.98, 0.97]
LATE = [0.5, 0.9999, 1.0, 1.0]
NEVER = [0.9, 0.94, 0.95, 0.95]


def test_a_transition_is_the_check_from_which_on_the_error_stays_within_one_percent(write):
    cell = cell_of(2, select_accuracy=1.0)
    seeds = [(HIGH, LATE, 0.0), (NEVER, LATE, 0.05), ([0.991], [0.5], 0.012), (BACK, LATE, 0.03)]
    by_cell = transitions(write(one=(cell, seeds)), [cell])[cell.name]
    np.testing.assert_array_equal(by_cell.updates, [3000, np.inf, 1000, np.inf])
    np.testing.assert_array_equal(by_cell.first, [3000, np.inf, 1000, 2000])
    np.testing.assert_array_equal(by_cell.fitted, [2000, 2000, np.inf, 2000])
    np.testing.assert_array_equal(by_cell.reached, [True, False, False, False])
    assert by_cell.seeds == (0, 1, 2, 3) and by_cell.came_back == 1


@pytest.mark.thorough
def test_a_network_that_diverged_is_left_out_and_told(write):
    cell, other = cell_of(2, select_accuracy=1.0), cell_of(5, select_accuracy=1.0)
    seeds = [(NEVER, LATE, None), (HIGH, LATE, 0.0), (NEVER, LATE, 0.05)]
    store = write(one=(cell, seeds), two=(other, [(HIGH, LATE, None)] * 2))
    by_cell = transitions(store, [cell, other])
    assert by_cell.keys() == {cell.name} and by_cell[cell.name].seeds == (1, 2)
    np.testing.assert_array_equal(by_cell[cell.name].reached, [True, False])
    np.testing.assert_array_equal(by_cell[cell.name].updates, [3000, np.inf])
    assert transitions(store, [cell_of(3, select_accuracy=1.0)]) == {}
    first, second = summary_table(summarise(store)).lines
    assert first[3] == "1 diverged, 2 done" and first[-4].startswith("1/2 [")
    assert second[3] == "2 diverged" and second[-4:] == ["-"] * 4
    labels = [row.network for row in table_rows(store)]
    assert labels[0].endswith(", 1 diverged") and labels[-1].endswith(", 2 diverged")


def transition(updates, fitted=None, interval=0):
    updates = np.array(updates, float)
    fitted = np.full(len(updates), np.inf) if fitted is None else np.array(fitted, float)
    seeds = tuple(range(len(updates)))
    since, reached = updates - interval, np.isfinite(updates)
    return Transitions(seeds, updates, since, updates, fitted, reached, BUDGET)


def test_a_transition_lies_between_its_check_and_the_one_before():
    median = transition([2000] * 6, interval=1000).median
    assert (median.value, median.low, median.high) == (2000, 1000, 2000)


def test_the_median_of_six_lies_between_the_extremes_with_97_percent():
    # both tails: all six on one side, 2 / 2^6 = .031 <= .05; the next pair would miss 14 / 64
    median = transition([1, 2, 3, 5, 8, 13]).median
    assert (median.value, median.low, median.high) == (4, 1, 13)


def test_the_median_of_nine_drops_one_on_either_side():
    # (1 + 9) / 2^9 on either side: .039 <= .05; one more would miss 92 / 512
    median = transition(range(9)).median
    assert (median.value, median.low, median.high) == (4, 1, 7)


def test_no_pair_of_five_covers_the_median_with_95_percent():
    median = transition([1, 2, 3, 4, 5]).median
    assert (median.value, median.low, median.high) == (3, 0, np.inf)


def test_a_censored_seed_is_a_time_after_the_budget():
    median = transition([1, 2, 3, np.inf, np.inf, np.inf]).median
    assert (median.value, median.low, median.high) == (np.inf, 1, np.inf)
    assert transition([1, 2, 3, 4, np.inf, np.inf]).median.value == 3.5


def test_median_intervals_cover_the_true_median():
    key = np.random.default_rng(0)
    for seeds in (6, 9, 12):
        inside = 0
        for _ in range(2000):
            median = transition(key.exponential(size=seeds)).median
            inside += median.low <= np.log(2) <= median.high
        assert inside / 2000 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_generalisation_after_memorisation_needs_twice_the_updates():
    ends = transition([1000, 1000, 1000, np.inf], fitted=[500, 600, np.inf, 10])
    assert ends.after_memorisation == 1


def test_the_proportion_of_seeds_has_its_exact_interval():
    proportion = transition([1, 1, 1, np.inf]).proportion
    assert proportion.value == 0.75
    assert (round(float(proportion.low), 3), round(float(proportion.high), 3)) == (0.194, 0.994)


def test_the_table_tells_cells_apart_by_what_varies_and_shows_transitions(write):
    short, long = cell_of(2, select_accuracy=1.0), cell_of(5, select_accuracy=1.0)
    store = write(one=(short, [(HIGH, LATE, 0.0)] * 6), two=(long, [(NEVER, LATE, 0.05)] * 6))
    summaries = summarise(store)
    assert [summary.settings for summary in summaries] == [{"dim": 2}, {"dim": 5}]
    table = summary_table(summaries)
    names, (first, second) = table.head, table.lines
    assert names[:4] == ["task", "network", "d", "networks"]
    assert first[2] == "2" and first[-4:] == ["6/6 [0.54, 1.00]", "3k [2k, 3k]", "0", "0"]
    assert second[2] == "5" and second[-4:] == ["0/6 [0.00, 0.46]", ">4k [>4k, >4k]", "0", "0"]
    assert len(names) == len(first) == len(second)
    assert "order statistics" in table.caption
    text = latex(table)
    assert text.count(" & ") == (len(names) - 1) * 3 and "$>$4k" in text


def test_a_run_that_does_not_ask_shows_no_transitions(write):
    summaries = summarise(write(one=(cell_of(2), [(HIGH, LATE, 0.0)]), two=(cell_of(5), [])))
    table = summary_table(summaries)
    assert "reached" not in table.head and len(table.head) == len(table.lines[0])
    assert summaries[0].settings == {} and summaries[0].task == "noisy-lms-7, d 2"


def test_an_error_at_the_threshold_itself_is_not_below_it():
    risk, updates, train = [0.25, 0.25], [1000, 2000], [1, 1]
    transition, *_, reached = _times(np.array([risk, updates, [0.75, 1], train], float), 0.25)
    assert transition == 2000 and not reached
