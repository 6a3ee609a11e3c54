"""Achievable solutions as an experiment: what a cell says, its rows, its files, its pairs."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import simbias
from simbias.bounds import bound_names
from simbias.cli import main
from simbias.experiments import Context, Replica, cell_of, experiments, row
from simbias.experiments.solutions import solutions
from simbias.plots.run import Absent, Chosen, preference_of
from simbias.results import Store
from simbias.results.trained import learned, load

pytestmark = pytest.mark.thorough

SUITE = """
name = "small"
summary = "a network beside solutions"
source = "none"

[tasks.noisy-lms-5]
method = { name = "sgd", learning_rate = 0.1 }
stop = { max_updates = 200 }

[presets.only]
summary = "one size"
seeds = 2
n_certify = 2000
n_train = 1000
cells = [
  { task = { name = "noisy-lms-5", dim = 4 }, network = { name = "mlp", width = 8 } },
  { OF, solution = { name = "explicit" } },
  { OF, solution = { name = "trained", norm = "l2-norm", margin = 8 } },
  { OF, solution = { name = "cheapest", norm = "path-norm", margin = 2 } },
]
"""
OF = """experiment = "solutions", task = { name = "noisy-lms-5", dim = 4 }, \
network = { name = "mlp", width = 8 }"""


class Quiet(Context):
    n_certify, saved = 2000, {}

    def advanced(self, moved):
        pass

    def measuring(self, replicas):
        pass


@pytest.fixture(scope="module")
def settings():
    task = simbias.tasks.get("noisy-lms-5", dim=4)
    net, stop = simbias.MLP(8), simbias.Stop(max_updates=200)
    counterpart = simbias.training.Cell(task, net, simbias.sgd(), n_train=1000, stop=stop)
    return {**counterpart.settings, "experiment": "solutions"}


def solution(settings, **given):
    return cell_of({**settings, "solution": given})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    suite, directory = folder / "small.toml", folder / "run"
    suite.write_text(SUITE.replace("OF", OF))
    assert main(["run", str(suite), "--preset", "only", "--out", str(directory)]) == 0
    return directory


def test_a_cell_is_made_again_from_its_settings(settings):
    for given in ({"name": "explicit"}, {"name": "cheapest", "norm": "l1-norm", "margin": 3}):
        cell = solution(settings, **given)
        assert cell_of(cell.settings) == cell and hash(cell_of(cell.settings)) == hash(cell)
    assert cell.words == "cheapest in l1-norm" and cell.margin == 3.0


def test_solutions_of_other_kinds_or_counterparts_have_other_identities(settings):
    cells = [
        solution(settings, name="explicit"),
        solution(settings, name="trained"),
        solution(settings, name="cheapest", norm="l1-norm"),
        solution(settings, name="cheapest", norm="l2-norm"),
        solution(settings, name="cheapest", norm="l1-norm", margin=2.0),
        solution({**settings, "n_train": 900}, name="explicit"),
    ]
    assert len({cell.identity for cell in cells}) == len({cell.name for cell in cells}) == 6
    assert cells[0].identity != cells[0].counterpart.identity


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "explict"}, "^solution: name: unknown name 'explict', nearest: explicit"),
        ({"name": "cheapest"}, "^solution: norm: unknown name ''"),
        ({"name": "explicit", "norm": "l1-norm"}, "^solution: got 'norm', allowed: nothing beside"),
        ({"name": "cheapest", "norm": "l1-norm", "margin": "2"}, "^solution: margin: got '2'"),
        ({}, "^solution: key 'name' is missing"),
    ],
)
def test_a_solution_that_is_none_is_said_in_one_line(settings, given, words):
    with pytest.raises(ValueError, match=words) as error:
        solution(settings, **given)
    assert "\n" not in str(error.value)


def test_a_solution_that_cannot_be_made_is_an_error_with_its_reason(settings):
    narrow = {**settings, "network": {"name": "mlp", "width": 3}}
    (ended,) = solutions.run([Replica(solution(narrow, name="explicit"), 0)], Quiet())
    assert ended.status == "error" and ended.reason.startswith("width: got 3, allowed")


def test_rows_have_risk_0_and_say_how_they_were_made(run):
    _, rows = Store(run).query(
        "SELECT solution, network, seed, status, risk, train_accuracy, updates FROM solutions"
        " ORDER BY solution, seed"
    )
    assert rows == [
        (words, f"(8,1) {words}", seed, "done", 0.0, 1.0, updates)
        for words, updates in (
            ("cheapest in path-norm", 0),
            ("explicit", 0),
            ("trained from l2-norm", 200),
        )
        for seed in (0, 1)
    ]


def test_what_is_stored_is_what_was_made(run):
    store = Store(run)
    for cell in [trained.cell for trained in learned(store)][1:]:
        stored, again = load(store, cell, [0, 1]), cell.stack([0, 1])
        for a, b in zip(jax.tree.leaves(stored.params), jax.tree.leaves(again.params), strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(stored.fitted_since, again.fitted_since)


@pytest.mark.slow
def test_bounds_of_a_run_say_what_they_prefer_and_draw_it(run, capsys):
    names = "clopper-pearson path-norm vc-relative"
    arguments = ["bounds", str(run), "--n-certify", "5000", "--bounds", *names.split()]
    assert main(arguments) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "explicit against stuck" in printed and "cheapest against stuck" in printed
    (drawn,) = (run / "figures").glob("preference-*.png")
    _, display = preference_of(Chosen(Store(run)))
    verdicts = {(p.comparison, p.name): p for p in display.preferences}
    path = verdicts["cheapest against stuck", "path-norm"]
    trained = verdicts["trained from l2-norm against stuck", "path-norm"]
    assert path.pairs == 2 and path.value < trained.value  # of a fourth of its margin
    assert verdicts["explicit against stuck", "clopper-pearson"].smaller == 2


def test_a_run_without_solutions_has_no_such_figure(run, trained, tmp_path):
    store = simbias.runner.keep(trained, tmp_path / "run", n_certify=2000)
    with pytest.raises(Absent, match="achievable solutions"):
        preference_of(Chosen(store))


def test_a_claim_may_be_about_a_solution(settings):
    from simbias.claims.networks import InMemory

    own = {key: value for key, value in settings.items() if key != "experiment"}
    table = {
        "memorised": cell_of(own),
        "explicit": solution(settings, name="explicit"),
    }
    claim = simbias.claims.get("prefers-explicit-path-norm")
    claim = replace(claim, populations=table, n_certify=5000, units=12)
    (verdict,) = simbias.claims.judge([claim], InMemory())
    values = verdict.units.quantity.value
    assert len(values) == 12 and not np.isnan(values).any()


def test_the_suite_and_the_claims_ask_of_bounds_that_there_are():
    suite = simbias.suites.load("prefer")
    for preset in suite.presets.values():
        kinds = [cell["solution"]["name"] for cell in preset.cells if "solution" in cell]
        assert "explicit" in kinds or preset.name == "escaped"  # networks of one cell, in pairs
    names = {name.removeprefix("prefers-explicit-") for name in simbias.claims.builtin()
             if name.startswith("prefers-explicit-")}  # fmt: skip
    assert names <= set(bound_names(None)) and len(names) >= 20
    assert row and experiments()["solutions"] is solutions
