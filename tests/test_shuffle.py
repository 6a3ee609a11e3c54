"""The epoch order is a bijection that looks like a uniform random permutation."""

from collections import Counter
from functools import cache
from itertools import permutations
from math import factorial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simbias.training import shuffle
from simbias.training.shuffle import KEY_WORDS, epoch_index

SIZES = (1, 2, 3, 4, 5, 100, 101, 128, 1000, 4000, 40_000)


def some_now(sizes, later):
    """Parameters of a test; each size compiles a program, those that say the same are slow."""
    return [pytest.param(n, marks=[pytest.mark.slow] * (n in later)) for n in sizes]


@cache
def compiled(n):
    def order(words, epoch):
        position = jnp.arange(n, dtype=jnp.uint32)
        return epoch_index(words, jnp.full(n, epoch, jnp.uint32), position, n)

    return jax.jit(order)


def order(n, seed=0, epoch=0):
    words = jax.random.bits(jax.random.key(seed), (KEY_WORDS,))
    return np.asarray(compiled(n)(words, jnp.uint32(epoch)))


@cache
def many(n, count):
    """The order under many keys, (count, n)."""
    words = jax.random.bits(jax.random.key(1), (count, KEY_WORDS))
    return np.asarray(jax.jit(jax.vmap(compiled(n), in_axes=(0, None)))(words, jnp.uint32(0)))


def uniform_p(counts):
    return stats.chisquare(counts).pvalue


@pytest.mark.parametrize("n", some_now(SIZES, later=(4, 5, 128)))
@pytest.mark.thorough
def test_every_point_is_met_once_an_epoch(n):
    for seed in range(3):
        for epoch in (0, 1, 2**31):
            np.testing.assert_array_equal(np.sort(order(n, seed, epoch)), np.arange(n))


@given(
    st.sampled_from((2, 3, 100, 101, 1000)), st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1)
)
@pytest.mark.thorough
def test_orders_are_bijections_for_any_key_and_epoch(n, seed, epoch):
    np.testing.assert_array_equal(np.sort(order(n, seed, epoch)), np.arange(n))


@pytest.mark.parametrize("n", (100, 4000))
def test_epochs_and_keys_have_orders_of_their_own(n):
    first = order(n)
    for other in (order(n, epoch=1), order(n, epoch=6), order(n, seed=1)):
        # a random permutation agrees with another in about one place
        assert np.sum(first == other) < 10


def test_positions_of_two_epochs_may_be_asked_for_at_once():
    n = 100
    words = jax.random.bits(jax.random.key(0), (KEY_WORDS,))
    position = jnp.concatenate([jnp.arange(50, 100), jnp.arange(50)]).astype(jnp.uint32)
    epoch = jnp.repeat(jnp.array([3, 4], jnp.uint32), 50)
    mixed = np.asarray(epoch_index(words, epoch, position, n))
    np.testing.assert_array_equal(mixed[:50], order(n, epoch=3)[50:])
    np.testing.assert_array_equal(mixed[50:], order(n, epoch=4)[:50])


@pytest.mark.parametrize("n", some_now((16, 50, 100), later=(16, 50)))
@pytest.mark.thorough
def test_every_element_lands_everywhere_equally_often(n):
    orders = many(n, 20_000)
    for place in (0, 1, n // 2, n - 2, n - 1):
        assert uniform_p(np.bincount(orders[:, place], minlength=n)) > 1e-5


@pytest.mark.thorough
def test_every_pair_of_elements_lands_everywhere_equally_often():
    n = 100
    orders = many(n, 100_000)
    for first, other in ((0, 1), (0, n - 1), (n // 2, 1), (0, 10)):
        counts = np.bincount(orders[:, first] * n + orders[:, other], minlength=n * n)
        apart = ~np.eye(n, dtype=bool).ravel()
        assert counts[~apart].sum() == 0
        assert uniform_p(counts[apart]) > 1e-5


@pytest.mark.parametrize("n", some_now((2, 3, 4, 5, 7), later=(5, 7)))
def test_the_smallest_sets_are_shuffled_nearly_uniformly(n):
    # six rounds on a handful of elements have too few different keys to be exactly uniform
    orders = many(n, 40_000)
    for place in range(n):
        proportion = np.bincount(orders[:, place], minlength=n) / 40_000 * n
        assert np.all(np.abs(proportion - 1) < 0.1)


def permutation_counts(orders):
    counts = Counter(map(tuple, orders))
    return [counts[each] for each in permutations(range(orders.shape[1]))]


@pytest.mark.parametrize(
    "n, ratio", ((2, 1.1), (3, 1.25), (4, 1.25), pytest.param(5, 2, marks=pytest.mark.slow))
)
def test_every_permutation_of_a_few_elements_is_met(n, ratio):
    counts = permutation_counts(many(n, 40_000))
    expected = 40_000 / factorial(n)
    assert len(counts) == factorial(n)
    assert expected / ratio < min(counts) and max(counts) < expected * ratio


def test_fewer_rounds_would_be_caught(monkeypatch):
    monkeypatch.setattr(shuffle, "_ROUNDS", 2)
    words = jax.random.bits(jax.random.key(1), (40_000, KEY_WORDS))

    def weak(words):
        return epoch_index(words, jnp.zeros(4, jnp.uint32), jnp.arange(4, dtype=jnp.uint32), 4)

    counts = permutation_counts(np.asarray(jax.jit(jax.vmap(weak))(words)))
    assert min(counts) < 0.75 * 40_000 / 24


def statistics(index):
    """Displacement, correlation of neighbours, and neighbours kept, in standard deviations.

    For a uniform permutation of n: |index(p) - p| has mean about n/3 and its average over p a
    standard deviation of about .21 sqrt(n); the correlations are about N(0, 1/n); the number of
    neighbours that stay neighbours is about Poisson(2).
    """
    n = len(index)
    index = index.astype(float)
    place = np.arange(n)
    step = np.diff(index)
    return {
        "displacement": (np.abs(index - place).mean() - n / 3) / (0.21 * np.sqrt(n)),
        "position": np.corrcoef(place, index)[0, 1] * np.sqrt(n),
        **{
            f"lag {lag}": np.corrcoef(index[lag:], index[:-lag])[0, 1] * np.sqrt(n)
            for lag in (1, 2, 256)
        },
        "neighbours": (np.sum(np.abs(step) == 1) - 2) / 2,
        "repeated step": (np.max(np.unique(step, return_counts=True)[1]) - 4) / 2,
    }


@pytest.mark.parametrize("n", (1000, 4000, 40_000))
@pytest.mark.parametrize("seed", (0, 1))
def test_an_order_is_as_mixed_as_a_random_permutation(n, seed):
    for name, deviation in statistics(order(n, seed)).items():
        assert abs(deviation) < 5, name
    control = statistics(np.random.default_rng(seed).permutation(n))
    assert all(abs(deviation) < 5 for deviation in control.values())


@pytest.mark.parametrize("stride", (1, 7, 617))
def test_an_affine_order_would_be_caught(stride):
    measured = statistics(
        (np.arange(4000) * stride + 11) % 4000 if stride != 1 else np.arange(4000)
    )
    assert max(map(abs, measured.values())) > 5


def test_consecutive_epochs_are_uncorrelated():
    n = 4000
    orders = [order(n, epoch=epoch).astype(float) for epoch in range(6)]
    for i, shuffled in enumerate(orders):
        for other in orders[:i]:
            assert abs(np.corrcoef(shuffled, other)[0, 1]) < 5 / np.sqrt(n)


def test_a_million_million_products_do_not_overflow():
    # the largest range: multiply-shift without 64-bit integers, against exact integers
    h = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint32)
    h = np.concatenate([h, np.array([0, 1, 2**32 - 1], np.uint32)])
    for m in (1, 2, 3, 200, 46_341, 2**16 - 1):
        exact = (h.astype(object) * m) >> 32
        np.testing.assert_array_equal(shuffle._below(jnp.asarray(h), m), exact.astype(np.uint32))


def test_indices_stay_in_range_for_the_largest_sets():
    n = 2**31 - 1
    words = jax.random.bits(jax.random.key(0), (KEY_WORDS,))
    position = np.unique(np.random.default_rng(0).integers(0, n, 1000)).astype(np.uint32)
    position = np.append(position, np.uint32(n - 1))
    index = epoch_index(words, jnp.zeros(len(position), jnp.uint32), jnp.asarray(position), n)
    assert np.max(index) < n
    assert len(np.unique(index)) == len(np.unique(position))
    assert stats.kstest(np.asarray(index, float) / n, stats.uniform.cdf).pvalue > 1e-4
