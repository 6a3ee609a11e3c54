"""The check that all tests run under: it is on, and catches what it should and nothing else."""

import sys
from types import FunctionType

import jax.numpy as jnp
import numpy as np
import pytest
from checked_shapes import checked
from jaxtyping import Float, TypeCheckError

from simbias import _checks, tasks
from simbias.results.transitions import Transitions
from simbias.validation.reliance import Randomised, auc
from simbias.validation.risk import Scores


def test_every_module_of_the_package_is_checked():
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "simbias"]
    loaders = {type(module.__spec__.loader).__module__.split(".")[0] for module in modules}
    assert len(modules) > 50 and loaders == {"jaxtyping"}


def test_arrays_of_different_lengths_are_caught_where_one_is_meant():
    labels, right, wrong = np.array([[0, 1, 1]]), np.zeros((1, 3)), np.zeros((1, 4))
    Randomised()(Scores(labels, right, right))
    with pytest.raises(TypeCheckError, match=r"AucSum\.add(.|\n)*parameter 'scores'"):
        Randomised()(Scores(labels, right, wrong))


def test_an_array_of_another_dtype_is_caught():
    numbers = np.ones(2)
    ends = Transitions((0, 1), numbers, numbers, numbers, numbers, numbers > 0, 9)
    assert ends.proportion.value == 1
    ends = Transitions((0, 1), numbers, numbers, numbers, numbers, numbers, 9)
    with pytest.raises(TypeCheckError, match=r"clopper_pearson(.|\n)*parameter 'successes'"):
        _ = ends.proportion


def squared(x: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, " rows"]:
    return (x**2).sum(axis=0)


def test_what_comes_back_is_held_against_what_was_handed_over():
    assert checked(squared)(np.ones((2, 2))).tolist() == [2, 2]
    with pytest.raises(TypeCheckError, match="the return value"):
        checked(squared)(np.ones((2, 3)))


def test_a_test_may_hand_over_what_it_likes_and_hears_the_refusal_of_the_package():
    assert auc(np.array([0, 1]), np.array([False, True])) == 1
    task = tasks.get("noisy-lms-5", dim=4)
    with pytest.raises(ValueError, match=r"x: got \(2, 3\), allowed: shape \(rows, 4\)"):
        task.rotate(jnp.zeros((2, 3)), jnp.eye(4))


def test_what_says_no_shape_is_left_as_it_is():
    assert isinstance(_checks.whole, FunctionType) and not hasattr(_checks.whole, "__wrapped__")
