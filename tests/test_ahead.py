"""Programs that are compiled ahead: the same ones, in other threads, and nothing hangs on them."""

import threading
from types import SimpleNamespace

import jax
import pytest
from quiet import Quiet

from simbias import suites
from simbias.experiments import Replica
from simbias.results import Store
from simbias.runner import ahead, execute
from simbias.runner.plan import make_plan

SUITE = """
name = "tiny"
summary = "two compiled groups"
source = "none"

[tasks.noisy-lms-5]
n_train = 1000
method = { name = "sgd", learning_rate = 0.1 }

[presets.only]
summary = "one size"
seeds = 3
n_certify = 2000
stop = { max_updates = 200 }

[[presets.only.cells]]
task = { name = "noisy-lms-5", dim = 4 }
network = { name = "mlp", width = [10, 11] }
"""
COMPILED = []  # names of functions, and the thread that compiled them
ROWS = "SELECT cell, seed, updates, train_loss, risk, s_randomised_auc FROM networks ORDER BY ALL"
OWN = {"jit(program)", "jit(_started)"}  # of a group: what is trained and counted, what is made


def note(event, seconds, **more):
    if event.endswith("backend_compile_duration"):
        COMPILED.append((more.get("fun_name"), threading.current_thread()))


def rows_of_a_run(plan, directory):
    store = Store(directory, create=True)
    execute.prepare(plan, store)
    assert set(execute.execute(plan, store, Quiet())) == {"done"}
    return store.query(ROWS)[1]


@pytest.mark.thorough
def test_groups_find_the_programs_that_were_compiled_ahead_and_rows_stay(tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(SUITE)
    plan = make_plan(suites.load(str(tmp_path / "tiny.toml")), "only")
    assert len(plan.groups) == 2
    monkeypatch.setattr(execute._programs, "group_ended", lambda group: None)
    monkeypatch.setattr(ahead._programs, "kept", lambda: True)
    jax.monitoring.register_event_duration_secs_listener(note)
    COMPILED.clear()
    rows = rows_of_a_run(plan, tmp_path / "ahead")
    compilers = {name: set() for name in OWN}
    for name, thread in COMPILED:
        compilers.get(name, set()).add(thread is threading.main_thread())
    assert compilers == {name: {False} for name in OWN}
    assert [name for name, _ in COMPILED].count("jit(program)") == 4
    COMPILED.clear()
    monkeypatch.setattr(ahead._programs, "kept", lambda: False)
    assert rows_of_a_run(plan, tmp_path / "alone") == rows
    assert not OWN & {name for name, _ in COMPILED}  # the same programs


def begun(monkeypatch, *programs):
    """What is handed to threads in place of the programs of a group."""
    given = SimpleNamespace(programs=lambda replicas, n_certify: programs)
    monkeypatch.setattr(ahead, "experiment_of", lambda cell: given)
    return [[Replica("cell", 0)]], 1000


def test_what_fails_in_a_thread_is_left_for_the_group_to_meet(monkeypatch):
    monkeypatch.setattr(ahead._programs, "kept", lambda: True)
    threads = []
    programs = (lambda: 1 / 0, lambda: threads.append(threading.current_thread()))
    with ahead.compiling_ahead() as compiling:
        compiling.begin(*begun(monkeypatch, *programs))
        compiling.finish()
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


def test_who_asks_to_stop_waits_for_nothing_that_has_not_begun(monkeypatch):
    monkeypatch.setattr(ahead._programs, "kept", lambda: True)
    monkeypatch.setattr(ahead, "threads", lambda: 2)
    released, ran = threading.Event(), []
    programs = (released.wait, released.wait, lambda: ran.append(True))
    with ahead.compiling_ahead() as compiling:
        compiling.begin(*begun(monkeypatch, *programs))
        compiling.finish(interrupted=[True])
        threading.Timer(0.1, released.set).start()
    assert not ran


@pytest.mark.parametrize("threads, kept", [(1, True), (2, False)])
def test_nothing_is_compiled_ahead_on_one_core_or_where_programs_are_not_kept(
    threads, kept, monkeypatch
):
    monkeypatch.setattr(ahead._programs, "kept", lambda: kept)
    monkeypatch.setattr(ahead, "threads", lambda: threads)
    ran = []
    with ahead.compiling_ahead() as compiling:
        compiling.begin(*begun(monkeypatch, lambda: ran.append(True)))
        compiling.finish()
    assert not ran


def test_programs_are_kept_where_jax_may_write_them(monkeypatch):
    kept = {
        "jax_enable_compilation_cache": True,
        "jax_compilation_cache_dir": "somewhere",
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    without = [
        {"jax_enable_compilation_cache": False},
        {"jax_compilation_cache_dir": None},
        {"jax_persistent_cache_min_compile_time_secs": float("inf")},  # it may be read alone
    ]
    for change in [{}, *without]:
        monkeypatch.setattr(jax, "config", SimpleNamespace(values=kept | change))
        assert ahead._programs.kept() is (change == {})
