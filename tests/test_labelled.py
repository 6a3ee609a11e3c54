"""Arrays with named axes, and lists and reports that are tables."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import simbias
from simbias._frames import RowList
from simbias.directions import Activity, DoseResponse, PairQuality, directions_of
from simbias.generations import Lineages
from simbias.results import NoisyCell, Summary
from simbias.results.summary import Mean
from simbias.validation import ConflictReport, CorruptionReport, Estimate, Labelled
from simbias.validation.islands import Compared


@pytest.fixture
def pandas(monkeypatch):
    """A stand-in: tables as they are handed over, whether or not pandas is installed."""
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))


def estimate(value):
    value = np.asarray(value, float)
    return Estimate(value, value - 0.1, value + 0.1)


def test_an_entry_is_asked_for_by_its_labels():
    risk = Labelled(np.arange(6).reshape(2, 3), {"seed": (4, 7), "n": (10, 20, 30)})
    assert risk.at(seed=7).values.tolist() == [3, 4, 5] and risk.at(seed=7).dims == ("n",)
    assert risk.at(n=20, seed=4).values == 1 and repr(risk) == "Labelled(seed 2, n 3)"
    with pytest.raises(ValueError, match="^seed: got 5, allowed: one of 4, 7$"):
        risk.at(seed=5)
    with pytest.raises(ValueError, match="^axis: unknown name 'sed'"):
        risk.at(sed=4)
    with pytest.raises(ValueError, match=r"^axes: got 'lengths \(2,\)'"):
        Labelled(np.zeros((2, 3)), {"seed": (0, 1)})


def test_reports_give_their_arrays_under_the_names_of_axes(pandas):
    groups = {(0, True): estimate([0.9, 0.8]), (1, True): estimate([0.7, 0.6])}
    report = ConflictReport((3, 5), estimate([0.5, 0.4]), groups, estimate([0.7, 0.6]))
    accuracy = report.labelled()["groups"]
    assert accuracy.at(seed=5, group=(1, True)).values == 0.6
    assert accuracy.low[1, 1] == pytest.approx(0.5)
    shown = report.to_frame()
    assert list(shown) == ["quantity", "seed", "group", "value", "low", "high"]
    assert shown["quantity"] == ["slope"] * 2 + ["groups"] * 4 + ["worst"] * 2
    risks = {"margin": estimate([0.5]), "none": estimate([0.1])}
    report = CorruptionReport((0,), risks, {"margin": 0.5, "none": 0.05}, estimate([1.0]))
    assert report.labelled()["risks"].at(shift="none").values.tolist() == [0.1]
    given = DoseResponse(
        np.array([-1.0, 1.0]), np.eye(2), np.eye(2), estimate([0, 0]), estimate([1, 1])
    )
    assert given.labelled()["ones"].at(dose=1.0).values.tolist() == [0, 1]
    lineages = Lineages(None, 0, {"mean": np.ones((2, 3))}, np.ones((2, 3), bool))
    assert lineages.labelled()["mean"].axes["generation"] == range(1, 4)
    assert list(lineages.to_frame()) == ["lineage", "generation", "value", "low", "high"]


def test_estimates_of_a_named_tuple_have_an_axis_of_their_own():
    from simbias.stats.labelled import named_axes

    report = SimpleNamespace(chord=Compared(estimate([1, 2]), estimate([3, 4]), estimate([5, 6])))
    chord = named_axes(report, {"chord": "network points"})["chord"]
    assert chord.axes == {"network": (0, 1), "points": ("training", "fresh", "excess")}
    assert chord.at(network=1, points="fresh").values == 4


def test_a_list_of_rows_is_a_table(pandas):
    rows = RowList([1.0, None], lambda item: {"<n>": item, "twice": None}, "a & b")
    assert (
        repr(rows) == "RowList(2 of NoneType and float)" and repr(RowList([], dict)) == "RowList(0)"
    )
    assert rows == [1.0, None] and rows.to_frame() == {"<n>": [1.0, None], "twice": [None, None]}
    shown = rows._repr_html_()
    assert "&lt;n&gt;" in shown and "a &amp; b" in shown and shown.count("<tr>") == 3
    assert RowList([], dict)._repr_html_().count("<tr>") == 0


@pytest.mark.thorough
def test_bounds_and_standings_show_themselves(pandas):
    task = simbias.tasks.get("noisy-lms-5", dim=4)
    net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
    stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
    evaluations = simbias.bounds.evaluate(stack, bounds=["clopper-pearson"], n_certify=10_000)
    assert evaluations.to_frame()["valid"] == [True, True]
    assert "clopper-pearson" in evaluations._repr_html_()
    board = simbias.results.leaderboard([stack], n_certify=10_000)
    assert board.to_frame()["against the reference"] == ["reference"]
    assert board._repr_html_().count("<tr>") == 2


def test_what_is_kept_of_cells_and_directions_is_a_table(pandas):
    mean = Mean(0.9, 0.02, None)
    summary = Summary("cell", "task", "(8,1)", {}, {"done": 2}, {"risk": mean}, None)
    shown = summary.to_frame()
    assert shown["quantity"] == ["risk"] and shown["low"] == [pytest.approx(0.88)]
    task, noise = simbias.tasks.get("mixture"), simbias.tasks.LabelNoise(alpha=3)
    cell = simbias.training.Cell(
        task, simbias.MLP(8), simbias.sgd(), n_train=800, label_noise=noise
    )
    noisy = NoisyCell(cell, (4, 7), np.array([0.7, 0.8]), np.array([0.8, 0.9]))
    shown = noisy.to_frame()
    assert shown["seed"] == [4, 7] and shown["alpha"] == [3.0, 3.0] and shown["best"] == [0.8, 0.9]
    pairs = PairQuality((1, 100), np.eye(2), np.ones((2, 2)))
    assert pairs.labelled()["cosine"].at(pairs=100).values.tolist() == [0, 1]
    assert pairs.to_frame()["pairs"] == [1, 100, 1, 100] * 2
    activity = Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
    fitted = directions_of([activity], [np.array([3.0, 4.0])])
    assert fitted.labelled()["vectors"].at(network=0).values.tolist() == [0.6, 0.8]
    assert fitted.to_frame()["quantity"] == ["vectors"] * 2 + ["means"] * 2 + ["gap"]
