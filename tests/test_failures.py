"""Runs with networks that diverged or failed, from the command line: the others are not lost."""

import re

import pytest
from command_line import call

from simbias import MLP, sgd, tasks
from simbias.cli import main
from simbias.experiments import classify
from simbias.plots import boundary
from simbias.results import Store
from simbias.results import bounds as kept
from simbias.training import Cell
from simbias.validation import control

SUITE = """
name = "frail"
summary = "a cell that diverges before one that learns"
source = "none"

[tasks.noisy-lms-7]
n_train = 256
batch = 64
method = { name = "sgd", momentum = 0.9 }

[presets.standard]
summary = "one size"
seeds = 2
n_certify = 500
stop = { max_updates = 100, check_every = 50 }

[[presets.standard.cells]]
task = { name = "noisy-lms-7", dim = 4 }
network = { name = "mlp", width = 16 }
method = { learning_rate = [1e20, 0.1] }
"""
PLANELESS = r"coordinates: got \(0, 1\), allowed: two different integers"
BOUNDS = ["--bounds", "occam", "l2-norm", "--n-certify", "500"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "frail.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def mixed(file, tmp_path_factory):
    directory = tmp_path_factory.mktemp("mixed") / "run"
    with pytest.MonkeyPatch.context():
        assert main(["run", str(file), "--out", str(directory), "--cores", "2"]) == 1
    return directory


@pytest.fixture(scope="module")
def failed(file, tmp_path_factory):
    directory = tmp_path_factory.mktemp("failed") / "run"

    def out_of_memory(*_, **__):
        raise RuntimeError("no memory left")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classify, "train_jobs", out_of_memory)
        assert main(["run", str(file), "--out", str(directory), "--cores", "2"]) == 1
    return directory


def cells(directory):
    _, rows = Store(directory).query("SELECT DISTINCT cell, status FROM networks ORDER BY status")
    return {status: cell for cell, status in rows}


@pytest.mark.thorough
def test_a_runs_own_figure_is_of_a_network_that_did_not_diverge(mixed):
    assert set(cells(mixed)) == {"diverged", "done"}
    (figure,) = (mixed / "figures").glob("boundary-*.png")
    assert re.sub(r"[^a-z0-9]+", "-", cells(mixed)["done"]) in figure.name


@pytest.mark.slow
def test_figures_leave_diverged_networks_out_by_name(mixed):
    code, out, err = call("plot", mixed)
    assert code == 0
    for kind in ("boundary", "training"):
        for seed in (0, 1):
            left = (
                f"{kind} figure: left out {cells(mixed)['diverged']} seed {seed}: diverged: train"
            )
            assert left in err
    drawn = {line.rsplit("/", 1)[-1].split("-")[0] for line in out.splitlines()}
    assert {"boundary", "training", "table.png"} <= drawn


def test_a_diverged_network_asked_for_by_name_is_one_line(mixed):
    name = cells(mixed)["diverged"]
    for kind in ("boundary", "training"):
        code, _, err = call("plot", mixed, "--kind", kind, "--cell", name)
        assert code == 1 and err.count("\n") == 1
        assert f"{name} seed 0 diverged: train loss not finite" in err
    code, _, err = call("plot", mixed, "--kind", "boundary", "--cell", name, "--seed", "1")
    assert code == 2 and err.startswith("simbias: seed: got '1, diverged: train loss not finite")


@pytest.mark.thorough
def test_bounds_of_a_run_are_those_of_its_sound_networks(mixed):
    code, out, err = call("bounds", mixed, *BOUNDS)
    assert code == 0 and not err
    for seed in (0, 1):
        assert f"left out: {cells(mixed)['diverged']} seed {seed}: the network is a class" in out
    assert "which numbers tell networks apart cannot be said" in out  # of one cell
    _, rows = Store(mixed).query(
        "SELECT cell, count(*), count(value), count(risk), count(*) FILTER (reason <> '')"
        " FROM bounds GROUP BY cell"
    )
    counts = {cell: tuple(numbers) for cell, *numbers in rows}
    assert counts == {cells(mixed)["done"]: (4, 4, 4, 0), cells(mixed)["diverged"]: (4, 0, 0, 4)}
    evaluations = kept.read_all(Store(mixed))
    assert {network.seed for network in kept.comparable(evaluations)[0]} == {0, 1}


@pytest.mark.thorough
def test_a_run_whose_networks_all_fail_says_why_and_that_it_failed(failed, file, monkeypatch):
    reason = "4 error (RuntimeError: no memory left)"
    for verb in ("plot", "bounds"):
        code, _, err = call(verb, failed)
        assert code == 1 and err == f"simbias: {failed} has no trained networks: {reason}\n"
    code, _, err = call("plot", failed, "--cell", "noisy-lms-7")
    assert code == 1 and reason in err
    for verb in (
        ("table",),
        ("status",),
        ("export", "--format", "csv"),
        ("export", "--format", "latex"),
    ):
        code, out, _ = call(verb[0], failed, *verb[1:])
        assert code == 0 and out
    assert "2 error" in call("table", failed)[1]
    # and again, as it goes on
    monkeypatch.setattr(classify, "train_jobs", lambda *_, **__: 1 / 0)
    code, out, err = call("run", file, "--out", failed, "--cores", "2")
    assert code == 1 and not err
    assert (
        f"no boundary figure: {failed} has no trained networks: 4 error (ZeroDivisionError" in out
    )


@pytest.mark.thorough
def test_one_coordinate_has_no_plane_to_draw():
    cell = Cell(tasks.get("ms-5", dim=1), MLP(8, 1), sgd(), n_train=200, batch=50)
    with pytest.raises(ValueError, match=PLANELESS):
        boundary(control(cell, "achievable"))


@pytest.mark.slow
def test_a_run_without_a_plane_to_draw_is_done(tmp_path):
    path = tmp_path / "line.toml"
    text = SUITE.replace("noisy-lms-7", "ms-5").replace("dim = 4", "dim = 1").replace("1e20", "0.2")
    path.write_text(text)
    code, out, err = call("run", path, "--out", tmp_path / "run", "--cores", "2")
    assert code == 0 and not err
    assert re.search(f"no boundary figure: {PLANELESS}", out)
