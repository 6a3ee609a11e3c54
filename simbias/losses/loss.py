"""The interface of a loss."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simbias._code import same_code
from simbias._pinned import pinned
from simbias._types import Settings
from simbias.registry import LOSSES


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss; losses of equal name, settings and code are equal.

    Attributes:
        name: the registered name.
        settings: its settings, compiled in.
        points: (logits (rows, classes), labels) -> loss of each row, >= 0. Labels are integers
            (rows,), or soft: a distribution over the classes for each row, (rows, classes).

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> once = simbias.losses.cross_entropy().points
        >>> twice = simbias.losses.Loss("twice", {}, lambda logits, y: 2.0 * once(logits, y))
        >>> print(twice.points(jnp.array([[0.0, 0.0], [-1.0, 1.0]]), jnp.array([1, 1])).round(3))
        [1.386 0.254]
        >>> twice.identity
        {'name': 'twice'}
    """

    name: str
    settings: Mapping[str, object]
    points: Callable[[Float[Array, "rows classes"], Array], Float[Array, " rows"]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loss) and self._known_by == other._known_by

    def __hash__(self) -> int:
        return hash(self._known_by)

    @property
    def _known_by(self) -> Hashable:
        return self.name, tuple(sorted(self.settings.items())), same_code(self.points)

    @property
    def identity(self) -> Settings:
        """Name and settings as plain data."""
        return {"name": self.name, **self.settings}

    @pinned
    def of_equal_logits(self, classes: int) -> float:
        """The mean loss of a constant guess, all logits 0: log(classes) nats of cross-entropy."""
        logits = jnp.zeros((classes, classes), jnp.float32)
        return float(np.mean(np.asarray(self.points(logits, jnp.arange(classes, dtype=jnp.int32)))))


def get(name: str, /, **settings: object) -> Loss:
    """The loss registered as ``name`` with the given settings; raises ValueError.

    Examples:
        >>> import simbias
        >>> simbias.losses.get("logistic", smoothing=0.1).identity
        {'name': 'logistic', 'smoothing': 0.1}
    """
    loss: Loss = LOSSES.make(name, settings)
    return loss


def names() -> list[str]:
    """All registered losses.

    Examples:
        >>> import simbias
        >>> simbias.losses.names()[:3]
        ['cross-entropy', 'hinge', 'logistic']
    """
    return sorted(LOSSES.entries())
