"""Stochastic networks: what is drawn, counted and paid for, and bounds broken on purpose."""

import math
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from simbias._keys import seed_key
from simbias._pinned import settings as pinned_settings
from simbias.bounds import BOUNDS, Observed, pac_bayes, posterior, records, violated
from simbias.bounds.certificates import kl, kl_inverse
from simbias.bounds.disintegrated import drawn_once
from simbias.bounds.draws import integers, normal
from simbias.bounds.posterior import PRIORS, posteriors
from simbias.models.classifier import labels
from simbias.tasks.oracle import Layer

DELTA = 0.05


PAC_BAYES = [n for n in BOUNDS.entries() if n.startswith("pac-bayes")]
STOCHASTIC = [n for n in PAC_BAYES if n != "pac-bayes-disintegrated"]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(posterior, "STEPS", 1500)
    monkeypatch.setattr(posterior, "PRIOR_STEPS", 300)
    monkeypatch.setattr(posterior, "PAIRS", 100_000)


def layers(random, sizes, scale=1.0):
    return tuple(
        Layer(scale * random.normal(size=(a, b)), scale * random.normal(size=b))
        for a, b in zip(sizes[:-1], sizes[1:], strict=True)
    )


def learnable(seed=0, n=4000):
    """A network near its start on points that it labels but for one in twenty."""
    random = np.random.default_rng(seed)
    start = layers(random, (3, 6, 2), 0.5)
    end = tuple(
        Layer(*(part + 0.2 * random.normal(size=part.shape) for part in layer)) for layer in start
    )
    x = random.uniform(-1, 1, (n, 3))
    observed = Observed(layers=end, x=x, y=np.zeros(n, int), initial=start)
    y = (observed.margins < 0).astype(int)
    y[::20] = 1 - y[::20]
    return replace(observed, y=y)


@cache
def usual():
    return learnable()


@cache
def interpolating(honest):
    """A linear network fitted to coin flips without error: its risk, and any other's, is 1/2."""
    random = np.random.default_rng(1)
    n, dim = 60, 90
    x, y = random.normal(size=(n, dim)), random.integers(0, 2, n)
    weight = np.linalg.lstsq(x, 2.0 * (2 * y - 1), rcond=None)[0]
    fitted = (Layer(np.column_stack([0 * weight, weight]), np.zeros(2)),)
    start = layers(random, (dim, 2), 0.1) if honest else fitted
    return Observed(layers=fitted, x=x, y=y, initial=start)


def test_normal_draws_are_those_of_jax_bit_for_bit():
    with pinned_settings():
        for seed, shape in [(0, (250, 8)), (2**31, (3,)), (5, ())]:
            key = jax.random.fold_in(seed_key(seed % 7), seed)
            ours = jax.jit(normal, static_argnums=1)(key, shape)
            np.testing.assert_array_equal(ours, jax.random.normal(key, shape))
            assert ours.dtype == np.float32 and ours.shape == shape


def test_integers_are_those_of_jax_bit_for_bit():
    with pinned_settings():
        for seed, shape, first, end in [
            (0, (250,), 0, 10_000),
            (1, (7, 3), -5, 2**31 - 1),
            (2, (9,), -(2**31), 2**31 - 1),
            (3, (), 3, 3),
            (4, (5,), 3, -3),
            (5, (250,), 5000, 5001),
        ]:
            key, ends = jax.random.fold_in(seed_key(seed), seed), (np.int32(first), np.int32(end))
            ours = jax.jit(integers, static_argnums=1)(key, shape, *ends)
            np.testing.assert_array_equal(ours, jax.random.randint(key, shape, *ends))
            assert ours.dtype == np.int32 and ours.shape == shape


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.thorough
def test_errors_are_those_of_weights_drawn_in_full(prior):
    law = posterior.posterior(usual(), prior)
    source = np.random.default_rng(3)
    draws, wrong = 4000, 0
    x, y = usual().x[:draws], usual().y[:draws]
    for i in range(draws):  # a whole network for every point
        h = x[i]
        for j, (mean, width) in enumerate(zip(law.mean, law.deviation, strict=True)):
            drawn = [m + s * source.normal(size=m.shape) for m, s in zip(mean, width, strict=True)]
            h = h @ drawn[0] + drawn[1]
            h = np.maximum(h, 0) if j < len(law.mean) - 1 else h
        wrong += (h[0] > 0) != (y[i] == 1)
    says = labels(law, np.tile(x, (10, 1)), jax.random.key(5))
    counted = np.sum(says != np.tile(y, 10))
    rate = wrong / draws
    assert 0.02 < rate < 0.4
    assert abs(rate - counted / (10 * draws)) < 4 * math.sqrt(rate * (1 - rate) / draws)
    if prior == "initialisation":  # all training points
        assert law.wrong / law.pairs == pytest.approx(counted / (10 * draws), abs=0.006)


@pytest.mark.parametrize("name", STOCHASTIC)
@pytest.mark.thorough
def test_values_follow_from_the_recorded_terms(name):
    (record,) = records(usual(), delta=DELTA, bounds=[name])
    terms, spent = record.terms, 0.1 * DELTA

    def upper(q, c):
        return brentq(lambda p: float(kl(q, p)) - c, q, 1 - 1e-12)

    error = upper(terms["training error"], math.log(2 / spent) / terms["Monte-Carlo pairs"])
    assert terms["training error, upper limit"] == pytest.approx(error)
    n, price = terms["points"], terms["divergence"] + terms["union over prior variances"]
    assert n == (2000 if name == "pac-bayes-data-prior" else 4000)
    c = (price + math.log(2 * math.sqrt(n) / (DELTA - spent))) / n
    expected = {
        "pac-bayes-kl": lambda: upper(error, c),
        "pac-bayes-data-prior": lambda: upper(error, c),
        "pac-bayes-mcallester": lambda: error + math.sqrt(c / 2),
        "pac-bayes-catoni": lambda: record.value,
    }[name]()
    assert record.value == pytest.approx(expected)
    assert terms["training error"] < record.value < 0.5
    if name == "pac-bayes-catoni":
        kl_value = records(usual(), delta=DELTA, bounds=["pac-bayes-kl"])[0].value
        assert kl_value < record.value < kl_value + 0.02


@pytest.mark.thorough
def test_divergence_is_that_of_the_posterior_from_a_prior_on_the_grid():
    law = posterior.posterior(usual(), "initialisation")
    orders = posterior._canonical(usual())
    total = 0.0
    centre = posterior._permuted(posterior.collapsed(usual().initial), orders)
    for mean, width, middle, j in zip(law.mean, law.deviation, centre, law.prior, strict=True):
        variance = 0.1 * math.exp(-j / 100)
        for m, s, c in zip(mean, width, middle, strict=True):
            each = (s**2 + (m - c) ** 2) / variance - 1 - 2 * np.log(s) + math.log(variance)
            total += each.sum() / 2
    assert law.divergence == pytest.approx(total, rel=1e-5)
    assert law.union == pytest.approx(sum(2 * math.log(j) + 0.4977 for j in law.prior), abs=1e-3)


def test_optimising_tightens_the_bound(monkeypatch):
    (after,) = records(usual(), bounds=["pac-bayes-kl"])
    monkeypatch.setattr(posterior, "STEPS", 1)
    (before,) = records(replace(usual()), bounds=["pac-bayes-kl"])
    assert after.value < 0.8 * before.value


@pytest.mark.slow
def test_networks_side_by_side_are_what_they_are_alone():
    several = [replace(usual()), learnable(1), learnable(2)]
    together = posteriors(several, "initialisation")
    for observed, fitted in zip(several, together, strict=True):
        alone = posterior.posterior(replace(observed), "initialisation")
        assert alone.divergence == pytest.approx(fitted.divergence, rel=1e-3)
        assert alone.wrong == pytest.approx(fitted.wrong, rel=0.02)
        assert posterior.posterior(observed, "initialisation") is fitted


def test_a_prior_that_learns_and_the_bound_share_no_points(monkeypatch):
    monkeypatch.setattr(posterior, "STEPS", 0)
    monkeypatch.setattr(posterior, "PRIOR_STEPS", 0)
    right = (usual().margins > 0) == (np.arange(4000) >= 2000)  # wrong exactly on the first half
    observed = replace(usual(), y=np.where(right, usual().y, 1 - usual().y))
    rates = [
        law.wrong / law.pairs for law in (posterior.posterior(observed, prior) for prior in PRIORS)
    ]
    assert rates[0] == pytest.approx(0.5, abs=0.03)
    assert rates[1] < 0.1


@pytest.mark.parametrize("name", ("pac-bayes-kl", "pac-bayes-disintegrated"))
@pytest.mark.thorough
def test_a_prior_that_has_seen_the_sample_is_caught(name):
    (honest,) = records(interpolating(True), bounds=[name])
    (broken,) = records(interpolating(False), bounds=[name])
    assert not violated(honest, 0.49) and honest.value >= 0.5
    assert violated(broken, 0.49)


def test_the_bound_on_a_drawn_network_follows_from_the_densities_of_its_weights():
    (record,) = records(usual(), delta=DELTA, bounds=["pac-bayes-disintegrated"])
    law, copy = posterior.posterior(usual(), "initialisation"), record.classifier
    drawn = copy.network.to_layers(copy.params)
    drawn[-1] = Layer(drawn[-1].weight[:, 1:], drawn[-1].bias[1:])
    ratio = union = 0.0
    parts = zip(drawn, law.mean, law.deviation, law.centre, law.prior, strict=True)
    for layer, mean, deviation, centre, j in parts:
        prior = math.sqrt(0.1 * math.exp(-j / 100))
        union += 2 * math.log(j) + math.log(math.pi**2 / 6)
        for h, m, s, c in zip(layer, mean, deviation, centre, strict=True):
            ratio += (stats.norm.logpdf(h, m, s) - stats.norm.logpdf(h, c, prior)).sum()
    assert record.terms["log density ratio"] == pytest.approx(ratio, rel=1e-3)
    assert record.terms["union over prior variances"] == pytest.approx(union)
    hidden = np.maximum(usual().x @ drawn[0].weight + drawn[0].bias, 0)
    says = (hidden @ drawn[1].weight + drawn[1].bias)[:, 0] > 0
    error = np.mean(says != (usual().y == 1))
    assert record.terms["training error"] == pytest.approx(error, abs=1e-3)
    c = (ratio + union + math.log(2 * math.sqrt(4000) / DELTA)) / 4000
    value = brentq(lambda p: float(kl(error, p)) - c, error, 1 - 1e-12)
    assert record.value == pytest.approx(value, rel=1e-3)
    assert 0.04 < error < record.value < 0.5


def test_a_draw_depends_on_the_initialisation_and_not_on_the_sample():
    law = posterior.posterior(usual(), "initialisation")

    def standard(observed):
        parts = zip(drawn_once(observed, law), law.mean, law.deviation, strict=True)
        return np.concatenate(
            [((h - m) / s).ravel() for layers in parts for h, m, s in zip(*layers, strict=True)]
        )

    normal = standard(usual())
    assert abs(normal.mean()) < 4 / math.sqrt(len(normal)) and 0.5 < normal.std() < 1.5
    np.testing.assert_array_equal(
        standard(replace(usual(), x=2 * usual().x, y=1 - usual().y)), normal
    )
    np.testing.assert_array_equal(standard(replace(usual(), layers=usual().initial)), normal)
    assert np.abs(standard(replace(usual(), initial=usual().layers)) - normal).min() > 1e-6


def test_a_density_below_that_of_the_prior_is_paid_as_none(monkeypatch):
    monkeypatch.setattr(pac_bayes, "gaussian_log_ratio", lambda *_: -1e6)
    (record,) = records(usual(), delta=DELTA, bounds=["pac-bayes-disintegrated"])
    none = math.log(2 * math.sqrt(4000) / DELTA) / 4000
    assert record.value == pytest.approx(float(kl_inverse(record.terms["training error"], none)))


def test_bad_input_is_refused_in_one_line():
    for call, message in (
        (lambda: posterior.posterior(usual(), "flat"), "^prior: unknown name 'flat'"),
        (
            lambda: posterior.posterior(replace(usual(), initial=None), PRIORS[0]),
            "^observed: got 'no initialisation', allowed: one with the initialisation$",
        ),
        (
            lambda: posterior.posterior(
                replace(usual(), x=usual().x[:1], y=usual().y[:1]), PRIORS[1]
            ),
            "^observed: got '1 training point', allowed: at least 2",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
