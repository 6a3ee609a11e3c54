"""Noise on training labels: its law, what is drawn, and that the risk stays that of clean ones."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_methods import NAMES, batch_of, started, traced, usual

import simbias
from simbias import losses
from simbias._pinned import lenient
from simbias._types import AnyArray
from simbias.experiments import cell_of
from simbias.tasks import LabelNoise
from simbias.tasks.label_noise import label_uniforms, relabelled
from simbias.training import Cell, fit, jobs
from simbias.training.problem import problem_of, training_set
from simbias.validation.flips import possible_flips

TASK = simbias.tasks.get("noisy-lms-5", dim=4)  # as the examples have it
CELL = Cell(TASK, simbias.MLP(8), simbias.sgd(), n_train=1000, stop=simbias.Stop(max_updates=200))
MATRIX = [[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]]


def noisy(n_train=1000, **settings):
    return replace(CELL, n_train=n_train, batch=100, label_noise=LabelNoise(**settings))


def points_of(cell, seed=0):
    return jax.device_get(training_set(cell, problem_of(cell, seed)))


@pytest.fixture(scope="module")
def clean():
    return points_of(CELL)


def test_uniform_noise_leaves_the_clean_label_ahead_by_one_over_one_plus_alpha():
    law = LabelNoise(alpha=20).law(10)
    assert np.diagonal(law) == pytest.approx(3 / 21) and law[0, 1] == pytest.approx(2 / 21)
    for alpha in (0, 1, 20, 100):
        assert LabelNoise(alpha=alpha).margin(10) == pytest.approx(1 / (1 + alpha))


@pytest.mark.parametrize("target", ["next", "reverse", [1, 2, 3, 0]])
def test_concentrated_noise_leaves_it_ahead_by_one_less_alpha_times_the_concentration(target):
    noise = LabelNoise(alpha=4, concentration=0.5, target=target)
    assert noise.law(4).sum(axis=1) == pytest.approx(1)
    assert noise.margin(4) == pytest.approx(-1 / 5)
    assert noise.law(4)[0].argmax() == (3 if target == "reverse" else 1)


def test_a_matrix_by_hand_is_the_law_of_every_label_or_of_noisy_ones():
    assert LabelNoise(matrix=MATRIX).law(3) == pytest.approx(np.array(MATRIX))
    assert LabelNoise(alpha=1, matrix=MATRIX).law(3)[0] == pytest.approx([0.75, 0.15, 0.1])


@pytest.mark.parametrize("settings", [{"matrix": MATRIX}, {"alpha": 3, "matrix": MATRIX}])
def test_labels_are_drawn_by_the_law(settings):
    noise, rows = LabelNoise(**settings, form="fresh"), 30_000
    y = np.arange(rows) % 3
    law = jax.tree.map(jnp.asarray, noise.arrays(3).labels)
    labels = relabelled(law, jnp.asarray(y), label_uniforms(jax.random.key(1), rows))
    for label in range(3):
        drawn = np.bincount(np.asarray(labels)[y == label], minlength=3) / (rows / 3)
        expected = noise.law(3)[label]
        error = np.sqrt(expected * (1 - expected) / (rows / 3))
        assert (np.abs(drawn - expected) <= 4 * error).all()


@pytest.mark.thorough
def test_fresh_labels_are_the_same_however_many_updates_of_them_are_drawn_ahead(monkeypatch):
    stop = simbias.Stop(max_updates=60, check_every=20)
    cells = [replace(noisy(alpha=alpha, form="fresh"), stop=stop) for alpha in (3, 1)]
    (ahead, other), (singly, _) = (trained_with(monkeypatch, cells, most) for most in (2**18, 0))
    assert all(map(np.array_equal, ahead, singly)) and not all(map(np.array_equal, ahead, other))


def trained_with(monkeypatch, cells, most_ahead):
    """The weights of a network a cell, where so many labels' uniforms are drawn ahead at most."""
    monkeypatch.setattr(fit, "_MOST_AHEAD", most_ahead)
    jobs._compiled.cache_clear()
    trained = jobs.train_jobs([jobs.Job(cell, 0) for cell in cells])
    return [jax.tree.leaves(snapshot.state.params) for snapshot in trained.values()]


def test_a_cell_without_noise_is_what_it_was_and_one_at_alpha_0_has_its_labels(clean):
    assert "label_noise" not in CELL.settings and "label_noise" not in CELL.identity
    for form in ("fixed", "realised"):
        points = points_of(noisy(alpha=0, form=form))
        assert (points.y == clean.y).all() and (points.x == clean.x).all()


def test_settings_at_their_default_are_no_part_of_an_identity():
    cell = noisy(alpha=2, concentration=0.0, form="fixed")
    assert cell.settings["label_noise"] == {"alpha": 2.0}
    assert cell_of(cell.settings) == cell
    by_hand = noisy(matrix=[[1, 0], [0.1, 0.9]], form="soft")
    assert cell_of(by_hand.settings) == by_hand


def test_copies_share_the_inputs_of_the_clean_set_and_the_first_label_is_clean(clean):
    points = points_of(noisy(alpha=4, inputs="shared"))
    assert (points.x == np.repeat(clean.x[:200], 5, axis=0)).all()
    assert (points.clean == np.repeat(clean.y[:200], 5)).all()
    assert (points.y[::5] == clean.y[:200]).all()
    changed = (points.y != points.clean).reshape(200, 5)[:, 1:].mean()
    assert changed == pytest.approx(1 / 2, abs=4 * 0.5 / np.sqrt(800))


def test_labels_with_inputs_of_their_own_are_changed_at_the_rate_of_the_law(clean):
    points = points_of(noisy(alpha=4))
    assert (points.x == clean.x).all() and (points.clean == clean.y).all()
    changed = (points.y != points.clean).mean()
    assert changed == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 1000))


def test_a_larger_noisy_set_begins_with_the_smaller():
    small, large = (points_of(noisy(n, alpha=4, inputs="shared")) for n in (998, 1000))
    assert (small.y == large.y[:998]).all() and (small.x == large.x[:998]).all()


def test_more_noise_changes_the_labels_that_less_noise_does():
    little, much = (points_of(noisy(alpha=alpha)) for alpha in (1, 4))
    changed = little.y != little.clean
    assert changed.any() and ((much.y != much.clean) | ~changed).all()


def gradient(cell: Cell, params: AnyArray) -> AnyArray:
    """The gradient of the mean loss of the whole training set."""
    points = training_set(cell, problem_of(cell, 0))
    label = points.y if points.soft is None else points.soft

    def loss(params):
        return losses.cross_entropy().points(cell.network.apply(params, points.x), label).mean()

    return jax.tree.leaves(jax.jit(jax.grad(loss))(params))


@pytest.mark.thorough
def test_a_full_batch_of_copies_has_the_gradient_of_their_realised_frequencies():
    params = CELL.network.init(jax.random.key(0), (4,), 2)
    copies = gradient(noisy(1000, alpha=4, inputs="shared"), params)
    realised = gradient(noisy(200, alpha=4, form="realised"), params)
    expected = gradient(noisy(200, alpha=4, form="soft"), params)
    for one_each, frequencies in zip(copies, realised, strict=True):
        assert frequencies == pytest.approx(one_each, abs=1e-6)
    assert any(np.abs(f - e).max() > 1e-3 for f, e in zip(realised, expected, strict=True))


def test_of_labels_that_share_an_input_only_equal_ones_can_be_answered_together():
    clean = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    y = np.array([0, 1, 1, 2, 1, 0, 2, 1])
    assert possible_flips(y, clean, copies=4) == 2 + 1
    assert possible_flips(y, clean, copies=1) == 5


@pytest.mark.thorough
def test_the_achievable_rule_answers_no_flip_and_errs_nowhere():
    cell = noisy(alpha=1)
    report = simbias.validate(
        simbias.validation.control(cell, "achievable", seeds=2), n_certify=2000
    )
    assert (report.risk.value == 0).all()
    assert (report.exceptions.fitted.value == 1).all()  # by the task's own labels
    assert (report.flips.fitted.value == 0).all() and (report.flips.fresh.value == 0).all()
    flips = [(points.y != points.clean).sum() for points in map(partial(points_of, cell), (0, 1))]
    assert report.flips.counts.tolist() == flips
    assert report.train_accuracy == pytest.approx(1 - np.array(flips) / 1000)


def test_bounds_from_the_training_set_do_not_apply_to_noisy_labels_those_held_out_do():
    stack = simbias.validation.control(noisy(alpha=1), "achievable")
    names = ["clopper-pearson", "occam"]
    held_out, occam = simbias.bounds.evaluate(stack, bounds=names, n_certify=2000)
    assert held_out.record.applicable and held_out.record.value < 0.02
    assert not occam.record.applicable


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.thorough
def test_every_method_takes_soft_labels(name):
    method = usual(name)
    params, state = started(method)
    with lenient():
        batch = batch_of(method, jnp.int32(0))
    soft = replace(batch, y=jnp.full((len(batch.y), 2), 0.5))
    hyper = {**method.settings, **traced(method)}
    with lenient():
        updated = jax.eval_shape(lambda p, s: method.step(hyper, p, s, soft), params, state)
        if method.second is not None:
            jax.eval_shape(lambda p, s: method.second.enter(hyper, p, s, soft), *updated)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": -1}, "alpha: got -1, allowed: a number in"),
        ({}, "alpha: got None"),
        ({"alpha": 1, "concentration": 1.5}, "concentration: got 1.5, allowed: a number in"),
        ({"alpha": 1, "target": "nearest"}, "target: unknown name 'nearest'"),
        ({"matrix": [[0.5, 0.6], [0, 1]]}, "whose rows add up to 1"),
        ({"matrix": [[1.5, -0.5], [0, 1]]}, "matrix of probabilities"),
        ({"matrix": [[1, 0]]}, "square matrix"),
        ({"matrix": "q"}, "square matrix"),
        ({"alpha": 1, "form": "hard"}, "form: unknown name 'hard'"),
        ({"alpha": 1.5, "inputs": "shared"}, "alpha: got 1.5, allowed: a whole number"),
        ({"alpha": 1, "form": "soft", "inputs": "shared"}, "shared in a fixed set only"),
        ({"matrix": [[1, 0], [0, 1]], "concentration": 0.5}, "none beside concentration"),
    ],
)
def test_bad_noise_is_refused_in_one_line(settings, words):
    with pytest.raises(ValueError, match=f"^label_noise: .*{words}") as error:
        LabelNoise(**settings)
    assert "\n" not in str(error.value)


def test_noise_of_other_classes_than_the_task_s_and_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="matrix: got '3 rows', allowed: 2 rows"):
        noisy(matrix=MATRIX)
    with pytest.raises(ValueError, match="target: got .* a class for each of 2 classes"):
        noisy(alpha=1, concentration=0.5, target=[1, 2])
    with pytest.raises(ValueError, match="label_noise: key: unknown name 'alfa', nearest: alpha"):
        cell_of(CELL.settings | {"label_noise": {"alfa": 1}})


def test_more_noisy_labels_than_memory_holds_are_refused_with_an_estimate():
    cell = noisy(1_000_000, alpha=1_000_000, form="realised")
    with pytest.raises(ValueError, match=r"^label_noise: .*this needs 2e\+04 GB"):
        jobs.check_memory(cell, 1)


@pytest.mark.thorough
def test_a_data_set_has_the_noise_that_networks_of_its_seed_meet_and_estimators_are_fitted_to_it():
    cell = noisy(alpha=1)
    drawn = points_of(cell)
    data = simbias.data(cell.task, cell.n_train, seed=0, label_noise=cell.label_noise)
    assert np.array_equal(data.y, drawn.y) and np.array_equal(data.x, drawn.x)
    memory = simbias.estimator("nearest-neighbours", n_neighbors=1)
    settings = {"n_train": cell.n_train, "label_noise": cell.label_noise}
    fitted = simbias.train(cell.task, memory, **settings)
    flips = simbias.validate(fitted, n_certify=500).flips
    assert flips.counts[0] == (drawn.y != drawn.clean).sum() > 0 and flips.fitted.value[0] == 1
    assert fitted.cell.settings["label_noise"] == {"alpha": 1.0}
    with pytest.raises(ValueError, match="^label_noise: form: got 'soft', allowed: fixed"):
        simbias.train(cell.task, memory, n_train=10, label_noise=LabelNoise(alpha=1, form="soft"))


def test_given_points_of_a_class_without_a_point_are_refused():
    x = np.zeros((4, 2), "float32")
    with pytest.raises(ValueError, match="^y: got 'no point of label 1, labels up to 2', allowed"):
        simbias.tasks.ArrayTask("gap", x, np.array([0, 2, 2, 0]))


def test_a_task_of_given_points_has_as_many_labels_as_copies_of_them():
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    task = simbias.tasks.ArrayTask("few", x, np.arange(50) % 2)
    noise = LabelNoise(alpha=4, inputs="shared")
    assert Cell(task, CELL.network, CELL.method, 150, 10, label_noise=noise).n_train == 150
    with pytest.raises(ValueError, match="n_train: got 151, .* at most 150, .* 5 labels each"):
        Cell(task, CELL.network, CELL.method, 151, 10, label_noise=noise)


@pytest.mark.slow
def test_the_three_limits_of_an_infinite_batch_disagree():
    task = simbias.tasks.get("ms-5", dim=4)
    settings = {"n_train": 400, "batch": 400, "seeds": 2}
    method, stop = simbias.methods.adam(learning_rate=0.01), simbias.Stop(max_updates=3000)
    risks = {}
    for form in ("realised", "fresh", "soft"):
        noise = LabelNoise(alpha=9, form=form)
        stack = simbias.train(
            task, simbias.MLP(200), method, stop=stop, label_noise=noise, **settings
        )
        risks[form] = simbias.validate(stack, n_certify=10_000).risk.value.mean()
    assert risks["realised"] > risks["fresh"] + 0.05 and risks["soft"] <= risks["fresh"] + 0.02


def test_the_label_of_a_soft_one_is_the_likeliest():
    soft = replace(batch_of(usual("reinforce"), jnp.int32(0)), y=jnp.eye(2)[jnp.array([1, 0])])
    assert soft.label.tolist() == [1, 0] and soft.soft(2).tolist() == [[0, 1], [1, 0]]
