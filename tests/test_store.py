"""The run directory: atomic files, damaged files named and set aside, SQL.

Longer than 400 lines because every way to spoil a file meets the same store.
"""

import csv
import hashlib
import shutil
import tarfile
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb
import numpy as np
import pytest
from safetensors.numpy import save_file

from simbias.experiments.classify import NETWORKS
from simbias.results import load_stack
from simbias.results.config import read_config
from simbias.results.files import StoreError, check_writable
from simbias.results.schema import BOUNDS_COLUMNS, EVIDENCE_COLUMNS, VERDICTS_COLUMNS
from simbias.results.store import Store
from simbias.training.fit import TRACE

ROOT = Path(__file__).parent.parent
CONFIG = {"suite": "s", "preset": "p", "n_certify": 1, "cells": [], "seeds": [0], "names": []}
TENSORS = {
    name: np.arange(3.0) for name in ("rotation", "fitted_since", "updates", "end", "seconds")
}


@pytest.fixture
def notes():
    """What reading says of files that it leaves out."""
    return []


@pytest.fixture
def store(tmp_path, notes):
    store = Store(tmp_path / "run", create=True, note=notes.append)
    store.prepare(CONFIG)
    return store


def named(settings, seed=0):
    return hashlib.sha256(f"{settings}|{seed}".encode()).hexdigest()[:16]


def put(store, settings, *, trace=(), **values):
    row = {"suite": "s", "cell": "c", "seed": 0, "status": "done", "reason": "r"} | values
    name = named(settings, row["seed"])
    store.write("networks", name, row | {"settings": settings}, trace, TENSORS)
    return name


def file_of(store, name):
    """The file of a row that has not been compacted."""
    (path,) = (store.directory / "pending" / "networks").glob(f"{name}-*.parquet")
    return path


def settled(store):
    """The rows that another reader finds: the network's name and its risk."""
    place = store.directory / "networks" / "*.parquet"
    sql = f"SELECT left(sha256(settings || '|' || seed), 16), risk FROM '{place}'"
    with duckdb.connect() as connection:
        return sorted(connection.execute(sql).fetchall())


def test_columns_of_the_contract_come_first_and_in_order(store):
    name = put(store, "a", risk=0.05)
    names, rows = store.query("SELECT * FROM networks")
    first = (
        "suite, cell, task, network, method, seed, n_train, status, reason, updates, train_loss, "
        "train_accuracy, risk, risk_low, risk_high, test_accuracy, s_randomised_accuracy, "
        "sc_randomised_accuracy, s_randomised_auc, sc_randomised_auc, exceptions, "
        "exceptions_fitted, exceptions_fresh, memorised, simple_agreement, achievable_agreement"
    ).split(", ")
    assert names[: len(first)] == first
    for path in (file_of(store, name), store.directory / "networks" / "*.parquet"):
        raw = duckdb.execute("SELECT * FROM read_parquet(?)", [str(path)])
        assert [column[0] for column in raw.description] == names
        store.compact()
    assert dict(zip(names, rows[0], strict=True))["risk"] == 0.05


def test_nan_is_kept_as_an_empty_cell(store):
    put(store, "a", risk=float("nan"), memorised=np.float64("nan"))
    assert store.query("SELECT risk, memorised FROM networks")[1] == [(None, None)]


@pytest.mark.parametrize("between", [lambda store: None, Store.compact])
def test_writing_a_network_twice_leaves_one_row(store, between):
    put(store, "a", risk=0.1)
    between(store)
    name = put(store, "a", risk=0.2)
    assert store.query("SELECT risk FROM networks")[1] == [(0.2,)]
    store.compact()
    assert store.query("SELECT risk FROM networks")[1] == [(0.2,)]
    assert settled(store) == [(name, 0.2)]


def test_only_final_statuses_with_weights_count_as_finished(store):
    statuses = ("done", "not-converged", "diverged", "error", "interrupted")
    names = [put(store, status, status=status) for status in statuses]
    store.weights_path(put(store, "lost")).unlink()
    assert store.finished() == dict(zip(names[:3], statuses, strict=False))


def test_no_temporary_file_is_left_behind(store):
    put(store, "a")
    store.write_checkpoint("a", {"trace": np.zeros(2)})
    assert not list(store.directory.rglob("*.tmp"))


@pytest.mark.thorough
def test_truncated_and_foreign_files_are_named_and_set_aside(store, notes):
    kinds = ("good", "cut", "foreign", "text", "headless")
    good, *bad = (put(store, kind) for kind in kinds)
    cut, foreign, text = (file_of(store, name) for name in bad[:3])
    cut.write_bytes(cut.read_bytes()[:100])
    duckdb.execute(f"COPY (SELECT 1 AS other) TO '{foreign}' (FORMAT parquet)")
    text.write_text("not parquet")
    weights = store.weights_path(bad[3])
    weights.write_bytes(weights.read_bytes()[:-4])
    damaged = store.damaged()
    assert {path for path, _ in damaged} == {cut, foreign, text, weights}
    assert all(why and "\n" not in why for _, why in damaged)
    assert store.query("SELECT count(*) FROM networks")[1] == [(2,)]  # good and headless
    assert len(notes) == 3 and all(str(path) in "".join(notes) for path in (cut, foreign, text))
    assert all("moved to" in line for line in store.mend())
    assert not any(path.exists() for path, _ in damaged)
    aside = [path.name for path in store.directory.glob("set-aside/*/*")]
    assert {name.split(".")[0].split("-")[0] for name in aside} == set(bad)
    assert set(store.finished()) == {good}
    assert store.damaged() == []


def test_failing_sql_is_one_line_that_offers_the_column(store):
    put(store, "a")
    with pytest.raises(ValueError, match="task") as caught:
        store.query("SELECT tsk FROM networks")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="SQL"):
        store.query("SELEKT")


def test_a_row_in_two_files_is_read_once_and_kept_once(store):
    name = put(store, "{}")
    store.compact()
    (path,) = (store.directory / "networks").iterdir()
    path.with_name("copy.parquet").write_bytes(path.read_bytes())
    assert store.query("SELECT count(*) FROM networks")[1] == [(1,)] and store.damaged() == []
    put(store, "{}")
    store.compact()
    assert [known for known, _ in settled(store)] == [name]


def test_whole_safetensors_files_with_other_tensors_are_foreign(store):
    name = put(store, "a")
    save_file({"other": np.zeros(2)}, store.weights_path(name))
    assert [path.stem for path, _ in store.damaged()] == [name]


def test_a_directory_in_place_of_a_file_is_set_aside(store):
    (store.directory / "networks" / "odd.parquet").mkdir(parents=True)
    ((path, why),) = store.damaged()
    assert why == "not a file" and store.query("SELECT * FROM networks")[1] == []
    assert path.name in store.mend()[0] and not path.exists()
    assert store.damaged() == []


def test_a_run_toml_with_odd_values_is_named(store):
    odd = "suite = 1\npreset = 2\nn_certify = 3\ncells = 4\nseeds = 5\nnames = 6\n"
    (store.directory / "run.toml").write_text(odd)
    with pytest.raises(ValueError, match="'suite' is missing or odd"):
        Store(store.directory)


@pytest.mark.parametrize("sql", ["", "  ", "-- nothing", "select 1; select 2"])
def test_a_query_is_one_statement(store, sql):
    with pytest.raises(ValueError, match="one statement"):
        store.query(sql)


def test_a_query_cannot_write_files(store, tmp_path):
    for sql in ("copy (select 1) to '{}'", "attach '{}' as z", "export database '{}'"):
        with pytest.raises(ValueError, match="SQL"):
            store.query(sql.format(tmp_path / "written"))
    assert not (tmp_path / "written").exists()


def test_a_query_leaves_the_current_directory_alone(store, tmp_path, monkeypatch):
    put(store, "a")
    here = tmp_path / "here"
    (here / ".tmp").mkdir(parents=True)
    (here / ".tmp" / "mine.csv").write_text("a\n1\n")
    monkeypatch.chdir(here)
    for sql in (
        "copy (select 1) to '.tmp/written.csv'",
        "attach '.tmp/database' as z",
        "select * from read_csv('.tmp/mine.csv')",
        "select * from glob('.tmp/*')",
    ):
        with pytest.raises(ValueError, match="SQL"):
            store.query(sql)
    store.query("SELECT count(*) FROM networks")
    store.export("networks", tmp_path / "all.parquet", "parquet")
    assert [path.name for path in here.rglob("*")] == [".tmp", "mine.csv"]


def test_a_long_question_prints_nothing(store, capfd):
    setting = "SELECT current_setting('enable_progress_bar')"  # a bar comes after two seconds
    assert store.query(setting)[1] == [(False,)]
    assert capfd.readouterr() == ("", "")


def test_sql_cannot_change_the_stored_rows(store):
    put(store, "a")
    store.query("DELETE FROM networks")
    assert store.query("SELECT count(*) FROM networks")[1] == [(1,)]


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="DIR: got"):
        Store(tmp_path)
    (tmp_path / "run.toml").write_text("a = 1")
    with pytest.raises(ValueError, match="not a file of simbias"):
        Store(tmp_path)


def test_places_that_cannot_be_written_are_refused_without_a_trace(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="out: got"):
            check_writable(place)
    check_writable(tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(store, monkeypatch):
    put(store, "a", risk=0.1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        put(store, "a", risk=0.2)
    monkeypatch.undo()
    assert store.query("SELECT risk FROM networks")[1] == [(0.1,)]
    assert not list(store.directory.rglob("*.tmp"))


def test_an_exported_text_is_no_formula(store, tmp_path):
    put(store, "a", cell='=HYPERLINK("http://x", "y")', risk=0.25, train_loss=-1e-9)
    store.export("networks", tmp_path / "all.csv", "csv")
    with open(tmp_path / "all.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["cell"] == '\'=HYPERLINK("http://x", "y")'
    assert (row["risk"], row["train_loss"], row["updates"]) == ("0.25", "-1e-09", "")


def test_export_writes_every_row(store, tmp_path):
    put(store, "a", seed=0)
    put(store, "b", seed=1)
    store.export("networks", tmp_path / "all.csv", "csv")
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert lines[0].split(",") == [column.name for column in NETWORKS] and len(lines) == 3
    store.export("networks", tmp_path / "all.parquet", "parquet")
    count = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(tmp_path / "all.parquet")])
    assert count.fetchone() == (2,)


def test_a_file_of_another_version_is_read_what_it_lacks_empty_what_it_adds_kept(store, notes):
    older, newer = put(store, "older", risk=0.1), put(store, "newer", risk=0.2)
    planted(file_of(store, older), "* EXCLUDE (risk_low, dim)")
    planted(file_of(store, newer), "*, 7 AS colour")
    for _ in range(2):
        rows = store.query("SELECT risk, risk_low, dim, colour FROM networks ORDER BY risk")[1]
        assert rows == [(0.1, None, None, None), (0.2, None, None, 7)]
        assert store.damaged() == [] and notes == []
        assert set(store.finished()) == {older, newer}  # nothing is trained again for a column
        store.compact()
    assert settled(store) == sorted([(older, 0.1), (newer, 0.2)])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("* REPLACE ('much' AS risk)", "much"),
        ("* EXCLUDE (status)", "no column status"),
        ("* REPLACE (NULL AS cell)", "a row without cell"),
        ("* REPLACE (NULL AS settings)", "a row without settings"),
    ],
)
def test_a_file_without_what_makes_a_row_is_named_in_one_line(store, notes, change, why):
    kept, name = put(store, "kept", risk=0.1), put(store, "changed", risk=0.2)
    path = file_of(store, name)
    planted(path, change)
    assert store.query("SELECT risk FROM networks")[1] == [(0.1,)]
    (note,) = notes
    assert str(path) in note and why in note and "\n" not in note
    assert set(store.finished()) == {kept}


JUDGED = ("cell", "bound", "kind", "certifies", "terms", "premises", "finished")


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (VERDICTS_COLUMNS, dict.fromkeys(("id", "hash", "verdict", "premises"), "x")),
        (EVIDENCE_COLUMNS, dict.fromkeys(("id", "hash", "outcome"), "x")),
        (BOUNDS_COLUMNS, dict.fromkeys(JUDGED, "x") | {"seed": 0}),
    ],
)
def test_what_speaks_of_nothing_or_concludes_nothing_is_not_read(store, notes, columns, row):
    for lacking in row:
        path = store.directory / "rows" / f"{lacking}.parquet"
        store.write_rows(path, columns, [row | {lacking: None}])
        assert store.read_rows(path, columns) is None
        assert f"a row without {lacking}" in notes[-1]


# every character of a pattern, a partition, another file system, a home or an option
NAMES = [
    *("lr[0.1]", "a*b", "q?", "**", "[!a]", "{a,b}", "~", "-d", "--out", "x y", " ", "it's", 'd"q'),
    *(
        "100%",
        "a%20b",
        "new\nline",
        "tab\t",
        "ü𝛼",
        "a\\b",
        "a\\*[b",
        "a=1",
        "s3:",
        "file:",
        "#",
        ";",
    ),
]


@pytest.mark.thorough
def test_a_directorys_name_is_never_a_pattern(tmp_path, monkeypatch, notes, store):
    monkeypatch.chdir(tmp_path)
    put(store, "c", risk=0.5)
    other = shutil.copytree(store.directory, "lr0")
    put(Store(other), "c", risk=0.1)
    for sibling in ("aab", "qq", "a", "b", "ab", "home"):
        shutil.copytree(other, Path(sibling, "run"))
    for name in NAMES:
        place = Path(name, "run")  # a relative path
        shutil.copytree(store.directory, place)
        opened = Store(place, note=notes.append)
        names, rows = opened.query("SELECT * FROM networks")
        assert names == [column.name for column in NETWORKS], name
        assert [row[names.index("risk")] for row in rows] == [0.5], name
        assert len(opened.finished()) == 1 and notes == [], name
    opened.export("networks", Path(name, "all [*].csv"), "csv")
    assert {path.name for path in Path(name).iterdir()} == {"run", "all [*].csv"}


def test_a_row_is_written_below_any_name(tmp_path, notes):
    for name in ("lr[0.1]", "a\\*[b"):
        store = Store(tmp_path / name, create=True, note=notes.append)
        store.prepare(CONFIG)
        put(store, "c", risk=0.5)
        assert store.query("SELECT risk FROM networks")[1] == [(0.5,)] and notes == []


def planted(path, change):
    """Rewrite a Parquet file through SQL."""
    new = path.with_name("new")
    duckdb.execute(f"COPY (SELECT {change} FROM '{path}') TO '{new}' (FORMAT parquet)")
    new.replace(path)


def trace(start):
    return [
        dict.fromkeys(TRACE, start + step / 10) | {"cell": "c", "seed": 0, "updates": step}
        for step in range(3)
    ]


def test_a_changed_number_is_named_left_out_and_its_network_computed_again(store, notes):
    kept, changed = put(store, "kept", risk=0.1), put(store, "changed", risk=0.2)
    path = file_of(store, changed)
    planted(path, "* REPLACE (0.0 AS risk)")
    assert store.query("SELECT risk FROM networks")[1] == [(0.1,)]
    assert "checksum differs" in notes[0] and str(path) in notes[0] and len(notes) == 1
    assert [fault for fault, _ in store.damaged()] == [path]
    store.mend()
    assert set(store.finished()) == {kept} and store.damaged() == []


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def test_weights_and_traces_are_those_of_which_the_row_speaks(store):
    first, second = (put(store, text, trace=trace(start)) for start, text in enumerate("ab"))
    assert len(store.trace(first, TRACE)) == 3 and len(store.weights(first)) == len(TENSORS)
    spoilt = {
        "weights flipped": (store.weights_path(first), flipped),
        "weights gone": (store.weights_path(first), lambda path: path.unlink()),
        "trace flipped": (store.trace_path(first), flipped),
        "trace gone": (store.trace_path(first), lambda path: path.unlink()),
        "trace exchanged": (
            store.trace_path(first),
            lambda path: path.write_bytes(store.trace_path(second).read_bytes()),
        ),
    }
    for case, (path, spoil) in spoilt.items():
        whole = path.read_bytes()
        spoil(path)
        with pytest.raises(StoreError, match=path.name):
            store.weights(first), store.trace(first, TRACE)
        assert [fault.path for fault in store.damaged()] == [path], case
        path.write_bytes(whole)
    assert store.damaged() == []


def test_a_row_is_not_believed_about_another_networks_weights(store):
    name = put(store, "a")
    save_file(TENSORS | {"rotation": np.full(3, np.nan)}, store.weights_path(name))
    with pytest.raises(StoreError, match="checksum differs"):
        store.weights(name)
    save_file(TENSORS | {"seconds": np.ones(3)}, store.weights_path(name))
    assert store.weights(name)["seconds"].sum() == 3  # two runs of one network differ in time only


def test_traces_of_other_networks_are_not_in_the_table_of_traces(store, notes):
    first, second = (put(store, text, trace=trace(start)) for start, text in enumerate("ab"))
    ask = "SELECT DISTINCT floor(train_loss) FROM traces ORDER BY 1"
    assert store.query(ask)[1] == [(0,), (1,)]
    store.trace_path(first).write_bytes(store.trace_path(second).read_bytes())
    assert store.query(ask)[1] == [(1,)]
    assert store.query("SELECT count(*) FROM traces")[1] == [(3,)]
    assert len(notes) == 1 and str(store.trace_path(first)) in notes[0]


def test_what_was_kept_before_checksums_is_unverified_not_damaged(store, notes):
    name = put(store, "a", risk=0.1, trace=trace(0))
    planted(file_of(store, name), "* EXCLUDE (checksum, weights_checksum, trace_checksum)")
    assert store.unverified() == 1 and store.damaged() == notes == []
    assert len(store.weights(name)) == len(TENSORS) and len(store.trace(name, TRACE)) == 3
    assert set(store.finished()) == {name}
    put(store, "b")
    assert store.unverified() == 1
    save_file({"other": np.zeros(2)}, store.weights_path(name))
    (fault,) = store.damaged()
    assert fault.why == "no tensor end: not a file of simbias"


def test_a_checkpoint_from_before_checksums_has_the_trace_of_a_network(store):
    path = store.directory / "checkpoints" / "a.safetensors"
    save_file({"trace": np.zeros(2)}, path)
    assert store.damaged() == [] and store.checkpoint("a")["trace"].sum() == 0
    save_file({"other": np.zeros(3)}, path)
    (fault,) = store.damaged()
    assert fault.why == "no tensor trace: not a file of simbias"


def test_a_changed_checkpoint_is_not_gone_on_from(store):
    store.write_checkpoint("a", {"trace": np.zeros(2)})
    assert store.checkpoint("a")["trace"].sum() == 0 and store.damaged() == []
    path = store.directory / "checkpoints" / "a.safetensors"
    other = path.with_name("b.safetensors")
    other.write_bytes(path.read_bytes())
    flipped(path)
    assert [fault.path for fault in store.damaged()] == [path, other]
    for name in "ab":
        with pytest.raises(StoreError, match="checksum differs"):
            store.checkpoint(name)


def test_a_row_that_is_not_final_never_replaces_one_that_is(store):
    put(store, "a", risk=0.1)
    put(store, "a", status="interrupted")
    assert store.query("SELECT status, risk FROM networks")[1] == [("done", 0.1)]
    put(store, "b", status="interrupted")
    put(store, "b", status="done")
    assert store.query("SELECT DISTINCT status FROM networks")[1] == [("done",)]


TEXTS = [
    "", " ", "𝔸", "ü 𝛼", 'a "b" \\ c', '"', "'", "\\", "\\u0041", '"""', "'''", "a\nb", "a\r\nb",
    "\r", "\t", "\x7f", "\x85", "\u2028", "\ufeff", "# no comment", "a = 1", "[a]", "a.b", "-",
    "true", "1", "".join(map(chr, range(0x20))), "".join(map(chr, range(0x7F, 0xA1))),
    "\U0010ffff", "x" * 200,
]  # fmt: skip


def test_a_run_toml_reads_back_as_it_was_written(store):
    config = CONFIG | {
        "suite": TEXTS[4],
        "texts": TEXTS,
        "keys": {text: {text: [{text: text}, [text]]} for text in TEXTS},
        "numbers": [1, -1, 1e-9, 1e300, 0.1, float("inf"), True, False, 2**62],
        "times": [datetime(2020, 1, 2, 3, tzinfo=UTC), date(2020, 1, 2), time(3, 4)],
        "empty": {"table": {}, "list": [], "tables": [{}]},
        "names": [{"cell": text, "published": {"risk": 0.1}} for text in TEXTS],
    }
    store.prepare(config)
    assert store.config() == config
    store.prepare(CONFIG | {"zero": -0.0})
    assert str(store.config()["zero"]) == "-0.0"


@pytest.mark.parametrize("archive", sorted(ROOT.glob("*/recorded/*.tar.xz")), ids=lambda a: a.stem)
def test_a_recorded_run_is_the_same_run_when_its_run_toml_is_written_anew(archive, tmp_path):
    with tarfile.open(archive) as files:
        (name,) = (name for name in files.getnames() if name.endswith("run.toml"))
        files.extract(name, tmp_path, filter="data")
    before = read_config(tmp_path / name)
    store = Store(tmp_path / "run", create=True)
    store.prepare(before)
    assert store.config() == before


def test_a_run_of_a_file_a_network_is_read_and_becomes_one_of_large_files(store, notes):
    names = [put(store, text, risk=risk, trace=trace(0)) for text, risk in (("a", 0.1), ("b", 0.2))]
    (store.directory / "networks").mkdir()
    for name in names:  # as earlier versions left them
        file_of(store, name).replace(store.directory / "networks" / f"{name}.parquet")
    earlier = Store(store.directory, note=notes.append)
    assert earlier.query("SELECT risk FROM networks ORDER BY 1")[1] == [(0.1,), (0.2,)]
    assert set(earlier.finished()) == set(names) and len(earlier.trace(names[0], TRACE)) == 3
    earlier.compact()
    assert {path.stem for path in (store.directory / "networks").iterdir()} == set(names)
    put(earlier, "a", risk=0.3)
    earlier.compact()
    assert settled(store) == sorted(zip(names, (0.3, 0.2), strict=True))
    assert names[0] not in {path.stem for path in (store.directory / "networks").iterdir()}
    assert store.damaged() == notes == []


@pytest.mark.parametrize("reasons, more", [(3, ""), (4, "; ...")])
def test_a_run_without_a_trained_network_tells_three_of_the_reasons(store, reasons, more):
    for seed in range(reasons):
        put(store, "{}", seed=seed, status="error", reason=f"fault {seed}")
    with pytest.raises(StoreError) as error:
        load_stack(store)
    told = "; ".join(f"1 error (fault {seed})" for seed in range(3))
    assert str(error.value) == f"{store.directory} has no trained networks: {told}{more}"
