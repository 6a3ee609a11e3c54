"""Published numbers beside ours: what is reproduced, what is not, and what cannot be said."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from command_line import call
from idx_files import write_idx
from small_cells import POPULATION

from simbias import papers
from simbias.stats.estimate import Estimate
from simbias.tables.reproduction import published

DIGITS = 5e-4  # by which an interval on the page is rounded
TABLE_2 = {  # train, test, S^c-randomised and S-randomised accuracy, as published
    "(100,1)": (0.984, 0.940, 0.941, 0.498),
    "(200,1)": (0.998, 0.949, 0.946, 0.498),
    "(300,1)": (0.995, 0.948, 0.946, 0.497),
    "(100,2)": (0.999, 0.945, 0.944, 0.498),
    "(200,2)": (0.997, 0.946, 0.945, 0.498),
    "(300,2)": (0.998, 0.947, 0.946, 0.498),
}
PAPER = {
    "name": "small",
    "summary": "a small paper",
    "source": "none",
    "n_certify": 2000,
    "presets": {"smoke": "a moment", "full": "longer"},
    "exhibit": [
        {
            "where": "Table 1",
            "says": "a network learns something",
            "differs": "all of it",
            "seeds": {"smoke": 2, "full": 3},
            "tolerance": {"test_accuracy": 0.5, "train_accuracy": 0.01, "a.risk - b.risk": 1.0},
            "because": "it is made up",
            "cell": POPULATION,
            "numbers": [
                {"cell": {"n_train": [256]}, "values": {"test_accuracy": 0.5}},
                {"values": {"train_accuracy": 0.02}},
                {
                    "cells": {"a": {}, "b": {"task": {"dim": 4}}},
                    "values": {"a.risk - b.risk": [-0.1, 0.1]},
                },
                {"cell": {"n_train": [300, 400]}, "values": {"test_accuracy": 0.5},
                 "seeds": {"full": 3}},
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def number():
    """Published as .94, with a tolerance of .01, of one population."""
    return papers.load("pitfalls").exhibits[0].numbers[1]


def estimate(*values, half=0.0):
    middle = np.array(values)
    return Estimate(middle, middle - half, middle + half)


def judged(number, *values, half=0.0, statuses=None):
    return papers.judge(number, estimate(*values, half=half), statuses or ["done"] * len(values))


def test_the_interval_is_students_over_seeds(number):
    ours = judged(number, 0.941, 0.942, 0.943)
    # t of 2 degrees of freedom at .975 is 4.3027, the deviation .001
    half = 4.3027 * 0.001 / math.sqrt(3)
    expected = 0.942, 0.942 - half, 0.942 + half
    np.testing.assert_allclose((ours.value, ours.low, ours.high), expected, atol=1e-7)


@pytest.mark.parametrize(
    "values, outcome",
    [
        ((0.941, 0.942, 0.943), "reproduced"),
        ((0.949, 0.950, 0.951), "inconclusive"),  # reaches over the upper end, .95
        ((0.955, 0.956, 0.957), "not reproduced"),
        ((0.921, 0.922, 0.923), "not reproduced"),
        ((0.92, 0.94, 0.96), "inconclusive"),  # wider than what is accepted
        ((0.94,), "inconclusive"),  # nothing is known of other seeds
        ((0.94, np.nan), "inconclusive"),
    ],
)
def test_a_number_is_reproduced_where_the_whole_interval_is_accepted(number, values, outcome):
    assert judged(number, *values).outcome == outcome


def test_a_miss_says_by_how_much(number):
    assert judged(number, 0.96, 0.96).reason == "the interval is 0.01 above what is accepted"
    assert judged(number, 0.92, 0.92).reason == "the interval is 0.01 below what is accepted"


def test_networks_that_did_not_converge_are_never_called_biased(number):
    ours = judged(number, 0.941, 0.942, 0.943, statuses=["done", "not-converged", "diverged"])
    assert ours.outcome == "not converged"
    assert ours.reason == "1 of 3 networks not-converged, 1 of 3 networks diverged"


def test_missing_networks_are_not_run(number):
    ours = judged(number, 0.941, 0.942, np.nan, statuses=["done", "done", ""])
    assert ours.outcome == "not run" and ours.reason == "1 of 3 networks missing"
    assert papers.judge(number, estimate(), []).outcome == "not run"


def test_equal_seeds_have_the_interval_of_their_own_points(number):
    ours = judged(number, 0.945, 0.945, half=0.004)
    np.testing.assert_allclose((ours.low, ours.high), (0.941, 0.949))
    assert ours.outcome == "reproduced"
    assert judged(number, 0.945, 0.945, half=0.006).outcome == "inconclusive"


def test_an_interval_ends_where_accuracy_does(number):
    ours = judged(replace(number, low=1.0, high=1.0), 1.0, 1.0, 0.98)
    assert ours.high == 1 and ours.low < 0.98


def test_a_range_that_was_published_is_accepted_whole(number):
    ranged = replace(number, low=0.5, high=0.6, tolerance=0.1)
    assert ranged.accepted == (0.4, 0.7)


def test_table_2_is_written_down_as_published():
    (exhibit,) = (e for e in papers.load("pitfalls").exhibits if e.where == "Table 2")
    order = "train_accuracy", "test_accuracy", "sc_randomised_accuracy", "s_randomised_accuracy"
    written = {}
    for number in exhibit.numbers:
        written.setdefault(number.label, {})[number.quantity.text] = number.low
    for label, values in TABLE_2.items():
        assert tuple(written[label][name] for name in order) == values


def test_every_number_has_a_tolerance_a_reason_and_a_preset_that_holds_those_before():
    paper = papers.load("pitfalls")
    for exhibit in paper.exhibits:
        assert exhibit.says and exhibit.numbers
        for number in exhibit.numbers:
            assert number.tolerance > 0 and number.because
            smoke, standard, full = (number.seeds.get(name, 0) for name in paper.presets)
            assert smoke <= standard <= full and full


def test_a_paper_on_files_of_one_s_own_says_in_one_line_what_is_missing(monkeypatch):
    monkeypatch.delenv("SIMBIAS_DATA", raising=False)
    with pytest.raises(
        ValueError, match="folder: got None, allowed: the folder of MNIST's"
    ) as error:
        papers.load("massive-noise")
    assert "\n" not in str(error.value)


def test_no_label_stands_for_two_numbers():
    for exhibit in papers.load("pitfalls").exhibits:
        names = [(number.label, number.quantity.text) for number in exhibit.numbers]
        assert len(set(names)) == len(names), exhibit.where


@pytest.mark.parametrize(
    "change, words",
    [
        ({"seeds": {"smok": 2}}, "seeds: preset: unknown name 'smok'"),
        ({"seeds": {"smoke": 1}}, "seeds.smoke: got 1"),
        ({"values": {"test_acuracy": 0.5}}, "test_acuracy"),
        ({"values": {"test_accuracy": [0.6, 0.5]}}, "test_accuracy: got 0.5"),
        ({"values": {"risk": 0.5}}, "tolerance of risk: got None"),
        ({"tolerance": {"test_accuracy": -1.0}}, "tolerance of test_accuracy: got -1.0"),
        ({"cell": {"task": {"dim": 1}}}, "dim: got 1"),
        ({"cell": {"task": 3}}, "task: got 3"),
        ({"values": {"ensemble_gain": 0.5}}, "an ensemble"),
        ({"values": {'seed_agreement("none")': 0.5}}, "of a network"),
        ({"colour": 3}, "unknown name 'colour'"),
    ],
)
def test_a_file_that_is_at_fault_is_named_in_one_line(tmp_path, change, words):
    first = PAPER["exhibit"][0]
    numbers = [{"values": {"test_accuracy": 0.5}} | change]
    path = tmp_path / "own.toml"
    path.write_text(tomli_w.dumps(PAPER | {"exhibit": [first | {"numbers": numbers}]}))
    code, out, err = call("reproduce", path, "--preset", "smoke", "--out", tmp_path / "run")
    assert code == 2 and words in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
def test_a_paper_of_ones_own_is_run_judged_and_resumed(tmp_path):
    path, run = tmp_path / "own.toml", tmp_path / "run"
    path.write_text(tomli_w.dumps(PAPER))
    code, out, err = call("reproduce", path, "--preset", "smoke", "--out", run)
    assert (code, err) == (0, "")
    summary = "5 published numbers: 2 reproduced, 1 not reproduced, 2 not run"
    assert summary in out
    page = (run / "paper.md").read_text()
    assert summary in page and "all of it" in page and "it is made up" in page
    assert {path.suffix for path in (run / "figures").glob("reproduction.*")} == {
        ".png", ".pdf", ".csv",
    }  # fmt: skip
    lines = [line for line in page.splitlines() if line.startswith("| Table 1")]
    assert [line.split(" | ")[-1] for line in lines] == [
        "reproduced |", "not reproduced |", "reproduced |",
    ]  # fmt: skip
    assert page.count("in full only") == 2
    # a rerun trains nothing and says the same
    again = call("reproduce", path, "--preset", "smoke", "--out", run)
    assert again[0] == 0 and summary in again[1]
    assert (run / "paper.md").read_text() == page


def test_the_recorded_page_judges_by_the_tolerances_that_are_written_down():
    page = (Path(__file__).parents[1] / "figures" / "paper.md").read_text()
    numbers = {
        (exhibit.where, number.label, number.quantity.text): number
        for exhibit in papers.load("pitfalls").exhibits
        for number in exhibit.numbers
    }
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.count(" | ") == 7]
    assert len(lines) > 1
    for where, label, quantity, value, tolerance, ours, _, outcome in lines[1:]:
        number = numbers[where, label, quantity]
        assert (published(number), f"{number.tolerance:g}") == (value, tolerance)
        if outcome in ("reproduced", "not reproduced"):
            low, high = map(float, re.search(r"\[(.*), (.*)\]", ours).groups())
            least, most = number.accepted
            if outcome == "reproduced":
                assert least - DIGITS <= low and high <= most + DIGITS
            else:
                assert high < least + DIGITS or low > most - DIGITS


@pytest.mark.slow
def test_what_is_quick_of_the_paper_is_reproduced(tmp_path):
    code, out, _ = call("reproduce", "pitfalls", "--preset", "smoke", "--out", tmp_path / "run")
    assert code == 0 and "4 reproduced" in out


@pytest.mark.slow
def test_massive_noise_runs_on_idx_files_of_one_s_own(tmp_path, monkeypatch):
    source = Path(papers.__file__).with_name("massive-noise.toml").read_text()
    for line, smaller in (
        ("n_train = 42000", "n_train = 360"),
        ("max_updates = 16000", "max_updates = 20"),
        ("n_certify = 10000", "n_certify = 100"),
        ("batch = 256", "batch = 64"),
    ):
        assert source.count(line) == 1
        source = source.replace(line, smaller)
    path, run = tmp_path / "smaller.toml", tmp_path / "run"
    path.write_text(source)
    draw = np.random.default_rng(0)
    parts = {
        part: (draw.integers(0, 256, (count, 28, 28)), np.arange(count) % 10)
        for part, count in (("train", 500), ("t10k", 100))
    }
    write_idx(tmp_path, parts)
    monkeypatch.setenv("SIMBIAS_DATA", str(tmp_path))
    code, out, err = call("reproduce", path, "--preset", "smoke", "--out", run)
    assert (code, err) == (0, "")
    assert "2 published numbers: " in out and "not run" not in out
    assert "alpha 100" in (run / "paper.md").read_text()
