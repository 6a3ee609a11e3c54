import csv
from functools import cache

import jax
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import simbias
from simbias import plots
from simbias.models import classifier
from simbias.plots._lines import majority_lines
from simbias.plots._plane import class_proportions
from simbias.tasks.oracle import achievable_rule, simple_rule
from simbias.training.cell import Cell
from simbias.training.problem import problem_of, training_set
from simbias.training.stack import Stack
from simbias.validation import control

SMALL = {"resolution": 45, "contexts": 8}


@cache
def stack_of(rule: str, name: str = "noisy-lms-7", **settings) -> Stack:
    task = simbias.tasks.get(name, **{"dim": 6, **settings})
    cell = Cell(task, simbias.MLP(16, 1), simbias.sgd(learning_rate=0.1), 600, batch=100)
    return control(cell, rule)


@cache
def trained() -> Stack:
    task = simbias.tasks.get("noisy-lms-7", dim=6)
    stop = simbias.Stop(max_updates=30, check_every=10)
    method = simbias.sgd(learning_rate=0.1)
    return simbias.train(
        task, simbias.MLP(16, 1), method, n_train=600, seeds=2, batch=100, stop=stop, n_select=400
    )


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def gaps(task, coordinate, positions, width):
    """Grid positions within a cell of a cut."""
    cuts = np.array(achievable_rule(task, coordinate).cuts)
    return np.abs(positions[:, None] - cuts).min(axis=1) <= width


@pytest.mark.parametrize("label", [None, 0, 1])
@pytest.mark.thorough
def test_achievable_control_gives_the_achievable_rule_off_the_cuts(label):
    stack = stack_of("achievable")
    last = stack.cell.task.dim - 1
    display = plots.boundary(stack, coordinate=last, label=label, **SMALL)
    says = achievable_rule(stack.cell.task)(np.outer(display.up, np.ones(last + 1)))
    near = gaps(stack.cell.task, last, display.up, display.up[1] - display.up[0])
    expected = np.broadcast_to(says[:, None], display.proportion.shape)
    np.testing.assert_array_equal(display.proportion[~near], expected[~near])
    wrong = np.abs(display.proportion - expected)[near].sum() / display.proportion.size
    assert display.agreement("achievable") == pytest.approx(1 - wrong)
    assert near.mean() < 0.3
    assert len(display.learned) == 6


def test_simple_control_gives_a_vertical_boundary_at_zero():
    display = plots.boundary(stack_of("simple"), **SMALL)
    cell = display.across[1] - display.across[0]
    (line,) = display.learned
    assert np.abs(line[:, 0]).max() <= cell
    assert line[:, 1].min() == display.up[0] and line[:, 1].max() == display.up[-1]
    assert 1 - 1 / 45 <= display.agreement("simple") <= 1  # but for the column of the cut
    assert display.proportion.shape == (len(display.up), len(display.across)) == (45, 45)


def test_simple_control_fits_all_but_the_exceptions():
    stack = stack_of("simple")
    points = plots.boundary(stack, **SMALL).points
    data = training_set(stack.cell, problem_of(stack.cell, 0))
    np.testing.assert_array_equal(points.exception, data.exception)
    np.testing.assert_array_equal(points.fitted, ~points.exception)
    np.testing.assert_array_equal(points.label, data.y)
    assert plots.boundary(stack_of("achievable"), **SMALL).points.fitted.all()


def test_a_third_of_the_points_shown_are_exceptions_and_no_more_than_there_are():
    points = plots.boundary(stack_of("simple"), **SMALL).points
    shown = points.some(30)
    assert len(shown.label) == 30 and shown.exception.sum() == 10
    assert len(points.some(10**6).label) == 600 and len(points.some(0).label) == 0


def test_contexts_are_common_to_all_grid_points():
    """A classifier that ignores the plane gives one proportion everywhere."""
    task = simbias.tasks.get("noisy-lms-7", dim=6)
    turn = np.asarray(task.rotation(jax.random.key(3)))
    display = plots.BoundaryDisplay.from_classifier(
        lambda x: (x @ turn.T)[:, 3] > 0.1, task, turn, **SMALL
    )
    assert np.ptp(display.proportion) == 0 and 0 < display.proportion[0, 0] < 1
    assert not display.learned
    assert "the other coordinates decide on 100%" in display.finding


def test_proportion_does_not_depend_on_the_blocks(monkeypatch):
    turn, grid = np.eye(3, dtype=np.float32), np.linspace(-1, 1, 7)
    contexts = np.random.default_rng(0).uniform(-1, 1, (8, 3))

    def proportion():
        says = classifier(lambda x: x.sum(axis=1) > 0)
        task = simbias.tasks.get("lms-5", dim=3)
        return class_proportions(says, task, turn, (0, 2), grid, grid, contexts)

    whole = proportion()
    monkeypatch.setattr("simbias.plots._plane._ROWS", 20)
    np.testing.assert_array_equal(proportion(), whole)
    monkeypatch.undo()
    exact = [(x + y + contexts[:, 1] > 0).mean() for y in grid for x in grid]
    np.testing.assert_allclose(whole[1].ravel(), exact, atol=1 / 8 + 1e-9)
    np.testing.assert_array_equal(whole[0], 1 - whole[1])


def test_a_noisy_plateau_at_one_half_has_no_boundary():
    grid = np.linspace(-1, 1, 60)
    noise = np.random.default_rng(0).normal(0, 0.04, (60, 60))
    assert majority_lines(grid, grid, 0.5 + noise, 1 / 8) == []
    beside = np.where(grid[None, :] < -0.5, 0.0, 0.5 + noise)
    assert majority_lines(grid, grid, beside, 1 / 8) == []


def test_a_narrow_plateau_has_its_boundary_in_the_middle():
    grid = np.linspace(-1, 1, 61)
    noise = np.random.default_rng(0).normal(0, 0.04, (61, 61))
    proportion = np.where(np.abs(grid - 0.2) < 0.1, 0.5 + noise, (grid > 0.2) * 1.0)
    (line,) = majority_lines(grid, grid, proportion, 1 / 8)
    np.testing.assert_allclose(line[:, 0], 0.2, atol=0.02)


def test_without_a_simple_set_there_is_no_simple_rule_and_no_exception():
    stack = stack_of("achievable", "ms-7")
    display = plots.boundary(stack, **SMALL).plot()
    assert set(display.rules) == {"achievable"} and not display.points.exception.any()
    assert "exceptions" not in display.finding


@pytest.mark.thorough
def test_two_coordinates_leave_no_context():
    stack = stack_of("achievable", dim=2)
    display = plots.boundary(stack, **SMALL).plot()
    assert display.contexts == 0 and set(np.unique(display.proportion)) == {0, 1}
    assert len(display.learned) == 6


@pytest.mark.thorough
def test_lsn_axes_hold_the_atoms_and_the_normal_coordinates():
    display = plots.boundary(stack_of("simple", "lsn"), **SMALL).plot()
    assert display.across[0] < -1 and display.across[-1] > 1
    assert set(display.rules) == {"simple", "achievable"}
    other = plots.boundary(stack_of("simple", "lsn"), coordinate=3, **SMALL).plot()
    assert set(other.rules) == {"simple"} and other.up[0] < -2 and other.up[-1] > 2


@pytest.mark.thorough
def test_any_callable_can_be_drawn_on_given_axes():
    task = simbias.tasks.get("lms-5", dim=3)
    before = dict(matplotlib.rcParams)
    ax = Figure().add_subplot()
    x, y = task.sample(jax.random.key(0), 50)
    display = plots.BoundaryDisplay.from_classifier(
        simple_rule(task), task, points=(x, y), coordinates=(0, 2), **SMALL
    )
    assert display.plot(ax) is display and display.ax_ is ax and display.figure_ is ax.figure
    assert display.points.fitted.all() and len(display.learned) == 1
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
@pytest.mark.thorough
def test_two_saves_give_the_same_bytes(suffix, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    first = plots.boundary(trained(), **SMALL).save(tmp_path / f"one/boundary{suffix}")
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 50}):
        second = plots.boundary(trained(), **SMALL).save(str(tmp_path / f"two/boundary{suffix}"))
    names = [f"boundary{suffix}", *(f"boundary-{t}.csv" for t in ("proportion", "lines", "points"))]
    assert [path.name for path in first] == [path.name for path in second] == names
    for first_path, other in zip(first, second, strict=True):
        assert first_path.read_bytes() == other.read_bytes()
    assert sorted(tmp_path.glob("one/*")) == sorted(first)


def test_the_plotted_data_are_written(tmp_path):
    display = plots.boundary(stack_of("simple"), shown=60, **SMALL)
    _, proportion, lines, points = display.save(tmp_path / "boundary.png")
    rows = read(proportion)
    assert len(rows) == 45 * 45 and list(rows[0]) == ["x", "y", "proportion"]
    np.testing.assert_allclose(
        [float(row["proportion"]) for row in rows], display.proportion.ravel()
    )
    assert {row["boundary"] for row in read(lines)} == {"learned", "simple", "achievable"}
    assert [float(r["x"]) for r in read(lines) if r["boundary"] == "simple"] == [0, 0]
    shown = read(points)
    assert len(shown) <= 60 and all(row["exception"] != row["fitted"] for row in shown)


@pytest.mark.parametrize("name", ["boundary.svg", "boundary", "boundary.png.txt"])
@pytest.mark.thorough
def test_other_formats_are_refused_and_nothing_is_written(name, tmp_path):
    with pytest.raises(ValueError, match=r"^path: got .*, allowed: .*\.png or \.pdf$"):
        plots.training(trained()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match="^cannot write .*file/a.png: Not a directory"):
        plots.training(trained()).save(tmp_path / "file/a.png")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"coordinate": 6}, "coordinates"),
        ({"coordinate": 0}, "coordinates"),
        ({"label": 2}, "label"),
        ({"contexts": 9}, "contexts"),
        ({"resolution": 1}, "resolution"),
        ({"shown": -1}, "shown"),
        ({"seed": 5}, "seed"),
    ],
)
def test_bad_options_are_named(options, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got .*, allowed: "):
        plots.boundary(stack_of("simple"), **options)


@pytest.mark.parametrize(
    "classify", [lambda x: x, lambda x: x[1:, 0], lambda x: np.full(len(x), -1), lambda x: "1"]
)
def test_a_classifier_must_answer_with_scores_of_two_classes_or_a_label_a_row(classify):
    task = simbias.tasks.get("lms-5", dim=3)
    with pytest.raises(ValueError, match="^classifier: got "):
        plots.BoundaryDisplay.from_classifier(classify, task, **SMALL)


@pytest.mark.parametrize(
    "points", [(np.zeros((2, 4)), np.zeros(2)), (np.zeros((2, 3)), np.array([0, 3]))]
)
def test_points_must_fit_the_task(points):
    task = simbias.tasks.get("lms-5", dim=3)
    with pytest.raises(ValueError, match="^points: got "):
        plots.BoundaryDisplay.from_classifier(simple_rule(task), task, points=points, **SMALL)


@pytest.mark.thorough
def test_training_keeps_the_last_value_of_a_network_that_has_ended(tmp_path):
    stack = trained()
    display = plots.training(stack)
    np.testing.assert_array_equal(display.updates, [10, 20, 30])
    display.traces = (stack.traces[0], stack.traces[1][:2])
    curves = display.curves("train_accuracy")
    assert curves.shape == (2, 3) and curves[1, 2] == curves[1, 1]
    assert display.simple == pytest.approx(0.95) and display.achievable == 1
    _, table = display.save(tmp_path / "training.pdf")
    assert table.name == "training.csv" and len(read(table)) == 5
    assert len(display.ax_) == 2


def test_training_without_exceptions_says_so():
    display = plots.training(trained())
    without = tuple(np.where(np.arange(6) >= 4, np.nan, trace) for trace in display.traces)
    display.traces, display.simple = without, None
    display.plot()
    assert [text.get_text() for text in display.ax_[1].texts] == ["no exceptions"]
    assert "exceptions" not in display.finding


def test_an_untrained_control_has_no_traces():
    with pytest.raises(ValueError, match="^stack: got "):
        plots.training(stack_of("simple"))


def test_comparison_counts_the_published_values_inside_the_intervals(tmp_path):
    nan = float("nan")
    rows = [
        plots.ComparisonRow("noisy-lms-7", "(100,1)", "test_accuracy", 0.942, 0.93, 0.95, 0.940),
        plots.ComparisonRow("noisy-lms-7", "(100,2)", "test_accuracy", 0.960, 0.95, 0.97, 0.945),
        plots.ComparisonRow("ms-7", "(100,1)", "test_accuracy", 1.0, nan, nan),
        plots.ComparisonRow("ms-7", "(100,1)", "other", nan, nan, nan),
    ]
    display = plots.comparison(rows)
    written = display.save(tmp_path / "table.png")
    assert len(display.ax_) == 4 and written[1].name == "table.csv"
    assert "1 of 2" in display.finding and "0.015 (noisy-lms-7 (100,2)" in display.finding
    written_rows = read(written[1])
    assert (
        list(written_rows[0]) == list(plots.ComparisonRow._fields)
        and written_rows[0]["published"] == "0.94"
    )
    assert written_rows[2]["published"] == "" and written_rows[2]["low"] == "nan"
    with pytest.raises(ValueError, match="^ax: got '3 axes', allowed: 4$"):
        display.plot(Figure().subplots(1, 3))


def test_comparison_refuses_no_rows_and_intervals_beside_their_value():
    with pytest.raises(ValueError, match="^rows: got "):
        plots.comparison([])
    with pytest.raises(ValueError, match="^rows: got .*low <= measured <= high$"):
        plots.comparison([plots.ComparisonRow("a", "b", "c", 0.5, 0.6, 0.7)])


def test_comparison_without_intervals_counts_nothing_inside():
    nan = float("nan")
    display = plots.comparison(
        [plots.ComparisonRow("ms-7", "(100,1)", "test_accuracy", 0.99, nan, nan, 1.0)]
    )
    assert display.finding.startswith("largest difference from a published value 0.010")


def test_long_labels_of_a_comparison_break_into_lines_and_stay_on_the_page():
    label = "(100,2), d 20, lr .1, momentum .9, method last-layer, weight decay 5e-5, refits 10"
    accuracies = ("train_accuracy", "test_accuracy", "s_randomised_accuracy")
    rows = [
        plots.ComparisonRow("noisy-lms-7", f"{label}, groups {i}", name, 0.9, 0.8, 1.0)
        for i in range(4)
        for name in accuracies
    ]
    figure = plots.comparison(rows).plot().figure_
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height
    for texts in (figure.axes[0].get_yticklabels(), [ax.title for ax in figure.axes]):
        boxes = [text.get_window_extent() for text in texts]
        assert not [extent for extent in boxes if extent.count_overlaps(boxes) > 1]
