"""Networks trained on an altered training set: a point replaced, or coin flips for labels.

Initialisation, order of the batches and all else are those of the network itself, so that only the
alteration differs; all of one kind, the unaltered one included, are trained by one program.
"""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simbias._checks import fail, instance, whole
from simbias._pinned import pinned
from simbias._types import Params
from simbias.training import fit
from simbias.training.cell import Cell
from simbias.training.fit import Program
from simbias.training.jobs import AlteredJob, Snapshot, train_jobs
from simbias.training.problem import TrainingProblem, draw_points, draw_training_set, problem_of
from simbias.training.scores import labels_of, logits
from simbias.training.stack import seed_list


class Replacements(NamedTuple):
    """What a network says of training points, and what others say that were trained without them.

    Attributes:
        errs: whether the network labels each of some training points wrongly, (points,).
        other_errs: whether the network does that had another draw in that point's place.
        loss, other_loss: the same of the loss that is minimised.
        relabelled: the proportion of fresh points that the two label differently, (points,).

    Examples:
        >>> import numpy as np
        >>> from simbias.bounds import Replacements
        >>> errs, other_errs = np.array([False, False]), np.array([False, True])
        >>> made = Replacements(errs, other_errs, np.zeros(2), np.ones(2), np.zeros(2))
        >>> float(made.other_errs.mean() - made.errs.mean())
        0.5
    """

    errs: Bool[np.ndarray, " points"]
    other_errs: Bool[np.ndarray, " points"]
    loss: Float[np.ndarray, " points"]
    other_loss: Float[np.ndarray, " points"]
    relabelled: Float[np.ndarray, " points"]


def checked_replacements(replacements: Replacements) -> Replacements:
    """Replacements whose shapes agree, as arrays; ValueError."""
    arrays = [np.asarray(part) for part in replacements]
    shape = arrays[0].shape
    for name, part in zip(Replacements._fields, arrays, strict=True):
        if part.shape != shape or len(shape) != 1 or not part.size:
            raise fail(f"replacements: {name}", f"shape {part.shape}", "one entry for each point")
        if not np.isfinite(part.astype(np.float64)).all():
            raise fail(f"replacements: {name}", "numbers not finite", "finite numbers")
    for name in ("errs", "other_errs", "relabelled"):
        part = arrays[Replacements._fields.index(name)]
        if float(part.min()) < 0 or float(part.max()) > 1:
            raise fail(f"replacements: {name}", "numbers beyond", "numbers in [0, 1]")
    return Replacements(
        *(part.astype(bool) for part in arrays[:2]), *(part.astype(float) for part in arrays[2:])
    )


def checked_coin_errors(
    errors: Float[np.ndarray, " draws"],
) -> Float[np.ndarray, " draws"]:
    """Training errors on coin flips, as an array; ValueError."""
    array = np.asarray(errors, np.float64)
    if array.ndim != 1 or not array.size or not ((array >= 0) & (array <= 1)).all():
        raise fail("coin_errors", f"shape {array.shape}", "errors in [0, 1], at least one")
    return array


@pinned
def replaced_points(cell: Cell, seed: int, *, points: int, n_fresh: int = 10_000) -> Replacements:
    """Train a cell again for each of some training points, with another draw in its place.

    Which points depends on their number and the seed alone; all are equally likely, and none is
    taken twice.

    Args:
        cell: what is trained, on a task that draws from a law.
        seed: an integer >= 0.
        points: networks to train, beside the one with all its points.
        n_fresh: points of the select stream on which labels are compared.

    Raises:
        ValueError: an argument out of range, a task that has no other draws, or a network that
            diverged.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> made = simbias.bounds.replaced_points(cell, seed=0, points=3)
        >>> made.errs.shape, bool((made.relabelled < 0.1).all())
        ((3,), True)
    """
    instance("cell", cell, Cell)
    (seed,) = seed_list([seed])
    if getattr(cell.task, "most", None):
        raise fail("cell", cell.task.name, "one whose task draws from a law, not given points")
    points = whole("points", points, most=cell.n_train)
    n_fresh = whole("n_fresh", n_fresh)
    generator = np.random.default_rng(seed)
    rows = [-1, *generator.permutation(cell.n_train)[:points].tolist()]
    jobs = [AlteredJob(cell, seed, replaced=row) for row in rows]
    program = fit.program(cell, n_fresh)
    base, *others = (
        jax.device_get(_said(program, problem_of(*job), _params(program, job, snapshot)))
        for job, snapshot in _trained(jobs).items()
    )
    errs, losses, labels = base
    return Replacements(
        errs=errs[rows[1:]],
        other_errs=np.array([other[0][row] for other, row in zip(others, rows[1:], strict=True)]),
        loss=losses[rows[1:]].astype(np.float64),
        other_loss=np.array(
            [other[1][row] for other, row in zip(others, rows[1:], strict=True)], np.float64
        ),
        relabelled=np.array([np.mean(other[2] != labels) for other in others]),
    )


@pinned
def coin_flip_errors(cell: Cell, seed: int, *, draws: int) -> Float[np.ndarray, " draws"]:
    """Train a cell on the seed's inputs with fair coin flips for labels.

    Args:
        cell: what is trained, on a task of two classes.
        seed: an integer >= 0.
        draws: of the coin flips; a network is trained on each.

    Returns:
        The training error of each.

    Raises:
        ValueError: an argument out of range, more than two classes, or a network that diverged.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> errors = simbias.bounds.coin_flip_errors(cell, seed=0, draws=2)
        >>> errors.shape, bool((errors > 0.4).all())
        ((2,), True)
    """
    instance("cell", cell, Cell)
    (seed,) = seed_list([seed])
    if cell.task.classes != 2:
        raise fail("cell", f"{cell.task.classes} classes", "one whose task has two")
    jobs = [AlteredJob(cell, seed, coins=draw) for draw in range(whole("draws", draws))]
    program = fit.program(cell, 1)
    return np.array(
        [
            float(np.mean(_said(program, problem_of(*job), _params(program, job, snapshot))[0]))
            for job, snapshot in _trained(jobs).items()
        ]
    )


def _trained(jobs: list[AlteredJob]) -> dict[AlteredJob, Snapshot]:
    snapshots = train_jobs(jobs)
    diverged = sum(snapshot.diverged for snapshot in snapshots.values())
    if diverged:
        arrived = f"{len(jobs)} networks, of which {diverged} diverged, seed {jobs[0].seed}"
        raise fail("cell", arrived, "networks that do not diverge")
    return snapshots


def _params(program: Program, job: AlteredJob, snapshot: Snapshot) -> Params:
    return fit.evaluated(program, problem_of(*job), snapshot.state)


@partial(jax.jit, static_argnums=0)
def _said(
    program: Program, problem: TrainingProblem, params: Params
) -> tuple[Bool[Array, " n_train"], Float[Array, " n_train"], Int[Array, " n_fresh"]]:
    """Errors and losses of a network on the training set, without a replacement; fresh labels."""
    own = draw_training_set(program.draw, problem._replace(replaced=None), program.n_train)
    scores = logits(program.network, params, own.x)
    fresh = draw_points(program.draw, problem, "select", program.n_select)
    return (
        labels_of(scores) != own.y,
        program.loss.points(scores, own.y),
        labels_of(logits(program.network, params, fresh.x)),
    )
