"""The gallery: small, recorded, and every figure with its command."""

import re
import tarfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "figures"
LEARNERS = ("networks", "solutions", "estimators", "generations", "directions")
RECORDED = sorted((FOLDER / "recorded").glob("*.tar.xz"))


def test_the_recorded_runs_are_small():
    assert [path.name for path in RECORDED] == [
        f"{name}.tar.xz"
        for name in (
            "bounds",
            "certify",
            "claims-collapse",
            "claims-directions",
            "claims-learners",
            "claims-noise",
            "claims",
            "collapse-decodings",
            "collapse",
            "compute",
            "directions",
            "massive-noise",
            "mitigation-tune",
            "mitigation-tuned",
            "mitigation",
            "noise-digits",
            "noise-personas",
            "noise",
            "phase",
            "pitfalls",
        )
    ]
    assert sum(path.stat().st_size for path in RECORDED) < 5e6


def test_no_figure_takes_a_megabyte():
    assert all(path.stat().st_size < 1e6 for path in FOLDER.glob("*.png"))


def test_every_figure_is_named_with_its_suite_and_every_name_is_a_figure():
    text = (FOLDER / "README.md").read_text()
    named = set(re.findall(r"`(\S+\.png)`", text))
    named |= {f"boundary-{tail}.png" for tail in re.findall(r"`-(d\d+)`", text)}
    assert named == {path.name for path in FOLDER.glob("*.png")}


@pytest.mark.thorough
def test_recorded_rows_say_how_they_were_made(tmp_path):
    from simbias.results import Store

    for path in RECORDED:
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / path.stem, filter="data")
        store = Store(tmp_path / path.stem)
        assert not [fault for fault in store.damaged() if fault[0].parent.name != "weights"]
        suite = path.name.split(".")[0]
        if suite.startswith("claims"):
            _, rows = store.query("SELECT DISTINCT hash, device, versions FROM verdicts")
            assert len(rows) >= 6 and all(row[0] and row[1] and "jax" in row[2] for row in rows)
            continue
        config = store.config()
        if suite == "massive-noise":  # a reproduction: its cells are those of a paper
            _, rows = store.query("SELECT device, versions FROM networks WHERE risk IS NOT NULL")
            assert len(rows) == 12 and all(row[0] and "jax" in row[1] for row in rows)
            continue
        assert suite.startswith(config["suite"])
        learned = [name for name in LEARNERS if (tmp_path / path.stem / name).is_dir()]
        count = 0
        for table in learned:
            _, rows = store.query(f"SELECT suite, device, versions FROM {table}")
            assert all(row[0] == config["suite"] and row[1] and "numpy" in row[2] for row in rows)
            count += len(rows)
        assert count == len(config["names"]) * len(config["seeds"]) >= 24
