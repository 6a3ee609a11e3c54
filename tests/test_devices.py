"""Setting JAX up: the cache of compiled programs, and the answers to a late or a wrong call."""

import os
import subprocess
import sys

import pytest

import simbias
from simbias import _devices

TRAIN = """
import sys, time
import simbias
simbias.configure(2)
import jax
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
stack = simbias.train(
    simbias.tasks.get("lms-5", dim=4), simbias.MLP(8, 1), simbias.sgd(), n_train=64, batch=16,
    stop=simbias.Stop(max_updates=100, check_every=10), n_select=16,
)
print(float(abs(stack.params["layers"][0]["kernel"]).sum()))
print(sum(name.endswith("compilation_cache/cache_hits") for name in hits))
"""


def trained(**environment):
    """The sum of trained weights, and how many programs came from the cache, in a new process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAIN],
        env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "true"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    weights, hits = done.stdout.split()
    return float(weights), int(hits)


def test_a_second_process_finds_the_programs_compiled_and_trains_the_same_network(tmp_path):
    cold = trained(XDG_CACHE_HOME=str(tmp_path))
    kept = list(tmp_path.glob("simbias/compiled/*/*"))
    warm = trained(XDG_CACHE_HOME=str(tmp_path))
    assert kept
    assert warm[1] > cold[1]  # even a cold process may meet one program twice
    assert warm[0] == cold[0]


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path):
    (tmp_path / "file").write_text("no directory")
    blocked = trained(XDG_CACHE_HOME=str(tmp_path / "file"))
    elsewhere = trained(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "mine"))
    assert blocked[0] == elsewhere[0]
    assert blocked[1] == 0
    assert list((tmp_path / "mine").iterdir())


def test_the_folder_names_the_processor_and_the_libraries(monkeypatch):
    here = _devices.cache_directory()
    monkeypatch.setattr(_devices, "_features", lambda: "another processor")
    assert _devices.cache_directory() != here
    monkeypatch.undo()
    monkeypatch.setattr(_devices, "version", lambda name: "0.0.1")
    assert _devices.cache_directory() != here


def test_a_late_call_that_asks_for_other_devices_is_refused():
    simbias.configure(2)
    with pytest.raises(RuntimeError):
        simbias.configure(3)


@pytest.mark.parametrize("cores", (0, -1, 1.5, True))
def test_bad_core_counts_are_answered_in_one_line(cores):
    with pytest.raises(ValueError, match="^cores: got"):
        simbias.configure(cores)
