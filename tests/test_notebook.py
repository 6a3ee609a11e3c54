"""What objects show of themselves in a notebook, and an interrupt that keeps what was trained."""

from types import SimpleNamespace

import pytest
from small_cells import CELL

import simbias
from simbias._escape import html_text
from simbias.claims import Verdict
from simbias.training import stack as training

OPTIONS = {"n_train": CELL.n_train, "batch": CELL.batch, "stop": CELL.stop, "n_select": 200}


@pytest.fixture(scope="module")
def stack():
    return simbias.train(CELL.task, CELL.network, CELL.method, seeds=2, **OPTIONS)


@pytest.mark.thorough
def test_stack_and_report_are_short_in_a_line_and_a_row_a_seed_in_html(stack):
    assert repr(stack) == f"Stack({CELL.name}, 2 networks)"
    assert stack._repr_html_().count("<tr>") == 3
    report = simbias.validate(stack, n_certify=500)
    assert repr(report).startswith("Report(2 classifiers, risk 0.") and len(repr(report)) < 80
    shown = report._repr_html_()
    low, high = report.risk.low[1], report.risk.high[1]
    assert shown.count("<tr>") == 3 and f"[{low:.4g}, {high:.4g}]" in shown


def test_a_verdict_shows_what_was_claimed_and_concluded_as_text():
    claim = SimpleNamespace(id="<id>", title="<script>", says="risk < 1 & more", version=1)
    verdict = Verdict(claim, "refuted", None, ("a < b",), None, None, "because")
    assert repr(verdict) == "Verdict(<id>: refuted)"
    shown = verdict._repr_html_()
    assert "risk &lt; 1 &amp; more" in shown and "a &lt; b" in shown and "<script>" not in shown


@pytest.mark.thorough
def test_a_display_is_a_picture(stack):
    picture = simbias.plots.training(stack)._repr_png_()
    assert picture.startswith(b"\x89PNG") and len(picture) < 200_000


def test_every_text_of_a_small_table_is_text():
    shown = html_text("<b>", ["<i>"], [["<u>"]])
    assert not any(tag in shown for tag in ("<b>", "<i>", "<u>"))


@pytest.mark.thorough
def test_progress_is_said_on_standard_error_and_changes_nothing(stack, capsys):
    again = simbias.train(CELL.task, CELL.network, CELL.method, seeds=2, progress=True, **OPTIONS)
    assert "2 of 2 networks ended, 200 updates" in capsys.readouterr().err
    assert (again.fitted_since == stack.fitted_since).all()
    report = simbias.validate(stack, n_certify=500, progress=True)
    assert "1,000 of 1,000 fresh points" in capsys.readouterr().err
    assert (report.risk.value == simbias.validate(stack, n_certify=500).risk.value).all()


def test_an_interrupt_keeps_the_networks_that_have_begun(stack, monkeypatch, capsys):
    def interrupt(text):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "overwrite_line", interrupt)
    with pytest.warns(UserWarning, match="interrupted: networks as they are, without seeds 2"):
        kept = simbias.train(
            CELL.task, CELL.network, CELL.method, seeds=3, progress=True, **OPTIONS
        )
    assert kept.seeds == (0, 1) and (kept.updates > 0).all()
    for i, updates in enumerate(kept.updates):
        status = kept.outcome(i)[0]
        assert status == ("interrupted" if updates < CELL.stop.max_updates else "done")
    assert len(simbias.validate(kept, n_certify=500).seeds) == 2
