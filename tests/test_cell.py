"""A cell's identity, and the random keys that hang from it."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import block_tasks
import jax
import numpy as np
import pytest

from simbias import MLP, Stop, _keys, losses, sgd, tasks
from simbias._keys import STREAMS, identity_key, stream
from simbias.tasks.shifts import shifted
from simbias.training import Cell, cell_from_settings
from simbias.training.problem import problem_of
from simbias.training.stack import seed_list

# What is recorded here fixes every network of every run: a change orphans all published weights.
IDENTITY = (
    '{"method":{"momentum":0.9,"name":"sgd","weight_decay":5e-05},"n_train":40000,'
    '"network":{"name":"mlp"},"stop":{"train_accuracy":0.995},"task":{"name":"noisy-lms-7"}}'
)
SETTINGS = {
    "task": {
        "name": "noisy-lms-7",
        "dim": 50,
        "margin": {"linear": 0.1, "slab-7": 0.1},
        "noise": 0.1,
        "slabs": 7,
    },
    "network": {"name": "mlp", "width": 100, "depth": 1, "activation": "relu"},
    "method": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-05},
    "n_train": 40_000,
    "batch": 256,
    "stop": {
        "train_accuracy": 0.995,
        "train_loss": None,
        "max_updates": 40_000,
        "patience": None,
        "check_every": None,
        "select_accuracy": None,
    },
}
DIGEST = "674d3d389d205699de5170be4f4e569e25d424c5de0086c950cba57cc210ad62"
KEYS = {  # of seed 3, and of its mask 1
    "data": [1798512967, 3652796244],
    "initialisation": [3796464761, 311013448],
    "order": [1498038373, 359083515],
    "method": [3758435752, 3251031617],
}
MASKED = {
    "data": [734062590, 3863864403],
    "initialisation": [3101477388, 2788942996],
    "order": [4167609537, 168044149],
    "method": [4065869403, 2250822121],
}


def recorded():
    return Cell(
        tasks.get("noisy-lms-7"),
        MLP(100, 1),
        sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-5),
        n_train=40_000,
        stop=Stop(train_accuracy=0.995),
    )


def words(key):
    return np.asarray(jax.random.key_data(key)).tolist()


def test_identity_of_a_fixed_cell_is_the_recorded_one():
    cell = recorded()
    assert cell.identity == IDENTITY
    assert hashlib.sha256(cell.identity.encode()).hexdigest() == DIGEST
    assert cell.name == f"noisy-lms-7/(100,1)/{DIGEST[:6]}"


def keys(cell, seed, mask=None):
    return {name: own.tolist() for name, own in problem_of(cell, seed, mask).keys._asdict().items()}


def test_keys_of_a_fixed_network_are_the_recorded_ones():
    assert keys(recorded(), 3) == KEYS
    assert keys(recorded(), 3, 1) == MASKED
    assert words(identity_key('{"name":"noisy-lms-7"}', 3)) == KEYS["data"]
    assert words(identity_key('{"name":"mlp"}', 3)) == KEYS["initialisation"]
    assert words(identity_key('{"batch":256,"n_train":40000}', 3)) == KEYS["order"]
    assert words(identity_key("method", 3)) == KEYS["method"]


# which keys a change of a cell changes
HANG = {
    "task": {"data"},
    "network": {"initialisation"},
    "method": set(),
    "n_train": {"order"},
    "batch": {"order"},
    "stop": set(),
    "loss": set(),
}


@pytest.mark.parametrize("field", HANG)
def test_a_key_hangs_from_what_is_drawn_by_it_and_from_nothing_else(field):
    changed = {**CHANGES, "loss": losses.hinge()}[field]
    other = keys(replace(recorded(), **{field: changed}), 3)
    assert {name for name in KEYS if other[name] != KEYS[name]} == HANG[field]


def test_identity_and_key_are_the_same_in_another_process():
    code = (
        "from simbias import MLP, Stop, sgd, tasks\n"
        "from simbias.training import Cell\n"
        "from simbias.training.problem import problem_of\n"
        "c = Cell(stop=Stop(train_accuracy=0.995), n_train=40_000, network=MLP(depth=1, width=100),"
        " method=sgd(weight_decay=5e-5, momentum=0.9, learning_rate=0.1),"
        " task=tasks.get('noisy-lms-7'))\n"
        "print(c.identity)\n"
        "print({k: v.tolist() for k, v in problem_of(c, 3).keys._asdict().items()})\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout.splitlines()
    assert out == [IDENTITY, str(KEYS)]


CHANGES = {
    "task": tasks.get("noisy-lms-7", margin=0.05),
    "network": MLP(100, 2),
    "method": sgd(learning_rate=0.2, momentum=0.9, weight_decay=5e-5),
    "n_train": 40_001,
    "batch": 255,
    "stop": Stop(train_accuracy=0.99),
}


@pytest.mark.parametrize("field", CHANGES)
def test_every_setting_changes_the_identity(field):
    other = replace(recorded(), **{field: CHANGES[field]})
    assert other != recorded()
    assert other.identity != recorded().identity
    assert other.name != recorded().name


def test_equal_cells_are_one_cell():
    first, other = recorded(), replace(recorded(), n_train=np.int64(40_000), batch=np.int32(256))
    assert first == other and hash(first) == hash(other) and first.identity == other.identity


def test_equal_cells_have_one_identity_whatever_numbers_they_were_given_as():
    integral = replace(recorded(), stop=Stop(train_accuracy=1))
    other = replace(recorded(), stop=Stop(train_accuracy=1.0))
    assert integral == other
    assert integral.identity == other.identity


SLAB = tasks.get("noisy-lms-7").blocks[1]
OTHERS = {
    "unrotated": dict(rotated=False),
    "other laws": dict(blocks=(SLAB,) * 50),
    "other simple set": dict(simple_set=(1,)),
    "other settings": dict(settings={"dim": 50}),
    "other name": dict(name="mine"),
    "shifted by hand": dict(blocks=shifted(tasks.get("noisy-lms-7"), "margin").blocks),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_a_task_that_is_not_what_its_settings_say_makes_another_cell(change):
    task = replace(tasks.get("noisy-lms-7"), **change)
    cell = replace(recorded(), task=task)
    assert cell != recorded()
    assert cell.identity != recorded().identity and cell.name != recorded().name
    identities = {
        replace(recorded(), task=replace(task, **OTHERS[name])).identity for name in OTHERS
    }
    assert len(identities) > 1 and recorded().identity not in identities
    with pytest.raises(ValueError, match="setting: unknown name 'content'|unknown name 'mine'"):
        cell_from_settings(cell.settings)


@pytest.mark.parametrize("shift", ("margin", "even-slabs", "gaps"))
def test_a_shifted_task_is_known_by_its_shift(shift):
    task = shifted(tasks.get("noisy-lms-7", dim=3), shift)
    cell = replace(recorded(), task=task)
    assert cell.settings["task"] == {"name": "noisy-lms-7", **task.settings}
    assert cell.settings["task"]["shift"] == shift
    other = {"margin": "gaps", "even-slabs": "margin", "gaps": "even-slabs"}[shift]
    twice = replace(cell, task=shifted(task, other))
    assert "content" in twice.settings["task"]


def test_settings_that_change_after_a_cell_is_made_do_not_change_it():
    given = {"dim": 50, "margin": {"linear": 0.1, "slab-7": 0.1}, "noise": 0.1, "slabs": 7}
    task = replace(tasks.get("noisy-lms-7"), settings=given)
    given["margin"]["linear"] = 0.2
    assert task == tasks.get("noisy-lms-7")
    cell = replace(recorded(), task=task)
    cell.settings["task"]["margin"]["linear"] = 0.3
    task.settings["noise"] = 0.9
    assert cell.identity == IDENTITY and cell.settings == SETTINGS
    assert replace(cell).identity != IDENTITY  # made of a task that is not what it says


def test_what_goes_by_a_registered_name_is_what_is_registered():
    class Wider(MLP):
        pass

    with pytest.raises(ValueError, match="^network: got \"Wider as 'mlp'\", allowed: a name of it"):
        replace(recorded(), network=Wider(100, 1))
    method = replace(
        recorded().method, step=lambda hyper, loss, params, state, batch: (params, state)
    )
    with pytest.raises(
        ValueError, match="^method: got \"other functions as 'sgd'\", allowed: a name"
    ):
        replace(recorded(), method=method)
    assert replace(recorded(), method=replace(method, name="still")).identity != IDENTITY
    with pytest.raises(ValueError, match="^learning_rate: got -1"):
        replace(
            recorded(),
            method=replace(
                method, settings={"learning_rate": -1.0, "momentum": 0.0, "weight_decay": 0.0}
            ),
        )


@pytest.mark.parametrize("name", block_tasks.AVAILABLE)
def test_a_cell_is_made_again_from_its_settings(name):
    plane = "dim" not in tasks.get(name).settings
    cell = Cell(
        tasks.get(name, **({} if plane else {"dim": 12})),
        MLP(30, 2, "tanh"),
        sgd(learning_rate=0.3, momentum=0.5),
        n_train=100,
        batch=10,
        stop=Stop(train_loss=0.1, max_updates=50, patience=3),
    )
    back = cell_from_settings(json.loads(cell.identity))
    assert back == cell and back.identity == cell.identity
    assert back.settings == cell.settings
    assert cell_from_settings(json.loads(json.dumps(cell.settings))) == cell


def test_what_stands_at_its_default_is_no_part_of_an_identity():
    plain = Cell(tasks.get("ms-7"), MLP(), sgd(), n_train=1000)
    assert plain.identity == (
        '{"method":{"name":"sgd"},"n_train":1000,"network":{"name":"mlp"},"task":{"name":"ms-7"}}'
    )
    explicit = replace(
        plain,
        task=tasks.get("ms-7", dim=50, margin={"slab-7": 0.1}),
        network=MLP(100, 1, "relu"),
        method=sgd(learning_rate=0.1),
        batch=256,
        stop=Stop(max_updates=40_000),
    )
    assert explicit.identity == plain.identity


def test_integers_are_folded_into_a_key_as_jax_folds_them():
    drawn = np.random.default_rng(0).integers(2**32, size=(50, 3), dtype=np.uint32)
    for first, other, number in drawn:
        key = jax.random.fold_in(_keys.key_of(np.array([first, other])), number)
        assert list(_keys._folded((int(first), int(other)), int(number))) == words(key)


def test_a_key_differs_by_seed_and_by_identity():
    keys = [words(identity_key(identity, seed)) for identity in "ab" for seed in range(5)]
    assert len(set(map(tuple, keys))) == 10


def test_seeds_of_any_size_have_keys_of_their_own():
    seeds = (0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**40)
    accepted = []
    for seed in seeds:
        try:
            accepted.append(tuple(words(identity_key("a", *seed_list([seed])))))
        except ValueError:  # refusing is fine, aliasing is not
            continue
    assert len(accepted) >= 3
    assert len(set(accepted)) == len(accepted)


def test_streams_are_distinct_and_named():
    key = identity_key("a", 0)
    by_name = {name: tuple(words(stream(key, name))) for name in STREAMS}
    assert {"rotation", "train", "select", "certify", "initialisation", "order"} <= set(by_name)
    assert len(set(by_name.values())) == len(STREAMS)
    assert tuple(words(key)) not in by_name.values()
    with pytest.raises(ValueError):
        stream(key, "test")


@pytest.mark.parametrize(
    "field, value, allowed",
    [
        *(("n_train", value, "an integer >= 1") for value in (0, -1, 1.5, "many", None, True)),
        ("n_train", 2**31, r"an integer in \[1, 2147483647\]"),
        *(("batch", value, "an integer >= 1") for value in (0, -1, 1.5, "all")),
        ("batch", 40_001, r"an integer in \[1, n_train = 40000\]"),
    ],
)
def test_bad_sizes_name_the_argument_what_arrived_and_what_is_allowed(field, value, allowed):
    with pytest.raises(ValueError, match=rf"^{field}: got .*allowed: {allowed}$"):
        replace(recorded(), **{field: value})


@pytest.mark.parametrize("seeds", (0, -1, [], [1, 1], [0, -1], 1.5, "3", None, True))
def test_bad_seeds_are_refused(seeds):
    with pytest.raises(ValueError, match=r"^seeds?: got .*allowed: .*integer"):
        seed_list(seeds)


def test_seeds_are_a_count_or_a_list():
    assert seed_list(3) == (0, 1, 2)
    assert seed_list([7, 2]) == (7, 2)


def test_a_million_networks_are_the_most_of_one_call():
    assert len(seed_list(1_000_000)) == len(seed_list(range(1_000_000))) == 1_000_000
    for seeds in (1_000_001, range(1_000_001)):
        with pytest.raises(ValueError, match="^seeds: got .*1000000"):
            seed_list(seeds)
