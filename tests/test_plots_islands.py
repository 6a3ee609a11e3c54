"""The island figure: exact planes through exceptions, and the sample beside them."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import simbias
from simbias import plots
from simbias.tasks.oracle import achievable_rule
from simbias.training.cell import Cell
from simbias.validation import control

OPTIONS = {"sample": 6, "directions": 3}


@pytest.fixture(scope="module")
def stacks():
    task = simbias.tasks.get("noisy-lms-7", dim=4)
    cell = Cell(task, simbias.MLP(12, 1), simbias.sgd(), 800, batch=100)
    return {rule: control(cell, rule, seeds=2) for rule in ("achievable", "simple")}


@pytest.mark.thorough
def test_the_planes_of_the_achievable_network_are_its_stripes(stacks):
    stack = stacks["achievable"]
    display = plots.islands(stack, seed=1, coordinate=3, **OPTIONS)
    cuts = achievable_rule(stack.cell.task, 3).cuts
    for piece in display.slices:
        levels = sorted(np.mean(line[:, 1]) for line in piece.decision.lines)
        np.testing.assert_allclose(levels, cuts, atol=1e-6)
        assert all(np.ptp(line[:, 1]) < 1e-6 for line in piece.decision.lines)
        assert sum(part.area for part in piece.parts) == pytest.approx(piece.decision.box.area)
    assert display.slices[0].kind == "training" and display.slices[1].kind == "fresh"
    assert display.report.training[0].fitted.all()


def test_the_plane_of_the_simple_network_is_its_line_and_nothing_is_fitted(stacks):
    display = plots.islands(stacks["simple"], coordinate=2, **OPTIONS)
    for piece in display.slices:
        (line,) = piece.decision.lines
        np.testing.assert_allclose(line[:, 0], 0, atol=1e-6)
    assert "proportion of exceptions fitted: training 0.00, fresh 0.00" in display.finding
    assert display.name == "noisy-lms-7, $d$ = 4, network (12,1), seed 0"


@pytest.mark.thorough
def test_files_hold_the_lines_and_every_point(stacks, tmp_path):
    display = plots.islands(stacks["achievable"], coordinate=3, **OPTIONS)
    paths = display.save(tmp_path / "islands.png")
    assert [path.name for path in paths] == [
        "islands.png",
        "islands-lines.csv",
        "islands-points.csv",
    ]
    with paths[2].open() as handle:
        points = list(csv.DictReader(handle))
    assert [row["kind"] for row in points] == ["training"] * 6 + ["fresh"] * 6
    radii = [float(row["chord_radius"]) for row in points]
    report = display.report
    expected = np.append(report.training[0].chord_radius, report.fresh[0].chord_radius)
    np.testing.assert_allclose(radii, expected, rtol=1e-6)


def test_every_point_of_the_sample_is_drawn(stacks):
    display = plots.islands(stacks["achievable"], coordinate=3, **OPTIONS).plot()
    plane, _, points = display.ax_
    drawn = [line for line in points.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in drawn] == [6, 6]
    np.testing.assert_array_equal(drawn[0].get_xdata(), display.report.training[0].nearest)
    titles = [ax.get_title() for ax in display.ax_[:2]]
    assert "training exception" in titles[0] and "fresh exception" in titles[1]
    x, y = display.slices[0].position[[0, 3]]
    marks = [line for line in plane.lines if line.get_marker() == "D"]
    assert (marks[0].get_xdata()[0], marks[0].get_ydata()[0]) == (x, y)


@pytest.mark.thorough
def test_tasks_without_exceptions_are_refused(stacks):
    task = simbias.tasks.get("lms-7", dim=3)
    clean = control(replace(stacks["simple"].cell, task=task), "simple")
    with pytest.raises(ValueError, match="no exceptions"):
        plots.islands(clean, **OPTIONS)
