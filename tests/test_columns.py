"""Tables as text: words stay whole at every width, and every text is somewhere."""

import pytest
from rich.console import Console

from simbias.console import print_table
from simbias.tables import TextTable
from simbias.tables.columns import laid_out

NAMES = ("task", "network", "networks", "train", "test", "S-rand.", "S^c-rand.", "memorised")
ROWS = [
    ("noisy-lms-7", "(100,1)", "3 done", *["0.998 ±0.001"] * 5),
    ("", "", "published", "0.984", "0.940", "0.498", "0.941", ""),
    ("ms-7", "(300,2)", "1 done, 2 not-converged", *["1.000 ±0.001"] * 4, "-"),
]


def shown(width, names=NAMES, rows=ROWS, **options):
    return [line.text for line in laid_out(names, rows, width, **options)]


def columns_of(lines):
    """Where the words of the first line begin, and so the columns."""
    return [i for i, c in enumerate(lines[0]) if c != " " and (i == 0 or lines[0][i - 1] == " ")]


@pytest.mark.parametrize("keys", (0, 1, 3))
@pytest.mark.parametrize("width", (30, 60, 80, 120, 240))
def test_no_word_is_broken_or_lost_and_no_line_is_too_long(width, keys):
    lines = shown(width, keys=keys)
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert words == {word for row in [NAMES, *ROWS] for text in row for word in text.split()}


def test_a_table_that_fits_has_a_line_a_row():
    assert len(shown(120)) == 4
    assert shown(120)[1].split("  ")[0] == "noisy-lms-7"


def test_a_table_that_fits_with_its_words_wraps_between_them():
    lines = shown(20, ("name", "said in words"), [("one", "a longer text of words")])
    assert lines == ["name  said in words", "one   a longer text", "      of words"]


@pytest.mark.parametrize("width", (60, 80))
def test_a_table_too_wide_for_its_words_becomes_tables_with_the_same_first_columns(width):
    lines = shown(width, keys=3)
    blocks = "\n".join(lines).split("\n\n")
    assert len(blocks) == {60: 5, 80: 2}[width]
    for block in blocks:
        first, *others = block.splitlines()
        assert first.split()[:3] == ["task", "network", "networks"]
        assert [line[:11].strip() for line in others if line[0] != " "] == ["noisy-lms-7", "ms-7"]
        for place in columns_of([first])[1:]:
            assert all(line[place - 1 : place] in ("", " ") for line in others)


def test_without_room_for_first_columns_a_row_is_a_list():
    lines = shown(30, keys=3)
    assert lines[:4] == [
        "task       noisy-lms-7",
        "network    (100,1)",
        "networks   3 done",
        "train      0.998 ±0.001",
    ]
    assert lines.count("") == 2  # between the three rows


def test_a_word_longer_than_the_page_stays_whole():
    path = "/a/very/long/path/" * 5
    assert shown(30, ("file", "why"), [(path, "it is damaged beyond repair")]) == [
        f"file  {path}",
        "why   it is damaged beyond",
        "      repair",
    ]


def test_empty_tables_and_texts_of_several_lines():
    assert shown(80, ("a", "b"), []) == ["a  b"]
    assert shown(80, (), []) == []
    assert shown(80, ("a", "b"), [("x", "one\ntwo"), ("y", "")]) == [
        "a  b",
        "x  one",
        "   two",
        "y",
    ]


def test_a_console_prints_the_lines_and_wraps_captions_between_words(capsys):
    table = TextTable(["n", "said"], [["1", ""], ["2", "[b] and so on"]], "in words of a caption")
    print_table(Console(width=12), table)
    expected = ["n  said", "1", "2  [b] and", "   so on", "in words of", "a caption"]
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == expected
