"""Claims in a directory and on the command line: said first, resumed, shown again.

Longer than 400 lines because one finished directory, which takes seconds to make, serves all of it.
"""

import hashlib
import json
import os
import shutil

import alone
import duckdb
import numpy as np
import pytest
from command_line import call
from small_cells import RISK, WRITTEN

from simbias.claims import builtin, load, session
from simbias.claims.verdict import Units, conclude
from simbias.experiments import classify
from simbias.plots import run
from simbias.quantities import declared
from simbias.quantities.quantity import Quantity
from simbias.results import Store
from simbias.results import claims as kept
from simbias.stats.estimate import Estimate
from simbias.tables import verdicts

REDRAWS = '"rotation", "data", "initialisation", "order"'
EFFORT = """
effort = { n_certify = 20000, confidence = 0.999 }
inference = { test = "clopper-pearson", alpha = 0.1, units = 6, family = "f", correction = "holm" }
"""
MEMBERS = """
[[claim]]
id = "learns"
title = "Most networks err on at most .4"
requires = [{ quantity = "train_accuracy", op = ">=", value = 0.6 }]

[[claim]]
id = "agree"
title = "Most pairs agree on .6"
quantity = 'seed_agreement("none")'
predicate = { op = ">=", value = 0.6 }
unit = { of = "pair" }

[[claim]]
id = "wide"
title = "Nothing is asked of four coordinates"
requires = [{ quantity = "dim", op = ">=", value = 50 }]
"""
CLAIMS = RISK + EFFORT + WRITTEN + MEMBERS
FIRST = session.GENERATION  # seed of what was said first
VERDICTS = {"learns": "supported", "agree": "supported", "wide": "inapplicable"}


def one_line(err):
    return err.startswith("simbias: ") and err.count("\n") == 1


def files(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())


def registered(directory, batch=1):
    """The claims of a batch, by id, with when they were said."""
    record = json.loads((directory / "said" / f"{batch}.json").read_text())
    return {claim["id"]: claim | {"said": record["said"]} for claim in record["claims"]}


def rows(directory, kind="verdicts"):
    """Rows of a kind of file, by column, without when they were written."""
    files = f"read_parquet('{directory}/{kind}/*.parquet')"
    answer = duckdb.execute(f"SELECT * FROM {files} ORDER BY ALL")
    names = [column[0] for column in answer.description]
    rows_read = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    apart = ("finished", "checksum")  # which covers the time
    return [{name: row[name] for name in row if name not in apart} for row in rows_read]


def table(out):
    """The table of verdicts at the end of an output."""
    lines = out.splitlines()
    head = max(i for i, line in enumerate(lines) if line.startswith("claim "))
    return [line.rstrip() for line in lines[head:] if line.strip()]


@pytest.fixture(scope="module", autouse=True)
def undrawn():
    """Figures are drawn elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "draw", lambda chosen, kinds: [])
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("claims") / "tiny.toml"
    path.write_text(CLAIMS)
    return path


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory):
    """A finished directory, and what was printed."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    code, out, err = call("claims", "run", file, "--out", directory, "--cores", "2")
    assert (code, err) == (0, "")
    return directory, out


@pytest.fixture
def again(whole, file):
    """Run the same claims in a directory once more."""
    return lambda directory: call("claims", "run", file, "--out", directory, "--cores", "2")


@pytest.fixture
def copied(whole, tmp_path):
    return shutil.copytree(whole[0], tmp_path / "copy")


@pytest.fixture
def asked(monkeypatch):
    """What is trained and measured, as it happens: (cell, seed) and (quantity, seeds)."""
    trained, measured = [], []
    train_jobs = classify.train_jobs

    def train(jobs, **options):
        trained.extend(jobs)
        return train_jobs(jobs, **options)

    monkeypatch.setattr(classify, "train_jobs", train)
    for name in ("risk", "train_accuracy", "seed_agreement"):
        quantity = declared()[name]

        def measure(look, *given, quantity=quantity):
            measured.extend((quantity.name, seed) for seed in look.stack.seeds)
            return quantity.compute(look, *given)

        monkeypatch.setitem(declared(), name, quantity._replace(compute=measure))
    return trained, measured


@pytest.fixture
def looked_up(monkeypatch):
    """The quantities and populations of which it was asked whether they go together."""
    pairs, suits = [], Quantity.suits

    def counted(quantity, cell, *given):
        pairs.append((quantity.name, cell.identity, str(given)))
        return suits(quantity, cell, *given)

    monkeypatch.setattr(Quantity, "suits", counted)
    return pairs


# -- list and check ---------------------------------------------------------------------------


@pytest.mark.thorough
def test_claims_are_listed_with_what_they_say():
    code, out, err = call("claims")
    assert (code, err) == (0, "")
    assert all(claim.id in out and claim.hash in out for claim in builtin().values())


def test_the_vocabulary_is_shown_with_what_a_quantity_is_of():
    code, out, err = call("claims", "vocabulary")
    assert (code, err) == (0, "")
    lines = {line.split()[0].split("(")[0]: line for line in out.splitlines()[1:]}
    assert set(lines) == set(declared())
    for name, quantity in declared().items():
        assert f" {quantity.of} " in lines[name] and quantity.summary in lines[name]


def test_a_good_file_is_shown_and_nothing_is_written(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("claims", "check", file)
    assert (code, err) == (0, "")
    for claim in load(str(file)):
        assert claim.id in out and claim.hash in out and claim.title in out
    assert "P(risk <= 0.4) >= 0.5" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.thorough
def test_a_command_asks_once_whether_a_claim_is_feasible(file, again, copied, looked_up, verb):
    once = sum(len(session._keys(claim)) for claim in load(str(file)))
    assert looked_up == [] and once > 0
    code, _, err = call("claims", "check", file) if verb == "check" else again(copied)
    assert (code, err) == (0, "") and len(looked_up) == once


BAD = [
    ('"risk"', '"rsk"', "unknown name 'rsk', nearest: risk"),
    ("value = 0.4", "value = -0.1", "value: got -0.1, allowed: one that risk can meet"),
    ("alpha = 0.1", "alpha = 0", "alpha: got 0.0, allowed: a number in (0, 1)"),
    ("units = 6", "units = 5", "got 5, allowed: at least 6 networks, in a family of 3"),
    (
        'quantity = "risk"',
        'quantity = "one"\ndefinitions = { one = "two", two = "1 - one" }',
        "is a cycle",
    ),
    ('"risk"', '\'__import__("os").system("touch x")\'', "allowed: numbers, quantities"),
    ('id = "wide"', 'id = "learns"', "id: got 'learns'"),
    ("n_train = 256", "n_train = 0", "n_train: got 0"),
    (
        'seed_agreement("none")\'',
        'seed_agreement("margin")\'\npopulation = { task = { name = "ms-7", dim = 4 } }',
        'agree: seed_agreement("margin"): shift: got',
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), BAD)
@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_bad_file_is_one_line_and_nothing_is_written(
    tmp_path, monkeypatch, verb, old, new, words
):
    monkeypatch.chdir(tmp_path)
    assert old in CLAIMS
    (tmp_path / "bad.toml").write_text(CLAIMS.replace(old, new, 1))
    more = ["--out", "out", "--cores", "2"] if verb == "run" else []
    code, out, err = call("claims", verb, "bad.toml", *more)
    assert (code, out) == (2, "") and one_line(err) and words in err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "claims check: got 0 words after it, allowed: one file"),
        (["check", "a.toml", "b.toml"], "got 2 words"),
        (["check", "conclusion-1"], "a path ending in .toml"),
        (["check", "nosuch.toml"], "nosuch.toml cannot be read"),
        (["list", "a.toml"], "claims list: got 1 words after it, allowed: none"),
        (["list", "a.toml", "b.toml"], "got 2 words"),
        (["vocabulary", "risk"], "allowed: none"),
        (["rnu"], "nearest: run"),
        (["nosuch"], "claims: word: unknown name 'nosuch'"),
        (["--out", "x"], "out: got 'x', allowed: with claims run only"),
        (["--cluster", "local:2"], "cluster: got 'local:2', allowed: with claims run only"),
        (["run", "conclusion-4", "--out", "x", "--cluster", "two"], "cluster: got 'two', allowed"),
        (["run", "conclusion-44", "--out", "x", "--cores", "2"], "nearest: conclusion-4"),
        (["run", "nosuch.toml", "--out", "x", "--cores", "2"], "cannot be read"),
        (["run", "conclusion-4", "--out", "x", "--cores", "0"], "cores: got 0"),
    ],
)
def test_bad_words_are_one_line(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("claims", *arguments)
    assert (code, out) == (2, "") and one_line(err) and words in err
    assert not list(tmp_path.iterdir())


# -- a run ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_networks_of_claims_may_be_trained_by_a_cluster(file, tmp_path):
    for name, where in (("here", ()), ("there", ("--cluster", "processes:2"))):
        alone.simbias("claims", "run", file, "--out", tmp_path / name, "--cores", 1, *where)
    for kind in ("verdicts", "evidence"):
        assert rows(tmp_path / "there", kind) == rows(tmp_path / "here", kind)


def test_a_run_ends_with_its_verdicts_and_their_reasons(whole, file):
    _, out = whole
    for claim in load(str(file)):
        assert f"{claim.id}, version 1: {claim.title}\n" in out
        assert f"  {VERDICTS[claim.id]}: " in out
    assert "premise train_accuracy >= 0.6: 6 of 6 units" in out
    assert "premise not met: dim >= 50: 4" in out
    head, *lines = table(out)
    assert [word.strip() for word in head.split("  ") if word.strip()] == list(verdicts.HEAD)
    told = [line.split()[:3] for line in lines if line.split()[0] in VERDICTS]
    assert sorted(told) == [[id, "1,", "0.05"] for id in sorted(VERDICTS)]


def test_every_claim_was_said_with_its_hash(whole, file):
    directory, _ = whole
    assert [path.name for path in (directory / "said").iterdir()] == ["1.json"]
    for claim in load(str(file)):
        entry = registered(directory)[claim.id]
        assert (entry["hash"], entry["version"], entry["family"]) == (claim.hash, 1, "f")
        assert entry["claim"] == json.loads(claim.identity)


def test_verdicts_are_kept_with_the_documented_columns(whole, file):
    directory, _ = whole
    claims = {claim.id: claim for claim in load(str(file))}
    for claim in claims.values():
        by_id = duckdb.execute(f"SELECT * FROM '{directory}/verdicts/{claim.id}.parquet'")
        assert [column[0] for column in by_id.description] == [
            stored.name for stored in kept.VERDICTS_COLUMNS
        ]
    by_id = {row["id"]: row for row in rows(directory)}
    assert {id: row["verdict"] for id, row in by_id.items()} == VERDICTS
    for id, row in by_id.items():
        assert row["hash"] == claims[id].hash and row["says"] == claims[id].says
        assert (row["most_units"], row["alpha"], row["level"], row["family"]) == (6, 0.1, 0.05, "f")
    stored, none = by_id["learns"], by_id["wide"]
    assert (stored["units"], stored["holding"], stored["failing"], stored["missing"]) == (
        6,
        6,
        0,
        0,
    )
    # six of six, each of which an interval of 99.9% may have missed
    assert stored["p_supported"] == pytest.approx(0.501**6) and stored["more"] is None
    assert stored["version"] == none["version"] == 1
    assert stored["low"] < stored["estimate"] == stored["high"] == 1
    assert json.loads(stored["premises"])[0].startswith("train_accuracy >= 0.6: 6 of 6 units")
    assert none["units"] == 0 and none["estimate"] is None and none["p_supported"] is None


def test_the_evidence_is_a_row_a_unit(whole):
    directory, _ = whole
    answer = duckdb.execute(f"SELECT * FROM '{directory}/evidence/*.parquet'")
    assert [column[0] for column in answer.description] == [
        stored.name for stored in kept.EVIDENCE_COLUMNS
    ]
    evidence = rows(directory, "evidence")
    by_claim = {id: [row for row in evidence if row["id"] == id] for id in VERDICTS}
    assert {row["seeds"] for row in by_claim["learns"]} == {str(FIRST + i) for i in range(6)}
    pairs = {f"{seed},{seed + 1}" for seed in range(FIRST, FIRST + 12, 2)}
    assert {row["seeds"] for row in by_claim["agree"]} == pairs
    assert by_claim["wide"] == []
    assert all(row["outcome"] == "holds" and row["count"] == 1 for row in evidence)
    assert all(row["low"] <= row["value"] <= row["high"] for row in evidence)


def test_networks_are_kept_as_in_any_run(whole):
    directory, _ = whole
    networks = Store(directory).query("SELECT seed, status, risk FROM networks ORDER BY seed")[1]
    assert [row[:2] for row in networks] == [(seed, "done") for seed in range(FIRST, FIRST + 12)]
    # the same certify points, so the same risk
    evidence = [row for row in rows(directory, "evidence") if row["id"] == "learns"]
    measured = {int(row["seeds"]): row["value"] for row in evidence}
    assert measured == {seed: pytest.approx(risk) for seed, _, risk in networks[:6]}


def test_measurements_are_kept_under_what_they_are_of(whole):
    directory, _ = whole
    measured = rows(directory, "measured")
    assert {row["reference"] for row in measured} == {
        "risk",
        "train_accuracy",
        'seed_agreement("none")',
    }
    assert all((row["n_certify"], row["confidence"]) == (20000, 0.999) for row in measured)
    units = [row["unit"] for row in measured if row["reference"].startswith("seed")]
    assert sorted(units) == list(range(FIRST, FIRST + 12, 2))


def test_a_directory_shows_its_verdicts_again(whole):
    directory, out = whole
    code, shown, err = call("claims", directory)
    assert (code, err) == (0, "") and table(shown) == table(out)


def test_judging_claims_ends_with_their_figure_and_showing_them_has_none(
    copied, again, monkeypatch
):
    monkeypatch.setattr(run, "draw", lambda chosen, kinds: [chosen.store.directory / kinds[0]])
    figure = str(copied / "claims")
    assert again(copied)[1].splitlines()[-1] == figure
    assert figure not in call("claims", copied)[1].splitlines()


def test_a_second_run_trains_and_measures_nothing_and_says_the_same(whole, again, asked):
    directory, out = whole
    before = rows(directory), rows(directory, "evidence"), rows(directory, "measured")
    code, second, err = again(directory)
    assert (code, err) == (0, "") and asked == ([], [])
    assert table(second) == table(out)
    assert before == (rows(directory), rows(directory, "evidence"), rows(directory, "measured"))


@pytest.mark.thorough
def test_verdicts_do_not_depend_on_what_was_asked_for_together(whole, tmp_path, file, monkeypatch):
    monkeypatch.setattr(session, "_TOGETHER", 5)
    alone = tmp_path / "alone.toml"
    alone.write_text("[[claim]]".join(CLAIMS.split("[[claim]]")[:2]))
    code, out, err = call("claims", "run", alone, "--out", tmp_path / "run", "--cores", "2")
    assert (code, err) == (0, "")
    by_seeds = {row["seeds"]: row["value"] for row in rows(tmp_path / "run", "evidence")}
    other = {row["seeds"]: row["value"] for row in rows(whole[0], "evidence")}
    assert len(by_seeds) == 6
    assert by_seeds == {seeds: pytest.approx(other[seeds]) for seeds in by_seeds}


# -- said before, and resumed -----------------------------------------------------------------


def test_what_is_said_is_on_disk_before_the_first_network(
    whole, file, again, tmp_path, monkeypatch
):
    directory, seen = tmp_path / "run", []

    def interrupted(jobs, **_):
        for claim in load(str(file)):
            seen.append((claim.id, registered(directory)[claim.id]["hash"] == claim.hash))
        assert not list((directory / "networks").glob("*"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(classify, "train_jobs", interrupted)
        code, _, err = again(directory)
    assert code == 1 and one_line(err) and "To go on: " in err and str(file) in err
    assert seen == [(id, True) for id in VERDICTS]
    assert not (directory / "verdicts").exists()
    code, out, _ = again(directory)
    assert code == 0 and table(out) == table(whole[1])


@pytest.mark.thorough
def test_an_interrupted_measurement_goes_on_where_it_was(whole, again, copied, asked, monkeypatch):
    for kind in ("measured", "verdicts", "evidence"):
        shutil.rmtree(copied / kind)
    monkeypatch.setattr(session, "_TOGETHER", 2)
    trained, measured = asked
    quantity, calls = declared()["risk"], []

    def stopping(look):
        calls.append(look.stack.seeds)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return quantity.compute(look)

    monkeypatch.setitem(declared(), "risk", quantity._replace(compute=stopping))
    code, _, err = again(copied)
    assert code == 1 and one_line(err)
    assert (
        calls == [(FIRST, FIRST + 1), (FIRST + 2, FIRST + 3)] and not (copied / "verdicts").exists()
    )
    monkeypatch.setitem(declared(), "risk", quantity)
    code, out, _ = again(copied)
    assert code == 0 and table(out) == table(whole[1])
    assert trained == [] and len(measured) == len(set(measured)) == 6 + 6 + 12


@pytest.mark.thorough
def test_a_changed_claim_starts_over_on_fresh_seeds(whole, copied, file, tmp_path, asked):
    changed = tmp_path / "changed.toml"
    changed.write_text(
        CLAIMS.replace("value = 0.6 }]", "value = 0.7 }]\ninference = { units = 8 }")
    )
    before = (copied / "said" / "1.json").read_bytes()
    concluded = (copied / "verdicts" / "learns.parquet").read_bytes()
    code, out, _ = call("claims", "run", changed, "--out", copied, "--cores", "2")
    assert code == 0
    since = registered(copied)["learns"]["said"]
    words = f"learns has changed since {since}: it starts over as version 2, from seed {2 * FIRST}"
    assert words in out
    trained, measured = asked
    fresh = set(range(2 * FIRST, 2 * FIRST + 8))
    assert {job.seed for job in trained} == {seed for _, seed in measured} == fresh
    claim = load(str(changed))[0]
    now = registered(copied, 2)
    assert (list(now), now["learns"]["hash"], now["learns"]["version"]) == (
        ["learns"], claim.hash, 2,
    )  # fmt: skip
    # what was said before, and what came of it
    assert (copied / "said" / "1.json").read_bytes() == before
    assert (copied / "verdicts" / "learns.1.old").read_bytes() == concluded
    by_id = {row["id"]: row for row in rows(copied)}
    assert len(by_id) == 3 and by_id["learns"]["hash"] == claim.hash
    assert {id: row["version"] for id, row in by_id.items()} == {"learns": 2, "agree": 1, "wide": 1}
    assert by_id["learns"]["level"] == pytest.approx(0.1 / 6)
    # and once more: still another generation, and too few units for what is left of alpha
    written = {path: path.read_bytes() for path in files(copied)}
    code, _, err = call("claims", "run", file, "--out", copied, "--cores", "2")
    assert code == 2 and one_line(err)
    assert "learns: inference: units: got 6, allowed: at least 9 networks, in a family of 3" in err
    assert "at version 3, which spends 0.008333" in err
    assert written == {path: path.read_bytes() for path in files(copied)}
    changed.write_text(
        CLAIMS.replace("value = 0.6 }]", "value = 0.6 }]\ninference = { units = 9 }")
    )
    code, out, _ = call("claims", "run", changed, "--out", copied, "--cores", "2")
    assert code == 0 and f"as version 3, from seed {3 * FIRST}" in out
    later = set(range(3 * FIRST, 3 * FIRST + 9))
    assert {job.seed for job in trained} == fresh | later
    assert {path.name for path in (copied / "said").iterdir()} == {"1.json", "2.json", "3.json"}
    assert {path.name for path in (copied / "verdicts").glob("*.old")} == {
        "learns.1.old", "learns.2.old",
    }  # fmt: skip


def test_a_claim_in_other_words_keeps_its_verdict_and_shows_the_new_words(
    whole, copied, tmp_path, asked
):
    changed = tmp_path / "changed.toml"
    text = CLAIMS.replace("Most networks err on at most .4", "Few networks err on more than .4")
    changed.write_text(text.replace('source = "none"', 'source = "a guess"'))
    before = rows(copied)
    code, out, err = call("claims", "run", changed, "--out", copied, "--cores", "2")
    assert (code, err) == (0, "") and asked == ([], []) and "has changed" not in out
    assert "learns, version 1: Few networks err on more than .4" in out
    by_id = {row["id"]: row for row in rows(copied)}
    assert by_id["learns"]["title"] == "Few networks err on more than .4"
    assert {row["source"] for row in by_id.values()} == {"a guess"}
    words = {"title": None, "source": None}
    assert [row | words for row in by_id.values()] == [row | words for row in before]


@pytest.mark.thorough
def test_what_was_concluded_of_a_version_is_kept_though_the_next_was_interrupted(
    copied, tmp_path, monkeypatch
):
    changed = tmp_path / "changed.toml"
    changed.write_text(
        CLAIMS.replace("value = 0.6 }]", "value = 0.7 }]\ninference = { units = 8 }")
    )
    concluded = (copied / "verdicts" / "learns.parquet").read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept, "retire_version", killed)
        assert call("claims", "run", changed, "--out", copied, "--cores", "2")[0] == 1
    assert {row["id"]: row["version"] for row in rows(copied)} == dict.fromkeys(VERDICTS, 1)
    code, out, _ = call("claims", "run", changed, "--out", copied, "--cores", "2")
    assert code == 0 and "has changed" not in out  # it was said already
    assert [path.name for path in (copied / "said").iterdir()] == ["1.json", "2.json"]
    assert (copied / "verdicts" / "learns.1.old").read_bytes() == concluded
    seeds = {row["seeds"] for row in rows(copied, "evidence") if row["id"] == "learns"}
    assert seeds == {str(2 * FIRST + i) for i in range(8)}


@pytest.mark.thorough
def test_a_claim_that_is_said_later_is_judged_on_data_that_no_claim_has_shown(
    copied, tmp_path, asked
):
    # of another learner on the same task
    later = tmp_path / "later.toml"
    head, first, *_ = CLAIMS.split("[[claim]]")
    text = f"{head}[[claim]]{first}".replace('id = "learns"', 'id = "wider"')
    text = text.replace('family = "f"', 'family = "g"')
    later.write_text(text.replace("learning_rate = 0.1", "learning_rate = 0.2"))
    shown = {row["seed"] for row in networks(copied)}
    code, _, err = call("claims", "run", later, "--out", copied, "--cores", "2")
    assert (code, err) == (0, "")
    trained = {job.seed for job in asked[0]}
    assert trained == set(range(2 * FIRST, 2 * FIRST + 6)) and not trained & shown
    by_id = {row["id"]: row for row in rows(copied)}
    assert by_id["wider"]["version"] == 1


def networks(directory):
    names, answers = Store(directory).query("SELECT seed FROM networks")
    return [dict(zip(names, row, strict=True)) for row in answers]


def test_a_changed_claim_that_becomes_inapplicable_keeps_no_old_evidence(copied, tmp_path):
    changed = tmp_path / "changed.toml"
    premise = 'quantity = "train_accuracy", op = ">=", value = 0.6'
    text = CLAIMS.replace(premise, 'quantity = "depth", op = ">=", value = 2')
    changed.write_text(text.replace('id = "learns"', 'id = "learns"\ninference = { units = 8 }'))
    code, _, _ = call("claims", "run", changed, "--out", copied, "--cores", "2")
    assert code == 0 and (copied / "evidence" / "learns.1.old").exists()
    assert {row["id"] for row in rows(copied, "evidence")} == {"agree"}
    assert {row["id"]: row["verdict"] for row in rows(copied)}["learns"] == "inapplicable"


# -- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folder",
    [
        "networks",
        "verdicts",
        *(pytest.param(x, marks=pytest.mark.slow) for x in ("said", "measured")),
    ],
)
@pytest.mark.thorough
def test_a_full_disk_is_one_line_and_the_same_call_goes_on(
    whole, again, copied, monkeypatch, folder
):
    kinds = ("said", "networks", "weights", "traces", "measured", "evidence", "verdicts")
    for kind in kinds if folder in ("said", "networks") else kinds[4:]:
        shutil.rmtree(copied / kind)
    (copied / "networks").mkdir(exist_ok=True)
    (copied / "weights").mkdir(exist_ok=True)
    (copied / "traces").mkdir(exist_ok=True)
    replace, link = os.replace, os.link

    def full(through):
        def write(source, target):
            if f"/{folder}/" in str(target):
                raise OSError(28, "No space left on device")
            through(source, target)

        return write

    monkeypatch.setattr("os.replace", full(replace))
    monkeypatch.setattr("os.link", full(link))
    code, _, err = again(copied)
    assert code == 1 and one_line(err) and f"cannot write {copied}/" in err and f"/{folder}/" in err
    assert "No space left on device" in err
    assert not list((copied / folder).iterdir()) and not list(copied.rglob("*.tmp"))
    if folder == "said":
        assert not list((copied / "networks").iterdir())
    monkeypatch.setattr("os.replace", replace)
    monkeypatch.setattr("os.link", link)
    code, out, _ = again(copied)
    assert code == 0 and table(out) == table(whole[1])


@pytest.mark.thorough
def test_networks_that_diverge_are_evidence_and_the_exit_code_says_so(tmp_path, asked):
    path = tmp_path / "wild.toml"
    path.write_text(CLAIMS.replace("learning_rate = 0.1", "learning_rate = 1e30"))
    for _ in range(2):
        code, out, err = call("claims", "run", path, "--out", tmp_path / "run", "--cores", "2")
        assert (code, err) == (1, "") and len(asked[0]) == 12
    by_id = {row["id"]: row for row in rows(tmp_path / "run")}
    for row in by_id.values():
        assert row["verdict"] == "inapplicable"
    for id in ("learns", "agree"):
        assert "no unit has a value" in by_id[id]["reason"] and by_id[id]["missing"] == 6
    evidence = rows(tmp_path / "run", "evidence")
    assert len(evidence) == 12
    assert all(row["outcome"] == "missing" and row["value"] is None for row in evidence)
    assert all("training failed" in row["missing"] for row in evidence)


@pytest.mark.thorough
def test_networks_whose_training_failed_are_trained_by_the_next_run(
    whole, again, tmp_path, monkeypatch
):
    def failing(jobs, **_):
        raise MemoryError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(classify, "train_jobs", failing)
        code, out, err = again(tmp_path / "run")
    assert code == 1 and "MemoryError: planted" in out
    assert {row["verdict"] for row in rows(tmp_path / "run")} == {"inapplicable"}
    code, out, _ = again(tmp_path / "run")
    assert code == 0 and table(out) == table(whole[1])


def test_damaged_files_are_computed_again(whole, again, copied, asked):
    shutil.rmtree(copied / "verdicts")
    weights = sorted((copied / "weights").iterdir())[:2]
    for path in weights:
        path.write_bytes(path.read_bytes()[:100])
    measured = [path for path in (copied / "measured").iterdir() if len(rows_of(path)) == 6]
    for path in measured:
        path.write_bytes(b"foreign")
    code, out, err = again(copied)
    assert (code, err) == (0, "") and table(out) == table(whole[1])
    assert all(f"{path} cannot be used" in out for path in weights + measured)
    assert len(asked[0]) == 2
    assert rows(copied) == rows(whole[0])


def rows_of(path):
    return duckdb.execute(f"SELECT * FROM '{path}'").fetchall()


def test_a_directory_of_another_run_is_refused(tmp_path, again):
    store = Store(tmp_path / "run", create=True)
    config = {"suite": "pitfalls", "preset": "smoke", "n_certify": 1, "cells": [], "seeds": [0]}
    store.prepare(config | {"names": []})
    before = {path: path.read_bytes() for path in files(tmp_path)}
    code, out, err = again(tmp_path / "run")
    assert (code, out) == (2, "") and one_line(err) and "holds a run of pitfalls" in err
    assert before == {path: path.read_bytes() for path in files(tmp_path)}
    code, _, err = call("claims", tmp_path / "run")
    assert code == 2 and one_line(err) and "which has no verdicts" in err


def test_a_suite_does_not_run_in_a_directory_of_claims(copied):
    code, _, err = call("run", "pitfalls", "--preset", "smoke", "--out", copied, "--cores", "2")
    assert code == 2 and one_line(err) and "holds a run of claims" in err


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path, again):
    (tmp_path / "file").write_text("kept")
    code, _, err = again(tmp_path / "file")
    assert code == 2 and one_line(err) and "out: got" in err
    assert (tmp_path / "file").read_text() == "kept"


def test_files_of_a_directory_that_cannot_be_read_are_named(copied, again):
    (copied / "verdicts" / "agree.parquet").write_bytes(b"foreign")
    code, out, err = call("claims", copied)
    assert code == 0 and one_line(err) and "verdicts/agree.parquet cannot be used" in err
    assert "learns" in out and "agree" not in out
    assert again(copied)[0] == 0 and call("claims", copied)[0] == 0
    (copied / "said" / "1.json").write_text("{}")
    code, _, err = again(copied)
    assert code == 2 and one_line(err) and "said/1.json: got {}" in err


def test_a_family_that_a_directory_has_does_not_grow_by_another_file(copied, tmp_path):
    path = tmp_path / "more.toml"
    head, first, *_ = CLAIMS.split("[[claim]]")
    path.write_text(f"{head}[[claim]]{first}".replace('id = "learns"', 'id = "learns-too"'))
    before = {path: path.read_bytes() for path in files(copied)}
    code, _, err = call("claims", "run", path, "--out", copied, "--cores", "2")
    assert code == 2 and one_line(err) and "learns-too: family: got" in err
    assert "agree, learns, wide" in err
    assert before == {path: path.read_bytes() for path in files(copied)}


def test_a_directory_without_a_run_is_refused(tmp_path):
    code, _, err = call("claims", tmp_path)
    assert code == 2 and one_line(err) and "DIR: got" in err and not files(tmp_path)


def test_nothing_is_trained_for_claims_whose_settings_do_not_suit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head, _, _, last = CLAIMS.split("[[claim]]")
    (tmp_path / "wide.toml").write_text(f"{head}[[claim]]{last}")
    monkeypatch.setattr(classify, "train_jobs", lambda *_, **__: pytest.fail("trained"))
    code, out, err = call("claims", "run", "wide.toml", "--cores", "2")
    assert (code, err) == (0, "") and "inapplicable: premise not met: dim >= 50: 4" in out
    assert {row["id"] for row in rows(tmp_path / "runs" / "claims")} == {"wide"}
    assert not (tmp_path / "runs" / "claims" / "evidence").exists()


# -- rows by hand -----------------------------------------------------------------------------


def test_points_that_came_out_alike_share_a_row(tmp_path):
    path = tmp_path / "points.toml"
    head = CLAIMS.split("[[claim]]")[0]
    mean = head.replace('{ kind = "probability", at_least = 0.5 }', '{ kind = "mean" }')
    mean = mean.replace('"risk"', '"early_stopping_difference"').replace("0.4", "0")
    mean = mean.replace('of = "network"', 'of = "point"').replace('"clopper-pearson"', '"mcnemar"')
    mean = mean.replace(REDRAWS, '"points"').replace("n_certify = 20000", "n_certify = 6")
    top, population = mean.split("[population]")
    path.write_text(f'id = "points"\ntitle = "none"\n{top}[population]{population}')
    (claim,) = load(str(path))
    values = np.array([0.0, 1, 0, -1, 0, np.nan])
    missing = ("",) * 5 + ("lost",)
    units = Units(tuple("012345"), Estimate(values, values, values), (), missing)
    (verdict,) = conclude([claim], {"points": units})
    kept_rows = kept.evidence_rows(verdict)
    key = ("seeds", "count", "value", "outcome", "missing")
    assert [tuple(row[name] for name in key) for row in kept_rows] == [
        ("", 3, 0.0, "holds", ""),
        ("", 1, 1.0, "fails", ""),
        ("", 1, -1.0, "holds", ""),
        ("", 1, None, "missing", "lost"),
    ]
    assert sum(row["count"] for row in kept_rows) == kept.verdict_row(verdict)["units"]
    (line,) = verdicts.verdicts_table([kept.verdict_row(verdict)]).lines
    assert line[:3] == ["points", "1, 0.05", "inconclusive"] and line[6].startswith("6 points")


def test_what_was_measured_in_another_way_is_not_recalled(monkeypatch):
    (claim,) = (candidate for candidate in builtin().values() if candidate.id == "memorised")
    cell = claim.populations[""]

    def stem(name, version=None):
        if version is not None:
            quantity = declared()[name]._replace(version=version)
            monkeypatch.setitem(declared(), name, quantity)
        reference = session.Reference("", name)
        return kept.measured_stem(session.Key(cell, reference, 1000, 0.95))

    # the name that directories have from before there were versions
    words = [cell.identity, "risk", 1000, 0.95]
    assert stem("risk") == hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
    assert stem("s_randomised_auc") != stem("s_randomised_auc", version=1)
    assert stem("risk", version=2) not in (stem("risk", version=1), stem("risk", version=3))
