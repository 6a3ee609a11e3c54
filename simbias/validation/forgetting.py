"""Which training points are forgotten, and how soon, when training goes on with others.

Networks that were trained on a first set are trained on, to the end of their stop rule, on a second
one of equal size and law, without the first. A point of the first is forgotten at the first check
from which on its training label is answered at none. P. Maini, S. Garg, Z. Lipton, J. Kolter
("Characterizing datapoints via second-split forgetting", NeurIPS 2022) found mislabelled points to
be forgotten soon, and rare ones that are right late or never: what learning times confuse.
"""

from functools import partial

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from simbias._checks import fail, instance
from simbias._pinned import pinned
from simbias._types import Params
from simbias.training import fit
from simbias.training.cell import Cell
from simbias.training.course import course
from simbias.training.fit import TRACE, Program
from simbias.training.jobs import SecondJob, Snapshot
from simbias.training.problem import TrainingProblem, draw_training_set, problem_of
from simbias.training.scores import labels_of, logits
from simbias.training.stack import Stack
from simbias.validation.learning_times import NEVER, told_apart

_N_SELECT = 1000  # of the second set's trace, which nothing reads


@pinned
def forgetting_times(stack: Stack) -> Int[np.ndarray, "seeds n_train"]:
    """When each point of a training set is forgotten, as networks are trained on a second one.

    The second set has the points that follow the first in the seed's stream, noise on labels
    included. The method begins anew at the trained parameters, and ends by the cell's stop rule.

    Args:
        stack: trained networks.

    Returns:
        The update of the second training at the first check from which on the point is labelled
        otherwise than in training, at every check; 0 where that is so before it, and
        ``NEVER`` where the last check still labels it so.

    Raises:
        ValueError: a task of too few points for a second set.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> times = simbias.validation.forgetting_times(stack)
        >>> bool((times[stack.fitted_since < 0] != 200).all())
        True
    """
    instance("stack", stack, Stack)
    cell = stack.cell
    check_second(cell)
    program = fit.program(cell, _N_SELECT)
    jobs = [SecondJob(cell, seed) for seed in stack.seeds]
    saved, seconds = {}, [problem_of(*job) for job in jobs]
    firsts = [problem_of(cell, seed) for seed in stack.seeds]
    for i, job in enumerate(jobs):
        params = jax.tree.map(lambda leaf, i=i: leaf[i], stack.params)
        state = jax.device_get(fit.start_from(program, seconds[i], params))
        saved[job] = Snapshot(state, np.zeros((0, len(TRACE)), np.float32))
    times = np.where(stack.fitted_since < 0, 0, NEVER)
    for update, snapshots in course(jobs, saved=saved, n_select=_N_SELECT):
        for i, job in enumerate(jobs):
            params = fit.evaluated(program, seconds[i], snapshots[job].state)
            right = np.asarray(_right(program, firsts[i], params))
            # what is right again was not forgotten for good
            times[i] = np.where(right, NEVER, np.minimum(times[i], update))
    return times


@pinned
def forgetting_auc(
    stack: Stack, kind: str = "flips", control: str = "exceptions"
) -> Float[np.ndarray, " seeds"]:
    """The probability that a point of a kind is forgotten sooner than one of a control.

    Args:
        stack, kind, control: as for ``learning_auc``.

    Returns:
        (seeds,); equal times count half, known exactly for two sets.

    Raises:
        ValueError: as for ``learning_auc`` and ``forgetting_times``.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> noise = simbias.tasks.LabelNoise(alpha=1)
        >>> stack = simbias.train(
        ...     task, net, method, n_train=1000, seeds=2, stop=stop, label_noise=noise
        ... )
        >>> simbias.validation.forgetting_auc(stack).shape
        (2,)
    """
    times = forgetting_times(stack)
    return 1 - told_apart(stack, kind, control, times)


def check_second(cell: Cell) -> None:
    """Raise ValueError for a cell whose task has too few points for a second training set."""
    points = getattr(cell.task, "most", {}).get("train")
    if points is not None and 2 * cell.n_train > points:
        allowed = f"at most half of {points}, the points of {cell.task.name}, for two training sets"
        raise fail("n_train", cell.n_train, allowed)


@partial(jax.jit, static_argnums=0)
def _right(program: Program, problem: TrainingProblem, params: Params) -> Array:
    train = draw_training_set(program.draw, problem, program.n_train)
    return labels_of(logits(program.network, params, train.x)) == train.y
