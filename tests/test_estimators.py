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


@pytest.mark.thorough
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


PATHS = {  # of those that are nothing without
    "import": {"path": "sklearn.ensemble:ExtraTreesClassifier"},
    "torch": {"module": "test_estimators:perceptron", "train": "test_estimators:by_adam"},
}


def perceptron(inputs, classes, width=16, outputs=None):
    nn = pytest.importorskip("torch").nn
    hidden = nn.Linear(inputs, width)
    return nn.Sequential(hidden, nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, outputs or classes))


def by_adam(module, x, y, seed):
    torch = pytest.importorskip("torch")
    assert x.dtype == torch.float32 and y.dtype == torch.int64 and seed >= 0
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(100):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimiser.step()


FEWER = {  # trees, which are answers that take long
    "gradient-boosting": {"max_iter": 20},
    "random-forest": {"n_estimators": 20},
}


@pytest.mark.parametrize("name", ESTIMATORS.entries())
@pytest.mark.thorough
def test_every_estimator_is_the_same_when_it_is_fitted_again_from_its_seed(name):
    if ESTIMATORS.owns(name) and name not in ("nngp", "ntk"):
        pytest.importorskip("torch" if name == "torch" else "sklearn")
    settings = PATHS.get(name, {}) | FEWER.get(name, {})
    stacks = [
        simbias.train(TASK, simbias.estimator(name, **settings), n_train=300, seeds=[3])
        for _ in range(2)
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


# by import path


def test_a_class_is_imported_by_its_path_and_its_package_is_known():
    pytest.importorskip("sklearn")
    path = "sklearn.ensemble:ExtraTreesClassifier"
    trees = simbias.estimator("import", path=path, n_estimators=10)
    assert (
        trees.label == "ExtraTreesClassifier(n_estimators=10)" and "scikit-learn" in trees.versions
    )
    assert dict(trees.settings) == {"path": path, "n_estimators": 10}
    own = simbias.estimator("import", path="test_estimators:Guess")
    assert own.label == "Guess" and own.versions == {}
    assert simbias.train(TASK, own, n_train=20).outcome(0) == ("done", "fitted")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "allowed: 'package.module:name'$"),
        ("sklearn.ensemble.Trees", "allowed: 'package.module:name'$"),
        (".own:Trees", "allowed: 'package.module:name'$"),
        (3, "allowed: 'package.module:name'$"),
        ("no_such_module:Trees", "cannot be imported: ModuleNotFoundError: No module named"),
        ("simbias.models:Trees", "cannot be imported: AttributeError: "),
        ("os:system", r"a class with fit\(x, y\) and one of predict_proba, "),
        ("subprocess:Popen", r"a class with fit\(x, y\) and one of predict_proba, "),
        ("test_estimators:Unscored", r"a class with fit\(x, y\) and one of predict_proba, "),
    ],
)
def test_a_path_to_what_cannot_be_fitted_or_asked_is_refused_in_one_line(path, allowed):
    with pytest.raises(ValueError, match=f"^estimator import: path: .*{allowed}") as refused:
        simbias.estimator("import", path=path)
    assert "\n" not in str(refused.value)


class Unscored:
    def fit(self, x, y):
        """Learn nothing, and say nothing."""


class Lost(Guess):
    def predict_proba(self, x):
        return np.full((len(x), 2), np.nan)


def test_scores_that_are_none_or_not_numbers_are_said_to_be_so():
    with pytest.raises(ValueError, match="^unscored: seed 0: classifier: got .*, allowed: a call"):
        simbias.train(TASK, Estimator("unscored", {}, lambda state: Unscored()), n_train=20)
    three = Estimator("three", {}, lambda state: Classes(3))
    with pytest.raises(
        ValueError, match="^three: seed 0: classifier: got .scores of 3 classes., all"
    ):
        simbias.train(TASK, three, n_train=20)
    lost = simbias.train(TASK, Estimator("lost", {}, lambda state: Lost()), n_train=20)
    (fault,) = validate(lost, n_certify=2000).faults
    assert "not finite" in fault


class Classes(Guess):
    def __init__(self, count):
        self.count = count

    def predict_proba(self, x):
        return np.zeros((len(x), self.count))


def test_a_torch_module_with_its_training_is_an_estimator():
    torch = pytest.importorskip("torch")
    before = torch.random.get_rng_state()
    named = simbias.models.torch_learner("own", perceptron, by_adam, width=8)
    by_path = simbias.estimator("torch", **PATHS["torch"], width=8)
    assert (named.label, by_path.label) == ("own(width=8)", "perceptron(width=8)")
    assert list(by_path.versions) == ["torch"] and dict(named.settings) == {"width": 8}
    fitted = simbias.train(TASK, named, n_train=300, seeds=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    report = validate(fitted, n_certify=2000)
    assert np.all(report.risk.value < 0.2) and fitted.members[0].kind == "logits"
    wrong = simbias.models.torch_learner("wrong", perceptron, by_adam, outputs=3)
    with pytest.raises(
        ValueError, match="^wrong: seed 0: classifier: got .scores of 3 classes., all"
    ):
        simbias.train(TASK, wrong, n_train=20)

    def broken(*_):
        raise IndexError("of one's own")

    for make, train, words in (
        (lambda *_: 3, by_adam, "module: got 3, allowed: a torch module$"),
        (perceptron, lambda *_: 3, "train: got 3, allowed: the trained module, or None$"),
        (perceptron, broken, "train: IndexError: of one's own$"),
    ):
        other = simbias.models.torch_learner("other", make, train)
        with pytest.raises(ValueError, match=f"^other: seed 0: {words}"):
            simbias.train(TASK, other, n_train=20)
    with pytest.raises(
        ValueError, match="^estimator torch: setting: unknown name 'widht', nearest"
    ):
        simbias.estimator("torch", **PATHS["torch"], widht=8)


def test_without_torch_its_estimator_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ValueError, match="^estimator: own needs PyTorch, which is not installed: p"
    ):
        simbias.models.torch_learner("own", perceptron, by_adam)


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
