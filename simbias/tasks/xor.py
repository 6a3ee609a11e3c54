"""Exclusive or of two slab coordinates: neither alone is informative of the label.

Each of the two lies in one of k equal slabs of [-1, 1], all equally likely, with gaps of twice the
margin between them; its bit is the parity of the slab. The label is the exclusive or of the bits,
replaced by a fair coin with probability ``noise``. All other coordinates are uniform.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simbias._checks import fail, real, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks.blocks import LEAST_MARGIN
from simbias.tasks.task import Points, Truth

_MOST_DIM = 100_000


class XorLaw(NamedTuple):
    """The law of one data set."""

    rotation: Float[AnyArray, "dim dim"]
    slabs: Int[AnyArray, ""]
    margin: Float[AnyArray, ""]
    noise: Float[AnyArray, ""]


class XorTask:
    """A task whose best rule needs two coordinates.

    Args:
        dim: input coordinates, the two informative ones first, >= 2.
        slabs: number of slabs of each of the two, even.
        margin: half the gap between slabs, in [1e-6, 1 / slabs).
        noise: probability that a label is a fair coin, in [0, 1].

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.XorTask(dim=4, noise=0.2)
        >>> task.truth
        Truth(simple_risk=None, achievable_risk=0.1)
        >>> task.achievable_rule([[0.5, 0.5, 0, 0], [0.5, -0.5, 0, 0]])
        array([0, 1])
    """

    name = "xor"
    classes = 2

    def __init__(
        self, *, dim: int = 10, slabs: int = 2, margin: float = 0.1, noise: float = 0.0
    ) -> None:
        self.dim = whole("dim", dim, least=2, most=_MOST_DIM)
        if whole("slabs", slabs, least=2, most=100) % 2:
            raise fail("slabs", slabs, "an even number, so that both bits are equally likely")
        self.slabs = int(slabs)
        self.margin = real("margin", margin, LEAST_MARGIN, 1 / self.slabs, open_high=True)
        self.noise = real("noise", noise, 0, 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XorTask) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(tuple(self.settings.values()))

    @property
    def settings(self) -> Settings:
        """The values that identify it."""
        return {"dim": self.dim, "slabs": self.slabs, "margin": self.margin, "noise": self.noise}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        return (self.dim,)

    @property
    def truth(self) -> Truth:
        """The Bayes risk: a fair coin is right half the time. There is no simple rule."""
        return Truth(achievable_risk=self.noise / 2)

    def achievable_rule(self, x: Float[np.ndarray, "rows dim"]) -> Int[np.ndarray, " rows"]:
        """The Bayes rule's labels (rows,) of unrotated points (rows, dim)."""
        slab = np.floor((np.asarray(x)[:, :2] + 1) * self.slabs / 2).astype(np.int64)
        labels: Int[np.ndarray, " rows"] = np.clip(slab, 0, self.slabs - 1).sum(axis=1) % 2
        return labels

    @pinned
    def law(self, key: Key[Array, ""]) -> XorLaw:
        """A rotation drawn from the key, and the task's settings as scalars."""
        return XorLaw(
            jax.random.orthogonal(own_key(key), self.dim),
            jnp.int32(self.slabs),
            jnp.float32(self.margin),
            jnp.float32(self.noise),
        )

    @staticmethod
    def draw(law: XorLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Fresh rotated points."""
        key_slab, key_x, key_coin, key_label = jax.random.split(key, 4)
        x = jax.random.uniform(key_x, (rows, law.rotation.shape[0]), minval=-1.0)
        slab = jax.random.randint(key_slab, (rows, 2), 0, law.slabs)
        width = 2 / law.slabs.astype(jnp.float32)
        centre = (slab.astype(jnp.float32) + 0.5) * width - 1
        telling = centre + x[:, :2] * (width / 2 - law.margin)
        clean = slab.sum(axis=1) % 2
        coin = jax.random.bernoulli(key_label, shape=(rows,)).astype(jnp.int32)
        y = jnp.where(jax.random.bernoulli(key_coin, law.noise, (rows,)), coin, clean)
        exception = jnp.zeros(rows, bool)
        x = x.at[:, :2].set(telling) @ law.rotation
        return Points(x, y, exception, achievable=clean)
