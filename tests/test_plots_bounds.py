"""The figure of bounds: its order, its finding and what it writes."""

import csv

import numpy as np
import pytest
from displays import evaluation

from simbias.plots import _figure as style
from simbias.plots.bounds import BoundsDisplay, bounds


def example(worst=20.0):
    return [
        evaluation("vc", worst, 0.05),
        evaluation("pac", 0.2, 0.06, certifies="a stochastic network"),
        evaluation("clopper-pearson", 0.055, 0.05, kind="certificate"),
        evaluation("vc", 2 * worst, 0.05, 1),
        evaluation("pac", 0.22, 0.06, 1, certifies="a stochastic network"),
        evaluation("clopper-pearson", 0.056, 0.05, 1, kind="certificate"),
        evaluation("stability", None, 0.05, certifies="an expectation"),
        evaluation("norm", 300.0, 0.05, kind="measure", certifies="nothing"),
    ]


def test_bounds_stand_from_the_tightest_to_the_loosest_without_measures():
    display = bounds(example(), name="cell")
    assert display.bounds == ["clopper-pearson", "pac", "vc", "stability"]
    assert 10 ** display.median("pac") == pytest.approx((0.2 * 0.22) ** 0.5)


def test_the_finding_counts_what_holds_and_what_is_vacuous():
    finding = bounds(example(), name="cell").finding
    assert finding == (
        "all 3 bounds hold; of 2 from training points 1 are vacuous\n"
        "tightest of these: pac, 0.21 on a risk of 0.06; the held-out certificate: 0.055"
    )
    broken = bounds([*example(), evaluation("occam", 0.01, 0.05)], name="cell")
    assert broken.finding.startswith("violated: occam; of 3")


def test_a_violated_bound_is_drawn_in_another_colour():
    def colours(rows):
        ax = bounds(rows, name="cell").plot().ax_
        return {line.get_color() for line in ax.lines}

    assert style.VERMILLION not in colours(example())
    assert style.VERMILLION in colours([*example(), evaluation("occam", 0.01, 0.05)])


def test_dots_stand_at_the_values_and_the_vacuous_line_at_a_half():
    ax = bounds(example(), name="cell").plot().ax_
    assert ax.get_xscale() == "log"
    values = [line.get_xdata()[0] for line in ax.lines if line.get_color() == style.ORANGE]
    assert values == pytest.approx([0.2, 0.22])
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in ax.lines)
    assert [label.get_text() for label in ax.get_yticklabels()] == bounds(
        example(), name="cell"
    ).bounds


@pytest.mark.parametrize("log10", (3.0, 400.0))
@pytest.mark.parametrize("risk", (0.05, 0.0))
def test_values_beyond_floats_and_risks_of_zero_can_be_drawn(log10, risk, tmp_path):
    rows = [evaluation("vc", 1e300, risk, log10=log10), evaluation("pac", 0.2, risk)]
    bounds(rows, name="cell").save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_the_data_are_beside_the_figure(tmp_path):
    paths = bounds(example(), name="cell").save(tmp_path / "bounds.pdf")
    assert [path.name for path in paths] == ["bounds.pdf", "bounds.csv"]
    with paths[1].open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    assert rows[2]["bound"] == "clopper-pearson" and rows[2]["about"] == "held-out points"
    assert float(rows[0]["log10"]) == pytest.approx(np.log10(20), abs=1e-6)


def test_nothing_to_draw_is_refused_in_one_line():
    with pytest.raises(
        ValueError, match="^evaluations: got '1 without a value', allowed: a bound with"
    ):
        BoundsDisplay("cell", bounds(example(), name="cell").rows[-1:])
