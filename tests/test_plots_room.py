"""Nothing that a display writes is cut off, on a figure of its own and on the user's axes."""

from dataclasses import replace
from itertools import combinations

import pytest
from displays import GRIDS, KINDS
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from simbias.plots._room import Room, text_width, wrapped


def legends(figure):
    figure.draw_without_rendering()
    shown = [ax.get_legend() for ax in figure.axes if ax.get_legend()] + figure.legends
    assert shown
    return Bbox.union([legend.get_window_extent() for legend in shown])


def is_inside(box, whole, slack=1.0):
    return (
        whole.x0 - slack <= box.x0
        and box.x1 <= whole.x1 + slack
        and whole.y0 - slack <= box.y0
        and box.y1 <= whole.y1 + slack
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.thorough
def test_a_figure_of_its_own_holds_all_that_is_drawn(kind):
    figure = KINDS[kind]().plot().figure_
    assert is_inside(legends(figure), figure.bbox)
    tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert is_inside(tight, Bbox([[0, 0], [width, height]]), 0.02)


@pytest.mark.parametrize(
    "layout", (None, "constrained", pytest.param("tight", marks=pytest.mark.slow))
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.thorough
def test_a_legend_below_the_users_axes_is_inside_the_figure(kind, layout):
    figure = Figure(layout=layout)
    KINDS[kind]().plot(figure.subplots(*GRIDS.get(kind, (1, 1))))
    legend = legends(figure)
    assert is_inside(legend, figure.bbox)
    for ax in figure.axes:  # nor does it lie on the axes
        assert not legend.overlaps(Bbox([ax.bbox.min + 1, ax.bbox.max - 1]))
        assert ax.bbox.height > 20


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "claims"])
@pytest.mark.thorough
def test_titles_and_labels_on_the_users_axes_are_inside_the_figure_too(kind):
    figure = Figure(figsize=(9, 7))
    KINDS[kind]().plot(figure.subplots(*GRIDS.get(kind, (1, 1))))
    assert is_inside(Bbox.union([ax.get_tightbbox() for ax in figure.axes]), figure.bbox)


@pytest.mark.parametrize("layout", (None, "constrained"))
def test_the_users_other_axes_keep_their_place_and_meet_no_legend(layout):
    figure = Figure(figsize=(8, 9), layout=layout)
    above, below = figure.subplots(2, 1)
    below.plot([0, 1], [0, 1])
    below.set_title("other")
    before = below.get_position().bounds
    KINDS["bounds"]().plot(above)
    assert not legends(figure).overlaps(below.get_tightbbox())
    assert layout or below.get_position().bounds == before


def test_a_narrow_figure_gets_fewer_columns_and_smaller_type():
    figure = Figure(figsize=(3.5, 4))
    KINDS["bounds"]().plot(figure.add_subplot())
    assert is_inside(legends(figure), figure.bbox)
    (legend,) = [ax.get_legend() for ax in figure.axes]
    assert legend.get_texts()[0].get_fontsize() < 10


def test_a_figure_saved_to_its_tight_box_keeps_its_legend():
    figure = KINDS["training"]().plot().figure_
    legend, tight = legends(figure), figure.get_tightbbox()
    dpi = figure.dpi
    assert tight.y0 * dpi <= legend.y0 + 1 and legend.x1 - 1 <= tight.x1 * dpi


def test_axes_without_anything_around_them_are_not_moved():
    figure = Figure()
    ax = figure.add_subplot()
    before = ax.get_position().bounds
    Room([ax]).make()
    assert ax.get_position().bounds == before


def test_lines_break_between_words_where_they_are_too_wide():
    text = "one two three\nfour"
    assert wrapped(text, 10, 1000) == text
    assert wrapped(text, 10, text_width("one two", 10)) == "one two\nthree\nfour"
    assert wrapped(text, 10, 1) == "one\ntwo\nthree\nfour"


def test_lines_are_broken_where_the_next_word_does_not_fit():
    words = [("noisy", "lms-7,", "(100,1):", "0", "of", "twelve")[i * i % 6] for i in range(40)]
    lines = wrapped(" ".join(words), 7.5, 150).split("\n")
    assert " ".join(lines) == " ".join(words) and len(lines) > 3
    for line, after in zip(lines, lines[1:], strict=False):
        assert text_width(line, 7.5) <= 150 < text_width(f"{line} {after.split(' ')[0]}", 7.5)


@pytest.mark.parametrize("kind", ("leaderboard", "comparison"))
def test_names_of_many_lines_in_rows_do_not_overlap(kind):
    display = KINDS[kind]()
    field = "learner" if kind == "leaderboard" else "network"
    words = ", ".join(f"setting{i} 0.1234" for i in range(8))
    rows = [row._replace(**{field: f"{getattr(row, field)}, {words}"}) for row in display.rows]
    figure = replace(display, rows=tuple(rows)).plot().figure_
    figure.draw_without_rendering()
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.get_yticklabels() if text.get_text()]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_a_task_of_many_settings_is_named_in_full_above_its_panels():
    display = KINDS["compute"]()
    words = ", ".join(f"setting{i} 0.1234" for i in range(8))
    lines = [line._replace(row=f"{line.row}, {words}") for line in display.lines]
    figure = replace(display, lines=tuple(lines)).plot().figure_
    assert is_inside(figure.get_tightbbox(), Bbox([[0, 0], figure.get_size_inches()]), 0.02)
    assert all(words in " ".join(ax.get_title("left").split()) for ax in figure.axes[::2])
