"""The package that docs/how-to shows, installed beside simbias and run by the command line."""

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import simbias
from simbias.registry import CLAIMS, REGISTRIES

pytestmark = pytest.mark.thorough

HOME = Path(__file__).parent.parent
SHOWN = re.findall(
    r"^`([\w./]+)`[^\n]*:\n```\w+\n(.*?)^```$",
    "\n".join(path.read_text() for path in sorted(HOME.glob("docs/how-to/*.md"))),
    re.DOTALL | re.MULTILINE,
)
ADDED = {  # names by kind
    group.removeprefix("simbias."): list(names)
    for group, names in tomllib.loads(dict(SHOWN)["pyproject.toml"])["project"][
        "entry-points"
    ].items()
}
# several command lines in one process; of each the exit code and the output
LINES = """
import contextlib, io, json, sys
from simbias.cli import main
found = []
for line in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(line)
    found.append([code, out.getvalue()])
json.dump(found, sys.stdout)
"""
# tests of whatever is registered, without a case of each: figures, claims, and what all are called
WHOLE = ("plot_writes_every_kind", "every_builtin_claim", "list_and_info_know_every")
NAMES = [name for kind, names in ADDED.items() if kind != "claims" for name in names]
ASKED = {
    "list": ["list"],
    **{name: ["info", name] for name in [*NAMES, "disc-is-quick"]},
    "run": ["run", "discs", "--preset", "smoke", "--out", "run", "--cores", "1"],
    "table": ["table", "run"],
    "board": ["table", "run", "--leaderboard"],
    "rows": ["query", "run", "SELECT seed, advantage FROM networks ORDER BY 1", "--format", "json"],
    "proportions": [
        "query",
        "run",
        "SELECT proportion FROM balances ORDER BY seed",
        "--format",
        "json",
    ],
    "plot": ["plot", "run", "--kind", "advantages"],
    "bounds": ["bounds", "run", "--bounds", "chebyshev", "--n-certify", "500", "--cores", "1"],
    "bounded": ["query", "run", "SELECT value FROM bounds", "--format", "json"],
    "claims": ["claims", "run", "disc-is-quick", "--out", "said", "--cores", "1"],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The package as pip leaves it: its files, and entry points beside them."""
    folder = tmp_path_factory.mktemp("site")
    info, package = folder / "mine-1.0.dist-info", folder / "mine"
    info.mkdir()
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in SHOWN:
        (folder / name).write_text(text)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    groups = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "".join(f"{n} = {place}\n" for n, place in own.items())
        for group, own in groups
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    return folder


def call(site, *words):
    """A Python with the package, as a user has it: what it writes."""
    paths = [str(site), os.path.dirname(os.path.dirname(simbias.__file__))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    line = [sys.executable, "-W", "error:left out:UserWarning", *words]
    done = subprocess.run(line, env=environment, cwd=site, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(site):
    """What the command line says to each question."""
    answers = json.loads(call(site, "-c", LINES, json.dumps(list(ASKED.values()))))
    assert [code for code, _ in answers] == [0] * len(ASKED), answers
    return dict(zip(ASKED, [out for _, out in answers], strict=True))


def test_the_page_shows_one_of_every_kind():
    assert set(ADDED) == {*REGISTRIES, CLAIMS.kind}


def test_each_is_listed_and_described_by_its_own_words(told):
    lines = [" ".join(line.split()) for line in told["list"].splitlines()]
    for name in NAMES:
        assert any(re.fullmatch(rf"{name} .+ \(from mine\)", line) for line in lines), name
        assert name in told[name]
    assert "disc-is-quick Most triples of networks end after 100 updates" in lines
    assert "test: exponential" in told["disc-is-quick"] and "a triple" in told["disc-is-quick"]


def test_its_suite_is_run_and_its_numbers_stand_in_the_table(told):
    assert all(0.5 < row["advantage"] <= 1 for row in json.loads(told["rows"]))
    assert all(0.3 < row["proportion"] < 0.7 for row in json.loads(told["proportions"]))
    for words in ("advantage", "squares(width 4)", "quadratic", "label 1"):
        assert words in told["table"]


def test_its_method_and_its_estimator_stand_on_the_leaderboard_by_name(told):
    for words in ("signs, brier", "quadratic", "reference"):
        assert words in told["board"]


def test_its_figure_is_drawn_with_the_numbers_beside_it(told, site):
    assert "advantages.png" in told["plot"]
    head, *rows = (site / "run" / "figures" / "advantages.csv").read_text().splitlines()
    values = [row["advantage"] for row in json.loads(told["rows"])]
    assert head == "seed,advantage"
    assert [float(row.split(",")[1]) for row in rows] == pytest.approx(values, rel=1e-6)


def test_its_bound_is_held_against_the_exact_risk(told):
    # 200 held-out points, as many as were trained on: their error and sqrt(1 / (4 200 .05))
    values = [row["value"] for row in json.loads(told["bounded"])]
    errors = [200 * (value - math.sqrt(1 / 40)) for value in values]
    assert len(values) == 4 and all(0 <= round(k) < 50 for k in errors)
    assert errors == pytest.approx(np.round(errors), abs=1e-6)
    assert "chebyshev" in told["bounds"]


def test_its_claim_of_triples_is_supported_by_its_test(told):
    # 4 of 4 triples, at least half: exp(-2 4 (1 - .5)^2) = .135, below .4/2
    assert "supported" in told["claims"] and "4 triples" in told["claims"]


@pytest.mark.slow
def test_each_keeps_what_everything_registered_promises(site):
    words = " or ".join([*NAMES, *WHOLE])
    files = [
        f"{HOME}/tests/test_{name}.py"
        for name in (
            "catalogue", "networks", "losses", "methods", "estimators", "directions", "quantities",
            "bounds_contract", "claims_inference", "experiments", "suites", "cli", "claims_reading",
        )
    ]  # fmt: skip
    options = ["-v", "-p", "no:cacheprovider", "-m", "not slow", "-k", words]
    told = call(site, "-m", "pytest", *options, *files)
    for kind in set(ADDED) - {"figures", "claims"}:  # which tests hold all together
        for name in ADDED[kind]:
            assert re.search(rf"\[{name}(-[^ ]*)?\] PASSED", told), f"{kind}: {name}"
    for name in WHOLE:
        assert re.search(rf"::test_{name}\w* PASSED", told), name
