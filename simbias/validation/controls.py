"""Networks whose rule is known: positive and negative controls for every measurement.

The achievable control computes the piecewise-linear rule with risk 0 on every slab task, the simple
control the Bayes rule on the simple set. Neither is trained, so neither can have memorised; both
have the random initialisation that a network of their seed is trained from.
"""

from collections.abc import Sequence

import numpy as np

from simbias._checks import instance, known
from simbias._pinned import pinned
from simbias.networks.mlp import is_relu
from simbias.parallel import stacked
from simbias.tasks.oracle import achievable_rule, explicit_network, simple_rule
from simbias.training import fit
from simbias.training.cell import Cell
from simbias.training.draws import fingerprint
from simbias.training.jobs import initial_params
from simbias.training.problem import problem_of, training_set
from simbias.training.stack import Stack, seed_list
from simbias.training.stop import End
from simbias.validation.exceptions import train_answers

RULES = {"achievable": achievable_rule, "simple": simple_rule}


@pinned
def control(cell: Cell, rule: str, *, seeds: int | Sequence[int] = 1) -> Stack:
    """A stack of explicit networks on the data sets of a cell.

    Args:
        cell: its task, network (an MLP of ReLUs) and n_train are used.
        rule: ``"achievable"`` or ``"simple"``.
        seeds: the number of data sets (0, 1, ...), or a list.

    Raises:
        ValueError: an unknown rule, a task without a simple set, another kind of network, or one
            too narrow for the rule's cuts.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> cell = simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000)
        >>> best = simbias.validation.control(cell, "achievable", seeds=2)
        >>> simbias.validate(best, n_certify=10_000).risk.value
        array([0., 0.])
    """
    instance("cell", cell, Cell)
    bayes_rule = RULES[known("rule", rule, RULES)](cell.block_task)
    if bayes_rule is None:
        raise ValueError(f"rule: {cell.task.name} has no simple set, so no simple rule")
    network = cell.network
    if not is_relu(network):
        raise ValueError(f"network: got {network.label}, allowed: an MLP of relu units")
    chosen = seed_list(seeds)
    problems = [problem_of(cell, seed) for seed in chosen]
    rotations = np.stack([problem.law.rotation for problem in problems])
    params = stacked(
        [
            network.from_layers(
                explicit_network(bayes_rule, rotation, width=network.width, depth=network.depth)
            )
            for rotation in rotations
        ]
    )
    zeros = np.zeros(len(chosen), np.int64)
    stack = Stack(
        cell=cell,
        seeds=chosen,
        params=params,
        initial=initial_params(cell, problems),
        rotation=rotations,
        updates=zeros,
        end=zeros + End.RUNNING,
        fitted_since=np.full((len(chosen), cell.n_train), -1, np.int32),
        traces=(np.zeros((0, len(fit.TRACE)), np.float32),) * len(chosen),
        seconds=zeros.astype(float),
        draws=tuple(fingerprint(problem, training_set(cell, problem)) for problem in problems),
    )
    for i, since in enumerate(stack.fitted_since):  # from the beginning, if fitted
        since[train_answers(stack, i).correct] = 0
    return stack
