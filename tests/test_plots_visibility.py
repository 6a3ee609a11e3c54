"""The figure of failure against detectability: its marks, its finding, and what it writes."""

import csv

import numpy as np
import pytest

from simbias.plots import _figure as style
from simbias.plots.visibility import VisibilityDisplay, VisibilityRow, _apart, visibility
from simbias.validation import Estimate, NeededPoints, Visibility


def shift(name, lost, ideal, trained, most=1000):
    values = np.array(lost)
    return Visibility(
        name,
        Estimate(values, values - 0.01, values + 0.01),
        NeededPoints(ideal, ideal, ideal + 1, most),
        NeededPoints(trained, trained, trained, most),
    )


def example():
    return visibility(
        [
            shift("conflict=0.5", [0.4, 0.5], 3, np.inf),
            shift("move=0.5", [0.2, np.nan], 1, 300),
            shift("even-slabs", [0.02, 0.03], 1, 500),
            shift("density=0.9", [0.02, 0.02], 2, 200),
        ],
        name="two networks",
    )


def test_a_row_is_the_mean_over_networks_with_the_limits_of_any():
    first, second = example().rows[:2]
    assert first[:4] == pytest.approx(("conflict=0.5", 0.45, 0.39, 0.51))
    assert second[:4] == pytest.approx(("move=0.5", 0.2, 0.19, 0.21))
    assert second[4:] == (1, 1, 2, 300, 300, 300, 1000)


def test_the_finding_is_of_the_shift_that_costs_most_unseen():
    assert visibility(
        [shift("margin", [0.5], 2, 300), shift("move=0.5", [0.2], 1, 1000)], name="n"
    ).finding == (
        "margin costs 0.5 of accuracy;\nrevealed by 2 points, to a trained network by 300"
    )
    assert example().finding == (
        "conflict=0.5 costs 0.45 of accuracy;\nrevealed by 3 points,"
        " to a trained network by more than 1,000"
    )


def test_marks_stand_at_the_points_and_beyond_all_where_they_do_not_suffice():
    ax = example().plot().ax_
    marks = {
        (line.get_color(), line.get_marker()): []
        for line in ax.lines
        if line.get_marker() != "None"
    }
    for line in ax.lines:
        if line.get_marker() != "None":
            key = line.get_color(), line.get_marker()
            marks[key].append((float(line.get_xdata()[0]), round(float(line.get_ydata()[0]), 6)))
    assert sorted(marks[style.BLUE, "o"]) == [(1, 0.025), (1, 0.2), (2, 0.02), (3, 0.45)]
    assert sorted(marks[style.VERMILLION, "s"]) == [(200, 0.02), (300, 0.2), (500, 0.025)]
    assert marks[style.VERMILLION, ">"] == [(2000, 0.45)]


def test_names_are_moved_by_as_little_as_makes_room():
    assert _apart([0.0, 0.5, 0.6, 2.0], 0.3) == pytest.approx([0.0, 0.4, 0.7, 2.0])
    assert _apart([0.0, 0.0, 0.0], 1.0) == pytest.approx([-1, 0, 1])


def test_names_keep_apart_and_stand_in_the_order_of_the_losses():
    ax = example().plot().ax_
    texts = sorted(ax.texts, key=lambda text: text.xyann[1])
    assert [t.get_text() for t in texts] == [
        "density=0.9",
        "even-slabs",
        "move=0.5",
        "conflict=0.5",
    ]
    assert np.diff([text.xyann[1] for text in texts]).min() > 0.05 * np.diff(ax.get_ylim())


@pytest.mark.thorough
def test_the_data_are_beside_the_figure_and_make_it_again(tmp_path):
    display = example()
    paths = display.save(tmp_path / "a.png")
    with paths[1].open() as file:
        rows = [
            VisibilityRow(row.pop("shift"), *map(float, row.values()))
            for row in csv.DictReader(file)
        ]
    again = VisibilityDisplay(display.name, display.power, tuple(rows)).save(tmp_path / "b.png")
    assert paths[0].read_bytes() == again[0].read_bytes()


def test_nothing_to_draw_is_refused_in_one_line():
    with pytest.raises(ValueError, match="^rows: got '1 without a loss'"):
        visibility([shift("margin", [np.nan], 1, 2)], name="none")
