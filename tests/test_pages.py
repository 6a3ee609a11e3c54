"""A run as one HTML file: what stands in it, what it lets run, and differences of two runs."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from command_line import call
from hostile_run import HOSTILE, hostile_run
from small_cells import CELL, POPULATION

from simbias.experiments import Ended, Replica, cell_of, row, row_name
from simbias.pages import page
from simbias.pages.difference import difference
from simbias.pages.html_table import from_text, html_table, slug_of
from simbias.pages.measured import _estimate
from simbias.pages.source import PageSource
from simbias.plots._svg import page_svg
from simbias.results import Store, StoreError
from simbias.results.trained import load_sound
from simbias.stats.student import half_width_of_mean
from simbias.tables import TextTable

VOID = {"meta", "link", "input", "br", "path", "use", "image", "rect", "circle", "line"}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and all text that is none of script or style."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.scripts, self._open = [], [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        (self.scripts if self._open else self.texts).append(data)

    def of(self, tag):
        return [attributes for own, attributes in self.elements if own == tag]


def packed(html):
    """What the page's script reads."""
    text = re.search(r'id="data">"([^"]*)"<', html)[1]
    return json.loads(gzip.decompress(base64.b64decode(text)))


def run_of(directory, population, risks):
    """A run of one cell, whose networks have these risks by seed."""
    cell = cell_of(population)
    store = Store(directory, create=True)
    config = {"suite": "s", "preset": "p", "n_certify": 500, "cells": [population]}
    names = [{"cell": cell.name, "published": {"test_accuracy": 0.9}}]
    store.prepare(config | {"seeds": sorted(risks), "names": names})
    for seed, risk in risks.items():
        numbers = {"risk": risk, "risk_low": risk - 0.01, "risk_high": risk + 0.01}
        numbers |= {"test_accuracy": 1 - risk, "updates": 100}
        ended = Ended(Replica(cell, seed), "done", "trained", numbers)
        store.write("networks", row_name(ended.replica), row("s", ended), tensors={"w": np.ones(1)})
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return hostile_run(tmp_path_factory.mktemp("hostile") / "run")


@pytest.fixture(scope="module")
def hostile(directory):
    return page([directory])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    other = POPULATION | {"method": {"name": "sgd", "learning_rate": 0.2, "momentum": 0.9}}
    first = run_of(folder / "first", POPULATION, {0: 0.10, 1: 0.20, 2: 0.25, 7: 0.5})
    second = run_of(folder / "second", other, {0: 0.13, 1: 0.24, 2: 0.27, 8: 0.1})
    return first, second


@pytest.fixture(scope="module")
def alone(two):
    return page([two[0]], networks=1)


@pytest.fixture(scope="module")
def written(two, tmp_path_factory):
    """What the command writes of two runs, and what it says."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    code, out, err = call("report", *two, "--networks", 0, "--out", path)
    assert (code, err, out.strip()) == (0, "", str(path))
    return path.read_text()


@pytest.mark.thorough
def test_what_a_file_says_stands_in_the_page_as_text(hostile):
    parsed = Elements(hostile)
    assert {attributes.get("type") for attributes in parsed.of("script")} == {
        None,
        "application/json",
    }
    assert len(parsed.of("script")) == 2 and not parsed.of("img") and not parsed.of("iframe")
    for tag, attributes in parsed.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "style" not in attributes, (tag, attributes)
        for name in ("href", "src"):
            assert not re.match(r"(?!#|data:(,|image/png))", attributes.get(name, "#")), attributes
    text = "".join(parsed.texts)
    for field in ("title", "source", "reason", "suite"):
        assert HOSTILE.replace("FIELD", field) in text


@pytest.mark.thorough
def test_ids_of_a_page_are_unique_and_every_link_leads_somewhere(hostile, written):
    for html in (hostile, written):
        parsed = Elements(html)
        ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {a["href"][1:] for a in parsed.of("a")} <= set(ids)
        for name in ("for", "aria-labelledby"):
            asked = {a[name] for _, a in parsed.elements if name in a}
            assert asked <= set(ids)


@pytest.mark.thorough
def test_the_policy_names_the_one_script_and_the_one_style_by_their_hashes(hostile):
    parsed = Elements(hostile)
    (policy,) = [a["content"] for a in parsed.of("meta") if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    for content in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", hostile, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert not re.search(r"\b(eval|fetch|XMLHttpRequest|innerHTML|Function)\b", hostile)


def test_a_page_says_what_was_run_what_is_missing_and_what_was_measured(alone):
    text = " ".join("".join(Elements(alone).texts).split())
    assert "simbias run s --preset p --seeds 4 --n-certify 500 --out first" in text
    assert "published 0.900" in text
    assert f'id="run1-networks-{slug_of(CELL.name)}-seed-7"' in alone
    assert "Networks and others that are not done" not in text
    assert "0.1" in text and "[0.09, 0.11]" in text


def test_differences_are_taken_within_seeds_where_the_data_are_the_same(two):
    sources = [PageSource.reading(directory, f"run{i}", 0, 0) for i, directory in enumerate(two)]
    section = difference(*sources)
    (table,) = section.tables
    assert not section.lines
    rows = {entry.cells[3].text: entry.cells for entry in table.rows}
    cells = rows["test accuracy"]
    gains = np.array([-0.03, -0.04, -0.02])
    half = half_width_of_mean(gains, 1 - 0.05 / len(table.rows))
    assert cells[4].text == "3" and cells[-1].order == pytest.approx(-0.03)
    low, high = map(float, re.findall(r"-?[\d.]+", cells[-1].below))
    assert (low, high) == pytest.approx((-0.03 - half, -0.03 + half), abs=1e-4)
    assert cells[2].text == "lr .1 / lr .2"


def test_runs_on_other_data_are_not_compared(tmp_path, two):
    other = run_of(tmp_path / "other", POPULATION | {"n_train": 128}, {0: 0.1})
    sources = [PageSource.reading(directory, "run", 0, 0) for directory in (two[0], other)]
    section = difference(*sources)
    assert not section.tables and len(section.lines) == 2 and "nothing" in section.words[0]


def test_rows_are_sorted_by_the_numbers_that_texts_begin_with():
    head, lines = ("name", "n", "value"), [["a", ">100k", "0.5 ±0.1"], ["b", "1,250", "-"]]
    table = from_text("t", "title", TextTable(head, lines))
    assert table.numbers == [False, True, True]
    assert [[cell.order for cell in row.cells] for row in table.rows] == [
        [None, 100_000.0, 0.5],
        [None, 1250.0, None],
    ]
    assert [row.name for row in table.rows] == ["t-a", "t-b"]
    assert table.long == [False, False, False]


def test_counts_are_written_out_and_measures_are_rounded():
    for updates in (22_000, 22_000.0):
        assert _estimate({"updates": updates}, "updates").text == "22000"
    assert _estimate({"value": 4e30}, "value").text == "4e+30"
    assert _estimate({"risk": 0.054321}, "risk").text == "0.05432"


def test_columns_of_long_texts_are_wide():
    table = html_table("t", "title", ("a", "b"), [("x", ["sgd, " * 8, "1"])])
    assert table.long == [True, False]


def test_rows_that_are_called_alike_have_links_of_their_own():
    table = html_table("t", "title", ("a",), [("x y", ["1"]), ("x-y", ["2"])])
    assert [row.name for row in table.rows] == ["t-x-y", "t-x-y-2"]


def test_an_svg_of_a_page_has_no_styles_and_names_of_its_own():
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        ' width="10pt" height="5pt"><defs><style>*{}</style><path id="p" d="M 1.23456 2"/></defs>'
        '<g id="unused"><use xlink:href="#p" style="fill: #fff; stroke: none"/></g>'
        "<text style=\"font: italic 6.5px 'X', serif; text-anchor: middle\">&lt;b&gt;</text></svg>"
    )
    svg = page_svg(text, "fig")
    assert (
        " style=" not in svg and "<style" not in svg and "unused" not in svg and "xmlns" not in svg
    )
    assert 'id="fig-0"' in svg and 'href="#fig-0"' in svg and "M 1.23 2" in svg
    assert 'font-style="italic"' in svg and 'font-size="6.5px"' in svg and "&lt;b&gt;" in svg


@pytest.mark.thorough
def test_the_command_writes_the_page_or_says_in_one_line_why_not(written, two, tmp_path):
    first = two[0]
    assert "Side by side" in written and str(first.parent) not in written
    for words, asked in (
        ([], "DIR"),
        ([first, first], "DIR"),
        ([tmp_path / "none"], "DIR"),
        ([first, "--networks", "-1"], "networks"),
        ([first, "--out", tmp_path / "no" / "page.html"], "page.html"),
    ):
        code, out, err = call("report", *words)
        assert code and not out and err.count("\n") == 1 and asked in err, (words, err)


@pytest.mark.thorough
def test_a_page_is_the_same_again_and_small(directory, hostile):
    assert hostile == page([directory])
    assert len(hostile) < 100_000


def test_a_run_whose_weights_are_gone_says_so(alone):
    text = " ".join("".join(Elements(alone).texts).split())
    assert "Of 4 networks that ended, 0 can be explored here." in text
    assert packed(alone).keys().isdisjoint({"run1-networks"})


def test_networks_without_weights_are_counted_and_not_listed(tmp_path):
    store = Store(run_of(tmp_path / "run", POPULATION, dict.fromkeys(range(5), 0.1)))
    for path in (store.directory / "weights").iterdir():
        path.unlink()
    with pytest.raises(StoreError, match=": 5 networks without weights in the directory$"):
        load_sound(store)


def test_of_a_large_run_the_first_rows_are_shown_and_where_all_are(two, monkeypatch):
    monkeypatch.setattr("simbias.pages.html_table._MOST", 3)
    html = page([two[0]])
    text = " ".join("".join(Elements(html).texts).split())
    rows = re.findall(r'<tr id="run1-networks-[^"]*"', html)
    assert len(rows) == 3
    command = "simbias export first --format csv --table networks"
    assert f"the first 3 of 4 rows; all of them: {command}" in text
