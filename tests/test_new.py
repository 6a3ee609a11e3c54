"""What `simbias new` writes works as it is; what it does not write, it says in one line."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import call

import simbias
from simbias import suites
from simbias.runner.plan import make_plan

HOME = str(Path(simbias.__file__).parents[1])
# a package's entry points as pip would leave them, and command lines in one process
INSTALL = "[simbias.methods]\nmine-too = mine_too.method:mine_too\n"
INSTALL += "[simbias.suites]\nmine-too = mine_too:suite.toml\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_suite_is_one_that_the_runner_plans(here):
    assert call("new", "suite", "my-suite") == (0, "my-suite.toml\n", "")
    plan = make_plan(suites.load("my-suite.toml"), "smoke")
    assert [cell.network.label for cell in plan.cells] == ["(8,1)", "(16,1)"]
    assert len(plan.replicas) == 4


def test_a_new_claim_can_be_judged_and_decided(here):
    assert call("new", "claim", "mine") == (0, "mine.toml\n", "")
    code, out, err = call("claims", "check", "mine.toml")
    assert (code, err) == (0, "") and "P(risk <= 0.25) >= 0.5" in out


def test_a_new_plugin_names_what_it_holds(here):
    code, out, err = call("new", "plugin", "mine-too")
    assert (code, err) == (0, "") and len(out.splitlines()) == 4
    project = tomllib.loads((here / "mine-too" / "pyproject.toml").read_text())["project"]
    for kind, points in project["entry-points"].items():
        lines = INSTALL.partition(f"[{kind}]\n")[2].splitlines()
        assert [f"{name} = {place}" for name, place in points.items()] == lines[:1]
    for path in (here / "mine-too").rglob("*.*"):
        assert not any(word in path.read_text() for word in ("NAME", "MODULE", "TITLE"))


@pytest.mark.parametrize(
    "words, asked",
    [
        (("suit", "mine"), "nearest: suite"),
        (("suite", "Mine"), "name: got 'Mine'"),
        (("suite", "../mine"), "name: got '../mine'"),
        (("suite", "mine.toml"), "small letters"),
        (("task", "class"), "name: got 'class'"),
        (("plugin", "simbias"), "name: got 'simbias'"),
        (("task", "json"), "no module"),
        (("claim", "there"), "which is there already"),
        (("plugin", "there-too"), "which is there already"),
    ],
)
def test_bad_names_and_files_that_exist_are_one_line_and_nothing_is_written(here, words, asked):
    (here / "there.toml").touch()
    (here / "there-too").touch()
    code, out, err = call("new", *words)
    assert code == 2 and not out and err.count("\n") == 1 and asked in err, err
    assert {path.name for path in here.iterdir()} == {"there.toml", "there-too"}


@pytest.mark.slow
def test_what_is_new_runs(here):
    for kind, name in (("suite", "s"), ("claim", "c"), ("task", "mine"), ("plugin", "mine-too")):
        assert call("new", kind, name)[0] == 0
    info = here / "mine-too" / "mine_too-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine-too\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(INSTALL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here / "mine-too"), HOME])}

    def python(*words):
        line = [sys.executable, "-W", "error:left out:UserWarning", *words]
        done = subprocess.run(line, env=environment, cwd=here, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert python("mine.py").count("risk") == 2
    for suite, out in (("s.toml", "of-suite"), ("mine-too", "of-plugin")):
        python("-m", "simbias", "run", suite, "--preset", "smoke", "--out", out, "--cores", "1")
        query = ["query", out, "SELECT status FROM networks", "--format", "json"]
        assert json.loads(python("-m", "simbias", *query)) == [{"status": "done"}] * 4
    judged = python("-m", "simbias", "claims", "run", "c.toml", "--out", "said", "--cores", "1")
    assert "c, version 1" in judged and ("supported" in judged or "refuted" in judged)
    python("-m", "simbias", "report", "said", "of-suite", "--cores", "1", "--out", "page.html")
