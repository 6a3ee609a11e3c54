"""Every quantity by name: the vocabulary of claims."""

import warnings
from functools import cache

from simbias._checks import fail
from simbias.quantities.quantity import Quantity
from simbias.registry import QUANTITIES


@cache
def declared() -> dict[str, Quantity]:
    """Every quantity by name: those of this package in their order, then installed ones by name.

    An installed one that cannot be imported, is no quantity or bears another name is left out, with
    a warning.
    """
    found = {}
    for name in QUANTITIES.names():
        try:
            made = QUANTITIES.factory(name)
            if not isinstance(made, Quantity) or made.name != name:
                raise fail(f"quantity: plug-in {name!r}", made, f"a Quantity named {name}")
            found[name] = made
        except ValueError as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
    return found
