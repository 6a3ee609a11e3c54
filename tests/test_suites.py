"""Suite files: merging, grids, and one-line errors for what is wrong in them."""

import pytest

from simbias import suites
from simbias.registry import SUITES
from simbias.runner.plan import make_plan

GOOD = """
name = "tiny"
summary = "a tiny suite"
source = "none"

[tasks.noisy-lms-5]
n_train = 500
method = { name = "sgd", learning_rate = 0.1 }
stop = { max_updates = 40 }

[presets.small]
summary = "one size"
seeds = 2
cells = [
  { task = { name = "noisy-lms-5", dim = [2, 4] }, network = { name = "mlp", width = [8, 16] } },
  { task = "noisy-lms-5", n_train = 600, network = { name = "mlp" }, stop = { max_updates = 10 } },
]

[[published]]
task = "noisy-lms-5"
network = { name = "mlp", width = 8 }
values = { test_accuracy = 0.9 }
"""


def load(tmp_path, text):
    path = tmp_path / "tiny.toml"
    path.write_text(text)
    return suites.load(str(path))


@pytest.mark.parametrize("name", SUITES.entries())
def test_every_registered_suite_resolves_in_every_preset(name):
    suite = suites.load(name)
    assert "smoke" in suite.presets
    assert {"standard", "full"} <= set(suite.presets) or not SUITES.owns(name)
    for preset in suite.presets:
        plan = make_plan(suite, preset)
        assert len(plan.replicas) == len(plan.cells) * len(plan.seeds) > 0
        assert len({cell.name for cell in plan.cells}) == len(plan.cells)


def test_arrays_are_grids_and_cells_override_their_task(tmp_path):
    plan = make_plan(load(tmp_path, GOOD), "small")
    sizes = [(c.task.dim, c.network.width, c.n_train, c.stop.max_updates) for c in plan.cells]
    grid = [(d, w, 500, 40) for d in (2, 4) for w in (8, 16)]
    assert sorted(sizes[:4]) == sorted(grid)
    assert sizes[4] == (50, 100, 600, 10)
    assert not any(plan.published)  # width 8 is published for the catalogue's dimension only


def test_networks_of_one_shape_share_a_compiled_group():
    plan = make_plan(suites.load("pitfalls"), "standard")
    shapes = {(c.network.width, c.network.depth) for c in plan.cells}
    assert len(plan.groups) == len(shapes) == 6
    together = [{job.cell.task.name for job in group} for group in plan.groups]
    assert {"noisy-lms-7", "ms-7"} in together


def test_table_2_stands_beside_its_six_architectures():
    plan = make_plan(suites.load("pitfalls"), "standard")
    noisy = [v for c, v in zip(plan.cells, plan.published, strict=True) if c.task.simple_set]
    assert [values["train_accuracy"] for values in noisy] == [
        0.984,
        0.998,
        0.995,
        0.999,
        0.997,
        0.998,
    ]
    assert [values["test_accuracy"] for values in noisy] == [
        0.94,
        0.949,
        0.948,
        0.945,
        0.946,
        0.947,
    ]


def test_published_values_stand_only_beside_the_cells_they_describe(tmp_path):
    text = GOOD.replace(", dim = [2, 4]", "")
    plan = make_plan(load(tmp_path, text), "small")
    widths = [cell.network.width for cell in plan.cells]
    assert [bool(values) for values in plan.published] == [width == 8 for width in widths]


def test_a_preset_begins_with_the_cells_of_the_one_that_it_includes(tmp_path):
    more = """
[presets.more]
summary = "more"
seeds = 3
include = "small"
cells = [
  { task = { name = "noisy-lms-5", dim = 3 }, network = { name = "mlp", width = 9 } },
]
"""
    text = GOOD.replace("\n[[published]]", more + "\n[[published]]")
    suite = load(tmp_path, text)
    small, more = suite.preset("small").cells, suite.preset("more").cells
    assert more[:-1] == small and more[-1]["network"]["width"] == 9
    for other in ("more", "least"):
        with pytest.raises(ValueError, match=r"tiny.toml: presets.more.include: .*small"):
            load(tmp_path, text.replace('include = "small"', f'include = "{other}"'))


@pytest.mark.parametrize(
    "change",
    [
        "n_train=500",
        "batch=128",
        "network.activation=tanh",
        "network.width=50",
        "task.dim=20",
        "task.slabs=5",
        "method.learning_rate=0.2",
        "method.momentum=0.0",
        "stop.max_updates=1000",
        "stop.train_accuracy=0.9",
    ],
)
@pytest.mark.thorough
def test_nothing_is_published_for_a_cell_with_any_other_setting(change):
    suite = suites.load("pitfalls")
    for preset in suite.presets:
        assert all(make_plan(suite, preset).published)
        assert not any(make_plan(suite, preset, overrides=[change]).published)


def test_an_entry_of_a_grid_states_its_place_on_it(tmp_path):
    text = GOOD.replace("learning_rate = 0.1", "learning_rate = [0.1, 0.2]").replace(
        ", dim = [2, 4]", ""
    )
    rates = 'method = { name = "sgd", learning_rate = 0.2 }\nvalues'
    plan = make_plan(load(tmp_path, text.replace("values", rates)), "small")
    beside = [
        (cell.network.width, dict(cell.method.settings)["learning_rate"])
        for cell, values in zip(plan.cells, plan.published, strict=True)
        if values
    ]
    assert beside == [(8, 0.2)]


def test_published_values_of_another_activation_or_task_need_their_own_entry(tmp_path):
    text = GOOD.replace('name = "mlp", width = 8', 'name = "mlp", activation = "tanh", width = 8')
    text = text.replace('task = "noisy-lms-5"\n', 'task = { name = "noisy-lms-5", dim = 4 }\n')
    suite = load(tmp_path, text)
    assert not any(make_plan(suite, "small").published)
    plan = make_plan(suite, "small", overrides=["network.activation=tanh"])
    beside = [c for c, values in zip(plan.cells, plan.published, strict=True) if values]
    assert [(cell.task.dim, cell.network.width) for cell in beside] == [(4, 8)]
    with pytest.raises(ValueError, match=r"tiny.toml: published\[0\]: .*nearest: tanh"):
        make_plan(load(tmp_path, text.replace('"tanh"', '"tnah"')), "small")


def test_overrides_reach_every_cell(tmp_path):
    changes = ["task.dim=3", "n_train=300", "method.learning_rate=0.5", "network.activation=tanh"]
    plan = make_plan(load(tmp_path, GOOD), "small", overrides=changes, seeds=1)
    for cell in plan.cells:
        assert cell.task.dim == 3 and cell.n_train == 300 and cell.network.activation == "tanh"
        assert dict(cell.method.settings)["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("dim=3", "set: key"),
        ("task=3", "task.SETTING=VALUE"),
        ("n_train", "KEY=VALUE"),
        ("task.dims=3", "nearest: dim"),
        ("task.dim=1", "dim"),
        ("task.margin=0.3", "margin"),
        ("task.noise=1.5", "noise"),
        ("n_train=0", "n_train"),
        ("n_train=many", "n_train"),
        ("batch=10000", "batch"),
        ("network.width=0", "width"),
        ("network.depth=0", "depth"),
        ("method.learning_rate=0", "learning_rate"),
        ("method.learning_rate=nan", "learning_rate"),
        ("stop.max_updates=0", "max_updates"),
        ("stop.train_acuracy=0.9", "train_accuracy"),
    ],
)
def test_a_bad_override_is_named_in_one_line(tmp_path, change, words):
    with pytest.raises(ValueError, match=words) as caught:
        make_plan(load(tmp_path, GOOD), "small", overrides=[change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "tiny"\n', "", "key 'name' is missing"),
        ('source = "none"', 'sauce = "none"', "nearest: source"),
        ("seeds = 2", 'seeds = "two"', "seeds"),
        ("seeds = 2", "seeds = 0", "seeds"),
        ("seeds = 2\n", "", "key 'seeds' is missing"),
        ("n_train = 500", 'n_train = "many"', "n_train"),
        ("n_train = 500\n", "", "n_train"),
        ("stop = { max_updates = 40 }", "stop = 40", "a table"),
        ('network = { name = "mlp" }', "network = 3", "a table"),
        ('task = "noisy-lms-5", n_train', "n_train", "a task name"),
        ("[presets.small]", "[presets.small", "cannot be read"),
        ("values = { test_accuracy = 0.9 }", "", "key 'values' is missing"),
        ("values = { test_accuracy = 0.9 }", 'values = { test_accuracy = "x" }', "test_accuracy"),
        ("values = { test_accuracy = 0.9 }", "values = { tset_accuracy = 1 }", "test_accuracy"),
        ("dim = [2, 4]", "dim = []", "at least one value"),
        ('name = "noisy-lms-5", dim = [2, 4]', 'name = ["lms-5"]', "a task name"),
        ('name = "tiny"', 'name = "../tiny"', "name: got"),
    ],
)
def test_a_faulty_suite_file_is_named_with_its_key(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(ValueError, match=words) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert "tiny.toml" in str(caught.value)


def test_an_unknown_cell_setting_is_found_before_anything_runs(tmp_path):
    for old, new, words in [
        ('name = "mlp" }', 'name = "mpl" }', "nearest: mlp"),
        ('name = "sgd"', 'name = "sdg"', "nearest: sgd"),
        ("max_updates = 40", "max_update = 40", "nearest: max_updates"),
        ('name = "mlp" }', "width = 3 }", "'name' is missing"),
    ]:
        with pytest.raises(ValueError, match=words):
            make_plan(load(tmp_path, GOOD.replace(old, new)), "small")


def test_unknown_suites_and_presets_offer_the_nearest():
    with pytest.raises(ValueError, match="nearest: pitfalls"):
        suites.load("pitfals")
    with pytest.raises(ValueError, match="nearest: standard"):
        suites.load("pitfalls").preset("standrad")
    with pytest.raises(ValueError, match="cannot be read"):
        suites.load("no/such.toml")
