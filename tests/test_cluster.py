"""Work units and leases: whoever computes, the directory holds the same rows."""

import os
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager

import jax
import numpy as np
import pytest
from quiet import Quiet
from tiny_suite import rows

from simbias import suites
from simbias.results import Store, StoreError
from simbias.results import unit_lease as leases
from simbias.results.unit_lease import held, leased
from simbias.runner import dispatch, executors, work_units
from simbias.runner.execute import check_same, execute, prepare
from simbias.runner.plan import make_plan

SUITE = """
name = "tiny"
summary = "two networks that the examples of docstrings train, too"
source = "none"

[tasks.noisy-lms-5]
n_train = 1000
method = { name = "sgd" }

[presets.only]
summary = "one size"
seeds = 2
n_certify = 5000
stop = { max_updates = 200 }
cells = [{ task = { name = "noisy-lms-5", dim = 4 }, network = { name = "mlp", width = 8 } }]
"""


class Here(Executor):
    """Computes at once in this process, unless ``before`` raises."""

    def __init__(self, before):
        self.before = before

    def submit(self, function, /, *arguments, **options):
        self.before()
        future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


def fine():
    pass


def opened(before=fine):
    @contextmanager
    def open_workers():
        yield executors.Workers(Here(before), lambda: 1, lambda: True)

    return open_workers


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "tiny.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def plan(file):
    return make_plan(suites.load(str(file)), "only")


def begun(plan, directory):
    store = Store(directory, create=True)
    prepare(plan, store)
    return store


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    """What a run in this process makes."""
    store = begun(plan, tmp_path_factory.mktemp("whole") / "run")
    assert execute(plan, store, Quiet()) == ["done", "done"]
    return rows(store)


@pytest.fixture
def quick(monkeypatch):
    """Units of one replica, and no waiting."""
    monkeypatch.setattr(work_units, "_MOST", 1)
    monkeypatch.setattr(dispatch, "_PAUSE", 0.01)
    monkeypatch.setattr(dispatch, "_GATHER", 0.0)


def run(plan, store, open_workers, reporter=None):
    cores = len(jax.devices())  # JAX has started
    return dispatch.dispatch(plan, store, reporter or Quiet(), open_workers, cores=cores)


def test_units_depend_on_the_group_alone(plan):
    (group,) = plan.groups
    (unit,) = work_units.units_of(group)
    assert unit.replicas == tuple(group)
    assert unit == next(work_units.units_of(list(group)))
    assert unit.name != next(work_units.units_of(group[:1])).name
    more = make_plan(suites.load("mitigation"), "standard")
    for group in more.groups:
        units = list(work_units.units_of(group))
        assert [replica for unit in units for replica in unit.replicas] == group
        assert len({unit.name for unit in units}) == len(units)


def test_units_give_the_rows_of_a_run_in_one_process(plan, whole, tmp_path, quick):
    store, reporter = begun(plan, tmp_path / "run"), Quiet()
    assert run(plan, store, opened(), reporter) == ["done", "done"]
    assert rows(store) == whole
    assert [(row["status"], row["reason"]) for row in reporter.rows] == [("done", "")] * 2
    assert not list((store.directory / leases.FOLDER).iterdir())
    for unit in work_units.units_of(plan.groups[0]):  # as processes leave them that are killed
        (store.directory / leases.FOLDER / unit.name).write_bytes(b"")
    assert run(plan, store, opened(pytest.fail)) == ["done", "done"]  # nothing is left to do
    assert not list((store.directory / leases.FOLDER).iterdir())


def test_what_is_lost_is_handed_out_again(plan, whole, tmp_path, quick):
    answers = iter([BrokenExecutor("a process died"), None, RuntimeError("killed"), None, None])

    def before():
        error = next(answers)
        if error is not None:
            raise error

    class Loses(Here):
        def submit(self, function, /, *arguments, **options):
            try:
                return super().submit(function, *arguments, **options)
            except RuntimeError as error:
                if isinstance(error, BrokenExecutor):
                    raise
                future = Future()
                future.set_exception(error)
                return future

    @contextmanager
    def open_workers():
        yield executors.Workers(Loses(before), lambda: 1, lambda: True)

    store = begun(plan, tmp_path / "run")
    assert run(plan, store, open_workers) == ["done", "done"]
    assert rows(store) == whole
    assert next(answers) is None  # the last was not needed


def test_a_unit_is_not_given_up_for_the_schedulers_that_are_lost(plan, whole, tmp_path, quick):
    lost = iter("cancelled away cancelled away cancelled cancelled away".split())
    away = []

    class Cancels(Here):
        def submit(self, function, /, *arguments, **options):
            what = next(lost, None)
            if what is None:
                return super().submit(function, *arguments, **options)
            future = Future()
            if what == "cancelled":
                future.cancel()
                future.set_running_or_notify_cancel()
            else:
                away.append(future)
            return future

    @contextmanager
    def open_workers():
        away.clear()
        yield executors.Workers(Cancels(lambda: None), lambda: 1, lambda: not away)

    store = begun(plan, tmp_path / "run")
    assert run(plan, store, open_workers) == ["done", "done"]
    assert rows(store) == whole
    assert next(lost, None) is None


def test_a_scheduler_that_dies_is_no_error_of_the_launcher(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    refused = iter([OSError("reset"), OSError("closed"), None])

    class Client:
        status = "running"

        def __init__(self, *_, **__):
            error = next(refused)
            if error is not None:
                raise error

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def nthreads(self):
            raise OSError("closed")

        def get_executor(self, pure):
            return None

    monkeypatch.setattr(distributed, "Client", Client)
    monkeypatch.setattr(executors, "_answered", set())
    with executors.open_workers("tcp://127.0.0.1:9", tmp_path) as workers:
        with pytest.raises(BrokenExecutor):
            workers.room()


def test_answers_are_not_trusted(plan, tmp_path, quick, monkeypatch):
    lie = work_units.Answer(False, [], {})
    monkeypatch.setattr(work_units, "compute", lambda unit: lie)
    store, reporter = begun(plan, tmp_path / "run"), Quiet()
    assert run(plan, store, opened(), reporter) == ["error", "error"]
    assert {row["reason"] for row in reporter.rows} == {"its worker was lost 3 times"}


def test_why_a_worker_is_lost_each_time_is_told(plan, tmp_path, quick, monkeypatch):
    def breaks(unit):
        raise ImportError("no module of that name")

    monkeypatch.setattr(work_units, "compute", breaks)
    store, reporter = begun(plan, tmp_path / "run"), Quiet()
    assert run(plan, store, opened(), reporter) == ["error", "error"]
    reason = "its worker was lost 3 times (ImportError: no module of that name)"
    assert {row["reason"] for row in reporter.rows} == {reason}


def test_a_unit_is_not_given_up_while_its_checkpoint_moves(
    plan, whole, tmp_path, quick, monkeypatch
):
    computes, calls = work_units.compute, []

    def runs_out_of_time(unit):
        calls.append(unit)
        if len(calls) > 7:
            return computes(unit)
        store.write_checkpoint(unit["replicas"][0][2], {"updates": np.array([len(calls)])})
        raise TimeoutError("the job's time was over")

    monkeypatch.setattr(work_units, "compute", runs_out_of_time)
    store = begun(plan, tmp_path / "run")
    assert run(plan, store, opened()) == ["done", "done"]
    assert rows(store) == whole


def test_a_failure_is_a_row_with_its_reason(plan, tmp_path, quick, monkeypatch):
    def fails(self, replicas):
        raise MemoryError("no room")

    monkeypatch.setattr(work_units.GroupRun, "_run", fails)
    store, reporter = begun(plan, tmp_path / "run"), Quiet()
    assert run(plan, store, opened(), reporter) == ["error", "error"]
    assert {row["reason"] for row in reporter.rows} == {"MemoryError: no room"}


def test_a_unit_that_another_launcher_computes_is_left_to_it(plan, whole, tmp_path, quick):
    store = begun(plan, tmp_path / "run")
    unit = next(work_units.units_of(plan.groups[0]))
    with leased(store.directory, unit.name) as own:
        assert own
        told = work_units.message(unit, plan, store.directory)
        assert work_units.compute(told).leased and not store.known()
        thread = threading.Timer(0.2, (store.directory / leases.FOLDER / unit.name).unlink)
        thread.start()
        assert run(plan, store, opened()) == ["done", "done"]
        thread.join()
    assert rows(store) == whole


def test_a_full_disk_ends_the_run(plan, tmp_path, quick, monkeypatch):
    def full(self, replicas):
        raise StoreError("cannot write run/weights: no space left")

    monkeypatch.setattr(work_units.GroupRun, "_run", full)
    with pytest.raises(StoreError, match="no space"):
        run(plan, begun(plan, tmp_path / "run"), opened())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": {"simbias": "9.9", "keys": "1"}}, r"a worker of simbias .*, allowed: .*9\.9"),
        ({"directory": "elsewhere"}, "DIR"),
        ({"run": {"suite": "other", "preset": "only", "n_certify": 5000}}, "sees another run"),
        ({"replicas": [(0, 0, "0" * 16)]}, "is another cell for a worker"),
    ],
)
def test_a_worker_that_would_compute_something_else_refuses(plan, tmp_path, change, words):
    store = begun(plan, tmp_path / "run")
    unit = next(work_units.units_of(plan.groups[0]))
    told = work_units.message(unit, plan, store.directory)
    with pytest.raises(ValueError, match=words) as caught:
        work_units.compute(told | change)
    assert "\n" not in str(caught.value) and not store.known()


def test_a_lease_that_nobody_renews_is_taken_over(tmp_path):
    path = tmp_path / leases.FOLDER / "unit"
    with leased(tmp_path, "unit") as first:
        assert first and held(tmp_path, "unit")
        with leased(tmp_path, "unit") as second:
            assert not second
        old = time.time() - 2 * leases.PATIENCE
        os.utime(path, (old, old))
        assert not held(tmp_path, "unit")
        with leased(tmp_path, "unit") as third:
            assert third
            mine = path.read_bytes()
    assert not path.exists()
    for left in (b"", b"[]", mine.replace(b'"pid": ', b'"pid": 4999')):  # of a dead process
        path.write_bytes(left)
        assert not held(tmp_path, "unit")
        with leased(tmp_path, "unit") as own:
            assert own
    assert not list(path.parent.iterdir())


def test_a_lease_is_renewed_while_the_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "RENEWED", 0.01)
    path = tmp_path / leases.FOLDER / "unit"
    with leased(tmp_path, "unit"):
        os.utime(path, (1, 1))
        end = time.monotonic() + 10
        while path.stat().st_mtime == 1 and time.monotonic() < end:
            time.sleep(0.01)
        assert held(tmp_path, "unit")


def test_two_launchers_of_different_runs_do_not_make_one_directory(plan, file, tmp_path):
    other = make_plan(suites.load(str(file)), "only", overrides=["task.dim=5"])
    first, second = (Store(tmp_path / "run", create=True) for _ in range(2))
    second.config()  # none yet
    prepare(plan, first)
    second._config = (), {}
    with pytest.raises(ValueError, match="out: .* holds a run of tiny --preset only"):
        prepare(other, second)
    check_same(plan, second)
