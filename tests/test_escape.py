"""Text for spreadsheets and LaTeX: shown, never run."""

import csv
import io

import pytest

from simbias._escape import csv_text, tex


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_a_formula_is_text_to_a_spreadsheet(text):
    (_, row) = csv.reader(io.StringIO(csv_text([text], [[text]]), newline=""))
    assert row == [f"'{text}".replace("\r", "\n")]  # a bare return would begin a line


def test_what_is_no_formula_is_as_it_was():
    plain = ["a=1", "-0.5", "+1e-3", "a,b", 'q"', "", None, -1.5, 3, True]
    (head, row) = csv.reader(io.StringIO(csv_text(list("abcdefghij"), [plain])))
    assert row == ["a=1", "-0.5", "+1e-3", "a,b", 'q"', "", "", "-1.5", "3", "True"]


def test_every_special_character_of_latex_is_escaped():
    assert tex("a_b & 50% #1 $x {y}") == r"a\_b \& 50\% \#1 \$x \{y\}"
    assert tex("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
    assert tex("S^c-rand. ±1 <2\n") == r"$S^c$-rand. $\pm$1 $<$2 "
    assert tex("[1]") == "{}[1]" and tex("*") == "{}*"  # arguments of the line break before
