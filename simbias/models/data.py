"""Data sets as any learner can use them: a training set, and the streams of its fresh points."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt

from simbias import tasks
from simbias._checks import fail, instance, whole
from simbias._keys import identity_key, identity_words, key_of, stream, stream_words
from simbias._memory import fits
from simbias._pinned import pinned
from simbias._types import AnyArray, PyTree
from simbias.tasks import BlockTask, LabelNoise, Task
from simbias.tasks.block_task import block_task
from simbias.tasks.shifts import shifted
from simbias.tasks.task import Points, numbers_of, rotation_of, sampler
from simbias.training.cell import check_size
from simbias.training.problem import drawn, drawn_noisy
from simbias.training.stack import seed_list


@dataclass(frozen=True, eq=False)
class DataSet:
    """The training set of one seed, and the streams from which its fresh points are drawn.

    Attributes:
        task: the distribution.
        seed: the integer seed.
        n_train: points of the training set.
        rotation: the matrix that turned unrotated points into inputs, (dim, dim); without rows
            where the task turns none.
        fresh: the task that fresh points are drawn from: ``task``, or a shift of it.
        label_noise: noise on the training labels; None: they are the task's.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000, seed=3)
        >>> data.seed, data.classes, data.rotation.shape
        (3, 2, (4, 4))
        >>> int(data.exception.sum())
        53
    """

    task: Task
    seed: int
    n_train: int
    rotation: Float[np.ndarray, "dim dim"]
    fresh: Task
    _draw: Callable[[], Points] = field(repr=False)
    label_noise: LabelNoise | None = None

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return self.task.classes

    @cached_property
    @pinned
    def _drawn(self) -> Points:
        points: Points = jax.device_get(self._draw())
        return points

    @property
    def x(self) -> Float[AnyArray, "n_train *shape"]:
        """Training inputs, float32."""
        return self._drawn.x

    @property
    def y(self) -> Int[AnyArray, " n_train"]:
        """Training labels, 0 or 1."""
        return self._drawn.y

    @property
    def exception(self) -> Bool[AnyArray, " n_train"]:
        """Which training points the simple rule labels wrongly."""
        return self._drawn.exception

    @pinned
    def draw(self) -> Points:
        """The training set, drawn again and left on the device.

        Raises:
            DrawsError: it is not the training set of the classifier that it belongs to.
        """
        return self._draw()

    def held(self) -> "DataSet":
        """The same with its training set drawn once and left on the device; see ``draw``."""
        points = self.draw()
        return replace(self, _draw=lambda: points)

    @cached_property
    @pinned
    def key(self) -> UInt[np.ndarray, " words"]:
        """The words of the key from which the streams of fresh points are made."""
        return identity_words(tasks.identity(self.fresh), self.seed)

    @property
    def block_task(self) -> BlockTask:
        """The task, where it is made of independent coordinates; raises ValueError elsewhere."""
        return block_task(self.task)

    @pinned
    def stream(self, name: str) -> Key[Array, ""]:
        """The key of one of the streams of fresh points, a name of ``simbias._keys.STREAMS``."""
        return stream(key_of(self.key), name)

    def words(self, name: str) -> UInt[np.ndarray, " words"]:
        """The words of the key of ``stream``."""
        return stream_words(self.key, name)

    @cached_property
    @pinned
    def law(self) -> PyTree:
        """The law that points of this data set are drawn from, its rotation included (NumPy)."""
        key = identity_key(tasks.identity(self.task), self.seed)
        return jax.tree.map(np.asarray, self.task.law(stream(key, "rotation")))

    def under(self, shift: str) -> "DataSet":
        """The same training set, with fresh points from the shifted task.

        Raises:
            ValueError: an unknown shift, or one that the task does not have.
        """
        return self if shift == "none" else replace(self, fresh=shifted(self.block_task, shift))


@pinned
def data(
    task: Task, n_train: int, seed: int = 0, *, label_noise: LabelNoise | None = None
) -> DataSet:
    """The data set of a seed: rotation, training set and fresh points, whatever the learner.

    Args:
        task: the distribution.
        n_train: points of the training set.
        seed: an integer >= 0.
        label_noise: noise on the training labels, drawn once, as networks of the seed meet it;
            None: they are the task's. Fresh points have none.

    Returns:
        NumPy arrays ``x``, ``y``, ``exception`` and ``rotation``; ``simbias.validate`` takes it.

    Raises:
        ValueError: an argument out of range, or noise of a form that draws no labels once.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> data = simbias.data(task, n_train=1000, seed=0)
        >>> data.x.shape, data.x.dtype.name, sorted(set(data.y.tolist()))
        ((1000, 4), 'float32', [0, 1])

        The same seed gives the same points:

        >>> bool((simbias.data(task, n_train=1000, seed=0).x == data.x).all())
        True
    """
    instance("task", task, Task)
    check_size(task, whole("n_train", n_train), label_noise)
    size = 4.0 * n_train * numbers_of(task)
    fits("n_train", n_train, size, where="device")
    if label_noise is not None:
        drawn_bytes = labels_once(label_noise).drawn_bytes(n_train)
        fits("label_noise", label_noise.settings, drawn_bytes, where="device")
    (seed,) = seed_list([seed])
    key = identity_key(tasks.identity(task), seed)
    law = jax.tree.map(np.asarray, task.law(stream(key, "rotation")))
    words = jax.random.key_data(key)
    if label_noise is None:
        draw_set = partial(drawn, sampler(task), "train", n_train, words, law)
    else:
        noise = label_noise.arrays(task.classes)
        draw_set = partial(drawn_noisy, sampler(task), n_train, words, law, noise)
    rotation = np.asarray(rotation_of(law))
    return DataSet(task, seed, int(n_train), rotation, task, draw_set, label_noise)


def labels_once(noise: LabelNoise) -> LabelNoise:
    """The noise, where it draws each label once, as whatever is no network needs it.

    Raises:
        ValueError: noise of another form.
    """
    instance("label_noise", noise, LabelNoise)
    if noise.form != "fixed":
        allowed = "fixed: labels that are drawn once; the others are of networks"
        raise fail("label_noise: form", noise.form, allowed)
    return noise
