"""The block task: a distribution over (x, y) made of independent coordinates given the label.

Labels are fair coins, and everything is drawn independently for every row (the noise of a
noisy coordinate included), so that rows are i.i.d. as generalisation bounds require. The inputs of
a data set are turned by one orthogonal matrix, drawn once a data set.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt

from simbias._checks import each, fail, whole
from simbias._keys import own_key, split_words, uniform
from simbias._memory import fits
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks.blocks import Block
from simbias.tasks.oracle import achievable_risk, simple_risk, simple_rule
from simbias.tasks.rules import RuleTable, exceptional, rule_table
from simbias.tasks.task import Points, Truth, first_rows

Labelled = tuple[Float[Array, "rows dim"], Int[Array, " rows"]]


class Tables(NamedTuple):
    """A task's laws as arrays, so that tasks of one shape share a compiled program.

    ``start[y, j, i]`` is the probability below piece i of coordinate j given label y, ``low`` its
    left end and ``slope`` its length over its mass: the quantile function is piecewise linear.
    Unused pieces start at 2, which no uniform draw reaches. ``normal`` marks standard normal
    coordinates and is None where there are none. ``tilt`` turns a drawn point, ``x @ tilt``; None:
    it stays.
    """

    start: Float[AnyArray, "labels dim pieces"]
    low: Float[AnyArray, "labels dim pieces"]
    slope: Float[AnyArray, "labels dim pieces"]
    simple: Bool[AnyArray, " dim"]
    normal: Bool[AnyArray, " dim"] | None
    tilt: Float[AnyArray, "dim dim"] | None = None


class BlockLaw(NamedTuple):
    """The law of one data set of a block task."""

    tables: Tables
    rotation: Float[AnyArray, "dim dim"]
    simple: RuleTable


@dataclass(frozen=True)
class BlockTask:
    """A distribution with exactly known ground truth, of two classes.

    Attributes:
        name: the catalogue name.
        settings: every tunable value, as given to ``simbias.tasks.get``; a copy is kept.
        blocks: the law of each coordinate, before rotation.
        simple_set: indices of the coordinates with the simplest predictive structure, S.
        rotated: whether a data set's inputs are turned by a random orthogonal matrix.
        angle: degrees by which points are tilted in the plane of the first simple and the first
            other coordinate, before that; not 0 only of a shifted task, whose coordinates are then
            not independent, though ``blocks`` are those of the point before it is tilted.

    Raises:
        ValueError: no coordinates, or a simple set that is not of them.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> isinstance(task, simbias.tasks.BlockTask), task.dim, task.simple_set
        (True, 4, (0,))
        >>> task.margins
        {'linear': 0.1, 'slab-5': 0.1}
        >>> task.truth
        Truth(simple_risk=0.05000000000000001, achievable_risk=0.0)
        >>> simbias.data(task, n_train=1000).x.shape
        (1000, 4)
    """

    name: str
    settings: Settings = field(hash=False)
    blocks: tuple[Block, ...]
    simple_set: tuple[int, ...]
    rotated: bool = True
    angle: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", deepcopy(dict(self.settings)))
        each("blocks", self.blocks, Block)
        if not self.blocks:
            raise fail("blocks", self.blocks, "the law of at least one coordinate")
        for coordinate in each("simple_set", self.simple_set, object):
            whole("simple_set", coordinate, least=0, most=self.dim - 1)

    def __init_subclass__(cls) -> None:
        # training draws by a compiled function, so other methods of a subclass would be ignored
        for name in ("sample", "rotate", "tables"):
            if name in vars(cls):
                raise fail(name, f"another one in {cls.__name__}", "only draw and law to differ")

    @property
    def dim(self) -> int:
        """Number of input coordinates."""
        return len(self.blocks)

    @property
    def others(self) -> list[int]:
        """Indices of the coordinates outside the simple set."""
        return [j for j in range(self.dim) if j not in self.simple_set]

    def in_margin(
        self, x: Float[AnyArray, "rows dim"], rotation: Float[np.ndarray, "dim dim"]
    ) -> Bool[np.ndarray, " rows"]:
        """Which inputs have the first coordinate of the simple set within its margin."""
        first = self.simple_set[0]
        along = np.asarray(x, np.float64) @ np.asarray(rotation[first], np.float64)
        inside: Bool[np.ndarray, " rows"] = np.abs(along) < self.blocks[first].margin
        return inside

    @cached_property
    def tilt(self) -> Float[np.ndarray, "dim dim"] | None:
        """The matrix that tilts a point, ``x @ tilt`` (float64); None where the angle is 0."""
        if not self.angle:
            return None
        plane = [self.simple_set[0], self.others[0]]
        matrix, radians = np.eye(self.dim), np.deg2rad(self.angle)
        cos, sin = np.cos(radians), np.sin(radians)
        matrix[np.ix_(plane, plane)] = [[cos, sin], [-sin, cos]]
        return matrix

    @property
    def margins(self) -> dict[str, float]:
        """The margin of each kind of coordinate, in input units."""
        return {block.kind: block.margin for block in self.blocks}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        return (self.dim,)

    @property
    def classes(self) -> int:
        """Two: negative and positive."""
        return 2

    @property
    def unlabelled(self) -> Callable[..., Float[Array, "rows dim"]] | None:
        """Inputs with the simple coordinates randomised; None where there is no simple set."""
        return draw_randomised if self.simple_set else None

    @property
    def shifted(self) -> Callable[..., Labelled] | None:
        """The same with the label of all other coordinates."""
        return draw_relabelled if self.simple_set else None

    @cached_property  # whether a thing is a task is asked often, and asks for all its attributes
    def truth(self) -> Truth:
        """The exact risks of the simple rule (None where points are tilted) and the achievable."""
        return Truth(None if self.angle else simple_risk(self), achievable_risk(self))

    def law(self, key: Key[Array, ""]) -> BlockLaw:
        """The tables of the task, and a rotation drawn from the key."""
        return BlockLaw(self.tables, self.rotation(key), rule_table(simple_rule(self)))

    @staticmethod
    def draw(law: BlockLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Fresh rotated points; their group is twice the label, one more for an exception."""
        return _pointed(law, *draw_uniforms(law.tables, key, rows))

    @property
    def on_host(self) -> Callable[..., Points] | None:
        """``draw`` from the words of a key; None where a subclass draws otherwise."""
        return draw_on_host if type(self).draw is BlockTask.draw else None

    @cached_property
    def tables(self) -> Tables:
        """The laws as NumPy float32 arrays, ready to be passed to a compiled program."""
        return _tables(self)

    @pinned
    def rotation(self, key: Key[Array, ""]) -> Float[Array, "dim dim"]:
        """A Haar-random orthogonal matrix (the identity for a task that is not rotated)."""
        if not self.rotated:
            return jnp.eye(self.dim)
        key = own_key(key)
        if isinstance(key, jax.core.Tracer):
            return jax.random.orthogonal(key, self.dim)
        words = np.asarray(jax.random.key_data(key))
        matrix: Float[Array, "dim dim"] = _orthogonal(uniform(words, (self.dim, self.dim)))
        return matrix

    @pinned
    def sample(
        self, key: Key[Array, ""], rows: int, *, rotation: Float[Array, "dim dim"] | None = None
    ) -> tuple[Float[Array, "rows dim"], Int[Array, " rows"]]:
        """Independent draws.

        Args:
            key: a JAX random key.
            rows: number of points.
            rotation: the data set's matrix; None leaves the coordinates unrotated.

        Returns:
            Inputs, and labels 0 (negative) or 1 (positive).

        Raises:
            ValueError: rows < 1, a rotation of another shape, or a key of another generator.
        """
        if rotation is not None:
            self._check_points("rotation", rotation, self.dim)
        fits("rows", whole("rows", rows), 4.0 * rows * self.dim, where="device")
        x, y = draw(self.tables, own_key(key), rows)
        return (x if rotation is None else self.rotate(x, rotation)), y

    @pinned
    def rotate(
        self, x: Float[AnyArray, "rows dim"], rotation: Float[AnyArray, "dim dim"]
    ) -> Float[AnyArray, "rows dim"]:
        """Turn unrotated points into inputs; ``x @ rotation.T`` turns them back."""
        self._check_points("rotation", rotation, self.dim)
        self._check_points("x", x)
        return x @ rotation

    def _check_points(self, argument: str, value: object, rows: int | None = None) -> None:
        """Raise ValueError unless each row of an array is a point."""
        shape: tuple[int, ...] = getattr(value, "shape", ())
        if len(shape) != 2 or shape != (rows or shape[0], self.dim):
            arrived = shape if hasattr(value, "shape") else value
            raise fail(argument, arrived, f"shape ({rows or 'rows'}, {self.dim})")


def draw_uniforms(
    tables: Tables, key: Key[Array, ""], rows: int
) -> tuple[Float[Array, "rows dim"], Int[Array, " rows"]]:
    """The uniforms of each coordinate, from which inputs are made, and fair labels."""
    key_x, key_y = jax.random.split(key)
    uniforms = jax.random.uniform(key_x, (rows, tables.low.shape[1]))
    return uniforms, jax.random.bernoulli(key_y, shape=(rows,)).astype(jnp.int32)


def quantile(
    tables: Tables, uniforms: Float[Array, "rows dim"], y: Int[Array, " rows"]
) -> Float[Array, "rows dim"]:
    """The inverse distribution function of each coordinate given the row's label.

    A chain of selections over the pieces rather than a gather: it fuses into one pass.
    """
    positive = (y == 1)[:, None]

    def piece(i: int) -> tuple[Float[Array, "rows dim"], ...]:
        return tuple(
            jnp.where(positive, table[1, None, :, i], table[0, None, :, i])
            for table in (tables.start, tables.low, tables.slope)
        )

    start, low, slope = piece(0)
    x = low + (uniforms - start) * slope
    for i in range(1, tables.start.shape[-1]):
        start, low, slope = piece(i)
        x = jnp.where(uniforms >= start, low + (uniforms - start) * slope, x)
    if tables.normal is not None:
        # Half a spacing of the uniform grid keeps the argument off 0, where the quantile is -inf.
        gauss = jax.scipy.special.ndtri(uniforms + np.float32(2**-24))
        x = jnp.where(tables.normal[None, :], gauss, x)
    return x if tables.tilt is None else x @ tables.tilt


def draw(
    tables: Tables, key: Key[Array, ""], rows: int
) -> tuple[Float[Array, "rows dim"], Int[Array, " rows"]]:
    """``rows`` unrotated points and their labels (pure; ``rows`` is static)."""
    uniforms, y = draw_uniforms(tables, key, rows)
    return quantile(tables, uniforms, y), y


def _pointed(
    law: BlockLaw, numbers: Float[AnyArray, "rows dim"], y: Int[AnyArray, " rows"]
) -> Points:
    """Rotated points, from the uniforms of each coordinate and the labels."""
    x = quantile(law.tables, numbers, y)
    exception = exceptional(law.simple, x, y)
    return Points(x @ law.rotation, y, exception, 2 * y + exception.astype(jnp.int32))


_from_uniforms = jax.jit(_pointed)


def draw_on_host(law: BlockLaw, words: UInt[np.ndarray, " words"], rows: int) -> Points:
    """``BlockTask.draw`` with random numbers from the program that all sizes share."""
    words_x, words_y = split_words(words)
    y = (uniform(words_y, (rows,)) < 0.5).astype(np.int32)
    points: Points = _from_uniforms(law, uniform(words_x, (rows, len(law.rotation))), y)
    return points


@jax.jit
def _orthogonal(numbers: Float[AnyArray, "dim dim"]) -> Float[Array, "dim dim"]:
    """``jax.random.orthogonal``, from the uniform numbers that its normal draws are made of."""
    low = np.nextafter(np.float32(-1), np.float32(0))
    inside = jnp.maximum(low, numbers * (np.float32(1) - low) + low)
    q, r = jnp.linalg.qr(np.float32(np.sqrt(2)) * jax.lax.erf_inv(inside))
    turned: Float[Array, "dim dim"] = q * jnp.sign(jnp.diagonal(r))[None, :]
    return turned


def draw_relabelled(law: BlockLaw, key: Key[Array, ""], rows: int) -> Labelled:
    """Rotated inputs whose simple coordinates are drawn given another, independent label.

    Each keeps its distribution, and S says nothing of the label of the other coordinates, which is
    the label returned.
    """
    key, key_other = jax.random.split(key)
    uniforms, y = draw_uniforms(law.tables, key, rows)
    other = jax.random.bernoulli(key_other, shape=(rows,)).astype(jnp.int32)
    plain, mixed = quantile(law.tables, uniforms, y), quantile(law.tables, uniforms, other)
    return jnp.where(law.tables.simple[None, :], mixed, plain) @ law.rotation, y


def draw_randomised(law: BlockLaw, key: Key[Array, ""], rows: int) -> Float[Array, "rows dim"]:
    """The inputs of ``draw_relabelled``, without their labels."""
    return draw_relabelled(law, key, rows)[0]


@partial(jax.jit, static_argnums=2)
def training_points(
    tables: Tables, key: Key[Array, ""], rows: int
) -> tuple[Float[Array, "rows dim"], Int[Array, " rows"]]:
    """The training set of a data set before it is turned, from the key of its stream."""
    return first_rows(partial(draw, tables), key, rows)


def _tables(task: BlockTask) -> Tables:
    laws = [[block.laws[label] for block in task.blocks] for label in (0, 1)]
    pieces = max(1, *(len(law) for of_label in laws for law in of_label))
    start = np.full((2, task.dim, pieces), 2.0, np.float32)
    low, slope = np.zeros_like(start), np.zeros_like(start)
    for label, of_label in enumerate(laws):
        for j, law in enumerate(of_label):
            below = 0.0
            for i, (left, right, mass) in enumerate(law):
                start[label, j, i], low[label, j, i] = below, left
                slope[label, j, i] = (right - left) / mass
                below += mass
    simple = np.isin(np.arange(task.dim), task.simple_set)
    normal = np.array([block.is_normal for block in task.blocks])
    tilt = None if task.tilt is None else task.tilt.astype(np.float32)
    return Tables(start, low, slope, simple, normal if normal.any() else None, tilt)


def block_task(task: object) -> BlockTask:
    """The task itself, known to be a ``BlockTask``; raises ValueError for any other."""
    if not isinstance(task, BlockTask):
        raise fail("task", getattr(task, "name", task), "a task made of independent coordinates")
    return task
