"""A run of the version before, drawn by other random keys: it is read, and not drawn again."""

import tarfile
from pathlib import Path

import pytest

from simbias._keys import VERSION
from simbias.cli import main
from simbias.results import Store, load_stack
from simbias.results.summary import summarise

SUITE = """
name = "tiny"
summary = "a run of an earlier version"
source = "made for the tests"
[tasks.noisy-lms-7]
n_train = 100
batch = 20
method = { name = "sgd", learning_rate = 0.1 }
stop = { max_updates = 200, check_every = 100 }
[presets.standard]
summary = "two networks"
seeds = 2
n_certify = 2000
cells = [ { task = "noisy-lms-7", network = { name = "mlp", width = 4, depth = [1, 2] } } ]
"""
REFUSED = f"drawn by version 1 of the random keys, here is version {VERSION}: its rows can be read"


@pytest.fixture
def before(tmp_path):
    """What ``simbias run`` made of the suite, at d = 3, by version 1 of the keys."""
    file = Path(__file__).parent / "recorded" / "keys-1.tar.xz"
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "run"


def test_its_rows_are_what_they_were(before):
    store = Store(before)
    _, rows = store.query("SELECT network, seed, risk FROM networks ORDER BY ALL")
    assert rows == [
        ("(4,1)", 0, 0.0455),
        ("(4,1)", 1, 0.0565),
        ("(4,2)", 0, 0.072),
        ("(4,2)", 1, 0.4905),
    ]
    assert store.query("SELECT count(*) FROM traces")[1] == [(8,)]
    assert store.damaged() == [] and len(store.finished()) == 4
    means = [
        summary.means["risk" if "risk" in summary.means else "test_accuracy"].value
        for summary in summarise(store)
    ]
    assert means == pytest.approx([0.949, 0.71875])


@pytest.mark.parametrize(
    "verb",
    (
        ["status"],
        ["table"],
        ["export", "--format", "csv", "--out", "-"],
        ["plot", "--kind", "table"],
    ),
)
@pytest.mark.thorough
def test_what_reads_rows_reads_it(before, verb, capsys):
    assert main([verb[0], str(before), *verb[1:]]) == 0
    assert "4,1" in capsys.readouterr().out or (before / "figures" / "table.png").exists()


def test_what_would_draw_again_refuses_in_one_line_and_changes_nothing(before, tmp_path, capsys):
    with pytest.raises(ValueError, match=REFUSED):
        load_stack(Store(before))
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    files = {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}
    for verb in (
        ["bounds", str(before)],
        ["plot", str(before), "--kind", "boundary"],
        ["run", str(suite), "--set", "task.dim=3", "--out", str(before)],
    ):
        assert main(verb) == 2
        printed = capsys.readouterr().err.strip()
        assert REFUSED in printed and "\n" not in printed
    assert files == {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}
