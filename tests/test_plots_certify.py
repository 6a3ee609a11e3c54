"""The figure of certifying sizes: many tasks and learners stand in rows of panels."""

import warnings

import numpy as np
from displays import certifying

import simbias
from simbias import plots
from simbias.training import Cell


def networks(*widths, learned=True):
    task = simbias.tasks.get("lms-7" if learned else "noisy-lms-7")
    return [Cell(task, simbias.MLP(width), simbias.sgd(), n_train=4000) for width in widths]


def entries(cells, learned=True):
    return [
        entry
        for i, cell in enumerate(cells)
        for entry in (
            certifying("pac", learned, cell=cell, points=2000.0 if learned and i == 0 else np.nan),
            certifying("clopper-pearson", learned, cell=cell, kind="certificate"),
        )
    ]


def test_many_panels_stand_in_rows_within_the_figure():
    learned, noisy = networks(10, 20, 30, 40, 50, 60), networks(10, 20, 30, learned=False)
    display = plots.certify(entries(learned) + entries(noisy, learned=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a layout that has no room
        display.svg()
    panels = [ax.get_position() for ax in display.ax_]
    assert len({round(panel.y0, 3) for panel in panels}) == 3
    assert len({round(panel.x0, 3) for panel in panels}) == 4
    for i, ax in enumerate(display.ax_):
        names = [label.get_text() for label in ax.get_yticklabels() if label.get_visible()]
        shown = names if ax.yaxis.get_visible() else []
        assert shown == (display.bounds if i % 4 == 0 else [])


def test_of_many_tasks_the_finding_counts_those_that_are_certified():
    learned, noisy = networks(10, 20, 30, 40), networks(10, learned=False)
    few = plots.certify(entries(learned)).finding
    assert len(few.splitlines()) == 4 and few.startswith("lms-7, (10,1): 1 of 1 bounds")
    assert plots.certify(entries(learned) + entries(noisy, learned=False)).finding == (
        "an excess risk of 0.01 is certified by n = 4k by a bound from training points for 1, by"
        " held-out points for 4 of 5 tasks with their learners; for 1 none could: it is larger"
    )
