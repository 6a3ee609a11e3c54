"""Which network a number prefers: counts and limits by hand, pairs of a run, table and figure."""

from dataclasses import replace

import numpy as np
import pytest

from simbias.bounds import Evaluation, Record
from simbias.bounds.preference import NetworkPair, prefer
from simbias.experiments import cell_of
from simbias.plots.preference import preference
from simbias.results.preference import network_pairs
from simbias.tables.preference import preference_table


def pairs_of(values, others, *, comparison="c", name="x"):
    return [
        NetworkPair(comparison, (seed, seed), {name: value}, {name: other})
        for seed, (value, other) in enumerate(zip(values, others, strict=True))
    ]


def alone(pairs, **options):
    (only,) = prefer(pairs, {"x": "measure"}, **options)
    return only


def test_twenty_of_twenty_by_hand():
    only = alone(pairs_of([1.0] * 20, [2.0] * 20))
    assert (only.smaller, only.equal, only.larger) == (20, 0, 0)
    assert only.low == pytest.approx(0.025 ** (1 / 20)) and only.high == 1
    assert only.verdict == "prefers it" and (only.value, only.other) == (1, 2)
    other = alone(pairs_of([2.0] * 20, [1.0] * 20))
    assert other.low == 0 and other.high == pytest.approx(1 - 0.025 ** (1 / 20))
    assert other.verdict == "prefers the other"


def test_limits_are_shared_by_all_numbers_that_have_pairs_and_by_no_others():
    pairs = [
        NetworkPair(comparison, (i, i), {"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0})
        for comparison in ("a", "b")
        for i in range(20)
    ]
    kinds = {"x": "bound", "y": "measure", "absent": "measure"}
    preferences = prefer(pairs, kinds, confidence=0.9)
    assert len(preferences) == 6  # two comparisons of three numbers, of which one has no pairs
    for each in preferences:
        if each.name == "absent":
            assert each.pairs == 0 and np.isnan(each.low) and each.verdict == "undecided"
        else:
            assert each.low == pytest.approx((0.1 / (2 * 4)) ** (1 / 20))


def test_equal_values_count_against_either_verdict():
    mixed = alone(pairs_of([1.0] * 20, [2.0] * 12 + [1.0] * 8))
    assert (mixed.smaller, mixed.equal, mixed.proportion) == (12, 8, 0.8)
    assert mixed.high == 1 and mixed.low < 0.5 and mixed.verdict == "undecided"
    same = alone(pairs_of([1.0] * 20, [1.0] * 20))
    assert (same.low, same.high, same.verdict) == (0, 1, "undecided")


def test_equal_means_to_nine_digits_and_zeros_are_equal():
    assert alone(pairs_of([1.0], [1.0 + 1e-10])).equal == 1
    assert alone(pairs_of([1.0], [1.0 + 1e-9])).smaller == 1
    assert alone(pairs_of([-np.inf], [-np.inf])).equal == 1
    assert alone(pairs_of([-np.inf], [0.0])).smaller == 1


def test_a_pair_without_a_value_is_left_out_and_counted():
    only = alone(pairs_of([1.0, np.nan, 1.0], [2.0, 2.0, np.nan]))
    assert (only.smaller, only.pairs, only.left_out) == (1, 1, 2)


def test_numbers_that_are_noise_are_rarely_preferred_by_any_verdict():
    random, false = np.random.default_rng(0), 0
    names = [f"n{i}" for i in range(10)]
    for _ in range(200):
        pairs = [
            NetworkPair(
                "c", (i, i), *(dict(zip(names, random.random(10), strict=True)) for _ in "ab")
            )
            for i in range(24)
        ]
        verdicts = [each.verdict for each in prefer(pairs, dict.fromkeys(names, "bound"))]
        false += set(verdicts) != {"undecided"}
    assert false <= 18  # P(more | 200 at .05) < .005


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairs": []}, r"^pairs: got \[\], allowed: at least one pair$"),
        ({"kinds": {}}, "^kinds: got 'none for x', allowed: a kind for every number$"),
        ({"kinds": {"x": "rumour"}}, "^kind: unknown name 'rumour'"),
        ({"confidence": 1.0}, "^confidence: got 1.0, allowed"),
        ({"pairs": pairs_of([1.0], [2.0]) * 2}, "network of seed 0 in two pairs of c"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(change, words):
    given = {"pairs": pairs_of([1.0], [2.0]), "kinds": {"x": "measure"}} | change
    with pytest.raises(ValueError, match=words) as error:
        prefer(**given)
    assert "\n" not in str(error.value)


# pairs of a run


def evaluations(risks, values, *, name="norm"):
    """Evaluations of one measure on networks of seeds 0, 1, ... of exactly known risks."""
    return [
        Evaluation(
            Record(name, "norm", "nothing", "measure", "", 0.05, v, float(np.log10(v)), {}, ()),
            seed,
            *[risk] * 3,
        )
        for seed, (risk, v) in enumerate(zip(risks, values, strict=True))
    ]


@pytest.fixture(scope="module")
def solution_of(cell):
    def solution(**settings):
        return cell_of({**cell.settings, "experiment": "solutions", "solution": settings})

    return solution


def compared(pairs):
    return {
        comparison: [(p.seeds, 10 ** p.values["norm"], 10 ** p.others["norm"]) for p in pairs
                     if p.comparison == comparison]
        for comparison in dict.fromkeys(pair.comparison for pair in pairs)
    }  # fmt: skip


def test_solutions_stand_beside_networks_of_their_seed_by_what_these_have_learned(
    cell, solution_of
):
    networks = evaluations([0.05, 0.001, 0.05, 0.02], [1.0, 2.0, 3.0, 4.0])
    explicit = evaluations([0.0] * 4, [10.0, 20.0, 30.0, 40.0])
    pairs, kinds = network_pairs([(cell, networks), (solution_of(name="explicit"), explicit)])
    assert kinds == {"norm": "measure"}
    by_comparison = compared(pairs)
    assert by_comparison["explicit against stuck"] == [
        ((0, 0), pytest.approx(10), pytest.approx(1)),
        ((2, 2), pytest.approx(30), pytest.approx(3)),
    ]
    assert by_comparison["explicit against learned"] == [
        ((1, 1), pytest.approx(20), pytest.approx(2))
    ]
    # the only network that escaped, with the first one that is stuck; none of a risk in between
    assert by_comparison["learned against stuck"] == [((1, 0), pytest.approx(2), pytest.approx(1))]
    assert len(by_comparison) == 3


def test_networks_that_learned_are_matched_with_stuck_ones_of_equal_training_error(cell):
    group = [
        replace(of_seed, record=replace(of_seed.record, terms={"training error": error}))
        for of_seed, error in zip(
            evaluations([0.05, 0.001, 0.05, 0.001, 0.05, 0.001], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            [0.02, 0.0, 0.0015, 0.0, 0.0215, 0.0205],
            strict=True,
        )
    ]
    pairs, _ = network_pairs([(cell, group)])
    # seed 1 with 2, nobody for 3, and 5 with the first of two that are close
    assert [pair.seeds for pair in pairs] == [(1, 2), (5, 0)]


def test_the_cheapest_is_the_least_of_what_was_made_cheap_of_a_seed(cell, solution_of):
    networks = evaluations([0.05, 0.05], [1.0, 1.0])
    solutions = [
        (solution_of(name="explicit"), evaluations([0.0, 0.0], [10.0, 2.0])),
        (solution_of(name="cheapest", norm="path-norm"), evaluations([0.0, 0.0], [5.0, 3.0])),
        (solution_of(name="cheapest", norm="l1-norm"), evaluations([0.0, 0.0], [6.0, 4.0])),
    ]
    pairs, _ = network_pairs([(cell, networks), *solutions])
    cheapest = compared(pairs)["cheapest against stuck"]
    assert [value for _, value, _ in cheapest] == pytest.approx([5, 3])


def test_solutions_of_another_sample_size_or_that_have_not_learned_are_in_no_pair(
    cell, solution_of
):
    networks = evaluations([0.05], [1.0])
    explicit = solution_of(name="explicit")
    fewer = replace(explicit, counterpart=replace(cell, n_train=300))
    assert network_pairs([(cell, networks), (fewer, evaluations([0.0], [1.0]))])[0] == []
    assert network_pairs([(cell, networks), (explicit, evaluations([0.04], [1.0]))])[0] == []


def test_solutions_serve_cells_that_differ_in_training_alone(cell, solution_of):
    longer = replace(cell, stop=replace(cell.stop, max_updates=400))
    networks = evaluations([0.05], [1.0])
    explicit = (solution_of(name="explicit"), evaluations([0.0], [2.0]))
    pairs, _ = network_pairs([(cell, networks), (longer, networks), explicit])
    assert [pair.comparison for pair in pairs] == [
        "explicit against stuck, budget 200",
        "explicit against stuck, budget 400",
    ]


# table and figure


@pytest.fixture(scope="module")
def example():
    random = np.random.default_rng(1)
    pairs = [
        NetworkPair(
            f"{it} against stuck",
            (seed, seed),
            {"cp": -3.0, "vc": 0.5, "norm": shift + random.random(), "huge": 9.0},
            {"cp": -1.2, "vc": 0.5, "norm": 1.0 + random.random(), "huge": 3.0},
        )
        for it, shift in (("explicit", 4.0), ("cheapest", 0.0))
        for seed in range(24)
    ]
    return pairs, {"norm": "measure", "huge": "bound", "vc": "bound", "cp": "certificate"}


def test_the_table_has_counts_medians_limits_and_verdicts(example):
    table = preference_table(prefer(*example))
    lines = {(line[0], line[1]): line for line in table.lines}
    assert lines["explicit against stuck", "cp"][3:6] == ["0.001", "0.0631", "24 of 24"]
    assert lines["explicit against stuck", "vc"][5:] == [
        "0 of 24, 24 equal", "0.50 [0.00, 1.00]", "undecided",
    ]  # fmt: skip
    assert lines["explicit against stuck", "norm"][-1] == "prefers the other"
    with pytest.raises(ValueError, match="^preferences: got '0 without pairs'"):
        preference_table([])


def test_the_figure_has_a_panel_a_comparison_and_certificates_first(example):
    display = preference(*example).plot()
    assert display.names == ("cp", "huge", "vc", "norm")
    assert display.comparisons == ("explicit against stuck", "cheapest against stuck")
    assert len(display.ax_) == 2
    assert display.finding.split("\n")[0] == (
        "explicit against stuck (24 pairs): of 4 numbers 1 smaller, 2 larger, 1 undecided"
    )
    medians = [text.get_text() for text in display.ax_[0].texts]
    assert "1.0k \u2192 1e9" in medians or "1000 \u2192 1e9" in medians


def test_dots_stand_at_ratios_and_those_beyond_the_axes_are_arrows_at_the_edge(example):
    ax = preference(*example).plot().ax_[0]
    by_marker = {}
    for line in ax.lines:
        by_marker.setdefault(line.get_marker(), []).append(line)
    high = ax.get_xlim()[1]

    def of_row(marker, y):
        return next(
            line.get_xdata()
            for line in by_marker[marker]
            if len(line.get_ydata()) == 24 and abs(line.get_ydata().mean() - y) < 1e-6
        )

    assert of_row(">", 1) == pytest.approx([high] * 24)  # of "huge", a ratio of a million
    assert of_row("o", 0) == pytest.approx(np.full(24, 10**-1.8))


def test_the_data_beside_the_figure_are_the_pairs_and_the_verdicts(example):
    tables = preference(*example).tables()
    assert len(tables["pairs"]["seed"]) == 2 * 24 * 4
    assert len(tables["preferences"]["name"]) == 8
    with pytest.raises(ValueError, match="allowed: a pair of which both have one"):
        preference(pairs_of([np.nan], [1.0]), {"x": "measure"})
