"""Methods of two stages: when the second begins, what it goes on from, and which goals count."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from test_learners import SHORT, TASK, last_layer, train

import simbias
from simbias.training import Cell, replay
from simbias.training.jobs import Job, train_jobs


@pytest.mark.thorough
def test_the_second_stage_goes_on_from_the_first_at_the_update_it_says():
    cell = Cell(TASK, simbias.MLP(16, 1), last_layer(), n_train=400, batch=32, stop=SHORT)
    half, whole = (replay(cell, updates, seeds=1, n_select=10) for updates in (100, 200))
    first, then = (stack.params["layers"] for stack in (half, whole))
    np.testing.assert_array_equal(first[0]["kernel"], then[0]["kernel"])
    assert np.abs(then[1]["kernel"] - first[1]["kernel"]).max() > 0.05
    assert np.abs(first[0]["kernel"] - half.initial["layers"][0]["kernel"]).max() > 0.05


@pytest.mark.thorough
def test_goals_count_from_the_second_stage_on():
    """Its first stage ends at update 100, with a check; any loss is at most 10."""
    stop = replace(SHORT, train_loss=10.0)
    stack = train(last_layer(), stop=stop, seeds=1)
    assert stack.updates.tolist() == [200] and stack.outcome(0)[0] == "done"


@pytest.mark.thorough
def test_networks_side_by_side_enter_their_second_stage_as_if_alone():
    stop = replace(SHORT, max_updates=300)
    cells = [
        Cell(TASK, simbias.MLP(16, 1), last_layer(), 400, 32, budget) for budget in (SHORT, stop)
    ]
    jobs = [Job(cell, 0) for cell in cells]
    beside = train_jobs(jobs, n_select=200, vectorised=True)
    for job in jobs:
        alone = train_jobs([job], n_select=200)[job].state
        for leaf, other in zip(
            *map(jax.tree.leaves, (beside[job].state.params, alone.params)), strict=True
        ):
            np.testing.assert_allclose(leaf, other, rtol=2e-3, atol=1e-4)


def test_a_budget_that_ends_before_the_second_stage_is_refused():
    method = last_layer()
    late = replace(method, second=method.second._replace(start=lambda hyper, budget: budget))
    line = "^stop: max_updates: got 200, allowed: more than 200, the updates of the first stage"
    with pytest.raises(ValueError, match=line):
        Cell(TASK, simbias.MLP(16, 1), late, n_train=400, batch=32, stop=SHORT)
