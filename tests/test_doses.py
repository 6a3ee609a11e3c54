"""Doses beside those of the input, and what edits leave, on networks that are known."""

import numpy as np
import pytest

import simbias
from simbias import directions
from simbias.models import panel
from simbias.stats.estimate import Estimate


@pytest.fixture(scope="module")
def explicit(trained):
    """The explicit networks of the simple rule and of the achievable one."""
    return {
        rule: simbias.validation.control(trained.cell, rule, seeds=2)
        for rule in ("simple", "achievable")
    }


@pytest.fixture(scope="module")
def fitted(explicit):
    return {rule: directions.find(stack) for rule, stack in explicit.items()}


def test_an_addition_to_the_line_of_a_linear_network_is_one_to_its_coordinate(explicit, fitted):
    response = directions.dose_response(explicit["simple"], fitted["simple"], points=1000)
    assert (response.area.high < 0.02).all() and (response.agreement.low > 0.98).all()
    assert (np.diff(response.ones) > 0).all() and np.ptp(response.ones, axis=1).min() > 0.95
    np.testing.assert_allclose(response.ones, response.by_input, atol=0.02)


def test_a_network_of_slabs_does_not_answer_to_the_line_and_does_to_additions(explicit, fitted):
    stack = explicit["achievable"]
    response = directions.dose_response(stack, fitted["achievable"], points=1000)
    assert (response.by_input == response.by_input[:, :1]).all()
    ones, doses = response.ones, response.doses
    area = np.trapezoid(np.abs(ones - response.by_input), doses, axis=1) / 2
    np.testing.assert_allclose(response.area.value, area, rtol=1e-12)
    assert (response.area.low > 0.1).all() and (response.area.low < area).all()
    assert (response.area.high > area).all()
    assert (response.agreement.value <= 1 - area + 1e-12).all()


def test_the_gap_of_a_noisy_line_is_that_of_its_law(trained):
    # with probability .1 it lies around 0 whatever the label, else at (1 + .1) / 2 on its side
    assert directions.label_gap(trained.cell.task) == pytest.approx(0.9 * 1.1)
    assert directions.label_gap(trained.cell.task, 1) == pytest.approx(0)


def test_steering_a_linear_network_hits_its_target_and_nothing_else(explicit, fitted):
    stack = explicit["simple"]
    steered = directions.intervene(stack, directions.steer(fitted["simple"], 0.0))
    kept = directions.measure_effect(stack, steered, change=lambda z: 0 * z - 0.5)
    assert (kept.on_target.value == 1).all() and (kept.off_target.value == 1).all()
    assert (kept.on_target.low > 0.99).all()
    mirrored = directions.measure_effect(stack, steered)
    assert np.isnan(mirrored.off_target.value).all()  # a mirror image leaves no label
    assert (abs(mirrored.on_target.value - 0.5) < 0.05).all()
    assert (abs(kept.accuracy.value + 0.45) < 0.05).all()  # from 1 - .1 / 2 to a coin's


def test_an_edit_moves_the_projection_as_the_coordinate_does_where_a_network_is_a_line(
    explicit, fitted
):
    for edit, change in [
        (directions.ablate_to_mean(fitted["simple"]), lambda z: 0 * z),
        (directions.add(fitted["simple"], 0.5), lambda z: z + 0.5 * 0.99),
    ]:
        edited = directions.intervene(explicit["simple"], edit)
        moved = directions.measure_projection(
            explicit["simple"], edited, fitted["simple"], change=change
        )
        assert (moved.told.value > 1 - 1e-9).all() and (moved.apart.value < 5e-3).all()
        np.testing.assert_allclose(moved.moved.value, moved.wanted.value, rtol=0.05)
        assert (moved.wanted.low > 0.1).all()


def test_the_projection_of_slabs_is_moved_by_edits_and_not_by_the_line(explicit, fitted):
    edited = directions.intervene(explicit["achievable"], directions.ablate(fitted["achievable"]))
    moved = directions.measure_projection(explicit["achievable"], edited, fitted["achievable"])
    assert (moved.wanted.value < 1e-9).all() and (moved.moved.low > 0.1).all()
    np.testing.assert_allclose(moved.apart.value, moved.moved.value, rtol=1e-4)
    assert (moved.told.high < 0.9).all()  # what the label alone tells of the line


def test_what_is_not_edited_stays_in_every_zone_and_is_equivalent(explicit):
    stack = explicit["simple"]
    kept = directions.measure_effect(stack, panel(stack))
    assert all((zone.value == 1).all() for zone in kept.zones.values())
    assert (kept.accuracy.value == 0).all()
    assert directions.equivalent(kept.accuracy, 0.01) == ["equivalent"] * 2
    assert directions.equivalent(kept.accuracy, 1e-4) == ["undecided"] * 2


def test_zones_are_those_of_the_line(explicit):
    """The network of the slabs against that of the line: they differ on exceptions alone."""
    other = panel(explicit["achievable"])
    kept = directions.measure_effect(explicit["simple"], other)
    assert [zone.value.tolist() for zone in kept.zones.values()] == [[1, 1], [1, 1], [0, 0]]
    assert (kept.accuracy.low > 0.02).all() and (kept.accuracy.high < 0.09).all()


@pytest.mark.parametrize("low, high, word", [
    (-0.049, 0.049, "equivalent"), (-0.051, 0.01, "undecided"), (0.04, 0.06, "undecided"),
    (0.05, 0.06, "different"), (-0.2, -0.05, "different"),
])  # fmt: skip
def test_a_change_is_none_where_both_one_sided_tests_say_so(low, high, word):
    change = Estimate(*np.array([[(low + high) / 2], [low], [high]]))
    assert directions.equivalent(change, 0.05) == [word]


def test_the_other_coordinates_are_told_by_what_reads_them(explicit, fitted):
    line, slabs = (directions.others_decoded(explicit[rule]) for rule in explicit)
    assert (abs(line.value) < 0.01).all() and (line.low < line.value).all()
    assert (slabs.value > 0.5 / 49).all() and (slabs.value < 1 / 49).all()  # of 49 it reads one
    assert (slabs.low < slabs.value).all() and (slabs.low > 0).all()
    ablated = directions.intervene(explicit["achievable"], directions.ablate(fitted["achievable"]))
    assert (abs(directions.others_decoded(ablated).value - slabs.value) < 0.1 / 49).all()


def test_a_mean_difference_of_more_pairs_is_nearer_to_that_of_another_draw(trained):
    quality = directions.quality_of_pairs(trained, pairs=(1, 64))
    single, many = quality.cosine.T
    assert (single < many).all() and (many > 0.9).all()
    assert (quality.switched[:, 1] > 0.9).all() and quality.pairs == (1, 64)


def test_points_of_a_shift_are_turned_as_those_of_the_training_set(explicit):
    margin = explicit["simple"].cell.task.margins["linear"]
    inside = directions.activities(panel(explicit["simple"]).under("margin"), points=500)[1]
    everywhere = directions.activities(explicit["simple"], points=500)[1]
    spread = [np.abs(np.diff(each.means, axis=0)).max() for each in (inside, everywhere)]
    assert (
        np.ptp(inside.hidden, axis=0).max() < 2.5 * margin < np.ptp(everywhere.hidden, axis=0).max()
    )
    assert spread[0] < 0.02 < spread[1]


def test_bad_doses_pairs_and_margins_are_refused_in_one_line(explicit, fitted):
    stack, own = explicit["simple"], fitted["simple"]
    alone = panel(panel(stack).members[0], panel(stack).data[0])
    unread = panel(lambda x: x[:, 0], panel(stack).data[0])
    for call, message in [
        (lambda: directions.dose_response(stack, own, doses=(0, np.nan)), "dose: got nan, allow"),
        (lambda: directions.dose_response(stack, own, doses=(1, 0)), "doses: got [1, 0], allowed"),
        (lambda: directions.dose_response(stack, own, doses=(1,)), "doses: got [1], allowed: incr"),
        (lambda: directions.dose_response(alone, own), "arrays: got '2 of them', allowed: 1, one"),
        (lambda: directions.dose_response(stack, own, confidence=1), "confidence: got 1, allowed"),
        (lambda: directions.quality_of_pairs(stack, pairs=(0,)), "pairs: got 0, allowed: an int"),
        (lambda: directions.quality_of_pairs(stack, pairs=(5000,)), "pairs: got 5000, allowed: "),
        (
            lambda: directions.quality_of_pairs(unread),
            "network: got '<lambda>', allowed: one whose",
        ),
        (lambda: directions.others_decoded(stack, layer=1), "layer: got 1, allowed: an integer in"),
        (
            lambda: directions.others_decoded(stack, points=99),
            "points: got 99, allowed: an integer",
        ),
        (
            lambda: directions.measure_projection(alone, alone, own),
            "directions: got '2 of them', allowed: 1, one a network",
        ),
        (lambda: directions.measure_effect(stack, alone), "edited: got 'seeds [0]', allowed: "),
        (lambda: directions.equivalent(Estimate(*np.zeros((3, 1))), 0.0), "margin: got 0.0, allow"),
        (lambda: directions.label_gap(stack.cell.task, 50), "coordinate: got 50, allowed: an int"),
    ]:
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).startswith(message) and "\n" not in str(error.value)
