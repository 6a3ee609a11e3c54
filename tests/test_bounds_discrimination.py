"""Discrimination: hand-computed grids, SciPy's tau and U, an oracle, and what chance scores.

Longer than 400 lines because all scores are held against the same small grids of networks.
"""

import itertools

import numpy as np
import pytest
from scipy.stats import kendalltau, mannwhitneyu

from simbias.bounds.discrimination import ScoredNetwork, discriminate
from simbias.tables.discrimination import discrimination_table

LOW, HIGH = 0.001, 0.05  # risks of a learned and of a stuck network


def network(settings, risk, seed=0, half=0.0005, **values):
    return ScoredNetwork(settings, seed, risk, max(risk - half, 0), risk + half, values)


def measures(*names):
    return dict.fromkeys(names, "measure")


def score(networks, name="x", **options):
    return {each.name: each for each in discriminate(networks, kinds(networks), **options)}[name]


def kinds(networks):
    return measures(*dict.fromkeys(name for each in networks for name in each.values))


def random_grid(random, seeds=5, names=("x",)):
    """A grid of 2 x 3 x 2 cells whose networks are stuck or not by chance; numbers are noise."""
    grid = []
    for dim, width, n_train in itertools.product((5, 50), (10, 100, 300), (1000, 4000)):
        for seed in range(seeds):
            risk = random.choice([LOW, HIGH]) + 0.0002 * random.random()
            values = dict(zip(names, random.standard_normal(len(names)), strict=True))
            settings = {"dim": dim, "width": width, "n_train": n_train}
            grid.append(network(settings, risk, seed, **values))
    return grid


def test_a_grid_of_two_by_two_cells_by_hand():
    grid = [
        network({"width": 10, "depth": 1}, 0.01, x=1.0),
        network({"width": 30, "depth": 1}, 0.02, x=3.0),
        network({"width": 10, "depth": 2}, 0.03, x=2.0),
        network({"width": 30, "depth": 2}, 0.04, x=1.5),
    ]
    # width: right at depth 1, wrong at depth 2; depth: right at width 10, wrong at width 30
    rank = score(grid, least_pairs=2)
    assert {name: each.value for name, each in rank.by_setting.items()} == {"width": 0, "depth": 0}
    assert rank.kendall.value == 0 and rank.pairs == 4 and rank.left_out == 0
    grid[3] = grid[3]._replace(values={"x": 2.5})
    rank = score(grid, least_pairs=2)
    assert {name: each.value for name, each in rank.by_setting.items()} == {"width": 1, "depth": 0}
    assert rank.kendall.value == 0.5
    assert rank.sign_error.value == 0.5 and rank.worst == "depth 1 / 2"


def test_tau_is_that_of_scipy_where_one_setting_varies_without_ties():
    random = np.random.default_rng(1)
    risks, x = random.permutation(12) / 20, random.standard_normal(12)
    grid = [
        network({"width": i}, risk, x=value)
        for i, (risk, value) in enumerate(zip(risks, x, strict=True))
    ]
    assert score(grid).kendall.value == pytest.approx(kendalltau(risks, x).statistic, abs=1e-12)


def test_tau_of_several_settings_is_the_mean_of_scipys_over_the_others_then_over_settings():
    random = np.random.default_rng(2)
    risk, x = random.permutation(12).reshape(3, 4) / 20, random.standard_normal((3, 4))
    grid = [
        network({"width": i, "depth": j}, risk[i, j], x=x[i, j])
        for i, j in itertools.product(range(3), range(4))
    ]
    width = np.mean([kendalltau(risk[:, j], x[:, j]).statistic for j in range(4)])
    depth = np.mean([kendalltau(risk[i], x[i]).statistic for i in range(3)])
    rank = score(grid)
    assert rank.by_setting["width"].value == pytest.approx(width, abs=1e-12)
    assert rank.by_setting["depth"].value == pytest.approx(depth, abs=1e-12)
    assert rank.kendall.value == pytest.approx((width + depth) / 2, abs=1e-12)


def test_settings_of_the_others_count_alike_however_many_pairs_they_have():
    grid = [network({"width": w, "depth": 1}, w / 100, x=float(w)) for w in (1, 2, 3)]
    grid += [network({"width": w, "depth": 2}, w / 100, x=-float(w)) for w in (1, 2)]
    assert score(grid).by_setting["width"].value == 0  # three pairs right, one wrong


def test_auc_is_the_mann_whitney_statistic_over_its_maximum_with_ties_and_zeros():
    random = np.random.default_rng(3)
    learned, stuck = random.integers(0, 5, 9).astype(float), random.integers(1, 6, 7).astype(float)
    learned[learned == 0] = -np.inf  # log10 of a value of 0
    grid = [network({"width": i}, LOW, x=value) for i, value in enumerate(learned)]
    grid += [network({"width": 100 + i}, HIGH, x=value) for i, value in enumerate(stuck)]
    rank = score(grid)
    expected = mannwhitneyu(stuck, learned).statistic / (len(stuck) * len(learned))
    assert rank.auc.value == pytest.approx(expected, abs=1e-12)
    assert (rank.learned, rank.stuck, rank.neither) == (9, 7, 0)


def test_the_oracle_the_constant_and_the_negated_oracle_score_the_extremes_and_chance():
    numbers = [
        each._replace(values={"risk": each.risk, "same": 2.0, "less": -each.risk})
        for each in random_grid(np.random.default_rng(4))
    ]
    expected = {"risk": (1, 0, 1), "same": (0, 0.5, 0.5), "less": (-1, 1, 0)}
    for name, scores in expected.items():
        rank = score(numbers, name)
        for interval, value in zip((rank.kendall, rank.sign_error, rank.auc), scores, strict=True):
            assert interval.value == value
            half = np.sqrt(np.log(40) / (2 * min(rank.learned, rank.stuck)))
            ends = [max(value - half, 0), min(value + half, 1)]  # Hoeffding's: no resample differs
            expected = ends if interval is rank.auc else [np.nan, np.nan]
            assert [interval.low, interval.high] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seeds", (3, 6))
def test_intervals_of_a_random_number_cover_chance_as_often_as_they_say(seeds):
    names = tuple(f"x{i}" for i in range(30))
    covered = {"auc": [], "tau": [], "error": []}
    for seed in range(12):
        grid = random_grid(np.random.default_rng(seed), seeds, names)
        for rank in discriminate(grid, measures(*names), resamples=300):
            covered["auc"].append(rank.auc.low <= 0.5 <= rank.auc.high)
            covered["tau"].append(rank.kendall.low <= 0 <= rank.kendall.high)
            covered["error"].append(rank.sign_error.low <= 0.5 <= rank.sign_error.high)
    # numbers share the networks, so the 360 of them are fewer in effect
    assert 0.91 < np.mean(covered["auc"]) < 0.98
    assert 0.91 < np.mean(covered["tau"]) < 0.99
    assert np.mean(covered["error"]) > 0.95


def test_intervals_are_those_of_a_plain_loop_over_resampled_networks():
    grid = random_grid(np.random.default_rng(5), seeds=4)
    cells = [grid[i : i + 4] for i in range(0, len(grid), 4)]
    random, draws = np.random.default_rng(6), []
    for _ in range(600):
        drawn = [cell[i] for cell in cells for i in random.integers(0, 4, 3)]
        stuck = [each.values["x"] for each in drawn if each.risk > 0.03]
        learned = [each.values["x"] for each in drawn if each.risk < 0.005]
        draws.append(np.mean(np.greater.outer(stuck, learned)))
    auc = score(grid).auc
    assert [auc.low, auc.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)
    assert auc.low < auc.value < auc.high


def test_small_cells_keep_their_weight_in_every_resample():
    grid = [network({"width": 10}, LOW, seed, x=1.0) for seed in range(2)]
    grid += [network({"width": 30}, LOW, seed, x=3.0) for seed in range(20)]
    grid += [network({"width": 90}, HIGH, seed, x=2.0) for seed in range(5)]
    assert score(grid).auc.value == pytest.approx(1 / 11) and np.isnan(score(grid).kendall.low)


def test_limits_hold_the_value_at_any_confidence():
    names = tuple(f"x{i}" for i in range(10))
    grid = random_grid(np.random.default_rng(9), 3, names)
    for rank in discriminate(grid, measures(*names), resamples=200, confidence=0.01):
        for interval in (rank.auc, rank.kendall, rank.sign_error, *rank.by_setting.values()):
            assert not interval.value < interval.low and not interval.value > interval.high


def test_environments_share_the_error_of_the_worst_ones_interval():
    random = np.random.default_rng(10)
    networks = [
        network({"width": width, "depth": 1}, risk, seed, x=random.standard_normal())
        for width, risk in ((10, LOW), (30, HIGH))
        for seed in range(6)
    ]
    right = [network({"width": 10, "depth": 2}, 0.3, seed, x=9.0) for seed in range(6)]
    alone, both = score(networks, confidence=0.95), score([*networks, *right], confidence=0.9)
    assert alone.sign_error.low < alone.sign_error.high
    assert both.sign_error == pytest.approx(alone.sign_error, abs=1e-12)


def test_all_seeds_of_two_cells_are_compared_and_two_seeds_of_one_cell_are_not():
    grid = [network({"width": 10}, LOW + seed / 100, seed, x=-1.0 - seed) for seed in range(3)]
    grid += [network({"width": 30}, 0.1 + seed / 100, seed, x=1.0 + seed) for seed in range(2)]
    rank = score(grid)
    assert (rank.pairs, rank.left_out) == (6, 0)
    assert rank.kendall.value == 1  # within a cell the number runs against the risk


def test_pairs_that_differ_in_two_settings_are_not_compared():
    grid = [
        network({"width": 10, "depth": 1}, LOW, x=1.0),
        network({"width": 30, "depth": 2}, HIGH, x=2.0),
    ]
    rank = score(grid)
    assert (rank.pairs, rank.left_out, rank.by_setting, rank.worst) == (0, 0, {}, "")
    assert np.isnan(rank.kendall).all() and np.isnan(rank.sign_error).all()
    assert rank.auc.value == 1


def test_pairs_whose_risk_intervals_overlap_are_left_out():
    grid = [
        network({"width": 10}, 0.010, half=0.002, x=3.0),
        network({"width": 30}, 0.013, half=0.002, x=1.0),
        network({"width": 90}, 0.020, half=0.002, x=4.0),
    ]
    rank = score(grid)
    assert (rank.pairs, rank.left_out, rank.kendall.value) == (2, 1, 1)
    touching = [network({"width": w}, r, half=0.25, x=r) for w, r in ((10, 0.25), (30, 0.75))]
    assert score(touching).left_out == 1


def test_a_network_without_a_value_is_left_out_of_that_number_only():
    grid = [
        network({"width": 10}, LOW, x=np.nan, y=1.0),
        network({"width": 30}, LOW, 0, x=1.0, y=1.0),
        network({"width": 90}, HIGH, x=2.0, y=2.0),
        network({"width": 270}, 0.02, y=1.5),
    ]
    x, y = score(grid, "x"), score(grid, "y")
    assert (x.pairs, x.left_out, x.learned, x.stuck, x.neither) == (1, 5, 1, 1, 2)
    assert (y.pairs, y.left_out, y.learned, y.stuck, y.neither) == (5, 1, 2, 1, 1)
    empty = score([*grid, network({"width": 1}, HIGH, z=np.nan)], "z")
    assert empty.pairs == empty.learned == empty.stuck == 0
    assert np.isnan([*empty.auc, *empty.kendall, *empty.sign_error]).all()


def test_the_worst_environment_is_the_planted_one_and_its_limits_hold_it():
    random = np.random.default_rng(7)
    grid = []
    for width, depth, seed in itertools.product((10, 30, 90), (1, 2), range(5)):
        risk = 0.01 * (1 + [10, 30, 90].index(width)) + 0.1 * depth
        x = {10: 1.0, 30: 5.0, 90: 4.0}[width] + 10 * depth + 0.7 * random.standard_normal()
        grid.append(network({"width": width, "depth": depth}, risk, seed, x=x))
    rank = score(grid)
    assert rank.worst == "width 30 / 90"
    x = {
        cell: [g.values["x"] for g in grid if tuple(g.settings.values()) == cell]
        for cell in itertools.product((30, 90), (1, 2))
    }
    wrong = [np.mean(np.greater.outer(x[30, depth], x[90, depth])) for depth in (1, 2)]
    assert rank.sign_error.value == pytest.approx(np.mean(wrong), abs=1e-12)
    assert rank.sign_error.low <= rank.sign_error.value <= rank.sign_error.high
    assert 0.5 < rank.sign_error.low
    assert rank.kendall.value > 0.5  # the mean hides what the worst environment shows


def test_environments_with_few_pairs_are_left_aside():
    grid = [network({"width": 9, "depth": 1}, LOW, seed, x=1.0) for seed in range(5)]
    grid += [network({"width": 30, "depth": 1}, HIGH, seed, x=2.0) for seed in range(5)]
    grid += [network({"width": 9, "depth": 2}, HIGH, 0, x=0.0)]
    assert score(grid).worst == "width 9 / 30" and score(grid).sign_error.value == 0
    assert score(grid, least_pairs=5).worst == "depth 1 / 2"
    assert score(grid, least_pairs=5).sign_error.value == 1
    assert np.isnan(score(grid, least_pairs=26).sign_error.value)


def test_a_number_that_reads_the_width_may_have_a_high_auc_but_no_tau_along_other_settings():
    grid = [
        network({"width": width, "depth": depth}, risk, x=float(width))
        for width, depth, risk in ((10, 1, 0.001), (10, 2, 0.003), (90, 1, 0.04), (90, 2, 0.05))
    ]
    rank = score(grid, least_pairs=2)
    assert rank.auc.value == 1
    assert {name: each.value for name, each in rank.by_setting.items()} == {"width": 1, "depth": 0}
    assert rank.kendall.value == 0.5 and rank.worst == "depth 1 / 2"


@pytest.mark.parametrize("absent", ({}, {"noise": None}, {"noise": 0.0}))
def test_noise_that_only_one_task_has_is_part_of_the_task(absent):
    grid = [network({"task": "lms-7", **absent}, LOW, x=1.0)]
    grid += [
        network({"task": "noisy-lms-7", "noise": noise}, noise / 2, x=noise * 100)
        for noise in (0.1, 0.2)
    ]
    rank = score(grid, least_pairs=1)
    assert set(rank.by_setting) == {"task", "noise"}
    assert rank.pairs == 3  # the noiseless task against both, and one noise against the other


def test_tasks_that_share_a_noise_level_are_compared_at_the_same_noise():
    grid = [
        network({"task": "noisy-lms-7", "noise": 0.1}, 0.05, x=1.0),
        network({"task": "noisy-lms-7", "noise": 0.2}, 0.10, x=2.0),
        network({"task": "noisy-ms-5-7", "noise": 0.1}, 0.15, x=3.0),
    ]
    assert score(grid).pairs == 2
    other = grid[2]._replace(settings={"task": "noisy-ms-5-7", "noise": 0.3})
    assert score([*grid[:2], other]).pairs == 3


def test_a_sample_size_that_changes_with_the_task_is_not_part_of_it():
    grid = [
        network({"task": "lms-7", "n_train": 10000}, LOW, x=1.0),
        network({"task": "noisy-lms-7", "n_train": 40000}, HIGH, x=2.0),
    ]
    assert score(grid).pairs == 0


def test_without_learned_or_stuck_networks_there_is_no_auc_but_a_tau():
    for risks in ((0.01, 0.04), (0.001, 0.02)):
        grid = [network({"width": i}, risk, x=risk) for i, risk in enumerate(risks)]
        rank = score(grid)
        assert np.isnan(rank.auc).all() and rank.kendall.value == 1
        assert rank.learned + rank.stuck == 1 == rank.neither


def test_learned_and_stuck_are_decided_by_the_limits_of_the_risk():
    grid = [network({"width": i}, 0.005, half=half, x=0.0) for i, half in enumerate((0, 0.001))]
    grid += [network({"width": 9 + i}, 0.03, half=half, x=1.0) for i, half in enumerate((0, 0.001))]
    rank = score(grid)
    assert (rank.learned, rank.stuck, rank.neither) == (1, 1, 2)
    wider = score(grid, learned_risk=0.006, stuck_risk=(0.0289, 1.0))
    assert (wider.learned, wider.stuck, wider.neither) == (2, 2, 0)


def test_a_risk_whose_limit_is_the_threshold_itself_is_learned_or_stuck():
    grid = [network({"width": i}, risk, half=0.125, x=risk) for i, risk in enumerate((0.25, 0.75))]
    rank = score(grid, learned_risk=0.375, stuck_risk=(0.625, 0.875))
    assert (rank.learned, rank.stuck, rank.neither) == (1, 1, 0)


def test_an_auc_rests_on_as_many_pairs_as_learned_times_stuck_networks():
    grid = [network({"width": 1}, LOW, seed, x=2.0 * seed) for seed in range(3)]
    grid += [network({"width": 2}, HIGH, seed, x=2.0 * seed + 1) for seed in range(2)]
    assert np.isfinite(score(grid, least_pairs=6).auc).all()
    assert np.isnan(score(grid, least_pairs=7).auc.low)


def test_a_tau_below_0_stands_before_none():
    grid = [
        network({"width": i}, risk, none=np.nan, down=-risk, up=risk)
        for i, risk in enumerate((LOW, 0.01))
    ]
    lines = discrimination_table(discriminate(grid, kinds(grid), least_pairs=1)).lines
    assert [line[0] for line in lines] == ["up", "down", "none"]


def test_a_network_at_chance_is_not_a_stuck_one():
    grid = [network({"width": i}, risk, x=risk) for i, risk in enumerate((LOW, HIGH, 0.5))]
    rank = score(grid)
    assert (rank.learned, rank.stuck, rank.neither) == (1, 1, 1)


def test_one_network_a_cell_leaves_values_without_limits():
    rank = score([network({"width": i}, r, x=r) for i, r in enumerate((LOW, HIGH))], least_pairs=1)
    assert (rank.auc.low, rank.auc.high) == (0, 1)
    for interval in (rank.kendall, rank.sign_error):
        assert np.isfinite(interval.value) and np.isnan([interval.low, interval.high]).all()


def test_the_same_seed_gives_the_same_intervals_whatever_the_other_numbers_are():
    grid = random_grid(np.random.default_rng(8), names=("x", "y"))
    alone = [each._replace(values={"x": each.values["x"]}) for each in grid]
    # sums over several numbers at once may round otherwise
    assert score(grid).auc == pytest.approx(score(alone).auc, abs=1e-12)
    assert score(grid, seed=1).auc != score(grid).auc
    assert score(grid, confidence=0.5).auc.high < score(grid).auc.high


def test_the_table_has_the_best_auc_first_and_its_caption_counts():
    grid = [
        network({"width": width}, risk, seed, vc=1.0, pac=risk, none=np.nan, spectral=-risk)
        for width, risk in ((10, LOW), (30, HIGH), (90, 0.02))
        for seed in range(2)
    ]
    names = {"vc": "bound", "none": "bound", "pac": "certificate", "spectral": "measure"}
    scores = discriminate(grid, names, least_pairs=4)
    head, lines, words, _ = discrimination_table(scores)
    assert [line[0] for line in lines] == ["pac", "vc", "spectral", "none"]
    assert dict(zip(head, lines[0], strict=True)) == {
        "name": "pac",
        "kind": "certificate",
        "AUC": "1.00 [0.04, 1.00]",
        "Kendall tau": "1.00",
        "worst sign error": "0.00",
        "environment": "width 10 / 30",
    }
    assert lines[3] == ["none", "bound", "", "", "", ""]
    assert (
        "2 stuck, 2 learned, 2 left out" in words and "12 pairs" in words and "0 left out" in words
    )
    assert words.endswith("rests on fewer") and "\n" not in words
    assert not discrimination_table(scores[:1]).caption.endswith("rests on fewer")
    assert "approximate 95% intervals" in words and "too few: rests on fewer than 4 pairs" in words
    with pytest.raises(ValueError, match="^scores: got "):
        discrimination_table([])


def test_a_score_of_one_comparison_is_too_few_whatever_its_value():
    grid = [network({"width": i}, risk, x=risk) for i, risk in enumerate((LOW, HIGH))]
    ((_, _, *texts),) = discrimination_table(discriminate(grid, kinds(grid))).lines
    assert texts == ["too few", "too few", "too few", ""]
    rank = score(grid)
    assert (rank.kendall.value, rank.pairs) == (1, 1) and np.isnan(rank.kendall.low)
    assert rank.shown("kendall") is rank.shown("auc") is rank.shown("sign_error") is None
    assert rank.shown("auc") is None and score(grid, least_pairs=1).shown("auc").value == 1


def test_resamples_that_never_differ_give_no_limits_however_few_or_many_networks_there_are():
    # two networks of each cell: all pairs are in the right order, and so is every resample's
    grid = [
        network({"width": i}, r, seed, x=r) for i, r in enumerate((LOW, HIGH)) for seed in (0, 1)
    ]
    rank = score(grid, least_pairs=4)
    for interval in (rank.kendall, rank.sign_error, rank.by_setting["width"]):
        assert np.isfinite(interval.value) and np.isnan([interval.low, interval.high]).all()
    assert rank.auc.low < 0.05  # two independent comparisons say next to nothing


def test_a_setting_with_few_pairs_has_no_limits_beside_one_with_many():
    random = np.random.default_rng(3)
    grid = random_grid(random)
    grid += [network({"dim": 5, "width": 10, "n_train": 1000, "depth": 2}, HIGH, 0, x=0.3)]
    grid = [each._replace(settings={"depth": 1} | dict(each.settings)) for each in grid]
    by_setting = score(grid, least_pairs=20).by_setting
    assert np.isnan(by_setting["depth"].low) and by_setting["width"].low < by_setting["width"].high


def test_bad_input_is_refused_in_one_line():
    first, two = (network({"width": i}, risk, x=1.0) for i, risk in enumerate((LOW, HIGH)))
    bad = {
        "networks: got '1 of 1 cells', allowed: at least two": [first],
        "networks: got \"seed 0 of {'width': 0} twice\"": [first, two, first],
        "networks: got 'risk 0.5 in": [first, two._replace(risk=0.5)],
        "networks: got 'risk nan in": [first, two._replace(risk=np.nan)],
        "networks: got 'setting slabs = ": [first, two._replace(settings={"slabs": [5, 7]})],
        "kinds: got 'none for y'": [first, two._replace(values={"y": 1.0})],
    }
    for message, networks in bad.items():
        with pytest.raises(ValueError) as error:
            discriminate(networks, measures("x"))
        assert str(error.value).startswith(message) and "\n" not in str(error.value)
    for options in (
        {"resamples": 0},
        {"confidence": 1.0},
        {"seed": -1},
        {"learned_risk": 0.03},
        {"stuck_risk": (0.03, 2.0)},
        {"least_pairs": 0},
    ):
        with pytest.raises(ValueError, match=f"^{next(iter(options))}: got"):
            discriminate([first, two], measures("x"), **options)
    with pytest.raises(ValueError, match="^kind: unknown name 'theorem'"):
        discriminate([first, two], {"x": "theorem"})
    with pytest.raises(ValueError, match="^kinds: got {}"):
        discriminate([first._replace(values={}), two._replace(values={})], {})
