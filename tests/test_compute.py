"""What a budget of compute is best spent on, on courses that are known, and on a run."""

import numpy as np
import pytest

import simbias
from simbias.results import ComputeCourse, compute_courses, compute_optima
from simbias.training.fit import TRACE

TASK, METHOD = simbias.tasks.get("noisy-lms-5", dim=4), simbias.sgd()


def course(width, losses, seeds=(0, 1), **measured):
    """A network that is checked after each update."""
    cell = simbias.training.Cell(TASK, simbias.MLP(width), METHOD, n_train=1000)
    flops = float(width) * np.arange(1, len(losses[0]) + 1)
    accuracy = 1 - np.array(losses)
    return ComputeCourse(cell, seeds, flops, {"select_accuracy": accuracy, **measured})


def test_each_budget_goes_to_the_network_of_the_least_loss_within_it():
    small = course(1, [[0.5, 0.4, 0.3, 0.3]] * 2)
    large = course(4, [[0.45, 0.1, 0.0, 0.0]] * 2)
    (optimum,) = compute_optima([large, small], budgets=5)
    assert [other.cell.network.width for other in optimum.courses] == [1, 4]  # the cheapest first
    np.testing.assert_allclose(optimum.budgets, [1, 2, 4, 8, 16])
    # at 4 operations the small one stands at .3 and the large one at .45; at 8 at .3 and at .1
    assert optimum.chosen[:, 0].tolist() == [0, 0, 0, 1, 1]
    np.testing.assert_allclose(optimum.values["select_error"][:, 0], [0.5, 0.4, 0.3, 0.1, 0.0])


def test_what_a_seed_has_does_not_choose_for_it():
    # each network is lucky on one seed: by its own errors a seed would choose that one
    first = course(1, [[0.0, 0.0], [0.4, 0.4]])
    other = course(2, [[0.4, 0.4], [0.0, 0.0]])
    (optimum,) = compute_optima([first, other], budgets=2)
    assert optimum.chosen[-1].tolist() == [1, 0]
    assert optimum.values["select_error"][-1].tolist() == [0.4, 0.4]
    (alone,) = compute_optima([course(1, [[0.0]], (0,)), course(2, [[0.4]], (0,))], budgets=2)
    assert alone.chosen[:, 0].tolist() == [0, 0]


def test_another_loss_chooses_otherwise_and_only_seeds_in_common_count():
    small = course(1, [[0.1]] * 3, (0, 1, 2), train_loss=np.array([[0.9]] * 3))
    large = course(1 + 1, [[0.2]] * 2, (1, 2), train_loss=np.array([[0.1]] * 2))
    for loss, chosen in (("select_error", 0), ("train_loss", 1)):
        (optimum,) = compute_optima([small, large], loss=loss, budgets=2)
        assert optimum.seeds == (1, 2) and optimum.chosen[-1].tolist() == [chosen] * 2


def test_cells_that_differ_in_more_than_the_network_are_apart():
    cell = simbias.training.Cell(TASK, simbias.MLP(4), METHOD, n_train=2000)
    stranger = ComputeCourse(cell, (0, 1), np.ones(1), {"select_accuracy": np.ones((2, 1))})
    assert compute_optima([course(1, [[0.1]] * 2), stranger]) == []
    with pytest.raises(ValueError, match="^loss: unknown name 'risk'"):
        compute_optima([], loss="risk")
    with pytest.raises(ValueError, match="^budgets: got 1, allowed: an integer >= 2$"):
        compute_optima([], budgets=1)
    with pytest.raises(ValueError, match="^optima: got 'none'"):
        simbias.plots.compute([])


@pytest.mark.thorough
def test_a_run_counts_what_updates_cost_and_keeps_a_network_that_has_ended(tmp_path):
    stop = simbias.Stop(train_accuracy=0.8, max_updates=150, check_every=50)
    method = simbias.methods.sam()
    stack = simbias.train(TASK, simbias.MLP(4), method, n_train=200, batch=100, seeds=3, stop=stop)
    store = simbias.runner.keep(stack, tmp_path / "run", n_certify=1000)
    (kept,) = compute_courses(store)
    # two gradients an update, of 100 points, three times 2 (4 x 4 + 4 x 2) operations each
    traces = [dict(zip(TRACE, trace.T, strict=True)) for trace in stack.traces]
    longest = max(len(trace["updates"]) for trace in traces)
    assert kept.flops.tolist() == [2 * 100 * 6 * (16 + 8) * u for u in (50, 100, 150)[:longest]]
    for own, trace in zip(kept.measured["select_accuracy"], traces, strict=True):
        ended = len(trace["updates"])
        np.testing.assert_allclose(own[:ended], trace["select_accuracy"])
        assert (own[ended:] == own[ended - 1]).all()
