"""What every registered task promises, whatever it is."""

import json

import block_tasks
import numpy as np
import pytest

import simbias
from simbias import tasks
from simbias.registry import TASKS
from simbias.tasks import oracle
from simbias.tasks.catalogue import content
from simbias.tasks.task import check

NAMES = block_tasks.NAMES
SLABBED = tuple(name for name in NAMES if "margin" in tasks.get(name).settings)
NOISY = tuple(name for name in NAMES if "noise" in tasks.get(name).settings)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n in NAMES[1:] else n
        for n in block_tasks.AVAILABLE
    ],
)
@pytest.mark.thorough
def test_a_task_draws_what_it_says_and_is_made_again_from_its_settings(name):
    task = tasks.get(name)
    check(task)
    again = tasks.get(name, **json.loads(json.dumps(task.settings)))
    assert task.name == name and content(again) == ""
    first, same, other = (simbias.data(task, 30, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.x, same.x) and not np.array_equal(first.x, other.x)
    assert np.isfinite(first.x).all() and set(first.y.tolist()) <= set(range(task.classes))
    simple, least = task.truth
    assert all(risk is None or 0 <= risk < 1 for risk in task.truth)
    assert None in task.truth or simple >= least


def test_catalogue_holds_the_named_tasks():
    wanted = "lms-5 lms-7 noisy-lms-5 noisy-lms-7 ms-5 ms-7 ms-5-7 noisy-ms-5-7 lsn".split()
    assert set(wanted) <= set(NAMES)
    assert tasks.names() == sorted(TASKS.entries())


@pytest.mark.parametrize("name", block_tasks.ALL)
def test_a_task_is_made_again_from_its_settings(name):
    task = tasks.get(name)
    assert task.name == name
    assert tasks.get(name, **task.settings) == task
    assert tasks.get(name, **json.loads(json.dumps(task.settings))) == task


@pytest.mark.parametrize("name", NAMES)
def test_a_task_has_fifty_coordinates_unless_told_otherwise(name):
    assert tasks.get(name).dim == 50
    assert tasks.get(name, dim=3).dim == 3
    assert tasks.get(name, dim=3) != tasks.get(name)
    assert set(tasks.get(name, dim=2).simple_set) <= {0}


@pytest.mark.parametrize("name", NAMES)
def test_oracles_answer_for_every_task(name):
    task = tasks.get(name, dim=4)
    least = oracle.achievable_risk(task)
    assert oracle.rule_risk(task, oracle.achievable_rule(task)) == pytest.approx(least, abs=1e-12)
    if task.simple_set:
        assert oracle.simple_risk(task) >= least
    assert task.tables.low.shape == task.tables.start.shape == task.tables.slope.shape
    assert task.tables.simple.sum() == len(task.simple_set)


@pytest.mark.parametrize("name", SLABBED)
def test_one_margin_serves_every_coordinate(name):
    task = tasks.get(name, dim=3, margin=0.03)
    assert set(task.margins.values()) == {0.03}


@pytest.mark.parametrize("name", SLABBED)
def test_a_margin_can_be_set_by_kind_and_the_others_keep_theirs(name):
    kinds = list(tasks.get(name).margins)
    for chosen in kinds:
        margins = tasks.get(name, dim=3, margin={chosen: 0.03}).margins
        assert margins == {kind: 0.03 if kind == chosen else 0.1 for kind in kinds}


@pytest.mark.parametrize("name", NOISY)
def test_noise_sets_the_simple_risk_and_leaves_the_task_achievable(name):
    task = tasks.get(name, dim=3, noise=0.3)
    assert oracle.simple_risk(task) == pytest.approx(0.15)
    assert oracle.achievable_risk(task) == 0


def test_default_noise_is_a_tenth_in_the_noisy_tasks_only():
    for name in NOISY:
        assert tasks.get(name).settings["noise"] == (0.1 if "noisy" in name else 0.0)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.startswith(("lms", "ms", "noisy"))]
)
def test_slab_counts_can_be_set(name):
    two = "slabs" in tasks.get(name).settings and name.endswith("5-7")
    task = tasks.get(name, dim=3, slabs=(3, 5) if two else 3)
    assert task.blocks[-1].kind == ("slab-5" if two else "slab-3")
    assert len(oracle.achievable_rule(task).cuts) == (4 if two else 2)
    assert task.blocks[0].kind == ("linear" if "lms" in name else "slab-3")


def test_simple_sets_are_those_of_the_paper():
    kinds = {
        name: [tasks.get(name).blocks[j].kind for j in tasks.get(name).simple_set] for name in NAMES
    }
    assert kinds["ms-5"] == kinds["ms-7"] == []
    assert kinds["lms-5"] == kinds["noisy-lms-7"] == ["linear"]
    assert kinds["ms-5-7"] == kinds["noisy-ms-5-7"] == ["slab-5"]
    assert kinds["lsn"] == ["sign"]


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("lms7", "lms-7"),
        ("noisy-lms", "noisy-lms-7"),
        ("LMS-5", "lms-5"),
        ("noisy_ms_5_7", "noisy-ms-5-7"),
    ],
)
def test_unknown_task_names_are_answered_with_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=r"^task: unknown name .*nearest: .*" + meant):
        tasks.get(typed)


@pytest.mark.parametrize("typed", ("", "zzzz", 7, None))
def test_names_like_no_other_are_answered_with_all(typed):
    with pytest.raises(ValueError, match=r"^task: unknown name .*known: .*lms-5"):
        tasks.get(typed)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_settings_are_answered_with_the_nearest(name):
    with pytest.raises(ValueError, match=rf"^task {name}: setting: unknown name 'dimm'.*dim"):
        tasks.get(name, dimm=3)


def test_unknown_kinds_of_coordinate_are_answered_with_the_nearest():
    with pytest.raises(
        ValueError, match="^margin: kind of coordinate: unknown name 'slab'.*slab-7"
    ):
        tasks.get("lms-7", margin={"slab": 0.1})


BAD = [
    *((name, "dim", value) for name in NAMES for value in (0, -3, 2.5, "many", None, True)),
    *((name, "dim", 1) for name in NAMES if "lms" in name or name.endswith("5-7") or name == "lsn"),
    *((name, "margin", value) for name in SLABBED for value in (0, 0.9, -0.1, np.nan, "big", None)),
    *((name, "noise", value) for name in NOISY for value in (-0.1, 1.1, np.nan, "much", [0.1])),
    *((name, "slabs", value) for name in ("lms-7", "ms-5") for value in (4, 0, 5.0, "5", (5, 7))),
    *(("ms-5-7", "slabs", value) for value in (5, (5,), (7, 5), (5, 5), (5, 9), (5, "7"), "57")),
]


@pytest.mark.parametrize("name, setting, value", BAD)
def test_bad_settings_name_the_argument_what_arrived_and_what_is_allowed(name, setting, value):
    with pytest.raises(ValueError) as caught:
        tasks.get(name, **{setting: value})
    message = str(caught.value)
    assert message.startswith(setting)
    assert "got " in message and "allowed: " in message
    assert "\n" not in message


def test_settings_given_as_numpy_numbers_are_stored_as_plain_ones():
    task = tasks.get("lms-7", slabs=np.int64(5), dim=np.int32(4), noise=np.float32(0.5))
    assert (
        json.loads(json.dumps(task.settings))
        == tasks.get("lms-7", slabs=5, dim=4, noise=0.5).settings
    )
