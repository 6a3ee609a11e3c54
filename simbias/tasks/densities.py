"""Densities of block tasks: draws in float64, log-densities, weights of one law against another.

Points are unrotated. The law of a coordinate given the label is piecewise constant, so all of these
are finite sums and products over its pieces.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp

from simbias._checks import fail
from simbias.tasks.block_task import BlockTask
from simbias.tasks.blocks import Block, Piece

_DIGITS = 12  # to which the ends of two intervals are one
_ROUNDING = 1e-12  # by which a draw may lie beyond the end of its interval


class Weights(NamedTuple):
    """The largest weight of a labelled point under a shift, and the mass outside the support.

    Outside the task's own support weights are infinite.

    Examples:
        >>> import simbias
        >>> from simbias.tasks.densities import weights_of
        >>> from simbias.tasks.shifts import shifted
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4, noise=0.2)
        >>> found = weights_of(task, shifted(task, "margin"))
        >>> round(found.largest, 9), found.outside
        (5.0, 0.0)
    """

    largest: float
    outside: float


def check_densities(task: BlockTask) -> None:
    """Raise ValueError for a task of atoms."""
    if any(piece.low == piece.high for block in task.blocks for law in block.laws for piece in law):
        raise fail("task", task.name, "a task whose coordinates have densities")


def draw_unrotated(
    task: BlockTask, generator: np.random.Generator, rows: int
) -> tuple[Float[np.ndarray, "rows dim"], Int[np.ndarray, " rows"]]:
    """Unrotated points in float64; normal coordinates, which no shift changes, stay 0."""
    y, x = generator.integers(2, size=rows), np.zeros((rows, task.dim))
    for j, block in enumerate(task.blocks):
        for label, law in enumerate(block.laws):
            members = np.flatnonzero(y == label)
            if not law or not len(members):
                continue
            low, high, mass = np.array(law).T
            chosen = generator.choice(len(law), size=len(members), p=mass / mass.sum())
            length = (high - low)[chosen]
            x[members, j] = low[chosen] + generator.random(len(members)) * length
    return x if task.tilt is None else x @ task.tilt, y


def log_density(
    task: BlockTask, x: Float[np.ndarray, "rows dim"], y: Int[np.ndarray, " rows"] | None
) -> Float[np.ndarray, " rows"]:
    """The log-density of points and labels, or of points alone; -inf outside the support."""
    x = x if task.tilt is None else x @ task.tilt.T
    given = np.full((2, len(x)), -np.log(2.0))
    for j, block in enumerate(task.blocks):
        for label, law in enumerate(block.laws):
            if law:
                with np.errstate(divide="ignore"):
                    given[label] += np.log(_density(law, x[:, j]))
    together: Float[np.ndarray, " rows"] = (
        logsumexp(given, axis=0) if y is None else given[y, np.arange(len(x))]
    )
    return together


def weights(
    task: BlockTask,
    other: BlockTask,
    x: Float[np.ndarray, "rows dim"],
    y: Int[np.ndarray, " rows"],
    *,
    rounding: float = 0.0,
) -> Float[np.ndarray, " rows"]:
    """The density of labelled points under ``other`` over that under ``task``, rounded up.

    Args:
        task: the law in the denominator, of the same coordinates.
        other: that in the numerator.
        x: unrotated points.
        y: their labels.
        rounding: by which coordinates may be off: no point so near has a larger weight.

    Returns:
        Weights >= 0, infinite outside the support of ``task``.
    """
    log, gone, outside = np.zeros(len(x)), np.zeros(len(x), bool), np.zeros(len(x), bool)
    for j, (own, new) in _changed(task, other):
        for label in (0, 1):
            rows = np.flatnonzero(y == label)
            near = x[rows, j] + rounding * np.array([[-1.0], [0.0], [1.0]])
            above, below = (
                np.stack([_density(block.laws[label], value) for value in near])
                for block in (new, own)
            )
            most = above.max(axis=0)
            least = np.where(below > 0, below, np.inf).min(axis=0)
            gone[rows] |= most == 0
            outside[rows] |= ~(least < np.inf)
            with np.errstate(divide="ignore"):
                log[rows] += np.log(most) - np.log(least)
    return np.where(outside & ~gone, np.inf, np.exp(log))


def weights_of(task: BlockTask, other: BlockTask) -> Weights:
    """The largest weight, and the mass of ``other`` outside the support of ``task``; exact.

    Raises:
        ValueError: a task of atoms, or one whose points are tilted.
    """
    for law in (task, other):
        check_densities(law)
        if law.angle:
            raise fail("shift", f"tilt={law.angle:g}", "one that keeps coordinates independent")
    largest, inside = np.ones(2), np.ones(2)
    for _, (own, new) in _changed(task, other):
        for label in (0, 1):
            length, above, below = _steps(new.laws[label], own.laws[label])
            seen: Bool[np.ndarray, " steps"] = above > 0
            with np.errstate(divide="ignore"):
                largest[label] *= float((above[seen] / below[seen]).max())
            inside[label] *= float((above * length)[below > 0].sum())
    most = float(largest.max())
    return Weights(most, float(1 - inside.mean()) if np.isinf(most) else 0.0)


def _changed(task: BlockTask, other: BlockTask) -> list[tuple[int, tuple[Block, Block]]]:
    pairs = enumerate(zip(task.blocks, other.blocks, strict=True))
    return [(j, pair) for j, pair in pairs if pair[0].laws != pair[1].laws]


def _steps(
    first: tuple[Piece, ...], second: tuple[Piece, ...]
) -> tuple[Float[np.ndarray, " steps"], ...]:
    """Lengths of the intervals on which both densities are constant, and the densities there."""
    ends = np.unique(
        np.round([end for low, high, _ in (*first, *second) for end in (low, high)], _DIGITS)
    )
    middle = (ends[:-1] + ends[1:]) / 2
    return np.diff(ends), _density(first, middle), _density(second, middle)


def _density(law: tuple[Piece, ...], x: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    low, high, mass = np.array(law).T
    value = x[:, None]
    inside = (value >= low - _ROUNDING) & (value <= high + _ROUNDING)
    total: Float[np.ndarray, " rows"] = (inside * (mass / (high - low))).sum(axis=1)
    return total
