"""The phase diagram: lines, places, findings and the data beside the figure."""

import csv

import numpy as np
import pytest

from simbias.plots import phase
from simbias.results.summary import Summary
from simbias.results.transitions import Transitions

BUDGET = 1000


def cell(dim, updates, network="(100,2)", **settings):
    updates = np.array(updates, float)
    reached = np.isfinite(updates)
    found = Transitions(updates, np.full(len(updates), np.inf), reached, BUDGET)
    return Summary("name", "noisy-lms-7", network, {"dim": dim, **settings}, {}, {}, found)


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
    assert display.lines == ["(100,2), n = 100", "(100,2), n = 1,000"]
    assert [point.at for point in display.along("(100,2), n = 100")] == [2, 10, 50]


def test_the_finding_is_said_only_of_lines_that_fall_along_the_setting():
    assert phase(RUN).finding == "(100,2), n = 100: every seed up to d = 2, none from 50 on"


def test_without_a_dimension_the_number_with_most_values_is_the_axis():
    run = [
        Summary("", "lms-5", "(8,1)", {"n_train": n, "weight_decay": w}, {}, {}, RUN[0].transitions)
        for n in (1, 2, 3)
        for w in (0.1, 0.2)
    ]
    display = phase(run)
    assert display.setting == "n_train"
    assert display.lines == ["(8,1), weight_decay 0.1", "(8,1), weight_decay 0.2"]


def test_files_hold_every_share_and_every_seed(tmp_path):
    paths = phase(RUN).save(tmp_path / "phase.png")
    assert [path.name for path in paths] == [
        "phase.png",
        "phase-share.csv",
        "phase-transitions.csv",
    ]
    with paths[1].open() as handle:
        shares = list(csv.DictReader(handle))
    assert [float(row["share"]) for row in shares] == pytest.approx([1, 0, 5 / 6, 5 / 6, 1])
    assert float(shares[2]["low"]) == pytest.approx(0.3588, abs=1e-4)
    with paths[2].open() as handle:
        seeds = list(csv.DictReader(handle))
    assert len(seeds) == 30 and sum(row["updates"] == "" for row in seeds) == 8


def test_every_uncensored_seed_is_drawn_and_the_censored_are_counted():
    display = phase(RUN).plot()
    above, below = display.ax_
    drawn = sorted(y for line in below.lines if line.get_marker() == "." for y in line.get_ydata())
    assert drawn == sorted(t for c in RUN for t in c.transitions.updates if np.isfinite(t))
    assert [text.get_text() for text in below.texts] == ["1", "6", "1"]
    assert above.lines[0].get_ydata() == pytest.approx([1, 5 / 6, 0])
    assert below.get_ylim()[1] > BUDGET
    assert all(below.get_ylim()[0] < text.xy[1] < below.get_ylim()[1] for text in below.texts)


def test_a_run_without_transitions_or_without_numbers_that_vary_is_refused():
    none = RUN[0].__class__("c", "t", "n", {"dim": 2}, {}, {}, None)
    with pytest.raises(ValueError, match="select_accuracy"):
        phase([none])
    same = RUN[0].__class__("c", "t", "n", {}, {}, {}, RUN[0].transitions)
    with pytest.raises(ValueError, match="varies"):
        phase([same])
