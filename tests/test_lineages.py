"""Lineages of generators: drawn points against closed forms, planted mistakes, bits, bad input.

Longer than 400 lines because all of it is about lineages that are drawn once.
"""

from dataclasses import replace

import numpy as np
import pytest

from simbias import claims
from simbias._keys import seed_key
from simbias.cli import main
from simbias.experiments import Replica, cell_of, generations
from simbias.generations import (
    GENERATORS,
    LineageCell,
    LineageStack,
    Moments,
    agreement,
    critic_threshold,
    expectations,
    kept,
    lineages,
    moments,
    pooled,
    states,
)
from simbias.generations.expectations import accumulated, limit, threshold
from simbias.generations.sequences import known_chain, stationary
from simbias.generations.stack import from_tensors
from simbias.plots import LineageLine, LineagesDisplay
from simbias.plots import threshold as threshold_of
from simbias.quantities import Subject, declared
from simbias.results import Store, StoreError
from simbias.results.lineages import lineage_stacks, lineages_of
from simbias.results.trained import learned

NORMAL, LONG_TAIL, LINE = {"name": "normal"}, {"name": "long-tail"}, {"name": "line"}
SIZES = {"points": 20, "generations": 6, "lineages": 1536}


def cell(source=NORMAL, name="gaussian", regime="replace", sizes=SIZES, ddof=None, **rule):
    own = {"name": name} | ({} if ddof is None else {"ddof": ddof})
    return LineageCell.of(source, own, {"name": regime, **rule}, **sizes)


BIASED, UNBIASED = cell(ddof=0), cell(ddof=1)
CELLS = {
    "ddof 0": BIASED,
    "ddof 1": UNBIASED,
    "histogram": cell(LONG_TAIL, "histogram", "fresh", proportion=0.1, coins=1),
    "least squares": cell(LINE, "least-squares", "accumulate"),
}
# every other regime that has a law
OTHERS = [
    *(
        cell(ddof=ddof, regime=name, **rule)
        for ddof in (0, 1)
        for name, rule in [
            ("accumulate", {}),
            ("repeat", {}),
            ("mirror", {}),
            ("fresh", {"proportion": 0.1}),
            ("fresh", {"proportion": 0.1, "coins": 1}),
            ("bag", {"parents": 4}),
        ]
    ),
    cell(ddof=0, regime="anchor", real_points=5),
    *(
        cell(LONG_TAIL, "histogram", name, **rule)
        for name, rule in [
            ("replace", {}),
            ("accumulate", {}),
            ("repeat", {}),
            ("fresh", {"proportion": 0.1}),
            ("anchor", {"real_points": 5}),
            ("bag", {"parents": 3}),
        ]
    ),
    cell(LINE, "least-squares", "replace"),
    cell(LINE, "least-squares", "repeat"),
]


@pytest.fixture(scope="module")
def drawn():
    return {name: lineages(each, 0) for name, each in CELLS.items()}


@pytest.fixture(scope="module")
def parts(drawn):
    return {each.cell: moments(each) for each in drawn.values()}


def worst(parts):
    return max(entry.off for entry in agreement(parts))


def test_drawn_points_follow_every_closed_form_at_once(parts):
    assert {entry.measure for entry in agreement(parts)} == {
        "variance", "drift", "log_variance", "deviation", "distance", "entropy", "old_under_new",
        "new_under_old", "homozygosity", "tail",
    }  # fmt: skip
    assert worst(parts) <= 1


@pytest.mark.parametrize("wrong", ["ddof", "pooled", "scorer", "generation"])
def test_a_planted_mistake_is_told_from_the_law(parts, wrong):
    own = dict(parts[BIASED])
    if wrong == "ddof":
        assert worst({UNBIASED: own}) > 1
        return
    if wrong == "pooled":  # of all lineages together, in place of within each
        together = own["variance"].mean + own["drift"].mean
        own["variance"] = own["variance"]._replace(mean=together)
    elif wrong == "scorer":
        own["old_under_new"], own["new_under_old"] = own["new_under_old"], own["old_under_new"]
    else:  # counted from 0
        own["variance"] = own["variance"]._replace(mean=np.roll(own["variance"].mean, 1))
    assert worst({BIASED: own}) > 1


def test_a_share_by_coins_is_told_from_an_exact_one():
    exact, coins = (limit(20, 0.1, coins=coins) for coins in (False, True))
    assert exact == pytest.approx(0.787, abs=5e-4) and coins == pytest.approx(0.783, abs=5e-4)
    long = SIZES | {"generations": 300}
    assert kept(cell(ddof=0, regime="fresh", proportion=0.1, sizes=long))[-1] == pytest.approx(
        exact
    )


@pytest.mark.slow
def test_every_regime_follows_its_closed_forms():
    sizes = {"lineages": 8192, "generations": 12}
    cells = [replace(each, **sizes) for each in OTHERS]
    entries = agreement({each: moments(lineages(each, 1)) for each in cells})
    assert len(entries) > 600 and max(entry.off for entry in entries) <= 1


# laws by hand


def test_laws_have_the_values_of_independent_computations():
    assert accumulated(10) == pytest.approx(0.843, abs=5e-4)
    assert accumulated(100) == pytest.approx(0.984, abs=5e-4)
    assert limit(100, 0.1) == pytest.approx(0.950, abs=5e-4)
    sizes = {"points": 50, "generations": 30, "lineages": 1}
    growing = expectations(cell(LINE, "least-squares", "replace", sizes))["drift"]
    pool = expectations(cell(LINE, "least-squares", "accumulate", sizes))["drift"]
    assert growing[[9, 29]] / growing[0] == pytest.approx([10, 30])
    assert pool[[1, 4, 9, 29]] / pool[0] == pytest.approx([1.234, 1.429, 1.506, 1.561], abs=5e-4)
    assert threshold(0.9, 0.3) == pytest.approx(0.75)


def test_a_bag_of_one_is_a_single_model_and_a_large_one_divides_the_drift():
    single, bagged = (expectations(cell(ddof=0, **rule))["drift"] for rule in ({}, BAG))
    assert bagged == pytest.approx(single / 10, rel=0.12)
    growing = expectations(cell(ddof=1, **BAG))["drift"]
    assert (
        growing == pytest.approx(np.arange(1, 7) / 200, rel=0.12) and (np.diff(growing) > 0).all()
    )


BAG = {"regime": "bag", "parents": 10}


@pytest.mark.parametrize("points", [2, 3])
def test_anchored_pairs_are_those_of_an_enumeration(points):
    """Every pair of members, each traced back by hand to a fixed or a written point."""
    stay = 1
    sizes = {"points": points, "generations": 3, "lineages": 1}
    law = kept(cell(ddof=0, regime="anchor", real_points=stay, sizes=sizes))
    # differences of members i and j in each generation, in units of the source's
    differ = 1 - np.eye(points)
    expected = [differ.mean()]
    for _ in range(2):
        after = np.full((points, points), differ.mean())  # of two draws
        after[:stay] = differ[:stay].mean(axis=1)[:, None]  # of a fixed point and a draw
        after[:, :stay] = after[:stay].T
        after[:stay, :stay] = differ[:stay, :stay]
        np.fill_diagonal(after, 0)
        differ = after
        expected.append(differ.mean())
    assert law == pytest.approx(expected)


def test_bars_of_proportions_end_where_these_do():
    error, law = np.full(2, 0.1), np.full(2, np.nan)
    line = LineageLine("p", "replace", "improbable", np.array([0.01, 0.98]), error, law)
    for proportions, ends in (
        ((), [[-0.29, 0.31], [0.68, 1.28]]),
        (("improbable",), [[0, 0.31], [0.68, 1]]),
    ):
        (ax,) = LineagesDisplay((line,), "f", proportions=proportions).plot().figure_.axes
        drawn = [segment[:, 1] for segment in ax.collections[0].get_segments()]
        np.testing.assert_allclose(drawn, ends, atol=1e-12)


def test_moments_that_are_too_heavy_tailed_are_not_held_against_a_mean():
    law = expectations(cell(ddof=0, sizes=SIZES | {"generations": 40}))
    assert np.isfinite(law["variance"]).sum() == 9 and np.isfinite(law["log_variance"]).all()


def test_moments_of_parts_are_those_of_the_whole(drawn):
    whole = moments(drawn["ddof 1"])["variance"]
    values = drawn["ddof 1"].values["variance"]
    halves = [
        moments(drawn["ddof 1"]._replace(values={"variance": half}))["variance"]
        for half in (values[:500], values[500:])
    ]
    both = pooled(halves)
    np.testing.assert_allclose(both.mean, whole.mean)
    np.testing.assert_allclose(both.deviation, values.astype(float).std(axis=0, ddof=1))


# the puzzle of the tails


def test_tails_shrink_within_a_lineage_and_grow_over_all_of_them(parts):
    own, k, n = parts[UNBIASED], SIZES["generations"], SIZES["points"]
    assert own["log_variance"].mean[-1] < -k / n + 0.05
    together = own["variance"].mean + own["drift"].mean
    assert together[-1] == pytest.approx(1 + k / n, rel=0.05)
    # the source's score of new points rises by half of that, or, with ddof 0, not at all
    rise = own["new_under_old"].mean[-1] - 0.5 * np.log(2 * np.pi) - 0.5
    assert rise == pytest.approx(k / (2 * n), abs=0.03)
    flat = parts[BIASED]["new_under_old"].mean - 0.5 * np.log(2 * np.pi) - 0.5
    assert abs(flat).max() < 0.03


# chains


def test_a_known_chain_has_the_entropy_and_tails_of_its_pairs():
    chain = known_chain(5, persona=1)
    np.testing.assert_allclose(chain.sum(axis=1), 1)
    law = stationary(chain)
    np.testing.assert_allclose(law @ chain, law)
    generator = GENERATORS["bigrams"]({"states": 5, "personas": 1}, {})
    (own, start) = known_chain(5), stationary(known_chain(5))
    zipf = 1 / np.arange(1, 6) / (137 / 60)
    assert generator.facts["entropy"] == pytest.approx(-(zipf * np.log(zipf)).sum())
    exact = generator.measure({"transitions": np.float32(own), "seen": np.ones((5, 5), np.float32)})
    for name in ("entropy", "old_under_new", "new_under_old"):
        assert float(exact[name]) == pytest.approx(generator.facts["entropy"], rel=1e-5)
    assert float(exact["tail"]) == pytest.approx(generator.facts["tail"], rel=1e-5)
    assert start.sum() == pytest.approx(1)


@pytest.mark.slow
def test_bigrams_lose_transitions_and_entropy_unless_sets_accumulate():
    sizes = {"points": 20, "generations": 8, "lineages": 64}
    own, pool = (
        moments(lineages(cell({"name": "chain"}, "bigrams", regime, sizes), 0))
        for regime in ("replace", "accumulate")
    )
    entropy = GENERATORS["bigrams"]({}, {}).facts["entropy"]
    assert own["entropy"].mean[-1] < entropy - 0.7 < pool["entropy"].mean[-1]
    assert own["support"].mean[-1] < 0.4 < 0.7 < pool["support"].mean[-1]


def test_a_text_is_counted_and_an_empty_one_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abab" * 30)
    generator = GENERATORS["bigrams"]({"path": str(path), "length": 5}, {"smoothing": 1e-6})
    statistics = generator.gather(np.array([[0, 1, 0, 1, 0]]), None)
    np.testing.assert_array_equal(statistics["pairs"], [[0, 2], [2, 0]])
    transitions = generator.fit(statistics, None)["transitions"]
    np.testing.assert_allclose(transitions, [[0, 1], [1, 0]], atol=1e-6)
    path.write_text("")
    with pytest.raises(ValueError, match="an empty text', allowed: one of two characters or more"):
        GENERATORS["bigrams"]({"path": str(path)}, {})


# bits


def test_a_lineage_is_the_same_to_the_bit_in_any_company(drawn):
    few = lineages(replace(BIASED, lineages=7), 0)
    whole = drawn["ddof 0"]
    for name, values in few.values.items():
        np.testing.assert_array_equal(values, whole.values[name][:7])
    other = lineages(replace(BIASED, lineages=7), 1)
    assert (other.values["drift"] != few.values["drift"]).all()


def test_lineages_go_on_from_a_checkpoint_to_the_same_bits(drawn):
    few = replace(BIASED, lineages=7)
    replica = Replica(few, 0)
    kept_state = generations._kept(next(states(few, 0)))
    state, progress = generations.restore(replica, kept_state)
    assert progress.steps == 1
    *_, ended = states(few, 0, state)
    for name, values in ended.values.items():
        np.testing.assert_array_equal(values, drawn["ddof 0"].values[name][:7])
    with pytest.raises(ValueError, match="checkpoint: of 7 lineages, not 8"):
        generations.restore(Replica(replace(few, lineages=8), 0), kept_state)


def test_the_first_points_of_a_seed_do_not_depend_on_ddof_or_regime(drawn):
    ratio = drawn["ddof 1"].values["variance"][:, 0] / drawn["ddof 0"].values["variance"][:, 0]
    assert np.ptp(ratio) > 0.1  # another generator draws others
    first = next(states(replace(cell(ddof=0, regime="mirror"), lineages=7), 0))
    mean_square = drawn["ddof 0"].values["variance"] + drawn["ddof 0"].values["drift"]
    np.testing.assert_allclose(first.values["variance"][:, 0], mean_square[:7, 0], rtol=1e-5)


# bad input


@pytest.mark.parametrize(
    "source, generator, regime, points, message",
    [
        ("normal", {"ddof": 1}, {}, 1, "points: got 1, allowed: at least 2"),
        ("normal", {"ddof": 2}, {}, 20, r"generator: ddof: got 2, allowed: an integer in \[0, 1\]"),
        (
            "normal",
            {},
            {"name": "fresh", "proportion": -0.1},
            20,
            "regime: proportion: got -0.1, allowed",
        ),
        (
            "normal",
            {},
            {"name": "fresh", "proportion": 0.11},
            20,
            "a whole number of points, or coins",
        ),
        ("normal", {}, {"name": "anchor", "real_points": 20}, 20, "fewer than the 20 points"),
        ("normal", {}, {"name": "verify", "right": 1.0, "wrong": 0.0}, 20, "right or wrong"),
        ("normal", {}, {"name": "teacher", "error": 0.1}, 20, "gaussian, which has no error"),
        ("normal", {}, {"name": "replaced"}, 20, "nearest: replace"),
        ("line", {}, {}, 20, "task: name: got 'line', allowed: normal, for this generator"),
        ("norma", {}, {}, 20, "nearest: normal"),
        ("chain", {"name": "bigrams", "smoothing": 0}, {}, 20, r"smoothing: got 0, allowed: a n"),
    ],
)
def test_bad_settings_are_one_line(source, generator, regime, points, message):
    rule = {"name": "replace"} | regime
    with pytest.raises(ValueError, match=message) as caught:
        LineageCell.of({"name": source}, {"name": "gaussian"} | generator, rule, points=points)
    assert "\n" not in str(caught.value)


def test_a_variance_that_32_bits_cannot_tell_from_zero_ends_a_lineage():
    alive = GENERATORS["gaussian"]({}, {}).alive
    assert bool(alive({"mean": np.float32(1), "variance": np.float32(1e-9)}))
    for mean, variance in ((1, 1e-11), (0, 1e-39), (0, np.nan)):
        assert not alive({"mean": np.float32(mean), "variance": np.float32(variance)})


class Quiet:
    n_certify, saved = 1000, {}

    def advanced(self, moved):
        pass

    def measuring(self, replicas):
        pass


def row_of(made_of, seed=0):
    (ended,) = generations.run([Replica(made_of, seed)], Quiet())
    return ended


CRITIC = {
    "experiment": "generations",
    "task": {"name": "two-classes", "error": 0.4},
    "generator": {"name": "labeller"},
    "points": 100,
    "generations": 2,
    "lineages": 5,
}


@pytest.mark.thorough
def test_a_critic_that_accepts_nothing_ends_all_lineages_with_a_reason():
    regime = {"name": "verify", "right": 0.0, "wrong": 0.0}
    ended = row_of(cell_of(CRITIC | {"regime": regime}))
    words = "5 of 5 lineages ended, the first at generation 1: no point was accepted"
    assert ended.status == "diverged" and ended.reason.startswith(words)
    assert ended.columns["survived"] == 0


def test_a_row_and_its_trace_hold_the_moments_of_the_lineages(drawn, parts):
    ended = row_of(BIASED)
    own = parts[BIASED]["variance"]
    assert ended.status == "done" and ended.columns["variance"] == own.mean[-1]
    assert [check["generation"] for check in ended.trace] == [1, 2, 3, 4, 5, 6]
    again = from_tensors(ended.tensors)["variance"]
    np.testing.assert_allclose([check["variance_sd"] for check in ended.trace], own.deviation)
    np.testing.assert_allclose(again.squares, own.squares)
    np.testing.assert_array_equal(again.counted, own.counted)
    known = {"variance", "drift", "tail"} & ended.columns.keys()
    assert len(known) == 3 and "support, homozygosity, correct, ex" in ended.reason
    assert isinstance(again, Moments)


# claims


def of_two_seeds(drawn):
    """The lineages of one seed, as those of two."""
    own = moments(drawn["ddof 1"])
    return Subject(LineageStack(UNBIASED, (0, 1), (own, own)), n_certify=10, confidence=0.99)


def test_quantities_of_lineages_are_means_with_intervals_and_misfits(drawn, parts):
    subject, own = of_two_seeds(drawn), parts[UNBIASED]["variance"]
    mean = declared()["lineage_mean"].compute(subject, "variance", 6)
    np.testing.assert_allclose(mean.value, [own.mean[-1]] * 2)
    np.testing.assert_allclose(mean.high - mean.value, [2.5758 * own.error[-1]] * 2, rtol=1e-4)
    value = declared()["lineage_value"].compute(subject, "variance", 6)
    assert value.value.tolist() == value.low.tolist() == mean.value.tolist()
    misfit = declared()["lineage_misfit"].compute(subject, 6)
    assert misfit.value.tolist() == pytest.approx([worst({UNBIASED: parts[UNBIASED]})] * 2)
    for name in ("lineage_mean", "lineage_value"):
        assert np.isnan(declared()[name].compute(subject, "support", 6).value).all()


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("lineage_mean", ("variance", 7), r"generation: got 7, allowed: an integer in \[1, 6\]"),
        ("risk", (), "cell: got 'normal/gaussian/replace/.*', allowed: one of networks or est"),
    ],
)
def test_a_quantity_that_lineages_lack_is_refused_before_they_run(name, given, message):
    with pytest.raises(ValueError, match=message):
        declared()[name].suits(UNBIASED, *given)


CLAIM = """
id = "shrinks"
title = "The log variance of a lineage falls"
source = "none"
quantity = 'lineage_mean("log_variance", 6)'
predicate = { op = "<=", value = 0.0, margin = 0.0 }
quantifier = { kind = "probability", at_least = 0.5 }
unit = { of = "network", redraws = ["rotation", "data", "initialisation", "order"] }
effort = { n_certify = 500, confidence = 0.9 }
inference = { test = "clopper-pearson", alpha = 0.4, units = 4, family = "f", correction = "none" }

[population]
experiment = "generations"
task = { name = "normal" }
generator = { name = "gaussian", ddof = 1 }
regime = { name = "replace" }
points = 20
generations = 6
lineages = 400
"""


@pytest.mark.thorough
def test_a_claim_about_lineages_is_judged_in_memory_and_in_a_directory(tmp_path, capsys):
    path = tmp_path / "claim.toml"
    path.write_text(CLAIM)
    verdict = claims.check(str(path))
    assert verdict.verdict == "supported" and verdict.finding.failing == 0
    assert main(["claims", "run", str(path), "--out", str(tmp_path / "run")]) == 0
    assert "shrinks" in capsys.readouterr().out
    store = Store(tmp_path / "run")
    assert store.query("SELECT count(*), min(survived) FROM generations")[1] == [(4, 400)]
    (joined,) = lineages_of(store)
    assert joined.moments["drift"].counted.tolist() == [1600] * 6
    with pytest.raises(StoreError, match="no trained networks"):
        learned(store)


@pytest.mark.slow
@pytest.mark.parametrize("right, wrong", [(0.8, 0.4), (0.5, 0.5), (0.9, 0.1)])
def test_a_critic_fails_from_its_threshold_on(right, wrong):
    expected = threshold(right, wrong)
    errors = [round(expected + step, 4) for step in (-0.03, -0.01, 0.01, 0.03)]
    sizes = {"points": 4000, "generations": 1, "lineages": 16}
    regime = {"name": "verify", "right": right, "wrong": wrong}
    accuracies = [
        [
            lineages(
                cell_of(
                    CRITIC
                    | {"task": {"name": "two-classes", "error": error}, "regime": regime}
                    | sizes
                ),
                seed,
            )
            .values["correct"]
            .mean()
            for error in errors
        ]
        for seed in range(8)
    ]
    place = critic_threshold(errors, np.array(accuracies))
    assert errors[1] <= place.low < expected < place.high <= errors[2]
    assert place.low < place.value < place.high


def test_a_critic_that_never_fails_has_no_threshold():
    with pytest.raises(ValueError, match="some surely above one half before some surely below"):
        critic_threshold([0.1, 0.2], np.full((2, 2), 0.9))


def test_the_interval_of_a_threshold_is_as_wide_as_the_grid_and_as_the_seeds_differ():
    errors = np.array([0.60, 0.64, 0.66, 0.68, 0.72])
    place = 0.667
    draws = np.random.default_rng(0).normal(size=(400, 10, 5))
    covered = 0
    for noise in draws:
        threshold = critic_threshold(errors, 0.5 + 3 * (place - errors) + 0.05 * noise)
        covered += threshold.low <= place <= threshold.high
    assert covered >= 396  # 99%, and the neighbours of .66 and .68 leave room
    exact = critic_threshold(errors, np.tile(0.5 + 3 * (place - errors), (2, 1)))
    assert (exact.low, exact.high) == (0.66, 0.68)  # equal seeds know no more than the grid
    assert exact.value == pytest.approx(place)
    with pytest.raises(ValueError, match="accuracies: got '1 seed', allowed: two seeds or more"):
        critic_threshold([0.1, 0.2], np.array([[0.9, 0.1]]))


@pytest.mark.thorough
def test_expectation_and_maximisation_find_two_blobs_and_their_likelihood():
    generator = GENERATORS["mixture"]({"separation": 4.0}, {})
    points = generator.real(seed_key(3), 2000)
    model = generator.fit(generator.gather(points, None), None)
    np.testing.assert_allclose(model["mean"], [[-4, 0], [4, 0]], atol=0.12)
    np.testing.assert_allclose(model["covariance"], [np.eye(2)] * 2, atol=0.15)
    # blobs that are far apart have half the density of one, whose entropy is 1 + log(2 pi)
    measures = generator.measure(model)
    expected = 1 + np.log(2 * np.pi) + np.log(2)
    assert float(measures["old_under_new"]) == pytest.approx(expected, abs=0.1)


SUITE = """
name = "critics"
summary = "a critic at two errors"
source = "none"

[tasks]

[presets.smoke]
summary = "a moment"
seeds = 2

[[presets.smoke.cells]]
experiment = "generations"
task = { name = "two-classes", error = [0.4, 0.8] }
generator = { name = "labeller" }
regime = { name = "verify", right = 0.8, wrong = 0.4 }
points = 400
generations = 1
lineages = 20
"""


@pytest.mark.thorough
def test_a_run_draws_the_figures_of_its_lineages_and_its_table_is_of_lineages(tmp_path, capsys):
    path, out = tmp_path / "critics.toml", tmp_path / "run"
    path.write_text(SUITE)
    assert main(["run", str(path), "--preset", "smoke", "--out", str(out)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "mean over all lineages measured" in text and "no tails figure" not in text
    assert "threshold figure:" in text and "perplexity" not in text
    assert {file.name for file in (out / "figures").glob("*.png")} == {"threshold.png"}
    (curve,) = threshold_of(lineage_stacks(Store(out))).curves
    assert curve.errors.tolist() == [0.4, 0.8] and curve.located is None  # one seed
    assert curve.accuracy[0] > 0.75 > 0.3 > curve.accuracy[1]
