"""When training points are learned, and whether that tells exceptions and flipped labels.

A point's learning time is the update of the first check from which on its training label was
answered at every check; a point that is answered wrongly at the end has none, and counts as later
than all others. P. Nakkiran and others ("SGD on neural networks learns functions of increasing
complexity", 2019) found a near-linear rule to come first, so that exceptions come late. Late is not
wrong: P. Maini, S. Garg, Z. Lipton, J. Kolter ("Characterizing datapoints via second-split
forgetting", 2022) point to rare points that are right. So each kind of point has a control.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from simbias._checks import fail, instance, known
from simbias._pinned import pinned
from simbias.training.cell import Cell
from simbias.training.stack import Stack, redraw
from simbias.validation.reliance import auc
from simbias.validation.sound import faulty

Chosen = Bool[np.ndarray, " rows"]
NEVER = np.iinfo(np.int64).max  # later than any update


class _Training(NamedTuple):
    """A training set on the host, with the matrix that turned its inputs.

    ``exception`` and ``flipped`` are of its points.
    """

    cell: Cell
    x: np.ndarray
    rotation: np.ndarray
    exception: Chosen
    flipped: Chosen

    @property
    def in_margin(self) -> Chosen:
        """Points whose simple coordinate tells nothing."""
        return self.cell.block_task.in_margin(self.x, self.rotation)


_Choice = Callable[[_Training], Chosen]
# what is told, from which control, among which points: both are disjoint
KINDS: dict[str, tuple[_Choice, dict[str, _Choice]]] = {
    "exceptions": (
        lambda own: own.exception & ~own.flipped,
        {
            "others": lambda own: ~own.exception & ~own.flipped,
            "in-margin": lambda own: own.in_margin & ~own.exception & ~own.flipped,
        },
    ),
    "flips": (
        lambda own: own.flipped,
        {
            "others": lambda own: ~own.flipped,
            "exceptions": lambda own: own.exception & ~own.flipped,
        },
    ),
}


@pinned
def learning_auc(
    stack: Stack, kind: str = "exceptions", control: str = "others"
) -> Float[np.ndarray, " seeds"]:
    """The probability that a point of a kind is learned later than one of a control.

    The area under the curve that tells one from the other by learning time; equal times count half.

    Args:
        stack: networks with the checks at which they were trained.
        kind: ``"exceptions"``, those of the simple rule whose label is right, or ``"flips"``,
            labels that noise has changed.
        control: ``"others"``: all points with right labels that are not of the kind. Of exceptions
            ``"in-margin"``: those where the simple coordinate tells nothing either, but that the
            simple rule happens to label rightly. Of flips ``"exceptions"``: rare, but right.

    Returns:
        (seeds,); known exactly for a training set, NaN where it has no point of one of the two and
        for networks without finite weights.

    Raises:
        ValueError: an unknown kind or control, flips of a cell whose labels are not drawn once, or
            a control by one simple coordinate on a task without it.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> late = simbias.validation.learning_auc(stack)
        >>> bool((late > 0.5).all())
        True
    """
    instance("stack", stack, Stack)
    since = stack.fitted_since.astype(np.int64)
    return told_apart(stack, kind, control, np.where(since < 0, NEVER, since))


def told_apart(
    stack: Stack, kind: str, control: str, times: Int[np.ndarray, "seeds n_train"]
) -> Float[np.ndarray, " seeds"]:
    """The probability that a point of a kind has a later time than one of a control.

    Args:
        stack: the networks, of whose training points the times are.
        kind, control: as for ``learning_auc``.
        times: only their order counts; those that are equal count half.

    Raises:
        ValueError: as for ``learning_auc``.
    """
    of_kind, controls = KINDS[known("kind", kind, KINDS)]
    beside = controls[known("control", control, controls)]
    check_learning(stack.cell, kind, control)
    left_out, areas = faulty(stack), np.full(len(stack), np.nan)
    for i in np.flatnonzero(~left_out):
        own = _training(stack, int(i))
        positive, negative = of_kind(own), beside(own)
        if positive.any() and negative.any():
            chosen = positive | negative
            # by their order: times that are never reached have no size
            _, order = np.unique(times[i][chosen], return_inverse=True)
            areas[i] = auc(positive[chosen].astype(int), order.astype(float))
    return areas


def _training(stack: Stack, i: int) -> _Training:
    points = redraw(stack, i)
    y, exception = np.asarray(points.y), np.asarray(points.exception)
    flipped = np.zeros(len(y), bool) if points.clean is None else y != np.asarray(points.clean)
    return _Training(stack.cell, np.asarray(points.x), stack.rotation[i], exception, flipped)


def check_learning(cell: Cell, kind: str, control: str) -> None:
    """Raise ValueError for a cell that has no points of a kind, or of its control."""
    noise = cell.label_noise
    if kind == "flips" and (noise is None or noise.form != "fixed"):
        raise fail("kind", kind, "exceptions: labels of the cell are not drawn once with noise")
    if control == "in-margin" and len(cell.block_task.simple_set) != 1:
        arrived = f"in-margin of {cell.task.name}"
        raise fail("control", arrived, "others: there is not one simple coordinate")
