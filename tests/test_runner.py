"""Runs: what is on disk, resuming, interruption, failure and several writers at once.

Longer than 400 lines because one run, which takes seconds, serves all of it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import jax
import numpy as np
import pytest
from command_line import call
from quiet import Quiet
from safetensors.numpy import save_file

from simbias import suites
from simbias.experiments import classify, row_name
from simbias.experiments.classify import NETWORKS
from simbias.results import Store, StoreError, load_stack, summarise
from simbias.runner import execute as runner
from simbias.runner.plan import make_plan
from simbias.training.fit import TRACE
from simbias.training.jobs import Job
from simbias.validation import validate

SUITE = """
name = "tiny"
summary = "two cells of two networks, in one compiled group"
source = "none"

[tasks.noisy-lms-7]
n_train = 3000
method = { name = "sgd", learning_rate = 0.1, momentum = 0.9 }

[presets.only]
summary = "one size"
seeds = 2
n_certify = 5000
stop = { max_updates = 300, check_every = 100 }

[[presets.only.cells]]
task = "noisy-lms-7"
network = { name = "mlp", width = 20 }
stop = { train_accuracy = [0.8, 1.0] }
"""
MEASURED = "cell, seed, status, updates, train_accuracy, test_accuracy, memorised, s_randomised_auc"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "tiny.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def plan(file):
    return make_plan(suites.load(str(file)), "only")


def run(plan, directory, reporter=None):
    store = Store(directory, create=True)
    runner.prepare(plan, store)
    statuses = runner.execute(plan, store, reporter or Quiet())
    return store, statuses


def measured(store):
    return store.query(f"SELECT {MEASURED} FROM networks ORDER BY ALL")[1]


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    return run(plan, tmp_path_factory.mktemp("whole") / "run")


def test_a_run_holds_a_row_weights_and_a_trace_a_network(whole, plan):
    store, statuses = whole
    assert statuses == ["done", "done", "not-converged", "not-converged"]
    assert len(plan.groups) == 1
    names = {row_name(job) for job in plan.replicas}
    (path,) = (store.directory / "networks").iterdir()  # the rows of a group in one file
    assert duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall() == [(4,)]
    assert not list((store.directory / "pending").rglob("*.*"))
    for folder, suffix in [("traces", "parquet"), ("weights", "safetensors")]:
        files = (store.directory / folder).iterdir()
        assert {path.name for path in files} == {f"{name}.{suffix}" for name in names}
    assert not list((store.directory / "checkpoints").iterdir())


def test_no_cell_of_the_table_is_empty_where_something_was_measured(whole):
    names, rows = whole[0].query("SELECT * FROM networks")
    assert names == [column.name for column in NETWORKS]
    of_noise = {names.index(name) for name in names if name.startswith("flips")}
    assert all((row[i] is None) == (i in of_noise) for row in rows for i in range(len(row)))
    assert not any("empty" in row[names.index("reason")] for row in rows)


def test_rows_say_what_validation_says_of_the_stored_weights(whole, plan):
    store, _ = whole
    assert load_stack(store).cell == plan.cells[0]  # the suite's first
    stack = load_stack(store, plan.cells[1].name)
    report = validate(stack, n_certify=plan.n_certify)
    rows = store.query(
        "SELECT risk, risk_low, risk_high, train_accuracy, memorised, exceptions FROM networks"
        f" WHERE cell = '{plan.cells[1].name}' ORDER BY seed"
    )[1]
    for i, row in enumerate(rows):
        np.testing.assert_allclose(row[:3], [part[i] for part in report.risk], atol=1e-12)
        assert row[3] == report.train_accuracy[i]
        assert row[4] == pytest.approx(report.exceptions.memorised.value[i])
        assert row[5] == report.exceptions.counts[i]


def test_a_stored_stack_is_the_trained_one(whole, plan):
    stack = load_stack(whole[0], plan.cells[0].name)
    assert stack.cell == plan.cells[0] and stack.cell.identity == plan.cells[0].identity
    assert stack.seeds == (0, 1) and len(stack.traces) == 2
    assert all(
        trace[-1, 0] == updates for trace, updates in zip(stack.traces, stack.updates, strict=True)
    )
    kernel = stack.initial["layers"][0]["kernel"]
    assert kernel.shape == (2, 50, 20) and np.abs(kernel).max() <= 1 / np.sqrt(50)


@pytest.mark.thorough
def test_a_rerun_computes_nothing_and_more_seeds_only_the_new_ones(whole, plan, file, tmp_path):
    store, _ = whole
    again = Quiet()
    before = measured(store)
    run(plan, store.directory, again)
    assert again.missing == [] and again.rows == []
    more = make_plan(suites.load(str(file)), "only", seeds=3)
    again = Quiet()
    run(more, store.directory, again)
    assert [job.seed for job in again.missing] == [2, 2]
    assert [row for row in measured(store) if row[1] < 2] == before


def test_another_run_in_the_directory_is_refused(whole, file):
    other = make_plan(suites.load(str(file)), "only", overrides=["n_train=2000"])
    with pytest.raises(ValueError, match="holds a run of tiny"):
        runner.prepare(other, Store(whole[0].directory, create=True))


@pytest.mark.thorough
def test_more_is_asked_of_ended_networks_in_their_directory(file, tmp_path):
    load = suites.load(str(file))
    short, long = (
        make_plan(load, "only", overrides=["stop.train_accuracy=1.0", f"stop.max_updates={n}"])
        for n in (200, 300)
    )
    run(short, tmp_path / "run")
    both, _ = run(long, tmp_path / "run")
    again = Quiet()
    run(short, tmp_path / "run", again)
    assert again.missing == []
    _, checks = both.query(
        "SELECT cell, list(t.train_loss ORDER BY t.updates), max(t.updates) FROM traces t"
        " WHERE seed = 0 GROUP BY ALL ORDER BY 3"
    )
    (_, start, updates), (_, other, end) = checks
    assert (updates, end) == (200, 300) and other[:2] == start and len(other) == 3
    assert [s.settings["max_updates"] for s in summarise(both)] == [200, 300]


@pytest.fixture
def heeded():
    """Ctrl-C is heeded; a job in the background of a shell, and what it runs, would ignore it."""
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, ignored)


def test_an_interrupted_run_resumes_to_the_same_results(whole, plan, tmp_path, heeded):
    class Stopping(Quiet):
        def advanced(self, moved):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(runner.Interrupted):
        run(plan, tmp_path / "run", Stopping())
    store = Store(tmp_path / "run")
    assert {row[2] for row in measured(store)} == {"interrupted"}
    assert store.query("SELECT DISTINCT reason FROM networks")[1] == [("stopped by the user",)]
    again = Quiet()
    run(plan, tmp_path / "run", again)
    assert len(again.saved) == 2  # the two that had advanced go on from their checkpoints
    assert measured(store) == [row for row in measured(whole[0]) if row[1] < 2]


@pytest.mark.thorough
def test_stopped_between_cells_a_run_keeps_what_was_measured(plan, tmp_path, heeded):
    class Stops(Quiet):
        def ended(self, replica, row):
            super().ended(replica, row)
            if len(self.rows) == 1:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(runner.Interrupted):
        run(plan, tmp_path / "run", Stops())
    store = Store(tmp_path / "run")
    kept = [store.statuses()[row_name(asked)] for asked in plan.replicas]
    assert kept == ["done", "done", "interrupted", "interrupted"]


@pytest.fixture(scope="module")
def begin(file, tmp_path_factory):
    """Begins the run in a process of its own; what one has compiled the others find."""
    code = (
        "import simbias; simbias.configure(2)\n"
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from test_runner import *\n"
        "run(make_plan(suites.load(sys.argv[1]), 'only'), sys.argv[2])\n"
    )
    environment = os.environ | {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("programs")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def process(directory):
        words = [sys.executable, "-c", code, str(file), str(directory), os.path.dirname(__file__)]
        return subprocess.Popen(words, env=environment)

    return process


@pytest.mark.slow  # without compiling: test_experiments.py
def test_killed_at_any_moment_a_run_resumes_to_the_same_table(whole, plan, begin, tmp_path):
    out = tmp_path / "run"
    child = begin(out)
    while not list(out.glob("checkpoints/*.safetensors")) and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    run(plan, out)
    assert measured(Store(out)) == [row for row in measured(whole[0]) if row[1] < 2]


@pytest.mark.slow
def test_two_runs_into_one_directory_lose_and_double_no_row(whole, begin, tmp_path):
    out = tmp_path / "run"
    children = [begin(out) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    expected = [row for row in measured(whole[0]) if row[1] < 2]
    numbers = measured(Store(out))
    assert [row[:4] for row in numbers] == [row[:4] for row in expected]
    np.testing.assert_allclose([r[4:] for r in numbers], [r[4:] for r in expected], atol=2e-3)


def changed(store, job):
    """Change the risk of a network where many rows are kept; returns the file."""
    here = f"seed = {job.seed} AND cell = '{job.cell.name}'"
    (path,) = (
        path
        for path in (store.directory / "networks").iterdir()
        if duckdb.execute(f"SELECT count(*) FROM '{path}' WHERE {here}").fetchall() == [(1,)]
    )
    selected = f"SELECT * REPLACE (CASE WHEN {here} THEN 0.0 ELSE risk END AS risk) FROM '{path}'"
    duckdb.execute(f"COPY ({selected}) TO '{path}.new' (FORMAT parquet)").fetchall()
    path.with_name(f"{path.name}.new").replace(path)
    return path


@pytest.mark.thorough
def test_damaged_files_are_named_set_aside_and_computed_again(whole, plan, tmp_path):
    store, _ = run(plan, tmp_path / "run")
    changed(store, plan.replicas[0])
    weights = store.weights_path(row_name(plan.replicas[1]))
    weights.write_bytes(b"foreign")
    again = Quiet()
    run(plan, store.directory, again)
    assert len(again.notes) == 2 and len(again.missing) == 2
    assert all("computed again" in note for note in again.notes)
    assert measured(store) == [row for row in measured(whole[0]) if row[1] < 2]


def test_a_failing_group_is_a_row_with_its_reason_and_the_others_go_on(
    plan, file, tmp_path, monkeypatch
):
    both = make_plan(suites.load(str(file)), "only", overrides=["network.width=20"])
    assert len(both.groups) == 1
    real = classify.validate

    def failing(stack, **options):
        if stack.cell == plan.cells[1]:
            raise MemoryError("planted\nfailure")
        return real(stack, **options)

    monkeypatch.setattr(classify, "validate", failing)
    store, statuses = run(plan, tmp_path / "run")
    assert statuses == ["done", "done", "error", "error"]
    reasons = store.query("SELECT DISTINCT reason FROM networks WHERE status = 'error'")[1]
    assert reasons == [("MemoryError: planted failure",)]
    monkeypatch.undo()
    _, statuses = run(plan, tmp_path / "run")
    assert statuses == ["done", "done", "not-converged", "not-converged"]


def test_programs_of_ended_groups_are_let_go_of(plan, tmp_path, monkeypatch):
    program = jax.jit(lambda x: x + 1)
    monkeypatch.setattr(classify, "train_jobs", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(runner._programs, "_AT_ONCE", 1)
    # of this test alone: the others of this process share theirs
    monkeypatch.setattr(jax, "clear_caches", program.clear_cache)
    program(1.0)
    assert program._cache_size() == 1
    run(plan, tmp_path / "run")
    assert program._cache_size() == 0 and program(1.0) == 2


def test_programs_stay_while_units_of_one_group_follow_each_other(monkeypatch):
    cleared = []
    monkeypatch.setattr(runner._programs, "_AT_ONCE", 2)
    monkeypatch.setattr(runner._programs, "_ended", set())
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(True))
    for group, times in [("first", 0), ("first", 0), ("second", 1), ("second", 1), ("first", 2)]:
        runner._programs.group_ended(group)
        assert len(cleared) == times


@pytest.mark.thorough
def test_a_diverged_network_has_a_status_and_no_numbers(file, tmp_path):
    wild = make_plan(suites.load(str(file)), "only", overrides=["method.learning_rate=1e30"])
    store, statuses = run(wild, tmp_path / "run")
    assert set(statuses) == {"diverged"}
    rows = store.query("SELECT risk, train_accuracy, updates, reason FROM networks")[1]
    assert all(r[:3] == (None, None, 100) and "not finite" in r[3] for r in rows)


def test_the_summary_averages_over_seeds(whole, plan):
    store, _ = whole
    first = summarise(store)[0]
    assert first.cell == plan.cells[0].name
    rows = store.query(f"SELECT test_accuracy FROM networks WHERE cell = '{first.cell}'")[1]
    values = [row[0] for row in rows]
    assert first.means["test_accuracy"].value == pytest.approx(np.mean(values))
    assert first.means["test_accuracy"].low <= np.mean(values) <= first.means["test_accuracy"].high
    ends = {name: (mean.least, mean.most) for name, mean in first.means.items()}
    assert ends.pop("memorised") == (-1, 1)  # an excess; the others are proportions
    assert len(ends) >= 4 and set(ends.values()) == {(0, 1)}


def test_the_settings_column_rebuilds_the_cell(whole, plan):
    from simbias.training import cell_from_settings

    rows = whole[0].query("SELECT DISTINCT settings FROM networks")[1]
    cells = {cell_from_settings(json.loads(settings)) for (settings,) in rows}
    assert cells == set(plan.cells)
    assert row_name(Job(plan.cells[0], 0)) != row_name(Job(plan.cells[0], 1))


NAMES = ("lr[0.1]*?", "-d", 'it\'s {100}% "odd"\n ü𝛼', "~", "a\\[b]")


@pytest.mark.parametrize(
    "name", [*NAMES[:3], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[3:])]
)
@pytest.mark.thorough
def test_every_command_takes_a_directory_of_any_name(whole, plan, tmp_path, monkeypatch, name):
    for sibling in ("lr0x", "a", "home", "d"):  # what the names match as patterns
        shutil.copytree(whole[0].directory, tmp_path / sibling)
    monkeypatch.chdir(tmp_path)
    place = f"./{name}"
    shutil.copytree(whole[0].directory, place)
    again = Quiet()
    run(plan, place, again)
    assert again.missing == [] == again.notes
    code, out, err = call("query", place, "select count(*) as n from networks, traces")
    pairs = len(whole[0].query("SELECT * FROM traces")[1]) * len(whole[0].known())
    assert (code, err) == (0, "") and out.split() == ["n", str(pairs)]
    assert call("status", place) == call("status", whole[0].directory)
    assert call("table", place) == call("table", whole[0].directory)
    for format in ("csv", "parquet", "latex"):
        target = Path(name, f"{name}.{format}")
        assert call("export", place, "--format", format, "--out", f"./{target}")[0] == 0
        assert target.stat().st_size > 100
    if name == NAMES[0]:  # figures take seconds
        assert call("plot", place, "--kind", "table")[::2] == (0, "")
        assert len(list(Path(name, "figures").iterdir())) == 3


def test_a_run_keeps_what_another_version_wrote_into_its_configuration(whole, plan, tmp_path):
    shutil.copytree(whole[0].directory, tmp_path / "run")
    path = tmp_path / "run" / "run.toml"
    path.write_text(f'"of later" = {{ a = 1 }}\n{path.read_text()}')
    store, _ = run(plan, tmp_path / "run")
    assert store.config()["of later"] == {"a": 1} and measured(store) == measured(whole[0])


@pytest.mark.thorough
def test_tampered_networks_are_named_set_aside_and_computed_again(whole, plan, tmp_path):
    """A changed risk, NaN in weights, another network's weights and a deleted trace."""
    shutil.copytree(whole[0].directory, tmp_path / "run")
    notes = []
    store = Store(tmp_path / "run", note=notes.append)
    names = [row_name(job) for job in plan.replicas]
    weights = [store.weights_path(name) for name in names]
    row = changed(store, plan.replicas[0])
    spoilt = store.weights(names[1]) | {"params.layers.0.bias": np.full(20, np.nan, np.float32)}
    save_file(spoilt, weights[1])
    weights[2].write_bytes(weights[3].read_bytes())
    store.trace_path(names[3]).unlink()
    wrong = {row, weights[1], weights[2], store.trace_path(names[3])}
    for command in ("status", "table", "query"):
        sql = ["select risk from networks"] if command == "query" else []
        _, _, err = call(command, store.directory, *sql)
        assert f"{row} cannot be used (1 of 4 rows: changed" in err and err.count("\n") == 1
    for path in wrong - {row}:
        with pytest.raises(StoreError, match=path.name):
            store.weights(path.stem), store.trace(path.stem, TRACE)
    again = Quiet()
    run(plan, store.directory, again)
    assert len(again.notes) == 4 and all(any(str(p) in n for n in again.notes) for p in wrong)
    assert len(again.missing) == 4 and store.damaged() == [] and len(notes) == 1
    assert measured(store) == measured(whole[0])
