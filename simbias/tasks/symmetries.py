"""Symmetries: maps of labelled points that leave the law of independent coordinates as it is.

Given the label, coordinates are independent and each is uniform on every interval on which its
density is constant. So three kinds of maps, and what is composed of them, take fresh points to
fresh points in law: the sign of a coordinate is flipped, where its laws are symmetric about 0;
coordinates of equal laws change places; and a coordinate is mirrored within each such interval. All
leave the label as it is. Which ones there are depends on the laws alone, not on any sample.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from simbias.tasks.blocks import Block, Piece

_DIGITS = 9  # to which pieces are compared

Symmetry = Callable[
    [Float[np.ndarray, "rows dim"], Int[np.ndarray, " rows"]], Float[np.ndarray, "rows dim"]
]


_Interval = tuple[float, float]


def symmetries(blocks: Sequence[Block]) -> Mapping[str, Symmetry]:
    """Maps of unrotated points and their labels to points, by name; without those that change none.

    Those of signs and of places, alone and together, are linear; to mirror is not. They do not
    depend on the simple set.

    Args:
        blocks: the laws of the coordinates.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.tasks.symmetries import symmetries
        >>> maps = symmetries(simbias.tasks.get("lms-7", dim=4).blocks)
        >>> sorted(maps)[:3]
        ['all flipped', 'all mirrored', 'every other flipped']
        >>> maps["all flipped"](np.array([[0.5, 0.1, 0.2, -0.3]]), np.array([0]))
        array([[ 0.5, -0.1, -0.2,  0.3]])
        >>> maps["next in place"](np.array([[0.5, 0.1, 0.2, -0.3]]), np.array([0]))
        array([[ 0.5,  0.2, -0.3,  0.1]])
    """
    dim = len(blocks)
    ends = [[_intervals(law) for law in block.laws] for block in blocks]
    flipped = flips(blocks)
    orders = {"in reverse": _moved(blocks, _reverse), "next in place": _moved(blocks, _next)}
    unmoved, unflipped = np.arange(dim), np.ones(dim)
    maps: dict[str, Symmetry] = {
        f"{name} flipped": partial(_permute, unmoved, signs) for name, signs in flipped.items()
    }
    for name, order in orders.items():
        if not np.array_equal(order, unmoved):
            maps[name] = partial(_permute, order, unflipped)
            for which in ("all", "every other"):
                if which in flipped:
                    maps[f"{name}, {which} flipped"] = partial(_permute, order, flipped[which])
    with_length = np.flatnonzero([any(map(len, of_label)) for of_label in ends])
    for name, chosen in (("all", with_length), ("every other", with_length[::2])):
        if len(chosen):
            maps[f"{name} mirrored"] = partial(_mirror, {j: ends[j] for j in chosen.tolist()})
    return maps


def is_symmetric(block: Block) -> bool:
    """Whether both laws of a coordinate are unchanged by x -> -x."""
    negated = [
        tuple(Piece(-high, -low, mass) for low, high, mass in reversed(law)) for law in block.laws
    ]
    return [_written(law) for law in negated] == [_written(law) for law in block.laws]


def flips(blocks: Sequence[Block]) -> dict[str, Float[np.ndarray, " dim"]]:
    """Signs (dim,) by name: all, the first half, the second half and every other of the symmetric
    coordinates; empty where there are none."""
    places = np.flatnonzero([is_symmetric(block) for block in blocks])
    half = (len(places) + 1) // 2
    chosen = {
        "all": places,
        "first half": places[:half],
        "second half": places[half:],
        "every other": places[::2],
    }
    signs = {}
    for name, index in chosen.items():
        if len(index):
            signs[name] = np.ones(len(blocks))
            signs[name][index] = -1
    return signs


def _written(law: tuple[Piece, ...]) -> list[tuple[float, ...]]:
    """A law as numbers that can be compared; minus zero is zero."""
    return sorted(tuple(round(float(number), _DIGITS) + 0.0 for number in piece) for piece in law)


def _reverse(places: Sequence[int]) -> Sequence[int]:
    return places[::-1]


def _next(places: Sequence[int]) -> Sequence[int]:
    return [*places[1:], *places[:1]]


def _moved(blocks: Sequence[Block], change: Callable[[list[int]], Sequence[int]]) -> np.ndarray:
    """Where each coordinate comes from, where those of equal laws change places."""
    alike: dict[str, list[int]] = {}
    for place, block in enumerate(blocks):
        alike.setdefault(str([_written(law) for law in block.laws]), []).append(place)
    order = np.arange(len(blocks))
    for places in alike.values():
        order[places] = change(places)
    return order


def _permute(
    order: Int[np.ndarray, " dim"],
    signs: Float[np.ndarray, " dim"],
    x: Float[np.ndarray, "rows dim"],
    y: Int[np.ndarray, " rows"],
) -> Float[np.ndarray, "rows dim"]:
    permuted: Float[np.ndarray, "rows dim"] = x[:, order] * signs
    return permuted


def _intervals(law: tuple[Piece, ...]) -> list[_Interval]:
    """Where the density is constant and positive, from left to right; atoms have none."""
    ends = sorted({end for low, high, _ in law if low < high for end in (low, high)})
    return [
        (low, high)
        for low, high in zip(ends[:-1], ends[1:], strict=True)
        if any(piece.low <= low and high <= piece.high and low < high for piece in law)
    ]


def _mirror(
    intervals: Mapping[int, Sequence[Sequence[_Interval]]],
    x: Float[np.ndarray, "rows dim"],
    y: Int[np.ndarray, " rows"],
) -> Float[np.ndarray, "rows dim"]:
    """Each of some coordinates mirrored within the interval it lies in: rounded, the nearest."""
    mirrored = x.copy()
    for j, of_label in intervals.items():
        for label, own in enumerate(of_label):
            rows = np.flatnonzero(y == label)
            if own and len(rows):
                low, high = np.array(own).T
                value = x[rows, j]
                outside = np.maximum(low - value[:, None], value[:, None] - high)
                nearest = np.argmin(np.maximum(outside, 0), axis=1)
                mirrored[rows, j] = low[nearest] + high[nearest] - value
    return mirrored
