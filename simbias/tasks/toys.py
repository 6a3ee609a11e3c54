"""The two-dimensional toy of D-BAT: a coordinate of two intervals, and one of five slabs.

M. Pagliardini, M. Jaggi, F. Fleuret, S. P. Karimireddy, "Agree to disagree: diversity through
disagreement for better transferability" (ICLR 2023), figure 1, as its authors' notebook draws it.
"""

from simbias._checks import instance
from simbias.tasks.block_task import BlockTask
from simbias.tasks.blocks import Block, Pair, Piece

_HALF = 0.2  # half the width of a slab


def d_bat_toy(*, rotated: bool = False) -> BlockTask:
    """x0 = +-1 + U(-.8, .8); x1 in slabs at -2, 0, 2 where positive, and at -1, 1 where negative.

    Given the label, the coordinates are independent and the slabs equally likely. So each of the
    two tells the label without error: x0 by one cut, x1 by four. Unlike in the slab tasks the
    centre slab is positive, and the square of x1 tells of the label as well: its mean is 2.68 given
    the positive one, 1.01 given the other.

    It differs from what is published in the points without labels, on which two networks are asked
    to disagree. Here their x0 is drawn given another label, as in every task with a simple set; the
    authors move training points, by at most 1 in each coordinate, uphill to where the two networks
    disagree more.

    Args:
        rotated: whether the inputs of a data set are turned by a random orthogonal matrix;
            published: not.

    Raises:
        ValueError: rotated is not a bool.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("d-bat-toy")
        >>> task.margins, task.simple_set
        ({'linear': 0.2, 'slab-5': 0.3}, (0,))
        >>> task.truth
        Truth(simple_risk=0.0, achievable_risk=0.0)
    """
    instance("rotated", rotated, bool)
    linear = Pair((Piece(-1.8, -0.2, 1.0),), (Piece(0.2, 1.8, 1.0),))
    slabs = Pair(_slabs(-1.0, 1.0), _slabs(-2.0, 0.0, 2.0))
    blocks = Block("linear", 0.2, linear), Block("slab-5", 0.3, slabs)
    return BlockTask("d-bat-toy", {"rotated": rotated}, blocks, (0,), rotated=rotated)


def _slabs(*centres: float) -> tuple[Piece, ...]:
    return tuple(Piece(centre - _HALF, centre + _HALF, 1 / len(centres)) for centre in centres)
