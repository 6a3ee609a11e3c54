"""The pages: every link leads to a file that is there, and the site's navigation has every page."""

import re
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
