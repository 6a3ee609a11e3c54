"""A quantity of another package: a column, a heading and a word in claims; at fault, alone."""

import json
import subprocess
import sys

import pytest

from simbias import MLP, Stop, experiments, sgd, tasks
from simbias.experiments.classify import NETWORKS
from simbias.quantities import quantity
from simbias.results import Store
from simbias.training import Cell
from simbias.training.jobs import Job

pytestmark = pytest.mark.thorough

ENTRIES = """
[simbias.quantities]
doubled = mine:doubled
beyond = mine:beyond
layered = mine:layered
failing = mine:failing
seed = mine:seed
renamed = mine:doubled
lost = mine:lost
"""
MINE = '''
import numpy as np
from simbias.quantities import Estimate, Subject, quantity

@quantity(0, 2, interval="twice that of the risk", unit="risks", heading="twice")
def doubled(subject: Subject) -> Estimate:
    """Twice the risk."""
    return Estimate(*(2 * part for part in subject.report.risk))

@quantity(0, 1)
def beyond(subject):
    """Out of its range."""
    return np.full(len(subject.stack), 3.0)

@quantity(0, 1, needs=("relu layers",))
def layered(subject):
    """Never asked of what has no such layers."""
    raise AssertionError

@quantity(0, 1)
def failing(subject):
    """What fails."""
    return subject.no_such_thing

@quantity(0, 1)
def seed(subject):
    """Of the name of a column."""
    return 0.5
'''
CLAIM = """
id = "twice"
title = "Twice the risk is little"
source = "none"
quantity = "doubled"
predicate = { op = "<=", value = 0.4, margin = 0.0 }
quantifier = { kind = "probability", at_least = 0.5 }
unit = { of = "network", redraws = ["rotation", "data", "initialisation", "order"] }
effort = { n_certify = 500, confidence = 0.99 }
inference = { test = "clopper-pearson", alpha = 0.4, units = 3, family = "f", correction = "none" }
[population]
task = { name = "noisy-lms-7", dim = 4 }
network = { name = "mlp", width = 16, depth = 1, activation = "tanh" }
method = { name = "sgd", learning_rate = 0.1 }
n_train = 300
batch = 50
stop = { max_updates = 20, check_every = 10 }
"""
CELL = Cell(
    tasks.get("noisy-lms-7", dim=4),
    MLP(16, 1, "tanh"),
    sgd(learning_rate=0.1),
    n_train=300,
    batch=50,
    stop=Stop(max_updates=20, check_every=10),
)
# what the other process does, in which the package is installed
ASK = """
import json, sys
from simbias import validate
from simbias.claims import judge, load
from simbias.claims.networks import InMemory
from simbias.quantities import declared
from simbias.experiments import row, row_name
from simbias.experiments.classify import NETWORKS, outcomes
from simbias.results import Store, summarise
from simbias.tables.summary import summary_table

def table():
    found = summarise(store)
    table = summary_table(found)
    return [table.head, *table.lines]

(folder,) = sys.argv[1:]
store = Store(folder + "/run")
found = {"declared": list(declared()), "columns": [column.name for column in NETWORKS]}
found["before"] = store.query("SELECT seed, doubled FROM networks")[1], table()
networks = InMemory()
(verdict,) = judge(load(folder + "/twice.toml"), networks)
seeds = [int(seed) for seed in verdict.units.seeds]
stack = networks.stack(verdict.claim.populations[""], seeds)
report = validate(stack, n_certify=500)
for ended in outcomes(stack, report):
    store.write("networks", row_name(ended.replica), row("s", ended))
asked = "seed, risk, risk_high, doubled, doubled_high, beyond, layered, failing, reason"
found["rows"] = store.query(f"SELECT {asked} FROM networks ORDER BY seed")[1]
found["table"] = table()
found["range"] = verdict.claim.criterion.low, verdict.claim.criterion.high
found["measured"] = verdict.units.quantity.value.tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Another package with its entry points, as pip leaves it, and a run from before it."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (folder / "mine.py").write_text(MINE)
    (folder / "twice.toml").write_text(CLAIM)
    store = Store(folder / "run", create=True)
    names = [{"cell": CELL.name, "published": {}}]
    config = {"suite": "s", "preset": "p", "n_certify": 500, "cells": [], "seeds": [0]}
    store.prepare(config | {"names": names})
    job = Job(CELL, 0)
    known = {"risk": 0.25, "train_accuracy": 0.5}
    row = experiments.row("s", experiments.Ended(job, "done", "r", known))
    store.write("networks", experiments.row_name(job), row)
    return folder


@pytest.fixture(scope="module")
def installed(folder):
    """What another process says, and what it warns of."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {ASK}"
    asked = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"warned": done.stderr}


def test_its_columns_stand_after_the_known_ones_and_before_the_settings(installed):
    known = [column.name for column in NETWORKS]
    place = known.index("n_certify")
    own = ["beyond", "doubled", "doubled_low", "doubled_high", "failing", "layered"]
    assert installed["columns"] == [*known[:place], *own, *known[place:]]
    assert installed["declared"][-5:] == ["beyond", "doubled", "failing", "layered", "seed"]


def test_its_numbers_are_kept_with_their_interval_and_reasons_for_what_is_empty(installed):
    _, *rows = installed["rows"]
    assert len(rows) == 3
    for _, risk, high, doubled, doubled_high, beyond, layered, failing, reason in rows:
        assert (doubled, doubled_high) == (2 * risk, 2 * high) and 0 < doubled < doubled_high
        assert beyond is layered is failing is None
        for words in (
            "ValueError: quantity beyond: got 3.0, allowed: a number in [0, 1]: beyond is empty",
            "no layers of relu units to read: layered is empty",
            "no attribute 'no_such_thing': failing is empty",
        ):
            assert words in reason


def test_a_run_from_before_it_is_read_with_an_empty_column_and_its_usual_table(installed):
    rows, (head, *_) = installed["before"]
    assert rows == [[0, None]] and "twice" not in head


def test_it_has_a_heading_in_tables_once_there_is_a_value(installed):
    head, line = installed["table"]
    mean = sum(row[3] for row in installed["rows"][1:]) / 3
    assert head[-1] == "twice" and line[-1].split()[0] == f"{mean:.3f}"


def test_it_is_a_word_in_claims_with_its_range(installed):
    assert installed["range"] == [0, 2]
    assert installed["measured"] == pytest.approx([row[3] for row in installed["rows"][1:]])


def test_one_at_fault_is_told_and_the_others_work(installed):
    for words in (
        "quantity: plug-in 'lost', mine:lost, cannot be imported",
        "quantity: plug-in 'renamed': got ",
        "quantity: plug-in 'seed', the name of a column",
    ):
        assert words in installed["warned"]


def test_a_run_with_its_columns_is_read_where_it_is_not_installed(installed, folder):
    store = Store(folder / "run")
    names, rows = store.query("SELECT * FROM networks ORDER BY seed")
    assert names[: len(NETWORKS)] == [column.name for column in NETWORKS] and len(rows) == 4
    risks = [row[names.index("risk")] for row in rows]
    assert risks == [row[1] for row in installed["rows"]]


# -- what cannot be declared ------------------------------------------------------------------


def number(subject):
    """A number."""


def doubled_high(subject):
    """A name that is the column of an interval."""


@pytest.mark.parametrize(
    ("declared", "function", "words"),
    [
        ({}, doubled_high, "^quantity: got 'doubled_high', allowed: small letters"),
        ({"low": 1}, number, "^low: got 1, allowed: less than 1"),
        ({"needs": ("luck",)}, number, "^needs: unknown name 'luck'"),
        ({"of": "forest"}, number, "^of: unknown name 'forest'"),
        ({"of": "pair", "column": "value"}, number, "^column: got 'value', allowed: none"),
        ({"of": "pair", "heading": "pairs"}, number, "^heading: got 'pairs', allowed: none"),
        ({"column": "ends"}, number, "^column: unknown name 'ends'"),
    ],
)
def test_what_cannot_be_declared_is_refused_in_one_line(declared, function, words):
    with pytest.raises(ValueError, match=words):
        quantity(declared.pop("low", 0), 1, **declared)(function)
