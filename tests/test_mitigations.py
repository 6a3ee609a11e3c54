"""What mitigations promise beyond their updates, which ``test_methods`` follows by hand."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import simbias
from simbias.methods.adversarial import anywhere_within, attacked, within
from simbias.methods.d_bat import disagreement
from simbias.methods.group_dro import group_means, members
from simbias.methods.last_layer import balanced, sparse_logistic
from simbias.methods.reinforce import surrogate
from simbias.methods.useful import harder
from simbias.networks import Module

RANDOM = np.random.default_rng(0)


def policy(parameters):
    """Logits of three labels at two points."""
    return jnp.outer(jnp.array([1.0, -2.0]), parameters[:3]) + parameters[None, 3:]


@pytest.mark.parametrize("baseline", (0.0, 0.7))
def test_the_mean_policy_gradient_is_that_of_the_expected_accuracy(baseline):
    """By enumeration of all that may be drawn at both points."""
    parameters, y = jnp.asarray(RANDOM.normal(size=6), jnp.float32), jnp.array([2, 0])
    chance = np.asarray(jax.nn.softmax(policy(parameters)))
    mean = np.zeros(6)
    step = jax.jit(jax.grad(lambda p, action, reward: surrogate(policy(p), action, reward)))
    for action in product(range(3), repeat=2):
        reward = np.float32(np.array(action) == y) - np.float32(baseline)
        slope = step(parameters, np.array(action, np.int32), reward)
        mean += chance[0, action[0]] * chance[1, action[1]] * np.asarray(slope)

    def accuracy(parameters):
        return jax.nn.softmax(policy(parameters))[jnp.arange(2), y].mean()

    np.testing.assert_allclose(-mean, jax.jit(jax.grad(accuracy))(parameters), atol=1e-6)
    # planted: the gradient of the cross-entropy is another one
    other = step(parameters, y, np.ones(2, np.float32))
    assert np.abs(mean - other).max() > 0.05


@pytest.mark.parametrize("steps", (1, 5))
def test_the_attack_on_a_linear_rule_is_the_step_to_the_end_of_the_ball(steps):
    slope, x = jnp.array([3.0, 4.0]), jnp.asarray(RANDOM.normal(size=(6, 2)), jnp.float32)
    sign = jnp.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    epsilon = jnp.float32(0.3)
    found_x = attacked(
        lambda x: jax.nn.softplus(-sign * (x @ slope)),
        x,
        start=jnp.zeros_like(x),
        epsilon=epsilon,
        step=2.5 * epsilon / steps,
        steps=steps,
    )
    worst = x - epsilon * sign[:, None] * slope[None] / 5
    np.testing.assert_allclose(found_x, worst, atol=1e-5)


def test_points_of_a_ball_are_uniform_in_it_and_those_outside_are_moved_to_its_end():
    key, centre = jax.random.key(0), jnp.zeros((20_000, 2, 3))
    radius = np.sqrt((np.asarray(anywhere_within(centre, jnp.float32(2.0), key)) ** 2).sum((1, 2)))
    # a share r^6 of the ball of six dimensions lies within r of its centre
    assert ((radius / 2) ** 6).mean() == pytest.approx(0.5, abs=0.01)
    assert ((radius / 2) ** 6 < 0.1).mean() == pytest.approx(0.1, abs=0.01)
    moved = within(jnp.array([[3.0, 4.0], [0.3, 0.4]]), jnp.float32(1.0))
    np.testing.assert_allclose(moved, [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)


def test_a_group_that_has_no_number_makes_the_loss_undefined_and_an_absent_one_has_none():
    member = members(jnp.array([0, 3, 3]), 4)
    assert group_means(jnp.array([1.0, 2.0, 4.0]), member).tolist() == [1, 0, 0, 3]
    assert np.isnan(group_means(jnp.ones(3), members(jnp.array([0, 3, 4]), 4))).all()


@pytest.mark.parametrize("classes", (2, 4))
@pytest.mark.thorough
def test_disagreement_is_least_where_the_first_label_is_ruled_out(classes):
    first = jnp.zeros((1, classes)).at[0, 1].set(30.0)
    other, same = jnp.zeros((1, classes)).at[0, 0].set(30.0), first
    assert float(disagreement(first, other)[0]) == pytest.approx(0, abs=1e-5)
    assert float(disagreement(first, same)[0]) > 20
    p, q = 0.8, 0.3  # of two classes, by hand
    scores = [jnp.log(jnp.array([[1 - a, a]])) for a in (p, q)]
    by_hand = -np.log(p * (1 - q) + q * (1 - p))
    for pair in (scores, scores[::-1]):
        assert float(disagreement(*pair)[0]) == pytest.approx(by_hand, rel=1e-5)


def test_refits_see_equally_many_of_each_group_and_all_of_the_smallest():
    member = members(jnp.asarray(RANDOM.choice(4, 200, p=[0.6, 0.3, 0.1, 0.0])), 4)
    counts = np.asarray(member.sum(axis=0))
    draw = jax.jit(balanced)
    drawn = [np.asarray(draw(member, jax.random.key(seed))) for seed in range(3)]
    for rows in drawn:
        np.testing.assert_array_equal(rows @ np.asarray(member), np.where(counts > 0, counts[2], 0))
    assert not np.array_equal(drawn[0], drawn[1])


def test_a_great_penalty_leaves_the_groups_prior_alone():
    values = jnp.asarray(RANDOM.normal(size=(100, 3)), jnp.float32)
    label = jax.nn.one_hot(jnp.int32(jnp.arange(100) < 75), 2)
    fit = jax.jit(sparse_logistic, static_argnums=4)
    head = fit(values, label, jnp.ones(100), jnp.float32(10), 300)
    assert (head.kernel == 0).all()
    assert float(head.bias[1] - head.bias[0]) == pytest.approx(np.log(3), rel=1e-3)


def test_clusters_of_outputs_are_of_one_class_and_the_harder_one_is_meant():
    outputs = jnp.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5]])
    losses = jnp.array([2.0, 1.5, 0.1, 0.2, 9.0])
    chosen = jax.jit(harder)(outputs, losses, jnp.array([True, True, True, True, False]))
    assert chosen.tolist() == [True, True, False, False, False]


def test_a_last_layer_is_refitted_of_networks_with_layers_only():
    class Linear(nnx.Module):
        def __init__(self, shape, classes, rngs):
            self.out = nnx.Linear(*shape, classes, rngs=rngs)

        def __call__(self, x):
            return self.out(x)

    task, method = simbias.tasks.get("noisy-lms-5", dim=4), simbias.methods.last_layer()
    line = "^method: got 'last-layer on another network', allowed: a fully connected network"
    with pytest.raises(ValueError, match=line):
        simbias.train(task, Module("linear", Linear), method, n_train=1000)


@pytest.mark.parametrize(
    ("make", "settings", "line"),
    [
        ("adversarial", {"steps": 0}, r"^steps: got 0, allowed: an integer in \[1, 1000\]$"),
        ("adversarial", {"random_start": 1}, "^random_start: got 1, allowed: a bool$"),
        ("jtt", {"first_updates": 0}, "^first_updates: got 0, allowed: an integer in"),
        ("jtt", {"upweight": 0.5}, "^upweight: got 0.5, allowed: a number in"),
        ("group_dro", {"groups": 0}, "^groups: got 0, allowed: an integer in"),
        ("last_layer", {"held_out": 1.0}, r"^held_out: got 1.0, allowed: a number in \[0, 1\)$"),
        ("last_layer", {"refits": 0}, "^refits: got 0, allowed: an integer in"),
        ("d_bat", {"alpha": -1}, "^alpha: got -1, allowed: a number in"),
        ("pretraining", {"alpha": 2}, r"^alpha: got 2, allowed: a number in \[0, 1\]$"),
        ("reinforce", {"baseline": "mean"}, "^baseline: unknown name 'mean', known: none, run"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(make, settings, line):
    with pytest.raises(ValueError, match=line):
        getattr(simbias.methods, make)(**settings)


# what they are for: four networks, on exceptions and on points whose simple coordinate says nothing


def report_after(updates, method):
    task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=updates)
    stack = simbias.train(task, simbias.MLP(16), method, n_train=2000, seeds=4, stop=stop)
    return simbias.validate(stack, n_certify=4000)


SGD = {"learning_rate": 0.1, "momentum": 0.9}


@pytest.mark.slow
def test_group_dro_with_exact_groups_learns_the_group_that_sgd_leaves_wrong():
    sgd = report_after(300, simbias.sgd(**SGD)).exceptions.fresh.value
    dro = report_after(300, simbias.methods.group_dro(**SGD)).exceptions.fresh.value
    assert sgd.max() < 0.35 and dro.min() > 0.5 and (dro - sgd).min() > 0.4


@pytest.mark.slow
def test_a_network_that_contradicts_another_on_randomised_points_relies_on_other_coordinates():
    sgd = report_after(1000, simbias.sgd(**SGD)).reliance.s_accuracy.value
    d_bat = simbias.methods.d_bat(**SGD, first_updates=500, alpha=1.0)
    assert sgd.max() < 0.6 and report_after(1000, d_bat).reliance.s_accuracy.value.min() > 0.85


@pytest.mark.slow
def test_what_was_learned_of_the_slabs_stays_in_proportion_to_what_is_kept_of_it():
    """Half of the pretrained parameters leaves less than all of them: C.7 of Shah et al."""
    half, whole = (
        report_after(1000, simbias.methods.pretraining(**SGD, first_updates=500, alpha=alpha))
        for alpha in (0.5, 1.0)
    )
    gains = whole.reliance.s_accuracy.value - half.reliance.s_accuracy.value
    assert gains.min() > 0 and (whole.exceptions.fresh.value > 0.98).all()
