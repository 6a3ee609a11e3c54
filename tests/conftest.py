"""The data that several modules share, and the order in which processes take the modules."""

import start

# isort: split
import gc

import jax
import numpy as np
import pytest
from hypothesis import settings

import simbias
from simbias import _programs

settings.register_profile("simbias", deadline=None, database=None, derandomize=True)
settings.load_profile("simbias")

ROWS = 20_000  # one sample size for all tests of the laws, so that programs are shared


# Files whose tests share a trained network, by its fixture, run in one process.
TOGETHER = {"snapshots": "cell"} | dict.fromkeys(("exclusive", "rings", "pictures"), "own tasks")
# So do those whose small cells have one shape, which is compiled once.
ALIKE = (
    "test_claims_runner", "test_claims_session", "test_failures", "test_quantities",
    "test_surroundings",
)  # fmt: skip
# What takes longest begins first, so that no process is left alone with it at the end.
LONGEST = (
    "cell", "small cells", "test_examples", "test_trajectories", "test_independence",
    "test_learners", "test_bounds_contract", "test_cli",
)  # fmt: skip


def pytest_configure(config):
    config.option.loadscopereorder = False  # by the number of tests, which says little


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items):
    group = {item.path: "small cells" for item in items if item.path.stem in ALIKE}
    for item in items:
        for name in TOGETHER.keys() & set(item.fixturenames):
            group[item.path] = TOGETHER[name]
    groups = {item: group.get(item.path, item.path.stem) for item in items}
    for item, name in groups.items():
        item.add_marker(pytest.mark.xdist_group(name))
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(groups[item], len(LONGEST)))


def pytest_runtest_setup():
    start.calls.clear()


def pytest_collection_finish():
    """What is imported stays: the collector, which asks JAX too, need not see it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def room():
    """What one file compiles must leave room for the others of its process."""
    yield
    _programs.make_room()


def _forward(params, x, activation=lambda h: np.maximum(h, 0)):
    x = np.asarray(x, np.float64)
    layers = [params["layers"][i] for i in range(len(params["layers"]))]
    for i, layer in enumerate(layers):
        x = x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)
        x = activation(x) if i < len(layers) - 1 else x
    return x


@pytest.fixture(scope="session")
def forward():
    """The forward pass of an MLP's parameters, in NumPy float64, written independently."""
    return _forward


@pytest.fixture(scope="session")
def draws():
    """Unrotated draws (x float64, y) of a catalogue task by name, drawn once a session."""
    samples = {}

    def sample(name):
        if name not in samples:
            x, y = simbias.tasks.get(name).sample(jax.random.key(20), ROWS)
            samples[name] = np.asarray(x, np.float64), np.asarray(y)
        return samples[name]

    return sample


@pytest.fixture(scope="session")
def cell():
    """A small cell: 200 updates with two checks on noisy-lms-7."""
    return simbias.training.Cell(
        simbias.tasks.get("noisy-lms-7"),
        simbias.MLP(100, 1),
        simbias.sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-5),
        n_train=4000,
        batch=256,
        stop=simbias.Stop(max_updates=200, check_every=100),
    )


@pytest.fixture(scope="session")
def snapshots(cell):
    """Four seeds of the small cell trained on two devices, by job."""
    from simbias.training.jobs import Job, train_jobs

    return train_jobs([Job(cell, seed) for seed in range(4)], n_select=2000)


@pytest.fixture(scope="session")
def trained(cell, snapshots):
    """The same as a stack."""
    from simbias.training.stack import assemble

    return assemble(cell, {job.seed: snapshot for job, snapshot in snapshots.items()})


@pytest.fixture(scope="session")
def exclusive():
    """Two networks that learned an exclusive or of noisy labels."""
    from own_tasks import train

    stop = simbias.Stop(max_updates=1000, check_every=200)
    task = simbias.tasks.XorTask(dim=3, margin=0.3, noise=0.2)
    return train(task, 1000, seeds=2, stop=stop)


@pytest.fixture(scope="session")
def rings():
    """Two networks that learned three rings."""
    from own_tasks import Rings, train

    return train(Rings(), 600, depth=2, seeds=2)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A network that learned pictures of three classes, kept in a file."""
    from own_tasks import images, train

    file = tmp_path_factory.mktemp("points") / "pictures.npz"
    x, y = images()
    np.savez(file, x=x, y=y)
    return train(simbias.tasks.ArrayTask.load(file), 300)
