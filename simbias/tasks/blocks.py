"""One-coordinate laws: what a single input coordinate looks like given the label.

A law is a mixture of uniform distributions on intervals (an interval of length 0 is an atom), or
the standard normal. A block is the pair of laws for the two labels.

The linear, noisy linear and k-slab blocks are those of Shah, Tamuly, Raghunathan, Jain and
Netrapalli, "The Pitfalls of Simplicity Bias in Neural Networks", NeurIPS 2020 (arXiv 2006.07710),
section 3 and appendix B. In the slab blocks the outer slabs carry the mass that makes the
variances of the two classes equal, so that no label information is left in the second moment.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

from simbias._checks import fail, real, whole


class Piece(NamedTuple):
    """Uniform on [low, high] with probability ``mass``."""

    low: float
    high: float
    mass: float


class Pair(NamedTuple):
    """The laws of a coordinate given each label."""

    negative: tuple[Piece, ...]
    positive: tuple[Piece, ...]


@dataclass(frozen=True)
class Block:
    """A coordinate: its two conditional laws.

    Attributes:
        kind: the word under which a task sets its margin, e.g. ``"linear"`` or ``"slab-7"``.
        margin: half the gap between neighbouring decided intervals, in units of the half-width.
        laws: the pieces given each label; empty for a standard normal coordinate.
    """

    kind: str
    margin: float
    laws: Pair

    @property
    def is_normal(self) -> bool:
        """Whether the coordinate is standard normal whatever the label."""
        return not self.laws.positive


@runtime_checkable
class Coordinates(Protocol):
    """Independent coordinates given a fair label: what exact ground truth is computed from."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The law of each coordinate."""
        ...

    @property
    def simple_set(self) -> tuple[int, ...]:
        """Indices of the coordinates with the simplest predictive structure."""
        ...

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        ...


def of_coordinates(task: object) -> Coordinates:
    """The task itself, known to have independent coordinates; raises ValueError for others."""
    if not isinstance(task, Coordinates):
        raise fail("task", getattr(task, "name", task), "a task of independent coordinates")
    return task


# Slab masses given the label, by offset from the centre slab; each holds on both sides.
_SLAB_MASSES = {
    3: ({0: 1.0}, {1: 1 / 2}),
    5: ({0: 3 / 4, 2: 1 / 8}, {1: 1 / 2}),
    7: ({0: 1 / 2, 2: 1 / 4}, {1: 7 / 16, 3: 1 / 16}),
}


LEAST_MARGIN = 1e-6  # inputs are float32, which do not keep closer intervals apart


def linear(*, margin: float = 0.1, noise: float = 0.0) -> Block:
    """The label's sign times U(margin, 1); with probability ``noise``, U(-margin, margin) instead.

    The noise does not depend on the label, so no rule on this coordinate alone beats accuracy
    1 - noise/2.

    Args:
        margin: distance of the decided intervals from 0, in [1e-6, 1).
        noise: probability of the uninformative interval, in [0, 1].

    Raises:
        ValueError: an argument outside its range.
    """
    margin = real("margin", margin, LEAST_MARGIN, 1, open_high=True)
    noise = real("noise", noise, 0, 1)
    middle = Piece(-margin, margin, noise)
    negative = _positive_mass(Piece(-1.0, -margin, 1 - noise), middle)
    positive = _positive_mass(middle, Piece(margin, 1.0, 1 - noise))
    return Block("linear", margin, Pair(negative, positive))


def slab(slabs: int, *, margin: float = 0.1, noise: float = 0.0) -> Block:
    """``slabs`` intervals of alternating label on [-1, 1], the centre one negative.

    Neighbouring slabs are 2 margin apart and have width 2(1 - (slabs-1) margin)/slabs. With
    probability ``noise`` the coordinate is uniform over the gaps whatever the label. Perfect
    classification takes slabs - 1 cuts.

    Args:
        slabs: number of slabs, 3, 5 or 7.
        margin: half the gap between slabs, in [1e-6, 1/(slabs-1)).
        noise: probability of the uninformative gaps, in [0, 1].

    Raises:
        ValueError: an argument outside its range.
    """
    slabs = slab_count(slabs)
    margin = real("margin", margin, LEAST_MARGIN, 1 / (slabs - 1), open_high=True)
    noise = real("noise", noise, 0, 1)
    width = 2 * (1 - (slabs - 1) * margin) / slabs
    half = slabs // 2
    centres = {offset: offset * (width + 2 * margin) for offset in range(-half, half + 1)}
    gap_mass = noise / (slabs - 1)

    def law(masses: dict[int, float]) -> tuple[Piece, ...]:
        inside = [
            Piece(centre - width / 2, centre + width / 2, (1 - noise) * masses.get(abs(offset), 0))
            for offset, centre in centres.items()
        ]
        gaps = [Piece(left.high, right.low, gap_mass) for left, right in pairwise(inside)]
        return _positive_mass(*sorted(inside + gaps))

    negative, positive = _SLAB_MASSES[slabs]
    return Block(f"slab-{slabs}", margin, Pair(law(negative), law(positive)))


def slab_count(slabs: int) -> int:
    """``slabs`` as an int that a slab block may have; raises ValueError."""
    if whole("slabs", slabs) not in _SLAB_MASSES:
        raise fail("slabs", slabs, "3, 5 or 7")
    return int(slabs)


def atoms(kind: str, negative: dict[float, float], positive: dict[float, float]) -> Block:
    """Points with their probabilities given each label; the margin is half the least distance."""

    def law(masses: dict[float, float]) -> tuple[Piece, ...]:
        return _positive_mass(
            *(Piece(position, position, masses[position]) for position in sorted(masses))
        )

    points = sorted(negative | positive)
    return Block(
        kind, min(b - a for a, b in pairwise(points)) / 2, Pair(law(negative), law(positive))
    )


def normal() -> Block:
    """A standard normal coordinate, independent of the label."""
    return Block("normal", 0.0, Pair((), ()))


def _positive_mass(*pieces: Piece) -> tuple[Piece, ...]:
    return tuple(piece for piece in pieces if piece.mass > 0)
