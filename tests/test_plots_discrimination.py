"""The figure of discrimination: its order, its finding, what it draws and what it writes."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from simbias.bounds.discrimination import Interval, RankingScore
from simbias.plots import _figure as style
from simbias.plots.discrimination import DiscriminationDisplay, discrimination

NONE = Interval(np.nan, np.nan, np.nan)


def score(name, kind, auc, *, half=0.1, error=0.25, learned=7, stuck=5):
    def around(value):
        return Interval(value, value - half, value + half)

    return RankingScore(
        name=name,
        kind=kind,
        kendall=around(2 * auc - 1),
        by_setting={},
        sign_error=around(error),
        worst="" if np.isnan(error) else "width 10 / 100",
        auc=around(auc),
        pairs=40,
        left_out=10,
        learned=learned,
        stuck=stuck,
        neither=2,
    )


def example():
    return [
        score("norm", "measure", 0.3),
        score("vc", "bound", 0.45),
        score("pac", "bound", 0.8),
        score("stability", "bound", np.nan, error=np.nan, learned=0),
        score("clopper-pearson", "certificate", 0.9),
    ]


def names(display):
    return [label.get_text() for label in display.plot().ax_[0].get_yticklabels()]


def test_numbers_stand_from_the_best_auc_to_the_worst_and_undefined_ones_last():
    order = ["clopper-pearson", "pac", "vc", "norm", "stability"]
    assert names(discrimination(example())) == order


def test_the_finding_counts_intervals_on_either_side_of_chance_and_names_the_best():
    assert discrimination(example()).finding == (
        "5 stuck against 7 learned networks: AUC above chance for 1 of 1 certificate,"
        " 1 of 2 bounds and 0 of 1 measure,\n"
        "below chance for 1; best bound from training points: pac, AUC 0.80,\n"
        "with 25% of pairs in the wrong order in its worst environment, width 10 / 100"
    )


def test_without_intervals_nothing_is_counted_as_above_chance():
    finding = discrimination([score("pac", "bound", 0.8, half=np.nan)]).finding
    assert finding.startswith("5 stuck against 7 learned networks; best bound")


def test_without_learned_networks_the_finding_says_so():
    alone = [score("pac", "bound", np.nan, learned=0)]
    assert discrimination(alone).finding == "no AUC: 0 learned networks, 5 stuck"


def test_dots_stand_at_the_scores_and_bars_reach_the_limits():
    axes = discrimination([score("pac", "bound", 0.8)]).plot().ax_
    for ax, value, chance in zip(axes, (0.8, 0.6, 0.25), (0.5, 0.0, 0.5), strict=True):
        line, bar, dot = (list(each.get_xdata()) for each in ax.lines)
        assert line == [chance, chance]
        assert bar == pytest.approx([value - 0.1, value + 0.1])
        assert dot == pytest.approx([value])


def test_a_kind_has_a_colour_and_an_undefined_score_no_dot():
    ax = discrimination(example()).plot().ax_[0]
    colours = [line.get_color() for line in ax.lines if line.get_marker() != "None"]
    assert colours == [style.BLACK, style.BLUE, style.BLUE, style.VERMILLION]
    assert [text.get_text() for text in ax.texts] == ["undefined"]


def test_the_worst_environment_stands_beside_its_sign_error_unless_that_is_zero():
    scores = [score("pac", "bound", 0.8), score("exact", "certificate", 0.9, error=0.0)]
    axes = discrimination(scores).plot().ax_
    texts = [(text.get_text(), text.get_position()[1]) for text in axes[2].texts]
    assert texts == [("width 10 / 100", 1)]


def test_a_score_of_too_few_pairs_is_written_so_and_has_no_dot():
    few = replace(score("pac", "bound", 1.0, half=0.0, error=0.0, learned=1, stuck=1), pairs=1)
    display = discrimination([few, score("vc", "bound", 0.8)])
    for ax in display.plot().ax_:
        dots = [line.get_ydata()[0] for line in ax.lines if line.get_marker() != "None"]
        assert dots == [0] and [text.get_text() for text in ax.texts][0] == "too few"
    assert names(display) == ["vc", "pac"] and "1 bound" in display.finding
    assert np.isnan(display.tables()["discrimination"]["kendall"][1])


@pytest.mark.parametrize("suffix", (".png", ".pdf"))
def test_the_data_are_beside_the_figure(suffix, tmp_path):
    paths = discrimination(example()).save(tmp_path / f"a{suffix}")
    assert [path.name for path in paths] == [f"a{suffix}", "a.csv"]
    with paths[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows][:2] == ["clopper-pearson", "pac"]
    assert float(rows[1]["auc_low"]) == pytest.approx(0.7) and rows[1]["left_out"] == "10"
    assert rows[-1]["auc"] == "nan"


def test_no_text_leaves_the_page_with_as_many_rows_as_there_are_bounds():
    longest = "distance-from-initialisation"
    kinds = ["certificate"] * 5 + ["bound"] * 12 + ["measure"] * 10
    scores = [
        score(f"{longest}{i:02}"[-len(longest) :], kind, 0.9 - 0.03 * i)
        for i, kind in enumerate(kinds)
    ]
    figure = discrimination(scores).plot().figure_
    figure.draw_without_rendering()
    box, width = figure.get_tightbbox(), figure.get_size_inches()[0]
    assert 0 <= box.x0 and box.x1 <= width


def test_nothing_to_draw_is_refused_in_one_line():
    with pytest.raises(ValueError, match="^rows: got '0 without a score', allowed: a bound or"):
        DiscriminationDisplay(())
    empty = RankingScore("vc", "bound", NONE, {}, NONE, "", NONE, 0, 9, 0, 5, 2)
    with pytest.raises(ValueError, match="^rows: got '1 without a score'"):
        discrimination([empty])
