"""What is forgotten on a second training set, and where ways of stopping keep a network."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import simbias
from simbias.quantities import Subject, declared
from simbias.tasks import LabelNoise
from simbias.training import Cell, fit
from simbias.training.course import course
from simbias.training.fit import TRACE
from simbias.training.jobs import Job, SecondJob, Snapshot, train_jobs
from simbias.training.problem import problem_of, training_set
from simbias.training.stop import End
from simbias.validation import forgetting_auc, forgetting_times, stopped
from simbias.validation.forgetting import check_second
from simbias.validation.learning_times import NEVER, told_apart
from simbias.validation.stopping import first_minimum, patient

TASK = simbias.tasks.get("noisy-lms-5", dim=4)  # as the examples have it
STOP = simbias.Stop(max_updates=200, check_every=100)
CELL = Cell(TASK, simbias.MLP(8), simbias.sgd(), n_train=1000, stop=STOP)
NOISY = replace(CELL, label_noise=LabelNoise(alpha=1))
SELECT = TRACE.index("select_accuracy")


@pytest.fixture(scope="module")
def noisy():
    settings = {"n_train": 1000, "seeds": 2, "stop": STOP, "label_noise": NOISY.label_noise}
    return simbias.train(TASK, NOISY.network, NOISY.method, **settings)


@pytest.mark.thorough
def test_a_second_set_follows_the_first_in_its_stream_and_shares_no_point():
    first, second = (training_set(NOISY, problem_of(*of(NOISY, 3))) for of in (Job, SecondJob))
    both = training_set(replace(NOISY, n_train=2000), problem_of(replace(NOISY, n_train=2000), 3))
    for part in ("x", "y", "clean", "exception"):
        halves = np.concatenate([getattr(first, part), getattr(second, part)])
        assert np.array_equal(halves, getattr(both, part))


@pytest.mark.thorough
def test_a_course_from_check_to_check_is_one_training(noisy):
    jobs = [Job(NOISY, seed) for seed in noisy.seeds]
    (early, _), (late, last) = course(jobs)
    assert (early, late) == (100, 200)
    for i, job in enumerate(jobs):
        assert np.array_equal(last[job].trace, noisy.traces[i])
        assert np.array_equal(last[job].state.fitted_since, noisy.fitted_since[i])
        same = jax.tree.map(
            lambda a, b, i=i: np.array_equal(a, b[i]), last[job].state.params, noisy.params
        )
        assert all(jax.tree.leaves(same)) and last[job].state.end == End.BUDGET


@pytest.mark.thorough
def test_what_is_not_answered_at_the_end_was_forgotten_and_what_comes_back_was_not(noisy):
    times = forgetting_times(noisy)
    assert set(np.unique(times)) <= {0, 100, 200, NEVER}
    job = SecondJob(NOISY, 0)
    states = {}
    program = fit.program(NOISY, 1000)
    params = jax.tree.map(lambda leaf: leaf[0], noisy.params)
    begun = jax.device_get(fit.start_from(program, problem_of(*job), params))
    start = Snapshot(begun, np.zeros((0, len(TRACE)), np.float32))
    for update in (100, 200):
        (ended,) = train_jobs([job], saved={job: start}, n_select=1000, until=update).values()
        states[update] = ended.state.params
    data = simbias.models.panel(noisy).data[0]
    right = np.array(
        [noisy.fitted_since[0] >= 0]
        + [
            (np.asarray(NOISY.network.apply(states[update], data.x)).argmax(axis=1) == data.y)
            for update in (100, 200)
        ]
    )
    by_hand = np.select([right[2], right[1], right[0]], [NEVER, 200, 100], default=0)
    assert np.array_equal(times[0], by_hand)


@pytest.mark.thorough
def test_the_probability_of_being_forgotten_first_is_that_of_the_earlier_time(noisy):
    times = forgetting_times(noisy)
    late = told_apart(noisy, "flips", "exceptions", times)
    assert forgetting_auc(noisy) == pytest.approx(1 - late)
    subject = Subject(noisy, n_certify=500, confidence=0.95)
    named = declared()["flips_forgotten"]
    assert named.compute(subject, "exceptions").value == pytest.approx(1 - late)


@pytest.mark.slow
def test_a_way_of_stopping_keeps_the_network_of_the_check_that_it_names(noisy):
    curve = np.array([[100, 0, 0, 0.9, 0, 0], [200, 0, 0, 0.8, 0, 0]], np.float32)
    rising = curve.copy()
    rising[1, SELECT] = 0.95
    planted = replace(noisy, traces=(curve, rising))
    for way in ("clean", "patient"):
        kept = stopped(planted, way).params
        last = jax.tree.map(lambda a, b: np.array_equal(a[1], b[1]), kept, noisy.params)
        first = jax.tree.map(lambda a, b: np.array_equal(a[0], b[0]), kept, noisy.params)
        assert all(jax.tree.leaves(last)) and not all(jax.tree.leaves(first))
    subject = Subject(noisy, n_certify=500, confidence=0.95)
    for way in ("noisy", "none"):  # two checks have no minimum between them
        gain = declared()["stopping_gain"].compute(subject, way)
        assert ((gain.low <= gain.value) & (gain.value <= gain.high)).all()
    assert (gain.value == 0).all()


def test_patience_ends_at_the_best_before_the_jump_and_changes_at_their_first_minimum():
    plateau = np.array([0.5, 0.52, *[0.5] * 6, 0.99])
    assert patient(plateau) == 1 and patient(plateau[[0, 1, 2, 8]]) == 3
    assert first_minimum(np.array([9.0, 5, 4, 3, 4, 9, 9])) == 4
    assert first_minimum(np.array([9.0, 5, 4, 3, 2, 1])) == 5
    assert first_minimum(np.array([9.0])) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda stack: stopped(stack, "late"), "^way: unknown name 'late'"),
        (
            lambda stack: stopped(replace(stack, cell=CELL), "noisy"),
            "^way: got 'noisy', allowed: clean, patient or none",
        ),
        (
            lambda stack: check_second(of_few_points()),
            "^n_train: got 1000, allowed: at most half of 1258",
        ),
    ],
)
@pytest.mark.thorough
def test_what_cannot_be_stopped_or_forgotten_is_refused_in_one_line(noisy, call, words):
    with pytest.raises(ValueError, match=words) as error:
        call(noisy)
    assert "\n" not in str(error.value)


def of_few_points():
    return Cell(simbias.tasks.get("digits"), simbias.MLP(8), simbias.sgd(), n_train=1000)
