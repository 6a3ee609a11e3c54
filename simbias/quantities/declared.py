"""Every quantity by name: the vocabulary of claims."""

from functools import cache

from simbias.quantities.quantity import Quantity
from simbias.registry import QUANTITIES


@cache
def declared() -> dict[str, Quantity]:
    """Every quantity by name: those of this package in their order, then installed ones by name.

    An installed one that is invalid is left out, with a warning.

    Examples:
        >>> import simbias
        >>> quantities = simbias.quantities.declared()
        >>> quantities["memorised"].summary
        'exceptions_fitted - exceptions_fresh'
        >>> [name for name, quantity in quantities.items() if quantity.of == "pair"]
        ['seed_agreement', 'seed_similarity']
    """
    return QUANTITIES.loaded(Quantity)
