"""What pyproject.toml says of dependencies: all of them, within ranges that hold here."""

import ast
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from simbias.experiments import versions

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# of what is installed; else a module bears its project's name
DISTRIBUTIONS = packages_distributions()


def declared(*groups):
    return {canonicalize_name(Requirement(stated).name) for group in groups for stated in group}


def imported(folder):
    """The third-party modules that the files of a folder import, at any depth of the code."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module)
    folders = (folder, "figures") if folder == "tests" else (folder,)  # tests import from both
    here = {"simbias"} | {path.stem for some in folders for path in (ROOT / some).glob("*.py")}
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - here


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("simbias", ()),
        ("figures", ()),
        ("tests", ("test",)),
        ("benchmarks", ("bench",)),
        (".ci", ("mutation",)),
        ("docs/make", ("docs",)),
    ],
)
def test_every_third_party_import_is_of_a_declared_distribution(folder, extras):
    allowed = declared(PROJECT["dependencies"], *map(EXTRAS.get, extras))
    undeclared = {
        name
        for name in imported(folder)
        if not {canonicalize_name(d) for d in DISTRIBUTIONS.get(name, [name])} & allowed
    }
    assert undeclared == set()


@pytest.mark.parametrize("requirement", PROJECT["dependencies"] + sum(EXTRAS.values(), []))
def test_every_range_has_a_lowest_version_and_an_upper_bound(requirement):
    operators = [part.operator for part in Requirement(requirement).specifier]
    assert sorted(operators) == ["<", ">="]


@pytest.mark.parametrize("requirement", PROJECT["dependencies"] + EXTRAS["test"])
def test_what_is_installed_lies_within_its_declared_range(requirement):
    stated = Requirement(requirement)
    if stated.marker is None or stated.marker.evaluate():
        assert stated.specifier.contains(version(stated.name), prereleases=True)


def test_the_versions_kept_with_a_result_are_those_of_the_modules_that_run():
    kept = {name: kept for name, kept in versions().items() if name not in ("python", "keys")}
    assert kept == {name: import_module(name).__version__ for name in kept}
