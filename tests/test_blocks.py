"""The one-coordinate laws: masses, places, and equal variances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbias.tasks import blocks
from simbias.tasks.blocks import Piece

SLABS = (3, 5, 7)


def moment(law, order):
    """The exact moment of a mixture of uniforms: the integral of x^order over each piece."""
    return sum(
        mass * (high ** (order + 1) - low ** (order + 1)) / ((order + 1) * (high - low))
        for low, high, mass in law
    )


def variance(law):
    return moment(law, 2) - moment(law, 1) ** 2


@st.composite
def slab_settings(draw, slabs=SLABS):
    k = draw(st.sampled_from(slabs))
    proportion = draw(st.floats(0.01, 0.99))
    return k, proportion / (k - 1), draw(st.sampled_from([0.0, 0.1, 0.5]))


@given(slab_settings())
def test_masses_of_a_slab_law_sum_to_one_given_each_label(setting):
    k, margin, noise = setting
    for law in blocks.slab(k, margin=margin, noise=noise).laws:
        assert sum(piece.mass for piece in law) == pytest.approx(1, abs=1e-12)


@given(slab_settings((5, 7)))
def test_outer_slab_mass_equalises_class_variances(setting):
    k, margin, noise = setting
    negative, positive = blocks.slab(k, margin=margin, noise=noise).laws
    assert moment(negative, 1) == pytest.approx(0, abs=1e-12)
    assert moment(positive, 1) == pytest.approx(0, abs=1e-12)
    assert variance(negative) == pytest.approx(variance(positive), rel=1e-9)


@pytest.mark.parametrize("k", (5, 7))
def test_equal_masses_would_not_equalise_class_variances(k):
    def flat(law):
        return [piece._replace(mass=1 / len(law)) for piece in law]

    negative, positive = map(flat, blocks.slab(k).laws)
    assert abs(variance(negative) - variance(positive)) > 0.01


def test_three_slabs_cannot_have_equal_variances():
    negative, positive = blocks.slab(3).laws
    assert variance(positive) > 5 * variance(negative)


@pytest.mark.parametrize(
    "k, negative, positive",
    [
        (3, {0: 1}, {-1: 1 / 2, 1: 1 / 2}),
        (5, {-2: 1 / 8, 0: 3 / 4, 2: 1 / 8}, {-1: 1 / 2, 1: 1 / 2}),
        (7, {-2: 1 / 4, 0: 1 / 2, 2: 1 / 4}, {-3: 1 / 16, -1: 7 / 16, 1: 7 / 16, 3: 1 / 16}),
    ],
)
@pytest.mark.parametrize("margin", (0.01, 0.1, 0.15))
def test_slabs_lie_where_the_paper_puts_them_with_its_masses(k, negative, positive, margin):
    width = 2 * (1 - (k - 1) * margin) / k
    block = blocks.slab(k, margin=margin)
    for law, masses in zip(block.laws, (negative, positive), strict=True):
        assert len(law) == len(masses)
        for piece, (offset, mass) in zip(law, sorted(masses.items()), strict=True):
            centre = offset * (width + 2 * margin)
            assert piece == pytest.approx((centre - width / 2, centre + width / 2, mass))


def test_seven_slabs_at_the_default_margin_by_hand():
    # width 2 (1 - .6) / 7 = 4/35, so the centre slab is [-2/35, 2/35]
    (_, centre, _), (left, *_, right) = blocks.slab(7).laws
    assert centre == pytest.approx((-2 / 35, 2 / 35, 1 / 2))
    assert left == pytest.approx((-1, -1 + 4 / 35, 1 / 16))
    assert right == pytest.approx((1 - 4 / 35, 1, 1 / 16))


@given(slab_settings())
def test_slab_laws_fill_the_interval_from_minus_one_to_one_without_overlap(setting):
    k, margin, _ = setting
    negative, positive = blocks.slab(k, margin=margin).laws
    pieces = sorted(negative + positive)
    assert len(pieces) == k
    assert (pieces[0].low, pieces[-1].high) == pytest.approx((-1, 1))
    gaps = [right.low - left.high for left, right in zip(pieces[:-1], pieces[1:], strict=True)]
    assert gaps == pytest.approx([2 * margin] * (k - 1))


@given(slab_settings())
def test_labels_alternate_from_slab_to_slab_with_the_centre_negative(setting):
    k, margin, _ = setting
    negative, positive = blocks.slab(k, margin=margin).laws
    labels = [piece in positive for piece in sorted(negative + positive)]
    assert all(a != b for a, b in zip(labels[:-1], labels[1:], strict=True))
    assert not labels[k // 2]


@pytest.mark.parametrize("k", SLABS)
def test_slab_noise_is_uniform_over_the_gaps_whatever_the_label(k):
    block = blocks.slab(k, noise=0.1)
    negative, positive = map(set, block.laws)
    shared = sorted(negative & positive)
    clean = sorted(sum(blocks.slab(k).laws, ()))
    assert [piece.mass for piece in shared] == pytest.approx([0.1 / (k - 1)] * (k - 1))
    assert [piece.low for piece in shared] == pytest.approx([piece.high for piece in clean[:-1]])
    assert [piece.high for piece in shared] == pytest.approx([piece.low for piece in clean[1:]])


def test_linear_coordinate_is_the_label_times_a_uniform_above_the_margin():
    block = blocks.linear(margin=0.2)
    assert block.laws == (((-1, -0.2, 1),), ((0.2, 1, 1),))
    assert (block.kind, block.margin) == ("linear", 0.2)


def test_linear_noise_fills_the_margin_whatever_the_label():
    negative, positive = blocks.linear(margin=0.2, noise=0.1).laws
    assert negative == (Piece(-1, -0.2, 0.9), Piece(-0.2, 0.2, 0.1))
    assert positive == (Piece(-0.2, 0.2, 0.1), Piece(0.2, 1, 0.9))


@pytest.mark.parametrize("noise, pieces", [(0, 1), (1, 1), (0.5, 2)])
def test_pieces_without_mass_are_dropped(noise, pieces):
    assert [len(law) for law in blocks.linear(noise=noise).laws] == [pieces, pieces]


def test_margin_of_atoms_is_half_their_least_distance():
    block = blocks.atoms("sign", {-1: 1}, {0.5: 1 / 2, 2: 1 / 2})
    assert block.margin == 0.75
    assert block.laws.positive == ((0.5, 0.5, 1 / 2), (2, 2, 1 / 2))


def test_only_the_normal_block_is_normal():
    assert blocks.normal().is_normal
    assert not blocks.linear().is_normal


@pytest.mark.parametrize("k", SLABS)
@pytest.mark.parametrize("place", ("zero", "top", "above", "negative", "nan", "text"))
def test_margin_outside_the_open_interval_is_refused(k, place):
    margin = {
        "zero": 0,
        "top": 1 / (k - 1),
        "above": 0.9,
        "negative": -0.1,
        "nan": float("nan"),
        "text": "0.1",
    }[place]
    with pytest.raises(ValueError, match=r"^margin: got .*allowed: a number in \[1e-06, 0\.\d+\)$"):
        blocks.slab(k, margin=margin)


@pytest.mark.parametrize("k", SLABS)
def test_margin_just_inside_the_open_interval_is_accepted(k):
    assert blocks.slab(k, margin=np.nextafter(1 / (k - 1), 0)).margin < 1 / (k - 1)


@pytest.mark.parametrize("margin", (0, 1, -1, float("inf"), None))
def test_linear_margin_outside_zero_one_is_refused(margin):
    with pytest.raises(ValueError, match=r"^margin: got .*allowed: a number in \[1e-06, 1\)$"):
        blocks.linear(margin=margin)


@pytest.mark.parametrize("noise", (-0.1, 1.1, float("nan"), "much", None, True))
@pytest.mark.parametrize("make", (blocks.linear, lambda **given: blocks.slab(5, **given)))
def test_noise_outside_zero_one_is_refused(make, noise):
    with pytest.raises(ValueError, match=r"^noise: got .*allowed: a number in \[0, 1\]$"):
        make(noise=noise)


@pytest.mark.parametrize("k", (0, 1, 2, 4, 6, 9, 7.0, "7", True))
def test_only_three_five_or_seven_slabs_exist(k):
    with pytest.raises(ValueError, match=r"^slabs: got .*allowed: "):
        blocks.slab(k)
