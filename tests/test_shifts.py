"""Shifted tasks: what moves, what stays, and that the achievable rule keeps every label right."""

import jax
import numpy as np
import pytest
from block_tasks import written

from simbias import tasks
from simbias.tasks.blocks import linear
from simbias.tasks.oracle import achievable_rule, bayes_rule, rule_risk
from simbias.tasks.shifts import (
    BENIGN,
    SHIFTS,
    concentrated,
    in_conflict,
    in_gaps,
    moved,
    oracle_accuracy,
    shifted,
    tempered,
)
from simbias.tasks.tilted import trapezoid

ROWS = 4000


def drawn(task, seed=0):
    x, y = task.sample(jax.random.key(seed), ROWS)
    return np.asarray(x), np.asarray(y)


@pytest.mark.parametrize("name", ["noisy-lms-7", "lms-5", "noisy-ms-5-7"])
@pytest.mark.parametrize("shift", written(BENIGN))
def test_a_benign_shift_keeps_every_label_right(name, shift):
    task = tasks.get(name, dim=5)
    rule = achievable_rule(task, 1)
    x, y = drawn(shifted(task, shift))
    assert (rule(x) == y).all()


def test_without_a_shift_the_task_is_itself():
    task = tasks.get("lms-7", dim=4)
    assert shifted(task, "none") == task and shifted(task, "none").settings == task.settings


def test_in_the_margin_the_linear_coordinate_lies_within_it_and_the_slabs_stay():
    task = tasks.get("lms-7", dim=4, margin=0.05)
    x, _ = drawn(shifted(task, "margin"))
    plain, _ = drawn(task)
    assert np.abs(x[:, 0]).max() <= 0.05 + 1e-6 and np.abs(plain[:, 0]).min() >= 0.05 - 1e-6
    np.testing.assert_array_equal(x[:, 1:], plain[:, 1:])


def test_even_slabs_share_the_mass_given_the_label():
    block = tempered(tasks.get("ms-7", dim=1).blocks[0], 0)
    assert [piece.mass for piece in block.laws.negative] == pytest.approx([1 / 3] * 3)
    assert [piece.mass for piece in block.laws.positive] == pytest.approx([1 / 4] * 4)


def test_gaps_are_where_the_slabs_are_not():
    task = tasks.get("noisy-lms-7", dim=3)
    block = task.blocks[1]
    gaps = in_gaps(block).laws.negative
    slabs = sorted({(p.low, p.high) for law in block.laws for p in law})
    assert len(gaps) == 6 and sum(gap.mass for gap in gaps) == pytest.approx(1)
    for gap, left, right in zip(gaps, slabs, slabs[1:], strict=False):
        assert (gap.low, gap.high) == pytest.approx((left[1], right[0]))
    x, _ = drawn(shifted(task, "gaps"))
    for low, high in slabs:
        assert not ((x[:, 1] > low + 1e-6) & (x[:, 1] < high - 1e-6)).any()


def test_a_noisy_coordinate_has_its_margin_as_gap():
    (gap,) = in_gaps(tasks.get("noisy-lms-7", dim=2).blocks[0]).laws.positive
    assert (gap.low, gap.high, gap.mass) == pytest.approx((-0.1, 0.1, 1.0))


@pytest.mark.parametrize(
    ("name", "shift", "words"),
    [
        ("ms-7", "margin", "a task with a simple set"),
        ("lsn", "gaps", "gaps between decided intervals"),
        ("lms-7", "gap", "nearest: gaps"),
        ("ms-7", "conflict=0.1", "a task with a simple set"),
        ("lms-7", "conflict", r"conflict=NUMBER, in \[0, 1\]"),
        ("lms-7", "conflict=1.1", r"conflict=NUMBER, in \[0, 1\]"),
        ("lms-7", "conflict=nan", r"conflict=NUMBER, in \[0, 1\]"),
        ("lms-7", "margin=0.1", "margin, without a number"),
        ("lms-7", "move-others=0.1", "less than the margin, 0.1"),
        ("lms-7", "move-others=-0.15", "less than the margin, 0.1"),
        ("lsn", "move-others=0.5", "less than the margin, 0.5"),
        ("ms-7", "tilt=5", "a task with a simple and another coordinate, both of intervals"),
        ("lsn", "tilt=5", "a task with a simple and another coordinate, both of intervals"),
        ("lms-7", "tilt=181", r"tilt=NUMBER, in \[-180, 180\]"),
    ],
)
def test_a_shift_that_cannot_be_is_refused(name, shift, words):
    with pytest.raises(ValueError, match=words):
        shifted(tasks.get(name, dim=3), shift)


def test_a_shift_by_which_the_achievable_rule_errs_is_refused():
    """Without slabs the linear coordinate is all that there is to go by."""
    task = tasks.BlockTask("line", {}, (linear(),), (0,))
    for shift in ("margin", "conflict=0.1", "move=0.2"):
        with pytest.raises(ValueError, match="the labels of the achievable rule right"):
            shifted(task, shift)
    assert shifted(task, "move=0.05").blocks != task.blocks


@pytest.mark.parametrize("shift", written(SHIFTS))
def test_a_shifted_task_is_made_again_from_what_it_says_of_itself(shift):
    task = shifted(tasks.get("noisy-lms-7", dim=3), shift)
    described = tasks.described(task)
    assert "content" not in described and described.get("shift", "none") == shift
    assert shifted(tasks.get("noisy-lms-7", dim=3), shift.replace("0.05", ".050")) == task


def test_benign_are_all_but_two():
    assert set(SHIFTS) - set(BENIGN) == {"gaps", "conflict-others"}


def test_conflict_mixes_the_laws_and_a_half_leaves_no_label():
    block = in_conflict(linear(margin=0.2, noise=0.4), 0.25)
    sides = {(p.low, p.high): 0.0 for p in block.laws.positive}
    for piece in block.laws.positive:
        sides[piece.low, piece.high] += piece.mass
    assert sides == pytest.approx({(-1, -0.2): 0.15, (-0.2, 0.2): 0.4, (0.2, 1): 0.45})
    half = in_conflict(block, 0.5).laws
    assert [p.mass for p in half.negative] == pytest.approx([p.mass for p in half.positive])


def test_density_moves_within_intervals_and_a_half_changes_nothing():
    block = linear(margin=0.2)
    inner, outer = [(0.4, 0.8, 1.0)], [(0.2, 0.4, 0.5), (0.8, 1.0, 0.5)]
    np.testing.assert_allclose(concentrated(block, 1).laws.positive, inner)
    np.testing.assert_allclose(concentrated(block, 0).laws.positive, outer)
    x, _ = drawn(shifted(tasks.get("lms-7", dim=2), "density=0.5"))
    y, _ = drawn(tasks.get("lms-7", dim=2))
    np.testing.assert_allclose(x, y, atol=1e-6)


def test_moving_back_is_no_move():
    block = tasks.get("ms-5", dim=1).blocks[0]
    back = moved(moved(block, 0.07), -0.07).laws
    np.testing.assert_allclose(back.positive, block.laws.positive, atol=1e-15)


# -- accuracies of the simple (linear) and the achievable (slab) rule ---------------------------

CASES = (
    "none", "margin", "conflict=0", "conflict=0.3", "conflict=0.5", "conflict=1", "move=0.03",
    "move=0.2", "move=-0.5", "move=1.5", "even-slabs", "slab-masses=2", "move-others=0.02",
    "move-others=-0.01", "density=0", "density=0.9", "conflict-others=0.3", "conflict-others=0.5",
    "gaps", "tilt=0", "tilt=15", "tilt=-40", "tilt=90", "tilt=180",
)  # fmt: skip
SETTINGS = [(5, 0.05, 0.0), (7, 0.1, 0.1), (3, 0.3, 0.5)]  # slabs, margin, noise


def closed(shift, slabs, margin, noise):
    """What the two rules score, derived by hand from the laws."""
    name, _, number = shift.partition("=")
    q = float(number or 0)
    beyond = min(1, max(0, abs(q) - margin) / (1 - margin))  # of a label's mass, moved over the cut
    simple = {
        "margin": 0.5,
        "conflict": 1 - noise / 2 - q * (1 - noise),
        "move": 1 - noise / 2 - (1 - noise) * beyond / 2,
        "tilt": tilted(q, slabs, margin, noise) if name == "tilt" else 0,
    }.get(name, 1 - noise / 2)
    return simple, {"conflict-others": 1 - q, "gaps": 0.5}.get(name, 1.0)


def tilted(angle, slabs, margin, noise):
    """What sign(cos a x0 - sin a x1) scores, by a sum over x1 on a fine grid of each slab."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    width, half = 2 * (1 - (slabs - 1) * margin) / slabs, slabs // 2
    masses = {3: ([1], [1]), 5: ([3 / 4, 1 / 4], [1]), 7: ([1 / 2, 1 / 2], [7 / 8, 1 / 8])}[slabs]
    score = 0.0
    for label, sign in ((0, -1), (1, 1)):
        for offset, mass in zip(range(label, half + 1, 2), masses[label], strict=True):
            for side in (-1, 1):
                grid = width * ((np.arange(20_000) + 0.5) / 20_000 - 0.5)
                bar = sin * (side * offset * (width + 2 * margin) + grid)  # cos x0 is beyond it
                for low, high, part in ((-margin, margin, noise), (*ends(sign, margin), 1 - noise)):
                    low, high = sorted((cos * low, cos * high))
                    above = np.clip((high - bar) / max(high - low, 1e-12), 0, 1)
                    score += mass * part * (above if sign > 0 else 1 - above).mean() / 4
    return score


def ends(sign, margin):
    return (margin, 1) if sign > 0 else (-1, -margin)


def points(shift, slabs, margin, noise, rows, dim, seed=0):
    """Points of the shifted task by NumPy, as operations on points rather than laws."""
    name, _, number = shift.partition("=")
    q, g = float(number or 0), np.random.default_rng(seed)
    y = g.integers(2, size=rows)

    def flipped(labels, chosen):
        return np.where(g.random(len(labels)) < (q if chosen else 0), 1 - labels, labels)

    def inside(size):  # the place within an interval, from 0 to 1
        u = g.random(size)
        if name != "density":
            return u
        outer = np.where(u < 0.5, u / 2, u / 2 + 0.5)
        return np.where(g.random(size) < q, 0.25 + u / 2, outer)

    sign = 2 * flipped(y, name == "conflict") - 1
    lost = (g.random(rows) < noise) | (name == "margin")
    x0 = np.where(
        lost, margin * (2 * inside(rows) - 1), sign * (margin + (1 - margin) * inside(rows))
    )
    x = [x0 + q * (name == "move")]
    width, half = 2 * (1 - (slabs - 1) * margin) / slabs, slabs // 2
    masses = {3: ([1], [1]), 5: ([3 / 4, 1 / 4], [1]), 7: ([1 / 2, 1 / 2], [7 / 8, 1 / 8])}[slabs]
    for _ in range(dim - 1):
        of = flipped(y, name == "conflict-others")
        offset = np.zeros(rows, int)
        for label in (0, 1):
            offsets = np.arange(label, half + 1, 2)
            each = np.array(masses[label]) / np.where(offsets == 0, 1, 2)  # of one slab
            each = each ** {"even-slabs": 0, "slab-masses": q}.get(name, 1)
            p = each * np.where(offsets == 0, 1, 2)
            drawn_offsets = g.choice(offsets, size=rows, p=p / p.sum())
            offset = np.where(of == label, drawn_offsets, offset)
        offset = offset * g.choice([-1, 1], size=rows)
        value = offset * (width + 2 * margin) + width * (inside(rows) - 0.5)
        if name == "gaps":
            gap = g.integers(slabs - 1, size=rows) - half + 0.5
            value = gap * (width + 2 * margin) + margin * (2 * g.random(rows) - 1)
        x.append(value + q * (name == "move-others"))
    if name == "tilt":
        cos, sin = np.cos(np.deg2rad(q)), np.sin(np.deg2rad(q))
        x[:2] = cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]
    return np.stack(x, axis=1), y


def assert_scores(x, y, dim, expected, slabs, margin):
    width = 2 * (1 - (slabs - 1) * margin) / slabs
    simple = (x[:, 0] > 0).astype(int)
    odd = np.rint(x[:, dim - 1] / (width + 2 * margin)).astype(int) % 2
    for labels, accuracy in zip((simple, odd), expected, strict=True):
        deviation = np.sqrt(accuracy * (1 - accuracy) / len(y))
        assert abs((labels == y).mean() - accuracy) <= 5 * deviation


@pytest.mark.parametrize(("slabs", "margin", "noise"), SETTINGS)
@pytest.mark.parametrize("shift", CASES)
def test_both_rules_score_under_a_shift_what_their_laws_say(shift, slabs, margin, noise):
    task = tasks.get("noisy-lms-7", dim=3, slabs=slabs, margin=margin, noise=noise)
    expected = closed(shift, slabs, margin, noise)
    close = 1e-7 if shift.startswith("tilt") else 1e-12  # of a sum on a grid
    assert oracle_accuracy(task, shift) == pytest.approx(expected, abs=close)
    x, y = points(shift, slabs, margin, noise, 20_000, 3)
    assert_scores(x, y, 3, expected, slabs, margin)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 10])
@pytest.mark.parametrize(("slabs", "margin", "noise"), [*SETTINGS, (7, 0.01, 0.9), (5, 0.2, 0.25)])
def test_both_rules_score_so_on_a_million_draws(dim, slabs, margin, noise):
    shifts = [shift for shift in CASES if shift != "move-others=0.02" or margin > 0.02]
    shifts = [shift for shift in shifts if shift != "move-others=-0.01" or margin > 0.01]
    task = tasks.get("noisy-lms-7", dim=dim, slabs=slabs, margin=margin, noise=noise)
    shifts = [shift for shift in shifts if not shift.startswith("tilt") or dim > 2]
    for shift in shifts:
        expected = closed(shift, slabs, margin, noise)
        close = 1e-7 if shift.startswith("tilt") else 1e-12
        assert oracle_accuracy(task, shift) == pytest.approx(expected, abs=close)
        x, y = points(shift, slabs, margin, noise, 10**6, dim)
        assert_scores(x, y, dim, expected, slabs, margin)
        x, y = task_points(shifted(task, shift), 10**6)
        assert_scores(x, y, dim, expected, slabs, margin)
        h = 0.2  # labels flipped with this probability
        y = np.where(np.random.default_rng(1).random(len(y)) < h, 1 - y, y)
        assert_scores(x, y, dim, [h + (1 - 2 * h) * a for a in expected], slabs, margin)


def task_points(task, rows):
    x, y = task.sample(jax.random.key(1), rows)
    return np.asarray(x), np.asarray(y)


def test_a_tilt_by_hand():
    """A right angle puts the slab coordinate, which is even, in the simple one's place; a small one
    on a wide margin costs nothing: sin 5 < cos 5 / 2."""
    task = tasks.get("lms-7", dim=3, margin={"linear": 0.5, "slab-7": 0.1})
    for shift, simple in (("tilt=90", 0.5), ("tilt=-90", 0.5), ("tilt=180", 0.0), ("tilt=5", 1.0)):
        assert oracle_accuracy(task, shift) == pytest.approx((simple, 1.0), abs=1e-12)
    assert shifted(task, "tilt=5").truth.simple_risk is None


def test_tilted_points_are_those_of_the_task_turned_from_the_first_axis_to_the_second():
    task = tasks.get("noisy-lms-7", dim=4)
    x, y = drawn(task)
    tilted_x, tilted_y = drawn(shifted(task, "tilt=30"))
    cos, sin = np.sqrt(3) / 2, 1 / 2
    expected = [cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1], x[:, 2], x[:, 3]]
    np.testing.assert_allclose(tilted_x, np.stack(expected, axis=1), atol=1e-6)
    np.testing.assert_array_equal(tilted_y, y)


def test_in_two_coordinates_no_rule_is_out_of_the_plane():
    with pytest.raises(ValueError, match="the labels of the achievable rule right"):
        shifted(tasks.get("lms-7", dim=2), "tilt=30")


@pytest.mark.parametrize("value", [-1, 0, 0.1, 0.3, 0.5, 1, 1.2, 1.3, 2])
@pytest.mark.parametrize(("narrow", "wide"), [(0.3, 1.0), (1.0, 1.0), (0.0, 1.0)])
def test_the_sum_of_two_uniforms_has_a_trapezoidal_law(value, narrow, wide):
    v = narrow * (np.arange(200_000) + 0.5) / 200_000
    expected = np.clip((value - v) / wide, 0, 1).mean()
    assert trapezoid(value, narrow, wide) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shift", ["conflict=0.3", "move=0.2", "density=0.9", "slab-masses=2"])
def test_the_task_draws_what_its_shift_says(shift):
    """The distribution function of each coordinate given the label, against that of NumPy."""
    task = tasks.get("noisy-lms-7", dim=3)
    x, y = drawn(shifted(task, shift))
    other, other_y = points(shift, 7, 0.1, 0.1, 20_000, 3)
    grid = np.linspace(-1.2, 1.2, 49)
    for label in (0, 1):
        for i in range(3):
            proportions = (x[y == label, i][:, None] < grid).mean(axis=0)
            two = (other[other_y == label, i][:, None] < grid).mean(axis=0)
            assert np.abs(proportions - two).max() < 0.06  # Dvoretzky-Kiefer-Wolfowitz at 1e-6


def test_on_a_simple_slab_conflict_costs_the_same():
    task = tasks.get("noisy-ms-5-7", dim=3, noise=0.2)
    assert oracle_accuracy(task, "conflict=0.3") == pytest.approx((0.66, 1.0))
    rule = bayes_rule(task, 0)
    assert rule_risk(shifted(task, "move=0.05"), rule) == pytest.approx(0.1)


def test_a_task_without_a_rule_has_no_accuracy_of_it():
    assert oracle_accuracy(tasks.get("ms-7", dim=3), "even-slabs") == (None, 1.0)
