"""What comes out of a run for other eyes and programs: wide rows, CSV, JSON, standard output."""

import csv
import hashlib
import io
import json

import duckdb
import pytest

from simbias.cli import main
from simbias.experiments.classify import NETWORKS
from simbias.results.store import Store

RUN = {"suite": "s", "preset": "p", "n_certify": 1, "cells": [], "seeds": [0, 1], "names": []}


@pytest.fixture(scope="module")
def directory(tmp_path_factory, cell):
    store = Store(tmp_path_factory.mktemp("query") / "run", create=True)
    store.prepare(RUN)
    for seed in (0, 1):
        row = {"suite": "s", "cell": "c", "seed": seed, "status": "done", "reason": 'a, "b"\nc'}
        name = hashlib.sha256(f"{cell.identity}|{seed}".encode()).hexdigest()[:16]
        store.write(
            "networks", name, row | {"risk": 0.25 + seed, "network": "n", "settings": cell.identity}
        )
    return store.directory


@pytest.fixture
def query(directory, capsys):
    def ask(sql, *options):
        assert main(["query", str(directory), sql, *options]) == 0
        return capsys.readouterr().out

    return ask


def test_rows_that_do_not_fit_are_lists_of_their_values(query):
    blocks = query("select * from networks order by seed").split("\n\n")
    for seed, block in enumerate(blocks):
        pairs = [line.split() for line in block.splitlines()]
        assert all(pair in pairs for pair in (["cell", "c"], ["seed", str(seed)], ["network", "n"]))
    assert len(blocks) == 2


def test_rows_that_fit_are_a_table(query):
    text = query("select seed, risk from networks order by seed")
    assert [line.split() for line in text.splitlines()] == [
        ["seed", "risk"],
        ["0", "0.25"],
        ["1", "1.25"],
    ]


def test_names_are_told_where_there_are_no_rows(query):
    assert query("select seed, risk from networks where seed = 7").split() == ["seed", "risk"]
    every = [column.name for column in NETWORKS]
    assert query("select * from networks where seed = 7").split() == every


def test_csv_has_a_head_and_is_read_back(query):
    text = query(
        "select seed, reason, risk, 'nan'::double as none from networks", "--format", "csv"
    )
    head, *rows = csv.reader(io.StringIO(text))
    assert head == ["seed", "reason", "risk", "none"]
    assert sorted(rows) == [["0", 'a, "b"\nc', "0.25", ""], ["1", 'a, "b"\nc', "1.25", ""]]
    assert query("select 1 as a where false", "--format", "csv") == "a\n"


def test_json_is_a_list_of_objects_without_what_json_lacks(query):
    def strict(text):
        return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    sql = (
        "select seed, train_loss, 'nan'::double as a, '-inf'::double as b, 2 as seed from networks"
    )
    objects = strict(query(f"{sql} order by 1", "--format", "json"))
    rest = {"train_loss": None, "a": None, "b": "-inf", "seed_1": 2}
    assert objects == [{"seed": seed} | rest for seed in (0, 1)]
    odd = (
        "{'x': [1.5::decimal(3,1), null]} as s, '\\xAA'::blob as b, date '2020-02-01' as d, true t"
    )
    (row,) = strict(query(f"select {odd}", "--format", "json"))
    assert row == {"s": {"x": [1.5, None]}, "b": "aa", "d": "2020-02-01", "t": True}
    assert strict(query("select 1 where false", "--format", "json")) == []


def test_a_table_is_a_data_frame_where_pandas_is_installed(directory):
    pytest.importorskip("pandas")
    frame = Store(directory).frame("networks")
    assert sorted(frame.seed) == [0, 1] and sorted(frame.risk) == [0.25, 1.25]
    assert list(frame.columns) == [column.name for column in NETWORKS]
    with pytest.raises(ValueError, match="^table: unknown name 'network', nearest: networks"):
        Store(directory).frame("network")


def test_an_export_to_standard_output_is_the_file(directory, capfdbinary, tmp_path):
    before = {path.name for path in directory.iterdir()}
    for kind in ("csv", "latex", "parquet"):
        assert main(["export", str(directory), "--format", kind, "--out", "-", "--debug"]) == 0
        out, err = capfdbinary.readouterr()
        path = tmp_path / "file"
        assert main(["export", str(directory), "--format", kind, "--out", str(path)]) == 0
        capfdbinary.readouterr()
        assert not err
        if kind == "parquet":
            (tmp_path / "out").write_bytes(out)
            with duckdb.connect() as connection:
                both = [
                    connection.read_parquet(str(tmp_path / name)).fetchall()
                    for name in ("out", "file")
                ]
            assert both[0] == both[1] and len(both[0]) == 2
        else:
            assert out == path.read_bytes()
    assert {path.name for path in directory.iterdir()} == before


def test_a_terminal_is_spared_a_binary_export(directory, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["export", str(directory), "--format", "parquet", "--out", "-"]) == 2
    assert "out: got '-'" in capsys.readouterr().err
