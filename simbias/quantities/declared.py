"""Every quantity by name: the vocabulary of claims."""

from functools import cache

from simbias.quantities.quantity import Quantity
from simbias.registry import QUANTITIES


@cache
def declared() -> dict[str, Quantity]:
    """Every quantity by name: those of this package in their order, then installed ones by name.

    An installed one that is at fault is left out, with a warning.
    """
    return QUANTITIES.loaded(Quantity)
