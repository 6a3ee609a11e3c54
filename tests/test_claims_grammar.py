"""The language of claims: what it allows, what it refuses in one line, and sound ends.

Longer than 400 lines because what is refused is a long list of texts.
"""

import math
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbias._checks import known, real
from simbias.claims.expression import Reference
from simbias.claims.grammar import parse
from simbias.quantities import Argument, Quantity
from simbias.stats.estimate import Estimate


def word(name, low=0.0, high=1.0, of="network", argument=None, check=None):
    given = () if argument is None else (Argument(argument, check),)
    return Quantity(name, "", low, high, compute=None, of=of, arguments=given)


WORDS = {
    table.name: table
    for table in (
        word("risk"),
        word("train_accuracy"),
        word("gap", -1.0, 1.0),
        word("updates", 0.0, math.inf),
        word("free", -math.inf, math.inf),
        word("dim", 1.0, math.inf, "setting"),
        word("agreement", of="pair"),
        word(
            "promise",
            0.0,
            math.inf,
            argument="bound",
            check=lambda name: known("argument", name, ["occam", "vc-relative"]),
        ),
        word("points", argument="number", check=lambda size: real("argument", size, 0, 1)),
    )
}
RISK, GAP, FREE = (Reference("", name) for name in ("risk", "gap", "free"))


def read(text, populations=(), definitions=None):
    return parse(
        "my.toml: quantity",
        text,
        quantities=WORDS,
        populations=populations,
        definitions=definitions or {},
    )


def refused(text, **more):
    with pytest.raises(ValueError) as caught:
        read(text, **more)
    message = str(caught.value)
    assert message.startswith("my.toml: quantity: ") and "\n" not in message
    assert len(message) < 400
    return message


def between(low, high):
    low, high = np.atleast_1d(np.array(low, float)), np.atleast_1d(np.array(high, float))
    return Estimate(low, low, high)


def ends(text, **parts):
    """The ends of an expression where the quantities named lie between two numbers."""
    values = {Reference("", name): between(*part) for name, part in parts.items()}
    _, (low,), (high,) = read(text).evaluate(values)
    return low, high


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("risk", "risk"),
        ("((risk))", "risk"),
        ("risk-gap-1", "risk - gap - 1"),
        ("risk-(gap-1)", "risk - (gap - 1)"),
        ("risk+(gap+1)", "risk + (gap + 1)"),
        ("2*(risk+.5)/updates", "2 * (risk + 0.5) / updates"),
        ("2/(risk/updates)", "2 / (risk / updates)"),
        ("-(risk-1)*-gap", "-(risk - 1) * -gap"),
        ("max(risk,min(gap,0.,1e3))", "max(risk, min(gap, 0, 1000))"),
        ("abs(log(risk))", "abs(log(risk))"),
        ("promise('occam')-points(5e-2)", 'promise("occam") - points(0.05)'),
        ("points(1.0)", "points(1)"),
        ("\n  risk\n  - gap\n", "risk - gap"),
    ],
)
def test_equal_expressions_have_one_canonical_text(text, canonical):
    assert read(text).text == canonical
    assert read(canonical) == read(text)


def test_references_say_what_has_to_be_measured_once():
    references = read('risk - risk * promise("occam") + points(.5)').references
    assert references == (
        RISK,
        Reference("", "promise", ("occam",)),
        Reference("", "points", (0.5,)),
    )
    assert [str(reference) for reference in references] == [
        "risk",
        'promise("occam")',
        "points(0.5)",
    ]
    named = read("a.risk - b.points(1)", ["a", "b"])
    assert named.references == (Reference("a", "risk"), Reference("b", "points", (1,)))
    assert named.text == "a.risk - b.points(1)"
    assert read("dim * agreement").of == {"setting", "pair"}


def test_a_value_worked_out_by_hand():
    text = "abs(2 - 3 * risk) / max(gap, 0.5) - min(risk, gap, 1) + log(1) - -risk"
    risk, gap = np.array([0.25, 1.0]), np.array([0.75, -0.5])
    value = read(text).evaluate({RISK: Estimate(*3 * [risk]), GAP: Estimate(*3 * [gap])})
    by_hand = [1.25 / 0.75 - 0.25 + 0.25, 1 / 0.5 + 0.5 + 1]
    for part in value:
        np.testing.assert_allclose(part, by_hand, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "parts", "low", "high"),
    [
        ("risk + gap", {"risk": (1, 2), "gap": (-5, 3)}, -4, 5),
        ("risk - gap", {"risk": (1, 2), "gap": (-5, 3)}, -2, 7),
        ("risk - risk", {"risk": (1, 2)}, -1, 1),
        ("risk * gap", {"risk": (-1, 2), "gap": (-5, 3)}, -10, 6),
        ("risk / gap", {"risk": (-1, 2), "gap": (4, 8)}, -0.25, 0.5),
        ("risk / gap", {"risk": (1, 2), "gap": (-8, -4)}, -0.5, -0.125),
        ("risk / gap", {"risk": (1, 2), "gap": (-1, -0.5)}, -4, -1),
        ("risk / gap", {"risk": (1, 2), "gap": (-1, 4)}, -np.inf, np.inf),
        ("risk / gap", {"risk": (1, 2), "gap": (0, 4)}, -np.inf, np.inf),
        ("-risk", {"risk": (1, 2)}, -2, -1),
        ("abs(risk)", {"risk": (-3, 2)}, 0, 3),
        ("abs(risk)", {"risk": (-3, -2)}, 2, 3),
        ("min(risk, gap)", {"risk": (-3, 2), "gap": (0, 1)}, -3, 1),
        ("max(risk, gap, 0.5)", {"risk": (-3, 2), "gap": (0, 1)}, 0.5, 2),
        ("log(risk)", {"risk": (1, math.e)}, 0, 1),
        ("log(risk)", {"risk": (0, 1)}, -np.inf, 0),
        ("log(risk)", {"risk": (-2, 1)}, -np.inf, 0),
        ("log(risk)", {"risk": (-2, -1)}, -np.inf, np.inf),
    ],
)
def test_ends_worked_out_by_hand(text, parts, low, high):
    np.testing.assert_allclose(ends(text, **parts), (low, high), rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "parts", "low", "high"),
    [
        ("risk - gap", {"risk": (np.inf, np.inf), "gap": (np.inf, np.inf)}, -np.inf, np.inf),
        ("risk - gap", {"risk": (-np.inf, -np.inf), "gap": (-np.inf, -np.inf)}, -np.inf, np.inf),
        ("risk - gap", {"risk": (0, np.inf), "gap": (1, np.inf)}, -np.inf, np.inf),
        ("risk + 1", {"risk": (0, np.inf)}, 1, np.inf),
        ("risk * gap", {"risk": (0, 1), "gap": (0, np.inf)}, 0, np.inf),
        ("risk * gap", {"risk": (0, 0), "gap": (-np.inf, np.inf)}, 0, 0),
        ("risk * gap", {"risk": (-1, 1), "gap": (np.inf, np.inf)}, -np.inf, np.inf),
        ("risk / gap", {"risk": (1, 2), "gap": (4, np.inf)}, 0, 0.5),
        ("risk / gap", {"risk": (-np.inf, 2), "gap": (4, np.inf)}, -np.inf, 0.5),
        ("risk / gap", {"risk": (np.inf, np.inf), "gap": (np.inf, np.inf)}, 0, np.inf),
        ("log(risk)", {"risk": (1, np.inf)}, 0, np.inf),
        ("max(risk, 2)", {"risk": (-np.inf, np.inf)}, 2, np.inf),
        ("abs(risk)", {"risk": (-np.inf, 1)}, 0, np.inf),
        ("risk", {"risk": (np.nan, np.nan)}, -np.inf, np.inf),
        ("risk - risk", {"risk": (np.nan, np.nan)}, -np.inf, np.inf),
        ("min(risk, 1)", {"risk": (np.nan, np.nan)}, -np.inf, 1),
    ],
)
def test_infinite_and_unknown_ends_widen_and_are_never_nan(text, parts, low, high):
    assert ends(text, **parts) == (low, high)


def test_a_missing_value_stays_missing_and_leaves_the_other_units_alone():
    risk = Estimate(*np.array([[np.nan, 0.2, np.inf], [np.nan, 0.1, 2.0], [np.nan, 0.3, np.inf]]))
    value, low, high = read("1 - risk").evaluate({RISK: risk})
    np.testing.assert_array_equal(value, [np.nan, 0.8, -np.inf])
    np.testing.assert_array_equal(low, [-np.inf, 0.7, -np.inf])
    np.testing.assert_array_equal(high, [np.inf, 0.9, -1.0])


def test_evaluation_wants_every_reference_at_one_length():
    with pytest.raises(ValueError, match="values: gap is missing"):
        read("risk - gap").evaluate({RISK: between(0, 1)})
    with pytest.raises(ValueError, match="one length"):
        read("risk - gap").evaluate({RISK: between([0, 0], [1, 1]), GAP: between(0, 1)})
    constant = read("1 + 2").evaluate({RISK: between([0, 0], [1, 1])})
    assert [part.tolist() for part in constant] == [[3, 3]] * 3


_NUMBERS = st.one_of(
    st.floats(allow_nan=False),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1e308, -1e308, 5e-324, math.inf, -math.inf]),
)
_EXPRESSIONS = st.recursive(
    st.sampled_from(["risk", "gap", "free", "2", "0.5", "1e300"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["abs", "log", "-"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    ),
    max_leaves=8,
)


@given(
    _EXPRESSIONS,
    st.lists(st.lists(_NUMBERS, min_size=3, max_size=3).map(sorted), min_size=3, max_size=3),
)
def test_ends_hold_what_any_points_between_the_parts_ends_give(text, parts):
    expression = read(text)
    assert read(expression.text) == expression
    points = np.array(list(product(*parts))).T  # every choice of low, inner or high
    ends = expression.evaluate(
        {
            reference: Estimate(row, np.full(27, low), np.full(27, high))
            for reference, row, (low, _, high) in zip((RISK, GAP, FREE), points, parts, strict=True)
        }
    )
    assert np.all(ends.low <= ends.high)
    value = ends.value[~np.isnan(ends.value)]
    assert np.all((ends.low[0] <= value) & (value <= ends.high[0]))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("risk", 0, 1),
        ("risk - train_accuracy", -1, 1),
        ("1 - risk", 0, 1),
        ("dim * risk", 0, math.inf),
        ("min(updates, 10)", 0, 10),
        ("log(dim)", 0, math.inf),
        ("1 / dim", 0, 1),
        ("risk / train_accuracy", -math.inf, math.inf),
        ("updates - updates", -math.inf, math.inf),
    ],
)
def test_the_range_follows_from_those_of_the_quantities(text, low, high):
    assert read(text).range() == (low, high)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "risk +",
        "risk gap",
        "risk ** 2",
        "risk // 2",
        "risk % 2",
        "risk @ gap",
        "risk << 2",
        "~risk",
        "+risk",
        "not risk",
        "risk < 1",
        "risk and gap",
        "risk if gap else 1",
        "risk = 1",
        "(risk := 1)",
        "risk; gap",
        "risk, gap",
        "[risk]",
        "{risk}",
        "{'a': risk}",
        "risk[0]",
        "lambda: risk",
        "(lambda: risk)()",
        "[x for x in risk]",
        "max(x for x in risk)",
        "f'{risk}'",
        "'risk'",
        "b'risk'",
        "True",
        "None",
        "...",
        "1j",
        "max(*risk)",
        "max(risk, gap, key=1)",
        'promise(name="occam")',
        "().__class__",
        '"".join(risk)',
        "().__class__.__bases__[0].__subclasses__()",
        "risk.__class__.__mro__",
        "await risk",
        "yield",
        "risk # the risk",
        "risk # \n + gap",
        "risk\0",
        "\ud800",
        "1is 2",
        '"\\d"',
        "0777",
    ],
)
def test_any_other_syntax_is_refused(text):
    assert "allowed" in refused(text)


def test_what_the_parser_only_warns_of_is_refused_in_silence():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for text in ["1is 2", '"\\d"', "0x1for x in risk"]:
            refused(text)
    assert not heard


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rsik - gap", "unknown name 'rsik', nearest: risk"),
        ('__import__("os")', "unknown name '__import__'"),
        ("nan", "unknown name 'nan'"),
        ("inf", "unknown name 'inf'"),
        ("eval(risk)", "unknown name 'eval'"),
        ("1e999", "got '1e999', allowed: a finite number"),
        ("risk - 1" + "0" * 400, "a finite number"),
        ("risk ** 2", "got 'risk ** 2'"),
        ("1 + risk ** 2", "got 'risk ** 2'"),
        ("r" * 81, f"unknown name '{'r' * 77}...'"),
        ("r" * 80, f"unknown name '{'r' * 80}'"),
        ("risk" * 200, "at most 500 characters, not 800"),
        ("min(risk)", "two operands or more"),
        ("log(risk, 2)", "one operand"),
        ("abs()", "one operand"),
        ("log - 1", "log with its operands in parentheses"),
        ("risk(1)", "risk without an argument"),
        ("risk()", "risk without an argument"),
        ("promise", 'promise("bound")'),
        ("promise()", 'promise("bound")'),
        ("promise(1)", 'promise("bound")'),
        ("promise(risk)", 'promise("bound")'),
        ('promise("occam", "occam")', 'promise("bound")'),
        ('promise("oc cam")', 'promise("bound")'),
        ('promise("ocam")', "promise: argument: unknown name 'ocam', nearest: occam"),
        ("points", "points(NUMBER)"),
        ('points("a")', "points(NUMBER)"),
        ("points(True)", "a finite number"),
        ("points(1e999)", "a finite number"),
        ("points(2)", "points: argument: got 2"),
        ("points(-1)", "points: argument: got -1"),
        ("learned.risk", "there is only one"),
        ("risk.__class__", "there is only one"),
        (3, "got 3, allowed: an expression"),
        (None, "got None, allowed: an expression"),
        (["risk"] * 1000, "an expression, as a string"),
    ],
)
def test_what_arrived_and_what_is_allowed_are_said(text, words):
    assert words in refused(text)


def test_nesting_is_limited_before_it_exhausts_the_interpreter():
    assert read("-" * 49 + "risk").range() == (-1, 0)
    for text in ["-" * 50 + "risk", "-" * 490 + "risk", "+".join(["risk"] * 100)]:
        assert "50 deep" in refused(text)
    refused("(" * 240 + "risk" + ")" * 240)
    refused("[" * 490)
    refused("abs(" * 51 + "risk" + ")" * 51)


def test_several_populations_must_be_named():
    both = ["learned", "stuck"]
    assert read("learned.risk - stuck.risk", both).range() == (-1, 1)
    assert "learned.risk or stuck.risk" in refused("risk", populations=both)
    assert "nearest: stuck" in refused("stukc.risk", populations=both)
    assert "nearest: risk" in refused("stuck.rsik", populations=both)
    assert "stuck.QUANTITY" in refused("stuck - 1", populations=both)
    assert "unknown name '__class__'" in refused("stuck.__class__", populations=both)
    assert "got 'stuck.risk.real'" in refused("stuck.risk.real", populations=both)
    assert "got 'stuck.risk()(1)'" in refused("stuck.risk()(1)", populations=both)
    assert read("risk", [""]) == read("risk")


def test_definitions_are_written_out():
    definitions = {"twice": "2 * drop", "drop": "risk - gap", "unused": "updates"}
    assert read("1 - twice", definitions=definitions).text == "1 - 2 * (risk - gap)"
    assert read("1 - twice", definitions=definitions) == read("1 - 2 * (risk - gap)")
    assert read("risk", definitions={"half": "1 / 2"}).references == (RISK,)


@pytest.mark.parametrize(
    ("definitions", "words"),
    [
        ({"a": "b", "b": "a + risk"}, " is a cycle"),
        ({"a": "a"}, "a -> a is a cycle"),
        ({"risk": "gap"}, "that of no quantity"),
        ({"log": "gap"}, "that of no function"),
        ({"a b": "gap"}, "letters, digits and _"),
        ({"lambda": "gap"}, "letters, digits and _"),
        ({"\ufb01t": "gap"}, "letters, digits and _"),
        ({"unused": "rsik"}, "definition unused: unknown name 'rsik', nearest: risk"),
        ({"unused": 3}, "definition unused: got 3"),
        ({"unused": "risk ** 2"}, "definition unused: got 'risk ** 2'"),
        ({"unused": "risk" * 200}, "at most 500"),
    ],
)
def test_a_bad_definition_is_refused_whether_used_or_not(definitions, words):
    assert words in refused("risk", definitions=definitions)


def test_a_cycle_is_shown_in_the_direction_of_use():
    message = refused("a", definitions={"a": "b + 1", "b": "c", "c": "a", "d": "a"})
    assert any(cycle in message for cycle in ("a -> b -> c -> a", "b -> c -> a -> b"))


def test_a_definition_may_not_be_called_or_hide_a_population():
    assert "drop without an argument" in refused("drop(1)", definitions={"drop": "risk"})
    message = refused("a.risk", populations=["a"], definitions={"a": "a.risk"})
    assert "that of no population" in message


def test_definitions_that_double_each_other_do_not_explode():
    doubling = {f"d{i}": f"d{i - 1} + d{i - 1}" for i in range(1, 61)} | {"d0": "risk"}
    assert "at most 1000 terms" in refused("risk", definitions=doubling)
    few = {name: doubling[name] for name in list(doubling)[:20]} | {"d0": "risk"}
    assert "at most 1000 terms" in refused("risk", definitions=few)
    assert read("d4", definitions={k: doubling[k] for k in ("d0", "d1", "d2", "d3", "d4")})
    chain = {f"d{i}": f"-d{i - 1}" for i in range(1, 500)} | {"d0": "risk"}
    assert "50 deep" in refused("risk", definitions=chain)
    alias = {f"d{i}": f"d{i - 1}" for i in range(1, 3000)} | {"d0": "risk"}
    assert read("d2999", definitions=alias).text == "risk"
