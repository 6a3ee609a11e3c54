"""Exact ground truth: cut curves, Bayes rules and risks, explicit networks."""

from itertools import combinations, pairwise

import block_tasks
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbias import MLP, tasks
from simbias.tasks import blocks, oracle
from simbias.tasks.block_task import BlockTask

SLAB_TASKS = tuple(name for name in block_tasks.NAMES if name != "lsn")
ARCHITECTURES = [(width, depth) for depth in (1, 2) for width in (100, 200, 300)]
CURVES = {
    3: [0.5, 0.75, 1],
    5: [0.5, 0.6875, 0.875, 0.9375, 1],
    7: [0.5, 0.625, 0.75, 0.84375, 0.9375, 0.96875, 1],
}


def made_of(*laws, simple=(0,)):
    return BlockTask("by-hand", {}, laws, simple)


@pytest.mark.parametrize("k", CURVES)
@pytest.mark.parametrize("proportion", (0.05, 0.5, 0.7, 0.95))
def test_best_accuracy_with_c_cuts_is_the_published_table_at_every_margin(k, proportion):
    curve = oracle.cut_curve(blocks.slab(k, margin=proportion / (k - 1)))
    np.testing.assert_allclose(curve, CURVES[k], atol=1e-12)


def enumerated_curve(block):
    """The same by trying every set of part edges as cuts, with both labels first."""
    task = made_of(block)
    edges = sorted({end for part in oracle.parts_of(block) for end in part[:2]})
    if any(part.low == part.high for part in oracle.parts_of(block)):
        edges = [edge + shift for edge in edges for shift in (-1e-3, 1e-3)]
    best = []
    for count in range(len(edges)):
        best.append(
            max(
                1 - oracle.rule_risk(task, oracle.Rule(0, cuts, first))
                for cuts in combinations(edges, count)
                for first in (0, 1)
            )
        )
        if count and best[-1] <= best[-2] + 1e-12 and best[-1] > 1 - oracle.bayes_risk(task) - 1e-9:
            return best[:-1]
    return best


@pytest.mark.parametrize(
    "block",
    [
        blocks.slab(3),
        blocks.slab(5, margin=0.2),
        blocks.slab(3, noise=0.3),
        blocks.slab(5, noise=0.2),
        blocks.linear(noise=0.1),
        blocks.atoms("coin", {0: 3 / 4, 1: 1 / 4}, {0: 1 / 4, 1: 1 / 4, 2: 1 / 2}),
    ],
    ids=("3", "5", "noisy-3", "noisy-5", "noisy-linear", "atoms"),
)
def test_cut_curve_equals_brute_force_over_all_cuts(block):
    np.testing.assert_allclose(oracle.cut_curve(block), enumerated_curve(block), atol=1e-12)


def test_cut_curve_of_a_noisy_linear_coordinate_ends_at_one_minus_half_the_noise():
    np.testing.assert_allclose(oracle.cut_curve(blocks.linear(noise=0.1)), [0.5, 0.95])


def test_coordinates_without_information_need_no_cut():
    np.testing.assert_allclose(oracle.cut_curve(blocks.normal()), [0.5])
    np.testing.assert_allclose(oracle.cut_curve(blocks.linear(noise=1.0)), [0.5])


@pytest.mark.parametrize("name", SLAB_TASKS)
def test_parts_partition_the_support_and_keep_all_mass(name):
    for block in tasks.get(name, dim=2).blocks:
        parts = oracle.parts_of(block)
        assert sum(part.negative for part in parts) == pytest.approx(1)
        assert sum(part.positive for part in parts) == pytest.approx(1)
        assert all(left.high <= right.low + 1e-12 for left, right in pairwise(parts))


def test_parts_of_overlapping_laws_split_at_every_end():
    law = blocks.Pair((blocks.Piece(0, 2, 1.0),), (blocks.Piece(1, 3, 1.0),))
    parts = oracle.parts_of(blocks.Block("steps", 0.0, law))
    assert parts == [(0, 1, 0.5, 0), (1, 2, 0.5, 0.5), (2, 3, 0, 0.5)]


@pytest.mark.parametrize("name", SLAB_TASKS)
def test_achievable_rule_has_risk_zero_and_one_cut_less_than_slabs(name):
    task = tasks.get(name)
    rule = oracle.achievable_rule(task)
    assert oracle.achievable_risk(task) == 0
    assert oracle.rule_risk(task, rule) == 0
    assert len(rule.cuts) == int(name[-1]) - 1
    assert rule.coordinate == 49


@pytest.mark.parametrize(
    "name, noise, risk",
    [
        ("lms-5", 0.0, 0),
        ("lms-7", 0.2, 0.1),
        ("noisy-lms-5", 0.1, 0.05),
        ("noisy-lms-7", 0.1, 0.05),
        ("noisy-lms-7", 1.0, 0.5),
        ("ms-5-7", 0.0, 0),
        ("noisy-ms-5-7", 0.1, 0.05),
        ("noisy-ms-5-7", 0.4, 0.2),
        ("lsn", 0.0, 0),
        ("lsn", 0.3, 0.15),
    ],
)
def test_simple_rule_errs_on_half_the_noise(name, noise, risk):
    task = tasks.get(name, noise=noise)
    assert oracle.simple_risk(task) == pytest.approx(risk, abs=1e-12)
    assert oracle.bayes_risk(task, task.simple_set) == pytest.approx(risk, abs=1e-12)
    rule = oracle.simple_rule(task)
    assert rule.coordinate == 0
    assert len(rule.cuts) == (0 if noise == 1 else 4 if name.endswith("5-7") else 1)


@pytest.mark.parametrize("name", ("ms-5", "ms-7"))
def test_a_task_without_simple_set_has_no_simple_rule(name):
    assert oracle.simple_rule(tasks.get(name)) is None
    assert oracle.simple_risk(tasks.get(name)) is None


def test_cut_of_the_noisy_linear_rule_is_in_the_middle_of_the_noise():
    rule = oracle.simple_rule(tasks.get("noisy-lms-7"))
    assert rule.cuts == pytest.approx((0,), abs=1e-12)
    assert rule.first == 0


@pytest.mark.parametrize("k", CURVES)
@pytest.mark.parametrize("noise", (0.0, 0.1))
def test_cuts_of_the_slab_rule_are_in_the_middle_of_the_gaps(k, noise):
    block = blocks.slab(k, margin=0.05, noise=noise)
    rule = oracle.bayes_rule(made_of(block), 0)
    width = 2 * (1 - (k - 1) * 0.05) / k
    middles = [(i - (k - 2) / 2) * (width + 0.1) for i in range(k - 1)]
    assert rule.cuts == pytest.approx(middles)
    assert rule.first == (k // 2) % 2


def test_bayes_risk_of_two_noisy_coordinates_is_half_the_product():
    # an error needs both uninformative: (.2)(.1)/2
    task = made_of(blocks.linear(noise=0.2), blocks.slab(5, noise=0.1), simple=(0, 1))
    assert oracle.bayes_risk(task) == pytest.approx(0.01)
    assert oracle.bayes_risk(task, (0,)) == pytest.approx(0.1)
    assert oracle.bayes_risk(task, (1,)) == pytest.approx(0.05)
    assert oracle.bayes_risk(task, ()) == 0.5


def test_bayes_risk_of_agreeing_votes_is_that_of_the_majority():
    # three signs, each wrong with probability 1/4: majority errs with 1/64 + 3 (3/64) = 10/64
    sign = blocks.atoms("sign", {-1: 3 / 4, 1: 1 / 4}, {-1: 1 / 4, 1: 3 / 4})
    task = made_of(sign, sign, sign)
    assert oracle.bayes_risk(task, (0,)) == pytest.approx(1 / 4)
    assert oracle.bayes_risk(task, (0, 2)) == pytest.approx(1 / 4)
    assert oracle.bayes_risk(task) == pytest.approx(10 / 64)


def test_bayes_risk_of_overlapping_uniforms_is_half_their_overlap():
    law = blocks.Pair((blocks.Piece(0, 2, 1.0),), (blocks.Piece(1, 3, 1.0),))
    assert oracle.bayes_risk(made_of(blocks.Block("steps", 0.0, law))) == pytest.approx(1 / 4)


@settings(max_examples=50)
@given(
    st.floats(0.01, 0.16),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.lists(st.floats(-1, 1), max_size=4, unique=True).map(sorted),
    st.sampled_from([0, 1]),
)
def test_no_rule_on_a_coordinate_beats_its_bayes_risk(margin, noise, cuts, first):
    task = made_of(blocks.slab(7, margin=margin, noise=noise))
    risk = oracle.rule_risk(task, oracle.Rule(0, tuple(cuts), first))
    assert risk >= oracle.bayes_risk(task) - 1e-12
    curve = oracle.cut_curve(task.blocks[0])
    assert 1 - risk <= curve[len(cuts)] + 1e-12
    flipped = oracle.rule_risk(task, oracle.Rule(0, tuple(cuts), 1 - first))
    assert risk + flipped == pytest.approx(1)


def test_risk_of_a_cut_inside_a_slab_by_hand():
    # cut at .5 on linear(.1): a positive below it is wrong, (.5 - .1)/.9 of them
    task = made_of(blocks.linear(margin=0.1))
    assert oracle.rule_risk(task, oracle.Rule(0, (0.5,), 0)) == pytest.approx(0.5 * 0.4 / 0.9)
    assert oracle.rule_risk(made_of(blocks.normal()), oracle.Rule(0, (0.5,), 0)) == 0.5


@pytest.mark.parametrize("name", block_tasks.ALL)
@pytest.mark.thorough
def test_exact_risk_of_every_rule_is_met_on_fresh_draws(name, draws):
    x, y = draws(name)
    task = tasks.get(name)
    for rule in (
        oracle.achievable_rule(task),
        oracle.simple_rule(task),
        oracle.Rule(0, (0.3,), 1),
        oracle.Rule(1, (-0.4, 0.2), 0),
    ):
        if rule is not None:
            exact = oracle.rule_risk(task, rule)
            error = np.mean(rule(x) != y)
            assert abs(error - exact) <= 5 * np.sqrt(exact * (1 - exact) / len(y))


def test_compiled_rules_say_what_the_exact_rules_say(draws):
    from simbias.tasks.rules import exceptional, follow, rule_table

    for name in ("noisy-lms-7", "noisy-ms-5-7", "lsn"):
        x, y = draws(name)
        x, y = x.astype(np.float32), y.astype(np.int32)
        for make in (oracle.simple_rule, oracle.achievable_rule):
            rule = make(tasks.get(name))
            np.testing.assert_array_equal(follow(rule_table(rule), x), rule(x))
            np.testing.assert_array_equal(exceptional(rule_table(rule), x, y), rule(x) != y)
    assert not np.any(exceptional(rule_table(None), x, y))


@pytest.mark.parametrize("width, depth", ARCHITECTURES)
@pytest.mark.parametrize("name", SLAB_TASKS)
def test_explicit_network_labels_fresh_draws_perfectly(name, width, depth, draws, forward):
    x, y = (part[:2000] for part in draws(name))
    task = tasks.get(name)
    turn = np.asarray(task.rotation(jax.random.key(1)), float)
    layers = oracle.explicit_network(oracle.achievable_rule(task), turn, width=width, depth=depth)
    assert [layer.weight.shape for layer in layers] == list(pairwise([50, *[width] * depth, 2]))
    logits = forward(MLP(width, depth).from_layers(layers), x @ turn)
    np.testing.assert_array_equal(logits[:, 1] > logits[:, 0], y == 1)


@pytest.mark.parametrize("depth", (1, 2, 3))
@pytest.mark.parametrize(
    "cuts, first", [((0.25,), 0), ((-0.5, 0.1, 0.3), 1), ((-0.6, -0.3, 0.0, 0.3), 0)]
)
def test_explicit_logits_vanish_exactly_at_the_cuts(cuts, first, depth, forward):
    layers = oracle.explicit_network(oracle.Rule(1, cuts, first), np.eye(3), width=8, depth=depth)
    params = {"layers": {i: {"kernel": w, "bias": b} for i, (w, b) in enumerate(layers)}}

    def margin(value):
        x = np.zeros((len(value), 3))
        x[:, 1] = value
        logits = forward(params, x)
        return logits[:, 1] - logits[:, 0]

    np.testing.assert_allclose(margin(np.array(cuts)), 0, atol=1e-12)
    grid = np.linspace(-1, 1, 401) + 1e-3
    labels = oracle.Rule(0, cuts, first)(grid[:, None])
    np.testing.assert_array_equal(margin(grid) > 0, labels == 1)
    # slope +-1: the logit difference is the distance to the nearest cut, near that cut
    near = margin(np.array(cuts) + 0.01)
    np.testing.assert_allclose(np.abs(near), 0.01, atol=1e-12)


@pytest.mark.parametrize("first", (0, 1))
def test_explicit_network_of_a_constant_rule_is_constant(first, forward):
    layers = oracle.explicit_network(oracle.Rule(0, (), first), np.eye(2), width=1, depth=1)
    logits = forward(MLP(1, 1).from_layers(layers), np.random.default_rng(0).normal(size=(50, 2)))
    assert np.all((logits[:, 1] > logits[:, 0]) == (first == 1))


@pytest.mark.parametrize("depth", (1, 2))
@pytest.mark.parametrize("slabs", (3, 5, 7))
def test_a_hidden_unit_a_cut_is_enough_and_one_less_is_refused(slabs, depth, forward):
    task = tasks.get("lms-7", dim=3, slabs=slabs)
    rule, turn, cuts = oracle.achievable_rule(task), np.eye(3), slabs - 1
    layers = oracle.explicit_network(rule, turn, width=cuts, depth=depth)
    x = np.linspace(-3, 3, 4001)[:, None] * np.ones(3)  # beyond the support too
    logits = forward(MLP(cuts, depth).from_layers(layers), x)
    np.testing.assert_array_equal(logits[:, 1] > logits[:, 0], rule(x) == 1)
    words = rf"^width: got {cuts - 1}, allowed: an integer >= {cuts} for a rule of {cuts} cuts$"
    with pytest.raises(ValueError, match=words):
        oracle.explicit_network(rule, turn, width=cuts - 1, depth=depth)


def test_explicit_network_needs_a_hidden_layer():
    with pytest.raises(ValueError, match=r"^depth: got 0, allowed: an integer >= 1$"):
        oracle.explicit_network(oracle.Rule(0, (0.0,), 0), np.eye(2), width=7, depth=0)


@pytest.mark.parametrize("index", (-1, 50))
def test_bayes_risk_refuses_a_coordinate_that_does_not_exist(index):
    with pytest.raises(ValueError, match=r"^coordinates: got .*integers in \[0, 50\)$"):
        oracle.bayes_risk(tasks.get("ms-7"), (index,))


def test_a_coordinate_short_of_the_bayes_risk_has_no_achievable_rule():
    task = tasks.get("noisy-lms-7")
    with pytest.raises(ValueError, match=r"^coordinate: got 0, allowed: .*Bayes risk"):
        oracle.achievable_rule(task, 0)
    assert oracle.achievable_rule(task, 3).coordinate == 3


def test_two_noisy_coordinates_have_no_one_coordinate_achievable_rule():
    sign = blocks.atoms("sign", {-1: 3 / 4, 1: 1 / 4}, {-1: 1 / 4, 1: 3 / 4})
    task = made_of(sign, sign, sign, simple=(0, 1, 2))
    with pytest.raises(ValueError, match=r"^coordinate: "):
        oracle.achievable_rule(task)
    with pytest.raises(ValueError, match=r"^simple_set: "):
        oracle.simple_rule(task)


@pytest.mark.parametrize("name", block_tasks.ALL)
def test_parts_of_a_coordinate_begin_and_end_where_its_pieces_do(name):
    for block in set(tasks.get(name).blocks):
        pieces = [piece for law in block.laws for piece in law]
        ends = {round(float(end), 9) for piece in pieces for end in (piece.low, piece.high)}
        parts = oracle.parts_of(block)
        assert {round(float(end), 9) for part in parts for end in (part.low, part.high)} <= ends
        for k, law in enumerate(block.laws):
            assert sum(part[2 + k] for part in parts) == pytest.approx(sum(p.mass for p in law))
