"""Figures as they should look: images compared with recorded ones, within a tolerance.

``python tests/test_baselines.py`` records them anew; look at each before it is committed.
"""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from displays import cell
from matplotlib.testing.compare import compare_images

import simbias
from simbias import plots
from simbias.plots._figure import look
from simbias.training.cell import Cell
from simbias.validation import control

FOLDER = Path(__file__).parent / "baselines"
TOLERANCE = 8.0  # root mean square over grey levels 0 to 255: fonts may be hinted otherwise


def explicit(rule):
    task = simbias.tasks.get("noisy-lms-7", dim=4)
    return control(Cell(task, simbias.MLP(12, 1), simbias.sgd(), 600, batch=100), rule)


def of_transitions():
    late = [8_000, 9_000, 12_000, 20_000, np.inf, np.inf]
    cells = (2, [2_000] * 6, 0.0), (20, late, 0.3), (50, [np.inf] * 6, 0.7)
    return plots.phase([cell(*each, lag=1000, budget=40_000) for each in cells])


DISPLAYS = {
    "boundary-achievable": lambda: plots.boundary(
        explicit("achievable"), coordinate=3, resolution=60, contexts=8
    ),
    "islands-simple": lambda: plots.islands(
        explicit("simple"), coordinate=3, sample=6, directions=3
    ),
    "phase": of_transitions,
}


def render(name, path):
    display = DISPLAYS[name]().plot()
    with look():
        display.figure_.savefig(path, dpi=80, metadata={"Software": None})


@pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 11), reason="matplotlib before 3.11 draws text otherwise"
)
@pytest.mark.parametrize("name", DISPLAYS)
@pytest.mark.thorough
def test_a_figure_looks_as_recorded(name, tmp_path):
    actual = tmp_path / f"{name}.png"
    render(name, actual)
    assert compare_images(str(FOLDER / f"{name}.png"), str(actual), TOLERANCE) is None


def test_another_figure_does_not_pass(tmp_path):
    actual = tmp_path / "boundary.png"
    plots.boundary(
        explicit("simple"), coordinate=3, resolution=60, contexts=8
    ).plot().figure_.savefig(actual, dpi=80)
    assert compare_images(str(FOLDER / "boundary-achievable.png"), str(actual), TOLERANCE)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in DISPLAYS:
        render(each, FOLDER / f"{each}.png")
