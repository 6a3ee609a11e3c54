"""Learners and tasks of other packages, as their users would have them: from a suite to figures.

Each is registered as an entry point would, run by the command line, stopped in its middle, resumed,
drawn and bounded by a held-out certificate.
"""

import json

import numpy as np
import pytest
import test_learners as learners
from own_tasks import Rings, images

from simbias import suites
from simbias._registry import Entry
from simbias.cli import main
from simbias.models import Estimator
from simbias.models.estimators import scikit
from simbias.networks import Module
from simbias.registry import ESTIMATORS, METHODS, NETWORKS, TASKS
from simbias.results import Store
from simbias.runner import execute
from simbias.runner.plan import make_plan
from simbias.tasks import ArrayTask

SGD = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}
MLP = {"name": "mlp", "width": 16}
METHODS_OF_ONES_OWN = {"second-head": learners.last_layer}
NETWORKS_OF_ONES_OWN = {
    "dropout": learners.Dropout,
    "convolutional": learners.Convolutional,
    "recurrent": learners.Recurrent,
}


def network(name):
    return lambda classes=2: Module(name, NETWORKS_OF_ONES_OWN[name], classes=classes)


def ensemble(n_estimators=5):
    """Trees on resampled points, whose answers are averaged."""
    return scikit("ensemble", "sklearn.ensemble:BaggingClassifier", n_estimators=n_estimators)


class TorchMLP:
    def __init__(self, state, width):
        self.torch, self.width = pytest.importorskip("torch"), width
        self.torch.manual_seed(state)

    def fit(self, x, y):
        nn, x, y = self.torch.nn, self.torch.tensor(x), self.torch.tensor(y).long()
        self.net = nn.Sequential(
            nn.Linear(x.shape[1], self.width), nn.ReLU(), nn.Linear(self.width, 2)
        )
        optimiser = self.torch.optim.Adam(self.net.parameters(), lr=1e-2)
        for _ in range(200):
            optimiser.zero_grad()
            nn.functional.cross_entropy(self.net(x), y).backward()
            optimiser.step()

    def decision_function(self, x):
        with self.torch.no_grad():
            scores = self.net(self.torch.tensor(np.asarray(x, np.float32))).numpy()
        return scores[:, 1] - scores[:, 0]


def torch_mlp(width=16):
    """A network of another framework."""
    return Estimator("torch-mlp", {"width": width}, lambda state: TorchMLP(state, width), "torch")


def trained(name="lms-7", **settings):
    """The cell of a network in a suite file."""
    entries = {"task": name, "network": MLP, "method": SGD, "n_train": 300}
    return {**entries, "batch": 50, "stop": {"max_updates": 400}} | settings


def fitted(name, **settings):
    """The cell of an estimator in a suite file."""
    own = {"name": name, **settings}
    return {"experiment": "estimators", "task": "lms-7", "estimator": own, "n_train": 300}


CELLS = {
    **{name: trained(method={"name": name}) for name in METHODS_OF_ONES_OWN},
    "ema": trained(method={"name": "ema", "decay": 0.9}),
    **{
        name: trained(network={"name": name}, method={"name": "adam", "learning_rate": 0.01})
        for name in NETWORKS_OF_ONES_OWN
    },
    "cnn": trained(network={"name": "cnn", "filters": 4, "depth": 2}),
    "gru": trained(network={"name": "gru", "width": 16, "depth": 2}),
    "norm": trained(network={**MLP, "activation": "prelu", "dropout": 0.1, "layer_norm": True}),
    "random-forest": fitted("random-forest", n_estimators=5),
    **{name: fitted(name) for name in ("ensemble", "torch-mlp", "nngp", "ntk")},
    "import": fitted("import", path="sklearn.ensemble:BaggingClassifier"),
    "torch": fitted(
        "torch", module="test_estimators:perceptron", train="test_estimators:by_adam", width=8
    ),
    **{name: trained(name) for name in ("xor", "rings", "digits")},
}
QUICK = ("random-forest",)  # each of the others compiles a training: slow tests


@pytest.fixture
def house(monkeypatch, tmp_path):
    """Registries that know all of them, as if their packages were installed."""
    file = tmp_path / "digits.npz"
    x, y = images()
    np.savez(file, x=x, y=y)
    by_guest = {
        METHODS: METHODS_OF_ONES_OWN,
        NETWORKS: {name: network(name) for name in NETWORKS_OF_ONES_OWN},
        ESTIMATORS: {"ensemble": ensemble, "torch-mlp": torch_mlp},
        TASKS: {"rings": Rings, "digits": lambda points=None: ArrayTask.load(file, name="digits")},
    }
    for registry, factories in by_guest.items():
        original = registry.factory

        def factory(name, factories=factories, original=original):
            return factories[name] if name in factories else original(name)

        entries = {name: Entry("", "of one's own") for name in factories}
        monkeypatch.setitem(registry.__dict__, "_installed", entries)
        monkeypatch.setattr(registry, "factory", factory)


def suite_of(cell, path):
    """A suite file of one cell and two seeds."""
    words = json.dumps(cell).replace('": ', '" = ')
    path.write_text(
        'name = "house"\nsummary = "one learner"\nsource = "none"\n'
        f"[tasks.{cell['task']}]\nn_train = 300\n"
        f'[presets.only]\nsummary = "two seeds"\nseeds = 2\nn_certify = 120\ncells = [{words}]\n'
    )
    return path


class Stopping:
    """Asks to stop when the first has ended, or come further."""

    def __getattr__(self, name):
        def hear(*_):
            if name in ("advanced", "ended"):
                raise execute.Interrupted

        return hear


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CELLS],
)
@pytest.mark.thorough
def test_a_guest_is_trained_measured_stopped_resumed_drawn_and_bounded(
    name, house, tmp_path, capsys
):
    if "experiment" in CELLS[name]:
        pytest.importorskip("torch" if name.startswith("torch") else "sklearn")
    suite = suite_of(CELLS[name], tmp_path / "house.toml")
    at_once, stopped = tmp_path / "at-once", tmp_path / "stopped"
    assert main(["run", str(suite), "--preset", "only", "--out", str(at_once)]) == 0
    plan = make_plan(suites.load(str(suite)), "only")
    store = Store(stopped, create=True)
    execute.prepare(plan, store)
    with pytest.raises(execute.Interrupted):
        execute.execute(plan, store, Stopping())
    assert main(["run", str(suite), "--preset", "only", "--out", str(stopped)]) == 0
    table = "estimators" if "experiment" in CELLS[name] else "networks"
    asked = f"SELECT seed, status, train_accuracy, test_accuracy FROM {table} ORDER BY ALL"
    kept = Store(at_once).query(asked)[1]
    assert [row[:2] for row in kept] == [(0, "done"), (1, "done")]
    assert all(train > 0.55 and test > 0.5 for *_, train, test in kept)
    assert Store(stopped).query(asked)[1] == kept
    assert (at_once / "figures").is_dir() and list((at_once / "figures").glob("boundary*.png"))
    capsys.readouterr()
    asked = ["bounds", str(at_once), "--bounds", "clopper-pearson", "--n-certify", "120"]
    assert main(asked) == 0 and "clopper-pearson" in capsys.readouterr().out
