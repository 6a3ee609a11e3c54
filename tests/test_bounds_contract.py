"""What every registered bound, certificate and measure owes, whatever its formula.

Longer than 400 lines because all registered bounds are held to one contract on shared examples, and
their values by hand stand beside it.
"""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from simbias.bounds import (
    BOUNDS,
    HeldOut,
    Masked,
    Observed,
    Replacements,
    Steps,
    marginal,
    posterior,
    records,
    violated,
)
from simbias.bounds.bound import has_held_out
from simbias.stats import orthant
from simbias.tasks.blocks import atoms, linear, normal, slab
from simbias.tasks.oracle import Layer

NAMES = tuple(BOUNDS.entries())
CLAIMS = tuple(name for name in NAMES if BOUNDS.factory(name).kind != "measure")
DEPTHS = (1, 2)
BLOCKS = (linear(), slab(7), slab(5))
OF_A_POSTERIOR = ("a stochastic network", "a drawn network")
STOCHASTIC = [n for n in NAMES if BOUNDS.factory(n).certifies in OF_A_POSTERIOR]
SEARCHED = ("sharpness", *STOCHASTIC)  # not by hand: what they search for is tested on its own
APPROXIMATE = ("marginal-likelihood",)  # so is what another approximates


def at_each_depth(names):
    """Bounds and depths; what they search for is compiled for each depth: one now, one in slow."""
    return [
        pytest.param(name, depth, marks=[pytest.mark.slow] * (name in SEARCHED and depth > 1))
        for name in names
        for depth in DEPTHS
    ]


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    """Posteriors that are far from the best are still certified; an orthant is asked for once."""
    known = {}

    def log_orthant(covariance):
        key = covariance.tobytes()
        known[key] = known.get(key) or orthant.log_orthant(covariance)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marginal, "log_orthant", log_orthant)
        patch.setattr(posterior, "STEPS", 2500)
        patch.setattr(posterior, "PRIOR_STEPS", 100)
        patch.setattr(posterior, "PAIRS", 20_000)
        yield


def layers_like(random, sizes):
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    # multiples of 1/64: rescaling by powers of two leaves them in half precision
    return tuple(
        Layer(
            np.round(64 * random.normal(size=(a, b))) / 64,
            np.round(16 * random.normal(size=b)) / 64,
        )
        for a, b in pairs
    )


@cache
def example(depth):
    """A random network on points that it labels, but for one in fifty."""
    random = np.random.default_rng(depth)
    sizes = (3, *[6] * depth, 2)
    x = random.uniform(-1, 1, (400, 3))
    observed = Observed(
        layers=layers_like(random, sizes),
        x=x,
        y=np.zeros(400, int),
        initial=layers_like(random, sizes),
        held_out=HeldOut(20, 400),
        blocks=BLOCKS,
        rotation=np.eye(3),
        steps=Steps(0.1, 0.9, 1000),
        masked=Masked(*(random.integers(0, 2, size) for size in ((8, 400, 2), (8, 400), (400, 2)))),
        replacements=Replacements(
            *(random.integers(0, 2, 10).astype(bool) for _ in range(2)), *random.random((3, 10))
        ),
        coin_errors=random.random(4),
    )
    y = (observed.margins < 0).astype(int)  # margins are those of label 0
    y[::50] = 1 - y[::50]
    return replace(observed, y=y)


@cache
def enlarged(observed, times):
    held = HeldOut(*(times * part for part in observed.held_out))
    x, y = np.tile(observed.x, (times, 1)), np.tile(observed.y, times)
    return replace(observed, x=x, y=y, held_out=held)


@cache
def reordered(depth):
    order = np.random.default_rng(9).permutation(6)
    observed = example(depth)
    layers, initial = permuted(observed.layers, order), permuted(observed.initial, order)
    return replace(observed, layers=layers, initial=initial)


def permuted(layers, order):
    changed = list(layers)
    for i in range(len(changed) - 1):
        changed[i] = Layer(changed[i].weight[:, order], changed[i].bias[order])
        changed[i + 1] = Layer(changed[i + 1].weight[order], changed[i + 1].bias)
    return tuple(changed)


@cache
def scaled(depth, scales):
    """The same function: incoming weights times each unit's scale, outgoing ones divided."""
    observed = example(depth)
    layers, initial = rescaled(observed.layers, scales), rescaled(observed.initial, scales)
    return replace(observed, layers=layers, initial=initial)


def rescaled(layers, scales):
    changed = list(layers)
    for i in range(len(changed) - 1):
        changed[i] = Layer(changed[i].weight * scales, changed[i].bias * scales)
        changed[i + 1] = Layer(
            changed[i + 1].weight / np.array(scales)[:, None], changed[i + 1].bias
        )
    return tuple(changed)


def same(name, first, other):
    relative = 1e-3 if name == "sharpness" else 1e-9
    assert first.applicable == other.applicable
    if first.applicable:
        assert first.value == pytest.approx(other.value, rel=relative)
        assert first.log10 == pytest.approx(other.log10, abs=relative)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.thorough
def test_records_say_what_is_certified_and_what_the_value_is_made_of(name):
    bound = BOUNDS.factory(name)
    record = bound(example(1), delta=0.1)
    assert (record.bound, record.delta) == (name, 0.1)
    assert bound.summary.endswith(".") and len(bound.summary) <= 100
    assert (record.kind == "measure") == (record.constants == "") == (record.certifies == "nothing")
    assert record.applicable == (record.reason == "") == (name != "stability")
    if record.applicable:
        assert math.isfinite(record.value)
        if record.value > 0:
            assert record.log10 == pytest.approx(math.log10(record.value))
        assert all(math.isfinite(term) for term in record.terms.values())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"stability", *STOCHASTIC}))
@pytest.mark.thorough
def test_held_out_points_are_read_by_those_that_say_so_and_certificates_read_no_others(name):
    observed, bound = example(1), BOUNDS.factory(name)
    value = bound(observed).value
    held = bound(replace(observed, held_out=HeldOut(380, 400))).value
    assert (held != value) == (has_held_out in bound.assumptions)
    if bound.family == "held-out":
        other = np.random.default_rng(3).uniform(-1, 1, observed.x.shape)
        assert bound(replace(observed, x=other, y=1 - observed.y)).value == value


PARTS = (  # terms that add up to the value
    ("held-out error", "deviation"),
    ("training error", "deviation"),
    ("margin loss", "complexity", "confidence"),
    ("margin loss", "complexity"),
)


@pytest.mark.parametrize("name", [name for name in CLAIMS if name != "stability"])
@pytest.mark.thorough
def test_terms_add_up_to_the_value(name):
    record = BOUNDS.factory(name)(example(1 if name in SEARCHED else 2))
    parts = next(parts for parts in PARTS if set(parts) <= set(record.terms))
    assert sum(record.terms[part] for part in parts) == pytest.approx(record.value)


@pytest.mark.parametrize(("name", "depth"), at_each_depth(CLAIMS))
@pytest.mark.thorough
def test_more_points_with_the_same_statistics_never_loosen_a_bound(name, depth):
    bound, observed = BOUNDS.factory(name), example(depth)
    values = [bound(enlarged(observed, times)).value for times in (1, 2, 8)]
    if values[0] is not None:
        assert values[0] >= values[1] >= values[2]
        capped = name.startswith("vc") and depth == 2 and values[0] == values[1]
        assert values[0] > values[2] or capped


@pytest.mark.parametrize(("name", "depth"), at_each_depth(CLAIMS))
def test_more_confidence_never_tightens_a_bound(name, depth):
    bound, observed = BOUNDS.factory(name), example(depth)
    values = [bound(observed, delta=delta).value for delta in (0.5, 0.05, 1e-6)]
    if values[0] is not None:
        assert values[0] < values[1] < values[2]


@pytest.mark.parametrize(("name", "depth"), at_each_depth(CLAIMS))
def test_bounds_are_not_below_the_error_they_start_from(name, depth):
    record = BOUNDS.factory(name)(example(depth))
    if record.applicable:
        starts = {"held-out error", "training error", "margin loss"} & set(record.terms)
        assert starts and all(record.value >= record.terms[start] for start in starts)
        if record.certifies == "this network" and record.kind == "bound":
            assert record.terms["training error"] == example(depth).train_error == 0.02


@pytest.mark.parametrize(("name", "depth"), at_each_depth(NAMES))
@pytest.mark.thorough
def test_the_order_of_hidden_units_does_not_matter(name, depth):
    bound, observed = BOUNDS.factory(name), example(depth)
    assert "permutation" in bound.invariant
    other = reordered(depth)
    np.testing.assert_allclose(other.margins, observed.margins)
    same(name, bound(observed), bound(other))


@pytest.mark.parametrize(("name", "depth"), at_each_depth(NAMES))
@pytest.mark.thorough
def test_relu_rescaling_leaves_what_is_declared_invariant(name, depth):
    bound, observed = BOUNDS.factory(name), example(depth)
    if name in ("frobenius-product", "spectral-product", "inverse-margin"):  # biases: elsewhere
        assert bound.invariant == ("permutation", "layer-rescaling")
    same_scale, each = (4.0,) * 6, (0.25, 0.5, 1.0, 1.0, 2.0, 4.0)
    for scales, what in ((same_scale, "layer-rescaling"), (each, "unit-rescaling")):
        other = scaled(depth, scales)
        np.testing.assert_allclose(other.margins, observed.margins)
        first, second = bound(observed), bound(other)
        if what in bound.invariant:
            same(name, first, second)
        elif name in STOCHASTIC:  # whose values are 1 where the divergence is large
            before, other = (record.terms["divergence"] for record in (first, second))
            assert before != pytest.approx(other, rel=1e-6)
        elif name not in ("occam", "compression"):  # which look at bits
            assert first.value != pytest.approx(second.value, rel=1e-6)


BROKEN = {
    "independent": dict(independent=False),
    "activation": dict(activation="tanh"),
    "held out": dict(held_out=None),
    "one held out": dict(held_out=HeldOut(0, 1)),
    "initialisation": dict(initial=None),
    "laws": dict(blocks=None),
    "unbounded laws": dict(blocks=(normal(),) * 3),
    "no symmetry": dict(blocks=tuple(atoms("two", {0: 1}, {end: 1}) for end in (1, 2, 3))),
    "larger than the laws allow": dict(x=3 * np.ones((400, 3))),
    "wrong labels": dict(y=1 - example(1).y),
    "one point": dict(x=example(1).x[:1], y=example(1).y[:1]),
    "bits": dict(bits=16, layers=tuple(Layer(a + 1e-6, b + 1e5) for a, b in example(1).layers)),
    "unknown training": dict(steps=None),
    "masks": dict(masked=None),
    "replacements": dict(replacements=None),
    "coin flips": dict(coin_errors=None),
}

NEEDS = {  # what each assumption's absence does, as the theorems say
    "hoeffding": {"held out"},
    "empirical-bernstein": {"held out", "one held out"},
    "chernoff-kl": {"held out"},
    "clopper-pearson": {"held out"},
    "beta-binomial": {"held out"},
    "occam": {"independent", "bits"},
    "vc-additive": {"independent", "activation"},
    "vc-relative": {"independent", "activation"},
    "golowich-frobenius": {"independent", "activation", "wrong labels"},
    "golowich-path": {"independent", "activation", "wrong labels"},
    "bartlett-foster-telgarsky": {
        "independent",
        "activation",
        "wrong labels",
        "initialisation",
        "one point",
    },
    "neyshabur-spectral": {
        "independent",
        "activation",
        "wrong labels",
        "laws",
        "unbounded laws",
        "larger than the laws allow",
        "one point",
    },
    "compression": {"independent", "bits"},
    **dict.fromkeys(STOCHASTIC, {"independent", "initialisation"}),
    "pac-bayes-data-prior": {"independent", "initialisation", "one point"},
    "stability": set(BROKEN),
    "uniform-convergence": {"independent", "laws", "no symmetry", "held out"},
    "replace-one": {"independent", "replacements"},
    "rademacher-floor": {"independent", "coin flips"},
    "marginal-likelihood": {"independent", "activation", "larger than the laws allow"},
    "f-cmi": {"independent", "masks"},
    "distance-from-initialisation": {"initialisation"},
    "inverse-margin": {"wrong labels"},
}


@cache
def broken(what):
    return replace(example(1), **BROKEN[what])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sharpness"])
@pytest.mark.thorough
def test_unmet_assumptions_give_a_reason_with_numbers_and_no_value(name, monkeypatch):
    monkeypatch.setattr(posterior, "STEPS", 10)  # whatever it comes to
    bound = BOUNDS.factory(name)
    needs = NEEDS.get(name, set())
    if not BOUNDS.owns(name):  # what it asks for is its own to say
        needs = {
            what
            for what in BROKEN
            if not all(assumption(broken(what)).holds for assumption in bound.assumptions)
        }
    assert bool(bound.assumptions) == bool(needs)
    for what in BROKEN:
        record = bound(broken(what))
        unmet = [assumption for assumption in record.assumptions if not assumption.holds]
        assert record.applicable == (not unmet)
        if what in needs:
            assert record.value is None and record.log10 is None and not record.terms, what
            assert all(f"{text}: {detail}" in record.reason for text, _, detail in unmet) and unmet
            assert violated(record, 1.0) is None


def test_networks_without_biases_have_layer_rescaling_in_products_of_norms():
    plain = tuple(Layer(weight, 0 * bias) for weight, bias in example(2).layers)
    observed = replace(example(2), layers=plain)
    scaled = [
        Layer(layer.weight * c, layer.bias) for layer, c in zip(plain, (8, 0.5, 0.25), strict=True)
    ]
    other = replace(observed, layers=tuple(scaled))
    for name in ("frobenius-product", "spectral-product", "path-norm"):
        same(name, *(BOUNDS.factory(name)(before) for before in (observed, other)))


# a network by hand: f(x) = relu(x + 1) - relu(-x + 1) + 1 on x = 1 (label 1) and x = -1 (label 0)

N, DELTA = 100, 0.05
STEP = math.log(1.1)
PROPORTIONS = math.pi**2 / 3 - 1


def hand():
    x = np.array([[1.0], [-1.0]] * (N // 2))
    return Observed(
        layers=(
            Layer(np.array([[1.0, -1.0]]), np.array([1.0, 1.0])),
            Layer(np.array([[0.0, 1.0], [0.0, -1.0]]), np.array([0.0, 1.0])),
        ),
        initial=(Layer(np.zeros((1, 2)), np.ones(2)), Layer(np.zeros((2, 2)), np.zeros(2))),
        x=x,
        y=(x[:, 0] > 0).astype(int),
        held_out=HeldOut(0, N),
        blocks=(slab(3),),
        masked=Masked(  # of the first pair the point trained on is called 1, of the second neither
            predictions=np.array([[[1, 0], [0, 0]], [[0, 1], [0, 0]]]),
            mask=np.array([[0, 0], [1, 1]]),
            y=np.array([[0, 1], [0, 1]]),
        ),
        replacements=Replacements(
            errs=np.array([0, 0, 1, 0]),
            other_errs=np.array([1, 0, 1, 0]),
            loss=np.zeros(4),
            other_loss=np.array([1.0, 0.5, 0.0, 0.5]),
            relabelled=np.array([0.0, 0.01, 0.0, 0.03]),
        ),
        coin_errors=np.array([0.25, 0.35]),
    )


def least(product, loss, cost):
    """The least loss + cost over the grid, at margins up to 3, the median (margins are 3 and 1)."""
    values = []
    for k in range(-200, 200):
        margin = product * 1.1**-k
        if margin <= 3:
            values.append(loss(margin) + cost(k, math.log(PROPORTIONS) + 2 * math.log(abs(k) + 1)))
    return min(values)


def ramp(margin):
    return max(0, 1 - 1 / margin) / 2


def rademacher_cost(rademacher):
    return lambda k, nats: (
        2 * rademacher * 1.1**k + 3 * math.sqrt((math.log(2 / DELTA) + nats) / (2 * N))
    )


def up(value):
    return math.ceil(math.log(value) / STEP)


def by_bartlett():
    # matrices [[1, 1], [-1, 1], [0, 1]] and [1, -1, 1]; both have spectral norm sqrt 3
    s = up(math.sqrt(3))
    b1, b2 = up(2), up(math.sqrt(3))  # rows (1, 0), (-1, 0) moved; (1, -1, 1) moved
    nats = sum(math.log(PROPORTIONS) + 2 * math.log(k + 1) for k in (s, s, b1, b2))
    c = sum((math.sqrt(2) * 1.1 ** (s + b)) ** (2 / 3) for b in (b1, b2)) ** 1.5  # |X|_F^2 = 2n
    rest = 12 * math.log(N) / math.sqrt(N) * math.sqrt(2 * math.log(2 * 6)) * c

    def cost(k, own):
        sure = 3 * math.sqrt((math.log(2 / DELTA) + nats + own) / (2 * N))
        return 2 * (4 / N + rest * 1.1**k) + sure

    return least(1, ramp, cost)


def by_neyshabur():
    radius, ranks = math.sqrt(2) * (1 + 1e-5), 5 / 3 + 1  # |W_1|_F^2 = 5, |W_2|_F^2 = 3

    def cost(k, nats):
        beta = 1.1 ** (k / 2)
        s = 1 / (2 * math.sqrt(2) * math.e * 2 * radius * beta * math.sqrt(3 * math.log(24)))
        kl = beta**2 * ranks / (2 * s**2)
        return 4 * math.sqrt((kl + math.log(6 * N / DELTA) + nats) / (N - 1))

    product = 3 * (1 + 1e-9) ** 2  # spectral norms are rounded up, here just off the grid
    return least(product, lambda margin: 0.5 * (margin >= 1) + 0.5 * (margin >= 3), cost)


def growth():
    m = 2 * N
    first = math.log(2) + 4 * math.log(2 * math.e * m * 2 * 1 / 4)
    second = math.log(2) + 7 * math.log(2 * math.e * m * 1 * 2 / 7)
    return (first + second + math.log(4 / DELTA)) / N


def by_code(bits):
    return 1 - math.exp(-(bits * math.log(2) + math.log(1 / DELTA)) / N)


# 10 numbers of 32 bits; depth 1 in 3 bits, width 2 in 3 bits
OCCAM_BITS = 10 * 32 + 3 + 3
# one bit a weight is exact: 4!/(1! 3!) = 4 sequences, 3 sequences; 4 centroids; counts in
# ceil(log2 5) and ceil(log2 4) bits; the search; the architecture
CODE_BITS = (2 + 2) + 4 * 16 + (2 * 3 + 2 * 2) + 4 + 6

HAND = {
    "hoeffding": lambda: math.sqrt(math.log(20) / (2 * N)),
    "empirical-bernstein": lambda: 7 * math.log(40) / (3 * (N - 1)),
    "chernoff-kl": lambda: 1 - 0.05 ** (1 / N),
    "clopper-pearson": lambda: 1 - 0.05 ** (1 / N),
    "beta-binomial": lambda: (
        1 - (0.05 * math.prod((i + 0.5) / (i + 1) for i in range(N))) ** (1 / N)
    ),
    "occam": lambda: by_code(OCCAM_BITS),
    "vc-additive": lambda: math.sqrt(8 * growth()),
    "vc-relative": lambda: 4 * growth(),
    "golowich-frobenius": lambda: least(
        math.sqrt(15), ramp, rademacher_cost((math.sqrt(4 * math.log(2)) + 1) * math.sqrt(2 / N))
    ),
    "golowich-path": lambda: least(
        5, ramp, rademacher_cost(math.sqrt(2 * (2 * math.log(2) + math.log(2)) / N))
    ),
    "bartlett-foster-telgarsky": by_bartlett,
    "neyshabur-spectral": by_neyshabur,
    "compression": lambda: by_code(CODE_BITS + 2 * math.log2(CODE_BITS)),
    "stability": lambda: None,
    "uniform-convergence": lambda: 1 - (1 - 0.025 ** (1 / N)),  # flipped points are all wrong
    "f-cmi": lambda: (math.sqrt(2 * math.log(2)) + 0) / 2,
    "replace-one": lambda: 1 / 4,
    "rademacher-floor": lambda: 0.4 + 3 * math.sqrt(math.log(2 / DELTA) / (2 * N)),
    "frobenius-product": lambda: 2.0,
    "spectral-product": lambda: 2.0,
    "path-norm": lambda: 5.0,
    "l1-norm": lambda: 7.0,
    "l2-norm": lambda: math.sqrt(7),
    "distance-from-initialisation": lambda: math.sqrt(5),
    "inverse-margin": lambda: 2.0,  # product 2, inputs of norm 1, margin 1
}


def test_every_bound_of_this_package_has_a_value_by_hand():
    assert set(HAND) == set(filter(BOUNDS.owns, NAMES)) - {*SEARCHED, *APPROXIMATE}


@pytest.mark.parametrize("name", HAND)
def test_values_on_a_network_by_hand(name):
    record = BOUNDS.factory(name)(hand(), delta=DELTA)
    expected = HAND[name]()
    if expected is None:
        assert record.value is None
    else:
        assert record.value == pytest.approx(expected, rel=1e-7)


def test_there_is_a_record_for_every_registered_name():
    assert [record.bound for record in records(example(1))] == list(NAMES)


@pytest.mark.parametrize("value", (0, 1, -0.5, 5, float("nan"), "high"))
@pytest.mark.parametrize("name", NAMES)
def test_a_delta_outside_zero_one_is_refused(name, value):
    with pytest.raises(ValueError, match=r"^delta: got .*allowed: a number in \(0, 1\)$"):
        BOUNDS.factory(name)(hand(), delta=value)


def test_something_else_than_what_is_observed_is_refused():
    with pytest.raises(ValueError, match=r"^observed: got 'net', allowed: an Observed$"):
        BOUNDS.factory("occam")("net")
