"""The two-dimensional tasks of D-BAT and of gradient starvation, against their laws by hand."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid

import simbias
from simbias import tasks
from simbias.experiments import cell_of
from simbias.models import classifier
from simbias.tasks import MoonsTask

ROWS = 20_000
ALPHA = 1e-6  # chance that a correct sampler fails a check; keys are fixed, so it passes for good
ANGLES = np.linspace(0, np.pi, 401)


def drawn(task, draw=None, key=0):
    """Points of a task as they lie before they are turned, and their labels."""
    law = task.law(jax.random.key(5))
    draw = draw or (lambda law, key, rows: task.draw(law, key, "certify", rows))
    x, y, *_ = jax.device_get(draw(law, jax.random.key(key), ROWS))
    return x.astype(float) @ np.asarray(law.rotation, float).T, y


def measured(task, rule):
    data = simbias.data(task, n_train=500, seed=0)
    return simbias.validate(classifier(rule, label="rule"), data, n_certify=ROWS)


# D-BAT's plane


def test_each_coordinate_of_the_plane_of_five_slabs_tells_the_label_alone():
    task = tasks.get("d-bat-toy")
    x, y = drawn(task)
    assert ((x[:, 0] > 0) == y).all() and (np.rint(x[:, 1]) % 2 != y).all()
    assert np.abs(x[:, 1] - np.rint(x[:, 1])).max() <= 0.2 + 1e-6
    assert 0.2 - 1e-6 <= np.abs(x[:, 0]).min() and np.abs(x[:, 0]).max() <= 1.8 + 1e-6
    # a third of 0, 4 and 4, or 1, and the variance of a slab: five standard errors
    for label, mean, deviation in ((1, 8 / 3 + 0.04 / 3, 2.0), (0, 1 + 0.04 / 3, 0.3)):
        assert abs((x[y == label, 1] ** 2).mean() - mean) <= 5 * deviation / np.sqrt(ROWS / 2.1)
    slabs = np.rint(x[y == 1, 1]).astype(int)
    counts = [np.sum(slabs == centre) for centre in (-2, 0, 2)]
    assert stats.chisquare(counts).pvalue > ALPHA


def test_points_to_disagree_on_have_a_line_that_says_nothing_of_the_slab():
    task = tasks.get("d-bat-toy")
    x, y = drawn(task, task.shifted)
    assert (np.rint(x[:, 1]) % 2 != y).all()
    assert stats.binomtest(int(((x[:, 0] > 0) == y).sum()), ROWS, 0.5).pvalue > ALPHA


def test_the_rules_of_the_plane_rely_on_one_coordinate_each():
    task = tasks.get("d-bat-toy")
    line = measured(task, lambda x: x[:, 0])
    slabs = measured(task, lambda x: np.cos(np.pi * x[:, 1]))
    for report, s, sc in ((line, 0.5, 1), (slabs, 1, 0.5)):
        assert report.risk.value[0] == 0
        assert abs(report.reliance.s_accuracy.value[0] - s) <= 5 * np.sqrt(0.25 / ROWS)
        assert abs(report.reliance.sc_accuracy.value[0] - sc) <= 5 * np.sqrt(0.25 / ROWS)


@pytest.mark.slow
def test_a_second_network_of_d_bat_relies_on_the_slabs_of_its_plane_where_sgd_relies_on_the_line():
    cells = [
        cell_of(settings)
        for settings in simbias.suites.load("mitigation").preset("full").cells
        if settings["task"]["name"] == "d-bat-toy"
    ]
    accuracy = {}
    for cell in cells:
        options = {"n_train": cell.n_train, "batch": cell.batch, "stop": cell.stop}
        stack = simbias.train(cell.task, cell.network, cell.method, **options)
        report = simbias.validate(stack, n_certify=2000)
        accuracy[cell.method.name] = report.reliance.s_accuracy.value[0]
        assert report.risk.value[0] < 0.01
    assert accuracy["d-bat"] > 0.95
    assert accuracy["sgd"] < 0.55 and accuracy["adam"] < 0.55


def test_the_plane_is_turned_where_that_is_asked_for():
    turned, plain = tasks.get("d-bat-toy", rotated=True), tasks.get("d-bat-toy")
    assert plain.rotation(jax.random.key(5)).tolist() == [[1, 0], [0, 1]]
    x, y = drawn(turned)
    assert (np.rint(x[:, 1]) % 2 != y).all() and turned != plain
    with pytest.raises(ValueError, match="^rotated: got 1, allowed: a bool"):
        tasks.get("d-bat-toy", rotated=1)


# gradient starvation's moons


def distribution_of_away(value, gap, noise):
    """P(|sin t + 1/20 + e| + gap <= value), for t uniform on [0, pi]."""
    height, reach = np.sin(ANGLES) + 0.05, np.maximum(value - gap, 0)[:, None]
    below = stats.norm.cdf((reach - height) / noise) - stats.norm.cdf((-reach - height) / noise)
    return trapezoid(below, ANGLES) / np.pi


def distribution_of_along(value, noise):
    """P(cos t - 1/2 + e <= value)."""
    below = stats.norm.cdf((value[:, None] + 0.5 - np.cos(ANGLES)) / noise)
    return trapezoid(below, ANGLES) / np.pi


@pytest.mark.parametrize(("gap", "noise"), [(0.1, 0.1), (-0.1, 0.1), (-0.3, 0.4)])
@pytest.mark.thorough
def test_each_coordinate_of_a_moon_follows_its_law(gap, noise):
    x, y = drawn(MoonsTask(gap=gap, noise=noise))
    assert stats.binomtest(int(y.sum()), ROWS, 0.5).pvalue > ALPHA
    for label in (0, 1):
        own = (2 * label - 1) * x[y == label]  # the other moon is the one, turned by half a turn
        for values, law in (
            (own[:, 0], lambda value: distribution_of_away(value, gap, noise)),
            (own[:, 1], lambda value: distribution_of_along(value, noise)),
        ):
            grid = np.linspace(values.min(), values.max(), 500)
            assert stats.kstest(values, partial(np.interp, xp=grid, fp=law(grid))).pvalue > ALPHA


def around_its_moon(noise):
    """The angle and the distance of each point as seen from its half circle's centre."""
    x, y = drawn(MoonsTask(gap=0.2, noise=noise))
    away, along = ((2.0 * y - 1)[:, None] * x).T - [[0.25], [-0.5]]
    return np.arctan2(away, along), np.hypot(away, along)


def test_without_noise_points_are_spread_evenly_over_half_circles():
    angle, distance = around_its_moon(0)
    np.testing.assert_allclose(distance, 1, atol=1e-5)
    assert stats.kstest(angle / np.pi, "uniform").pvalue > ALPHA


def test_noise_is_the_standard_deviation_of_a_point_around_its_moon():
    _, distance = around_its_moon(0.01)
    assert distance.std() == pytest.approx(0.01, rel=5 / np.sqrt(2 * ROWS))


@pytest.mark.parametrize("gap", [0.1, -0.1])
def test_the_moons_are_those_of_the_published_code(gap):
    moons = pytest.importorskip("sklearn.datasets").make_moons
    points, inner = moons(ROWS, noise=0.1, random_state=1)
    side = np.where(inner, -1, 1)
    height = points[:, 1] + 0.3 * side
    away = np.abs(height - height.mean()) + gap
    published = np.stack([side * away, points[:, 0] - 0.5], axis=1)
    x, y = drawn(MoonsTask(gap=gap))
    for label in (0, 1):
        own, other = x[y == label], published[side == 2 * label - 1]
        for i, values in enumerate((own[:, 0], own[:, 1], own.prod(axis=1), own.sum(axis=1))):
            same = (other[:, 0], other[:, 1], other.prod(axis=1), other.sum(axis=1))[i]
            assert stats.ks_2samp(values, same).pvalue > ALPHA


def test_no_point_is_nearer_to_the_line_than_the_gap():
    for gap in (0.0, 0.1, 1.0):
        task = MoonsTask(gap=gap, noise=0.5)
        x, y = drawn(task)
        assert gap - 1e-6 <= np.abs(x[:, 0]).min() <= gap + 0.01
        assert ((x[:, 0] > 0) == y).all() and task.truth == (0, 0)


@pytest.mark.parametrize(("gap", "noise"), [(-0.1, 0.1), (-0.3, 0.5), (-0.5, 0.0)])
def test_the_risk_of_the_line_is_the_probability_that_a_moon_has_crossed_it(gap, noise):
    task = MoonsTask(gap=gap, noise=noise)
    report = measured(task, lambda x: x[:, 0])
    risk, least = task.truth
    assert least is None and (report.simple_agreement.value == 1).all()
    assert abs(report.risk.value[0] - risk) <= 5 * np.sqrt(risk * (1 - risk) / ROWS)
    assert report.exceptions.fresh.value[0] == 0  # it errs on every exception
    if noise:
        crossed = distribution_of_away(np.zeros(1), gap, noise)
        np.testing.assert_allclose(crossed, risk, atol=1e-4)
    else:
        assert risk == pytest.approx(2 / np.pi * np.arcsin(-gap - 0.05), abs=1e-9)


def test_points_under_the_shift_are_of_the_moons_with_the_gap_reversed():
    apart, overlapping = MoonsTask(gap=0.1), MoonsTask(gap=-0.1)
    for task, other in ((apart, overlapping), (overlapping, apart)):
        (x, y), plain = drawn(task, task.shifted), drawn(other)
        np.testing.assert_allclose(x, plain[0], atol=1e-6)
        np.testing.assert_array_equal(y, plain[1])
    inputs = jax.device_get(apart.unlabelled(apart.law(jax.random.key(5)), jax.random.key(0), ROWS))
    np.testing.assert_allclose(inputs, drawn(overlapping)[0], atol=1e-6)
    assert apart.draw is overlapping.draw and apart.shifted is overlapping.shifted


def test_moons_are_turned_by_an_angle_counterclockwise():
    law = MoonsTask(angle=90).law(jax.random.key(0))
    np.testing.assert_allclose([1.0, 0.0] @ np.asarray(law.rotation), [0, 1], atol=1e-6)
    plain, turned = drawn(MoonsTask()), drawn(MoonsTask(angle=-45))
    np.testing.assert_allclose(plain[0], turned[0], atol=1e-5)


@pytest.mark.parametrize(
    "setting, value",
    [("gap", -0.6), ("gap", "wide"), ("noise", -1), ("noise", np.nan), ("angle", 200)],
)
def test_settings_of_moons_out_of_range_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"^{setting}: got .*, allowed: a number in "):
        tasks.get("two-moons", **{setting: value})
