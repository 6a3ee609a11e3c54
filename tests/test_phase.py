"""The phase diagram: lines, places, findings and the data beside the figure."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from displays import BUDGET, cell

from simbias.plots import phase

INF = np.inf
RUN = [
    cell(2, [10, 20, 30, 40, 50, 60], n_train=100),
    cell(50, [INF] * 6, n_train=100),
    cell(10, [100, 200, 300, 400, 500, INF], n_train=100),
    cell(2, [100, INF, 100, 100, 100, 100], n_train=1000),
    cell(10, [200] * 6, n_train=1000),
]


def test_cells_that_differ_in_more_than_the_dimension_are_lines_of_their_own():
    display = phase(RUN)
    assert display.setting == "dim"
    assert display.lines == ["(100,2), n 100", "(100,2), n 1k"]
    assert [point.place for point in display.of("(100,2), n 100")] == [2, 10, 50]


def test_the_finding_is_said_only_of_lines_that_fall_along_the_setting():
    assert phase(RUN).finding == "(100,2), n 100: every seed up to d 2, none from 50 on"


def test_networks_that_diverged_are_told_in_the_title():
    statuses = {"done": 6, "diverged": 2}
    run = [replace(RUN[0], statuses=statuses), replace(RUN[1], transitions=None, statuses=statuses)]
    display = phase([*run, RUN[2]])
    assert len(display.rows) == 2
    words = (
        "left out, diverged: 2 of noisy-lms-7, (100,2), d 2, n 100; 2 of noisy-lms-7, (100,2), d 5"
    )
    assert display.finding.splitlines()[-1].startswith(words)
    assert "left out" not in phase(RUN).finding


def test_without_a_dimension_the_number_with_most_values_is_the_axis():
    run = [
        replace(RUN[0], network="(8,1)", settings={"n_train": n, "weight_decay": w})
        for n in (1, 2, 3)
        for w in (0.1, 0.2)
    ]
    display = phase(run)
    assert display.setting == "n_train"
    assert display.lines == ["(8,1), weight decay .1", "(8,1), weight decay .2"]


def test_files_hold_every_proportion_and_every_seed(tmp_path):
    paths = phase(RUN).save(tmp_path / "phase.png")
    assert [path.name for path in paths] == [
        "phase.png",
        "phase-proportion.csv",
        "phase-transitions.csv",
    ]
    with paths[1].open() as handle:
        proportions = list(csv.DictReader(handle))
    assert [float(row["proportion"]) for row in proportions] == pytest.approx(
        [1, 0, 5 / 6, 5 / 6, 1]
    )
    assert float(proportions[2]["low"]) == pytest.approx(0.3588, abs=1e-4)
    with paths[2].open() as handle:
        seeds = list(csv.DictReader(handle))
    assert [float(proportions[0][f"memorised{end}"]) for end in ("", "_low", "_high")] == [
        0.3,
        0.25,
        0.35,
    ]
    assert [row["seed"] for row in seeds[:6]] == ["10", "11", "12", "13", "14", "15"]
    assert len(seeds) == 30 and sum(row["updates"] == "" for row in seeds) == 8


def test_every_uncensored_seed_is_drawn_and_the_censored_are_counted():
    display = phase(RUN).plot()
    above, between, below = display.ax_
    assert between.lines[0].get_ydata() == pytest.approx([0.3] * 3)
    drawn = sorted(y for line in below.lines if line.get_marker() == "." for y in line.get_ydata())
    assert drawn == sorted(t for c in RUN for t in c.transitions.updates if np.isfinite(t))
    assert [text.get_text() for text in below.texts] == ["1", "6", "1"]
    assert above.lines[0].get_ydata() == pytest.approx([1, 5 / 6, 0])
    assert below.get_ylim()[1] > BUDGET
    assert all(below.get_ylim()[0] < text.xy[1] < below.get_ylim()[1] for text in below.texts)


def test_a_run_without_transitions_or_without_numbers_that_vary_is_refused():
    with pytest.raises(
        ValueError, match="^summaries: got .none for kind phase., allowed: .*select_accuracy"
    ):
        phase([replace(RUN[0], transitions=None)])
    with pytest.raises(
        ValueError, match="^summaries: got .none for kind phase., allowed: .*varies"
    ):
        phase([replace(RUN[0], settings={})])


def test_lines_of_several_tasks_are_told_apart_and_settings_that_one_lacks_are_no_axis():
    run = [
        replace(RUN[0], task=task, settings={"noise": noise, "n_train": n})
        for task, noise, n in (("a", 0.1, 1), ("a", 0.2, 2), ("b", None, 3))
    ]
    display = phase(run)
    assert display.setting == "n_train" and len(display.lines) == 3
    assert {line.split(",")[0] for line in display.lines} == {"a", "b"}
