"""Two moons whose halves are held apart by a gap, or overlap: the task of gradient starvation.

M. Pezeshki, O. Kaba, Y. Bengio, A. Courville, D. Precup, G. Lajoie, "Gradient starvation: a
learning proclivity in neural networks" (NeurIPS 2021), figures 1 to 3. For a fair sign s, an angle
t uniform on [0, pi], and independent e1, e2 ~ N(0, noise^2), a point is

    x0 = s (|sin t + 1/20 + e1| + gap),    x1 = s (cos t - 1/2 + e2),

and its label is positive where s = 1. Each moon is the other one turned by half a turn.

This is the law that the authors' code approaches for many points: it draws scikit-learn's two half
circles apart, centres all points by their mean, reflects those that are not on their moon's side of
the line x0 = 0, and then moves the moons by the gap. There angles lie on a grid and the mean is the
sample's; here points are independent. Which of the moons is called positive is the other way round.

With a gap above 0 no point is nearer to the line x0 = 0 than the gap, so that its rule makes no
error, and neither does one that follows the moons. With one below 0, points of the two moons have
crossed the line, and only a curve tells them apart.
"""

import math
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from scipy.special import ndtr

from simbias._checks import real
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks.task import Points, Truth

LIFT = 0.05  # of the moons' ends over the line, without a gap
_LEAST = 1e-12  # standard deviation that stands for none
_NODES, _PANELS = 20, 45  # of the integral over the angle


class MoonsLaw(NamedTuple):
    """The law of a data set."""

    rotation: Float[AnyArray, "2 2"]
    gap: Float[AnyArray, ""]
    noise: Float[AnyArray, ""]


class MoonsTask:
    """Two moons on either side of a line, with a gap between them or an overlap.

    The simple rule is the line's, by the sign of x0. Its risk is the probability that a point has
    crossed the line, an integral over the angle. Unlabelled points under a shift, and labelled
    ones, are of the same moons with the gap reversed. Groups are twice the label, one more where
    the simple rule errs.

    Args:
        gap: by which each moon is moved away from the line x0 = 0, in [-.5, 2]; published: .1 and
            -.1.
        noise: standard deviation of each coordinate around its moon, in [0, 1].
        angle: degrees by which points are turned, counterclockwise, in [-180, 180]; published: 0,
            and -45 once.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> simbias.tasks.get("two-moons").truth
        Truth(simple_risk=0.0, achievable_risk=0.0)

        Where moons overlap, the least risk of any rule has no closed form:

        >>> simple, least = simbias.tasks.MoonsTask(gap=-0.1).truth
        >>> round(simple, 4), least
        (0.0428, None)
    """

    name, shape, classes = "two-moons", (2,), 2

    def __init__(self, *, gap: float = 0.1, noise: float = 0.1, angle: float = 0.0) -> None:
        self.gap = real("gap", gap, -0.5, 2)
        self.noise = real("noise", noise, 0, 1)
        self.angle = real("angle", angle, -180, 180)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MoonsTask) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(tuple(self.settings.values()))

    @property
    def settings(self) -> Settings:
        """The values that identify it."""
        return {"gap": self.gap, "noise": self.noise, "angle": self.angle}

    @cached_property
    def truth(self) -> Truth:
        """The risk of the line's rule; the least risk of any where that is 0."""
        if self.gap >= 0:
            return Truth(simple_risk=0.0, achievable_risk=0.0)
        return Truth(simple_risk=_crossed(-self.gap, max(self.noise, _LEAST)))

    @pinned
    def law(self, key: Key[Array, ""]) -> MoonsLaw:
        """The task's settings as arrays: data sets differ in their points alone."""
        radians = math.radians(self.angle)
        cos, sin = math.cos(radians), math.sin(radians)
        turn = jnp.array([[cos, sin], [-sin, cos]], jnp.float32)
        return MoonsLaw(turn, jnp.float32(self.gap), jnp.float32(self.noise))

    @staticmethod
    def draw(law: MoonsLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Fresh points."""
        x, y = _moons(law, key, rows)
        exception = (x[:, 0] > 0) != (y == 1)
        return Points(x @ law.rotation, y, exception, 2 * y + exception.astype(jnp.int32))

    @staticmethod
    def shifted(
        law: MoonsLaw, key: Key[Array, ""], rows: int
    ) -> tuple[Float[Array, "rows 2"], Int[Array, " rows"]]:
        """Points of the moons with the gap reversed, and their labels."""
        x, y = _moons(law._replace(gap=-law.gap), key, rows)
        return x @ law.rotation, y

    @staticmethod
    def unlabelled(law: MoonsLaw, key: Key[Array, ""], rows: int) -> Float[Array, "rows 2"]:
        """The inputs of ``shifted``, without their labels."""
        return MoonsTask.shifted(law, key, rows)[0]


def _moons(
    law: MoonsLaw, key: Key[Array, ""], rows: int
) -> tuple[Float[Array, "rows 2"], Int[Array, " rows"]]:
    """Points before they are turned, and their labels."""
    key_label, key_angle, key_noise = jax.random.split(key, 3)
    y = jax.random.bernoulli(key_label, shape=(rows,)).astype(jnp.int32)
    angle = jnp.pi * jax.random.uniform(key_angle, (rows,))
    first, second = law.noise * jax.random.normal(key_noise, (2, rows))
    away = jnp.abs(jnp.sin(angle) + LIFT + first) + law.gap
    along = jnp.cos(angle) - 0.5 + second
    side = jnp.where(y == 1, 1.0, -1.0)
    return side[:, None] * jnp.stack([away, along], axis=1), y


def _crossed(overlap: float, noise: float) -> float:
    """The probability that |sin t + 1/20 + e1| is below the overlap, an integral over t.

    By Gauss's quadrature on panels of [0, pi/2] that halve towards the angle at which a moon
    without noise would cross: with little noise the integrand is a step there.
    """
    edge = math.asin(min(max(overlap - LIFT, 0.0), 1.0))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = 0.0
    for end in (0.0, math.pi / 2):
        ends = edge + (end - edge) * np.append(0.5 ** np.arange(_PANELS), 0.0)
        length = np.diff(ends)[:, None]
        height = np.sin(ends[:-1, None] + length * (nodes + 1) / 2) + LIFT
        below = ndtr((overlap - height) / noise) - ndtr((-overlap - height) / noise)
        half += float(np.abs(length[:, 0]) / 2 @ (below @ weights))
    return 2 * half / math.pi
