"""Training whatever the learner: a network with a method, or an estimator that fits itself."""

from collections.abc import Sequence
from typing import Any

from simbias import training
from simbias._checks import fail
from simbias.models.estimators import Estimator, Fitted, fit
from simbias.networks import Network
from simbias.tasks import Task
from simbias.training import Method, Stack


def train(
    task: Task,
    learner: Network | Estimator,
    method: Method | None = None,
    *,
    n_train: int,
    seeds: int | Sequence[int] = 1,
    **options: Any,
) -> Stack | Fitted:
    """Train a learner for each seed, with its own rotation and data.

    Args:
        task: the distribution.
        learner: an architecture, or an estimator.
        method: the training algorithm of a network.
        n_train: size of each training set.
        seeds: how many (0, 1, ...), or which.
        **options: of a network's training: ``batch``, ``stop``, ``loss`` and ``n_select`` of
            ``simbias.training.train``.

    Returns:
        A stack of networks, or the fitted estimators: ``simbias.validate`` takes either.

    Raises:
        ValueError: an argument out of range, or one that the learner does not have.
    """
    if not isinstance(learner, Estimator):
        if method is None:
            raise fail("method", method, "a Method")
        return training.train(task, learner, method, n_train=n_train, seeds=seeds, **options)
    for name, value in {"method": method, **options}.items():
        if value is not None:
            raise fail(name, value, "nothing: an estimator fits itself")
    return fit(task, learner, n_train=n_train, seeds=seeds)
