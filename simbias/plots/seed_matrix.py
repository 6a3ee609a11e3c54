"""Matrices of seeds: how alike each two are, in what they say, in features, by directions."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from simbias._checks import fail
from simbias.plots import _figure as style
from simbias.plots.answers import Rows, groups

_MEASURES = {
    "alike": "labels alike",
    "transferred": "other's direction",
    "cka": "CKA",
    "procrustes": "Procrustes",
    "direction_cosine": "cosine of directions",
}
_MAP = "cividis"
_MOST = 10  # seeds up to which numbers are written into the squares


class SeedMatrix(NamedTuple):
    """One measure of all pairs of some seeds.

    Attributes:
        name: of the networks.
        measure: in words.
        seeds: first seeds down, the others across.
        values: NaN where a pair was not measured, as on the diagonal.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import SeedMatrix
        >>> SeedMatrix("d = 15", "CKA", (0, 1), np.ones((2, 2))).values.shape
        (2, 2)
    """

    name: str
    measure: str
    seeds: tuple[int, ...]
    values: Float[np.ndarray, "seeds seeds"]


@dataclass(eq=False)
class SeedsDisplay(style.Display):
    """Matrices, a row for each kind of networks.

    Attributes:
        matrices: row by row.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import SeedMatrix, SeedsDisplay
        >>> display = SeedsDisplay((SeedMatrix("d = 15", "CKA", (0, 1), np.ones((2, 2))),))
        >>> display.tables()["seeds"]["other"]
        [0, 1, 0, 1]
    """

    matrices: tuple[SeedMatrix, ...]

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each pair."""
        rows = [
            (matrix.name, matrix.measure, seed, other, matrix.values[i, j])
            for matrix in self.matrices
            for i, seed in enumerate(matrix.seeds)
            for j, other in enumerate(matrix.seeds)
        ]
        columns = ("networks", "measure", "seed", "other", "value")
        return {"seeds": style.by_column(columns, rows)}

    @property
    def _columns(self) -> int:
        return len({matrix.measure for matrix in self.matrices})

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 0.6 + 1.75 * -(-len(self.matrices) // self._columns)

    def _n_axes(self) -> int:
        return len(self.matrices)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.grid(figure, self._n_axes(), self._columns)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, matrix in zip(axes, self.matrices, strict=True):
            ax.imshow(matrix.values, vmin=0, vmax=1, cmap=_MAP)
            places, words = range(len(matrix.seeds)), [str(seed) for seed in matrix.seeds]
            ax.set_xticks(places, words)
            ax.set_yticks(places, words)
            ax.tick_params(length=0)
            ax.set_title(f"{matrix.name}\n{matrix.measure}")
            if len(matrix.seeds) <= _MOST:
                for i, j in np.argwhere(np.isfinite(matrix.values)):
                    value = matrix.values[i, j]
                    number = f"{value:.2f}".replace("0.", ".", 1)
                    colour = "black" if value > 0.6 else "white"
                    ax.text(j, i, number, ha="center", va="center", color=colour, fontsize=5.5)
        self._heading(axes[0], "pairs of seeds, asked about the same points")
        handles = [
            Patch(color=colormaps[_MAP](value), label=f"{value:g}") for value in (0.0, 0.5, 1.0)
        ]
        self._legend(axes[-1], handles, ncols=3)


def seeds(rows: Rows) -> SeedsDisplay:
    """How alike each two seeds are.

    Args:
        rows: of the question ``seeds``, with ``network``, ``dim``, ``shift``, ``updates``,
            ``seed``, ``other`` and the measures of pairs. Those of the last check of networks of
            which each seed is compared with each are drawn.

    Raises:
        ValueError: no such networks.

    Examples:
        >>> import simbias
        >>> row = {"dim": 15, "network": "(100,2)", "n_train": 40000, "shift": "none", "layer": 1}
        >>> row |= {"updates": 9, "alike": 0.9, "cka": 0.8, "procrustes": 0.7}
        >>> row |= {"direction_cosine": 0.9, "transferred": 1.0}
        >>> pairs = [row | {"seed": 0, "other": 1}, row | {"seed": 1, "other": 0}]
        >>> len(simbias.plots.seeds(pairs).matrices)
        5
    """
    matrices = []
    kinds = groups(rows, "network", "dim", "n_train", "layer", "shift", "updates")
    for (network, dim, _, _, shift, _), own in kinds.items():
        known = {(int(str(row["seed"])), int(str(row["other"]))): row for row in own}
        members = tuple(sorted({seed for pair in known for seed in pair}))
        complete = all((a, b) in known for a in members for b in members if a != b)
        if not complete or len(members) < 2:
            continue
        where = "" if shift == "none" else f", {shift}"
        for column, words in _MEASURES.items():
            values = np.full((len(members), len(members)), np.nan)
            for (seed, other), row in known.items():
                if row[column] is not None:
                    place = members.index(seed), members.index(other)
                    values[place] = float(str(row[column]))
            matrices.append(SeedMatrix(f"{network}, $d$ = {dim}{where}", words, members, values))
    if not matrices:
        raise fail("rows", f"{len(rows)} of them", "some of seeds, each compared with each")
    return SeedsDisplay(tuple(matrices))
