"""The figure of claims: its order, its finding, what it draws and what it writes."""

import csv

import numpy as np
import pytest
from displays import verdict
from matplotlib.figure import Figure

from simbias.plots import _figure as style
from simbias.plots.claims import ClaimRow, ClaimsDisplay, claims
from simbias.results.claims import VERDICTS_COLUMNS

COLOURS = {"supported": style.BLUE, "refuted": style.VERMILLION, "inconclusive": style.GREY}


def mean(id, word="supported", *ends, value=2.0, **changes):
    about = {"quantifier": "mean", "quantity": "islands", "test": "bootstrap", "family": "islands"}
    place = {"value": value, "threshold": value, "margin": 0.0}
    return verdict(id, word, *ends, **(about | place | changes))


def example():
    return [
        verdict("proportion-1", "supported", 1.0, 0.94, 1.0),
        mean("mean-1", "refuted", 5.0, 4.0, 6.0),
        verdict("other-1", "refuted", 0.5, 0.4, 0.6, family="other"),
        verdict("proportion-2", "inconclusive", 0.96, 0.9, 0.99, more=32),
        mean("mean-2", "inapplicable"),
    ]


def drawn(ax):
    """The dots of a panel from above: x, y and colour."""
    dots = [line for line in ax.lines if line.get_marker() in ("o", "D")]
    return sorted(
        ((x, y, line.get_color()) for line in dots for x, y in line.get_xydata()),
        key=lambda dot: dot[1],
    )


def pieces(line):
    """The pieces of a line with gaps, (pieces, ends, x and y)."""
    return line.get_xydata().reshape(-1, 3, 2)[:, :2]


def bars(ax, y):
    """The intervals of a row that have a length."""
    lines = [line for line in ax.lines if line.get_linestyle() != "None"]
    both = [piece for line in lines for piece in pieces(line) if list(piece[:, 1]) == [y, y]]
    return [list(piece[:, 0]) for piece in both if piece[0, 0] != piece[1, 0]]


def thresholds(ax):
    """Where the thresholds of a panel stand, from above."""
    (line,) = (line for line in ax.lines if line.get_color() == style.BLACK)
    assert all(piece[0, 0] == piece[1, 0] for piece in pieces(line))
    return list(pieces(line)[:, 0, 0])


def texts(ax):
    """What is written in and beside a panel, by line."""
    by_line: dict[float, list[str]] = {}
    for text in ax.texts:
        y = text.xy[1] if hasattr(text, "xy") else text.get_position()[1]
        by_line.setdefault(y, []).append(text.get_text())
    return by_line


def test_what_is_drawn_is_stored_of_every_verdict():
    assert set(ClaimRow._fields) <= {column.name for column in VERDICTS_COLUMNS}


def test_proportions_stand_above_means_and_families_in_the_order_given():
    parts = claims(example()).parts
    lines = [[line if isinstance(line, str) else line.id for line in part] for part in parts]
    assert lines == [
        ["conclusion", "proportion-1", "proportion-2", "other", "other-1"],
        ["islands", "mean-1", "mean-2"],
    ]


def test_the_title_counts_the_verdicts_that_there_are():
    figure = claims(example()).plot().figure_
    title = "5 claims: 1 supported, 2 refuted, 1 inconclusive, 1 inapplicable"
    assert figure.get_suptitle() == title
    assert claims(example()[:1]).finding == "1 claim: 1 supported"


def test_dots_stand_at_the_proportions_in_the_colour_of_the_verdict():
    ax = claims(example()).plot().ax_[0]
    assert drawn(ax) == [(1.0, 1, style.BLUE), (0.96, 2, style.GREY), (0.5, 4, style.VERMILLION)]
    assert bars(ax, 4) == [[0.4, 0.6]]


@pytest.mark.parametrize("word", COLOURS)
@pytest.mark.parametrize("make", (verdict, mean))
def test_a_verdict_has_one_colour_for_its_dot_and_its_interval(make, word):
    ax = claims([make("a", word, 0.5, 0.4, 0.6)]).plot().ax_
    coloured = [line.get_color() for line in ax.lines if line.get_color() != style.BLACK]
    assert coloured == [COLOURS[word]] * 2


def test_a_proportion_has_its_threshold_as_a_tick_and_its_favour_to_the_right():
    ax = claims([verdict("a", "supported", 0.9, 0.8, 1.0, threshold=0.7)]).plot().ax_
    assert thresholds(ax) == [0.7]
    (favour, margin) = (part.get_paths()[0].get_extents() for part in ax.collections[:2])
    assert (favour.x0, favour.x1) == (0.7, 1.0)
    assert margin.width == 0


@pytest.mark.parametrize("op, side", (("<=", -1), (">=", 1)))
def test_right_of_the_threshold_is_in_favour_of_either_predicate(op, side):
    ax = claims([mean("a", "refuted", 5.0, 4.0, 6.0, op=op)]).plot().ax_
    assert [x for x, _, _ in drawn(ax)] == pytest.approx([side * 0.75])
    assert sorted(bars(ax, 1)[0]) == pytest.approx(sorted([side * 0.5, side * 1.0]))


def test_rows_of_other_magnitude_are_drawn_alike():
    small, large = mean("a", "refuted", 3.0, 2.5, 4.0), mean("b", "refuted", 3e6, 2.5e6, 4e6)
    large |= {"value": 2e6, "threshold": 2e6}
    ax = claims([small, large]).plot().ax_
    (first, _, _), (second, _, _) = drawn(ax)
    assert first == pytest.approx(second) == pytest.approx(-0.5)


def test_the_margin_of_a_mean_reaches_as_far_as_it_is_wide():
    ax = claims([mean("a", "inconclusive", 1.0, 0.0, 2.0, margin=0.5)]).plot().ax_
    margin = ax.collections[1].get_paths()[0].get_extents()
    assert (margin.x0, margin.x1) == pytest.approx((-0.25, 0.25))


def test_an_infinite_end_is_an_arrow_at_the_edge_against_the_claim():
    row = mean("a", "inconclusive", 1.5, 1.0, np.inf)
    ax = claims([row]).plot().ax_
    arrows = [line for line in ax.lines if line.get_marker() not in ("o", "D", "None")]
    (tip,) = (float(line.get_xdata()[0]) for line in arrows)
    assert tip < -1 and bars(ax, 1) == [[pytest.approx(1.0), tip]]
    assert ax.get_xlim()[0] <= tip
    assert "[1, ∞]" in texts(ax)[1]


def test_without_an_estimate_an_interval_of_everything_has_two_arrows_and_no_dot():
    ax = claims([mean("a", "inconclusive", np.nan, -np.inf, np.inf)]).plot().ax_
    assert drawn(ax) == []
    arrows = [line for line in ax.lines if line.get_marker() not in ("o", "D", "None")]
    assert [list(line.get_xdata()) for line in arrows] == [[-1.1], [1.1]]
    assert {"–", "[−∞, ∞]"} <= set(texts(ax)[1])


def test_an_interval_that_is_not_known_is_left_out():
    ax = claims([verdict("a", "inconclusive", 0.5, None, np.nan)]).plot().ax_
    assert [x for x, _, _ in drawn(ax)] == [0.5] and bars(ax, 1) == []
    assert texts(ax)[1] == ["a", "0.500", "≥ 0.95", "60 networks", "1", "excess_risk ≤ 0.01"]


def test_an_estimate_on_its_threshold_stands_in_the_middle():
    ax = claims([mean("a", "inconclusive", 2.0, 2.0, 2.0)]).plot().ax_
    assert [x for x, _, _ in drawn(ax)] == [0.0]


def test_claims_that_are_all_inapplicable_are_words_beside_their_thresholds():
    rows = [verdict("a", "inapplicable"), verdict("b", "inapplicable", threshold=0.2)]
    rows += [mean("c", "inapplicable", margin=0.5)]
    figure = claims(rows).plot().figure_
    for ax in figure.axes:
        assert drawn(ax) == []
        words = [text for text in ax.texts if text.get_text() == "inapplicable"]
        ticks = thresholds(ax)
        assert len(words) == len(ticks) > 0
        figure.draw_without_rendering()
        for word, tick in zip(words, ticks, strict=True):
            box = word.get_window_extent().transformed(ax.transData.inverted())
            assert not box.x0 <= tick <= box.x1
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["threshold", "in favour of the claim"]


def test_every_row_says_its_numbers_in_columns_that_line_up():
    rows = [
        verdict("a", "supported", 1.0, 0.939, 1.0, unit="pair", units=1),
        verdict(
            "b", "supported", 0.99995, 0.9999, 0.99998, unit="point", units=200_000, version=12
        ),
        mean("c", "refuted", -0.0123, -0.5, 0.25, op=">=", margin=0.1),
        mean("d", "refuted", 1536.2, 1351.0, 1.0e6, quantifier="median", value=2500.0),
    ]
    axes = claims(rows).plot().ax_
    proportions, others = (texts(ax) for ax in axes)
    claimed = "excess_risk ≤ 0.01"
    assert proportions[-1] == [
        "claim", "estimate", "97.5% interval", "threshold", "units", "v.", "claimed of a unit",
    ]  # fmt: skip
    assert proportions[1] == ["a", "1.000", "[0.939, 1.000]", "≥ 0.95", "1 pair", "1", claimed]
    assert proportions[2] == [
        "b", "0.99995", "[0.9999, 0.99998]", "≥ 0.95", "200,000 points", "12", claimed,
    ]  # fmt: skip
    assert others[1] == [
        "c", "−0.0123", "[−0.5, 0.25]", "≥ 2 ± 0.1", "60 networks", "1", "mean of islands",
    ]  # fmt: skip
    assert others[2] == [
        "d", "1536", "[1351, 1e+06]", "≤ 2500", "60 networks", "1", "median of islands",
    ]  # fmt: skip
    offsets = [{text.xyann[0] for text in ax.texts if text.get_fontsize() == 5.5} for ax in axes]
    assert offsets[0] == offsets[1] and len(offsets[0]) == 7


def test_rows_of_a_run_that_counted_no_versions_have_the_level_alpha():
    row = verdict("a", "supported", 1.0, 0.9, 1.0, version=None, level=None)
    ax = claims([row]).plot().ax_
    assert texts(ax)[-1][2] == "95% interval" and len(texts(ax)[1]) == len(texts(ax)[-1]) - 1


def test_intervals_of_several_levels_are_not_given_one():
    rows = [*example(), verdict("a", "supported", 1.0, 0.9, 1.0, version=2, level=0.05 / 6)]
    assert "1 − level interval" in texts(claims(rows).plot().ax_[0])[-1]


def crowded():
    """80 claims of either kind, all words too long."""
    name = "distance-from-initialisation-of-a-network-" * 3
    ends, common = (0.5, -0.1234, 0.6789), {"quantity": f'bound("{name}")', "margin": 0.01}
    return [
        make(f"{i:02}-{name}", "refuted", *ends, family=f"{name}{i // 10}", **common)
        for i, make in enumerate([verdict] * 50 + [mean] * 30)
    ]


@pytest.mark.thorough
def test_no_text_leaves_the_page_or_meets_another_with_80_claims_of_long_names():
    figure = claims(crowded()).plot().figure_
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height <= 16
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not [extent for extent in boxes if extent.count_overlaps(boxes) > 1]
        rows = [text for text in ax.texts if text.get_fontweight() == "normal"]
        assert not ax.bbox.count_overlaps([text.get_window_extent() for text in rows])
        assert ax.bbox.width > 0.2 * figure.bbox.width


def test_long_names_keep_their_ends_and_long_quantities_their_beginning():
    row = mean("begin-" + "x" * 60 + "-end", "supported", 1.0, 0.5, 1.5, quantity="risk" * 20)
    words = texts(claims([row]).plot().ax_)[1]
    assert words[0].startswith("begin-") and words[0].endswith("-end") and "…" in words[0]
    assert words[-1].startswith("mean of riskrisk") and words[-1].endswith("…")


def test_the_data_are_beside_the_figures(tmp_path):
    rows = [*example(), mean("mean-3", "inconclusive", 1.0, -np.inf, np.inf, quantity="a, b")]
    paths = claims(rows).save(tmp_path / "claims.png")
    assert [path.name for path in paths] == ["claims.png", "claims.csv"]
    with paths[1].open() as file:
        written = list(csv.DictReader(file))
    assert [row["id"] for row in written] == [row["id"] for row in rows]
    first, missing, last = written[0], written[4], written[5]
    assert (float(first["low"]), float(first["threshold"])) == (0.94, 0.95)
    assert (first["verdict"], first["holding"], first["more"]) == ("supported", "60", "")
    assert written[3]["more"] == "32"
    assert (missing["estimate"], missing["holding"]) == ("nan", "")
    assert (last["low"], last["high"], last["quantity"]) == ("-inf", "inf", "a, b")


def test_panels_of_ones_own_are_as_many_as_kinds_of_claims():
    axes = Figure().subplots(2, 1)
    assert claims(example()).plot(axes).figure_ is axes[0].figure
    with pytest.raises(ValueError, match="^ax: got '2 axes', allowed: 1$"):
        claims(example()[:1]).plot(axes)


def test_nothing_to_draw_is_refused_in_one_line():
    for make in (lambda: claims([]), lambda: ClaimsDisplay(())):
        with pytest.raises(ValueError, match="^rows: got 'no claims', allowed: at least one") as no:
            make()
        assert "\n" not in str(no.value)


@pytest.mark.parametrize("key, other", (("verdict", "suported"), ("quantifier", "men")))
def test_words_that_there_are_not_are_refused(key, other):
    with pytest.raises(ValueError, match=f"^rows: a: {key}: unknown name '{other}', nearest: "):
        claims([verdict("a", "supported", 0.5, 0.4, 0.6) | {key: other}])
