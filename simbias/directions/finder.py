"""The interface of a finder: from activations and labels to a direction; finders by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Array, Float, Key

from simbias._types import AnyArray, Settings
from simbias.directions.activity import Activity
from simbias.registry import DIRECTIONS


@dataclass(frozen=True, eq=False)
class Finder:
    """How a direction is found.

    Attributes:
        name: the registered name.
        settings: its settings.
        find: from activations with labels and a random key to a vector of any length > 0, which
            points from label 0 to label 1, (units,).

    Examples:
        >>> import jax
        >>> import numpy as np
        >>> import simbias
        >>> activity = simbias.directions.Activity(np.array([[0.0, 1], [2, 1]]), np.array([0, 1]))
        >>> finder = simbias.directions.get("mean-difference", pairs=1)
        >>> finder.identity, finder.find(activity, jax.random.key(0))
        ({'name': 'mean-difference', 'pairs': 1}, array([2., 0.]))
    """

    name: str
    settings: Mapping[str, object]
    find: Callable[[Activity, Key[Array, ""]], Float[AnyArray, " units"]]

    @property
    def identity(self) -> Settings:
        """Name and settings as plain data."""
        return {"name": self.name, **self.settings}


def get(name: str, /, **settings: object) -> Finder:
    """The finder registered as ``name`` with the given settings; raises ValueError.

    Examples:
        >>> import simbias
        >>> simbias.directions.get("probe").settings
        {'ridge': 0.001}
    """
    finder: Finder = DIRECTIONS.make(name, settings)
    return finder


def names() -> list[str]:
    """All registered finders of directions.

    Examples:
        >>> import simbias
        >>> simbias.directions.names()[:3]
        ['discriminant', 'gradient', 'mean-difference']
    """
    return sorted(DIRECTIONS.entries())
