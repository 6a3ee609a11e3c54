"""The traced part of training a network: keys, law, settings and goals, and the points drawn.

A training set is a function of a key: it is drawn where it is needed, and never passed on.
"""

from collections.abc import Callable
from functools import partial
from math import floor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped, UInt

from simbias._devices import platform
from simbias._identity import canonical
from simbias._keys import identity_words, key_of, stream, stream_words
from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, PyTree
from simbias.tasks.label_noise import Fixed, NoiseLaw, Realised, noisy_set
from simbias.tasks.task import Points, sampler, training_set_on_host
from simbias.training.cell import Cell
from simbias.training.method import Hyper


class Keys(NamedTuple):
    """The words of a network's keys.

    Attributes:
        data: for rotation, training set and fresh points; depends on the task.
        initialisation: depends on the network.
        order: depends on the sizes of training set and batch.
        method: for the draws of an update, such as dropout; depends on the seed alone.
    """

    data: UInt[AnyArray, " words"]
    initialisation: UInt[AnyArray, " words"]
    order: UInt[AnyArray, " words"]
    method: UInt[AnyArray, " words"]


class TrainingProblem(NamedTuple):
    """The traced part of training: all in which networks of one program differ.

    Training halts at ``max_updates``; ``budget`` is passed to the method. ``supersample`` is None
    for a training set drawn from ``keys.data``; otherwise the training set is the masked half of
    the supersample drawn from this key, and ``keys`` are those of the mask. ``coins``: the key of
    coin flips in place of the labels. ``replaced``: the position of a training point in whose place
    there is another draw (one outside the set: of none). ``label_noise``: the law of labels; None
    where they are the task's. ``first``: the training set is the points from this place on of a set
    twice as large, which begins with the seed's own; None: it is the seed's own.
    """

    keys: Keys
    law: PyTree
    hyper: Hyper
    goal_errors: Int[AnyArray, ""]
    goal_loss: Float[AnyArray, ""]
    goal_select_error: Float[AnyArray, ""]
    max_updates: Int[AnyArray, ""]
    budget: Int[AnyArray, ""]
    spacing: Int[AnyArray, " two"]
    patience: Int[AnyArray, ""]
    supersample: UInt[AnyArray, " words"] | None = None
    coins: UInt[AnyArray, " words"] | None = None
    replaced: Int[AnyArray, ""] | None = None
    label_noise: NoiseLaw | None = None
    first: Int[AnyArray, ""] | None = None

    @property
    def own_set(self) -> bool:
        """Whether the training set is that of the seed, unaltered."""
        altered = (self.supersample, self.coins, self.replaced, self.first)
        return all(part is None for part in altered)


@pinned
def problem_of(
    cell: Cell,
    seed: int,
    mask: int | None = None,
    coins: int | None = None,
    replaced: int | None = None,
    second: bool = False,
) -> TrainingProblem:
    """The traced part of a network, as NumPy arrays; see the jobs of ``simbias.training.jobs``."""
    stop = cell.stop
    identities = {
        "data": cell.task_identity,
        "initialisation": cell.network_identity,
        "order": canonical({"n_train": int(cell.n_train), "batch": int(cell.batch)}),
        "method": "method",
    }
    words = {name: identity_words(identity, seed) for name, identity in identities.items()}
    own, data = words["data"], key_of(words["data"])
    if mask is not None:
        words = {name: _words_of_mask(words[name], mask) for name in words}
    return TrainingProblem(
        keys=Keys(**words),
        law=jax.tree.map(np.asarray, cell.task.law(stream(data, "rotation"))),
        hyper={name: np.float32(value) for name, value in cell.method.traced.items()},
        goal_errors=np.int32(_most_errors(stop.train_accuracy, cell.n_train)),
        goal_loss=np.float32(-np.inf if stop.train_loss is None else stop.train_loss),
        goal_select_error=np.float32(
            -1 if stop.select_accuracy is None else 1 - stop.select_accuracy
        ),
        max_updates=np.int32(stop.max_updates),
        budget=np.int32(stop.max_updates),
        spacing=np.array(stop.spacing, np.int32),
        patience=np.int32(np.iinfo(np.int32).max if stop.patience is None else stop.patience),
        supersample=None if mask is None else own,
        coins=None
        if coins is None
        else np.asarray(jax.random.key_data(jax.random.fold_in(stream(data, "coins"), coins))),
        replaced=None if replaced is None else np.int32(replaced),
        label_noise=None
        if cell.label_noise is None
        else cell.label_noise.arrays(cell.task.classes),
        first=np.int32(cell.n_train) if second else None,
    )


def _words_of_mask(words: UInt[np.ndarray, " words"], mask: int) -> UInt[np.ndarray, " words"]:
    """The words of the key of a mask, from those of the network that is not masked."""
    key = jax.random.fold_in(stream(key_of(words), "mask"), mask)
    return np.asarray(jax.random.key_data(key))


def _most_errors(accuracy: float | None, n_train: int) -> int:
    """The most training errors with which an accuracy is reached; -1: never."""
    return -1 if accuracy is None else floor((1 - accuracy) * n_train * (1 + 1e-12) + 1e-9)


def draw_points(
    draw: Callable[..., Points], problem: TrainingProblem, split: str, rows: int
) -> Points:
    """Points of one of a network's streams (``train``, ``select``, ``holdout``)."""
    with lenient():
        return draw(problem.law, stream(key_of(problem.keys.data), split), split, rows)


def draw_supersample(draw: Callable[..., Points], problem: TrainingProblem, pairs: int) -> Points:
    """The points of a masked network's supersample: pair i is points i and ``pairs`` + i."""
    key = stream(key_of(problem.supersample), "supersample")
    with lenient():
        return draw(problem.law, key, "train", 2 * pairs)


def draw_mask(problem: TrainingProblem, pairs: int) -> Bool[Array, " pairs"]:
    """Whether a masked network is trained on the second point of each pair: fair coins."""
    return jax.random.bernoulli(stream(key_of(problem.keys.data), "mask"), shape=(pairs,))


def draw_training_set(
    draw: Callable[..., Points], problem: TrainingProblem, n_train: int
) -> Points:
    """The training set: a draw of its own, altered or not, or the masked half of a supersample."""
    if problem.supersample is not None:
        rows = jnp.arange(n_train) + n_train * draw_mask(problem, n_train).astype(jnp.int32)
        supersample = draw_supersample(draw, problem, n_train)
        masked: Points = jax.tree.map(lambda part: part[rows], supersample)
        return masked
    first = problem.first
    if first is not None:
        both = draw_training_set(draw, problem._replace(first=None), 2 * n_train)
        later: Points = jax.tree.map(
            lambda part: jax.lax.dynamic_slice_in_dim(part, first, n_train), both
        )
        return later
    with lenient():
        points = own_set(draw, n_train, problem.keys.data, problem.law, problem.label_noise)
    if problem.coins is not None:
        heads = jax.random.bernoulli(key_of(problem.coins), shape=(n_train,))
        points = points._replace(y=heads.astype(points.y.dtype))
    if problem.replaced is not None:
        with lenient():
            key = stream(key_of(problem.keys.data), "replacement")
            others = draw(problem.law, key, "train", n_train)
        points = jax.tree.map(partial(_replace_row, problem.replaced), points, others)
    return points


def own_set(
    draw: Callable[..., Points],
    n_train: int,
    words: UInt[AnyArray, " words"],
    law: PyTree,
    noise: NoiseLaw | None,
) -> Points:
    """The training set of a seed, with noise on its labels or without."""
    copies = noise.labels.clean.shape[0] if isinstance(noise, Fixed | Realised) else 1
    inputs = -(-n_train // copies) if isinstance(noise, Fixed) else n_train
    points: Points = draw(law, stream(key_of(words), "train"), "train", inputs)
    if noise is None:
        return points
    return noisy_set(noise, stream(key_of(words), "label noise"), n_train, points, copies=copies)


def _replace_row(
    row: Int[Array, ""],
    own: Shaped[Array, "n_train *shape"],
    other: Shaped[Array, "n_train *shape"],
) -> Shaped[Array, "n_train *shape"]:
    """An array with one row of another, where there is such a row."""
    here = jnp.arange(len(own)) == row
    return jnp.where(here.reshape(-1, *[1] * (own.ndim - 1)), other, own)


@pinned
def training_set(cell: Cell, problem: TrainingProblem) -> Points:
    """The training set of a network, drawn again (compiled, and left on the device)."""
    return draw_once(sampler(cell.task), cell.n_train, problem)


def draw_once(draw: Callable[..., Points], n_train: int, problem: TrainingProblem) -> Points:
    """The training set of a network, drawn by a compiled program."""
    points: Points
    if problem.own_set and problem.label_noise is None:
        points = drawn(draw, "train", n_train, problem.keys.data, problem.law)
    else:
        points = _drawn_whole(draw, n_train, problem._replace(hyper={}))
    return points


@partial(jax.jit, static_argnums=(0, 1))
def _drawn_whole(draw: Callable[..., Points], n_train: int, problem: TrainingProblem) -> Points:
    return draw_training_set(draw, problem, n_train)


def drawn(
    draw: Callable[..., Points], split: str, rows: int, key: UInt[AnyArray, " words"], law: PyTree
) -> Points:
    """Points of one of a data set's streams, see ``Task.draw``: one program for all callers.

    On a CPU, the training sets of many tasks are drawn by programs that all sizes share, bit for
    bit the same: to compile one takes longer than to draw.
    """
    if split == "train" and platform() == "cpu":
        points = training_set_on_host(draw, law, stream_words(key, split), rows)
        if points is not None:
            return points
    compiled: Points = _drawn(draw, split, rows, key, law)
    return compiled


@partial(jax.jit, static_argnums=(0, 1, 2))
def _drawn(
    draw: Callable[..., Points], split: str, rows: int, key: UInt[AnyArray, " words"], law: PyTree
) -> Points:
    with lenient():
        return draw(law, stream(key_of(key), split), split, rows)


@partial(jax.jit, static_argnums=(0, 1))
def drawn_noisy(
    draw: Callable[..., Points],
    n_train: int,
    key: UInt[AnyArray, " words"],
    law: PyTree,
    noise: NoiseLaw,
) -> Points:
    """A training set with noise on its labels, of whatever learner."""
    with lenient():
        return own_set(draw, n_train, key, law, noise)
