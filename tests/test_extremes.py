"""Every setting that a task accepts goes through all that is measured and drawn."""

from functools import cache

import jax
import numpy as np
import pytest

from simbias import MLP, Stop, sgd, tasks, train
from simbias.plots import boundary
from simbias.tasks import oracle
from simbias.training import Cell
from simbias.validation import control, measure_grids, measure_islands, validate, vicinity
from simbias.validation.planes import ZONES

LEAST, MOST = float(np.nextafter(0, 1)), float(np.nextafter(1, 0))
NARROW = 1 / 6  # a margin at which the slabs of 7 would have no width
EXTREMES = {
    "uninformative": dict(noise=1.0),
    "all but uninformative": dict(noise=MOST),
    "nearly uninformative": dict(noise=1 - 1e-10),
    "hardly noisy": dict(noise=LEAST),
    "without exceptions": dict(noise=0.0),
    "margins of float32": dict(margin=1e-6),
    "slabs that are points": dict(margin=float(np.nextafter(NARROW, 0))),
    "slabs of float32": dict(margin=NARROW * (1 - 1e-7)),
    "a line of points": dict(margin={"linear": MOST, "slab-7": 0.1}),
}


@cache
def stack_of(name, extreme):
    task = tasks.get(name, **{"dim": 2} | EXTREMES[extreme])
    return control(Cell(task, MLP(8, 1), sgd(), n_train=200, batch=50), "achievable")


CASES = [("noisy-lms-7", extreme) for extreme in EXTREMES]
CASES += [("lsn", extreme) for extreme, given in EXTREMES.items() if "margin" not in given]
NOW = {  # the ends of either scale; each compiles programs of its own, so the others are slow
    ("noisy-lms-7", "uninformative"),
    ("noisy-lms-7", "hardly noisy"),
    ("noisy-lms-7", "margins of float32"),
    ("noisy-lms-7", "slabs that are points"),
    ("lsn", "all but uninformative"),
}


@pytest.mark.parametrize(
    "name, extreme",
    [case if case in NOW else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
)
@pytest.mark.thorough
def test_every_setting_that_is_accepted_can_be_measured_and_drawn(name, extreme, monkeypatch):
    monkeypatch.setattr(vicinity, "_MOST", 2**16)
    stack = stack_of(name, extreme)
    task = stack.cell.task
    simple = oracle.simple_risk(task)
    assert 0 <= oracle.achievable_risk(task) <= simple <= 0.5
    assert simple == pytest.approx(task.settings["noise"] / 2, abs=1e-12)
    for block in set(task.blocks):
        curve = oracle.cut_curve(block)
        assert curve[0] >= 0.5 - 1e-12 and np.all(np.diff(curve) >= 0) and curve[-1] <= 1 + 1e-12
    x, y = task.sample(jax.random.key(0), 200)
    assert np.isfinite(np.asarray(x)).all() and set(np.asarray(y)) == {0, 1}
    assert validate(stack, n_certify=1000).risk.value[0] <= 0.01
    own = [oracle.achievable_rule(task).coordinate]
    try:
        grids = measure_grids(stack, coordinates=own, resolution=20, contexts=4, planes=1)
    except ValueError as error:
        assert str(error).startswith("resolution: got 20, allowed: an integer >= ")
        assert "margin" in EXTREMES[extreme]
    else:
        assert np.isfinite(grids.given).all() and np.all(grids.counts == grids.achievable_cuts[0])
    report = measure_islands(stack, sample=2, directions=2)
    assert len(report.training[0].index) == (0 if simple < 1e-9 else 2)
    assert boundary(stack, resolution=8, contexts=8).proportion.shape == (8, 8)


@pytest.mark.parametrize("margin", (LEAST, 1e-7, {"linear": 1e-7}, {"slab-7": 1e-7}))
def test_margins_that_float32_inputs_cannot_keep_are_refused(margin):
    with pytest.raises(ValueError, match=r"^margin.*: got .*, allowed: a number in \[1e-06, 1\)$"):
        tasks.get("noisy-lms-7", margin=margin)


@pytest.mark.thorough
def test_where_the_simple_coordinate_tells_nothing_all_of_it_is_margin():
    grids = measure_grids(stack_of("noisy-lms-7", "uninformative"), resolution=20, contexts=4)
    assert oracle.decided(stack_of("noisy-lms-7", "uninformative").cell.task.blocks[0]) == []
    told = np.array([zone.startswith("support") for zone in ZONES])
    assert np.isnan(grids.achievable_agreement.value[..., told]).all()
    assert np.all(grids.achievable_agreement.value[0, -1, ~told] == 1)


@pytest.mark.thorough
def test_a_network_is_trained_where_the_simple_coordinate_tells_nothing():
    task = stack_of("noisy-lms-7", "uninformative").cell.task
    stop = Stop(max_updates=20, check_every=10)
    stack = train(task, MLP(8, 1), sgd(), n_train=200, batch=50, stop=stop, n_select=100)
    assert stack.outcome(0)[0] == "done"
    assert np.isfinite(measure_grids(stack, resolution=20, contexts=4).given).all()


@pytest.mark.parametrize(
    "margin, needed",
    [
        (0.02, 101),
        *(pytest.param(m, n, marks=pytest.mark.slow) for m, n in ((0.0099, 203), (0.1, 21))),
    ],
)
def test_grids_that_are_too_coarse_for_a_margin_name_the_resolution_that_suffices(margin, needed):
    task = tasks.get("noisy-lms-7", dim=2, margin=margin)
    stack = control(Cell(task, MLP(8, 1), sgd(), n_train=200, batch=50), "achievable")
    with pytest.raises(
        ValueError, match=f"^resolution: got 8, allowed: an integer >= {needed}, so"
    ):
        measure_grids(stack, resolution=8, contexts=4)
    for resolution in (needed, needed + 1, needed + 7):
        grids = measure_grids(stack, resolution=resolution, contexts=4)
        assert np.isfinite(grids.achievable_agreement.value).all()
