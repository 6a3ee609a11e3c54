"""Training whatever the learner: a network with a method, or an estimator that fits itself."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from simbias import training
from simbias._checks import fail
from simbias.losses import Loss
from simbias.models.estimators import Estimator, Fitted, fit
from simbias.networks import Network
from simbias.tasks import LabelNoise, Task
from simbias.training import Method, Stack, Stop


class TrainingOptions(TypedDict, total=False):
    """Options of training, see ``simbias.training.train``; estimators take ``label_noise`` only."""

    batch: int
    stop: Stop | None
    loss: Loss | None
    label_noise: LabelNoise | None
    precision: str
    n_select: int
    progress: bool


def train(
    task: Task,
    learner: Network | Estimator,
    method: Method | None = None,
    *,
    n_train: int,
    seeds: int | Sequence[int] = 1,
    **options: Unpack[TrainingOptions],
) -> Stack | Fitted:
    """Train a learner for each seed, with its own rotation and data.

    Args:
        task: the distribution.
        learner: an architecture, or an estimator.
        method: the training algorithm of a network.
        n_train: size of each training set.
        seeds: how many (0, 1, ...), or which.
        **options: of a network's training: ``batch``, ``stop``, ``loss``,
            ``label_noise``, ``precision``, ``n_select`` and ``progress`` of
            ``simbias.training.train``.

    Returns:
        A stack of networks, or the fitted estimators: ``simbias.validate`` takes either.

    Raises:
        ValueError: an argument out of range, or one that the learner does not have.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> stack.updates.tolist(), stack.rotation.shape
        ([200, 200], (2, 4, 4))

        An estimator of scikit-learn fits the same data sets:

        >>> fitted = simbias.train(task, simbias.estimator("decision-tree"), n_train=1000, seeds=2)
        >>> fitted.seeds
        (0, 1)
    """
    if not isinstance(learner, Estimator):
        if method is None:
            raise fail("method", method, "a Method")
        return training.train(task, learner, method, n_train=n_train, seeds=seeds, **options)
    label_noise = options.pop("label_noise", None)
    for name, value in {"method": method, **options}.items():
        if value is not None:
            raise fail(name, value, "nothing: an estimator fits itself")
    return fit(task, learner, n_train=n_train, seeds=seeds, label_noise=label_noise)
