"""Maps that leave the law of a task as it is, held against its exact distribution functions."""

import numpy as np
import pytest
from scipy import stats

from simbias import tasks
from simbias.tasks.blocks import Block, Pair, Piece, atoms, linear, normal, slab
from simbias.tasks.symmetries import flips, is_symmetric, symmetries


@pytest.mark.parametrize(
    "block, symmetric",
    (
        (slab(3), True),
        (slab(5, noise=0.2), True),
        (slab(7), True),
        (normal(), True),
        (linear(), False),
        (linear(noise=0.1), False),
        (atoms("pair", {-1.0: 0.5, 1.0: 0.5}, {0.0: 1.0}), True),
        (atoms("skew", {-1.0: 0.4, 1.0: 0.6}, {0.0: 1.0}), False),
    ),
)
def test_slab_laws_are_sign_symmetric_and_linear_ones_are_not(block, symmetric):
    assert is_symmetric(block) == symmetric


def test_flips_touch_symmetric_coordinates_only():
    signs_by_name = flips(tasks.get("noisy-lms-7").blocks)
    assert set(signs_by_name) == {"all", "first half", "second half", "every other"}
    assert all(signs[0] == 1 for signs in signs_by_name.values())
    assert np.sum(signs_by_name["all"] == -1) == 49
    np.testing.assert_array_equal(
        signs_by_name["first half"] * signs_by_name["second half"], signs_by_name["all"]
    )
    assert flips((linear(),)) == {}


def distribution(law, x):
    low, high, mass = np.array(law).T
    parts = np.clip((x[:, None] - low) / np.where(high > low, high - low, 1), 0, 1)
    return (parts * mass).sum(axis=1)


def follows(blocks, x, y, floor=1e-4):
    """Whether each coordinate has its law given the label, and pairs of them are uncorrelated."""
    for label in (0, 1):
        rows = x[y == label]
        for j, block in enumerate(blocks):
            law = block.laws[label]
            if stats.kstest(rows[:, j], lambda v, law=law: distribution(law, v)).pvalue < floor:
                return False
        correlation = np.corrcoef(rows, rowvar=False) - np.eye(len(blocks))
        if np.abs(correlation).max() > 5 / np.sqrt(len(rows)):
            return False
    return True


@pytest.mark.parametrize("name", sorted(symmetries(tasks.get("noisy-lms-7").blocks)))
def test_mapped_points_follow_the_law_of_the_points(name, draws):
    blocks = tasks.get("noisy-lms-7").blocks
    x, y = draws("noisy-lms-7")
    mapped = symmetries(blocks)[name](x, y)
    assert np.abs(mapped - x).max() > 0.1
    assert follows(blocks[:4], mapped[:, :4], y) and follows(blocks[47:], mapped[:, 47:], y)


def test_a_map_that_changes_the_law_is_caught(draws):
    blocks = tasks.get("noisy-lms-7").blocks
    x, y = draws("noisy-lms-7")
    assert not follows(blocks[:3], x[:, :3] * np.array([-1, 1, 1]), y)
    assert not follows(blocks[:3], x[:, [1, 0, 2]], y)
    mirrored = symmetries(blocks)["all mirrored"]
    assert not follows(blocks[:3], mirrored(x, 1 - y)[:, :3], y)  # within the other label's slabs


def test_coordinates_change_places_among_those_of_equal_laws():
    blocks = (linear(), slab(3), slab(5), slab(3), slab(5), slab(3))
    x, y = np.arange(1.0, 7.0)[None], np.array([0])
    maps = symmetries(blocks)
    np.testing.assert_array_equal(maps["in reverse"](x, y), [[1, 6, 5, 4, 3, 2]])
    np.testing.assert_array_equal(maps["next in place"](x, y), [[1, 4, 5, 6, 3, 2]])
    both = maps["in reverse, all flipped"](x, y)
    np.testing.assert_array_equal(both, [[1, -6, -5, -4, -3, -2]])


def test_points_are_mirrored_within_the_intervals_of_their_label():
    block = linear(margin=0.2, noise=0.3)
    maps = symmetries((block, normal()))
    x = np.array([[0.3, 2.0], [-0.1, 2.0], [-0.1, 2.0], [1.0 + 1e-7, 2.0]])
    mapped = maps["all mirrored"](x, np.array([1, 1, 0, 1]))
    np.testing.assert_allclose(mapped, [[0.9, 2], [0.1, 2], [0.1, 2], [0.2, 2]], atol=1e-6)


def test_overlapping_pieces_are_mirrored_where_their_sum_is_constant():
    # given label 1: [0, 2] with mass 1/2 and [1, 2] with mass 1/2; densities 1/4 and 3/4
    law = (Piece(0.0, 2.0, 0.5), Piece(1.0, 2.0, 0.5))
    block = Block("steps", 0.1, Pair(law, law))
    mapped = symmetries((block,))["all mirrored"](np.array([[0.2], [1.2]]), np.array([0, 1]))
    np.testing.assert_allclose(mapped, [[0.8], [1.8]])


def test_laws_without_a_symmetry_have_no_map():
    blocks = tuple(atoms("two", {0.0: 1.0}, {end: 1.0}) for end in (1.0, 2.0))
    assert symmetries(blocks) == {}
    assert set(symmetries((blocks[0],) * 2)) == {"in reverse", "next in place"}
