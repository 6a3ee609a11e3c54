"""Tables of every kind: as long as their heads, printed whole, and nothing else."""

import inspect
import pkgutil
from importlib import import_module

import displays
import numpy as np
import pytest
from rich.console import Console

from simbias import claims, tables
from simbias.bounds.preference import Preference
from simbias.console import print_table
from simbias.results import PairedDifference, Standing
from simbias.results.summary import Mean
from simbias.runner.tune import Tuned
from simbias.stats.estimate import Estimate
from simbias.tables import TextTable, latex

ENDS = (0.5, 0.4, 0.6)
VERDICT = {"version": 1, "says": "risk <= 0.1", "premises": "[]", "hash": "c"}
AGAINST = PairedDifference(0.01, 0.004, np.inf, 11, 1, 12, "better")
CELL = {
    "task": {"name": "lms-7"},
    "network": {"name": "mlp"},
    "method": {"name": "sgd"},
    "n_train": 300,
}


def standing(against):
    """A learner on one task, with numbers that are all different."""
    means = [Mean(value, 0.01 * value, None) for value in (0.05, 0.3, 0.6, 0.5)]
    reached = Estimate(*map(np.array, (0.5, 0.2, 0.8)))
    costs = 40_000.0, 1.25, ("groups",)
    return Standing("lms-7", "sgd", "c", {"done": 12}, "risk", *means, reached, *costs, against)


MADE = {  # a small table of every kind
    "answer_table": lambda make: make(["a", "b"], [[1, None]]),
    "bounds_table": lambda make: make([displays.evaluation("occam", 0.5, 0.1)]),
    "certify_table": lambda make: make([displays.certifying("occam", points=2000.0)]),
    "claims_table": lambda make: make(list(claims.builtin().values())[:2]),
    "discrimination_table": lambda make: make([displays.score("a", "bound", 0.9, 0.8, 0.1, "w")]),
    "step_table": lambda make: make(
        claims.Step("1", "we label", (claims.get("expressible"),), "all", {"a title": "no slabs"}),
        {"expressible": displays.verdict("expressible", "refuted", *ENDS)},
        {"expressible": [{"value": 0.5}]},
    ),
    "leaderboard_table": lambda make: make([standing(None), standing(AGAINST)]),
    "tuned_table": lambda make: make([Tuned(CELL, CELL, 0.94, 0.95, trials=8)]),
    "preference_table": lambda make: make(
        [Preference("vc", "bound", "explicit", 0, 20, 0, 0, 0.3, 0.3, 0.0, 1.0)]
    ),
    "reproduction_table": lambda make: make(*displays.reproduced()),
    "summary_table": lambda make: make([displays.cell(2, [100.0], 0.3)]),
    "verdicts_table": lambda make: make([displays.verdict("x", "refuted", *ENDS) | VERDICT]),
    "vocabulary_table": lambda make: make(),
}


def kinds():
    """Every function of the room that makes a table, by name."""
    files = pkgutil.iter_modules(tables.__path__, "simbias.tables.")
    modules = [import_module(file.name) for file in files]
    return {
        name: function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.endswith("_table")
    }


def test_each_kind_of_table_is_looked_at_here():
    assert kinds().keys() == MADE.keys()


@pytest.mark.parametrize("name", MADE)
def test_a_table_is_printed_whole_and_draws_nothing(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = MADE[name](kinds()[name])
    assert isinstance(table, TextTable) and table.lines and table.keys < len(table.head)
    assert {len(line) for line in table.lines} == {len(table.head)}
    print_table(Console(width=400), table)
    words = capsys.readouterr().out.split()
    for text in (*table.head, *(text for line in table.lines for text in line), table.caption):
        assert set(text.split()) <= set(words)
    rows = latex(table).splitlines()
    assert len(rows) == len(table.lines) + 7
    assert not list(tmp_path.iterdir())
