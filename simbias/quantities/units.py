"""Units: what claims count, and what quantities are measured of."""

from dataclasses import dataclass
from functools import cache

from simbias._checks import fail, known, whole
from simbias.registry import UNITS

_SEED = ("rotation", "data", "initialisation", "order")


@dataclass(frozen=True)
class Unit:
    """A unit of claims: what counts once.

    Attributes:
        name: the registered name, singular.
        summary: in one line.
        seeds: number of networks in a unit, of consecutive seeds.
        points: whether a unit is a fresh point, and all units are of one network.

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
        """What is drawn anew from one unit to the next."""
        return ("points",) if self.points else _SEED

    def count(self, networks: int, points: int) -> int:
        """The number of units of some networks, with some fresh points each."""
        return points if self.points else networks // self.seeds

    def behind(self, first: int) -> tuple[int, ...]:
        """The seeds of the networks of the unit with this first seed."""
        return tuple(range(first, first + self.seeds))


network = Unit("network", summary="a trained network")
pair = Unit("pair", summary="two networks of seeds that follow each other", seeds=2)
point = Unit("point", summary="a fresh point on which one network is asked", points=True)


@cache
def units() -> dict[str, Unit]:
    """Every unit by name; an installed one that is invalid is left out, with a warning.

    Examples:
        >>> from simbias.quantities import units
        >>> {"network", "pair", "point"} <= units().keys()
        True
    """
    return UNITS.loaded(Unit)


def unit_named(name: str) -> Unit:
    """The unit of a name; raises ValueError with the nearest name.

    Examples:
        >>> from simbias.quantities import unit_named
        >>> unit_named("pair").seeds
        2
    """
    return units()[known("unit", name, units())]
