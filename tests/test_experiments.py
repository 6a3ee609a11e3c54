"""Experiments: a second kind from another package runs, resumes and is read as the first is.

Longer than 400 lines because experiments of two kinds are run once for all of it.
"""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import duckdb
import numpy as np
import pytest
from rich.console import Console

import simbias
from simbias import claims, suites
from simbias._registry import Entry
from simbias.bounds import evaluate
from simbias.cli import main
from simbias.experiments import (
    FIRST,
    LAST,
    Column,
    Ended,
    Experiment,
    Replica,
    cell_of,
    estimators,
    experiment_of,
    experiments,
    row,
    row_name,
    rows_table,
    trace_rows,
)
from simbias.experiments.classify import outcomes
from simbias.experiments.estimators import MEASURED
from simbias.quantities import Subject, declared
from simbias.quantities.settings import setting
from simbias.registry import EXPERIMENTS
from simbias.results import Store, StoreError, load_fitted, load_stack
from simbias.runner import claims as runner
from simbias.runner import execute
from simbias.runner.plan import Plan, make_plan
from simbias.runner.progress import ConsoleReporter

COINS = '''
"""How often coins come up heads, tossed round after round."""

import hashlib, json, os, time
from dataclasses import dataclass

import numpy as np

from simbias.experiments import (
    FIRST, LAST, Column, Ended, Experiment, Moved, Progress, Saved, Shown, rows_table,
)


@dataclass(frozen=True)
class Coins:
    task: str
    bias: float
    rounds: int = 4

    @property
    def settings(self):
        more = {} if self.rounds == 4 else {"rounds": self.rounds}
        own = {"task": {"name": self.task}, "coin": {"bias": self.bias}}
        return {"experiment": "coins"} | own | more

    @property
    def identity(self):
        return json.dumps(self.settings, sort_keys=True)

    @property
    def name(self):
        return f"{self.task}/{hashlib.sha256(self.identity.encode()).hexdigest()[:6]}"


def make(settings):
    settings = {**settings, "task": settings["task"]["name"], **settings["coin"]}
    settings.pop("coin")
    return Coins(**settings)


def run(replicas, context):
    """Toss the coins of a group."""
    for replica in replicas:
        cell, seed = replica
        heads = list(context.saved.get(replica, []))
        while len(heads) < cell.rounds:
            time.sleep(float(os.environ.get("SLOW", 0)))
            with open(os.environ["TOSSED"], "a") as file:
                file.write(f"{seed} {len(heads)}\\n")
            generator = np.random.default_rng([seed, len(heads)])
            heads.append(int(generator.binomial(context.n_certify, cell.bias)))
            progress = Progress(len(heads) / cell.rounds, len(heads))
            context.advanced({replica: Moved({"heads": np.array(heads)}, progress)})
        context.measuring([replica])
        if cell.bias == 1:
            raise ArithmeticError("no coin")
        proportion = sum(heads) / cell.rounds / context.n_certify
        trace = [{"round": i, "heads": count} for i, count in enumerate(heads)]
        yield Ended(replica, "done", "tossed", {"bias": cell.bias, "proportion": proportion}, trace)


coins = Experiment(
    name="coins",
    summary="coins are tossed",
    table=rows_table(
        "coins",
        (*FIRST, Column("bias", "DOUBLE", "asked"), Column("proportion", "DOUBLE", "found"), *LAST),
    ),
    keys={"coin": dict, "rounds": int},
    needed=("coin",),
    cell=make,
    run=run,
    known=lambda cell: {"bias": cell.bias},
    group=lambda cell: "together",
    restore=lambda replica, kept: Saved(kept["heads"].tolist(), Progress(0.5, len(kept["heads"]))),
    trace=(Column("round", "BIGINT", "which"), Column("heads", "BIGINT", "that came up")),
    shown={"proportion": Shown("heads", 0, 1)},
    steps="rounds",
)
'''
TOSSES = """
name = "tosses"
summary = "fair and unfair coins"
source = "none"

[tasks.lms-5]
rounds = 4

[presets.only]
summary = "one size"
seeds = 2
n_certify = 50
cells = [{ experiment = "coins", task = "lms-5", coin = { bias = [0.5, 0.9] } }]

[[published]]
experiment = "coins"
task = "lms-5"
coin = { bias = 0.9 }
values = { proportion = 0.9 }
"""
# several command lines in one process; of each the exit code, output and errors
LINES = """
import contextlib, io, json, sys
from simbias.cli import main
found = []
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(line)
    found.append([code, out.getvalue(), err.getvalue()])
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Another package with an experiment, as pip leaves it, and what calls simbias beside it."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[simbias.experiments]\ncoins = mine:coins\n")
    (folder / "mine.py").write_text(COINS)
    (folder / "tosses.toml").write_text(TOSSES)
    home = os.path.dirname(os.path.dirname(simbias.__file__))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), home]),
        "TOSSED": str(folder / "tossed"),
    }

    def begin(*lines, **more):
        return subprocess.Popen(
            [sys.executable, "-W", "error:left out:UserWarning", "-c", LINES, json.dumps(lines)],
            env=environment | more,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )

    return folder, begin


@pytest.mark.thorough
def test_a_kind_of_another_package_is_run_killed_resumed_and_read(installed):
    folder, begin = installed
    line = ["run", "tosses.toml", "--preset", "only", "--out", "run", "--cores", "1"]
    child = begin(line, SLOW="0.3")
    checkpoints, tosses = folder / "run" / "checkpoints", folder / "tossed"
    while child.poll() is None and (not tosses.exists() or len(tosses.read_text()) < 3 * 4):
        time.sleep(0.01)
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL

    asked = (
        "select seed, proportion, reason, weights_checksum from coins where bias = .5 order by seed"
    )
    pairs = "select c.seed, t.heads from coins c join traces t using (cell, seed) where bias = .5"
    bad = [*line[:5], "bad", *line[6:], "--set", "coin.bias=1.0", "--seeds", "1"]
    lines = [
        line,
        line,
        ["status", "run"],
        ["table", "run"],
        ["query", "run", asked, "--format", "json"],
        ["query", "run", f"{pairs} order by c.seed, round", "--format", "csv"],
        ["export", "run", "--format", "csv"],
        bad,
        ["query", "bad", "select bias, status from coins", "--format", "csv"],
    ]
    out, _ = begin(*lines).communicate(timeout=120)
    codes, outs, errs = zip(*json.loads(out), strict=True)
    assert codes == (0,) * 7 + (1, 0) and set(errs) == {""}
    resumed, again, status, table, proportions, trace, exported, failed, why = outs
    assert "coins to compute, 1 from a checkpoint" in resumed and "boundary" not in resumed
    assert "0 coins to compute, 4 already there" in again
    tossed = tosses.read_text().splitlines()[:-4]  # but for those of the run that fails
    assert len(tossed) in (16, 17)  # 4 replicas of 4 rounds; one may have been on its way
    assert not list(checkpoints.glob("*.safetensors"))
    assert status.count("2 done") == 2 and "bias .5: 2 done" in status
    assert table.split()[:5] == ["task", "bias", "coins", "heads", "lms-5"]
    assert "published" in table
    draws = [[np.random.default_rng([s, i]).binomial(50, 0.5) for i in range(4)] for s in (0, 1)]
    assert json.loads(proportions) == [
        {"seed": seed, "proportion": sum(heads) / 200, "reason": "tossed", "weights_checksum": None}
        for seed, heads in enumerate(draws)
    ]
    assert trace.splitlines()[1:] == [f"{s},{heads}" for s in (0, 1) for heads in draws[s]]
    assert exported == "run/coins.csv\n"
    rows = list(csv.DictReader((folder / "run" / "coins.csv").read_text().splitlines()))
    assert len(rows) == 4 and {row["status"] for row in rows} == {"done"}
    # a group that fails is a row with its reason
    assert failed.count("ArithmeticError: no coin") == 1
    assert why.split() == ["bias,status", "1.0,error"]
    assert main(["status", str(folder / "bad")]) == 0  # without the package too


# estimators


FORESTS = """
name = "forests"
summary = "forests beside a network"
source = "none"

[tasks.noisy-lms-7]
n_train = 400

[presets.only]
summary = "one size"
seeds = 2
n_certify = 2000
method = { name = "sgd", learning_rate = 0.1, momentum = 0.9, weight_decay = 5e-5 }
stop = { max_updates = 200, check_every = 100 }

[[presets.only.cells]]
task = "noisy-lms-7"
network = { name = "mlp", width = 100 }
n_train = 4000

[[presets.only.cells]]
experiment = "estimators"
task = { name = "noisy-lms-7", dim = 4 }
estimator = { name = "random-forest", n_estimators = [5, 10] }

[[presets.only.cells]]
experiment = "estimators"
task = { name = "noisy-lms-7", dim = 4 }
estimator = { name = "linear-svm" }
"""


@pytest.fixture(scope="module")
def forests(tmp_path_factory, trained):
    """A run of networks, which were there before, and of estimators; and the line that makes it."""
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("forests")
    (folder / "forests.toml").write_text(FORESTS)
    plan = make_plan(suites.load(str(folder / "forests.toml")), "only")
    store = Store(folder / "run", create=True)
    execute.prepare(plan, store)
    for ended in outcomes(trained.some([0, 1]), None):
        name, trace = row_name(ended.replica), trace_rows("forests", ended)
        store.write("networks", name, row("forests", ended), trace, ended.tensors)
    with ConsoleReporter(Console(file=io.StringIO())) as reporter:
        assert execute.execute(plan, store, reporter) == ["done"] * 8
    assert reporter.replicas == 6
    return store, ["run", str(folder / "forests.toml"), "--preset", "only", "--out", folder / "run"]


@pytest.mark.thorough
def test_estimators_are_rows_of_their_own_with_a_reason_for_what_is_empty(forests):
    store, _ = forests
    names, rows = store.query("SELECT * FROM estimators ORDER BY estimator, seed")
    estimated = [dict(zip(names, each, strict=True)) for each in rows]
    labels = ["linear-svm", "random-forest(n_estimators=10)", "random-forest(n_estimators=5)"]
    assert [(each["estimator"], each["seed"]) for each in estimated] == [
        (label, seed) for label in labels for seed in (0, 1)
    ]
    assert "updates" not in names and {"risk", "memorised", "library"} < set(names)
    for each in estimated:
        empty = {name for name, value in each.items() if value is None}
        scores = each["estimator"] == "linear-svm"
        assert empty == ({"train_loss", "trace_checksum"} if scores else {"trace_checksum"})
        why = "scores are neither logits nor probabilities: train_loss is empty"
        assert each["reason"] == "fitted" + f"; {why}" * scores
        assert each["library"].startswith("scikit-learn ") and each["n_certify"] == 2000
    assert store.query("SELECT count(*), count(updates) FROM networks")[1] == [(2, 2)]


@pytest.mark.thorough
def test_a_rerun_fits_nothing_and_the_table_has_both_kinds(forests, monkeypatch, capsys):
    store, line = forests
    monkeypatch.setattr(estimators, "fit", lambda *_, **__: pytest.fail("fitted"))
    (store.directory / "figures").mkdir()
    (store.directory / "figures" / "boundary-drawn.png").touch()
    assert main([*map(str, line), "--cores", "2"]) == 0
    out = capsys.readouterr().out
    assert "0 networks and estimators to compute, 8 already there" in out
    assert main(["table", str(store.directory)]) == 0
    out = capsys.readouterr().out
    assert "network or estimator" in out and "random-forest(n_estimators=5)" in out
    assert main(["status", str(store.directory)]) == 0
    assert capsys.readouterr().out.count("2 done") == 4
    assert main(["export", str(store.directory), "--format", "csv"]) == 2
    assert "table: got None, allowed: one of networks, estimators" in capsys.readouterr().err


def test_a_stored_forest_is_fitted_again_and_certified(forests):
    store, _ = forests
    stack = load_fitted(store, "noisy-lms-7/random-forest(n_estimators=10)")
    (certificate, _) = evaluate(stack, bounds=["clopper-pearson"], n_certify=2000)
    asked = "SELECT risk FROM estimators WHERE estimator LIKE '%=10)' ORDER BY seed"
    assert certificate.valid and certificate.risk == store.query(asked)[1][0][0]
    assert len(load_stack(store)) == 2  # networks beside them are found as ever


def test_a_seed_to_which_a_library_cannot_be_fitted_does_not_stop_the_others(monkeypatch):
    pytest.importorskip("sklearn")
    fit = estimators.fit

    def failing(task, estimator, *, n_train, seeds, **noise):
        if seeds == [0]:
            raise ValueError("one class only")
        return fit(task, estimator, n_train=n_train, seeds=seeds, **noise)

    class Context:
        n_certify, saved = 2000, {}

        def measuring(self, replicas):
            pass

    monkeypatch.setattr(estimators, "fit", failing)
    cell = cell_of(FOREST)
    outcomes = list(estimators.run([Replica(cell, 0), Replica(cell, 1)], Context()))
    assert [(ended.status, ended.reason) for ended in outcomes] == [
        ("error", "one class only"),
        ("done", "fitted"),
    ]
    learned = experiments()["estimators"].learned
    fitted = learned.make([Replica(cell, 0), Replica(cell, 1), Replica(cell, 2)])
    assert fitted[Replica(cell, 0)] is None
    assert learned.join([fitted[Replica(cell, 2)], fitted[Replica(cell, 1)]]).seeds == (2, 1)


@pytest.mark.thorough
def test_held_out_certificates_of_a_run_of_forests_are_kept(forests, capsys):
    store, _ = forests
    line = ["bounds", str(store.directory), "--n-certify", "2000", "--cell", "noisy-lms-7/r"]
    line += ["--bounds", "clopper-pearson", "--bounds", "l2-norm"]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "2 estimators: " in out and "tell networks apart" not in out
    asked = "SELECT network, seed, value, valid, reason FROM bounds ORDER BY ALL"
    rows = store.query(asked)[1]
    assert len(rows) == 2 * 2 * 2
    assert {row[0] for row in rows} == {
        "random-forest(n_estimators=10)",
        "random-forest(n_estimators=5)",
    }
    certified = [row for row in rows if row[2] is not None]
    assert len(certified) == 4 and all(row[3] for row in certified)
    assert {row[4] for row in rows if row[2] is None} == {"the network is an MLP: no layers"}
    figures = {path: path.read_bytes() for path in (store.directory / "figures").glob("bounds-*")}
    assert len(figures) == 2 * 3
    for path in figures:
        path.unlink()
    for (cell,) in set(store.query("SELECT cell FROM bounds")[1]):
        assert main(["plot", str(store.directory), "--kind", "bounds", "--cell", cell]) == 0
    assert all(path.read_bytes() == drawn for path, drawn in figures.items())
    capsys.readouterr()
    assert main(["plot", str(store.directory), "--kind", "bounds", "--cell", "noisy-lms-7/r"]) == 2
    assert "allowed: the beginning of one cell, not of noisy" in capsys.readouterr().err
    assert main(["plot", str(store.directory), "--kind", "discrimination"]) == 2
    assert "which has no bounds of several cells of networks" in capsys.readouterr().err


@pytest.mark.thorough
def test_the_boundary_of_a_stored_forest_is_drawn(forests, capsys):
    store, _ = forests
    line = ["plot", str(store.directory), "--kind", "boundary", "--cell", "noisy-lms-7/l"]
    assert main([*line, "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert "boundary-noisy-lms-7-linear-svm" in out and "seed1.png" in out
    assert main([*line[:3], "training", *line[4:]]) == 2
    assert "cell: got 'noisy-lms-7/l', allowed: one of the trained" in capsys.readouterr().err


def test_what_is_fitted_again_is_what_the_row_is_about(forests, monkeypatch):
    store, _ = forests
    fit = estimators.fit
    monkeypatch.setattr(estimators, "fit", lambda *a, seeds, **k: fit(*a, seeds=[7], **k))
    with pytest.raises(StoreError, match="seed 0: scores of the training points: got 'others th"):
        load_fitted(store, "noisy-lms-7/linear-svm", seed=0)


CLAIM = """
id = "forests-memorise"
title = "Forests fit the exceptions that they were shown"
source = "none"
quantity = "exceptions_fitted"
predicate = { op = ">=", value = 0.7, margin = 0.0 }
quantifier = { kind = "probability", at_least = 0.5 }
unit = { of = "network", redraws = ["rotation", "data", "initialisation", "order"] }
effort = { n_certify = 2000, confidence = 0.99 }
inference = { test = "clopper-pearson", alpha = 0.4, units = 3, family = "f", correction = "none" }
[population]
experiment = "estimators"
task = { name = "noisy-lms-7", dim = 4 }
estimator = { name = "random-forest", n_estimators = 20 }
n_train = 400
"""


@pytest.fixture
def claimed(tmp_path):
    """A file with the claim about forests, some of its words replaced."""

    def write(*changes):
        text = CLAIM
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "claim.toml").write_text(text)
        return str(tmp_path / "claim.toml")

    return write


@pytest.mark.thorough
def test_a_claim_about_forests_is_judged_in_memory_and_in_a_directory(
    claimed, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(runner, "N_CERTIFY", 2000)
    verdict = claims.check(claimed())
    assert verdict.verdict == "supported" and min(verdict.units.quantity.value) >= 0.7
    for words in ("3 estimators to compute", "supported"):
        assert main(["claims", "run", claimed(), "--out", str(tmp_path / "run")]) == 0
        out = capsys.readouterr().out
        assert words in out
    assert "to compute" not in out  # the second time everything is there
    store = Store(tmp_path / "run")
    values = store.query("SELECT value FROM evidence ORDER BY seeds")[1]
    assert [value for (value,) in values] == verdict.units.quantity.value.tolist()


@pytest.fixture(scope="module")
def tree():
    """Two decision trees."""
    pytest.importorskip("sklearn")
    task, estimator = simbias.tasks.get("noisy-lms-7", dim=4), simbias.estimator("decision-tree")
    return simbias.train(task, estimator, n_train=400, seeds=2)


@pytest.mark.parametrize("quantity", declared())
@pytest.mark.thorough
def test_a_quantity_is_measured_on_estimators_or_refused_beforehand(quantity, tree):
    declaration = declared()[quantity]
    arguments = {"shift": "none", "rule": "simple", "bound": "clopper-pearson", "number": 0.001}
    arguments |= {
        "measure": "variance",
        "moment": "initial",
        "control": "others",
        "way": "clean",
        "comparison": "cka",
    }
    arguments |= {"zone": "ahead", "answers": "greedy", "check": "last"}
    arguments |= {"edit": "ablate", "target": "label", "probe": "linear", "layer": "first"}
    given = [arguments[argument.kind] for argument in declaration.arguments]
    if len(given) == 3 and set(given) == {
        0.001
    }:  # what is allowed, of so many points, of which so many may be noise
        given = [0.4, 256, 0.1]
    try:
        declaration.suits(tree.cell, *given)
    except ValueError as error:
        words = (
            "allowed: a network",
            "allowed: an MLP of relu",
            "allowed: an ensemble",
            "allowed: lin",
        )
        assert any(allowed in str(error) for allowed in words)
        return
    if declaration.of == "setting" and quantity not in ("dim", "noise", "n_train"):
        with pytest.raises(ValueError, match=f"quantity: got '{quantity}', allowed: a setting of"):
            setting(tree.cell, quantity)
        return
    bounds = {"bound": ["clopper-pearson"]}
    subject = Subject(tree, n_certify=2000, confidence=0.9, arguments=bounds)
    assert not np.isnan(declaration.compute(subject, *given).value).any()


def test_a_population_is_of_an_experiment_that_is_known(claimed, monkeypatch):
    for change, words in [
        (('"estimators"', '"estimator"'), "population: experiment: unknown name 'estimator'"),
        (("n_train = 400\n", ""), "population: key 'n_train' is missing"),
        (("n_train = 400", "batch = 3\nn_train = 400"), "population: key: unknown name 'batch'"),
        (('"exceptions_fitted"', '"transition_updates"'), "allowed: a network"),
    ]:
        with pytest.raises(ValueError, match=words):
            claims.feasible(claims.load(claimed(change)))
    unlearned = replace(experiments()["estimators"], learned=None)
    monkeypatch.setitem(experiments(), "estimators", unlearned)
    with pytest.raises(ValueError, match="population: experiment: got 'estimators', allowed: one"):
        claims.load(claimed())


# the protocol


def test_a_row_is_named_by_its_settings_and_seed_as_the_table_names_it(cell):
    values = {"settings": "{}", "identity": cell.identity, "seed": 3}
    entry = experiments()["classify"].table.entry
    sql = (
        f"SELECT {entry} FROM (SELECT $settings AS settings, $identity AS identity, $seed AS seed)"
    )
    assert duckdb.execute(sql, values).fetchall() == [(row_name(Replica(cell, 3)),)]
    # a row of a version without the column is named by all its settings
    before = {"settings": cell.identity, "identity": None, "seed": 3}
    assert duckdb.execute(sql, before).fetchall() == [(row_name(Replica(cell, 3)),)]


FOREST = {
    "experiment": "estimators",
    "task": {"name": "noisy-lms-7", "dim": 4},
    "estimator": {"name": "decision-tree"},
    "n_train": 400,
}


def test_the_usual_experiment_is_no_part_of_an_identity(cell):
    pytest.importorskip("sklearn")
    assert experiment_of(cell).name == "classify" and "experiment" not in cell.settings
    assert cell_of({"experiment": "classify", **cell.settings}) == cell == cell_of(cell.settings)
    forest = cell_of(FOREST)
    assert cell_of(forest.settings) == forest and experiment_of(forest).name == "estimators"
    with pytest.raises(ValueError, match="^experiment: unknown name 'clasify', nearest: classify"):
        cell_of({**cell.settings, "experiment": "clasify"})


def test_what_is_done_together_is_of_one_experiment(cell, monkeypatch):
    pytest.importorskip("sklearn")
    forest = cell_of(FOREST)
    for name, experiment in experiments().items():
        monkeypatch.setitem(experiments(), name, replace(experiment, group=lambda cell: "all"))
    plan = Plan("s", "p", (cell, forest, replace(cell, n_train=300)), ({},) * 3, (0, 1), 500)
    assert [[replica.cell.n_train for replica in group] for group in plan.groups] == [
        [4000, 4000, 300, 300],
        [400, 400],
    ]


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_has_what_rows_need(name, cell):
    experiment = experiments()[name]
    columns = {column.name for column in experiment.table.columns}
    assert {column.name for column in (*FIRST, *LAST)} <= columns
    assert set(experiment.needed) <= set(experiment.keys) and experiment.learner in {
        *experiment.needed,
        "",
    }
    assert len(columns) == len(experiment.table.columns)


def test_estimators_are_asked_what_needs_no_network():
    classify = experiments()["classify"]
    numbers = {column.name for column in classify.table.columns}
    assert {"updates", "flips_fitted"} == (set(classify.shown) | {"updates"}) - set(MEASURED)
    assert set(MEASURED) < numbers


def test_a_table_without_what_every_row_has_is_refused():
    def table_of(columns):
        return Experiment("odd", "", rows_table("odd", columns), {}, (), dict, lambda *_: iter(()))

    table_of((*FIRST, *LAST))
    with pytest.raises(ValueError, match="^experiment odd: table: got 'no column seed'"):
        table_of((*(column for column in FIRST if column.name != "seed"), *LAST))
    with pytest.raises(ValueError, match="got 'no column network'"):
        Experiment(
            "odd",
            "",
            rows_table("odd", (*FIRST, *LAST)),
            {},
            (),
            dict,
            lambda *_: iter(()),
            "network",
        )


def test_columns_that_are_known_beforehand_are_in_rows_of_what_failed(cell):
    failed = row("s", Ended(Replica(cell, 1), "error", "why"))
    assert failed["task"] == "noisy-lms-7" and failed["network"] == "(100,1)"
    assert json.loads(failed["settings"]) == cell.settings and failed["status"] == "error"
    assert failed["identity"] == cell.identity


def test_a_cell_says_only_what_its_experiment_has(tmp_path):
    def load(old, new):
        assert old in FORESTS
        path = tmp_path / "forests.toml"
        path.write_text(FORESTS.replace(old, new, 1))
        return suites.load(str(path))

    suite = load("n_train = 400", "n_train = 300")
    written = [set(cell) for cell in suite.preset("only").cells]
    assert written[0] == {"task", "network", "method", "stop", "n_train"}
    assert written[3] == {"task", "estimator", "experiment", "n_train"}
    (first, *others) = make_plan(suite, "only", overrides=["n_train=350", "batch=50"]).cells
    assert first.n_train == others[0].n_train == 350 and "method" not in others[0].settings
    name = 'estimator = { name = "linear-svm" }'
    for new, words in [
        (f"{name}\nbatch = 3", r"cells\[2\]: key: unknown name 'batch'"),
        ("", r"cells\[2\]: key 'estimator' is missing"),
        ("estimator = 3", r"cells\[2\]: estimator: got 3, allowed: a table"),
    ]:
        with pytest.raises(ValueError, match=words):
            load(name, new)
    with pytest.raises(
        ValueError, match="experiment: unknown name 'estimator', nearest: estimators"
    ):
        load('experiment = "estimators"', 'experiment = "estimator"')
    with pytest.raises(ValueError, match="unknown name 'decision-trees', nearest: decision-tree"):
        make_plan(load(name, 'estimator = { name = "decision-trees" }'), "only")


TAKEN = Experiment("taken", "", rows_table("traces", (*FIRST, *LAST)), {}, (), dict, iter)
OTHER = Experiment("other", "", rows_table("mine", (*FIRST, *LAST)), {}, (), dict, iter)
TYPED = Experiment(
    "typed",
    "",
    rows_table("typed", (*FIRST, *LAST)),
    {},
    (),
    dict,
    iter,
    trace=(Column("updates", "VARCHAR", ""),),
)


@pytest.mark.parametrize(
    ("name", "attribute", "words"),
    [
        ("taken", "TAKEN", "table: got 'traces', allowed: small letters, .*none of bounds"),
        ("renamed", "OTHER", "allowed: an Experiment named renamed"),
        ("typed", "TYPED", "trace: got 'updates VARCHAR', allowed: BIGINT"),
        ("seven", "__name__", "allowed: an Experiment named seven"),
    ],
)
def test_a_kind_that_would_disturb_the_others_is_left_out(name, attribute, words, monkeypatch):
    entry = Entry(f"{__name__}:{attribute}", "")
    monkeypatch.setattr(EXPERIMENTS, "_builtin", EXPERIMENTS._builtin | {name: entry})
    with pytest.warns(UserWarning, match=f"^left out: experiment: plug-in '{name}'.*{words}"):
        known = ["classify", "estimators", "solutions", "generations", "directions"]
        assert list(experiments.__wrapped__()) == known
