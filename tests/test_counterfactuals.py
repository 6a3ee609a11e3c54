"""Interventions beside changes of the input, and what layers tell, on networks that are known."""

import pytest

import simbias
from simbias import directions
from simbias.models import panel


def test_steering_the_network_of_one_line_is_what_changing_its_coordinate_is(trained):
    """The explicit simple network labels by the first coordinate: the answer is known."""
    simple = simbias.validation.control(trained.cell, "simple", seeds=2)
    fitted = directions.find(simple)
    untouched = directions.measure_effect(simple, panel(simple))
    assert (untouched.wanted.value == 1).all()  # a mirror image has the other label
    assert (untouched.switched.value == 0).all() and (untouched.agreed.value == 0).all()
    for target in (0.0, 1.0):
        steered = directions.intervene(simple, directions.steer(fitted, target))
        effect = directions.measure_effect(
            simple, steered, change=lambda z, target=target: 0 * z + target - 0.5
        )
        assert (effect.agreed.value == 1).all() and (abs(effect.switched.value - 0.5) < 0.05).all()
        assert (effect.agreed.low > 0.99).all()


@pytest.mark.thorough
def test_a_layer_of_the_line_alone_tells_nothing_within_the_margin_and_of_the_slabs_all(trained):
    """The control of both signs: networks whose hidden units are known."""
    rules = {
        rule: simbias.validation.control(trained.cell, rule, seeds=2)
        for rule in ("simple", "achievable")
    }
    decoded = {rule: directions.decodability(stack) for rule, stack in rules.items()}
    assert (decoded["achievable"].accuracy.low > 0.95).all()
    assert (decoded["achievable"].beyond.low > 0.3).all()
    for blind in (decoded["simple"].accuracy, decoded["simple"].shuffled):
        assert (abs(blind.value - 0.5) < 0.06).all()
    assert (abs(decoded["simple"].beyond.value) < 0.08).all()
    assert (abs(decoded["achievable"].random.value - 0.5) < 0.06).all()
    assert (decoded["simple"].points == 2000).all()
    everywhere = directions.decodability(rules["simple"], shift="none")
    assert (everywhere.accuracy.low > 0.9).all()


@pytest.mark.thorough
def test_the_slab_of_a_coordinate_that_a_network_does_not_read_is_lost_in_its_layer(trained):
    """A random layer keeps the coordinate; of label 0 the middle slab has half the mass."""
    stack = simbias.validation.control(trained.cell, "achievable", seeds=2)
    told = directions.decodability(stack, target="slab", probe="shallow", coordinate=1)
    assert (told.accuracy.value < 0.6).all() and (told.beyond.value < 0).all()
    assert (abs(told.points - 1000) < 100).all()


@pytest.mark.thorough
def test_a_counterfactual_asks_for_a_coordinate_and_an_edit_of_the_same_networks(trained):
    data = panel(trained).data[0]
    with pytest.raises(ValueError, match="^coordinate: got 50, allowed: an integer in .0, 49.$"):
        directions.counterfactual(data, data.x, coordinate=50)
    alone = panel(panel(trained).members[0], data)
    with pytest.raises(ValueError, match="^edited: got 'seeds .0.', allowed: .0, 1, 2, 3.$"):
        directions.measure_effect(trained, alone)
    for settings, message in [
        ({"target": "slabs"}, "^target: unknown name 'slabs', nearest: slab"),
        ({"probe": "deep"}, "^probe: unknown name 'deep', "),
        ({"shift": "margins"}, "^shift: unknown name 'margins', nearest: margin"),
        ({"layer": 1}, "^layer: got 1, allowed: an integer in .0, 0.$"),
    ]:
        with pytest.raises(ValueError, match=message):
            directions.decodability(trained, points=300, **settings)


def test_a_dose_along_the_difference_of_means_switches_the_label_and_a_control_does_not(trained):
    def ones(name, dose):
        fitted = directions.find(trained, name)
        edited = directions.intervene(trained, directions.add(fitted, dose))
        x = panel(trained).data[0].x[:500]
        return edited.members[0].scores(x).argmax(axis=1).mean()

    assert ones("mean-difference", 2.0) > 0.95 and ones("mean-difference", -2.0) < 0.05
    assert abs(ones("random", 1.0) - ones("random", 0.0)) < 0.25
