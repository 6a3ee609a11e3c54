"""The house as CONTRIBUTING draws it, held against the code: order, circles, lengths.

An import counts wherever it stands, in a function or for a type checker too: who names what another
file makes knows that file. One below ``if __name__ == "__main__"`` does not: it is the program's.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

HOME = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((HOME / "simbias").rglob("*.py"))
}
REASON = "Longer than 400 lines because"  # in the docstring of a file that has to be
PACKAGES = [name for name, path in FILES.items() if path.name == "__init__.py"]


def rooms() -> dict[str, int]:
    """Where each file or folder of the package stands in the table, from the ground up."""
    page = (HOME / "CONTRIBUTING.md").read_text()
    table = page.partition("| room | holds |\n|---|---|\n")[2].partition("\n\n")[0]
    return {
        name.rstrip("/"): level
        for level, row in enumerate(table.splitlines())
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }


def imported(module: str, source: str, files: Mapping[str, Path] = FILES) -> set[str]:
    """The modules of the package that a source imports, wherever it does."""
    found = set()
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            origin = node.module or ""
            named = {f"{origin}.{alias.name}" for alias in node.names}
            found |= {name if name in files else origin for name in named}
    return {name for name in found if name.split(".")[0] == "simbias"}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        program = isinstance(child, ast.If) and ast.unparse(child.test) == "__name__ == '__main__'"
        if not program:
            yield child
            yield from _statements(child)


def room(module: str) -> str:
    """The room of a module; the package itself is none, and says its version to all."""
    return module.split(".")[1] if "." in module else ""


def arrows_up(imports: Mapping[str, set[str]], levels: Mapping[str, int]) -> list[str]:
    return [
        f"{module} imports {other}"
        for module, others in imports.items()
        for other in sorted(others)
        if module != "simbias" != other and levels[room(other)] > levels[room(module)]
    ]


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    return {module: imported(module, path.read_text()) for module, path in FILES.items()}


def test_every_file_of_the_package_has_its_place_on_the_page():
    there = {room(module) for module in FILES} - {""}
    assert rooms().keys() == there


def test_a_room_imports_only_from_itself_and_from_the_rooms_above_it(imports):
    assert arrows_up(imports, rooms()) == []


def test_no_file_imports_itself_by_way_of_others(imports):
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize(
    "source",
    [
        "import simbias.plots.run",
        "from simbias.plots.run import draw",
        "from simbias.plots import run",
        "def late():\n    from simbias.plots.run import draw",
        "if TYPE_CHECKING:\n    from simbias.plots.run import draw",
    ],
)
def test_an_arrow_up_is_seen_wherever_it_starts(source):
    imports = {"simbias.tasks.xor": imported("simbias.tasks.xor", source)}
    assert arrows_up(imports, rooms()) == ["simbias.tasks.xor imports simbias.plots.run"]


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "simbias"])
def test_a_package_only_re_exports(package):
    """The first one is lazy, so that importing simbias does not start JAX."""
    docstring, *statements = ast.parse(FILES[package].read_text()).body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    public: list[str] = []
    if statements:
        *statements, last = statements
        assert isinstance(last, ast.Assign) and ast.unparse(last.targets[0]) == "__all__"
        public = ast.literal_eval(last.value)
    taken = set()
    for statement in statements:
        assert isinstance(statement, ast.ImportFrom), ast.unparse(statement)
        assert (statement.module or "").startswith("simbias."), ast.unparse(statement)
        taken |= {alias.asname or alias.name for alias in statement.names}
    assert taken == set(public)


def test_half_of_the_files_are_shorter_than_200_lines_and_none_is_long_without_a_reason():
    lengths = {module: len(path.read_text().splitlines()) for module, path in FILES.items()}
    assert median(lengths.values()) < 200
    unexplained = [
        (module, lines)
        for module, lines in lengths.items()
        if lines > 400 and REASON not in (ast.get_docstring(_parsed(module)) or "")
    ]
    assert unexplained == []


def _parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text())
