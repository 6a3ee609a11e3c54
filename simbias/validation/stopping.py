"""Where training stops, by a validation set that is clean, or noisy, or by none.

A way of stopping reads the checks up to some update and says at which of them the network is kept.
What it reads is drawn apart from the points that certify, so that the accuracy there is not that of
the best of many.

- clean: the first of the checks with the highest accuracy on select draws, whose labels are the
  task's.
- noisy: the same, with the noise of the training labels on those of the select draws. M. Toner, A.
  Storkey ("Noisy early stopping for noisy labels", 2024): usually as good.
- patient: as clean, but training ends where ``PATIENCE`` checks have brought no higher accuracy,
  as a run does that is not trained to its end.
- none: no validation set. At the first minimum of the number of training points whose answer
  changes from one check to the next, averaged over ``WINDOW`` checks, after S. Yuan, L. Feng, T.
  Liu ("Early stopping against label noise without validation data", ICLR 2024, arXiv 2502.07551),
  who call it Label Wave; at the last check where there is none.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias._checks import fail, instance, known
from simbias._keys import key_of, stream
from simbias._pinned import pinned
from simbias._types import Params
from simbias.tasks.label_noise import LabelNoise, relabelled_at
from simbias.training import fit
from simbias.training.cell import Cell
from simbias.training.course import course
from simbias.training.fit import TRACE, Program
from simbias.training.jobs import N_SELECT, Job
from simbias.training.problem import TrainingProblem, draw_points, draw_training_set, problem_of
from simbias.training.scores import labels_of, logits
from simbias.training.stack import Stack, replayed

PATIENCE = 5  # checks without a higher accuracy
WINDOW = 3  # checks
WAYS = ("clean", "noisy", "patient", "none")
_UPDATES, _SELECT = TRACE.index("updates"), TRACE.index("select_accuracy")


@pinned
def stopped(stack: Stack, way: str = "clean") -> Stack:
    """The networks of a stack where a way of stopping keeps them, trained again up to there.

    Args:
        stack: networks with the checks at which they were trained.
        way: ``"clean"``, ``"noisy"``, ``"patient"`` or ``"none"``.

    Raises:
        ValueError: an unknown way, or a noisy set of a cell without noise on its labels.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> len(simbias.validation.stopped(stack, "none"))
        2
    """
    instance("stack", stack, Stack)
    check_way(stack.cell, known("way", way, WAYS))
    if way in ("clean", "patient"):
        accuracies = [trace[:, _SELECT] for trace in stack.traces]
        places = [patient(own) if way == "patient" else int(np.argmax(own)) for own in accuracies]
    else:
        places = _asked(stack, way)
    return replayed(
        stack,
        [int(trace[place, _UPDATES]) for trace, place in zip(stack.traces, places, strict=True)],
    )


def check_way(cell: Cell, way: str) -> None:
    """Raise ValueError for a way of stopping that a cell has no labels for."""
    if way == "noisy" and cell.label_noise is None:
        raise fail("way", way, "clean, patient or none: labels of the cell have no noise")


def patient(accuracies: Float[np.ndarray, " checks"]) -> int:
    """The place of the best accuracy when ``PATIENCE`` places have followed without a higher one.

    Examples:
        >>> import numpy as np
        >>> from simbias.validation.stopping import patient
        >>> patient(np.array([0.5, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9]))
        1
    """
    best = 0
    for place, accuracy in enumerate(accuracies):
        if accuracy > accuracies[best]:
            best = place
        elif place - best >= PATIENCE:
            break
    return best


def first_minimum(changes: Float[np.ndarray, " checks"]) -> int:
    """The place after whose changes, averaged over ``WINDOW`` of them, the next mean is greater.

    Args:
        changes: at each check, how many answers differ from those of the one before.

    Returns:
        The last place where no mean is followed by a greater one.

    Examples:
        >>> import numpy as np
        >>> from simbias.validation.stopping import first_minimum
        >>> first_minimum(np.array([9.0, 6.0, 3.0, 3.0, 6.0, 9.0]))
        3
    """
    if len(changes) < WINDOW:
        return len(changes) - 1
    means = np.convolve(changes, np.full(WINDOW, 1 / WINDOW), mode="valid")
    rises = np.flatnonzero(np.diff(means) > 0)
    return int(rises[0]) + WINDOW - 1 if len(rises) else len(changes) - 1


def _asked(stack: Stack, way: str) -> list[int]:
    """The place of the check at which each network is kept, by what it answers at all of them."""
    cell, jobs = stack.cell, [Job(stack.cell, seed) for seed in stack.seeds]
    program, problems = fit.program(cell, N_SELECT), [problem_of(*job) for job in jobs]
    labels_before: dict[int, np.ndarray] = {}
    seen: list[list[float]] = [[] for _ in jobs]
    for update, snapshots in course(jobs):
        for i, job in enumerate(jobs):
            if int(snapshots[job].state.updates) < update:  # it ended before
                continue
            params = fit.evaluated(program, problems[i], snapshots[job].state)
            if way == "noisy":
                answers, clean = map(np.asarray, _select_answers(program, problems[i], params))
                if i not in labels_before:
                    labels_before[i] = _noisy(cell, problems[i], clean)
                seen[i].append(float((answers == labels_before[i]).mean()))
            else:
                answers = np.asarray(_train_answers(program, problems[i], params))
                changed = i in labels_before and (answers != labels_before[i]).sum()
                seen[i].append(float(changed) if i in labels_before else len(answers))
                labels_before[i] = answers
    if way == "noisy":
        return [int(np.argmax(own)) for own in seen]
    return [first_minimum(np.array(own, np.float64)) for own in seen]


def _noisy(
    cell: Cell, problem: TrainingProblem, clean: Int[np.ndarray, " points"]
) -> Int[np.ndarray, " points"]:
    """Labels of select draws with the noise of the training labels."""
    assert isinstance(cell.label_noise, LabelNoise)  # checked by its way
    key = stream(key_of(problem.keys.data), "noisy select")
    uniforms = np.asarray(jax.random.uniform(key, (len(clean),)))
    return relabelled_at(cell.label_noise.law(cell.task.classes), clean, uniforms)


@partial(jax.jit, static_argnums=0)
def _select_answers(
    program: Program, problem: TrainingProblem, params: Params
) -> tuple[Array, Array]:
    select = draw_points(program.draw, problem, "select", program.n_select)
    return labels_of(logits(program.network, params, select.x)), select.y.astype(jnp.int32)


@partial(jax.jit, static_argnums=0)
def _train_answers(program: Program, problem: TrainingProblem, params: Params) -> Array:
    train = draw_training_set(program.draw, problem, program.n_train)
    return labels_of(logits(program.network, params, train.x))
