"""The network of Theorem 1 of Shah et al. (2020): ReLUs whose signs in the output are fixed.

f(x) = sum over j of v_j ReLU(w_j . x), where v_j is +1/sqrt(width) for half of the units and
-1/sqrt(width) for the others, and only the w_j are trained: a soft committee machine (D. Saad, S.
Solla, "On-line learning in soft committee machines", Physical Review E 1995).
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from simbias._checks import fail, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import Params, Settings
from simbias.tasks.oracle import Layer


@dataclass(frozen=True)
class Committee:
    """One hidden layer of ReLUs without biases, and a fixed output of two logits, -f/2 and f/2.

    The hinge loss of the two logits is then max(0, 1 - y f) for labels y of -1 and 1. Weights start
    normal of variance 1/(dim width log(dim)^4), as the theorem has them.

    Args:
        width: hidden units, an even number.

    Raises:
        ValueError: a width that is odd or below 2.

    References:
        H. Shah, K. Tamuly, A. Raghunathan, P. Jain, P. Netrapalli, "The pitfalls of simplicity
        bias in neural networks", NeurIPS 2020, Theorem 1.

    Examples:
        >>> import jax
        >>> import simbias
        >>> net = simbias.networks.get("committee", width=8)
        >>> params = net.init(jax.random.key(0), (4,), 2)
        >>> params["kernel"].shape
        (4, 8)
        >>> logits = net.apply(params, jax.numpy.ones((3, 4)))
        >>> bool((logits.sum(axis=1) == 0).all())
        True
    """

    width: int = 100

    def __post_init__(self) -> None:
        width = whole("width", self.width, least=2, most=1_000_000)
        if width % 2:
            raise fail("width", width, "an even number: half of the units count as negative")
        object.__setattr__(self, "width", width)

    @property
    def settings(self) -> Settings:
        """The values that identify the architecture."""
        return {"name": "committee", "width": self.width}

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        return f"committee({self.width})"

    @pinned
    def init(self, key: Key[Array, ""], shape: tuple[int, ...], classes: int) -> Params:
        """Random parameters; raises ValueError for one input, or other than two classes."""
        dim = whole("dim", math.prod(shape), least=2)
        if classes != 2:
            raise fail("network committee: classes", classes, "2")
        deviation = 1 / (math.sqrt(dim * self.width) * math.log(dim) ** 2)
        return {"kernel": deviation * jax.random.normal(own_key(key), (dim, self.width))}

    def apply(self, params: Params, x: Float[Array, "rows *shape"]) -> Float[Array, "rows classes"]:
        """The logits of a batch (pure)."""
        hidden = jax.nn.relu(x.reshape(len(x), -1) @ params["kernel"])
        f = hidden @ jnp.asarray(self._signs, jnp.float32)
        return jnp.stack([-f / 2, f / 2], axis=1)

    def update_flops(self, shape: tuple[int, ...], classes: int) -> int:
        """Floating-point operations of one point's update: three times the forward product."""
        return 6 * math.prod(shape) * self.width

    def to_layers(self, params: Params) -> list[Layer]:
        """Parameters as affine layers, in float64."""
        kernel = np.asarray(params["kernel"], np.float64)
        out = np.stack([-self._signs / 2, self._signs / 2], axis=1)
        return [Layer(kernel, np.zeros(self.width)), Layer(out, np.zeros(2))]

    @property
    def _signs(self) -> Float[np.ndarray, " width"]:
        """The fixed weight of each unit in f."""
        half = self.width // 2
        return np.repeat([1.0, -1.0], half) / math.sqrt(self.width)
