"""The pages: every link leads to a file that is there, and the site's navigation has every page."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
PAGES = [HOME / "README.md", HOME / "CONTRIBUTING.md", *sorted(HOME.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_every_link_of_a_page_leads_to_a_file(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s#]+)", text)
    missing = [
        link for link in links if ":" not in link and not (page.parent / link).resolve().exists()
    ]
    assert missing == []


def test_the_navigation_has_every_page():
    named = re.findall(
        r"^ +- (?:\w+: )?([\w/-]+\.md)", (HOME / "mkdocs.yml").read_text(), re.MULTILINE
    )
    pages = {str(path.relative_to(HOME / "docs")) for path in HOME.glob("docs/**/*.md")}
    assert pages <= set(named) and len(set(named)) == len(named)


NOTEBOOKS = sorted(HOME.glob("docs/notebooks/*.ipynb"))
# the cells of a notebook one after the other, and that what they end with shows itself
RUN = """
import ast, json, sys
cells = json.load(sys.stdin)["cells"]
names = {}
for cell in cells:
    if cell["cell_type"] == "code":
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            for output in cell["outputs"]:
                for kind in output.get("data", {}):
                    shows = {"text/html": "_repr_html_", "image/png": "_repr_png_"}.get(kind)
                    assert shows is None or getattr(value, shows)(), (kind, value)
"""


def test_there_are_three_notebooks_that_were_run():
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        code = [
            cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"
        ]
        counts = [cell["execution_count"] for cell in code]
        assert counts == list(range(1, len(code) + 1)), path.name
        for cell in code:
            ast.parse("".join(cell["source"]))


@pytest.mark.slow
def test_the_notebooks_run_within_three_minutes(tmp_path):
    before = os.times()
    environment = os.environ | {"PYTHONPATH": str(HOME)}
    for path in NOTEBOOKS:
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            input=path.read_text(),
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{path.name}: {done.stderr[-2000:]}"
    # of the processor: a machine may do other work too
    assert os.times().children_user - before.children_user < 180
