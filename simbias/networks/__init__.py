"""Who learns: architectures as flax nnx modules, split once into pure functions."""

from simbias.networks.committee import Committee
from simbias.networks.ensemble import Ensemble
from simbias.networks.mlp import MLP
from simbias.networks.module import Module
from simbias.networks.network import Network, get

__all__ = ["MLP", "Committee", "Ensemble", "Module", "Network", "get"]
