"""Bad command lines and bad calls, drawn from a grammar: one line that names the argument.

Longer than 400 lines because it lists a good call of everything public.
"""

import os
import random
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

import simbias
from simbias import bounds, claims, plots, suites, tasks, validation
from simbias.bounds import observe, records
from simbias.cli import main
from simbias.experiments import row, row_name, trace_rows
from simbias.experiments.classify import outcomes
from simbias.results import Store, load_stack, summarise
from simbias.runner import keep
from simbias.runner.plan import make_plan
from simbias.tasks import oracle
from simbias.training import Cell, train
from simbias.training.stack import replay

# of the bad calls and lines that there are
some = pytest.mark.parametrize("many", (120, pytest.param(400, marks=pytest.mark.slow)))


class Odd:
    """Something that is nothing else, and cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no words")


# -- values that no argument of a kind may have ---------------------------------------------------

NAN, INF = float("nan"), float("inf")
ODD = [Odd(), object, [], {}, (), b"3", "", 3 + 4j, np.array([1, 2]), np.array(["a"]), {1: 2}]
NUMBER = [*ODD, "0.5", NAN, INF, -INF, True, None, np.array([0.5]), np.float64("nan"), 10**400]
FROM_0 = [*ODD, "3", NAN, INF, 1.5, 2.0, True, -1, -(10**30), 10**5000, np.array([3]), 2**31]
COUNT = [*FROM_0, 0]
PROPORTION = [*NUMBER, 0, 1, -0.1, 1.1, 2, -1e300]
NAME = [*ODD, None, 3, "nosuch", "nos\nuch", "\0", "../x", "a" * 100_000, "\udcff", ["lms-5"], NAN]
SEEDS = [
    Odd(),
    {},
    [],
    (),
    "3",
    "",
    b"3",
    NAN,
    1.5,
    True,
    None,
    0,
    -1,
    2_000_000_000,
    10**5000,
    {1: 2},
    [-1],
    [1, 1],
    [1.5],
    ["a"],
    [None],
    [[1]],
    [True],
    [2**63],
    np.array([0.5]),
    np.array([[1]]),
    {1},
]
THING = [None, 3, "x", [], {}, object, Odd(), NAN, np.zeros(3)]
OPTIONAL = COUNT
PATH = [None, 3, "", "x", "x.gif", "x.png.txt", ".png", "a\0.png", b"x.png", [], NAN, Odd()]
FILE = [
    "",
    "x.toml",
    "a\0b.toml",
    ".toml",
    3,
    None,
    [],
    b"x.toml",
    NAN,
    Odd(),
    "a" * 5000 + ".toml",
]


def but(values, *right):
    """Values without some that are right after all."""
    return [
        v for v in values if not any(type(v) is type(allowed) and v == allowed for allowed in right)
    ]


class Call(NamedTuple):
    """A function with arguments that are right, and for some of them, values that are wrong."""

    function: object
    right: dict
    wrong: dict


def calls(trained, cell, store):
    """The public functions; names that begin with _ stand for arguments given by position."""
    task, network, method = cell.task, cell.network, cell.method
    key = jax.random.key(0)
    basis = {"task": task, "network": network, "method": method, "n_train": 500, "batch": 100}
    alone, many = {"stack": trained}, {"learned": trained}
    stop = {"max_updates": COUNT, "check_every": OPTIONAL, "patience": OPTIONAL}
    stop |= {"train_accuracy": but(PROPORTION, None, 1)}
    stop |= {"train_loss": but(NUMBER, None) + [-1]}
    stop |= {"select_accuracy": but(PROPORTION, None, 1)}
    parts = {"task": THING, "network": THING, "method": THING, "n_train": COUNT}
    parts |= {"batch": [*COUNT, 501]}
    level = {"confidence": PROPORTION}
    suite = suites.load("pitfalls")
    point = np.zeros((3, 2))
    return {
        "train": Call(
            train,
            basis | {"seeds": 1},
            parts | {"seeds": SEEDS, "n_select": COUNT, "stop": THING[1:]},
        ),
        "Cell": Call(Cell, basis, parts | {"stop": THING}),
        "replay": Call(
            replay,
            {"cell": cell, "updates": 100},
            {"cell": THING, "updates": [*COUNT, 30, 400], "seeds": SEEDS, "n_select": COUNT},
        ),
        "Stop": Call(simbias.Stop, {}, stop),
        "MLP": Call(
            simbias.MLP,
            {"width": 8, "depth": 1},
            {"width": COUNT, "depth": COUNT, "activation": NAME},
        ),
        "sgd": Call(
            simbias.sgd,
            {},
            {
                "learning_rate": [*NUMBER, 0, -1],
                "momentum": [*NUMBER, -1, 1],
                "weight_decay": [*NUMBER, -1, 1e300],
            },
        ),
        "tasks.get": Call(
            lambda name="noisy-lms-7", **settings: tasks.get(name, **settings),
            {},
            {
                "name": NAME,
                "dim": [*COUNT, 1, 10**6],
                "margin": [*PROPORTION, {"linear": NAN}, {"nosuch": 0.1}],
                "noise": but(NUMBER, None) + [-0.1, 1.1],
                "slabs": [*OPTIONAL, 4, 9],
            },
        ),
        "ms-5-7": Call(
            lambda **settings: tasks.get("ms-5-7", **settings),
            {},
            {
                "slabs": [
                    *ODD,
                    None,
                    5,
                    "57",
                    [5],
                    [7, 5],
                    [5, 5, 7],
                    [4, 7],
                    [NAN, 7],
                    ["a", "b"],
                ],
                "dim": [*COUNT, 1],
            },
        ),
        "networks.get": Call(
            lambda name="mlp", **settings: simbias.networks.get(name, **settings),
            {},
            {"name": NAME, "width": COUNT, "depth": COUNT},
        ),
        "sample": Call(
            task.sample,
            {"key": key, "rows": 5},
            {"key": THING, "rows": COUNT, "rotation": THING[1:]},
        ),
        "validate": Call(simbias.validate, many, {"learned": THING, "n_certify": COUNT} | level),
        "measure_conflicts": Call(
            validation.measure_conflicts, many, {"learned": THING, "n_certify": COUNT} | level
        ),
        "control": Call(
            validation.control,
            {"cell": cell, "rule": "simple"},
            {"cell": THING, "rule": NAME, "seeds": SEEDS},
        ),
        "measure_grids": Call(
            validation.measure_grids,
            many,
            {
                "learned": THING,
                "resolution": [*COUNT, 1],
                "contexts": [*COUNT, 5, 2],
                "planes": [*FROM_0, 1000],
                "coordinates": [*THING[1:], [0], [50], [1.5], [-1], [NAN]],
            }
            | level,
        ),
        "measure_islands": Call(
            validation.measure_islands,
            many,
            {
                "learned": THING,
                "sample": [*COUNT, 1],
                "directions": COUNT,
                "coordinates": [*THING[1:], [0], [50], [1.5]],
                "reach": [*NUMBER, 0, -1],
            }
            | level,
        ),
        "exact_risk": Call(
            validation.exact_risk,
            {"task": tasks.get("lms-5", dim=2), "layers": []},
            {"task": [*THING, task], "layers": [*THING, [1], [point]]},
        ),
        "evaluate": Call(
            bounds.evaluate,
            many,
            {
                "learned": THING,
                "delta": PROPORTION,
                "bounds": but(NAME, None) + [["nosuch"], [3], "occam"],
                "n_certify": COUNT,
                "masks": but(COUNT, 0) + [1],
            }
            | level,
        ),
        "observe": Call(
            observe,
            {"learned": trained, "i": 0},
            {"learned": THING, "i": but(COUNT, 0) + [4], "held_out": OPTIONAL},
        ),
        "selective": Call(
            bounds.selective,
            many | {"allowed_risk": 0.1, "held_out": 50, "n_select": 50, "n_certify": 50},
            {
                "learned": THING,
                "allowed_risk": PROPORTION,
                "held_out": but(COUNT, None) + [[50, 0], [None]],
                "delta": PROPORTION,
                "levels": COUNT,
                "n_select": COUNT,
                "n_certify": COUNT,
            }
            | level,
        ),
        "prediction_sets": Call(
            bounds.prediction_sets,
            many | {"allowed_missing": 0.1, "held_out": 50, "n_certify": 50},
            {
                "learned": THING,
                "allowed_missing": PROPORTION,
                "held_out": but(COUNT, None) + [[50, 0], [None]],
                "delta": PROPORTION,
                "n_certify": COUNT,
            }
            | level,
        ),
        "weighted": Call(
            bounds.weighted,
            many | {"shift": "even-slabs", "held_out": 50, "n_simulated": 50, "n_certify": 50},
            {
                "learned": THING,
                "shift": NAME,
                "held_out": but(COUNT, None) + [[50, 0], [None]],
                "delta": PROPORTION,
                "n_simulated": COUNT,
                "n_certify": COUNT,
            }
            | level,
        ),
        "points_to_reveal": Call(
            bounds.points_to_reveal,
            {"allowed_risk": 0.1, "risk": 0.3},
            {
                "allowed_risk": [*PROPORTION, -1e-9],
                "risk": [*PROPORTION, 0.1, 0.1 + 1e-9],
                "alpha": PROPORTION,
                "power": PROPORTION,
                "noise": but(NUMBER, 0) + [-0.1, 1, 0.5],
            },
        ),
        "records": Call(records, {"observed": None}, {"observed": THING}),
        "claims.check": Call(claims.check, {}, {"claim": NAME + FILE}),
        "claims.get": Call(claims.get, {}, {"name": NAME}),
        "claims.load": Call(claims.load, {}, {"source": FILE + [THING]}),
        "claims.choose": Call(
            claims.choose,
            {},
            {
                "words": [
                    ["nosuch"],
                    ["x.toml"],
                    [3],
                    [None],
                    3,
                    "conclusion-1",
                    [""],
                    ["a\0.toml"],
                    [Odd()],
                ]
            },
        ),
        "suites.load": Call(suites.load, {}, {"name": NAME + FILE}),
        "make_plan": Call(
            make_plan,
            {"suite": suite, "preset": "smoke"},
            {
                "suite": THING,
                "preset": NAME,
                "seeds": but(SEEDS, None),
                "n_certify": OPTIONAL,
                "overrides": [
                    ["x"],
                    ["dim=3"],
                    ["task.dim"],
                    ["=1"],
                    ["task.dim=[[" + "[" * 9000],
                    ["n_train=" + "9" * 6000],
                    [3],
                    3,
                    "batch=3",
                    [None],
                    ["task.dim=1"],
                    ["batch=-1"],
                    ["network.width=nan"],
                    ["method.learning_rate=inf"],
                    ["task.noise='x'"],
                    ["stop.patience=[]"],
                    ["stop.nosuch=1"],
                    ["task.name=7"],
                ],
            },
        ),
        "Store": Call(
            Store,
            {},
            {"directory": ["", "nosuch", 3, None, [], NAN, Odd(), "a\0b", b"x", "x" * 5000]},
        ),
        "load_stack": Call(
            load_stack,
            {"store": store},
            {
                "store": THING,
                "cell": ["nosuch", 3, NAN, [], Odd(), "\0"],
                "seed": but(COUNT, 0) + [99],
            },
        ),
        "summarise": Call(summarise, {}, {"store": THING}),
        "keep": Call(
            keep,
            {"stack": trained, "directory": "new"},
            {
                "stack": THING,
                "n_certify": COUNT,
                "directory": [3, None, [], NAN, Odd(), "a\0b", b"x"],
            },
        ),
        "boundary": Call(
            plots.boundary,
            many,
            {
                "learned": THING,
                "seed": but(COUNT, 0) + [99],
                "coordinate": [*COUNT, 50],
                "label": ["x", 2, NAN, -1, [], Odd()],
                "resolution": [*COUNT, 1],
                "contexts": [*COUNT, 9, 2],
                "shown": but(COUNT, 0),
            },
        ),
        "islands": Call(
            plots.islands,
            alone,
            {
                "stack": THING,
                "seed": but(COUNT, 0) + [99],
                "coordinate": [*OPTIONAL, 50],
                "sample": COUNT,
            },
        ),
        "training": Call(plots.training, {}, {"stack": THING}),
        "phase": Call(plots.phase, {}, {"summaries": [*THING, [3], ["x"]]}),
        "comparison": Call(plots.comparison, {}, {"rows": [*THING, [3], ["x"]]}),
        "plots.bounds": Call(
            plots.bounds, {"evaluations": [], "name": "x"}, {"evaluations": [*THING, [3], ["x"]]}
        ),
        "plots.claims": Call(plots.claims, {}, {"rows": [*THING, [3], ["x"], [{}]]}),
        "discrimination": Call(plots.discrimination, {}, {"scores": [*THING, [3], ["x"]]}),
        "save": Call(plots.training(trained).save, {}, {"path": PATH}),
        "configure": Call(simbias.configure, {}, {"cores": [*OPTIONAL, 10**6]}),
        "index": Call(trained.index, {}, {"seed": but(COUNT, 0) + [99]}),
        "some": Call(
            trained.some, {}, {"seeds": [99, None, "x", [99], [-1], [1.5], [NAN], [], [Odd()]]}
        ),
        "bayes_rule": Call(
            oracle.bayes_rule,
            {"task": task, "coordinate": 0},
            {"task": THING, "coordinate": but(COUNT, 0) + [50]},
        ),
    }


@pytest.fixture(scope="module")
def kept(tmp_path_factory, trained, cell):
    """A run directory with the trained stack."""
    store = Store(tmp_path_factory.mktemp("fuzz") / "run", create=True)
    words = {"suite": "s", "preset": "p", "n_certify": 1, "cells": [], "seeds": [0]}
    store.prepare(words | {"names": [{"cell": cell.name, "published": {}}]})
    for ended in outcomes(trained, None):
        name, trace = row_name(ended.replica), trace_rows("s", ended)
        store.write("networks", name, row("s", ended), trace, ended.tensors)
    return store


def everything(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


# what an argument is called on the command line, or inside it
CALLED = {
    ("suites.load", "name"): "suite",
    ("claims.get", "name"): "claim",
    ("claims.check", "claim"): "claim",
    ("claims.load", "source"): "claims|source",
    ("claims.choose", "words"): "claim|words",
    ("Store", "directory"): "DIR",
    ("make_plan", "overrides"): "set: |overrides: ",
}


def trouble(problems, many):
    return f"{len(problems)} of {many}:\n" + "\n".join(sorted(problems)[:60])


def shown(value):
    try:
        return repr(value)[:60]
    except Exception:
        return type(value).__name__


@some
def test_bad_calls_are_one_line_that_names_the_argument(
    many, tmp_path, monkeypatch, trained, cell, kept
):
    monkeypatch.chdir(tmp_path)
    table = calls(trained, cell, kept)
    every = [
        (name, argument, value)
        for name, call in table.items()
        for argument, values in call.wrong.items()
        for value in values
    ]
    before = everything(kept.directory)
    problems = []
    for name, argument, value in random.Random(0).sample(every, many):
        call = table[name]
        where = f"{name}({argument}={shown(value)})"
        try:
            call.function(**call.right | {argument: value})
        except ValueError as error:
            message = str(error)
            called = CALLED.get((name, argument), argument.rstrip("s"))
            is_named = any(name in message for name in called.split("|"))
            if "\n" in message or len(message) > 1000 or not is_named:
                problems.append(f"{where}: {message[:200]!r}")
        except Exception as error:
            problems.append(f"{where}: {type(error).__name__}: {str(error)[:150]!r}")
        else:
            problems.append(f"{where}: accepted")
    assert not problems, trouble(problems, many)
    assert not list(tmp_path.iterdir()) and everything(kept.directory) == before


# -- command lines ---------------------------------------------------------------------------------

WHOLE = ["0", "-1", "1.5", "x", "", "nan", "inf", "1e3", "9" * 5000, "[1]", "0x10", " "]
NAMES = ["", "nosuch", "../x", "a\nb", "\udcff", "é" * 300, "a" * 5000, "3", "nan"]
FILES = [
    "",
    "nosuch.toml",
    ".toml",
    "a" * 300 + ".toml",
    "FOLDER.toml",
    "PIPE.toml",
    "BINARY.toml",
    "EMPTY.toml",
]
PLACES = ["", "nosuch", "a" * 5000, "EMPTY.toml", "/proc/x", "/dev/null", "\udcff", "EMPTY.toml/x"]
SETTINGS = [
    "x",
    "=",
    "=1",
    "dim=3",
    "task=3",
    "task.dim",
    "task.dim=",
    "task.dim=x",
    "task.dim=1",
    "task.dim=nan",
    "task.dim=[1,2]",
    "task.dim={}",
    "task.dim=" + "[" * 4000,
    "n_train=0",
    "n_train=1.5",
    "n_train=" + "9" * 6000,
    "batch=10000000",
    "network.width=0",
    "network.depth=-1",
    "network.nosuch=1",
    "network.activation=3",
    "method.learning_rate=0",
    "method.learning_rate='x'",
    "method.momentum=1",
    "stop.max_updates=0",
    "stop.nosuch=1",
    "task.margin=0.9",
    "task.noise=2",
    "task..dim=3",
    "a\nb=1",
    "\udcff=1",
    "network.name=nosuch",
    "method.name=3",
    "task.slabs=4",
    "stop.check_every=0",
    "n_train=true",
]
RIGHT = {
    "run": ["run", "pitfalls", "--preset", "smoke", "--dry-run"],
    "plot": ["plot", "RUN", "--kind", "boundary"],
    "bounds": ["bounds", "RUN", "--bounds", "occam"],
    "export": ["export", "RUN", "--format", "csv", "--out", "OUT"],
    "query": ["query", "RUN", "select 1"],
    "list": ["list"],
    "info": ["info", "lms-5"],
    "status": ["status", "RUN"],
    "table": ["table", "RUN"],
    "claims": ["claims", "run", "conclusion-1", "--out", "OUT"],
    "doctor": ["doctor"],
}
OPTIONS = {  # by verb: option, what the message must hold, bad values
    "run": [
        ("--preset", "preset", NAMES),
        ("--seeds", "seeds", [*WHOLE, "2000000000"]),
        ("--n-certify", "n_certify", WHOLE),
        ("--cores", "cores", WHOLE),
        ("--set", "set", SETTINGS),
        ("--out", "out", PLACES[:1] + PLACES[2:6]),
    ],
    "plot": [
        ("--kind", "kind", NAMES),
        ("--cell", "cell", NAMES),
        ("--seed", "seed", WHOLE[1:]),
        ("--coordinate", "coordinate", WHOLE[1:]),
    ],
    "bounds": [
        ("--cell", "cell", NAMES),
        ("--delta", "delta", ["0", "1", "-1", "2", "x", "nan", "inf", "", "1e999"]),
        ("--bounds", "bound", NAMES),
        ("--n-certify", "n_certify", WHOLE),
        ("--cores", "cores", WHOLE),
        ("--masks", "masks", ["1", *WHOLE[1:]]),
    ],
    "export": [
        ("--format", "format", NAMES),
        ("--out", "", ["", "nosuch/x.csv", "/dev/null/x", "FOLDER.toml"]),
    ],
    "query": [("--format", "format", NAMES)],
    "claims": [("--cores", "cores", WHOLE), ("--out", "out", PLACES[:1] + PLACES[2:6])],
}
WORDS = {  # by verb: place of a word without an option, what the message must hold, bad values
    "run": [(1, "suite|.toml", NAMES + FILES)],
    "plot": [(1, "dir", PLACES)],
    "bounds": [(1, "dir", PLACES)],
    "export": [(1, "dir", PLACES)],
    "query": [
        (1, "dir", PLACES),
        (
            2,
            "sql",
            [
                "",
                "select",
                "select 1; select 2",
                "copy networks to 'x'",
                "select * from 'x.csv'",
                "\udcff",
                "attach 'x'",
                "select " + "(" * 300,
                "\0x",
                "--",
                ";",
                "install httpfs",
                "set memory_limit='1TB'",
                "select nosuch from networks",
            ],
        ),
    ],
    "list": [(1, "kind", NAMES)],
    "info": [(1, "name|.toml", NAMES + FILES)],
    "status": [(1, "dir", PLACES)],
    "table": [(1, "dir", PLACES)],
    "claims": [
        (1, "claims|word|out", [*NAMES, "check", "vocabulary x"]),
        (2, "claim|word|.toml", NAMES + FILES),
    ],
}


def lines():
    """Bad command lines, each with what its message must hold."""
    for verb, right in RIGHT.items():
        for option, holds, values in OPTIONS.get(verb, []):
            without = [*right]
            if option in without:
                index = without.index(option)
                del without[index : index + 2]
            if (verb, option) == ("run", "--out"):
                without.remove("--dry-run")  # which writes nowhere
            for value in values:
                yield [*without, option, value], holds
                yield [*without, f"{option}={value}"], holds
            if option not in ("--set", "--bounds"):
                yield [*without, option, "1", option, "2"], option
            yield [*without, option], option
        for place, holds, values in WORDS.get(verb, []):
            for value in values:
                words = [*right]
                words[place : place + 1] = [value]
                yield words, holds
        for word in ("--nosuch", "-x", "--nosuch=3", "--set-x"):
            yield [*right, word], word.split("=")[0]
        yield [*right, "surplus", "word"], "surplus|word"
        yield [right[0][:-1], *right[1:]], "command"


def named(holds, text):
    """Whether a message has one of the names, as an option or as an argument."""
    plain = text.lower().replace("-", "_")
    return any(name.replace("-", "_") in plain for name in holds.split("|"))


@pytest.fixture
def places(tmp_path, monkeypatch, kept):
    """A folder of files that are none, where command lines run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER.toml").mkdir()
    (tmp_path / "BINARY.toml").write_bytes(bytes(range(256)))
    (tmp_path / "EMPTY.toml").write_text("")
    os.mkfifo(tmp_path / "PIPE.toml")
    return {"RUN": str(kept.directory)}


@some
@pytest.mark.thorough
def test_bad_command_lines_are_one_line_that_names_the_argument(
    many, tmp_path, places, kept, capsys
):
    every = [(line, holds) for line, holds in lines() if not any("\0" in word for word in line)]
    before = everything(tmp_path), everything(kept.directory)
    problems = []
    for line, holds in random.Random(0).sample(every, many):
        line = [places.get(word, word) for word in line]
        where = " ".join(ascii(word)[1:-1][:60] for word in line)
        code = main(line)
        printed = capsys.readouterr()
        unforeseen = "(--debug shows where)" in printed.err
        if code not in (1, 2) or printed.out or unforeseen:
            problems.append(f"{where}: {code}, {printed.out[:60]!r}, {printed.err[:200]!r}")
        elif (
            printed.err.count("\n") != 1 or len(printed.err) > 1000 or not named(holds, printed.err)
        ):
            problems.append(f"{where}: {holds}: {printed.err[:300]!r}")
    assert not problems, trouble(problems, many)
    assert (everything(tmp_path), everything(kept.directory)) == before
