"""How each quantity of the vocabulary is measured on the networks of a stack.

A function takes a ``Look`` at the stack, which computes what several quantities share once, and the
quantity's argument; it returns an estimate with an entry a network, or an entry a pair of networks
(the first with the second, the third with the fourth, ...). NaN: not measured on that network.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
from scipy.special import betaincinv

from simbias._checks import fail
from simbias.bounds import Judged, evaluate, violated
from simbias.networks import MLP
from simbias.tasks.oracle import achievable_risk, simple_risk
from simbias.tasks.shifts import shifted
from simbias.training.cell import Cell
from simbias.training.fit import TRACE
from simbias.training.stack import Stack, replay, stacked
from simbias.validation import Report, control, faults, measure_islands, validate
from simbias.validation.geometry import layers_of
from simbias.validation.paired import paired
from simbias.validation.risk import Estimate, clopper_pearson, count
from simbias.validation.transition import EXCESS, first_update, settled

DELTA = 0.05  # with which bounds are evaluated
_MOST_HELD_OUT = 10_000_000


class Look:
    """A stack, the effort spent on it, and what is shared between quantities.

    Args:
        stack: trained networks.
        n_certify: fresh points a network or pair.
        confidence: of each network's own interval, in (0, 1).
        bounds: registered names that will be asked for, evaluated together.
    """

    def __init__(
        self, stack: Stack, *, n_certify: int, confidence: float, bounds: Sequence[str] = ()
    ) -> None:
        self.stack, self.n_certify, self.confidence = stack, n_certify, confidence
        self._bounds = tuple(bounds)

    @cached_property
    def report(self) -> Report:
        """What the validator says."""
        return validate(self.stack, n_certify=self.n_certify, confidence=self.confidence)

    @cached_property
    def judged(self) -> dict[tuple[str, int], Judged]:
        """The bounds asked for, by name and seed."""
        found = evaluate(
            self.stack,
            delta=DELTA,
            bounds=self._bounds,
            n_certify=self.n_certify,
            confidence=self.confidence,
        )
        return {(one.record.bound, one.seed): one for one in found}

    def per_network(self, values: Any) -> Estimate:
        """Numbers that are known exactly."""
        exact = np.broadcast_to(np.asarray(values, float), len(self.stack)).copy()
        return Estimate(exact, exact, exact)


def shift(estimate: Estimate, by: Any, sign: int = 1) -> Estimate:
    """``by`` + sign * estimate."""
    ends = [by + sign * part for part in estimate]
    return Estimate(ends[0], *(ends[1:] if sign == 1 else ends[:0:-1]))


def reads_weights(cell: Cell, _: Any) -> None:
    """Raise ValueError where weights do not tell a simple coordinate from the others."""
    network = cell.network
    if not isinstance(network, MLP) or network.activation != "relu":
        raise fail("network", network.label, "an MLP of relu units")
    has_simple_set(cell, None)


def has_simple_set(cell: Cell, _: Any) -> None:
    """Raise ValueError for a task without a simple set."""
    if not cell.task.simple_set:
        raise fail("task", cell.task.name, "a task with a simple set")


def has_exceptions(cell: Cell, _: Any) -> None:
    """Raise ValueError for a task whose simple rule never errs."""
    if not simple_risk(cell.task):
        raise fail("task", cell.task.name, "a task with exceptions to its simple rule")


def is_exact(cell: Cell, _: Any) -> None:
    """Raise ValueError for a task without exact risk, on which no bound is evaluated."""
    if any(block.is_normal for block in cell.task.blocks):
        raise fail("task", cell.task.name, "a task of slab and linear coordinates")


def setting(cell: Cell, name: str) -> float:
    """A number among the settings of a cell, whichever part has it; ValueError where none has."""
    parts = (cell.settings, *(cell.settings[part] for part in ("task", "network", "method")))
    for settings in parts:
        if name in settings:
            return float(settings[name])
    raise fail("quantity", name, f"a setting of {cell.name}, which has no such number")


def gap(look: Look, _: Any) -> Estimate:
    """Risk less the error on the training set."""
    return shift(look.report.risk, look.report.train_accuracy - 1)


def excess_risk(look: Look, _: Any) -> Estimate:
    """Risk less the achievable risk."""
    return shift(look.report.risk, -achievable_risk(look.stack.cell.task))


def transition_updates(look: Look, _: Any) -> Estimate:
    """Updates to the first check from which on the select error is within 1% of the achievable."""
    most = achievable_risk(look.stack.cell.task) + EXCESS
    updates, select = TRACE.index("updates"), TRACE.index("select_accuracy")
    return look.per_network(
        [
            first_update(trace[:, updates], settled(1 - trace[:, select] < most))
            for trace in look.stack.traces
        ]
    )


def shifted_accuracy(look: Look, kind: str) -> Estimate:
    """Accuracy on fresh draws of the shifted task, whose labels the achievable rule keeps."""
    cell = look.stack.cell
    moved = replace(look.stack, cell=replace(cell, task=shifted(cell.task, kind)))
    counts = count(moved, look.n_certify)
    return clopper_pearson(counts.correct, counts.points, look.confidence)


def seed_agreement(look: Look, kind: str) -> Estimate:
    """Share of points, unrotated the same, that two networks of different seeds label alike."""
    seeds = look.stack.seeds
    first, second = look.stack.some(seeds[::2]), look.stack.some(seeds[1::2])
    task = shifted(look.stack.cell.task, kind)
    return paired(first, second, points=look.n_certify, task=task).agreement(look.confidence)


def early_stopping_gain(look: Look, _: Any) -> Estimate:
    """Risk at the last check less risk at the best, on the same fresh points."""
    stack = look.stack
    return paired(stack, best_checks(stack), points=look.n_certify).difference(look.confidence)


def early_stopping_difference(look: Look, _: Any) -> Estimate:
    """The same for the points of one network: its error at the last check less that at the best.

    Of independent points any order is as likely as any other given the counts, so one is drawn.
    """
    found = paired(look.stack, best_checks(look.stack), points=look.n_certify)
    if not found.points[0]:
        return Estimate(*np.full((3, look.n_certify), np.nan))
    worse, better = int(found.first_errs[0]), int(found.second_errs[0])
    values = np.zeros(look.n_certify)
    values[:worse], values[worse : worse + better] = 1, -1
    values = np.random.default_rng(look.stack.seeds[0]).permutation(values)
    return Estimate(values, values, values)


def best_checks(stack: Stack) -> Stack:
    """The networks of a stack as they were at their best check: trained once more up to there.

    The best check is the first of those with the highest accuracy on select draws, which have the
    noise of the task and say nothing about the draws that certify.
    """
    updates, select = TRACE.index("updates"), TRACE.index("select_accuracy")
    best = [int(trace[np.argmax(trace[:, select]), updates]) for trace in stack.traces]
    places: dict[int, list[int]] = {}
    for i, at in enumerate(best):
        places.setdefault(at, []).append(i)
    params: dict[int, Any] = {}
    for at, members in places.items():
        earlier = replay(stack.cell, at, seeds=[stack.seeds[i] for i in members])
        for place, i in enumerate(members):
            params[i] = jax.tree.map(lambda leaf, place=place: leaf[place], earlier.params)
    return replace(stack, params=stacked([params[i] for i in range(len(stack))]))


def held_out_points(look: Look, error: float) -> Estimate:
    """The fewest held-out points whose 95% certificate, at the true risk, excludes an error."""
    risk = look.report.risk
    return Estimate(
        np.array([points_to_exclude(r, error) for r in risk.value]),
        np.array([points_to_exclude(r, error) for r in risk.high]),
        np.array([points_to_exclude(r, error) for r in risk.low]),
    )


def points_to_exclude(risk: float, error: float, *, confidence: float = 0.95) -> float:
    """The least m at which floor(m risk) errors in m points exclude a smaller error.

    The one-sided Clopper-Pearson lower limit of the risk then lies above ``error``.

    Args:
        risk: of the network, in [0, 1].
        error: to be excluded, in [0, 1).
        confidence: of the certificate.

    Returns:
        m; inf where the risk is no larger, or more than ten million points would be needed; NaN
        where the risk is.
    """
    if np.isnan(risk):
        return np.nan
    if risk <= error:
        return np.inf
    # with k errors the limit falls as m grows, so the least m for each k is its first, ceil(k/r)
    errors, most = 1, 64
    while errors <= risk * _MOST_HELD_OUT:
        k = np.arange(errors, errors + most)
        m = np.ceil(k / risk - 1e-9)
        enough = betaincinv(k, m - k + 1, 1 - confidence) > error
        if enough.any():
            return float(m[np.argmax(enough)])
        errors, most = errors + most, 2 * most
    return np.inf


def island_excess(look: Look, _: Any) -> Estimate:
    """How much farther labels are kept around training exceptions than around fresh ones."""
    return measure_islands(look.stack, confidence=look.confidence).toward.excess


def control_risk(look: Look, rule: str) -> Estimate:
    """Risk of the explicit network of the same architecture that computes a rule."""
    explicit = control(look.stack.cell, rule, seeds=look.stack.seeds)
    return validate(explicit, n_certify=look.n_certify, confidence=look.confidence).risk


def bound_value(look: Look, name: str) -> Estimate:
    """The unclipped value of a bound at delta .05; inapplicable: not measured."""
    values = [look.judged[name, seed].record.value for seed in look.stack.seeds]
    return look.per_network([np.nan if value is None else value for value in values])


def bound_valid(look: Look, name: str) -> Estimate:
    """Whether the risk of what a bound certifies is at most its value: 1 or 0 where that is sure.

    Where the interval of the risk holds the value, it is between 0 and 1. Measures and bounds that
    do not apply: not measured.
    """
    ends = np.full((3, len(look.stack)), np.nan)
    for i, seed in enumerate(look.stack.seeds):
        one = look.judged[name, seed]
        if one.valid is not None:
            limits = (one.risk, one.risk_high, one.risk_low)
            ends[:, i] = [not violated(one.record, float(limit or 0)) for limit in limits]
    return Estimate(*ends)


def log_weight_ratio(look: Look, _: Any) -> Estimate:
    """log of the first layer's root-mean-square weight on a simple over a slab coordinate."""
    stack, task = look.stack, look.stack.cell.task
    simple = np.isin(np.arange(task.dim), task.simple_set)
    slabs = ~simple & ~np.array([block.is_normal for block in task.blocks])
    ratios = []
    for i, fault in enumerate(faults(stack)):
        if fault:
            ratios.append(np.nan)
            continue
        size = (layers_of(stack, i)[0].weight ** 2).mean(axis=1)  # by unrotated coordinate
        ratios.append(0.5 * np.log(size[simple].mean() / size[slabs].mean()))
    return look.per_network(ratios)
