"""The command line as a process: Ctrl-C at any moment, closed, full and ASCII-only streams."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import simbias
from simbias.results.store import Store

SIMBIAS = [sys.executable, "-m", "simbias"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(simbias.__file__).parents[1])}
SMALL = ["run", "pitfalls", "--preset", "smoke", "--seeds", "1", "--n-certify", "2000", "--set"]
SMALL += ["n_train=500", "network.width=10", "network.depth=1", "stop.max_updates=100"]


def shell(command, **environment):
    """Run a shell command in which ``simbias`` is this package's."""
    program = f"simbias() {{ '{sys.executable}' -m simbias \"$@\"; }}; {command}"
    return subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env=ENVIRONMENT | environment
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A run directory of no networks."""
    store = Store(tmp_path_factory.mktemp("process") / "run", create=True)
    words = {"suite": "s", "preset": "p", "n_certify": 1, "cells": [], "seeds": [0], "names": []}
    store.prepare(words)
    return store.directory


def test_the_module_is_the_program():
    done = shell("simbias --version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"simbias {simbias.__version__}\n",
        "",
    )
    assert shell("simbias frobnicate").stderr.count("\n") == 1


def test_usage_errors_are_plain_on_a_terminal_too():
    leader, terminal = os.openpty()
    command = [*SIMBIAS, "run", "pitfalls", "--bogus", "3"]
    done = subprocess.run(
        command, env=ENVIRONMENT, stdout=terminal, stderr=subprocess.PIPE, text=True
    )
    os.close(terminal), os.close(leader)
    assert done.returncode == 2
    assert done.stderr == "simbias: Unrecognized options: --bogus, 3\n"


@pytest.mark.slow
def test_nothing_is_printed_into_a_file_opened_in_place_of_a_closed_stream(tmp_path):
    out = tmp_path / "run"
    assert shell(f"simbias {' '.join(SMALL)} --out {out} <&- >&- 2>&-").returncode == 0
    done = shell(f"simbias table {out}")
    assert done.returncode == 0 and not done.stderr  # nothing is damaged
    assert done.stdout.count("(10,1)") == 2


@pytest.mark.parametrize(
    "closed", ["<&- >&- 2>&-", *(pytest.param(x, marks=pytest.mark.slow) for x in (">&-", "2>&-"))]
)
@pytest.mark.thorough
def test_closed_streams_are_no_failure(directory, closed):
    done = shell(f"simbias query {directory} 'select 1' {closed} && simbias --help {closed}")
    assert done.returncode == 0 and not done.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.thorough
def test_signs_that_the_output_lacks_are_spelled(directory, environment):
    text = "'0.5 ' || chr(177) || '0.1 ' || chr(8230) || chr(128512)"
    done = shell(f'simbias query {directory} "select {text} as é"', **environment)
    assert done.returncode == 0 and not done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines == ["\\xe9", "0.5 +-0.1 ...\\U0001f600"]


@pytest.mark.slow
def test_paths_that_are_no_text_are_printed_as_they_are(directory, tmp_path):
    odd = os.fsencode(tmp_path) + b"/\xff.tex"
    command = [*SIMBIAS, "export", directory, "--format", "latex", "--out", odd]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, odd + b"\n", b"")


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_failure(directory):
    for verb in ("list", f"query {directory} 'from range(20000)'"):
        done = shell(f"simbias {verb} | head -1; echo ${{PIPESTATUS[0]}}")
        assert done.stdout.splitlines()[-1] == "0" and not done.stderr


@pytest.mark.thorough
def test_a_full_device_is_one_line(directory):
    for verb in ("list", f"query {directory} 'from range(20000)'"):
        done = shell(f"simbias {verb} > /dev/full")
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "standard output: No space left on device" in done.stderr
    done = shell("simbias frobnicate 2> /dev/full")
    assert done.returncode == 2


def interrupted(arguments, seconds, directory):
    """Exit code and error lines of a command line stopped some seconds after it took over."""
    code = (
        "import runpy, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from simbias._process import begin\n"
        "begin(), print(flush=True)\n"
        "runpy.run_module('simbias', run_name='__main__', alter_sys=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    child.stdout.readline()
    time.sleep(seconds)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate()
    return child.returncode, errors


def test_ctrl_c_among_the_imports_is_one_line(tmp_path):
    code, errors = interrupted([*SMALL, "--out", "run"], 0.3, tmp_path)
    assert code == 1 and errors.count("\n") == 1 and "--out run" in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "pitfalls", "--preset", "smoke", "--out", "run"],
        ["claims", "run", "conclusion-2", "--out", "claims"],
        ["doctor"],
    ],
)
def test_ctrl_c_at_any_moment_is_one_line_and_exit_code_1(tmp_path, arguments):
    choose = random.Random(0)
    for _ in range(15):
        seconds = choose.uniform(0, 3)
        code, errors = interrupted(arguments, seconds, tmp_path)
        if code == 0 and arguments == ["doctor"]:
            continue  # it had ended
        assert code == 1, (seconds, errors)
        assert errors.count("\n") == 1 and "stopped" in errors, (seconds, errors)
