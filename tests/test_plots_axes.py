"""What is on the axes of each figure: labels, scales, limits, every series at its numbers.

The displays hold numbers that are all different, so that exchanged axes, columns or series show.

Longer than 400 lines because every kind of figure is drawn once for all of it.
"""

import csv
from dataclasses import replace

import numpy as np
import pytest
from displays import BUDGET, KINDS
from matplotlib.colors import to_hex, to_rgba

from simbias.plots import LineageLine, LineagesDisplay
from simbias.plots import _figure as style
from simbias.training.fit import TRACE

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def drawn():
    """Displays, drawn once."""
    by_name = {}

    def of(kind):
        if kind not in by_name:
            by_name[kind] = KINDS[kind]().plot()
        return by_name[kind]

    return of


def lines(ax, **looks):
    """The x and y of an axes' lines of a look, in the order in which they were drawn."""
    matching = [
        line
        for line in ax.lines
        if all(getattr(line, f"get_{name}")() == value for name, value in looks.items())
    ]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in matching]


def dots(ax, color, marker):
    """The points of a colour and a marker."""
    matching = lines(ax, color=color, marker=marker)
    return [(x, y) for xs, ys in matching for x, y in zip(xs, ys, strict=True)]


def legend(display):
    """Colours, or their pairs, by label."""
    axes = display.ax_ if isinstance(display.ax_, tuple) else (display.ax_,)
    (shown,) = axes[0].figure.legends
    return dict(
        zip(
            [text.get_text() for text in shown.get_texts()],
            [_colour(handle) for handle in shown.legend_handles],
            strict=True,
        )
    )


def _colour(handle):
    if hasattr(handle, "get_facecolor"):
        return to_hex(handle.get_facecolor())
    return to_hex(handle.get_color()).upper() if hasattr(handle, "get_color") else None


def table(display, name=None):
    """The plotted data by column, as the CSV file has them."""
    tables = display.tables()
    return tables[name] if name else next(iter(tables.values()))


def holds(ax, x=(), y=()):
    """Whether the limits contain the data."""
    low, high = sorted(ax.get_xlim())
    bottom, top = sorted(ax.get_ylim())
    return all(low <= each <= high for each in x) and all(bottom <= each <= top for each in y)


# boundary


def test_a_boundary_has_its_coordinates_on_the_axes_with_units(drawn):
    display = drawn("boundary")
    ax = display.ax_
    assert ax.get_xlabel() == "linear coordinate $x_{0}$ (input units)"
    assert ax.get_ylabel() == "slab-7 coordinate $x_{2}$ (input units)"
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_xlim() == (-1.1, 1.3) and ax.get_ylim() == (-1.2, 1.4)


def test_the_background_of_a_boundary_is_the_proportion_at_its_place(drawn):
    display = drawn("boundary")
    ax, bar = display.figure_.axes
    mesh = ax.collections[0]
    np.testing.assert_array_equal(mesh.get_array(), display.proportion)
    x, y = mesh.get_coordinates()[..., 0], mesh.get_coordinates()[..., 1]
    np.testing.assert_allclose((x[0, 1:] + x[0, :-1]) / 2, display.across)
    np.testing.assert_allclose((y[1:, 0] + y[:-1, 0]) / 2, display.up)
    assert mesh.get_clim() == (0, 1)
    low, high = mesh.cmap(0.0), mesh.cmap(1.0)
    assert low[2] > low[0] and high[0] > high[2]  # blue says -, orange says +
    assert bar.get_ylabel() == "the network says + (proportion of 64 contexts)"
    data = table(display, "proportion")
    proportions = {(x, y): proportion for x, y, proportion in zip(*data.values(), strict=True)}
    assert proportions[display.across[5], display.up[1]] == display.proportion[1, 5]


def test_rules_of_a_boundary_cut_their_own_coordinate(drawn):
    display = drawn("boundary")
    ax = display.ax_
    assert lines(ax, color=style.PURPLE) == [([0, 0], [-1.2, 1.4])]
    achievable = lines(ax, color=style.GREEN)
    assert all(x == [-1.1, 1.3] for x, _ in achievable)
    assert [y for _, y in achievable] == [[c, c] for c in display.rules["achievable"].cuts]
    learned = lines(ax, color=style.BLACK)
    assert len(learned) == len(display.learned) > 0
    np.testing.assert_array_equal(np.transpose(learned[0]), display.learned[0])


def test_points_of_a_boundary_stand_at_their_coordinates_in_the_colour_of_their_label(drawn):
    ax = drawn("boundary").ax_
    marks = {
        (line.get_markerfacecolor(), line.get_marker()): (x, y)
        for line in ax.lines
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        if line.get_linestyle() == "None"
    }
    assert marks == {
        (style.BLUE, "o"): (-0.9, 0.2),
        ("white", "o"): (0.8, 0.4),
        (style.VERMILLION, "D"): (-0.7, -0.6),
    }


def test_the_legend_and_title_of_a_boundary_count_what_is_drawn(drawn):
    display = drawn("boundary")
    entries = legend(display)
    labels = list(entries)
    assert entries["learned boundary"] == style.BLACK
    assert [label.split(" (")[0] for label in labels[1:3]] == ["simple rule", "achievable rule"]
    assert (entries[labels[1]], entries[labels[2]]) == (style.PURPLE, style.GREEN)
    assert labels[3:] == [
        "points, fitted (1 of 1 shown)",
        "points, not fitted (1 of 1 shown)",
        "exceptions, fitted (1 of 1 shown)",
    ]
    title = "name\nfits 66.6% of 3 points, 100% of 1 exceptions"
    assert display.figure_.get_suptitle() == title
    simple = np.where(display.across >= 0, display.proportion, 1 - display.proportion).mean()
    assert f"agrees on {simple:.0%}" in labels[1]


# training


def test_training_curves_are_their_columns_against_updates(drawn):
    display = drawn("training")
    columns = (("train_accuracy", "select_accuracy"), ("exceptions_fitted", "exceptions_fresh"))
    for ax, pair in zip(display.ax_, columns, strict=True):
        for column, colour in zip(pair, (style.BLUE, style.VERMILLION), strict=True):
            index = TRACE.index(column)
            networks = lines(ax, color=colour, linewidth=0.5)
            assert [x for x, _ in networks] == [[10, 20, 30], [10, 20]]
            for (_, y), trace in zip(networks, display.traces, strict=True):
                assert y == list(trace[:, index])
            ((x, y),) = lines(ax, color=colour, linewidth=1.8)
            first, second = (trace[:, index] for trace in display.traces)
            kept = np.append(second, second[-1])  # the second has ended a check earlier
            assert x == [10, 20, 30] and y == pytest.approx((first + kept) / 2)
            (shade,) = [s for s in ax.collections if to_rgba(colour, 0.2) == tuple(s.get_fc()[0])]
            box = shade.get_paths()[0].get_extents()
            assert box.bounds[:2] == pytest.approx((10, first[0])) and box.x1 == 30
            assert box.y1 == pytest.approx(kept[-1])


def test_training_axes_say_what_they_measure(drawn):
    display = drawn("training")
    above, below = display.ax_
    assert (above.get_ylabel(), below.get_ylabel()) == ("accuracy", "exceptions correct")
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "updates")
    assert below.get_ylim() == (0, 1.02)
    assert holds(
        above, [10, 30], [t[:, TRACE.index("train_accuracy")].min() for t in display.traces]
    )
    assert lines(above, color=style.GREEN) == [([0, 1], [0.99, 0.99])]
    assert lines(above, color=style.PURPLE) == [([0, 1], [0.95, 0.95])]
    assert list(legend(display).items()) == [
        ("train, mean of 2 seeds", style.BLUE),
        ("fresh, mean of 2 seeds", style.VERMILLION),
        ("least to greatest seed", style.GREY.lower()),
        ("achievable rule, population", style.GREEN),
        ("simple rule, population", style.PURPLE),
    ]


def test_the_title_of_training_gives_the_last_values_of_each_network(drawn):
    display = drawn("training")
    last = np.mean([trace[-1] for trace in display.traces], axis=0)
    train, fresh, fitted, unseen = (
        last[TRACE.index(column)]
        for column in ("train_accuracy", "select_accuracy", "exceptions_fitted", "exceptions_fresh")
    )
    assert display.figure_.get_suptitle() == (
        f"name\nfinal accuracy: train {train:.3f}, fresh {fresh:.3f}\n"
        f"final exceptions correct: train {fitted:.2f}, fresh {unseen:.2f}"
    )
    data = table(display)
    assert list(data["seed"]) == [4, 4, 4, 7, 7] and list(data["updates"]) == [10, 20, 30, 10, 20]


def test_training_of_one_network_names_it_and_draws_no_mean(drawn):
    display = drawn("training")
    alone = replace(display, seeds=(4,), traces=display.traces[:1], left_out=(7, 9))
    names = list(legend(alone.plot()))
    assert names[:2] == ["train, seed 4", "fresh, seed 4"] and "least to greatest seed" not in names
    assert alone.finding.splitlines()[-1] == "left out, no usable weights: seeds 7, 9"


# comparison


def test_a_comparison_has_a_panel_for_every_task_and_quantity(drawn):
    display = drawn("comparison")
    panels = np.reshape(np.array(display.ax_, object), (2, 2))
    titles = ["train accuracy", "$S$-randomised accuracy"]
    assert [ax.get_title() for ax in panels[0]] == titles
    assert [ax.get_ylabel() for ax in panels[:, 0]] == ["noisy-lms-7", "ms-7"]
    for i, task in enumerate(("noisy-lms-7", "ms-7")):
        names = [label.get_text() for label in panels[i, 0].get_yticklabels()]
        assert names == ["(100,1)", "(100,2)"]
        for j, quantity in enumerate(("train_accuracy", "s_randomised_accuracy")):
            ax = panels[i, j]
            rows = [row for row in display.rows if (row.task, row.quantity) == (task, quantity)]
            places = range(len(rows))
            bars, measured, published = ax.lines
            ends = np.reshape(bars.get_xdata(), (-1, 3))  # with a gap after each
            np.testing.assert_array_equal(ends[:, :2], [(row.low, row.high) for row in rows])
            assert np.isnan(ends[:, 2]).all()
            np.testing.assert_array_equal(bars.get_ydata(), np.repeat(places, 3))
            assert list(measured.get_xdata()) == [row.measured for row in rows]
            np.testing.assert_array_equal(
                published.get_xdata(), np.array([row.published for row in rows], float)
            )
            assert list(measured.get_ydata()) == list(published.get_ydata()) == list(places)
            looks = [
                (line.get_color(), line.get_marker(), line.get_linestyle()) for line in ax.lines
            ]
            assert looks[:2] == [(style.BLUE, "None", "-"), (style.BLUE, "o", "None")]
            assert looks[2][1:] == ("D", "None")
            assert published.get_markeredgecolor() == style.VERMILLION
            assert holds(ax, [x for row in rows for x in (row.low, row.high)], [0, 1])
            assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first network on top
            assert ax.get_xscale() == "linear" and ax.get_xlim()[1] < 1.01


def test_the_legend_and_title_of_a_comparison(drawn):
    display = drawn("comparison")
    assert list(legend(display)) == ["measured, 95% interval", "published"]
    (entries,) = display.figure_.legends
    measured, published = entries.legend_handles
    assert (measured.get_color(), measured.get_marker()) == (style.BLUE, "o")
    assert (published.get_markeredgecolor(), published.get_marker()) == (style.VERMILLION, "D")
    assert display.figure_.get_suptitle() == (
        "0 of 4 published values inside the 95% interval;\n"
        "largest difference from a published value 0.020 (noisy-lms-7 (100,1), train accuracy)"
    )


# phase


def test_the_phase_diagram_has_every_cell_at_its_setting(drawn):
    display = drawn("phase")
    above, between, below = display.ax_
    assert [ax.get_xscale() for ax in display.ax_] == ["log"] * 3 and below.get_yscale() == "log"
    assert below.get_xlabel() == "dimension $d$"
    assert [label.get_text() for label in below.get_xticklabels()] == ["2", "5", "10", "50"]
    assert above.get_ylabel() == "proportion of seeds\nat the boundary"
    assert between.get_ylabel() == "memorised fraction\n(mean, t interval)"
    assert below.get_ylabel() == "transition (updates)"
    expected = {
        style.BLUE: (
            [2, 5, 10, 50],
            [1, 1, 5 / 6, 0],
            [0.1, 0.15, 0.2, 0.6],
            [35, 70, 350, np.nan],
        ),
        style.VERMILLION: ([2, 10], [5 / 6, 1], [0.3, 0.4], [135, 210]),
    }
    for colour, (places, proportion, memorised, median) in expected.items():
        for ax, values in ((above, proportion), (between, memorised), (below, median)):
            ((x, y),) = [line for line in lines(ax, color=colour) if len(line[0]) == len(places)][
                :1
            ]
            assert x == pytest.approx(places, rel=0.05) and y == pytest.approx(values, nan_ok=True)


def test_intervals_of_the_phase_diagram_belong_to_their_cells(drawn):
    display = drawn("phase")
    above, between, _ = display.ax_
    for ax, ends in (
        (
            above,
            lambda p: (float(p.transitions.proportion.low), float(p.transitions.proportion.high)),
        ),
        (between, lambda p: (p.memorised.value - 0.05, p.memorised.value + 0.05)),
    ):
        for collection, line in zip(ax.collections, display.lines, strict=True):
            segments = [np.array(part) for part in collection.get_segments()]
            points = display.of(line)
            assert [part[0, 0] for part in segments] == pytest.approx(
                [p.place for p in points], 0.05
            )
            for part, point in zip(segments, points, strict=True):
                assert tuple(part[:, 1]) == pytest.approx(ends(point))


def test_transitions_of_the_phase_diagram_are_those_of_the_seeds_at_that_place(drawn):
    display = drawn("phase")
    below = display.ax_[2]
    for colour, line in ((style.BLUE, "(100,2), n 100"), (style.VERMILLION, "(100,2), n 1k")):
        seen = dots(below, colour, ".")
        expected = [
            (p.place, t) for p in display.of(line) for t in p.transitions.updates if np.isfinite(t)
        ]
        assert [y for _, y in seen] == [y for _, y in expected]
        assert [x for x, _ in seen] == pytest.approx([x for x, _ in expected], rel=0.05)
    counts = [(text.get_text(), text.xy[0]) for text in below.texts]
    assert [count for count, _ in counts] == ["1", "6", "1"]
    assert [x for _, x in counts] == pytest.approx([10, 50, 2], rel=0.05)
    assert lines(below, color=style.GREY) == [([0, 1], [BUDGET, BUDGET])]
    assert holds(below, [2, 50], [10, BUDGET])


def test_the_legend_and_title_of_the_phase_diagram(drawn):
    display = drawn("phase")
    assert list(legend(display).items()) == [
        ("(100,2), n 100", style.BLUE),
        ("(100,2), n 1k", style.VERMILLION),
        ("budget; above: seeds censored", style.GREY),
    ]
    assert display.figure_.get_suptitle() == (
        "noisy-lms-7: which networks reach the achievable boundary\n"
        "(100,2), n 100: every seed up to d 5, none from 50 on"
    )


# bounds


def test_bounds_stand_at_their_values_on_the_line_of_their_name(drawn):
    display = drawn("bounds")
    ax = display.ax_
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["clopper-pearson", "occam", "pac", "vc", "stability"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1] and ax.get_xscale() == "log"
    looks = {
        "clopper-pearson": (style.BLACK, "o", [0.055, 0.056]),
        "pac": (style.ORANGE, "s", [0.2, 0.22]),
        "vc": (style.BLUE, "o", [20, 40]),
    }
    for name, (colour, marker, values) in looks.items():
        seen = [(x, y) for x, y in dots(ax, colour, marker) if round(y) == names.index(name)]
        assert [x for x, _ in seen] == pytest.approx(values)
        assert seen[0][1] < seen[1][1]  # the first network above the second
    ((x, y),) = dots(ax, style.VERMILLION, "o")  # violated: a bound of .01 on a risk of .07
    assert x == pytest.approx(0.01) and round(y) == 1


def test_risks_of_bounds_are_drawn_with_their_intervals_and_what_would_be_valid(drawn):
    display = drawn("bounds")
    ax = display.ax_
    risks = dots(ax, style.GREEN, "|")
    with_value = [
        row for name in display.bounds for row in display.of(name) if row.bound != "stability"
    ]
    assert [x for x, _ in risks] == [row.risk for row in with_value]
    intervals = lines(ax, color=style.GREEN, marker="None")
    assert [x for x, _ in intervals] == [pytest.approx([r.low, r.high]) for r in with_value]
    assert [y[0] for _, y in intervals] == [y for _, y in risks]
    boxes = [part.get_paths()[0].get_extents() for part in ax.collections]
    colours = [to_hex(part.get_facecolor()[0]) for part in ax.collections]
    assert colours == ["#dcefe7", "#efefef"] * len(with_value)
    valid, vacuous = boxes[::2], boxes[1::2]
    assert [(box.x0, box.x1) for box in valid] == [(row.risk, 0.5) for row in with_value]
    assert all((box.x0, box.x1) == (0.5, ax.get_xlim()[1]) for box in vacuous)
    assert holds(ax, [0.01, 40, *(row.high for row in with_value)])


def test_the_texts_of_bounds(drawn):
    display = drawn("bounds")
    ax = display.ax_
    assert (
        ax.get_xlabel() == "bound on the error, and exact risk of the classifier that it certifies"
    )
    texts = [(text.get_text(), text.xy[1]) for text in ax.texts]
    assert texts == [("0.055", 0), ("0.089", 1), ("0.21", 2), ("28", 3), ("inapplicable", 4)]
    assert lines(ax, color=style.GREY) == [([0.5, 0.5], [0, 1])]
    (baseline,) = [x for x, y in lines(ax, color=style.BLACK) if y == [0, 1]]
    assert baseline == pytest.approx([(0.055 * 0.056) ** 0.5] * 2)
    assert display.figure_.get_suptitle() == (
        "cell: violated: occam; of 3 from training points 1 are vacuous\n"
        "tightest of these: occam, 0.089 on a risk of 0.071; the held-out certificate: 0.055"
    )
    assert list(legend(display).items()) == [
        ("the network, from held-out points", style.BLACK),
        ("the network, from its training set", style.BLUE),
        ("its stochastic copy", style.ORANGE),
        ("exact risk", style.GREEN),
        ("valid", "#dcefe7"),
        ("valid but vacuous", "#efefef"),
        ("guessing, 1/2", style.GREY),
        ("clopper-pearson", style.BLACK),
    ]


# claims


@pytest.mark.thorough
def test_claims_stand_at_their_numbers_beside_their_thresholds(drawn):
    proportions, others = drawn("claims").ax_
    assert proportions.get_xlabel() == "proportion of units that hold"
    assert others.get_xlabel().startswith("distance of mean or median from the threshold")
    ticks = [label.get_text() for label in others.get_xticklabels()]
    assert ticks == ["against", "in favour"]
    assert [float(text.get_text()) for text in proportions.get_xticklabels()] == [
        0,
        0.25,
        0.5,
        0.75,
        1,
    ]
    assert dots(proportions, style.BLUE, "o") == [(0.98, 1)]
    assert dots(proportions, style.VERMILLION, "D") == [(0.5, 2)]
    ((x, y),) = lines(proportions, color=style.BLUE, marker="None")  # each line ends with a gap
    assert (x[:-1], y[:-1]) == ([0.96, 0.99], [1, 1]) and np.isnan(x[-1])
    ((x, y),) = lines(proportions, color=style.VERMILLION, marker="None")
    assert (x[:-1], y[:-1]) == ([0.4, 0.7], [2, 2]) and np.isnan(x[-1])
    ((x, y),) = lines(proportions, color=style.BLACK)
    assert x == [0.95] * 3 + [0.8] * 3 and np.isnan([y[2], y[5]]).all()
    # a mean of 2.5 in [1.5, 4] that should be at most 2: its furthest end is 2 away, against
    assert dots(others, style.GREY, "o") == [(-0.25, 1)]
    ((x, y),) = lines(others, color=style.GREY, marker="None")
    assert sorted(x[:-1]) == [-1, 0.25] and y[:-1] == [1, 1]
    ((x, _),) = lines(others, color=style.BLACK)
    assert x == [0] * 6
    for ax in (proportions, others):
        assert ax.get_ylim()[0] > ax.get_ylim()[1] and ax.get_xscale() == "linear"
    assert holds(proportions, [0, 1], [1, 2]) and holds(others, [-1, 0.25], [1, 2])


def test_what_favours_claims_is_shaded(drawn):
    proportions, others = drawn("claims").ax_
    favour = to_rgba("#E8F1F8")
    for ax, starts in ((proportions, [0.95, 0.8]), (others, [0.2, 0])):
        boxes = [
            path.get_extents()
            for part in ax.collections
            if len(part.get_facecolor()) and tuple(part.get_facecolor()[0]) == favour
            for path in part.get_paths()
        ]
        assert [box.x0 for box in boxes] == pytest.approx(starts)
        assert all(box.x1 == pytest.approx(1 if ax is proportions else 1.1) for box in boxes)


def test_the_legend_of_claims_has_the_colours_of_the_verdicts(drawn):
    entries = legend(drawn("claims"))
    assert {name: entries[name] for name in ("supported", "refuted", "inconclusive")} == {
        "supported": style.BLUE,
        "refuted": style.VERMILLION,
        "inconclusive": style.GREY,
    }
    assert entries["threshold"] == style.BLACK and "margin" in entries
    title = "4 claims: 1 supported, 1 refuted, 1 inconclusive, 1 inapplicable"
    assert drawn("claims").figure_.get_suptitle() == title


# discrimination


def test_each_score_of_discrimination_has_its_own_panel_and_scale(drawn):
    display = drawn("discrimination")
    labels = ["AUC,\nstuck against learned", "Kendall $\\tau$,\ngranulated"]
    labels.append("sign error,\nworst environment")
    assert [ax.get_xlabel() for ax in display.ax_] == labels
    names = [label.get_text() for label in display.ax_[0].get_yticklabels()]
    assert names == ["held-out", "pac", "norm"]
    scores = ([0.9, 0.8, 0.3], [0.7, 0.6, -0.4], [0.2, 0.25, 0.55])
    better = ((0.5, 1), (0, 1), (0, 0.5))
    marks = ((style.BLACK, "o"), (style.BLUE, "s"), (style.VERMILLION, "D"))
    ends = ((0, 1), (-1, 1), (0, 1))
    for ax, values, span, limits in zip(display.ax_, scores, better, ends, strict=True):
        for y, (value, (colour, marker)) in enumerate(zip(values, marks, strict=True)):
            assert dots(ax, colour, marker) == [(value, y)]
            (bar,) = lines(ax, color=colour, marker="None")
            assert bar == (pytest.approx([value - 0.04, value + 0.03]), [y, y])
        (patch,) = ax.patches
        assert (patch.get_x(), patch.get_x() + patch.get_width()) == span
        assert lines(ax, color=style.GREY) == [([sum(limits) / 2] * 2, [0, 1])]
        assert holds(ax, limits, [0, 2]) and ax.get_ylim()[0] > ax.get_ylim()[1]
        assert [float(t.get_text().replace(MINUS, "-")) for t in ax.get_xticklabels()] == list(
            np.linspace(*limits, 5)
        )


def test_the_texts_of_discrimination(drawn):
    display = drawn("discrimination")
    worst = [(text.get_text(), text.get_position()[1]) for text in display.ax_[2].texts]
    assert worst == [("depth 1 / 2", 0), ("n 10k / 40k", 1), ("width 10 / 100", 2)]
    assert list(legend(display).items()) == [
        ("certificate (held-out points)", style.BLACK),
        ("bound (training points)", style.BLUE),
        ("measure", style.VERMILLION),
        ("chance", style.GREY),
        ("better than chance", "#edf6f2"),
        ("approximate 95% interval", style.GREY),
    ]


# islands


@pytest.mark.thorough
def test_planes_of_islands_have_their_coordinates_and_exact_lines(drawn):
    display = drawn("islands")
    for ax, piece, colour in zip(
        display.ax_[:2], display.slices, (style.BLUE, style.VERMILLION), strict=True
    ):
        assert ax.get_xlabel() == "linear $x_{0}$ (input units)"
        assert ax.get_ylabel() == "slab-7 $x_{3}$ (input units)"
        box = piece.decision.box
        assert ax.get_xlim() == (box.left, box.right) and ax.get_ylim() == (box.bottom, box.top)
        assert dots(ax, colour, "D") == [tuple(piece.position[[0, 3]])]
        exact = [(list(line[:, 0]), list(line[:, 1])) for line in piece.decision.lines]
        assert lines(ax, color=style.BLACK) == exact
        assert lines(ax, color=style.PURPLE) == [([0, 0], [0, 1])]
        cuts = [([0, 1], [cut, cut]) for cut in display.rules["achievable"].cuts]
        assert lines(ax, color=style.GREEN) == cuts
        sign = "+" if piece.label else MINUS
        assert ax.get_title() == f"through a {piece.kind} exception labelled {sign}"
        fills = [(to_hex(p.get_facecolor()), p.get_path().get_extents()) for p in ax.patches]
        assert {colour for colour, _ in fills} == {"#8fc3e8", "#f7c56b"}
        for colour_, extent in fills:  # the label of a stripe is that of the achievable rule
            middle = np.full((1, 4), (extent.y0 + extent.y1) / 2)
            says = display.rules["achievable"](middle)[0]
            assert colour_ == ("#8fc3e8", "#f7c56b")[says]


@pytest.mark.thorough
def test_points_of_islands_are_how_far_labels_are_kept_against_the_nearest_other(drawn):
    display = drawn("islands")
    ax = display.ax_[2]
    assert ax.get_xlabel() == "to the nearest training point\nof the other label"
    assert ax.get_ylabel() == "label kept on the way\nto its like (input units)"
    kinds = {"training": style.BLUE, "fresh": style.VERMILLION}
    data = table(display, "points")
    for kind, colour in kinds.items():
        islands = getattr(display.report, kind)[0]
        assert dots(ax, colour, "o") == list(
            zip(islands.nearest, islands.chord_radius, strict=True)
        )
        rows = [i for i, value in enumerate(data["kind"]) if value == kind]
        assert [data["nearest_other"][i] for i in rows] == list(islands.nearest)
        assert [data["chord_radius"][i] for i in rows] == list(islands.chord_radius)
        assert holds(ax, islands.nearest, islands.chord_radius)
    ((x, y),) = lines(ax, color=style.GREY)
    assert x == y and x[0] == 0  # equal distances


def test_the_legend_and_title_of_islands(drawn):
    display = drawn("islands")
    assert legend(display) == {
        "learned boundary (exact)": style.BLACK,
        "simple rule": style.PURPLE,
        "achievable rule": style.GREEN,
        f"the network says {MINUS}": "#8fc3e8",
        "the network says +": "#f7c56b",
        "training exceptions (6)": style.BLUE,
        "fresh exceptions (6)": style.VERMILLION,
    }
    title = display.figure_.get_suptitle()
    assert title.startswith("noisy-lms-7, $d$ = 4, network (12,1), seed 0\n")
    assert "proportion of exceptions fitted: training 1.00, fresh 1.00" in title


# all


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_hold_the_tables_of_the_display(kind, drawn, tmp_path):
    display = drawn(kind)
    figure, *files = display.save(tmp_path / f"{kind}.png")
    tables = display.tables()
    assert len(files) == len(tables)
    for file, data in zip(files, tables.values(), strict=True):
        with file.open() as handle:
            rows = list(csv.DictReader(handle))
        assert list(rows[0]) == list(data)
        for name, column in data.items():
            if len(column) and isinstance(column[0], float | np.floating):
                numbers = [np.nan if row[name] == "" else float(row[name]) for row in rows]
                expected = [np.nan if value is None else value for value in column]
                np.testing.assert_allclose(numbers, np.array(expected, float), rtol=1e-6)


def test_lineages_have_colours_and_what_stands_beside_them_is_grey_dashes():
    none, means = np.full(3, np.nan), np.array([1.0, 14.0, 20.0])
    own = LineageLine("chain", "replace", "perplexity", means, 0.4 * means, none)
    beside = LineageLine("chain", "published", "perplexity", none, none, np.full(3, 1.4))
    display = LineagesDisplay((own, beside), "two lines", logarithmic=("perplexity",)).plot()
    (panel,) = display._drawn().axes
    bars = panel.containers[0].lines[2][0].get_segments()
    for mean, (low, high) in zip(means, (bar[:, 1] for bar in bars), strict=True):
        assert 0 < low < mean and low * high == pytest.approx(mean**2)  # about the logarithm
    dashed = [line for line in panel.get_lines() if line.get_linestyle() == "--"]
    assert len(dashed) == 1 and dashed[0].get_color() == style.GREY
    (legend,) = display.figure_.legends
    assert [line.get_marker() for line in legend.get_lines()] == ["o", ""]
