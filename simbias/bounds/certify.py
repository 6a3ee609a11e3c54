"""From how many points on a bound certifies a small excess risk: measured, or extrapolated."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simbias._checks import real
from simbias._defaults import CONFIDENCE
from simbias._identity import canonical
from simbias.bounds.evaluation import Evaluation
from simbias.bounds.quantities import certified
from simbias.stats.crossing import NEVER, falling_crossing
from simbias.stats.held_out import held_out_to_certify
from simbias.training.cell import Cell

ERROR = 0.01  # an excess risk that is small
_LEAST_SIZES = 3  # of the training set, for a law through them


@dataclass(frozen=True)
class Certifying:
    """From how many training points on one bound certifies, on one task by one learner.

    Attributes:
        error: the largest excess risk that is certified.
        cell: the one with the largest training set; the others differ from it in its size alone.
        bound: its name.
        certifies: whose risk it bounds.
        kind: ``"certificate"`` (of as many held-out points as the training set has) or ``"bound"``.
        sizes: of the training sets, rising.
        proportions: of the networks of each size on which it certifies; NaN: it has no value there.
        points: the size from which on it certifies on every network; NaN: not from any that was
            measured.
        extrapolated: the size at which it would, by the law below; inf: it does not surely fall;
            NaN: there is no need (``points``), or there are fewer than three sizes.
        low, high: confidence limits of ``extrapolated``, NaN where it is not finite.
        held_out: held-out points that certify the same of a network whose risk is the median of
            those of the largest size (``held_out_to_certify``).
        true: whether some network of the largest size has so small an excess risk, as far as its
            interval says: where none has, what certified it of the network would be wrong.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> names, evaluated = ["chernoff-kl"], []
        >>> for n in (1000, 2000, 4000):
        ...     stack = simbias.train(task, net, method, n_train=n, seeds=2, stop=stop)
        ...     evaluated.append((stack.cell, simbias.bounds.evaluate(stack, bounds=names)))
        >>> (certifying,) = simbias.bounds.certifying(evaluated, error=0.05)
        >>> certifying.bound, certifying.sizes, certifying.points
        ('chernoff-kl', (1000, 2000, 4000), 1000)
    """

    error: float
    cell: Cell
    bound: str
    certifies: str
    kind: str
    sizes: tuple[int, ...]
    proportions: tuple[float, ...]
    points: float
    extrapolated: float
    low: float
    high: float
    held_out: float
    true: bool


class _Own(NamedTuple):
    """What is so of the networks, whatever the bound; see ``Certifying``."""

    achievable_risk: float
    held_out: float
    true: bool


def certifying(
    evaluated: Sequence[tuple[Cell, Sequence[Evaluation]]],
    *,
    error: float = ERROR,
    confidence: float = CONFIDENCE,
) -> list[Certifying]:
    """From how many training points on bounds certify an excess risk of at most an error.

    A bound certifies on a network where its value is at most the achievable risk and the error.

    Args:
        evaluated: cells, each with its evaluations by ``simbias.bounds.evaluate``; those that
            differ in the size of the training set alone are taken together.
        error: largest excess risk, in (0, 1).
        confidence: of the limits of what is extrapolated, in (0, 1).

    Returns:
        An entry for each bound of each such group of at least two sizes, in the order given; none
        where there is no such group. Measures, expectations and bounds without a value are left
        out.

    Raises:
        ValueError: an argument out of range.

    Notes:
        Where a bound certifies at no measured size, the line through log(value - achievable risk)
        by log n, over networks, says where it would, with Fieller's limits: an extrapolation, which
        supposes that the power law goes on. The value of a bound on networks that have a risk of
        their own does not follow one down to the error, and its line flattens.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> names, evaluated = ["chernoff-kl"], []
        >>> for n in (1000, 2000, 4000):
        ...     stack = simbias.train(task, net, method, n_train=n, seeds=2, stop=stop)
        ...     evaluated.append((stack.cell, simbias.bounds.evaluate(stack, bounds=names)))
        >>> (certifying,) = simbias.bounds.certifying(evaluated, error=0.0001)
        >>> certifying.points, 20_000 < certifying.low < certifying.extrapolated < certifying.high
        (nan, True)
    """
    error = real("error", error, 0, 1, open_low=True, open_high=True)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    groups: dict[str, list[tuple[Cell, Sequence[Evaluation]]]] = {}
    for cell, evaluations in evaluated:
        if cell.task.truth.achievable_risk is not None:
            groups.setdefault(_but_size(cell), []).append((cell, evaluations))
    return [
        entry
        for group in groups.values()
        if len(group) > 1
        for entry in _group(sorted(group, key=lambda pair: pair[0].n_train), error, confidence)
    ]


def _but_size(cell: Cell) -> str:
    """A cell without the size of its training set."""
    settings = json.loads(cell.identity)
    del settings["n_train"]
    return canonical(settings)


def _group(
    cells: Sequence[tuple[Cell, Sequence[Evaluation]]], error: float, confidence: float
) -> list[Certifying]:
    names = dict.fromkeys(
        evaluation.record.bound
        for _, evaluations in cells
        for evaluation in evaluations
        if evaluation.valid is not None
    )
    achievable = cells[-1][0].task.truth.achievable_risk
    assert achievable is not None  # others were left out
    most = achievable + error
    of_networks = [evaluation for evaluation in cells[-1][1] if evaluation.own_risk]
    risks = [evaluation.risk for evaluation in of_networks if evaluation.risk is not None]
    lows = [evaluation.risk_low for evaluation in of_networks if evaluation.risk_low is not None]
    held_out = math.nan
    if risks and most < 1:
        held_out = held_out_to_certify(float(np.median(risks)), most)
    own = _Own(achievable, held_out, min(lows, default=0.0) <= most)
    return [_of_bound(name, cells, own, error, confidence) for name in names]


def _of_bound(
    name: str,
    cells: Sequence[tuple[Cell, Sequence[Evaluation]]],
    own: _Own,
    error: float,
    confidence: float,
) -> Certifying:
    achievable = own.achievable_risk
    sizes = tuple(cell.n_train for cell, _ in cells)
    by_size = [
        [each for each in evaluations if each.record.bound == name and each.valid is not None]
        for _, evaluations in cells
    ]
    proportions = tuple(
        float(np.mean([certified(evaluation, achievable, error) for evaluation in of_size]))
        if of_size
        else math.nan
        for of_size in by_size
    )
    points = math.nan
    for size, proportion in zip(reversed(sizes), reversed(proportions), strict=True):
        if proportion < 1 or math.isnan(proportion):
            break
        points = size
    crossing = NEVER._replace(place=math.nan)
    if math.isnan(points) and sum(map(bool, by_size)) >= _LEAST_SIZES:
        excess = np.array([
            (size, evaluation.record.value - achievable)
            for size, of_size in zip(sizes, by_size, strict=True)
            for evaluation in of_size
            if evaluation.record.value is not None
        ])  # fmt: skip
        crossing = NEVER
        if np.isfinite(excess).all() and (excess > 0).all():
            x, y = np.log(excess).T
            crossing = falling_crossing(x, y, math.log(error), confidence)
    record = next(of_size[0].record for of_size in by_size if of_size)
    place, low, high = map(_exponential, crossing)
    return Certifying(
        error=error,
        cell=cells[-1][0],
        bound=name,
        certifies=record.certifies,
        kind=record.kind,
        sizes=sizes,
        proportions=proportions,
        points=points,
        extrapolated=place,
        low=low,
        high=high,
        held_out=own.held_out,
        true=own.true,
    )


def _exponential(log: float) -> float:
    """e to a power, infinite where that is no float."""
    return math.inf if log >= math.log(np.finfo(float).max) else math.exp(log)
