"""How it learns: methods, stop rules, and the engine that trains many networks at once."""

from simbias.training.cell import Cell, cell_from_settings
from simbias.training.method import Method
from simbias.training.stack import Stack, replay, train, train_from
from simbias.training.stop import Stop

__all__ = [
    "Cell",
    "Method",
    "Stack",
    "Stop",
    "cell_from_settings",
    "replay",
    "train",
    "train_from",
]
