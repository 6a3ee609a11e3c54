"""The interface of a task: a law as arrays, one pure draw, and its exact risks where known.

A user's class needs no more than the attributes below. Training, validation and figures read
``draw`` and nothing else: a data set is its law, and a law is made from a key.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt

from simbias._checks import fail, instance, whole
from simbias._keys import folded, seed_key
from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, PyTree, Settings

Rows = TypeVar("Rows")  # a pytree of arrays with a row for each point

SPLITS = ("train", "select", "certify", "holdout")
_CHUNK = 1000  # rows of a training set that are drawn at once
_FEW = 3  # rows of the draw by which a task is checked
_KEPT, _SMALL = 4, 2**24  # training sets that are kept, and how large one may be, in bytes


class Points(NamedTuple):
    """Drawn points.

    Attributes:
        x: inputs, as a network sees them.
        y: labels, integers in [0, classes).
        exception: which points the simple rule labels wrongly; none where there is no such rule.
        group: an integer for each point; None where the task has no groups.
        achievable: the achievable rule's label of each point; None where no such rule is known,
            or where the oracle computes it.
        clean: the task's own label of each point of a training set with noise on its labels; None
            where ``y`` is.
        soft: the distribution over classes that each point of a training set has for a label; None
            where it is all on ``y``.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> points = simbias.data(task, n_train=1000).draw()
        >>> type(points).__name__, points.x.shape, points.y.shape
        ('Points', (1000, 4), (1000,))

        Noise .1 leaves a tenth of the simple coordinates uninformative; half of those mislead:

        >>> round(float(points.exception.mean()), 2)
        0.06
    """

    x: Float[Array, "rows *shape"]
    y: Int[Array, " rows"]
    exception: Bool[Array, " rows"]
    group: Int[Array, " rows"] | None = None
    achievable: Int[Array, " rows"] | None = None
    clean: Int[Array, " rows"] | None = None
    soft: Float[Array, "rows classes"] | None = None


class Truth(NamedTuple):
    """The exact risks of a task; None where they are not known.

    Attributes:
        simple_risk: the error of the simple rule.
        achievable_risk: the least error of any rule.

    Examples:
        >>> import simbias
        >>> simbias.tasks.get("noisy-lms-5", noise=0.25).truth
        Truth(simple_risk=0.125, achievable_risk=0.0)
        >>> simbias.tasks.Truth(achievable_risk=0.1)
        Truth(simple_risk=None, achievable_risk=0.1)
    """

    simple_risk: float | None = None
    achievable_risk: float | None = None


@runtime_checkable
class Task(Protocol):
    """A distribution over (x, y): a law of arrays, and the draw of points from it.

    A task of finitely many points has ``most``: their number by split. One with unlabelled points
    under a shift, for methods that use such, has ``unlabelled``: None, or a function (law, key,
    rows) -> inputs, which is the same object for all tasks that differ only in their law; so has
    one with labelled ones ``shifted``: (law, key, rows) -> (inputs, labels). One that draws its
    random numbers outside a program too has ``on_host``: None, or (law, words of a key, rows) ->
    the points of ``draw``, bit for bit.

    Examples:
        A user's own task:

        >>> import jax
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> class Gaussians:
        ...     name, settings, shape, classes = "two-gaussians", {}, (2,), 2
        ...     truth = simbias.tasks.Truth()
        ...
        ...     def law(self, key):
        ...         return {"distance": jnp.float32(1.0)}
        ...
        ...     @staticmethod
        ...     def draw(law, key, split, rows):
        ...         of_label, of_input = jax.random.split(key)
        ...         y = jax.random.randint(of_label, (rows,), 0, 2)
        ...         shift = law["distance"] * (2.0 * y[:, None] - 1)
        ...         x = jax.random.normal(of_input, (rows, 2)) + shift
        ...         return simbias.tasks.Points(x, y, jnp.zeros(rows, bool))
        >>> isinstance(Gaussians(), simbias.tasks.Task)
        True

        ``simbias.data`` and ``simbias.train`` take it as any other.

    """

    @property
    def name(self) -> str:
        """The registered name, or any other."""
        ...

    @property
    def settings(self) -> Settings:
        """Every tunable value, as plain data."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input, without the leading axis of points."""
        ...

    @property
    def classes(self) -> int:
        """The number of labels."""
        ...

    @property
    def truth(self) -> Truth:
        """The exact risks, where they are known."""
        ...

    @staticmethod
    def draw(law: PyTree, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Points of one data set, independent and of one law within a split.

        Pure and compiled: ``split``, one of ``SPLITS``, and ``rows`` are static. A function, the
        same object for all tasks that differ only in their law.
        """
        ...

    def law(self, key: Key[Array, ""]) -> PyTree:
        """The law of one data set: a pytree of arrays, with what is drawn once for a data set.

        An entry ``rotation``, if any, is the orthogonal matrix that turns its inputs.
        """
        ...


def first_rows(draw: Callable[[Key[Array, ""], int], Rows], key: Key[Array, ""], rows: int) -> Rows:
    """The first rows of an endless stream.

    They are drawn in chunks of one size, each by its own key and computation, so that a longer
    draw begins with the rows of a shorter one, bit for bit.

    Args:
        draw: (key, rows) -> a pytree of arrays with a row for each point.
        key: of the stream.
        rows: number of rows (static).
    """

    def chunk(i: Int[Array, ""]) -> PyTree:
        # rows cut from the last chunk must not change how the others are computed
        return jax.lax.optimization_barrier(draw(jax.random.fold_in(key, i), _CHUNK))

    parts = jax.lax.map(chunk, jnp.arange(-(-rows // _CHUNK), dtype=jnp.uint32))
    first: Rows = jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:])[:rows], parts)
    return first


def first_rows_on_host(
    draw: Callable[[UInt[np.ndarray, " words"], int], Rows],
    words: UInt[np.ndarray, " words"],
    rows: int,
) -> Rows:
    """``first_rows`` (NumPy), of a draw that takes the words of a key."""
    numbers = range(-(-rows // _CHUNK))
    parts = [jax.device_get(draw(folded(words, i), _CHUNK)) for i in numbers]
    first: Rows = jax.tree.map(lambda *chunks: np.concatenate(chunks)[:rows], *parts)
    return first


@dataclass(frozen=True)
class _Sampler:
    draw: Callable[..., Points]
    on_host: Callable[..., Points] | None

    def __call__(self, law: PyTree, key: Key[Array, ""], split: str, rows: int) -> Points:
        if split != "train":
            return self.draw(law, key, split, rows)
        return first_rows(lambda chunk_key, size: self.draw(law, chunk_key, split, size), key, rows)


def sampler(task: Task) -> Callable[..., Points]:
    """The function that draws a task's data sets, as ``Task.draw``: training sets are nested.

    It is the same for all tasks of one ``draw``. A task of finitely many points nests its own.
    """
    if getattr(task, "most", None):
        return task.draw
    return _Sampler(task.draw, getattr(task, "on_host", None))


def training_set_on_host(
    draw: Callable[..., Points], law: PyTree, words: UInt[np.ndarray, " words"], rows: int
) -> Points | None:
    """A training set as ``sampler`` draws it, from its stream's key; None where it has no such way.

    Small ones that were drawn last are kept: each measurement asks for them anew.
    """
    on_host = getattr(draw, "on_host", None)
    if on_host is None:
        return None
    of_law = tuple(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(law))
    asked = on_host, rows, words.tobytes(), of_law
    for kept, points in tuple(_last):
        if kept == asked:
            return points
    arrays = first_rows_on_host(partial(on_host, law), words, rows)
    drawn: Points = jax.tree.map(jnp.asarray, arrays)
    if drawn.x.nbytes <= _SMALL:
        _last.append((asked, drawn))
    return drawn


def unlabelled_draw(task: Task) -> Callable[..., Float[Array, "rows *shape"]] | None:
    """The function that draws a task's unlabelled points: (law, key, rows) -> inputs; or None."""
    return getattr(task, "unlabelled", None)


def shifted_draw(
    task: Task,
) -> Callable[..., tuple[Float[Array, "rows *shape"], Int[Array, " rows"]]] | None:
    """The draw of a task's labelled points under its shift: (law, key, rows) -> (x, y); or None."""
    return getattr(task, "shifted", None)


def numbers_of(task: Task) -> int:
    """The number of entries of an input."""
    return int(np.prod(task.shape, dtype=np.int64))


def rotation_of(law: PyTree) -> Float[AnyArray, "rows dim"]:
    """The matrix that turns a data set's inputs; without rows where they are not turned."""
    none = np.zeros((0, 0), np.float32)
    if isinstance(law, Mapping):
        return law.get("rotation", none)
    return getattr(law, "rotation", none)


_last: deque[tuple[object, Points]] = deque(maxlen=_KEPT)
_drawn: WeakKeyDictionary[Task, Points] = WeakKeyDictionary()  # a suite has many cells of a task


def draws(task: Task) -> Points:
    """The shapes of a draw of three points; equal tasks are traced once."""
    try:
        points = _drawn.get(task)
    except TypeError:  # a user's task may have no hash
        return _traced(task)
    if points is None:
        points = _drawn[task] = _traced(task)
    return points


@pinned
def _traced(task: Task) -> Points:
    with lenient():
        points: Points = jax.eval_shape(
            lambda key: task.draw(task.law(key), key, "train", _FEW), seed_key(0)
        )
        return points


@pinned
def check(task: object) -> None:
    """Raise ValueError unless ``task`` is a task that draws points of the shapes it declares."""
    instance("task", task, Task)
    assert isinstance(task, Task)
    label = f"task {task.name}" if isinstance(task.name, str) else "task"
    if not isinstance(task.name, str) or not task.name:
        raise fail("task: name", task.name, "a string of at least one character")
    for length in task.shape if isinstance(task.shape, tuple) and task.shape else (0,):
        whole(f"{label}: shape", length)
    whole(f"{label}: classes", task.classes, least=2)
    points = draws(task)
    expected = {"x": (_FEW, *task.shape), "y": (_FEW,), "exception": (_FEW,)}
    for name, shape in expected.items():
        drawn_shape = getattr(getattr(points, name, None), "shape", None)
        if drawn_shape != shape:
            raise fail(
                f"{label}: draw: {name} of {_FEW} points", f"shape {drawn_shape}", f"{shape}"
            )
