"""Tasks beyond blocks: exclusive or, points of one's own, and what cannot be honoured."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from own_tasks import Rings

import simbias
from simbias import tasks
from simbias.tasks import ArrayTask, BlockTask, Truth, XorTask
from simbias.tasks.task import check, rotation_of

ROWS = 20_000


def drawn(task, split="certify", rows=ROWS, key=0, data_set=0):
    law = task.law(jax.random.key(data_set))
    return law, jax.device_get(task.draw(law, jax.random.key(key), split, rows))


# exclusive or


@pytest.mark.parametrize("settings", ({}, {"slabs": 4, "margin": 0.05}, {"noise": 0.4}))
def test_the_rule_of_two_coordinates_is_right_but_for_the_coins(settings):
    task = XorTask(dim=3, **settings)
    law, points = drawn(task)
    plain = points.x @ np.asarray(law.rotation).T
    np.testing.assert_array_equal(task.achievable_rule(plain), points.achievable)
    wrong = np.mean(points.achievable != points.y)
    assert abs(wrong - task.truth.achievable_risk) <= 4 * np.sqrt(0.25 / ROWS)
    assert task.truth == Truth(None, settings.get("noise", 0) / 2)
    assert not points.exception.any()


def test_no_coordinate_alone_tells_the_label_and_margins_are_kept():
    task = XorTask(dim=3, slabs=4, margin=0.1)
    law, (x, y, *_) = drawn(task)
    plain = x @ np.asarray(law.rotation).T
    edges = np.linspace(-1, 1, 5)
    assert np.abs(plain[:, :2, None] - edges[1:-1]).min() >= 0.1 - 1e-5
    assert np.abs(plain).max() <= 1 - 1e-9 + 1e-5
    for j in range(3):
        slab = np.digitize(plain[:, j], edges[1:-1])
        for k in range(4):  # 5,000 points: five standard errors
            assert abs(y[slab == k].mean() - 0.5) <= 5 * np.sqrt(0.25 / 5000)
    assert np.bincount(np.digitize(plain[:, 0], edges[1:-1])) / ROWS == pytest.approx(
        0.25, abs=0.02
    )


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"dim": 1}, "dim"),
        ({"slabs": 3}, "slabs"),
        ({"slabs": 0}, "slabs"),
        ({"margin": 0.5}, "margin"),
        ({"margin": 0}, "margin"),
        ({"noise": 1.1}, "noise"),
    ],
)
def test_settings_of_exclusive_or_out_of_range_are_refused(settings, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got "):
        tasks.get("xor", **settings)


# points of one's own

X = np.arange(200, dtype=np.float64).reshape(100, 2)
Y = np.arange(100) % 3
OWN = ArrayTask("own", X, Y)


def test_every_point_is_in_one_split_whatever_the_size_of_the_training_set():
    seen = [drawn(OWN, split, OWN.most[split])[1].x[:, 0] for split in tasks.task.SPLITS]
    assert sorted(np.concatenate(seen)) == X[:, 0].tolist()
    assert OWN.most == {"train": 60, "select": 10, "certify": 20, "holdout": 10}
    few, many = (drawn(OWN, "train", rows)[1] for rows in (10, 60))
    np.testing.assert_array_equal(few.x, many.x[:10])
    other = drawn(OWN, "train", 60, data_set=1)[1]
    assert (other.x != many.x).any()
    assert sorted(other.x[:, 0]) == sorted(many.x[:, 0])
    np.testing.assert_array_equal(many.y, Y[(many.x[:, 0] / 2).astype(int)])


def test_points_are_known_by_what_they_are(tmp_path):
    assert OWN.classes == 3 and OWN.shape == (2,) and OWN.truth == Truth()
    assert OWN == ArrayTask("own", X.tolist(), Y) != ArrayTask("own", X + 1, Y)
    np.savez(tmp_path / "own.npz", x=X, y=Y)
    assert ArrayTask.load(tmp_path / "own.npz") == OWN
    assert ArrayTask.load(tmp_path / "own.npz", name="other").name == "other"


@pytest.mark.parametrize(
    ("x", "y", "argument"),
    [
        (X, Y[:-1], "y"),
        (X, Y - 1, "y: least label"),
        (X, Y / 2, "y"),
        (X * np.nan, Y, "x"),
        (X[:, 0], Y, "x"),
        (X[:3], Y[:3], "x"),
        (np.array([["a"]]), np.zeros(1, int), "x"),
    ],
)
def test_points_that_cannot_be_learned_from_are_refused(x, y, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got "):
        ArrayTask("own", x, y)


def test_files_that_hold_no_points_are_refused(tmp_path):
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", a=X)
    np.savez(tmp_path / "objects.npz", x=np.array([{}]), y=Y)
    for name in ("none", "empty", "other", "objects"):
        with pytest.raises(ValueError, match=f"^file: got .{name}.npz.*allowed: an .npz file"):
            ArrayTask.load(tmp_path / f"{name}.npz")


@pytest.mark.parametrize(
    "proportions", ({"train": 1}, {}, [1], {**dict.fromkeys(OWN.proportions, 0.3)})
)
def test_proportions_that_do_not_divide_the_points_are_refused(proportions):
    with pytest.raises(ValueError, match="^proportions: got "):
        ArrayTask("own", X, Y, proportions=proportions)


def test_more_points_than_there_are_cannot_be_trained_on():
    with pytest.raises(
        ValueError, match="^n_train: got 61, allowed: at most 60, the points of own"
    ):
        simbias.train(OWN, simbias.MLP(2, 1), simbias.sgd(), n_train=61, batch=1)


# what cannot be honoured


def without(task, **changed):
    broken = type("Broken", (Rings,), changed)
    return broken()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": ""}, "task: name: got ''"),
        ({"shape": ()}, "task rings: shape: got 0"),
        ({"shape": (3,)}, "task rings: draw: x of 3 points: got 'shape .3, 2.'"),
        ({"classes": 1}, "task rings: classes: got 1"),
        (
            {"draw": staticmethod(lambda law, key, split, rows: 1)},
            "task rings: draw: x of 3 points",
        ),
    ],
)
def test_a_task_that_draws_other_points_than_it_says_is_refused(changed, words):
    check(Rings())
    with pytest.raises(ValueError, match=f"^{words}"):
        check(without(Rings, **changed))


def test_a_rotation_is_found_in_laws_of_either_form():
    turn = np.eye(2, dtype=np.float32)
    assert rotation_of({"rotation": turn}) is turn
    assert rotation_of(XorTask().law(jax.random.key(0))).shape == (10, 10)
    assert rotation_of({"width": 1}).shape == rotation_of(()).shape == (0, 0)


def test_what_is_no_task_is_refused():
    with pytest.raises(ValueError, match="^task: got 3, allowed: a Task"):
        check(3)
    with pytest.raises(ValueError, match=r"^blocks: got \(\), allowed: the law of at least one"):
        BlockTask("x", {}, (), ())
    task = tasks.get("lms-7", dim=3)
    with pytest.raises(ValueError, match=r"^simple_set: got 3, allowed: an integer in \[0, 2\]"):
        replace(task, simple_set=(3,))
    with pytest.raises(ValueError, match="^sample: got 'another one in Louder'"):
        type("Louder", (BlockTask,), {"sample": lambda self, key, rows: None})


def test_what_needs_coordinates_says_so_of_a_task_without():
    cell = simbias.training.Cell(Rings(), simbias.MLP(4, 1), simbias.sgd(), n_train=10, batch=1)
    for ask in (simbias.validation.control, lambda cell, _: cell.block_task):
        with pytest.raises(ValueError, match="^task: got 'rings', allowed: a task made of indep"):
            ask(cell, "achievable")


def test_tasks_of_one_name_and_settings_but_another_law_are_other_cells():
    def of(task):
        return simbias.training.Cell(task, simbias.MLP(4, 1), simbias.sgd(), n_train=10, batch=1)

    class Wider(Rings):
        def law(self, key):
            return {"width": np.float32(0.5)}

    assert of(Rings()).identity == of(Rings()).identity != of(Wider()).identity
    assert of(tasks.get("xor")).settings["task"] == {"name": "xor", **XorTask().settings}
    assert of(XorTask(dim=3)).identity != of(XorTask(dim=4)).identity
