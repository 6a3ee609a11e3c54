"""What counts once: the units of claims, and what quantities are measured of."""

from dataclasses import dataclass
from functools import cache

from simbias._checks import fail, known, whole
from simbias.registry import UNITS

_SEED = ("rotation", "data", "initialisation", "order")


@dataclass(frozen=True)
class Unit:
    """What counts once.

    Attributes:
        name: the registered name, singular.
        summary: in one line.
        seeds: networks of which one is made, of seeds that follow each other.
        points: whether one is a fresh point, and all of them are of one network.

    Raises:
        ValueError: seeds < 1, or points of several networks.

    Examples:
        >>> from simbias.quantities import Unit
        >>> triple = Unit("triple", "three networks of seeds that follow each other", seeds=3)
        >>> triple.behind(6), triple.count(networks=12, points=500)
        ((6, 7, 8), 4)
        >>> Unit("point", "a fresh point", points=True).redraws
        ('points',)
    """

    name: str
    summary: str
    seeds: int = 1
    points: bool = False

    def __post_init__(self) -> None:
        if whole("seeds", self.seeds) > 1 and self.points:
            raise fail("seeds", self.seeds, "1 for points, which are of one network")

    @property
    def redraws(self) -> tuple[str, ...]:
        """What differs between two of them."""
        return ("points",) if self.points else _SEED

    def count(self, networks: int, points: int) -> int:
        """How many there are of so many networks, each asked about so many fresh points."""
        return points if self.points else networks // self.seeds

    def behind(self, first: int) -> tuple[int, ...]:
        """The seeds of the networks of the unit that begins with a seed."""
        return tuple(range(first, first + self.seeds))


network = Unit("network", summary="a trained network")
pair = Unit("pair", summary="two networks of seeds that follow each other", seeds=2)
point = Unit("point", summary="a fresh point on which one network is asked", points=True)


@cache
def units() -> dict[str, Unit]:
    """Every unit by name; an installed one that is at fault is left out, with a warning.

    Examples:
        >>> from simbias.quantities import units
        >>> {"network", "pair", "point"} <= units().keys()
        True
    """
    return UNITS.loaded(Unit)


def unit_named(name: str) -> Unit:
    """The unit of a name; raises ValueError with the nearest.

    Examples:
        >>> from simbias.quantities import unit_named
        >>> unit_named("pair").seeds
        2
    """
    return units()[known("unit", name, units())]
