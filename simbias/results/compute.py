"""Budgets of compute: which network is best trained for how long when so much is spent.

Large models are trained where the loss is least for the floating-point operations that are spent,
on width and updates together, and not until they have converged (J. Kaplan et al., arXiv
2001.08361, 2020; J. Hoffmann et al., arXiv 2203.15556, 2022). What is said of networks that fit
their training set need not hold of those. Here every check of a trace is a place at which training
could have ended: a budget is spent on the network, of those that differ in nothing else, whose mean
loss is least at its last check within the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from simbias._checks import each, known, whole
from simbias._identity import canonical
from simbias.results.store import Store
from simbias.results.trained import trained
from simbias.training.cell import Cell
from simbias.training.fit import TRACE

LOSSES = ("train_loss", "select_error")
MEASURED = ("train_accuracy", "select_accuracy", "exceptions_fitted", "exceptions_fresh")


@dataclass(frozen=True)
class ComputeCourse:
    """What networks of one cell were at each check, by the compute that was spent.

    Attributes:
        cell: of which they are.
        seeds: of the networks that ended and did not diverge.
        flops: floating-point operations up to each check, the same for every seed.
        measured: what a trace holds by name, (seeds, checks) each; a network that ended stays as
            it was.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task, net, method = simbias.tasks.get("ms-7"), simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000)
        >>> loss = {"train_loss": np.array([[0.7, 0.5]])}
        >>> course = simbias.results.ComputeCourse(cell, (0,), np.array([1e6, 2e6]), loss)
        >>> course.at(1.9e6)
        0
    """

    cell: Cell
    seeds: tuple[int, ...]
    flops: Float[np.ndarray, " checks"]
    measured: dict[str, Float[np.ndarray, "seeds checks"]]

    def at(self, budget: float) -> int | None:
        """The last check within a budget; None: the first one costs more."""
        checks = int(np.searchsorted(self.flops, budget * (1 + 1e-12), side="right"))
        return checks - 1 if checks else None

    def loss(self, name: str) -> Float[np.ndarray, "seeds checks"]:
        """A loss by name: the training loss, or the error on select draws."""
        known("loss", name, LOSSES)
        return (
            self.measured[name] if name in self.measured else 1 - self.measured["select_accuracy"]
        )


@dataclass(frozen=True)
class ComputeOptimum:
    """What budgets of compute are best spent on, among networks that differ in nothing else.

    Attributes:
        courses: of the networks, from the cheapest to the dearest.
        seeds: those that all have in common.
        loss: by which is chosen.
        budgets: floating-point operations.
        chosen: for each budget and seed, which course; chosen by the mean loss of the *other*
            seeds, so that what a seed has there was not looked at (by its own, where it is alone).
        values: of what was chosen, the loss and what a trace holds, (budgets, seeds) each.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task, method = simbias.tasks.get("ms-7"), simbias.sgd()
        >>> courses = []
        >>> for width, losses in ((8, [[0.7, 0.6]] * 2), (16, [[0.65, 0.1]] * 2)):
        ...     cell = simbias.training.Cell(task, simbias.MLP(width), method, n_train=1000)
        ...     flops = np.array([1e6, 2e6]) * width
        ...     measured = {"train_loss": np.array(losses), "select_accuracy": np.ones((2, 2))}
        ...     courses.append(simbias.results.ComputeCourse(cell, (0, 1), flops, measured))
        >>> of = {"loss": "train_loss", "budgets": 3}
        >>> (optimum,) = simbias.results.compute_optima(courses, **of)
        >>> [optimum.courses[i].cell.network.width for i in optimum.chosen[:, 0]]
        [8, 8, 16]
    """

    courses: tuple[ComputeCourse, ...]
    seeds: tuple[int, ...]
    loss: str
    budgets: Float[np.ndarray, " budgets"]
    chosen: Int[np.ndarray, "budgets seeds"]
    values: dict[str, Float[np.ndarray, "budgets seeds"]] = field(repr=False)


def compute_courses(store: Store, cell: str | None = None) -> list[ComputeCourse]:
    """The traces of a run's networks by the compute that they took, in the suite's order.

    An update takes the gradient evaluations of its method on a batch, at three times the products
    of a forward pass each (``Network.update_flops``); checks are not counted.

    Args:
        store: the run directory.
        cell: a name, or the beginning of some; default: all.

    Raises:
        ValueError: no such cell.
        StoreError: no network of the run has ended.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, batch=100, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> (course,) = simbias.results.compute_courses(store)
        >>> int(course.flops[-1]) == 200 * 100 * 6 * (4 * 8 + 8 * 2)
        True
    """
    columns = [name for name in TRACE if name != "updates"]
    _, rows = store.query(
        f"SELECT cell, seed, updates, {', '.join(columns)} FROM traces ORDER BY ALL"
    )
    by_network: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for name, seed, *numbers in rows:
        row = tuple(np.nan if number is None else float(number) for number in numbers)
        by_network.setdefault((name, seed), []).append(row)
    courses = []
    for ended in trained(store, cell):
        sound = [seed for seed, fault in ended.faults.items() if not fault]
        traces = {
            seed: np.array(by_network[ended.cell.name, seed]).T
            for seed in sorted(sound)
            if (ended.cell.name, seed) in by_network
        }
        if traces:
            updates = np.unique(np.concatenate([trace[0] for trace in traces.values()]))
            # a network that met its goal stays as it was, whatever the others still spend
            places = [
                np.searchsorted(trace[0], updates, side="right") - 1 for trace in traces.values()
            ]
            stayed = [
                trace[1:, place.clip(0)]
                for trace, place in zip(traces.values(), places, strict=True)
            ]
            measured = dict(zip(columns, np.stack(stayed, axis=1), strict=True))
            flops = updates * flops_of_update(ended.cell)
            courses.append(ComputeCourse(ended.cell, tuple(traces), flops, measured))
    return courses


def flops_of_update(cell: Cell) -> float:
    """Floating-point operations of one update of a cell's network."""
    evaluations = cell.method.cost(dict(cell.method.settings))
    each_point = cell.network.update_flops(cell.task.shape, cell.task.classes)
    return float(evaluations * cell.batch * each_point)


def compute_optima(
    courses: Sequence[ComputeCourse], *, loss: str = "select_error", budgets: int = 40
) -> list[ComputeOptimum]:
    """What budgets of compute are best spent on.

    Args:
        courses: from ``compute_courses``.
        loss: ``"select_error"``, on draws that nothing was trained on, or ``"train_loss"``.
        budgets: how many, evenly spaced in their logarithm from the first check of the cheapest
            network to the last of the dearest.

    Returns:
        An entry for each group of at least two cells that differ in nothing but the network and
        have a seed in common.

    Raises:
        ValueError: another loss, or fewer than two budgets.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> method, stop = simbias.sgd(), simbias.Stop(max_updates=200)
        >>> of = {"n_train": 1000, "seeds": 2, "stop": stop}
        >>> stacks = [simbias.train(task, simbias.MLP(width), method, **of) for width in (4, 8)]
        >>> courses = []
        >>> for i, stack in enumerate(stacks):
        ...     store = simbias.runner.keep(stack, f"run-{i}", n_certify=10_000)
        ...     courses += simbias.results.compute_courses(store)
        >>> (optimum,) = simbias.results.compute_optima(courses)
        >>> optimum.values["select_accuracy"].shape
        (40, 2)
    """
    known("loss", loss, LOSSES)
    whole("budgets", budgets, least=2)
    groups: dict[str, list[ComputeCourse]] = {}
    for course in each("courses", courses, ComputeCourse):
        settings = course.cell.settings
        del settings["network"]
        groups.setdefault(canonical(settings), []).append(course)
    optima = []
    for group in groups.values():
        seeds = sorted(set.intersection(*(set(course.seeds) for course in group)))
        if len(group) > 1 and seeds:
            ordered = sorted(group, key=lambda course: flops_of_update(course.cell))
            optima.append(_optimum(ordered, tuple(seeds), loss, budgets))
    return optima


def _optimum(
    courses: Sequence[ComputeCourse], seeds: tuple[int, ...], loss: str, budgets: int
) -> ComputeOptimum:
    first = min(course.flops[0] for course in courses)
    last = max(course.flops[-1] for course in courses)
    grid = np.geomspace(first, last, budgets)
    places = [[course.seeds.index(seed) for seed in seeds] for course in courses]
    checks = [[course.at(budget) for course in courses] for budget in grid]

    def within(measured: Sequence[Float[np.ndarray, "seeds checks"]]) -> np.ndarray:
        """(budgets, courses, seeds): infinite where the first check costs more."""
        parts = zip(measured, places, zip(*checks, strict=True), strict=True)
        rows = [
            [np.full(len(seeds), np.inf) if i is None else values[own, i] for i in column]
            for values, own, column in parts
        ]
        return np.array(rows).swapaxes(0, 1)

    losses = within([course.loss(loss) for course in courses])
    others = losses
    if len(seeds) > 1:
        others = losses.sum(axis=-1, keepdims=True) - np.where(np.isinf(losses), 0, losses)
    chosen = np.argmin(others, axis=1)
    tables = {loss: losses}
    for name in MEASURED:
        if all(name in course.measured for course in courses):
            tables[name] = within([course.measured[name] for course in courses])
    values = {
        name: np.take_along_axis(table, chosen[:, None], axis=1)[:, 0]
        for name, table in tables.items()
    }
    return ComputeOptimum(tuple(courses), seeds, loss, grid, chosen, values)
