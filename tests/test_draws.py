"""Draws whose random numbers come from a program that all sizes share are those of the others."""

import jax
import numpy as np
import pytest

from simbias import _keys, tasks
from simbias.tasks.task import rotation_of, sampler
from simbias.training import problem
from simbias.validation.contexts import draw_given

WORDS = np.array([3_000_000_019, 7], np.uint32)
KEY = _keys.key_of(WORDS)


def words(key):
    return np.asarray(jax.random.key_data(key))


@pytest.mark.parametrize("number", (0, 12, 2**32 - 1))
def test_a_number_is_folded_in_as_jax_folds_it(number):
    folded = words(jax.random.fold_in(KEY, np.uint32(number)))
    np.testing.assert_array_equal(_keys.folded(WORDS, number), folded)


def test_streams_and_parts_are_those_of_the_key():
    for name in _keys.STREAMS[:3]:
        np.testing.assert_array_equal(
            _keys.stream_words(WORDS, name), words(_keys.stream(KEY, name))
        )
    np.testing.assert_array_equal(_keys.split_words(WORDS), words(jax.random.split(KEY)))


def test_numbers_are_those_of_jax_whatever_the_blocks(monkeypatch):
    bits, uniforms = np.asarray(jax.random.bits(KEY, (20,))), jax.random.uniform(KEY, (5, 4))
    for blocks in ((2,), (16, 32), (2**16,)):
        monkeypatch.setattr(_keys, "_BLOCKS", blocks)
        np.testing.assert_array_equal(_keys.bits(WORDS, 20), bits)
        np.testing.assert_array_equal(_keys.uniform(WORDS, (5, 4)), np.asarray(uniforms))
    assert _keys.bits(WORDS, 1) == bits[:1]


@pytest.mark.parametrize("dim", (2, 5))
def test_a_rotation_is_the_orthogonal_matrix_of_jax(dim):
    own = np.asarray(tasks.get("noisy-lms-5", dim=dim).rotation(KEY))
    np.testing.assert_array_equal(own, np.asarray(jax.random.orthogonal(KEY, dim)))


@pytest.mark.parametrize("name, rows", [("noisy-lms-5", 1000), ("ms-5-7", 2001)])
def test_a_training_set_is_that_of_the_compiled_draw(name, rows):
    task = tasks.get(name, dim=4)
    law = jax.tree.map(np.asarray, task.law(KEY))
    drawn = problem.drawn(sampler(task), "train", rows, WORDS, law)
    compiled = problem._drawn(sampler(task), "train", rows, WORDS, law)
    assert sampler(task).on_host is not None and drawn.x.shape == (rows, 4)
    for own, other in zip(drawn, compiled, strict=True):
        assert (own is None) == (other is None)
        if own is not None:
            assert own.dtype == other.dtype
            np.testing.assert_array_equal(own, other)


def test_a_training_set_is_drawn_once_while_it_is_among_the_last():
    task = tasks.get("noisy-lms-5", dim=4)
    law = jax.tree.map(np.asarray, task.law(KEY))

    def drawn(number, rows=1000):
        return problem.drawn(sampler(task), "train", rows, np.array([5, number], np.uint32), law)

    first = drawn(0)
    assert drawn(0).x is first.x
    assert len({np.asarray(drawn(number).x).tobytes() for number in range(6)}) == 6
    assert drawn(0).x is not first.x
    np.testing.assert_array_equal(drawn(0).x, first.x)
    np.testing.assert_array_equal(drawn(0, 1001).x[:1000], first.x)
    other = law._replace(rotation=law.rotation[::-1])
    flipped = problem.drawn(sampler(task), "train", 1000, np.array([5, 0], np.uint32), other)
    assert not np.array_equal(flipped.x, first.x)


def test_a_task_that_draws_otherwise_is_drawn_by_its_own_program():
    class Mirrored(tasks.BlockTask):
        @staticmethod
        def draw(law, key, split, rows):
            points = tasks.BlockTask.draw(law, key, split, rows)
            return points._replace(x=-points.x)

    block = tasks.get("noisy-lms-5", dim=4)
    task = Mirrored("mirrored", {}, block.blocks, block.simple_set)
    law = jax.tree.map(np.asarray, task.law(KEY))
    assert task.on_host is None
    own, other = (
        np.asarray(problem.drawn(sampler(each), "train", 1000, WORDS, law).x)
        for each in (task, block)
    )
    np.testing.assert_array_equal(own, -other)
    assert rotation_of(law).shape == (4, 4)


def test_contexts_given_a_label_have_the_uniforms_of_points():
    task = tasks.get("noisy-lms-5", dim=4)
    y = np.arange(1000) % 2
    x = draw_given(task, KEY, y)
    uniforms = np.asarray(jax.random.uniform(jax.random.split(KEY)[0], x.shape))
    np.testing.assert_array_equal(np.argsort(x[y == 1, 1]), np.argsort(uniforms[y == 1, 1]))
