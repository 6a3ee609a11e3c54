"""One function over seeds and devices: each seed is its own, whatever stands beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simbias.parallel import devices_for, over_seeds, spread


def mean_of_draws(own, scale, offset):
    """What a function of one seed may hold: a key, a product, what all seeds share."""
    key, x = own
    draws = jax.random.normal(jax.random.wrap_key_data(key), (16, 3))
    return {"mean": scale * jnp.tanh(draws @ x).mean() + offset["b"], "x": x}


TREES = [
    (np.array([0, seed], np.uint32), np.linspace(seed, 1, 3, dtype=np.float32)) for seed in range(5)
]
SHARED = np.float32(2), {"b": np.float32(0.5)}


@pytest.mark.parametrize("vectorised", [False, True])
def test_a_seed_is_the_same_on_any_device_beside_any_other(vectorised):
    assert len(jax.devices()) == 2
    first = devices_for(1)
    alone = over_seeds(mean_of_draws, first, vectorised=vectorised)
    single = [jax.device_get(alone(spread([tree], first), *SHARED)) for tree in TREES]
    for chosen in ([0, 1, 2, 3, 4], [4, 0, 3]):
        devices = devices_for(len(chosen))
        assert len(devices) == 2
        together = over_seeds(mean_of_draws, devices, vectorised=vectorised)
        mapped = jax.device_get(together(spread([TREES[i] for i in chosen], devices), *SHARED))
        for place, i in enumerate(chosen):
            rounding = 1e-6 if vectorised else 0  # a batched product may sum in another order
            assert mapped["mean"][place] == pytest.approx(single[i]["mean"][0], rel=rounding, abs=0)
            np.testing.assert_array_equal(mapped["x"][place], TREES[i][1])
    key, x = TREES[3]
    draws = np.asarray(jax.random.normal(jax.random.wrap_key_data(key), (16, 3)))
    assert single[3]["mean"][0] == pytest.approx(2 * np.tanh(draws @ x).mean() + 0.5, rel=1e-5)


def test_the_last_tree_fills_the_devices_up():
    devices = devices_for(2)
    trees = [{"a": np.int32(i)} for i in range(3)]
    laid = spread(trees, devices)["a"]
    assert laid.tolist() == [0, 1, 2, 2] and laid.dtype == np.int32
    assert [shard.data.tolist() for shard in laid.addressable_shards] == [[0, 1], [2, 2]]
    assert spread(trees[:2], devices)["a"].tolist() == [0, 1]
    assert spread(trees[:1], devices, rows=4)["a"].tolist() == [0, 0, 0, 0]


def test_there_are_no_more_devices_than_seeds():
    assert devices_for() == devices_for(7) == tuple(jax.devices())
    assert devices_for(1) == tuple(jax.devices()[:1])
