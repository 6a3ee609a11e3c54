"""The settings of a cell that claims may use as quantities: numbers known before training."""

import math

import numpy as np

from simbias._checks import fail
from simbias.quantities.quantity import Quantity
from simbias.quantities.subject import Subject
from simbias.stats.estimate import Estimate
from simbias.training.cell import Cell
from simbias.training.words import by_part

_PARTS = ("", "task", "network", "method", "estimator")


def setting(cell: Cell, name: str) -> float:
    """The number of a setting, in whichever part of the cell; raises ValueError for none."""
    values = by_part(cell.settings)
    for part in _PARTS:
        value = values.get((part, name))
        if isinstance(value, int | float):
            return float(value)
    raise fail("quantity", name, f"a setting of {cell.name}, which has no such number")


def _declared(name: str, low: float, high: float = math.inf, *, summary: str) -> Quantity:
    """A setting as a quantity."""

    def measure(subject: Subject) -> Estimate:
        return Estimate(*np.full((3, len(subject.stack)), setting(subject.stack.cell, name)))

    return Quantity(name, summary, low, high, measure, of="setting")


dim = _declared("dim", 1, summary="Input coordinates")
noise = _declared("noise", 0, 1, summary="Probability that the simple coordinate is uninformative")
n_train = _declared("n_train", 1, summary="Training points")
batch = _declared("batch", 1, summary="Points an update")
width = _declared("width", 1, summary="Units of a hidden layer")
depth = _declared("depth", 1, summary="Hidden layers")
learning_rate = _declared("learning_rate", 0, summary="Step size")
weight_decay = _declared("weight_decay", 0, summary="Weight decay")
