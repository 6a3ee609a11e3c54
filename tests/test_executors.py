"""Executors by their words: what is refused, what Slurm is asked for, and that each goes on."""

import os
import re
import subprocess
from shutil import which

import alone
import pytest
from command_line import call
from tiny_suite import rows, tiny_suite

from simbias.results import Store
from simbias.runner import executors


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "tiny.toml"
    path.write_text(tiny_suite([4], 2))
    return path


@pytest.mark.parametrize(
    "words",
    ["", "4", "processes", "processes:0", "processes:99999", "dask:4", "tcp://host", "tcp://a:b"],
)
def test_words_that_name_no_executor_are_refused_before_anything_is_written(words, file, tmp_path):
    with pytest.raises(ValueError, match="cluster: got .*allowed: processes:N"):
        executors.check(words)
    out = tmp_path / "run"
    code, _, err = call("run", file, "--preset", "only", "--out", out, "--cluster", words)
    assert code == 2 and "--cluster" in err or "cluster: got" in err
    assert not out.exists()


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "SECONDS", 0.3)
    with pytest.raises(ValueError, match=re.escape("cluster: got 'tcp://127.0.0.1:9'")):
        with executors.open_workers("tcp://127.0.0.1:9", tmp_path):
            pass


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    with pytest.raises(ValueError, match=r"pip install 'simbias\[cluster\]'"):
        with executors.open_workers("slurm:2", tmp_path):
            pass


def test_slurm_is_missed_in_one_line(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="cluster: got 'slurm:2', allowed: a machine with"):
        with executors.open_workers("slurm:2", tmp_path):
            pass


@pytest.mark.thorough
def test_a_job_of_slurm_asks_for_its_cores_and_for_no_time_limit(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    asked = tmp_path / "asked"
    commands = {
        "sbatch": f"cp $1 {asked}; echo Submitted batch job 1",
        "sacct": "echo 'JobID|State|NodeList'; echo '1|CANCELLED|'",
        "srun": "",
        "scancel": "",
    }
    for name, does in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with executors.open_workers("slurm:1", tmp_path / "run", 3) as workers:
        job = workers.executor.submit(sum, (1, 2))
        assert job.exception(60) is not None  # cancelled
    lines = asked.read_text().splitlines()
    assert "#SBATCH --cpus-per-task=3" in lines
    assert not [line for line in lines if line.startswith("#SBATCH --time")]


@pytest.fixture(scope="module")
def six(file, tmp_path_factory):
    """What a run in one process makes of six seeds."""
    out = tmp_path_factory.mktemp("six") / "run"
    alone.simbias("run", file, "--preset", "only", "--seeds", 6, "--out", out, "--cores", 1)
    return rows(Store(out))


@pytest.mark.slow
@pytest.mark.parametrize(
    "places",
    [
        ["processes:2", "processes:2", "processes:2"],
        ["", "local:4", "submitit:1"],
        ["submitit:1", "", "local:2"],
        ["slurm:2", "", "slurm:1"],
    ],
    ids=" ".join,
)
def test_every_executor_goes_on_with_a_run_of_another(places, file, six, tmp_path):
    pytest.importorskip("distributed")
    pytest.importorskip("submitit")
    if "slurm:2" in places and (which("sinfo") is None or subprocess.run(["sinfo"]).returncode):
        pytest.skip("no Slurm answers")
    out = tmp_path / "run"
    for seeds, where in zip((2, 4, 6), places, strict=True):
        words = ("run", file, "--preset", "only", "--seeds", seeds, "--out", out)
        alone.simbias(*words, *(("--cluster", where) if where else ("--cores", 1)))
        assert len(Store(out).known()) == seeds
    assert rows(Store(out)) == six
