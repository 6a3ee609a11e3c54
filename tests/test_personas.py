"""Personas: who labels what, who is outvoted, and answers that are drawn."""

from itertools import product

import jax
import numpy as np
import pytest

import simbias
from simbias import tasks
from simbias.models import Sampled
from simbias.plots.run import Chosen
from simbias.registry import FIGURES
from simbias.tasks import PersonasTask
from simbias.validation.personas import check_personas

ROWS = 20_000


@pytest.fixture(scope="module")
def drawn():
    """A task of four personas, a data set's law, and training points and fresh ones."""
    task = PersonasTask(dim=5, personas=4, proportion=0.4)
    law = task.law(jax.random.key(0))
    points = [task.draw(law, jax.random.key(1), split, ROWS) for split in ("train", "certify")]
    return task, law, *jax.device_get(points)


def answers(task, law, points):
    """What each persona says, read off the coordinates in NumPy."""
    x = np.asarray(points.x, np.float64) @ np.asarray(law.rotation, np.float64).T
    width = 2 * (1 - 4 * 0.1) / 5
    slab = np.abs(np.round(x / (width + 0.2))).astype(int) % 2
    spoken = slab[:, : task.personas]
    spoken[:, 1] = x[:, 1] > 0
    return spoken


def near(proportion, expected):
    return proportion == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / ROWS))


@pytest.mark.thorough
def test_each_persona_s_answer_is_written_in_its_coordinate_and_the_good_one_s_is_clean(drawn):
    task, law, train, fresh = drawn
    spoken = answers(task, law, fresh)
    assert (fresh.y == spoken[:, 0]).mean() > 0.9999 and (fresh.y == fresh.clean).all()
    assert ((spoken[:, 1] != spoken[:, 0]) == fresh.exception).mean() > 0.9999
    assert near(fresh.exception.mean(), 0.5)


@pytest.mark.thorough
def test_a_training_point_has_a_persona_s_label_at_its_share(drawn):
    task, law, train, _ = drawn
    spoken = answers(task, law, train)
    for persona, proportion in enumerate((0.4, 0.2, 0.2, 0.2)):
        assert near((train.y == spoken[:, persona]).mean(), proportion + (1 - proportion) / 2)


def test_the_good_one_is_outvoted_where_all_others_agree_against_it(drawn):
    task, law, _, fresh = drawn
    assert task.outvoted == 1 / 8
    against = (answers(task, law, fresh)[:, 1:] != fresh.y[:, None]).all(axis=1)
    assert ((fresh.achievable != fresh.y) == against).mean() > 0.9999
    assert near(against.mean(), 1 / 8)


@pytest.mark.parametrize(("personas", "proportion"), [(10, 0.2), (10, 0.35), (5, 0.6)])
def test_how_often_it_is_outvoted_is_counted_over_all_patterns(personas, proportion):
    others = (1 - proportion) / (personas - 1)
    total = 0.0
    for against in product((0, 1), repeat=personas - 1):
        wrong = others * sum(against)
        total += 1.0 if wrong > 0.5 + 1e-9 else 0.5 if wrong > 0.5 - 1e-9 else 0.0
    task = PersonasTask(personas=personas, proportion=proportion)
    assert task.outvoted == pytest.approx(total / 2 ** (personas - 1))
    assert task.outvoted == 0 or proportion < 0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"proportion": 0.1}, "proportion: got 0.1, allowed: more than 1 / 10"),
        ({"proportion": 1.2}, "proportion: got 1.2"),
        ({"personas": 1}, "personas: got 1"),
        ({"dim": 5}, "dim: got 5, allowed: at least the number of personas, 10"),
        ({"slabs": 4}, "slabs"),
    ],
)
def test_personas_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        tasks.get("personas", **settings)


class Even:
    label, kind, stochastic = "even", "probabilities", False

    def scores(self, x):
        return np.tile([0.3, 0.7], (len(x), 1))


def test_sampled_answers_have_the_law_of_the_probabilities():
    drawn = Sampled(Even()).scores(np.zeros((ROWS, 2), np.float32), jax.random.key(0))
    assert near(drawn[:, 1].mean(), 0.7) and (drawn.sum(axis=1) == 1).all()


def test_what_has_no_probabilities_cannot_be_sampled():
    sign = simbias.models.classifier(lambda x: x[:, 0])
    with pytest.raises(ValueError, match="^classifier: got .*, allowed: logits or probabilities"):
        Sampled(sign)


@pytest.fixture(scope="module")
def trained():
    task = PersonasTask(dim=4, personas=3, proportion=0.4)  # as the examples have it
    stop = simbias.Stop(max_updates=200)
    return simbias.train(task, simbias.MLP(8), simbias.sgd(), n_train=1000, seeds=2, stop=stop)


@pytest.mark.thorough
def test_the_figure_of_a_run_shows_its_traces_and_whose_answers_are_given_by_zone(
    trained, tmp_path
):
    store = simbias.runner.keep(trained, tmp_path / "run", n_certify=1000)
    name, display = FIGURES.factory("personas")(Chosen(store))
    course, zones = display.panels
    (line,) = course.lines
    assert name == "personas" and line.label == "1k labels, batch 256"
    assert line.x.tolist() == trained.traces[0][:, 0].tolist()
    assert line.value == pytest.approx(np.mean([trace[:, 3] for trace in trained.traces], axis=0))
    assert (line.law == 1 - trained.cell.task.outvoted).all()
    (line,) = zones.lines
    answers = simbias.validation.measure_personas(trained)
    assert line.value == pytest.approx(answers.agreement.value[:, :, 0].mean(axis=0), nan_ok=True)
    assert line.law == pytest.approx([1, 1, np.nan, 0], nan_ok=True)
    assert len(zones.places) == len(answers.zones)


@pytest.mark.thorough
def test_by_zone_the_law_is_the_good_one_where_it_is_ahead_and_others_where_it_is_outvoted(trained):
    greedy, sampled = (
        simbias.validation.measure_personas(trained, how, n_certify=ROWS)
        for how in ("greedy", "sampled")
    )
    ahead, outvoted = [0, 1], [3]  # with the linear one against it, and the third
    assert (greedy.law[:, ahead, 0] == 1).all() and (greedy.law[:, outvoted, 0] == 0).all()
    assert (greedy.points[:, 2] == 0).all() and np.isnan(greedy.agreement.value[:, 2]).all()
    assert near(greedy.points[0, 3] / ROWS, 0.25)
    proportion = greedy.points[:, :, None] / ROWS
    by_law = np.nansum(proportion * np.nan_to_num(sampled.law), axis=1)
    assert by_law[0] == pytest.approx([0.7, 0.65, 0.65], abs=0.02)
    accuracy = 1 - simbias.validate(trained, n_certify=ROWS).risk.value
    both = np.nansum(proportion[:, :, 0] * np.nan_to_num(greedy.agreement.value[:, :, 0]), axis=1)
    assert both == pytest.approx(accuracy, abs=0.02)
    quantity = simbias.quantities.declared()["good_answers"]
    subject = simbias.quantities.Subject(trained, n_certify=ROWS, confidence=0.95)
    measured = quantity.compute(subject, "ahead", "greedy").value
    assert (measured == greedy.agreement.value[:, 1, 0]).all()


@pytest.mark.thorough
def test_a_task_without_personas_has_no_zones(trained):
    with pytest.raises(ValueError, match="^task: got 'lms-5', allowed: personas"):
        check_personas(tasks.get("lms-5"))
