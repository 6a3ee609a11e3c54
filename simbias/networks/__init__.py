"""Who learns: architectures as flax nnx modules, split once into pure functions."""

from simbias.networks.mlp import MLP
from simbias.networks.module import Module
from simbias.networks.network import Network
from simbias.registry import NETWORKS


def get(name: str, /, **settings: object) -> Network:
    """The architecture registered as ``name`` with the given settings; raises ValueError.

    Examples:
        >>> import simbias
        >>> simbias.networks.get("mlp", width=8)
        MLP(width=8, depth=1, activation='relu')
    """
    network: Network = NETWORKS.make(name, settings)
    return network


__all__ = ["MLP", "Module", "Network", "get"]
