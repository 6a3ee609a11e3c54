"""Why tails are said to shrink and to grow: two estimators of one lineage, pooled and by itself.

Shumailov et al. (2023) derive that tails vanish, and show samples whose likelihood under the
first model falls. Both hold: within a lineage the variance goes to 0, over all lineages together
that of their samples grows, and which way the source's score of new points goes is settled by what
sums of squares are divided by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._checks import each, fail
from simbias.generations import Moments, expectations
from simbias.plots import _figure as style
from simbias.results.lineages import PooledLineages

_TITLES = (
    "log variance\nwithin a lineage",
    "variance of samples\nover all lineages",
    "-log density of new points\nunder the source, nats",
    "-log density of real\npoints under the model",
)
_COLOURS = {0: style.BLUE, 1: style.VERMILLION}
_DOTS = 12
_ERRORS = 3.0  # standard errors of a bar


class TailLine(NamedTuple):
    """A number of the lineages of one estimator, generation by generation.

    Attributes:
        ddof: of the estimator.
        panel: 0 to 3.
        mean, error: over lineages, and its standard error.
        expected: by the closed form; NaN where none is known.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import TailLine
        >>> TailLine(1, 0, *np.ones((3, 4))).mean.shape
        (4,)
    """

    ddof: int
    panel: int
    mean: Float[np.ndarray, " generations"]
    error: Float[np.ndarray, " generations"]
    expected: Float[np.ndarray, " generations"]


@dataclass(eq=False)
class TailsDisplay(style.Display):
    """Four panels in which tails shrink and grow.

    Attributes:
        points: of each generation.
        lines: what is drawn.

    Examples:
        >>> import simbias
        >>> runs = []
        >>> for ddof in (0, 1):
        ...     cell = simbias.generations.LineageCell.of(
        ...         {"name": "normal"}, {"name": "gaussian", "ddof": ddof}, {"name": "replace"},
        ...         points=20, generations=4, lineages=300,
        ...     )
        ...     moments = simbias.generations.moments(simbias.generations.lineages(cell, 0))
        ...     runs.append(simbias.results.PooledLineages(cell, moments))
        >>> display = simbias.plots.tails(runs)
        >>> display.points, len(display.lines)
        (20, 8)
    """

    points: int
    lines: tuple[TailLine, ...]

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each panel, estimator and generation."""
        names = ("panel", "ddof", "generation", "mean", "error", "expected")
        rows = [
            (_TITLES[line.panel].replace("\n", " "), line.ddof, i + 1, *numbers)
            for line in self.lines
            for i, numbers in enumerate(zip(line.mean, line.error, line.expected, strict=True))
        ]
        return {"tails": style.by_column(names, rows)}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 2.3

    def _n_axes(self) -> int:
        return len(_TITLES)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return tuple(figure.subplots(1, len(_TITLES)))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for line in self.lines:
            ax, colour = axes[line.panel], _COLOURS[line.ddof]
            ks = np.arange(1, len(line.mean) + 1)
            seen = np.isfinite(line.expected)
            ax.plot(ks[seen], line.expected[seen], color=colour, linewidth=0.9)
            places = np.flatnonzero(seen)
            shown = places[np.unique(np.linspace(0, len(places) - 1, _DOTS).round().astype(int))]
            ax.errorbar(
                ks[shown], line.mean[shown], _ERRORS * line.error[shown],
                linestyle="", marker="o", ms=2.6, color=colour, elinewidth=0.7,
            )  # fmt: skip
        for ax, title in zip(axes, _TITLES, strict=True):
            ax.set_title(title)
            ax.set_xlabel("generation")
            ax.spines[["top", "right"]].set_visible(False)
        words = f"{self.points} points a generation: shrinking within, growing over all lineages"
        self._heading(axes[0], words)
        handles = [
            Line2D([], [], color=colour, marker="o", ms=3, label=label)
            for (ddof, colour), label in zip(
                _COLOURS.items(), ("divided by n (ddof 0)", "by n - 1 (ddof 1)"), strict=True
            )
            if any(line.ddof == ddof for line in self.lines)
        ]
        self._legend(axes[0], handles, ncols=2)


def tails(runs: Sequence[PooledLineages]) -> TailsDisplay:
    """Where tails shrink and where they grow, ready to be drawn.

    Args:
        runs: from ``simbias.results.lineages.lineages_of``; of the replaced lineages of a normal
            source those of the fewest points are shown.

    Raises:
        ValueError: none of them is of such lineages.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        >>> display = simbias.plots.tails([simbias.results.PooledLineages(cell, moments)])
        >>> sorted(display.tables())
        ['tails']
    """
    suiting = [
        entry
        for entry in each("runs", runs, PooledLineages)
        if (entry.cell.generator.name, entry.cell.regime.name) == ("gaussian", "replace")
    ]
    if not suiting:
        raise fail("runs", f"{len(runs)} cells", "one of a gaussian under replace, or more")
    points = min(entry.cell.points for entry in suiting)
    lines: list[TailLine] = []
    for cell, kept in suiting:
        if cell.points == points:
            forms = expectations(cell)
            lines += _lines(int(cell.generator.settings["ddof"]), kept, forms)
    return TailsDisplay(points, tuple(lines))


def _lines(
    ddof: int, kept: Mapping[str, Moments], forms: Mapping[str, np.ndarray]
) -> list[TailLine]:
    """Pooled over lineages, samples have the mean variance and the variance of the means.

    The source's mean is 0, and so is that of all lineages together: the squared drift is what the
    means add. The two standard errors are added, which is no less than that of the sum.
    """
    together = (
        kept["variance"].mean + kept["drift"].mean,
        kept["variance"].error + kept["drift"].error,
        forms["variance"] + forms["drift"],
    )
    lines = [TailLine(ddof, 1, *together)]
    for panel, name in ((0, "log_variance"), (2, "new_under_old"), (3, "old_under_new")):
        lines.append(TailLine(ddof, panel, kept[name].mean, kept[name].error, forms[name]))
    return lines
