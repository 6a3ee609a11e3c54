"""Estimators: trained, certified and told of as networks are, and the same when fitted again."""

import sys
import warnings

import numpy as np
import pytest

import simbias
from simbias import plots, tasks, validate
from simbias.bounds import evaluate
from simbias.models import Estimator
from simbias.models.estimators import random_state
from simbias.registry import ESTIMATORS
from simbias.validation import measure_grids

TASK = tasks.get("noisy-lms-7", dim=4)
GRID = {"resolution": 21, "contexts": 4, "planes": 1, "coordinates": [2]}


class Guess:
    """A learner that says 0."""

    def fit(self, x, y):
        """Learn nothing."""

    def predict(self, x):
        return np.zeros(len(x), int)


def test_a_random_forest_is_trained_as_a_network_is_and_certified(tmp_path):
    pytest.importorskip("sklearn")
    forest = simbias.estimator("random-forest", n_estimators=20)
    stack = simbias.train(TASK, forest, n_train=600, seeds=[3, 5])
    report = validate(stack, n_certify=2000)
    assert report.seeds == stack.seeds == (3, 5) and report.faults == ("", "")
    assert np.all(report.train_accuracy > 0.98) and np.all(report.exceptions.memorised.low > 0.1)
    rows = report.exceptions.rows(5)
    assert np.array_equal(rows.fitted_since >= 0, rows.margin > 0)
    certificate, norm = evaluate(
        stack.some([5]), bounds=["clopper-pearson", "l2-norm"], n_certify=2000
    )
    assert certificate.valid and certificate.risk == report.risk.value[1]
    assert report.risk.value[1] < certificate.record.value < report.risk.value[1] + 0.1
    assert norm.record.reason == "the network is an MLP: no layers"
    assert plots.boundary(stack, seed=5, resolution=12, contexts=8).save(tmp_path / "forest.png")
    assert measure_grids(stack, **GRID).given.shape == (2, 1, 2, 21, 21)


@pytest.mark.parametrize("name", ESTIMATORS.entries())
def test_every_estimator_is_the_same_when_it_is_fitted_again_from_its_seed(name):
    if ESTIMATORS.owns(name):
        pytest.importorskip("sklearn")
    stacks = [
        simbias.train(TASK, simbias.estimator(name), n_train=300, seeds=[3]) for _ in range(2)
    ]
    (first,), (other,) = (stack.members for stack in stacks)
    x = simbias.data(TASK, n_train=300, seed=4).x
    assert np.array_equal(first.scores(x), other.scores(x))
    assert np.array_equal(stacks[0].data[0].x, simbias.data(TASK, n_train=300, seed=3).x)
    assert validate(stacks[0], n_certify=2000).train_accuracy > 0.9


def test_seeds_and_settings_give_other_random_states():
    plain, other = Estimator("e", {}, int), Estimator("e", {"depth": 2}, int)
    states = [
        random_state(estimator, seed) for estimator in (plain, other) for seed in (0, 1, 2**40)
    ]
    assert len(set(states)) == 6 and min(states) >= 0 and max(states) < 2**31
    assert random_state(Estimator("e", {}, float), 1) == states[1]


def test_a_learner_of_another_package_needs_a_fit_and_scores():
    class Nearest:
        def fit(self, x, y):
            self.means = np.stack([x[y == label].mean(axis=0) for label in (0, 1)])

        def __call__(self, x):
            return -((x[:, None] - self.means) ** 2).sum(axis=2)

    means = Estimator("means", {}, lambda state: Nearest())
    stack = simbias.train(TASK, means, n_train=600, seeds=2)
    report = validate(stack, n_certify=2000)
    assert np.all(report.risk.value < 0.1) and stack.outcome(0) == ("done", "fitted")
    assert stack.cell.settings["estimator"] == {"name": "means"}


def test_a_learner_that_warns_has_not_converged():
    class Loud(Guess):
        def fit(self, x, y):
            warnings.warn("gave up\nearly", stacklevel=1)

    stack = simbias.train(TASK, Estimator("loud", {}, lambda state: Loud()), n_train=20)
    assert stack.outcome(0) == ("not-converged", "gave up early")


def test_what_an_estimator_does_not_have_is_refused(monkeypatch):
    estimator = Estimator("e", {}, int)
    with pytest.raises(ValueError, match="^method: got .*, allowed: nothing: an estimator fits"):
        simbias.train(TASK, estimator, simbias.sgd(), n_train=20)
    with pytest.raises(ValueError, match="^batch: got 5, allowed: nothing"):
        simbias.train(TASK, estimator, n_train=20, batch=5)
    with pytest.raises(ValueError, match="^method: got None, allowed: a Method$"):
        simbias.train(TASK, simbias.MLP(8, 1), n_train=20)
    with pytest.raises(ValueError, match="^settings: got .*, allowed: numbers, words and lists"):
        Estimator("e", {"kernel": abs}, int)
    with pytest.raises(ValueError, match="^estimator: unknown name 'random-forests', nearest: r"):
        simbias.estimator("random-forests")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ValueError, match="needs scikit-learn, which is not installed: pip install"):
        simbias.estimator("random-forest")


def test_an_unknown_setting_of_an_estimator_has_its_nearest():
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="unknown name 'n_estimator', nearest: n_estimators"):
        simbias.estimator("random-forest", n_estimator=10)
    with pytest.raises(ValueError, match="unknown name 'random_state'"):
        simbias.estimator("random-forest", random_state=1)


# data frames


def test_reports_and_stacks_are_data_frames_where_pandas_is_installed(trained):
    pandas = pytest.importorskip("pandas")
    report = validate(trained, n_certify=2000)
    measured, stack = report.to_frame(), trained.to_frame()
    assert isinstance(measured, pandas.DataFrame) and measured.seed.tolist() == [0, 1, 2, 3]
    assert measured.risk.tolist() == report.risk.value.tolist()
    assert (measured.risk_low < measured.risk).all() and (measured.risk < measured.risk_high).all()
    assert stack.updates.tolist() == [200] * 4 and set(stack.status) == {"done"}
    assert stack.train_accuracy[1] == trained.traces[1][-1, 2]
    fitted = simbias.train(TASK, Estimator("e", {}, lambda state: Guess()), n_train=20).to_frame()
    assert fitted.loc[0, ["estimator", "seed", "status"]].tolist() == ["e", 0, "done"]


def test_without_pandas_a_data_frame_is_refused_in_one_line(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ValueError, match="^pandas is not installed, and a data frame needs it: pi"):
        trained.to_frame()
