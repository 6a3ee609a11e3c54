"""Mutation testing of one room: plant mistakes in a copy of the tree, see which no test catches.

    python .ci/mutants.py tasks --sample 40 --seed 0               # 40 places, a mistake each
    python .ci/mutants.py tasks --at simbias/tasks/rules.py:34     # each mistake on a line

Cosmic Ray (`pip install -e '.[test,mutation]'`) plants the mistakes and runs the tests. Here stands
only which: a place is drawn first and then one of its mistakes, so that a sum does not count eleven
times; annotations and the star of a signature are no places, and what does not compile is no
mistake. The tests of each room stand in `[tool.mutants]` of pyproject.toml, fastest first; those of
the module's own come before them, and a run ends at its first failure.
"""

import argparse
import ast
import glob
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from itertools import groupby, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]


def pytest_configure() -> None:
    """As a plugin of pytest: keep compiled programs (by their content: a mutant has its own)."""
    import jax

    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", os.environ["MUTANTS_PROGRAMS"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


def copy_to(folder: Path) -> None:
    """Copies what git knows, or would know, of the working tree."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-coz", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split(
        "\0"
    ):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def annotated(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations begin and end, as (line, column)."""
    nodes = ast.walk(ast.parse(path.read_text()))
    found = [
        note
        for node in nodes
        for name in ("annotation", "returns")
        if (note := getattr(node, name, None)) is not None
    ]
    return [
        ((note.lineno, note.col_offset), (note.end_lineno, note.end_col_offset)) for note in found
    ]


def places(room: str, at: str | None) -> list[list]:
    """The mistakes that can be planted, by place, in a fixed order."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB, use_db

    path, _, line = (at or f"simbias/{room}").partition(":")
    files = [Path(path)] if at else sorted(Path(path).rglob("*.py")) or [Path(f"{path}.py")]
    with use_db("mutants.sqlite", WorkDB.Mode.create) as db:
        init(files, db, {})
        found = [item.mutations[0] for item in db.work_items]
    spans = {file: annotated(file) for file in files}
    text = {file: file.read_text().splitlines() for file in files}

    def counts(mistake) -> bool:
        file, (row, column) = mistake.module_path, mistake.start_pos
        if any(start <= (row, column) < end for start, end in spans[file]):
            return False
        bare = text[file][row - 1].startswith("*,", column)  # of a signature: what follows is named
        return not bare and (not line or row == int(line))

    found = list(filter(counts, found))

    def place(mistake):
        return str(mistake.module_path), mistake.start_pos

    found.sort(key=lambda mistake: (place(mistake), mistake.operator_name, mistake.occurrence))
    return [list(mistakes) for _, mistakes in groupby(found, key=place)]


def compiles(mistake) -> bool:
    """Whether the mutant is Python: Cosmic Ray cannot plant an exception by its dotted name."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    operator = get_operator(mistake.operator_name)(**mistake.operator_args)
    try:
        ast.parse(mutate_code(mistake.module_path.read_text(), operator, mistake.occurrence))
    except (SyntaxError, AttributeError):
        return False
    return True


def main() -> int:
    """Plants, tests and prints the mistakes that no test catches.

    Returns:
        0 where every mistake was caught, 1 where some were not.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("room", choices=sorted(ROOMS))
    parser.add_argument("--sample", type=int, default=40, help="number of places (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--at", metavar="FILE[:LINE]", help="every mistake there, no sample")
    options = parser.parse_args()
    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.testing import run_tests
    from cosmic_ray.work_item import TestOutcome

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_to(Path(folder))
        os.chdir(folder)
        os.environ.setdefault("MUTANTS_PROGRAMS", f"{folder}/.programs")
        os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{folder}/.ci"
        files = dict.fromkeys(
            f for pattern in ROOMS[options.room] for f in sorted(glob.glob(pattern))
        )
        text = {file: Path(file).read_text() for file in sorted(glob.glob("tests/test_*.py"))}
        words = ["-xq", "-m", "not slow", "-p", "mutants", "-p", "no:cacheprovider"]
        pytest = [sys.executable, "-m", "pytest", *words]

        def command(module: Path | None = None) -> str:
            """The room's tests; before them those called after a module, and those that name it."""
            name = "" if module is None else ".".join(module.with_suffix("").parts)
            own = [] if module is None else [f for f in text if f == f"tests/test_{module.stem}.py"]
            about = [f for f in text if module is not None and name in text[f]]
            near = [f for f in about if f in files]
            return shlex.join([*pytest, *dict.fromkeys([*own, *near, *files, *about])])

        start = time.monotonic()
        outcome, output = run_tests(command(), 3600)
        timeout = 30 + 3 * (time.monotonic() - start)
        if outcome != TestOutcome.SURVIVED:
            print(output, "The tests fail without a mistake.", sep="\n", file=sys.stderr)
            return 2

        found = places(options.room, options.at)
        if options.at:
            chosen = [mistake for place in found for mistake in place if compiles(mistake)]
        else:
            draw = random.Random(options.seed)
            draw.shuffle(found)
            firsts = (
                next(filter(compiles, draw.sample(place, len(place))), None) for place in found
            )
            chosen = list(islice(filter(None, firsts), options.sample))
        print(
            f"{len(chosen)} mistakes, {len(found)} places, at most {timeout:.0f} s each",
            flush=True,
        )

        missed = 0
        for number, mistake in enumerate(chosen, 1):
            start = time.monotonic()
            result = mutate_and_test([mistake], command(mistake.module_path), timeout)
            line = f"{mistake.module_path}:{mistake.start_pos[0]}"
            operator = mistake.operator_name.partition("/")[2]
            word = "MISSED" if result.test_outcome == TestOutcome.SURVIVED else "caught"
            seconds_taken = f"{time.monotonic() - start:.0f} s"
            print(f"{number:3} {word} {line} {operator} ({seconds_taken})", flush=True)
            if word == "MISSED":
                missed += 1
                changed = [
                    x for x in result.diff.splitlines() if x[:1] in "+-" and x[:3] not in "---+++"
                ]
                print(*(f"      {x}" for x in changed), sep="\n", flush=True)
        print(
            f"{options.room}: {len(chosen) - missed} of {len(chosen)} caught, seed {options.seed}"
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
