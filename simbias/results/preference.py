"""The pairs of a run whose networks bounds are to choose between, from its evaluated cells.

Beside the networks of a cell stand its achievable solutions (``experiments.solutions``), of the
same task, architecture and sample size, in pairs of one seed. Networks of one cell of which some
have learned and others are stuck are matched at equal training error, by the order of their seeds.
By how large a risk counts as learned or stuck, ``bounds.discrimination`` says.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from simbias.bounds import Evaluation
from simbias.bounds.discrimination import LEARNED, STUCK, ScoredNetwork
from simbias.bounds.preference import NetworkPair
from simbias.experiments.experiment import OwnCell
from simbias.experiments.solutions import SolutionCell
from simbias.results.bounds import comparable
from simbias.training.cell import Cell
from simbias.training.words import phrases, varied

EQUAL_ERRORS = 0.002  # most by which training errors of matched networks differ

Evaluated = Sequence[tuple[OwnCell, Sequence[Evaluation]]]
Networks = dict[int, ScoredNetwork]  # by seed


def network_pairs(evaluated: Evaluated) -> tuple[list[NetworkPair], dict[str, str]]:
    """Every pair that the cells of a run give, and the kind of each bound.

    Args:
        evaluated: cells with their evaluations; those of other experiments are left aside.

    Returns:
        The pairs: of a cell's networks with explicit and with trained solutions, with the least
        value of each number on those that were made cheap in any norm, and of learned networks,
        in the order of their seeds, each with the first stuck one of the cell that is not in a pair
        yet and whose training error is within ``EQUAL_ERRORS`` of its own (any one, where no record
        tells both). The names of comparisons say which, whether the other network is stuck or has
        learned, and what sets the cell apart. A network of a risk in between, or a solution that
        has not learned, is in none.

    Raises:
        ValueError: a cell without a record about its networks themselves.
    """
    of_networks = [(cell, group) for cell, group in evaluated if isinstance(cell, Cell)]
    of_solutions = [(cell, group) for cell, group in evaluated if isinstance(cell, SolutionCell)]
    settings = varied([cell.settings for cell, _ in of_networks])
    pairs: list[NetworkPair] = []
    kinds: dict[str, str] = {}

    def scored(cell: OwnCell, group: Sequence[Evaluation]) -> Networks:
        networks, of_cell = comparable([(cell, group)])
        kinds.update(of_cell)
        return {network.seed: network for network in networks}

    solved = [(cell, scored(cell, group)) for cell, group in of_solutions]
    for (cell, group), varying in zip(of_networks, settings, strict=True):
        networks, words = scored(cell, group), phrases(varying)
        learned = {seed: n for seed, n in networks.items() if _has_learned(n)}
        stuck = {
            seed: n for seed, n in networks.items() if n.low >= STUCK[0] and n.high <= STUCK[1]
        }
        solutions = _solutions(cell, solved)
        for state, others in (("stuck", stuck), ("learned", learned)):
            for name, values in solutions.items():
                seeds = sorted(values.keys() & others.keys())
                pairs += [
                    NetworkPair(
                        _comparison(name, state, words),
                        (seed, seed),
                        values[seed],
                        others[seed].values,
                    )
                    for seed in seeds
                ]
        pairs += [
            NetworkPair(
                _comparison("learned", "stuck", words),
                (first, second),
                learned[first].values,
                stuck[second].values,
            )
            for first, second in _matched(sorted(learned), sorted(stuck), _train_errors(group))
        ]
    return pairs, kinds


def _has_learned(network: ScoredNetwork) -> bool:
    return network.high <= LEARNED


def _train_errors(group: Sequence[Evaluation]) -> dict[int, float]:
    """The training error of each network of which a record tells it, by seed."""
    return {
        evaluation.seed: evaluation.record.terms["training error"]
        for evaluation in group
        if "training error" in evaluation.record.terms and evaluation.own_risk
    }


def _matched(
    learned: Sequence[int], stuck: Sequence[int], errors: Mapping[int, float]
) -> list[tuple[int, int]]:
    """Seeds in pairs of equal training error, each in one pair at most."""
    left, matched = list(stuck), []
    for seed in learned:
        for other in left:
            known = seed in errors and other in errors
            if not known or abs(errors[seed] - errors[other]) <= EQUAL_ERRORS:
                matched.append((seed, other))
                left.remove(other)
                break
    return matched


def _comparison(name: str, state: str, words: str) -> str:
    return ", ".join(filter(None, [f"{name} against {state}", words]))


def _solutions(
    cell: Cell, solved: Sequence[tuple[SolutionCell, Networks]]
) -> dict[str, dict[int, Mapping[str, float]]]:
    """The values on the solutions of a cell by how they were made and by seed."""
    alike = [
        (solution, {seed: n.values for seed, n in networks.items() if _has_learned(n)})
        for solution, networks in solved
        if _problem(solution.counterpart) == _problem(cell)
    ]
    by_name = {solution.words: values for solution, values in alike if solution.made != "cheapest"}
    searched = [values for solution, values in alike if solution.made == "cheapest"]
    if searched:
        by_name["cheapest"] = {
            seed: _least([values[seed] for values in searched if seed in values])
            for seed in set().union(*searched)
        }
    return by_name


def _problem(cell: Cell) -> tuple[str, str, int]:
    """What networks and solutions that are compared have in common."""
    return cell.task_identity, cell.network_identity, cell.n_train


def _least(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The least value of each number; NaN where no network has one."""
    names = dict.fromkeys(name for of_network in values for name in of_network)
    least = {}
    for name in names:
        present = [v for of_network in values if not np.isnan(v := of_network.get(name, np.nan))]
        least[name] = min(present, default=np.nan)
    return least
