"""Files that are broken or mean harm: one line that names the file, soon, and nothing written."""

import json
import os
import time
from dataclasses import replace

import jax
import pytest
import tomli_w

from simbias import suites
from simbias._files import read_text
from simbias.claims import load
from simbias.cli import main
from simbias.plots import boundary
from simbias.results import Store
from simbias.results.checksums import of_json
from simbias.results.registrations import _read_batch
from simbias.runner.execute import prepare
from simbias.runner.plan import make_plan
from simbias.tasks import task
from simbias.training.jobs import Job, check_memory, train_jobs
from simbias.validation import measure_grids

SUITE = """
name = "tiny"
summary = "s"
source = "none"
tasks = { noisy-lms-5 = { n_train = 500, method = { name = "sgd" } } }
[presets.SIZE]
summary = "s"
seeds = SEEDS
[[presets.SIZE.cells]]
task = { name = "noisy-lms-5", dim = DIM }
network = { name = "mlp", width = WIDTH }
"""
CLAIM = """
title = "t"
source = "s"
unit = { of = "network", redraws = ["rotation", "data", "initialisation", "order"] }
predicate = { op = "<=", value = 0.01, margin = 0 }
quantifier = { kind = "median" }
effort = { n_certify = 1000, confidence = 0.9999 }
inference = { test = "sign", alpha = 0.05, units = 20, family = "f", correction = "none" }
[population]
task = { name = "noisy-lms-5" }
network = { name = "mlp" }
method = { name = "sgd" }
n_train = 500
"""
RUN = {"suite": "s", "preset": "p", "n_certify": 1, "cells": [], "seeds": [0], "names": []}
NAMELESS = {"task": {}, "network": {}, "method": {}, "stop": {}, "n_train": 1, "batch": 1}
MANY = 1500
ALL_FILES = {  # what no file may be, whatever it should hold
    "nested": "x = " + "[" * 5000 + "]" * 5000,
    "nested tables": "x = " + "{a = " * 2500 + "1" + "}" * 2500,
    "dotted": f"{'a.' * 100}a = 1",
    "dotted without end": f"{'a.' * 100_000}a = 1",
    "digits": f"seeds = {'9' * 6000}",
    "nothing but zeros": "\0" * 1000,
    "Latin-1": "name = 'caf\xe9'".encode("latin-1"),
    "bytes": bytes(range(256)),
    "large": "#" * 20_000_000,
    "no value": "name =",
}


def suite(*, size="a", seeds="1", dim="2", width="8"):
    words = {"SIZE": size, "SEEDS": seeds, "DIM": dim, "WIDTH": width}
    text = SUITE
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def claims(n, head=""):
    heads = (f'[[claim]]\nid = "c{i}"\nquantity = "risk"\n' for i in range(n))
    return head + CLAIM + "".join(heads)


def defined(n):
    each = ", ".join(f"d{i} = '1'" for i in range(n))
    return f"definitions = {{ {each} }}\n"


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The line with which reading a file of some content is refused, soon."""
    monkeypatch.chdir(tmp_path)

    def message(name, content, read):
        path = tmp_path / name
        content = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(content)
        clock = time.perf_counter()
        with pytest.raises(ValueError) as caught:
            read(str(path))
        assert time.perf_counter() - clock < 5  # the quickest take a moment, those before took ever
        printed = str(caught.value)
        assert name in printed and "\n" not in printed and len(printed) < 600
        assert [entry.name for entry in tmp_path.iterdir()] == [name]
        return printed

    return message


def planned(path):
    return make_plan(suites.load(path), "a")


def configured(path):
    return Store(os.path.dirname(path)).config()


@pytest.mark.parametrize("what", ALL_FILES)
@pytest.mark.parametrize(
    ("name", "read"), [("my.toml", planned), ("my.toml", load), ("run.toml", configured)]
)
def test_a_file_that_cannot_be_read_is_named(refused, what, name, read):
    assert "cannot be read" in refused(name, ALL_FILES[what], read)


@pytest.mark.parametrize("what", ["nested", "digits", "Latin-1", "large"])
def test_what_a_claim_said_is_read_with_the_same_care(refused, tmp_path, what):
    content = {"nested": "[" * 5000 + "]" * 5000, "digits": "9" * 6000}.get(what, ALL_FILES[what])

    def read(path):
        return _read_batch(tmp_path / "1.json")

    refused("1.json", content, read)
    entry = {"id": "a", "hash": "b", "family": "c", "correction": "d", "family_size": 1}
    for version in (0, -1, 1e999, "1", True, None, 10**15):
        batch = {"generation": 1, "said": "d", "claims": [entry | {"version": version}]}
        batch["checksum"] = of_json(json.loads(json.dumps(batch)))
        assert "version" in refused("1.json", json.dumps(batch), read)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": "2_000_000_000"}, "presets.a.seeds: got 2000000000"),
        ({"seeds": "-1"}, "presets.a.seeds: got -1"),
        ({"seeds": "9" * 4000}, "presets.a.seeds: got 999"),
        ({"dim": str([*range(2, 1002)]), "width": str([*range(1, 3001)])}, "a product of 3000000"),
        ({"dim": str([*range(2, 202)]), "width": str([*range(1, 200)])}, "a product of 39800"),
        ({"size": '"../../elsewhere"'}, "presets: got '../../elsewhere'"),
        ({"size": '"a/b"'}, "presets: got 'a/b'"),
        ({"size": f'"{"a" * 300}"'}, "presets: got 'aaa"),
    ],
)
def test_a_suite_beyond_all_bounds_is_refused(refused, changes, words):
    assert words in refused("my.toml", suite(**changes), planned)


def test_cells_of_a_suite_are_counted_over_its_presets(refused):
    wide = str([*range(1, 6001)])
    second = suite(size="b", width=wide).split("[presets.b]")[1]
    words = refused("my.toml", suite(width=wide) + "[presets.b]" + second, planned)
    assert "presets.b.cells: got '12000 cells" in words


def test_a_preset_of_more_networks_than_can_be_listed_is_refused(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(suite(width=str([*range(1, 101)])))
    with pytest.raises(ValueError, match="seeds: got '100000 for each of 100 cells'"):
        make_plan(suites.load(str(path)), "a", seeds=100_000)


def test_a_suite_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "my.toml"
    path.write_bytes(b"\xef\xbb\xbf" + suite().encode())
    assert len(planned(str(path)).cells) == 1


def test_claims_and_expressions_of_a_file_are_counted(refused):
    assert len(claims(20_000)) > 600_000
    for text in (
        claims(MANY),
        claims(20_000),
        claims(1, defined(40_000)),
        claims(900, defined(30)),
        claims(1, f"each = {{ i = {[*range(MANY)]} }}\n"),
    ):
        words = refused("my.toml", text, load)
        assert "allowed: at most 1000" in words
    assert "allowed: at most 200 characters" in refused(
        "my.toml", claims(1, f"each = {{ i = ['{'x' * 500_000}'] }}\n"), load
    )


@pytest.mark.parametrize(
    "many, seconds", [(100, 4), pytest.param(1000, 20, marks=pytest.mark.slow)]
)
@pytest.mark.thorough
def test_as_many_claims_as_are_allowed_take_seconds(many, seconds, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "draws", task._traced)  # once a claim, as elsewhere
    path = tmp_path / "my.toml"
    path.write_text(claims(many))
    clock = time.process_time()  # not the wall's: other processes may have the cores
    assert len(load(str(path))) == many
    assert time.process_time() - clock < seconds


@pytest.mark.parametrize("text", ["(" * 5000 + "risk" + ")" * 5000, "-" * 5000 + "risk", "[" * 400])
def test_a_claim_nested_without_end_is_refused(refused, text):
    claim_file = claims(1).replace('"risk"', f"'''{text}'''")
    assert "quantity: got" in refused("my.toml", claim_file, load)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": ["a", -1]}, "seeds: got 'a'"),
        ({"seeds": [-1]}, "seeds: got -1"),
        ({"seeds": [1, 1]}, "seeds: got [1, 1]"),
        ({"seeds": [True]}, "seeds: got True"),
        ({"n_certify": -5}, "n_certify: got -5"),
        ({"names": [{"cell": 1, "published": {}}]}, "key 'names' is odd"),
        ({"names": [{"cell": "c", "published": {"risk": "x"}}]}, "key 'names' is odd"),
        ({"cells": [{}]}, "key 'cells' is odd"),
        ({"cells": [NAMELESS]}, "key 'cells' is odd"),
        ({"cells": [NAMELESS | {"task": {"name": "ms-7"}, "batch": "b"}]}, "key 'cells' is odd"),
    ],
)
@pytest.mark.parametrize("verb", ["status", "table", "plot", "bounds", "query"])
def test_a_run_that_says_odd_things_is_named(tmp_path, capsys, changes, words, verb):
    path = tmp_path / "run.toml"
    path.write_text(tomli_w.dumps(RUN | changes))
    assert main([verb, str(tmp_path), *(["select 1"] if verb == "query" else [])]) == 2
    printed = capsys.readouterr()
    assert not printed.out and printed.err.count("\n") == 1 and f"{path}: {words}" in printed.err


@pytest.mark.parametrize("kind", ["directory", "pipe", "device", "dangling"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "my.toml"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "dangling":
            path.symlink_to("nowhere")
    for read in (suites.load, load):
        with pytest.raises(ValueError, match="my.toml cannot be read: no"):
            read(str(path))
    with pytest.raises(ValueError, match="cannot be read: no"):
        read_text("it", path)
    assert main(["info", str(path)]) == 2
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["my.toml"]


def test_an_override_nested_without_end_is_named(capsys):
    deep = "[" * 5000 + "]" * 5000
    assert main(["run", "pitfalls", "--dry-run", "--set", f"task.dim={deep}"]) == 2
    assert capsys.readouterr().err.startswith("simbias: set: got 'task.dim=[[[[")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("n_train=2000000000", "n_train: got 2000000000"),
        ("network.width=1000000", "network: got '(1000000,2)'"),
        pytest.param("task.dim=100000", "dim: got 100000", marks=pytest.mark.slow),
    ],
)
def test_what_does_not_fit_the_memory_is_refused_before_it_is_taken(
    tmp_path, capsys, monkeypatch, change, words
):
    monkeypatch.setattr("simbias._memory.host_memory", lambda: 16e9)
    sets = [change, "network.depth=2", "stop.max_updates=40"]
    line = ["run", "pitfalls", "--preset", "smoke", "--seeds", "1", "--set", *sets]
    assert main([*line, "--out", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and f"{words}, allowed: what fits into 16 GB" in printed
    assert not list(tmp_path.rglob("*.toml"))
    assert main([*line, "--dry-run"]) == 0  # it may be meant for another machine


def test_a_cell_that_does_not_fit_stops_a_run_only_where_none_does(tmp_path, monkeypatch):
    monkeypatch.setattr("simbias._memory.host_memory", lambda: 5e7)
    path = tmp_path / "my.toml"
    path.write_text(suite(dim="50", width="[8, 100000]"))
    plan = planned(str(path))
    prepare(plan, Store(tmp_path / "run", create=True))
    small, large = plan.cells
    with pytest.raises(ValueError, match=r"network: got '\(100000,1\)', allowed: what fits"):
        train_jobs([Job(large, 0)])
    check_memory(small, 1)
    alone = replace(plan, cells=(large,), published=({},))
    with pytest.raises(ValueError, match=r"network: got '\(100000,1\)', allowed: what fits"):
        prepare(alone, Store(tmp_path / "other", create=True))
    assert not (tmp_path / "other").exists()


def test_grids_and_samples_that_do_not_fit_are_refused(trained, cell):
    with pytest.raises(ValueError, match="rows: got 2000000000, allowed: what fits"):
        cell.task.sample(jax.random.key(0), 2_000_000_000)
    with pytest.raises(ValueError, match="resolution: got 2000000, allowed: what fits"):
        boundary(trained, resolution=2_000_000)
    with pytest.raises(ValueError, match="resolution: got 2000000, allowed: what fits"):
        measure_grids(trained, resolution=2_000_000)
