"""What the README shows of one's own tasks, networks and methods runs as it stands there."""

import re
from pathlib import Path

import pytest

SECTION = "A task, a network, a loss, a method of your own"
README = Path(__file__).parent.parent / "README.md"


@pytest.mark.slow
def test_the_example_of_ones_own_learners_runs_and_learns():
    section = README.read_text().split(f"## {SECTION}\n")[1].split("\n## ")[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["stack"].outcome(0)[0] == "done"
    assert names["report"].risk.value[0] < 0.05
