"""Further quantities of networks: under shifts, along training, in weights and by controls."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace

import jax
import numpy as np

from simbias._checks import known
from simbias.models import panel
from simbias.quantities.quantity import Argument, quantity
from simbias.quantities.subject import Subject
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import block_task
from simbias.tasks.shifts import BENIGN, SHIFTS, possible_shifts, read_shift, shifted
from simbias.training.cell import Cell
from simbias.training.fit import TRACE
from simbias.validation import (
    control,
    faults,
    measure_conflicts,
    measure_corruption,
    measure_islands,
    validate,
)
from simbias.validation.conflicts import ConflictReport
from simbias.validation.controls import RULES
from simbias.validation.corruption import CORRUPTIONS
from simbias.validation.paired import paired
from simbias.validation.risk import count
from simbias.validation.stopping import stopped
from simbias.validation.transition import EXCESS, first_update, settled

_COUNTED = "Clopper-Pearson"


def _of_kind(kinds: Collection[str]) -> Callable[[str], str]:
    return lambda name: known("argument", name, kinds)


def _shift_among(names: Collection[str]) -> Callable[[str], object]:
    return lambda text: read_shift(text, among=names, argument="argument")


def _move(cell: Cell, kind: str) -> None:
    shifted(block_task(cell.task), kind)


def _build(cell: Cell, rule: str) -> None:
    control(replace(cell, n_train=1, batch=1), rule)


@quantity(-1, 1, interval=_COUNTED, column="none")
def gap(subject: Subject) -> Estimate:
    """risk - train_error."""
    train_error = 1 - subject.report.train_accuracy
    return Estimate(*(part - train_error for part in subject.report.risk))


def _achievable(subject: Subject) -> float:
    known_risk: float | None = subject.stack.cell.task.truth.achievable_risk
    assert known_risk is not None  # declared as a need
    return known_risk


@quantity(-1, 1, interval=_COUNTED, needs=("achievable risk",), column="none")
def excess_risk(subject: Subject) -> Estimate:
    """Risk less the achievable risk."""
    achievable = _achievable(subject)
    return Estimate(*(part - achievable for part in subject.report.risk))


@quantity(0, math.inf, unit="updates", needs=("achievable risk", "network"), column="none")
def transition_updates(subject: Subject) -> list[float]:
    """Updates until the select error stays within .01 of the achievable; inf: never."""
    most = _achievable(subject) + EXCESS
    updates, select = TRACE.index("updates"), TRACE.index("select_accuracy")
    return [
        first_update(trace[:, updates], settled(1 - trace[:, select] < most))
        for trace in subject.stack.traces
    ]


@quantity(0, 1, interval=_COUNTED, argument=Argument("shift", _shift_among(BENIGN), _move))
def shifted_accuracy(subject: Subject, kind: str) -> Estimate:
    """Accuracy under a shift that keeps every label right."""
    counts = count(panel(subject.stack).under(kind), subject.n_certify)
    return clopper_pearson(counts.correct, counts.points, subject.confidence)


def _conflicts(subject: Subject) -> ConflictReport:
    return measure_conflicts(
        subject.stack, n_certify=subject.n_certify, confidence=subject.confidence
    )


@quantity(-1, 1, interval="difference of two Clopper-Pearson", needs=("simple set",), column="none")
def conflict_slope(subject: Subject) -> Estimate:
    """Accuracy lost per probability that the simple coordinate misleads."""
    return _conflicts(subject).slope


@quantity(0, 1, interval="four Clopper-Pearson", needs=("simple set",), column="none")
def worst_group_accuracy(subject: Subject) -> Estimate:
    """Least accuracy of a label with the simple rule right, or wrong, at conflicts of half."""
    return _conflicts(subject).worst


@quantity(
    0,
    math.inf,
    needs=("simple set", "coordinates"),
    interval="Clopper-Pearson at each shift",
    column="none",
)
def corruption_error(subject: Subject) -> Estimate:
    """Risk under benign shifts over that of the simple rule, a mean over kinds of shifts."""
    task = block_task(subject.stack.cell.task)
    return measure_corruption(
        subject.stack,
        shifts=possible_shifts(task, CORRUPTIONS),
        n_certify=subject.n_certify,
        confidence=subject.confidence,
    ).score


@quantity(
    0,
    1,
    of="pair",
    needs=("network",),
    interval=_COUNTED,
    argument=Argument("shift", _shift_among(SHIFTS), _move),
)
def seed_agreement(subject: Subject, kind: str) -> Estimate:
    """Proportion of points of a shift that two seeds label alike.

    The points are the same before each network's own rotation.
    """
    seeds = subject.stack.seeds
    first, second = subject.stack.some(seeds[::2]), subject.stack.some(seeds[1::2])
    task = shifted(subject.stack.cell.block_task, kind)
    pairs = paired(first, second, points=subject.n_certify, task=task)
    return pairs.agreement(subject.confidence)


@quantity(-1, 1, needs=("network",), interval="product of two Clopper-Pearson", column="none")
def early_stopping_gain(subject: Subject) -> Estimate:
    """Risk at the last check less risk at the best by select accuracy, on the same points."""
    stack = subject.stack
    pairs = paired(stack, stopped(stack), points=subject.n_certify)
    return pairs.difference(subject.confidence)


@quantity(-1, 1, of="point", needs=("network",))
def early_stopping_difference(subject: Subject) -> np.ndarray:
    """Error at the last check less error at the best, a point: -1, 0 or 1.

    Of independent points any order is as likely as any other given the counts, so one is drawn.
    """
    pairs = paired(subject.stack, stopped(subject.stack), points=subject.n_certify)
    if not pairs.points[0]:
        return np.full(subject.n_certify, np.nan)
    worse, better = int(pairs.first_errs[0]), int(pairs.second_errs[0])
    values = np.zeros(subject.n_certify)
    values[:worse], values[worse : worse + better] = 1, -1
    return np.random.default_rng(subject.stack.seeds[0]).permutation(values)


@quantity(
    -math.inf,
    math.inf,
    unit="input units",
    needs=("relu layers", "simple set"),
    interval="bounded means",
    column="none",
    version=2,
)
def island_excess(subject: Subject) -> Estimate:
    """How much farther labels are kept around training than fresh exceptions."""
    return measure_islands(subject.stack, confidence=subject.confidence).chord.excess


@quantity(
    0, 1, needs=("network",), interval=_COUNTED, argument=Argument("rule", _of_kind(RULES), _build)
)
def control_risk(subject: Subject, rule: str) -> Estimate:
    """Risk of the explicit network of the same architecture that computes a rule."""
    explicit = control(subject.stack.cell, rule, seeds=subject.stack.seeds)
    return validate(explicit, n_certify=subject.n_certify, confidence=subject.confidence).risk


@quantity(-math.inf, math.inf, needs=("first layer", "simple set"), column="none")
def log_weight_ratio(subject: Subject) -> list[float]:
    """Log of first-layer weight on simple over slab coordinates, each a root mean square."""
    stack, task = subject.stack, subject.stack.cell.block_task
    simple = np.isin(np.arange(task.dim), task.simple_set)
    slabs = ~simple & ~np.array([block.is_normal for block in task.blocks])
    ratios = []
    for i, fault in enumerate(faults(stack)):
        if fault:
            ratios.append(np.nan)
            continue
        own = jax.tree.map(lambda leaf, place=i: leaf[place], stack.params)
        first = stack.cell.network.to_layers(own)[0].weight
        unrotated = np.asarray(stack.rotation[i], np.float64) @ first
        mean_square = (unrotated**2).mean(axis=1)
        ratios.append(0.5 * np.log(mean_square[simple].mean() / mean_square[slabs].mean()))
    return ratios
