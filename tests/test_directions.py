"""Directions and interventions, against what is exactly true of them on linear-Gaussian layers.

Longer than 400 lines because the exact statements share their layers and trained networks.
"""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import norm, rankdata

import simbias
from simbias import directions, validate
from simbias.directions import Activity, directions_of, leace, residual_of_ablation
from simbias.models import Traced, panel
from simbias.registry import DIRECTIONS

KEY = jax.random.key(0)
NAMES = tuple(DIRECTIONS.names())
# Two labels' normal laws in 8 dimensions: one spread, of eight sizes, and means that are apart by
WITHIN = np.diag(2.0 ** np.arange(-3, 5))
APART = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 4.0])
TOTAL = WITHIN + np.outer(APART, APART) / 4


def drawn(rows, seed):
    """Activations of a linear layer on normal inputs, and labels that are even."""
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    hidden = generator.normal(size=(rows, 8)) * np.sqrt(np.diag(WITHIN))
    return Activity(hidden + (y[:, None] - 0.5) * APART, y)


@pytest.fixture(scope="module")
def activity():
    return drawn(4000, 0)


@pytest.fixture(scope="module")
def two_layers():
    """Untrained networks of two hidden layers, with the data sets of two seeds."""
    network, task = simbias.MLP(8, 2), simbias.tasks.get("noisy-lms-5", dim=4)
    members = [Traced(network, network.init(jax.random.key(i), (4,), 2)) for i in range(2)]
    return panel(members, [simbias.data(task, n_train=100, seed=seed) for seed in range(2)])


def own(activity, vector=APART):
    return directions_of([activity], [vector])


def correlation(hidden, y):
    return (hidden - hidden.mean(axis=0)).T @ (y - y.mean()) / len(y)


def auc(fit, fresh):
    """Of the linear discriminant that is fitted to one draw, on another."""
    inner = sum(np.cov(fit.hidden[fit.y == label].T) for label in (0, 1)) / 2
    scores = fresh.hidden @ np.linalg.pinv(inner, hermitian=True, rtol=1e-6) @ np.diff(fit.means.T)
    ranks, ones = rankdata(scores.round(9)), int(fresh.y.sum())
    return (ranks[fresh.y == 1].mean() - (ones + 1) / 2) / (len(fresh.y) - ones)


def auc_in_law(edit):
    """The same of the laws themselves after a linear edit: Phi of the root of d'S⁻¹d / 2."""
    apart = edit @ APART
    spread = np.linalg.pinv(edit @ WITHIN @ edit.T, hermitian=True, rtol=1e-9)
    return norm.cdf(np.sqrt(max(apart @ spread @ apart, 0.0) / 2))


# additions and ablations


def test_an_addition_moves_every_point_alike_and_its_opposite_moves_it_back(activity):
    added = directions.add(own(activity), dose=0.7)(0, activity.hidden)
    steps = added - activity.hidden
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-5)
    gap = np.linalg.norm(activity.means[1] - activity.means[0])
    np.testing.assert_allclose(np.linalg.norm(steps[0]), 0.7 * gap, rtol=1e-5)
    back = directions.add(own(activity), dose=-0.7)(0, added)
    np.testing.assert_allclose(back, activity.hidden, atol=1e-5)


def test_an_ablation_done_twice_is_done_once_and_loses_one_dimension(activity):
    ablated = directions.ablate(own(activity))
    once = ablated(0, activity.hidden)
    np.testing.assert_allclose(ablated(0, once), once, atol=1e-5)
    assert np.linalg.matrix_rank(activity.hidden) == 8
    assert np.linalg.matrix_rank(once, tol=1e-2) == 7
    across = np.eye(8)[0] - APART[0] * APART / (APART @ APART)
    np.testing.assert_allclose(once @ across, activity.hidden @ across, atol=1e-4)


@pytest.mark.parametrize(
    "edit, wanted",
    [
        (directions.ablate, 0.0),
        (directions.ablate_to_mean, 4.0),
        (lambda own: directions.steer(own, 0.0), 1.0),
        (lambda own: directions.steer(own, 1.0), 7.0),
        (lambda own: directions.steer(own, -0.5), -2.0),
    ],
)
def test_a_projection_is_replaced_by_another_and_the_rest_is_left(edit, wanted):
    activity = Activity(np.array([[0.0, 1], [2, 1], [6, 3], [8, 9]]), np.array([0, 0, 1, 1]))
    edited = edit(own(activity, np.array([5.0, 0.0])))(0, activity.hidden)
    np.testing.assert_allclose(edited[:, 0], wanted)
    assert np.array_equal(edited[:, 1], [1, 1, 3, 9])


def test_no_addition_imitates_an_ablation_better_than_the_variance_of_the_projection(activity):
    covariance, v = np.cov(activity.hidden.T, bias=True), APART / np.linalg.norm(APART)
    least = directions.residual_of_addition(covariance, APART)
    ablated = activity.hidden - np.outer(activity.hidden @ v, v)
    best = (ablated - activity.hidden).mean(axis=0)
    others = best + 0.1 * np.random.default_rng(0).normal(size=(100, 8))
    cost = [((activity.hidden + a - ablated) ** 2).sum(axis=1).mean() for a in (best, *others)]
    assert cost[0] == pytest.approx(least, rel=1e-9) and min(cost[1:]) > cost[0]
    assert directions.residual_of_addition(np.diag([0.0, 1.0]), np.array([1.0, 0.0])) == 0


@pytest.mark.parametrize("dose", [0.3, 1.5, 6.0])
@pytest.mark.parametrize("centred", [True, False])
def test_the_best_ablation_that_imitates_an_addition_leaves_what_the_formula_says(dose, centred):
    covariance, mean = np.array([[2.0, 0.6], [0.6, 0.5]]), np.array([0.4, -1.0])
    angles = np.linspace(0, np.pi, 20_001)
    u, v = np.stack([np.cos(angles), np.sin(angles)]), np.array([0.6, 0.8])
    # the part of the residual along u is c u'v + u'(h - m), the part across c (v - u u'v)
    along = dose * (v @ u) + (0.0 if centred else mean @ u)
    across = dose**2 * (1 - (v @ u) ** 2)
    least = np.einsum("ua,uw,wa->a", u, covariance, u) + across + (0 if centred else along**2)
    value = residual_of_ablation(covariance, 3 * v, dose, None if centred else mean)
    assert value == pytest.approx(least.min(), rel=1e-6)
    assert value > 0


def test_the_best_ablation_is_never_better_than_what_ablates_the_direction_and_tends_to_it():
    variance = directions.residual_of_addition(TOTAL, APART)
    doses = [0.0, 0.5, 1.0, 2.0, 8.0, 1000.0]
    values = [residual_of_ablation(TOTAL, APART, dose) for dose in doses]
    assert values[0] == pytest.approx(np.linalg.eigvalsh(TOTAL)[0])
    assert values == sorted(values) and values[-1] == pytest.approx(variance, rel=1e-3)
    assert residual_of_ablation(np.diag([0.0, 1.0]), np.array([1.0, 0.0]), 5.0) == pytest.approx(0)


def test_an_addition_at_the_last_hidden_layer_only_shifts_the_bias_of_the_output(trained):
    fitted = directions.find(trained, "random")
    x = trained_x = panel(trained).data[0].x[:500]
    moved = directions.intervene(trained, directions.add(fitted, dose=0.4)).members[0]
    steps = moved.scores(x) - panel(trained).members[0].scores(trained_x)
    kernel = np.asarray(panel(trained).members[0].params["layers"][1]["kernel"], np.float64)
    wanted = 0.4 * fitted.gap[0] * fitted.vectors[0] @ kernel
    np.testing.assert_allclose(steps, np.broadcast_to(wanted, steps.shape), atol=1e-4)


@pytest.mark.thorough
def test_what_is_exact_holds_of_the_layers_of_trained_networks(trained):
    fitted, read = directions.find(trained), directions.activities(trained)
    for i, (own_activity, v) in enumerate(zip(read, fitted.vectors, strict=True)):
        h = own_activity.hidden
        added, ablated = (edit(fitted)(i, h) for edit in (directions.add, directions.ablate))
        np.testing.assert_allclose(added - h, np.tile(fitted.gap[i] * v, (len(h), 1)), atol=1e-4)
        np.testing.assert_allclose(directions.ablate(fitted)(i, ablated), ablated, atol=1e-5)
        left = ((h + (ablated - h).mean(axis=0) - ablated) ** 2).sum(axis=1).mean()
        variance = directions.residual_of_addition(np.cov(h.T, bias=True), v)
        assert left == pytest.approx(variance, rel=1e-4) and variance > 0.01
        erased = leace(h, own_activity.y[:, None])(h)
        before, after = (np.abs(correlation(x, own_activity.y)).max() for x in (h, erased))
        assert before > 0.01 and after < 1e-9


@pytest.mark.thorough
def test_an_addition_before_another_layer_is_no_shift_of_the_output(two_layers):
    fitted = directions.find(two_layers, "random", layer=0)
    moved = directions.intervene(two_layers, directions.add(fitted, dose=5.0)).members[0]
    x = two_layers.data[0].x
    steps = moved.scores(x) - two_layers.members[0].scores(x)
    assert np.ptp(steps, axis=0).max() > 1e-2


def test_interventions_compose_in_the_order_of_layers_and_of_the_list(two_layers, forward):
    by_layer = [directions.find(two_layers, layer=layer) for layer in (0, 1)]
    late, early = directions.ablate(by_layer[1]), directions.add(by_layer[0], dose=2.0)
    edited = directions.intervene(directions.intervene(two_layers, late), early)
    member, x = two_layers.members[1], np.asarray(two_layers.data[1].x, np.float64)
    first, second, last = (
        [np.asarray(member.params["layers"][i][part], np.float64) for part in ("kernel", "bias")]
        for i in range(3)
    )
    h = np.maximum(x @ first[0] + first[1], 0) + 2.0 * by_layer[0].gap[1] * by_layer[0].vectors[1]
    h = np.maximum(h @ second[0] + second[1], 0)
    h = h - np.outer(h @ by_layer[1].vectors[1], by_layer[1].vectors[1])
    scores = edited.members[1].scores(np.float32(x))
    np.testing.assert_allclose(scores, h @ last[0] + last[1], atol=1e-5)


def test_an_ablation_undoes_an_addition_before_it_and_not_after_it(activity):
    added, ablated = directions.add(own(activity), 3.0), directions.ablate(own(activity))
    h = activity.hidden
    np.testing.assert_allclose(ablated(0, added(0, h)), ablated(0, h), atol=1e-4)
    assert np.abs(added(0, ablated(0, h)) - ablated(0, h)).max() > 1


def test_doses_and_seeds_share_one_program(two_layers):
    fitted = directions.find(two_layers)
    edited = [directions.intervene(two_layers, directions.add(fitted, dose)) for dose in (1.0, 2.0)]
    assert len({member.network for each in edited for member in each.members}) == 1


# erasure


def test_an_erasure_leaves_no_correlation_on_the_draw_it_was_fitted_to(activity):
    eraser = leace(activity.hidden, activity.y[:, None])
    before, after = (correlation(h, activity.y) for h in (activity.hidden, eraser(activity.hidden)))
    assert np.abs(before).max() > 0.1 and np.abs(after).max() < 1e-12
    np.testing.assert_allclose(eraser.remove @ eraser.remove, eraser.remove, atol=1e-10)
    fresh = drawn(4000, 1)
    assert 1e-4 < np.abs(correlation(eraser(fresh.hidden), fresh.y)).max() < 0.2
    in_panel = directions.erase([activity])(0, activity.hidden)
    np.testing.assert_allclose(in_panel, eraser(activity.hidden), atol=1e-4)


@pytest.mark.parametrize("values", [2, 3])
def test_no_other_edit_that_erases_changes_activations_less(activity, values):
    z = np.eye(values)[(np.arange(4000) + activity.y) % values] + activity.hidden[:, :values]
    h = activity.hidden - activity.hidden.mean(axis=0)
    covariance, cross = h.T @ h / len(h), h.T @ (z - z.mean(axis=0)) / len(h)
    remove = leace(activity.hidden, z).remove
    basis = np.linalg.qr(cross)[0]
    assert np.linalg.matrix_rank(remove) == values
    least = np.trace(remove @ covariance @ remove.T)
    generator = np.random.default_rng(0)
    for size in np.geomspace(1e-3, 1, 100):
        other = remove + size * generator.normal(size=(8, 8)) @ (np.eye(8) - basis @ basis.T)
        np.testing.assert_allclose(other @ cross, cross, atol=1e-9)
        assert np.trace(other @ covariance @ other.T) > least


def test_ablating_the_difference_of_means_erases_at_a_cost_and_ablating_a_probe_does_not():
    """Of two normal laws in 8 dimensions; what is expected follows from the laws."""
    fit, fresh = drawn(20_000, 2), drawn(20_000, 3)
    c = APART / np.linalg.norm(APART)
    whitened = np.linalg.solve(TOTAL, APART)
    v = whitened / np.linalg.norm(whitened)
    in_law = {
        "none": np.eye(8),
        "mean-difference": np.eye(8) - np.outer(c, c),
        "leace": np.eye(8) - np.outer(APART, whitened) / (APART @ whitened),
        "probe": np.eye(8) - np.outer(v, v),
    }
    law = {name: auc_in_law(edit) for name, edit in in_law.items()}
    assert law["mean-difference"] == law["leace"] == pytest.approx(0.5, abs=1e-6)
    assert 0.6 < law["probe"] < law["none"] - 0.05
    cost = {
        name: np.trace((np.eye(8) - e) @ TOTAL @ (np.eye(8) - e).T) for name, e in in_law.items()
    }
    assert cost["leace"] == pytest.approx(APART @ APART / (APART @ whitened))
    assert cost["mean-difference"] > 1.5 * cost["leace"]

    edits = {"none": directions.add(own(fit), 0.0), "leace": directions.erase([fit])}
    for name, settings in (("mean-difference", {}), ("probe", {"ridge": 1e-6})):
        vector = directions.get(name, **settings).find(fit, KEY)
        edits[name] = directions.ablate_to_mean(own(fit, vector))
    for name, edit in edits.items():
        changed = replace(fresh, hidden=np.asarray(edit(0, fresh.hidden), np.float64))
        learned = replace(fit, hidden=np.asarray(edit(0, fit.hidden), np.float64))
        assert auc(learned, changed) == pytest.approx(law[name], abs=0.02), name
        damage = ((changed.hidden - fresh.hidden) ** 2).sum(axis=1).mean()
        assert damage == pytest.approx(cost[name], rel=0.05, abs=1e-9), name


# finders


@pytest.mark.parametrize("name", NAMES)
def test_a_finder_finds_a_direction_of_the_layer_and_is_known_by_its_name(name, two_layers):
    fitted = directions.find(two_layers, name)
    again = directions.find(two_layers, directions.get(name))
    assert fitted.name == name == directions.get(name).identity["name"]
    assert fitted.vectors.shape == (2, 8) and np.array_equal(fitted.vectors, again.vectors)
    np.testing.assert_allclose(np.linalg.norm(fitted.vectors, axis=1), 1)


def test_directions_of_linear_gaussian_layers_tend_to_those_of_their_law(activity):
    def cosine(name, wanted, **settings):
        vector = directions.get(name, **settings).find(activity, KEY)
        return vector @ wanted / np.linalg.norm(vector) / np.linalg.norm(wanted)

    whitened = np.linalg.solve(WITHIN, APART)
    assert cosine("mean-difference", APART) > 0.99
    assert cosine("discriminant", whitened) > 0.99
    assert cosine("probe", whitened) > 0.98
    assert cosine("principal-component", np.linalg.eigh(TOTAL)[1][:, -1] * 1.0) ** 2 > 0.99
    assert abs(cosine("random", APART)) < 0.9
    few = [cosine("mean-difference", APART, pairs=k) for k in (1, 30, 2000)]
    assert few[0] < few[1] < few[2]


@pytest.mark.parametrize("name", ["discriminant", "principal-component", "probe"])
def test_a_direction_of_mirrored_activations_is_the_mirrored_direction(name, activity):
    mirrored = replace(activity, hidden=-activity.hidden)
    vectors = [directions.get(name).find(each, KEY) for each in (activity, mirrored)]
    np.testing.assert_allclose(vectors[0], -vectors[1], atol=1e-9)
    assert vectors[0] @ APART > 0


def test_a_single_pair_is_the_difference_of_two_points(activity):
    vector = directions.get("mean-difference", pairs=1).find(activity, KEY)
    np.testing.assert_allclose(vector, activity.hidden[1] - activity.hidden[0])


def test_a_probe_is_where_the_gradient_of_its_objective_vanishes(activity):
    w = directions.get("probe", ridge=0.1).find(activity, KEY)
    h = activity.hidden - activity.hidden.mean(axis=0)
    penalty = 0.1 * activity.hidden.var(axis=0).mean() * w
    bias = min(np.linspace(-0.5, 0.5, 2001), key=lambda b: abs(_pull(h @ w + b, activity.y)))
    error = 1 / (1 + np.exp(-(h @ w + bias))) - activity.y
    np.testing.assert_allclose(h.T @ error / len(h) + penalty, 0, atol=2e-3)


def _pull(scores, y):
    return (1 / (1 + np.exp(-scores)) - y).mean()


def test_a_gradient_is_that_of_the_lead_by_the_activations(trained):
    fitted = directions.find(trained, "gradient")
    for i, member in enumerate(panel(trained).members):
        kernel = np.asarray(member.params["layers"][1]["kernel"], np.float64)
        lead = kernel[:, 1] - kernel[:, 0]
        np.testing.assert_allclose(fitted.vectors[i], lead / np.linalg.norm(lead), atol=1e-5)


def test_fits_and_measurements_have_points_of_their_own(two_layers):
    draws = [
        directions.activities(two_layers, points=50, split=split)[0].hidden
        for split in ("select", "holdout", "certify")
    ]
    assert not any(np.isin(a[a > 0], b).any() for a in draws for b in draws if a is not b)


# as classifiers


@pytest.mark.thorough
def test_edited_networks_are_measured_drawn_and_certified_as_any_classifier(trained):
    fitted = directions.find(trained)
    nothing = directions.intervene(trained, directions.add(fitted, dose=0.0))
    lost = directions.intervene(trained, directions.add(fitted, dose=-4.0))
    risk = validate(trained, n_certify=2000).risk.value
    np.testing.assert_array_equal(validate(nothing, n_certify=2000).risk.value, risk)
    assert (validate(lost, n_certify=2000).risk.value > risk + 0.2).all()
    assert simbias.plots.boundary(lost, resolution=20).tables()
    records = simbias.bounds.evaluate(lost, bounds=["clopper-pearson"], n_certify=2000)
    assert len(records) == len(trained)


@pytest.mark.thorough
def test_what_is_put_in_place_of_a_row_is_the_same_in_any_company(two_layers):
    fitted = directions.find(two_layers)
    resampled = directions.resample(fitted, two_layers, points=200)
    hidden = directions.activities(two_layers, points=2000, split="certify")[0].hidden
    whole, part = resampled(0, hidden), resampled(0, hidden[7:12])
    np.testing.assert_allclose(whole[7:12], part, atol=1e-6)
    along = whole @ fitted.vectors[0]
    bank = resampled.arrays[0]["projections"]
    select = directions.activities(two_layers, points=200)[0].hidden @ fitted.vectors[0]
    assert not np.allclose(np.sort(select), np.sort(bank), atol=1e-6)
    nearest = np.abs(along[:, None] - bank[None]).argmin(axis=1)
    counts = np.bincount(nearest[hidden.any(axis=1)], minlength=200)[np.abs(bank) > 0]
    assert np.abs(along - bank[nearest]).max() < 1e-5
    assert 0.6 < counts.var() / counts.mean() < 1.6  # as of even draws, 1
    y = directions.activities(two_layers, points=2000, split="certify")[0].y
    assert abs(np.corrcoef(along, y)[0, 1]) < 0.1


def test_a_patch_from_one_input_puts_in_its_projection(two_layers):
    fitted = directions.find(two_layers)
    donor = two_layers.data[0].x[:1]
    patched = directions.patch(fitted, two_layers, donor)
    hidden = directions.activities(two_layers, points=50)[1].hidden
    layer = two_layers.members[1].params["layers"][0]
    wanted = np.maximum(donor @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"]), 0)
    projected = (wanted @ fitted.vectors[1]).item()
    np.testing.assert_allclose(patched(1, hidden) @ fitted.vectors[1], projected, atol=1e-5)


# what is refused


def test_bad_input_is_refused_in_one_line(two_layers, activity):
    data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=100)
    unread = panel(lambda x: x[:, 0], data)
    fitted = directions.find(two_layers)
    alone = directions.ablate(own(activity))
    many = directions.get("mean-difference", pairs=3000)
    for call, message in [
        (lambda: directions.find(unread), "network: got '<lambda>', allowed: one whose hidden"),
        (lambda: directions.find(two_layers, layer=2), "layer: got 2, allowed: an integer in "),
        (lambda: own(activity, np.zeros(8)), "direction: got 'one of norm 0', allowed: a fin"),
        (lambda: own(activity, np.full(8, np.nan)), "direction: got 'one of norm nan', allow"),
        (lambda: own(activity, np.ones(3)), "direction: got 'one of shape (3,)', allowed: (8,)"),
        (lambda: directions.add(fitted, np.nan), "dose: got nan, allowed: a number in (-inf, inf)"),
        (lambda: directions.steer(fitted, np.inf), "target: got inf, allowed: a number in (-inf"),
        (lambda: residual_of_ablation(TOTAL, APART, np.nan), "dose: got nan, allowed: a number"),
        (lambda: directions.find(two_layers, "prob"), "direction: unknown name 'prob', nearest:"),
        (lambda: directions.find(two_layers, many), "pairs: got 3000, allowed: at most "),
        (lambda: directions.get("mean-difference", pairs=0), "pairs: got 0, allowed: an integer"),
        (lambda: directions.get("probe", ridge=0.0), "ridge: got 0.0, allowed: a number in (0"),
        (lambda: directions.intervene(two_layers, alone), "arrays: got '1 of them', allowed: 2"),
        (lambda: Activity(np.ones((2, 2)), np.array([1, 1])), "labels: got [1], allowed: 0 and 1"),
        (lambda: leace(np.ones((4, 2)), np.eye(4)), "concept: got 'one with which no activation"),
        (lambda: activity.slopes(), "activity: got 'activations without their network', allowed"),
    ]:
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).startswith(message) and "\n" not in str(error.value)
