"""The house as CONTRIBUTING draws it, held against the code: order, circles, lengths, side effects.

An import counts wherever it stands, in a function or for a type checker too: who names what another
file makes knows that file. One below ``if __name__ == "__main__"`` does not: it is the program's.
"""

import ast
import re
import tomllib
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
WRITING = {  # functions and methods that change what is on the disk, by their last name
    "write_text", "write_bytes", "mkdir", "makedirs", "rmdir", "rmtree", "unlink", "touch", "link",
    "rename", "savefig", "savez", "savez_compressed", "save_file", "TemporaryFile",
    "NamedTemporaryFile", "TemporaryDirectory", "mkdtemp", "mkstemp",
}  # fmt: skip
WRITING_OS = {"os.replace", "os.remove", "shutil.move", "shutil.copy", "shutil.copyfile", "np.save"}
TALKING = {"print", "input", "sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write"}


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
    names = set()
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            origin = node.module or ""
            named = {f"{origin}.{alias.name}" for alias in node.names}
            names |= {name if name in files else origin for name in named}
    return {name for name in names if name.split(".")[0] == "simbias"}


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


def called(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def writes(source: str) -> bool:
    """Whether a source changes files itself; through a store it does not."""
    for name, call in called(source):
        *owner, last = name.split(".")
        if name in WRITING_OS or (last in WRITING and owner != ["store"]):
            return True
        modes = call.args[name == "open" :] + [word.value for word in call.keywords]
        if last == "open" and re.search("'[rbt]*[wax+]", " ".join(map(ast.unparse, modes))):
            return True
    return False


def talks(source: str) -> bool:
    """Whether a source prints, by itself or by a console."""
    return any(name in TALKING or name.endswith("console.print") for name, _ in called(source))


def listed(beginning: str) -> list[str]:
    """The files and folders that a line of the page names."""
    page = (HOME / "CONTRIBUTING.md").read_text()
    line = page.partition(f"- {beginning}: ")[2].partition("\n- ")[0].partition("\n\n")[0]
    return [f"simbias.{name.rstrip('/').replace('/', '.')}" for name in re.findall("`(.+?)`", line)]


@pytest.mark.parametrize(
    "beginning, does", [("What writes to the disk", writes), ("What talks to a person", talks)]
)
def test_what_the_page_says_to_write_or_to_talk_does_and_nothing_else(beginning, does):
    doers = {module for module, path in FILES.items() if does(path.read_text())}
    places = {
        module: [place for place in listed(beginning) if f"{module}.".startswith(f"{place}.")]
        for module in doers
    }
    assert sorted(module for module in doers if not places[module]) == []
    assert {place for named in places.values() for place in named} == set(listed(beginning))


@pytest.mark.parametrize(
    "source",
    [
        "path.write_text('')",
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('r+')",
        "(folder / 'x').mkdir(exist_ok=True)",
        "os.replace(a, b)",
        "np.save('x.npy', x)",
    ],
)
def test_what_writes_is_seen(source):
    assert writes(source) and not talks(source)


@pytest.mark.parametrize(
    "source", ["open(path)", "path.open('rb')", "store.write_text(path, '')", "text.replace(a, b)"]
)
def test_what_reads_or_leaves_writing_to_the_store_is_let_be(source):
    assert not writes(source)


@pytest.mark.parametrize("source", ["print(1)", "self._console.print(1)", "sys.stderr.write('')"])
def test_what_talks_is_seen(source):
    assert talks(source) and not writes(source)


def test_every_room_says_which_tests_would_notice_a_mistake():
    by_room = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["mutants"]
    folders = {path.parent.name for path in (HOME / "simbias").glob("*/__init__.py")}
    assert by_room.keys() == folders | {"parallel"}
    assert [
        pattern for tests in by_room.values() for pattern in tests if not any(HOME.glob(pattern))
    ] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", ".ci/mutants.py"])
def test_the_line_that_shows_how_to_plant_mistakes_has_an_operator(page):
    ((file, line),) = re.findall(r"--at (\S+):(\d+)", (HOME / page).read_text())
    operators = (ast.BinOp, ast.Compare, ast.BoolOp)
    nodes = ast.walk(ast.parse((HOME / file).read_text()))
    assert any(isinstance(node, operators) and node.lineno == int(line) for node in nodes)


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
    texts = {path: path.read_text() for path in FILES.values()}
    assert median(len(text.splitlines()) for text in texts.values()) < 200
    for folder in ("tests", "figures", "benchmarks", ".ci"):
        texts |= {path: path.read_text() for path in sorted((HOME / folder).glob("*.py"))}
    unexplained = [
        (str(path.relative_to(HOME)), len(text.splitlines()))
        for path, text in texts.items()
        if len(text.splitlines()) > 400
        and REASON not in " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    ]
    assert unexplained == []
