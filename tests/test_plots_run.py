"""Figures of a run: one registry, one way to files, and one line where there is nothing to draw."""

import shutil
from dataclasses import dataclass

import displays
import pytest

from simbias import plots
from simbias._registry import Entry
from simbias.cli import main
from simbias.registry import FIGURES
from simbias.results import Store
from simbias.results.schema import VERDICTS_COLUMNS
from simbias.runner.claims import open_store

SAID = {"hash": "c", "says": "risk <= 0.1", "premises": "[]", "reason": "because"}


@pytest.fixture
def judged(tmp_path):
    """A directory of claims with a verdict and no network."""
    store = open_store(tmp_path / "run")
    row = displays.verdict("small", "refuted", 0.5, 0.4, 0.6) | SAID
    store.write_rows(store.directory / "verdicts" / "small.parquet", VERDICTS_COLUMNS, [row])
    return store


def files(store: Store):
    """What a directory holds, by its path there."""
    paths = [path for path in store.directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(store.directory)): path.read_bytes() for path in paths}


def test_printing_verdicts_draws_nothing(judged, capsys):
    before = files(judged)
    assert main(["claims", str(judged.directory)]) == 0
    assert "refuted" in capsys.readouterr().out and files(judged) == before


@pytest.mark.thorough
def test_verdicts_are_drawn_alike_whether_their_figure_is_named_or_not(judged, capsys):
    before, directory, drawn = files(judged), str(judged.directory), []
    for words in ([], ["--kind", "claims"]):
        assert main(["plot", directory, *words]) == 0
        drawn.append({name: text for name, text in files(judged).items() if name not in before})
        out = capsys.readouterr().out
        assert all(f"{directory}/{name}" in out for name in drawn[-1])
        shutil.rmtree(judged.directory / "figures")
    assert drawn[0] == drawn[1]
    assert {f"figures/claims{end}" for end in (".png", ".pdf", ".csv")} == drawn[0].keys()


@pytest.mark.parametrize("kind", ["boundary", "bounds", "discrimination"])
def test_what_a_directory_has_no_figure_of_is_said_in_one_line(judged, kind, capsys):
    assert main(["plot", str(judged.directory), "--kind", kind]) != 0
    printed = capsys.readouterr()
    assert (
        printed.out == ""
        and printed.err == f"simbias: {judged.directory} has no trained networks\n"
    )
    assert not (judged.directory / "figures").exists()


@dataclass
class Ids(plots.Display):
    """A figure of a kind that there is not."""

    ids: list[str]

    def tables(self):
        return {"ids": {"id": self.ids}}

    def _size(self):
        return 2.0, 2.0

    def _draw(self, axes):
        axes[0].set_title(", ".join(self.ids))


def ids_of(chosen):
    """Which claims there are."""
    _, rows = chosen.store.query("SELECT id FROM verdicts")
    return "ids", Ids([name for (name,) in rows])


@pytest.mark.thorough
def test_a_line_of_the_registry_adds_a_figure(judged, monkeypatch, capsys):
    monkeypatch.setitem(FIGURES._builtin, "ids", Entry(f"{__name__}:ids_of", "which claims"))
    assert main(["list", "figures"]) == 0
    assert "which claims" in capsys.readouterr().out
    for words in (["--kind", "ids"], []):
        assert main(["plot", str(judged.directory), *words]) == 0
        assert "figures/ids.png" in capsys.readouterr().out
    assert files(judged)["figures/ids.csv"] == b"id\nsmall\n"
