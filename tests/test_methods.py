"""What every registered method promises, and each one's update against NumPy.

One program a method is compiled: an update of a small network. Training by segments of the engine
is bit for bit the same for one method in every run of the tests, for the others in slow ones.
"""

import json
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import methods_by_hand as by_hand
import mitigations_by_hand
import numpy as np
import pytest
from methods_by_hand import LABELS, NETWORK, PARAMS, POINTS, mean_loss

import simbias
from simbias import MLP, losses, sgd
from simbias._pinned import lenient
from simbias.registry import METHODS
from simbias.training import Cell, Stop
from simbias.training.jobs import Job, train_jobs
from simbias.training.method import USES, Batch

NAMES = tuple(METHODS.names())
OWN = tuple(filter(METHODS.owns, NAMES))
UPDATES = 200
HAND = 7  # updates that are followed by hand
# settings by which both stages of a method are seen here, and one step of an attack
SETTINGS = {"adversarial": {"steps": 1}} | dict.fromkeys(
    ("jtt", "useful", "last-layer", "d-bat", "pretraining"), {"first_updates": 100}
)
# an update's gradient evaluations with these, of all that do not evaluate one
GRADIENTS = {"adversarial": 2, "d-bat": 2, "sam": 2, "asam": 2}
FORWARD = {"d-bat": 1}  # of the network without a gradient

SGD = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.05}  # of those that build on it
REFERENCES = {  # the update by hand, and settings to hold it against
    "sgd": (
        by_hand.sgd,
        [
            {"learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0},
            {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0},
            {"learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.05},
            {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 5e-4},
            {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 0.5},
            {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.05, "nesterov": True},
        ],
    ),
    "adam": (by_hand.adam, [{"learning_rate": 0.01, "b1": 0.8, "b2": 0.95, "eps": 1e-3}]),
    "adamw": (
        by_hand.adam,
        [{"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.5}],
    ),
    "rmsprop": (
        by_hand.rmsprop,
        [{"learning_rate": 0.01, "decay": 0.8, "eps": 1e-3, "momentum": 0.5}],
    ),
    "muon": (
        by_hand.muon,
        [{"learning_rate": 0.1, "beta": 0.8, "weight_decay": 0.1, "adam_learning_rate": 0.01}],
    ),
    "optax": (
        by_hand.lion,
        [{"learning_rate": 0.01, "b1": 0.8, "b2": 0.9, "weight_decay": 0.1}],
    ),
    "sam": (by_hand.sam, [{"rho": 0.2, **SGD}]),
    "asam": (by_hand.asam, [{"rho": 0.5, **SGD}]),
    "spectral-decoupling": (by_hand.spectral_decoupling, [{"penalty": 0.7, **SGD}]),
    "label-smoothing": (by_hand.label_smoothing, [{"smoothing": 0.3, **SGD}]),
    "mixup": (by_hand.mixup, [{"alpha": 0.4, **SGD}]),
    "ema": (by_hand.ema, [{"decay": 0.6, **SGD}]),
    "swa": (by_hand.swa, [{"start": 0.01, "every": 2, **SGD}]),
}
REFERENCES |= mitigations_by_hand.REFERENCES
CASES = [(name, settings) for name in REFERENCES for settings in REFERENCES[name][1]]


def usual(name, **changed):
    """A method of usual settings, but for some."""
    return METHODS.make(name, SETTINGS.get(name, {}) | changed)


class Counted(MLP):
    """A network that counts how often it is applied where a program is traced."""

    applied = 0

    def apply(self, params, x):
        Counted.applied += 1
        return super().apply(params, x)

    def apply_in_training(self, params, x, key):
        return self.apply(params, x)


def batch_of(method, update, rows=None):
    """What the engine would give an update; the whole training set where there are no rows."""
    everything = rows is None
    rows = np.arange(len(LABELS)) if everything else rows
    x, y = jnp.asarray(POINTS, jnp.float32)[rows], jnp.asarray(LABELS, jnp.int32)[rows]
    key = by_hand.key_of(update)
    other = jax.random.normal(key, x.shape)  # its label is the sign of another coordinate
    return Batch(
        x=x,
        y=y,
        rows=jnp.asarray(rows, jnp.int32),
        group=2 * y + jnp.asarray(rows % 3 == 0) if "groups" in method.uses else None,
        key=key,
        update=jnp.asarray(update, jnp.int32),
        budget=jnp.int32(UPDATES) if method.uses_budget else None,
        network=Counted(3, 1),
        objective=losses.cross_entropy(),
        unlabelled=other if "unlabelled" in method.uses else None,
        shifted=(other, jnp.int32(other[:, 1] > 0)) if "shifted" in method.uses else None,
    )


@lru_cache
def compiled(method):
    """The programs of an update of a method, in its first stage and in its second, and between."""
    static = {name: method.settings[name] for name in method.static}

    def update(step, hyper, params, state, number):
        rows = (by_hand.BATCH * number + jnp.arange(by_hand.BATCH)) % len(LABELS)
        with lenient():
            return step({**static, **hyper}, params, state, batch_of(method, number, rows))

    def enter(hyper, params, state, number):
        with lenient():
            whole = batch_of(method, number)
            return method.second.enter({**static, **hyper}, params, state, whole)

    first = jax.jit(partial(update, method.step))
    then = None if method.second is None else jax.jit(partial(update, method.second.step))
    return first, then, jax.jit(enter)


def traced(method):
    return {name: jnp.float32(value) for name, value in method.traced.items()}


def started(method):
    hyper = {**method.settings, **traced(method)}
    with lenient():
        return PARAMS, method.init(hyper, PARAMS, len(LABELS))


def run(method, updates=UPDATES, begun=None, first=0):
    """The parameters and the state after some updates."""
    before, after, enter = compiled(method.compiled_in)
    hyper, second = traced(method), method.second
    params, state = jax.tree.map(jnp.asarray, started(method) if begun is None else begun)
    whole = {**method.settings, **hyper}
    budget = jnp.int32(UPDATES) if method.uses_budget else None
    begins = UPDATES + 1 if second is None else int(second.start(whole, budget))
    for number in range(first, updates):
        if number == begins:
            params, state = enter(hyper, params, state, jnp.int32(number))
        update = before if number < begins else after
        params, state = update(hyper, params, state, jnp.int32(number))
    return params, state


def measured(method, ended):
    """The parameters that are evaluated and kept."""
    params, state = ended
    if method.evaluated is None:
        return jax.device_get(params)
    hyper = {**method.settings, **traced(method)}
    return jax.device_get(method.evaluated(hyper, params, state))


def same(first, second):
    leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


def assert_equal(params, right):
    for leaf, by_numpy in zip(jax.tree.leaves(params), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(leaf, by_numpy, rtol=2e-4, atol=2e-6)


@pytest.fixture(scope="module")
def learned():
    """How a method of default settings ends."""
    return lru_cache(lambda name: run(usual(name)))


# what each promises


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.thorough
def test_a_method_lessens_the_loss_of_separable_points(name, learned):
    method = usual(name)
    assert mean_loss(measured(method, learned(name))) < 0.9 * mean_loss(PARAMS)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_halted_and_kept_as_arrays_goes_on_bit_for_bit(name, learned):
    method = usual(name)
    params, state = jax.device_get(run(method, UPDATES // 3))
    assert all(np.asarray(leaf).dtype.kind in "fiub" for leaf in jax.tree.leaves(state))
    assert same(run(method, begun=(params, state), first=UPDATES // 3), learned(name))


@pytest.mark.parametrize("name", NAMES)
def test_numbers_among_the_settings_are_traced_so_that_one_program_serves_all(name, learned):
    method = usual(name)
    halved = {key: type(value)(value / 2) for key, value in method.traced.items()}
    other = usual(name, **{key: value or method.traced[key] for key, value in halved.items()})
    assert method != other and method.compiled_in == other.compiled_in
    assert not same(measured(other, run(other)), measured(method, learned(name)))
    assert compiled(method.compiled_in)[0]._cache_size() == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_an_update_costs_and_what_it_uses(name):
    method = usual(name)
    cost = method.cost(dict(method.settings))
    assert isinstance(cost, int) and cost >= 1 and method.uses <= set(USES)
    if name in OWN:
        assert cost == GRADIENTS.get(name, 1) == most_applied(method) - FORWARD.get(name, 0)


def most_applied(method):
    """How often the network is applied in an update, of the stage that applies it most."""
    counts = []
    for stage in filter(None, compiled.__wrapped__(method)[:2]):
        Counted.applied = 0
        stage.lower(traced(method), *started(method), jnp.int32(0))
        counts.append(Counted.applied)
    return max(counts)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_plain_data_that_make_the_method_again(name):
    method = usual(name)
    assert method.name == name
    again = METHODS.make(name, json.loads(json.dumps(dict(method.settings))))
    assert again == method and hash(again) == hash(method)


@pytest.mark.parametrize("name", NAMES)
def test_settings_outside_their_range_are_refused_in_one_line(name):
    """Of other packages' methods, what no number may be; of those here, all else too."""
    wrong = (float("nan"), -0.1, *((float("inf"), "fast", None, True) if name in OWN else ()))
    for setting in usual(name).traced:
        for value in wrong:
            with pytest.raises(ValueError, match=rf"^{setting}: got .*allowed: .+$") as raised:
                usual(name, **{setting: value})
            assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", OWN)
def test_a_schedule_is_a_setting_of_each(name):
    method = usual(name, schedule="cosine")
    assert method.uses_budget and method.settings["schedule"] == "cosine"
    with pytest.raises(ValueError, match="^schedule: unknown name 'cosin', nearest: cosine"):
        usual(name, schedule="cosin")


@pytest.mark.parametrize(
    "name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])]
)
@pytest.mark.thorough
def test_training_is_the_same_by_seed_and_by_segments(name):
    """Halted by an error after its first segment, and gone on with from what was kept then."""
    task = simbias.tasks.get("noisy-lms-5", dim=4)  # as in examples: SGD's program is compiled once
    cell = Cell(task, MLP(8), usual(name), n_train=1000, stop=Stop(max_updates=400))
    jobs, kept = [Job(cell, 0), Job(cell, 1)], {}

    def halt(snapshots):
        kept.update(snapshots)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_jobs(jobs, after_segment=halt)
    resumed, at_once = train_jobs(jobs, saved=dict(kept)), train_jobs(jobs)
    for job in jobs:
        assert kept[job].running
        assert same(resumed[job].state, at_once[job].state)
        assert np.array_equal(resumed[job].trace, at_once[job].trace)


# each by hand


@pytest.mark.parametrize("name, settings", CASES)
def test_updates_are_those_that_are_written_down(name, settings):
    method = METHODS.make(name, settings)
    right = REFERENCES[name][0](PARAMS, by_hand.gradient, HAND, **settings)
    assert_equal(measured(method, run(method, HAND)), right)


def test_a_scheduled_update_is_one_of_another_learning_rate():
    method = sgd(learning_rate=0.1, schedule={"name": "step", "every": 3, "factor": 0.5})
    right = by_hand.sgd(
        PARAMS, by_hand.gradient, HAND, learning_rate=0.1, schedule=lambda i: 0.5 ** (i // 3)
    )
    assert_equal(measured(method, run(method, HAND)), right)


def test_every_method_of_this_package_is_written_down():
    assert set(REFERENCES) == set(OWN)


def test_the_gradient_by_hand_is_that_of_the_network():
    loss, gradient = jax.jit(jax.value_and_grad(batch_of(sgd(), 0).loss))(PARAMS)
    right = by_hand.gradient(PARAMS, 0, x=POINTS, targets=np.eye(2)[LABELS])
    assert_equal(gradient, right)
    assert float(loss) == pytest.approx(mean_loss(PARAMS), rel=1e-5)
    assert NETWORK == MLP(3, 1)


def test_two_heavy_ball_steps_by_hand():
    # w0 = 0, one coordinate of curvature 1 and minimum 1: g0 = -1, w1 = .1;
    # g1 = -.9 + .5(.1) = -.85 with decay .5, v = .9(-1) - .85 = -1.75; w2 = .1 + .175
    reached = by_hand.sgd(
        np.zeros(1), lambda w, _: w - 1, 2, learning_rate=0.1, momentum=0.9, weight_decay=0.5
    )
    assert reached[0] == pytest.approx(0.275, rel=1e-9)


# by name


def test_any_transformation_of_optax_is_a_method_by_its_name():
    lamb = METHODS.make("optax", {"transform": "lamb", "weight_decay": 0.01})
    assert lamb.settings["weight_decay"] == 0.01 and lamb.traced == {"learning_rate": 0.001}
    cell = Cell(simbias.tasks.get("lms-5"), MLP(4), lamb, n_train=300)
    assert simbias.training.cell_from_settings(cell.settings) == cell
    assert json.loads(cell.identity)["method"] == {
        "name": "optax", "transform": "lamb", "weight_decay": 0.01
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"transform": "lioness"}, "^transform: unknown name 'lioness', nearest: lion"),
        ({"transform": "lbfgs"}, "^transform: got 'lbfgs', allowed: .*parameters alone.*TypeError"),
        (
            {"transform": "noisy_sgd", "eta": 0.1, "gamma": 0.1, "key": 0},
            "^transform: .*random numbers",
        ),
        ({"transform": "schedule_free_sgd"}, "^transform: unknown name"),
        ({"b3": 0.9}, "^optax.lion: option: unknown name 'b3', nearest: b"),
        ({"mu_dtype": "wide"}, "^transform: got 'lion', allowed: .*its options .*TypeError"),
        ({"transform": 3}, "^transform: unknown name 3"),
    ],
)
def test_a_transformation_that_cannot_be_a_method_is_refused_in_one_line(settings, words):
    with pytest.raises(ValueError, match=words) as raised:
        METHODS.make("optax", settings)
    assert "\n" not in str(raised.value)


def test_unknown_methods_and_settings_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="^method: unknown name 'sdg', nearest: sgd"):
        METHODS.make("sdg", {})
    with pytest.raises(ValueError, match="^method sgd: setting: .*'learningrate', nearest: lea"):
        METHODS.make("sgd", {"learningrate": 0.1})
    with pytest.raises(ValueError, match="^nesterov: got 1, allowed: a bool"):
        sgd(nesterov=1)
