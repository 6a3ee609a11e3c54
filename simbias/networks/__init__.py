"""Who learns: architectures as flax nnx modules, split once into pure functions."""

from typing import Any

from simbias.networks.mlp import MLP
from simbias.networks.module import Module
from simbias.networks.network import Network
from simbias.registry import NETWORKS


def get(name: str, /, **settings: Any) -> Network:
    """The architecture registered as ``name`` with the given settings; raises ValueError.

    Examples:
        >>> import simbias
        >>> simbias.networks.get("mlp", width=8)
        MLP(width=8, depth=1, activation='relu')
    """
    return NETWORKS.make(name, settings)


__all__ = ["MLP", "Module", "Network", "get"]
