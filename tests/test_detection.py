"""The most powerful test between a task and its shift, where its power is known in closed form."""

import jax
import numpy as np
import pytest

from simbias import tasks
from simbias.tasks.densities import log_density
from simbias.tasks.detection import detect
from simbias.tasks.shifts import shifted

SURE = {"confidence": 0.999, "repetitions": 999}


def encloses(estimate, value):
    return estimate.low <= value + 1e-12 and value - 1e-12 <= estimate.high


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("m", [1, 12])
def test_one_point_in_conflict_gives_it_away(m, labelled):
    """Without noise: rejected where any of m points is in conflict, else with probability .05."""
    task = tasks.get("lms-5", dim=3)
    detection = detect(task, "conflict=0.1", points=m, labelled=labelled, **SURE)
    assert encloses(detection.power, 1 - 0.9**m * 0.95)


def test_what_lies_where_the_task_has_no_mass_is_seen_at_one_point():
    task = tasks.get("lms-7", dim=3)
    for shift in ("margin", "gaps"):
        assert detect(task, shift, points=1, **SURE).power.value == 1


def test_a_moved_coordinate_is_seen_by_what_leaves_its_support():
    """A tenth of the length .9 leaves it in either label's law: at the end, or into the margin."""
    detection = detect(tasks.get("lms-7", dim=2), "move=0.09", points=5, labelled=True, **SURE)
    assert encloses(detection.power, 1 - 0.9**5 * 0.95)


@pytest.mark.parametrize("shift", ["none", "density=0.5", "conflict=0", "slab-masses=1"])
def test_a_shift_of_nothing_is_detected_as_often_as_the_size(shift):
    detection = detect(tasks.get("noisy-lms-7", dim=3), shift, points=5, **SURE)
    assert encloses(detection.power, 0.05)


def test_density_in_one_point_is_seen_by_its_largest_ratio():
    """Two coordinates at share 1: a quarter of the task's points has the ratio 4, the rest none."""
    detection = detect(tasks.get("lms-7", dim=2), "density=1", points=1, **SURE)
    assert encloses(detection.power, 0.05 / 0.25)


@pytest.mark.parametrize("level", [0.05, 0.2])
@pytest.mark.parametrize(
    "shift",
    [
        "density=0.7",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("conflict=0.3", "slab-masses=2")),
    ],
)
@pytest.mark.thorough
def test_the_test_has_its_size_on_average_over_critical_values(shift, level):
    sets, seeds = 39, 400
    task = tasks.get("noisy-lms-7", dim=2)
    sizes = [
        detect(task, shift, points=2, level=level, repetitions=sets, seed=seed).size.value[0]
        for seed in range(seeds)
    ]
    # a count of each seed, and its critical value's own level, a beta variable
    deviation = np.sqrt(level * (1 - level) * (1 / sets + 1 / (sets + 2)) / seeds)
    assert abs(np.mean(sizes) - level) <= 4 * deviation


def test_a_tilted_point_is_seen_where_it_leaves_the_support():
    """At 90 degrees (x0, x1) becomes (-x1, x0). Slabs are .24 wide: of label 0 the outer ones, of
    mass 1/8 each, and |x| < .12; of label 1 those from .32 to .56 on either side.

    Of label 0, -x1 lies in (-1, -.1) for the right outer slab and a twelfth of the middle one, and
    x0 in a slab for .26 of the length .9; of label 1 for the left slab, and .24 of .9.
    """
    stays = ((1 / 8 + 3 / 4 / 12) * 0.26 + 1 / 2 * 0.24) / 0.9 / 2
    task = tasks.get("lms-5", dim=3)
    detection = detect(task, "tilt=90", points=1, **SURE)
    assert detection.power.high >= 1 - stays and detection.power.value >= 1 - 1.7 * stays
    assert encloses(detection.size, 0.05)
    x, _ = shifted(task, "tilt=90").sample(jax.random.key(0), 20_000)
    left = np.isneginf(log_density(task, np.asarray(x, float), None)).mean()
    assert abs(left - (1 - stays)) <= 5 * np.sqrt(stays / 20_000)


def test_tasks_without_densities_and_too_few_sets_are_refused():
    with pytest.raises(ValueError, match="whose coordinates have densities"):
        detect(tasks.get("lsn", dim=3), "none", points=1)
    with pytest.raises(ValueError, match="at least 1 / level - 1, 19"):
        detect(tasks.get("lms-5", dim=3), "none", points=1, repetitions=18)
