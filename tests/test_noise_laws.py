"""What label noise asks for: sizes needed, powers of 1 + alpha, noise scales, and their figure."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.special import ndtr

import simbias
from simbias import losses
from simbias.plots.run import Absent, Chosen
from simbias.registry import FIGURES
from simbias.results import NoisyCell, gradient_batches, needed, noisy_cells
from simbias.stats.needed import needed_size, power_law
from simbias.tasks import LabelNoise
from simbias.training import Cell
from simbias.training.problem import problem_of, training_set
from simbias.validation import initial_noise_scale, noise_scale

TASK = simbias.tasks.get("noisy-lms-5", dim=4)  # as the examples have it
CELL = Cell(TASK, simbias.MLP(8), simbias.sgd(), n_train=1000, stop=simbias.Stop(max_updates=200))
MIXTURE = simbias.tasks.get("mixture")


def cell_of_noise(n_train, seeds=3, batch=100, accuracy=0.5, **noise):
    cell = Cell(
        MIXTURE, simbias.MLP(8), simbias.sgd(), n_train, batch, label_noise=LabelNoise(**noise)
    )
    right = np.full(seeds, accuracy)
    return NoisyCell(cell, tuple(range(seeds)), right, right)


def cells_by_law(power, size="n_clean", seeds=3, spread=0.02):
    """Cells whose probits are lines in the logarithm of a size, over (1 + alpha) to a power."""
    generator, cells = np.random.default_rng(0), []
    for alpha in (1, 3, 7):
        centre = 200.0 * (1 + alpha) ** power
        for factor in (0.5, 1, 2):
            labels = round(factor * centre)
            probit = 0.5 + 0.4 * np.log(labels / centre)
            right = ndtr(probit + spread * generator.normal(size=seeds))
            if size == "batch":
                noisy = cell_of_noise(200_000, seeds, labels, alpha=alpha, form="fresh")
            else:
                noisy = cell_of_noise(labels * (1 + alpha), seeds, alpha=alpha)
            cells.append(replace(noisy, last=right - 0.1, best=right))
    return cells


def test_a_curve_that_is_a_line_in_probits_crosses_where_it_does():
    sizes = np.array([50.0, 100.0, 200.0, 400.0])
    accuracies = ndtr(np.log(sizes / 120)[:, None] * [0.3, 0.8])
    assert needed_size(sizes, accuracies, 0.5) == pytest.approx([120, 120])
    assert np.isnan(needed_size(sizes, accuracies, 0.99)).all()  # beyond what was tried
    assert np.isnan(needed_size(sizes, accuracies[::-1], 0.5)).all()  # it falls


def test_the_power_of_a_power_law_has_an_interval_over_seeds():
    x, slopes = np.array([2.0, 4.0, 8.0]), np.array([0.9, 1.0, 1.2])
    law = power_law(x, 5 * x[:, None] ** slopes, 0.95)
    value, low, high = law.exponent
    half = 4.302653 * slopes.std(ddof=1) / np.sqrt(3)
    assert (value, low, high) == pytest.approx((31 / 30, 31 / 30 - half, 31 / 30 + half))
    assert law.intercept == pytest.approx(np.log(5)) and law.seeds == 3
    y = 5 * x[:, None] ** slopes
    y[1, 2] = np.nan
    assert power_law(x, y, 0.95).seeds == 2
    assert power_law(x, np.full((3, 2), np.nan), 0.95).seeds == 0


@pytest.mark.parametrize("size", ["n_clean", "batch"])
def test_a_planted_exponent_is_found_within_its_interval(size):
    (law,) = needed(cells_by_law(1.3, size), size, target=0.7)
    assert law.law.seeds == 3
    assert law.law.exponent.low <= 1.3 <= law.law.exponent.high
    assert law.law.exponent.value == pytest.approx(1.3, abs=0.1)
    assert law.sizes[0] == pytest.approx(200 * 2**1.3, rel=0.2)


def test_other_cells_than_those_that_tell_are_left_aside():
    cells = cells_by_law(1.0)
    others = [
        cell_of_noise(500, alpha=1, form="soft"),
        cell_of_noise(500, alpha=1, concentration=0.5),
        cell_of_noise(500, alpha=0),
        cell_of_noise(500, matrix=np.eye(10).tolist()),
    ]
    (law,) = needed([*others, *cells], "n_clean", target=0.7)
    assert law.alphas.tolist() == [1, 3, 7] and needed(cells, "batch") == []
    shared = [
        replace(n, cell=replace(n.cell, label_noise=replace(n.noise, inputs="shared")))
        for n in cells
    ]
    assert len(needed([*cells, *shared], "n_clean", target=0.7)) == 2


def test_a_target_beyond_what_was_tried_is_said_to_be():
    (law,) = needed(cells_by_law(1.0), "n_clean", target=0.999)
    assert "no seed needs a size within those tried" in law.finding


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: needed([], "alpha"), "^size: unknown name 'alpha'"),
        (lambda: needed([], "batch", check="first"), "^check: unknown name 'first'"),
        (lambda: needed([], "batch", target=1.0), "^target: got 1.0, allowed: a number in"),
        (lambda: needed_size(np.ones(1), np.ones((1, 1)), 0.5), "^sizes: got .*at least two"),
        (lambda: power_law(np.ones(2), np.ones((2, 1)), 0.95), "^x: got .*at least two"),
        (lambda: simbias.plots.noise([cell_of_noise(500, alpha=1)]), "^cells: got .*some between"),
    ],
)
def test_what_cannot_tell_is_refused_in_one_line(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


# -- the noise scale ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack():
    stop = simbias.Stop(max_updates=200)
    net, method = simbias.MLP(8), simbias.sgd()
    return simbias.train(TASK, net, method, n_train=1000, seeds=2, stop=stop)


def test_the_noise_scale_is_that_of_all_points_with_all_labels_by_their_probabilities(stack):
    noise = LabelNoise(alpha=3)
    points = training_set(CELL, problem_of(CELL, 0))
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), stack.initial)

    def gradient(x, label):
        def of(p):
            return losses.cross_entropy().points(CELL.network.apply(p, x[None]), label[None])[0]

        return ravel_pytree(jax.grad(of)(params))[0]

    of_labels = jax.jit(jax.vmap(gradient))
    both = np.stack([of_labels(points.x, jnp.full(1000, label)) for label in (0, 1)], axis=1)
    weight = noise.law(2)[np.asarray(points.y)][:, :, None] / 1000
    mean = (weight * both).sum(axis=(0, 1))
    trace = (weight * (both - mean) ** 2).sum()
    assert noise_scale(stack, [noise])[0, 0] == pytest.approx(trace / (mean @ mean), rel=1e-3)


def test_at_equal_logits_the_noise_scale_rises_as_the_square_of_one_plus_alpha(stack):
    flat = replace(stack, initial=jax.tree.map(lambda leaf: leaf.copy(), stack.initial))
    for part in flat.initial["layers"][1].values():
        part[...] = 0
    alphas = np.array([1, 3, 9, 30])
    scales = noise_scale(flat, [LabelNoise(alpha=int(alpha)) for alpha in alphas])[0]
    # tr(S) = E|g|^2 - |G|^2 with E|g|^2 the same, exactly
    assert (1 + scales) / (1 + alphas) ** 2 == pytest.approx((1 + scales[0]) / 4, rel=1e-4)


def test_what_labels_make_of_the_mean_shrinks_exactly_whatever_the_logits(stack):
    alphas = np.array([0, 3, 30])
    noises = [LabelNoise(alpha=int(alpha)) for alpha in alphas]
    whole, labels = (noise_scale(stack, noises, part=part)[0] for part in ("whole", "labels"))
    # both have the noise tr(S); of the whole mean the rest is that of uniform labels
    uniform = noise_scale(stack, [LabelNoise(alpha=1_000_000)])[0, 0]
    signal = labels / labels[0] / (1 + alphas) ** 2  # tr(S) over that of clean labels
    assert signal == pytest.approx(1, abs=0.25) and (whole <= uniform * 1.2).all()
    assert labels[2] > 2 * whole[2]
    with pytest.raises(ValueError, match="^part: unknown name 'half'"):
        noise_scale(stack, part="half")


def test_noise_scales_are_those_of_the_cell_s_own_noise_at_either_moment(stack):
    noisy = replace(stack, cell=replace(CELL, label_noise=LabelNoise(alpha=3, form="fresh")))
    assert noise_scale(noisy) == pytest.approx(noise_scale(stack, [LabelNoise(alpha=3)]))
    assert (noise_scale(stack, moment="final") != noise_scale(stack)).all()
    lost = replace(stack, params=jax.tree.map(lambda leaf: leaf * np.nan, stack.params))
    assert np.isnan(noise_scale(lost)).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"moment": "middle"}, "^moment: unknown name 'middle'"),
        ({"noises": [LabelNoise(matrix=np.eye(3).tolist())]}, "^label_noise: matrix: got '3 rows'"),
        ({"noises": [0.5]}, "^noises"),
    ],
)
def test_bad_noise_and_moments_are_refused(stack, options, words):
    with pytest.raises(ValueError, match=words):
        noise_scale(stack, **options)


def test_initial_parameters_that_are_not_known_have_no_noise_scale(stack):
    with pytest.raises(ValueError, match="^moment: got 'initial', allowed: final"):
        noise_scale(replace(stack, initial=None))


# -- the figure --------------------------------------------------------------------------------


def every_cell():
    """Cells of a run that answers every question."""
    structure = [
        cell_of_noise(500, accuracy=right, alpha=4, concentration=c, form="soft")
        for c, right in ((0.0, 0.95), (0.2, 0.9), (0.5, 0.02))
    ]
    limits = [
        cell_of_noise(500, accuracy=0.9 - alpha / 50, alpha=alpha, form=form)
        for form in ("fresh", "soft", "realised")
        for alpha in (0, 5, 20)
    ]
    return [*structure, *limits, *cells_by_law(1.0), *cells_by_law(2.0, "batch")]


def test_a_panel_for_each_question_with_the_law_beside_the_points():
    display = simbias.plots.noise(every_cell(), target=0.7)
    names = [panel.name for panel in display.panels]
    assert names == ["limits", "alpha", "n_clean", "n_clean", "batch", "structure"]
    _, _, proportion, clean, _, structure = display.panels
    for line in proportion.lines:  # the accuracies are functions of r
        assert line.law == pytest.approx(line.value, abs=0.05)
    (line,) = clean.lines
    assert line.law == pytest.approx(line.value, rel=0.2)
    assert line.law[-1] / line.law[0] == pytest.approx(4)
    assert structure.plurality == 0.25
    assert structure.lines[0].law == pytest.approx([0.95, 0.95, 0.0])
    assert len(display.tables()["noise"]["x"]) == sum(
        len(line.x) for panel in display.panels for line in panel.lines
    )


def test_networks_have_lines_of_their_own_and_labels_that_are_drawn_once_their_best_check():
    cells = [
        replace(noisy, cell=replace(noisy.cell, network=simbias.MLP(width)))
        for width in (8, 9)
        for alpha in (0, 5)
        for noisy in [cell_of_noise(500, accuracy=width / 10, alpha=alpha, form="realised")]
    ]
    (panel,) = simbias.plots.noise(cells).panels
    assert [line.label.split(", ", 2)[2] for line in panel.lines] == [
        "(8,1)", "(8,1), best check", "(9,1)", "(9,1), best check",
    ]  # fmt: skip
    assert [line.value[0] for line in panel.lines] == pytest.approx([0.8, 0.8, 0.9, 0.9], abs=0.01)


def test_the_batch_of_the_gradient_stands_beside_that_of_an_accuracy():
    cells = [
        NoisyCell(replace(CELL, batch=batch, label_noise=noise), (0, 1), right, right)
        for alpha, batch in ((1, 100), (3, 400))
        for noise, right in [(LabelNoise(alpha=alpha, form="fresh"), np.array([0.8, 0.9]))]
    ]
    (batch,) = gradient_batches(cells)
    for alpha, whole, labels in zip(batch.alphas, batch.whole, batch.labels, strict=True):
        noises = [LabelNoise(alpha=float(alpha))]
        for part, own in (("whole", whole), ("labels", labels)):
            scale = initial_noise_scale(cells[0].cell, [0, 1], noises, part=part)
            np.testing.assert_allclose(own, scale[:, 0])
    (panel,) = [
        p for p in simbias.plots.noise(cells, batches=[batch]).panels if p.name == "gradient"
    ]
    assert [line.label for line in panel.lines] == ["what labels make of it", "whole mean"]
    assert gradient_batches(cells[:1]) == []  # one alpha


@pytest.mark.thorough
def test_a_run_without_noise_has_no_such_figure(stack, tmp_path):
    store = simbias.runner.keep(stack, tmp_path / "clean", n_certify=1000)
    assert noisy_cells(store) == []
    with pytest.raises(Absent):
        FIGURES.factory("noise")(Chosen(store))


@pytest.mark.thorough
def test_the_accuracies_of_a_run_are_those_of_its_rows_and_traces(stack, tmp_path):
    noisy = replace(stack, cell=replace(CELL, label_noise=LabelNoise(alpha=1, form="soft")))
    store = simbias.runner.keep(noisy, tmp_path / "noisy", n_certify=1000)
    (cell,) = noisy_cells(store)
    assert cell.cell == noisy.cell and cell.seeds == (0, 1) and cell.n_clean == 1000
    assert cell.best == pytest.approx([trace[:, 3].max() for trace in stack.traces])
    report = simbias.validate(noisy, n_certify=1000)
    assert cell.last == pytest.approx(1 - report.risk.value)
