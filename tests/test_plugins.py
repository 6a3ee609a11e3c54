"""Names that other installed packages add: listed with their own words, one at fault alone."""

import subprocess
import sys

import pytest

from simbias import tasks
from simbias._registry import summary
from simbias.bounds import observe, records
from simbias.cli import main
from simbias.registry import BOUNDS, CLAIMS, REGISTRIES

ENTRIES = """
[simbias.tasks]
mine = mine.tasks:mine
shared = mine:shared
halved = mine.tasks:halved
absent = mine.tasks:absent
unwell = mine.unwell:task
[simbias.suites]
small = mine:small.toml
[simbias.claims]
said = mine:said.toml
lost = mine:lost.toml
[simbias.quantities]
doubled = mine.numbers:doubled
[simbias.bounds]
unwell = mine.unwell:bound
"""
TASKS = '''
from functools import partial
raise SystemExit("a list must import nothing")

def mine(*, dim=2):
    """A task of my own.

    With more to say.
    """

halved = partial(mine, dim=1)
'''
NUMBERS = '''
from simbias.quantities import quantity
raise SystemExit("a list must import nothing")

@quantity(0, 2)
def doubled(subject):
    """Twice the risk."""
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Another package with entry points, as pip would leave it."""
    info = tmp_path / "mine-1.0.dist-info"
    package = tmp_path / "mine"
    for folder in (info, package):
        folder.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (package / "__init__.py").write_text("from mine.tasks import mine as shared\n")
    (package / "tasks.py").write_text(TASKS)
    (package / "numbers.py").write_text(NUMBERS)
    (package / "unwell.py").write_text("import no_such_library\n")
    (package / "small.toml").write_text('summary = "a suite of my own"\n')
    (package / "said.toml").write_text('id = "mine-{i}"\ntitle = "i is {i}"\neach = {i = [1, 2]}')
    monkeypatch.syspath_prepend(tmp_path)
    for registry in (*REGISTRIES.values(), CLAIMS):
        monkeypatch.delitem(registry.__dict__, "_installed", raising=False)
    yield package
    for registry in (*REGISTRIES.values(), CLAIMS):
        registry.__dict__.pop("_installed", None)
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


def test_a_list_has_what_plugins_say_of_themselves_and_imports_none(installed, capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr()
    lines = {" ".join(line.split()) for line in printed.out.splitlines()}
    for name in ("mine", "shared", "halved"):
        assert f"{name} A task of my own. (from mine)" in lines
    assert "doubled Twice the risk. (from mine)" in lines
    assert {"absent (from mine)", "small a suite of my own (from mine)"} <= lines
    assert {"mine-1 i is 1", "mine-2 i is 2"} <= lines
    assert not any(name.startswith("mine") for name in sys.modules)
    assert printed.err.count("\n") == 1 and "plug-in 'lost'" in printed.err


def test_a_plugin_that_cannot_be_imported_is_named_and_the_others_work(installed):
    (installed / "tasks.py").write_text("from simbias.tasks.catalogue import lms_5 as mine\n")
    words = "task: plug-in 'unwell', mine.unwell:task, cannot be imported: ModuleNotFoundError"
    with pytest.raises(ValueError, match=words):
        tasks.get("unwell")
    with pytest.raises(ValueError, match="task: plug-in 'absent', .* AttributeError"):
        tasks.get("absent")
    with pytest.raises(ValueError, match="bound: plug-in 'unwell', .*no_such_library"):
        BOUNDS.factory("unwell")
    assert tasks.get("mine", dim=3).dim == 3


def test_a_bound_that_cannot_be_imported_is_inapplicable_beside_the_others(
    installed, trained, monkeypatch
):
    monkeypatch.setattr(BOUNDS, "_builtin", {"occam": BOUNDS.entries()["occam"]})
    observed = observe(trained, 0)
    by_bound = {record.bound: record for record in records(observed)}
    assert set(by_bound) == set(BOUNDS.entries()) and by_bound["occam"].applicable
    assert not by_bound["unwell"].applicable and "SystemExit" in by_bound["unwell"].reason
    with pytest.raises(ValueError, match="plug-in 'unwell'"):
        records(observed, bounds=["occam", "unwell"])


def test_a_plugin_that_is_no_function_is_named(installed):
    (installed / "tasks.py").write_text("mine = 3\n")
    with pytest.raises(ValueError, match="task: plug-in 'mine': got 3, allowed: a function"):
        tasks.get("mine")


def test_what_says_nothing_has_no_summary():
    for reference in ("no.such:thing", "simbias.registry:no_such", "", "simbias:no-such.toml"):
        assert summary(reference) == ""
    assert summary("simbias.bounds.capacity:occam").startswith("kl^-1(training error")


def test_a_list_takes_a_moment(tmp_path):
    code = "import sys; from simbias.cli import main; main(['list']); print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert int(done.stdout.split()[-1]) < 600  # 0.15 s; JAX alone has more
