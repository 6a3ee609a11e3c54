"""Measured numbers, each declared once; columns, words in claims and titles follow from that.

The declaration decorates the function that measures: its name, meaning, range, unit, needs and the
kind of its interval. ``simbias.registry`` lists them, and other packages add their own.
"""

from simbias.quantities.declared import declared
from simbias.quantities.needs import NEEDS, Need
from simbias.quantities.quantity import Argument, Quantity, quantity
from simbias.quantities.subject import Subject
from simbias.quantities.units import Unit, unit_named, units
from simbias.stats.estimate import Estimate

__all__ = [
    "NEEDS",
    "Argument",
    "Estimate",
    "Need",
    "Quantity",
    "Subject",
    "Unit",
    "declared",
    "quantity",
    "unit_named",
    "units",
]
