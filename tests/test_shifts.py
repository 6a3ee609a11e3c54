"""Shifted tasks: what moves, what stays, and that the achievable rule keeps every label right."""

import jax
import numpy as np
import pytest

from simbias import tasks
from simbias.tasks.oracle import achievable_rule
from simbias.tasks.shifts import BENIGN, SHIFTS, evened, in_gaps, shifted

ROWS = 4000


def drawn(task, seed=0):
    x, y = task.sample(jax.random.key(seed), ROWS)
    return np.asarray(x), np.asarray(y)


@pytest.mark.parametrize("name", ["noisy-lms-7", "lms-5", "noisy-ms-5-7"])
@pytest.mark.parametrize("shift", BENIGN)
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


def test_even_slabs_proportion_the_mass_given_the_label():
    block = evened(tasks.get("ms-7", dim=1).blocks[0])
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
    ],
)
def test_a_shift_that_cannot_be_is_refused(name, shift, words):
    with pytest.raises(ValueError, match=words):
        shifted(tasks.get(name, dim=3), shift)


def test_every_shift_is_named_once():
    assert set(BENIGN) < set(SHIFTS)
