"""A stack that was trained outside of a run, kept as one."""

import jax
import numpy as np
import pytest

import simbias
from simbias.cli import main
from simbias.results import Store, load_stack
from simbias.runner import keep


@pytest.fixture(scope="module")
def store(trained, tmp_path_factory):
    return keep(trained, tmp_path_factory.mktemp("kept") / "run", n_certify=2000)


@pytest.mark.thorough
def test_a_kept_stack_is_read_as_it_was(trained, store):
    again = load_stack(store)
    assert again.cell == trained.cell and again.seeds == trained.seeds
    jax.tree.map(np.testing.assert_array_equal, trained.params, again.params)
    np.testing.assert_array_equal(again.traces, trained.traces)


def test_its_rows_are_what_validation_says(trained, store):
    report = simbias.validate(trained, n_certify=2000)
    _, rows = store.query("SELECT seed, risk, n_certify FROM networks ORDER BY seed")
    assert [row[0] for row in rows] == list(trained.seeds)
    np.testing.assert_array_equal([row[1] for row in rows], report.risk.value)
    assert {row[2] for row in rows} == {2000}


def test_the_command_line_reads_it(trained, store, capsys):
    assert main(["status", str(store.directory)]) == 0
    assert f"{len(trained)} done" in capsys.readouterr().out
    assert main(["table", str(store.directory)]) == 0
    assert trained.cell.task.name in capsys.readouterr().out


def test_what_is_there_is_left_as_it_is(trained, store):
    def files():
        return {path: path.read_bytes() for path in store.directory.rglob("*.parquet")}

    before = files()
    keep(trained, str(store.directory), n_certify=2000)
    assert files() == before


@pytest.mark.thorough
def test_another_stack_has_a_directory_of_its_own(trained, store):
    other = simbias.train(
        trained.cell.task, trained.cell.network, trained.cell.method, n_train=500, seeds=1,
        batch=100, stop=simbias.Stop(max_updates=50),
    )  # fmt: skip
    with pytest.raises(ValueError, match="^directory: "):
        keep(other, store.directory)


def test_nothing_is_made_for_bad_arguments(trained, tmp_path):
    good = {"stack": trained, "directory": tmp_path / "run"}
    for name, value in (("stack", 3), ("n_certify", 0), ("directory", None), ("directory", "")):
        with pytest.raises(ValueError, match=f"^{name}: got"):
            keep(**good | {name: value})
    assert not (tmp_path / "run").exists() and Store(tmp_path / "own", create=True)


@pytest.mark.thorough
def test_a_network_whose_weights_are_spoilt_is_computed_again(trained, tmp_path):
    store = keep(trained, tmp_path / "run", n_certify=500)
    spoilt = min((store.directory / "weights").iterdir())
    spoilt.write_bytes(b"")
    (line,) = store.mend()
    assert line.endswith("computed again")
    again = Store(tmp_path / "run").statuses()
    assert spoilt.stem not in again and len(again) == len(trained) - 1


def test_a_seed_below_0_is_refused_by_its_range(store):
    with pytest.raises(ValueError, match=r"^seed: got -1, allowed: an integer in \[0, "):
        load_stack(store, seed=-1)
