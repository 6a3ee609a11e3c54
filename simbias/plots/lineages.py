"""Lineages beside their closed forms: a panel a measure, a line a cell, points that were drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.generations import LineageCell, agreement, expectations
from simbias.plots import _figure as style
from simbias.results.lineages import PooledLineages

_PANELS = {
    "variance": "variance within a lineage",
    "log_variance": "log variance within a lineage",
    "drift": "squared drift of the mean",
    "homozygosity": "two draws are the same",
}
_ERRORS = "squared error of the slopes"  # what the drift is of least squares
_COLOURS = (
    style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY, style.BROWN,
    style.BLACK,
)  # fmt: skip
_SHOWN, _POINTS = 3.0, 9  # standard errors of a bar; points of a line
_DASHES = ("--", "-.", ":")  # of lines without lineages
_HEIGHT = 1.6  # of a row of panels, inches


class LineageLine(NamedTuple):
    """A measure of the lineages of a cell, generation by generation, with its closed form.

    Attributes:
        panel: what it is drawn in, in words.
        label: the regime and the sizes.
        measure: by name.
        mean, error: over lineages, and its standard error.
        expected: by the closed form, or as published; NaN where nothing is.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import LineageLine
        >>> line = LineageLine("variance", "replace", "variance", *np.ones((3, 4)))
        >>> line.label, line.expected.shape
        ('replace', (4,))
    """

    panel: str
    label: str
    measure: str
    mean: Float[np.ndarray, " generations"]
    error: Float[np.ndarray, " generations"]
    expected: Float[np.ndarray, " generations"]


@dataclass(eq=False)
class LineagesDisplay(style.Display):
    """Means over lineages as points, closed forms as lines; without one, points are joined.

    Attributes:
        lines: what is drawn.
        finding: the heading, such as whether all of them agree.
        table: the name of its table.
        columns: panels beside each other, at most.
        logarithmic: measures with a logarithmic axis.
        proportions: measures that are such, beyond whose ends no bar goes.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        >>> display = simbias.plots.lineages([simbias.results.PooledLineages(cell, moments)])
        >>> len(display.panels)
        3
    """

    lines: tuple[LineageLine, ...]
    finding: str
    table: str = "lineages"
    columns: int = 3
    logarithmic: tuple[str, ...] = ()
    proportions: tuple[str, ...] = ()

    @property
    def panels(self) -> list[str]:
        """Panels, in order."""
        return list(dict.fromkeys(line.panel for line in self.lines))

    @property
    def labels(self) -> list[str]:
        """Labels of lines, in order."""
        return list(dict.fromkeys(line.label for line in self.lines))

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each line and generation."""
        names = ("panel", "label", "generation", "mean", "error", "expected")
        rows = [
            (line.panel.replace("\n", " "), line.label, i + 1, *numbers)
            for line in self.lines
            for i, numbers in enumerate(zip(line.mean, line.error, line.expected, strict=True))
        ]
        return {self.table: style.by_column(names, rows)}

    @property
    def _columns(self) -> int:
        return min(self.columns, len(self.panels))

    def _size(self) -> tuple[float, float]:
        rows = -(-len(self.panels) // self._columns)
        return style.DOUBLE, 0.6 + _HEIGHT * rows + 0.13 * (-(-len(self.labels) // 4))

    def _n_axes(self) -> int:
        return len(self.panels)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.grid(figure, self._n_axes(), self._columns)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, panel in zip(axes, self.panels, strict=True):
            for line in self.lines:
                if line.panel == panel:
                    self._line(ax, line)
                    if line.measure in self.logarithmic:
                        ax.set_yscale("log")
                        ax.yaxis.set_major_formatter(ScalarFormatter())
                        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                        ax.yaxis.set_minor_locator(NullLocator())
            ax.set_title(panel)
            ax.set_xlabel("generation")
            ax.spines[["top", "right"]].set_visible(False)
        self._heading(axes[0], self.finding)
        handles = [Line2D([], [], label=label, ms=3, **self._look(label)) for label in self.labels]
        self._legend(axes[-1], handles, ncols=4)

    def _line(self, ax: Axes, line: LineageLine) -> None:
        ks, look = np.arange(1, len(line.mean) + 1), self._look(line.label)
        colour, law = look["color"], np.isfinite(line.expected)
        if law.any():
            ax.plot(ks, line.expected, color=colour, linewidth=0.9, linestyle=look["linestyle"])
        else:
            ax.plot(ks, line.mean, color=colour, linewidth=0.9, linestyle=":")
        known = np.flatnonzero((law | ~law.any()) & np.isfinite(line.mean))
        if len(known):
            places = np.unique(np.linspace(0, len(known) - 1, _POINTS).round().astype(int))
            shown = known[places]
            mean, bar = line.mean[shown], _SHOWN * np.nan_to_num(line.error[shown])
            bars = np.stack([bar, bar])
            if line.measure in self.proportions:
                bars = np.minimum(bars, np.maximum([mean, 1 - mean], 0))
            if line.measure in self.logarithmic:  # of the logarithm, by the delta method
                factor = np.exp(bar / mean)
                bars = np.stack([mean - mean / factor, mean * factor - mean])
            ax.errorbar(
                ks[shown], mean, bars, linestyle="", marker=look["marker"], ms=2.6, color=colour,
                elinewidth=0.7,
            )  # fmt: skip

    def _look(self, label: str) -> Keywords:
        """Of lineages a colour and a marker; grey dashes of what is only held beside them."""
        means = {line.label for line in self.lines if np.isfinite(line.mean).any()}
        measured = [other for other in self.labels if other in means]
        beside = [other for other in self.labels if other not in means]
        if label in beside:
            dashes = _DASHES[beside.index(label) % len(_DASHES)]
            return {"color": style.GREY, "marker": "", "linestyle": dashes}
        turn, place = divmod(measured.index(label), len(_COLOURS))
        return {"color": _COLOURS[place], "marker": "os^D"[turn % 4], "linestyle": "-"}


def lineages(runs: Sequence[PooledLineages]) -> LineagesDisplay:
    """Lineages beside their closed forms, ready to be drawn.

    Args:
        runs: from ``simbias.results.lineages.lineages_of``.

    Raises:
        ValueError: none of them has a closed form.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> moments = simbias.generations.moments(simbias.generations.lineages(cell, seed=0))
        >>> display = simbias.plots.lineages([simbias.results.PooledLineages(cell, moments)])
        >>> display.finding
        '32 of 32 means over lineages lie within simultaneous 99% limits of their closed forms'
    """
    lines = []
    chosen = [run for run in each("runs", runs, PooledLineages) if expectations(run.cell)]
    for cell, kept in _fewest_points(chosen):
        forms = expectations(cell)
        for measure in [name for name in _PANELS if name in forms and name in kept]:
            numbers = kept[measure].mean, kept[measure].error, forms[measure]
            lines.append(LineageLine(_panel(cell, measure), regime_label(cell), measure, *numbers))
    if not lines:
        raise fail("runs", f"{len(runs)} cells", "at least one with a closed form")
    order = {name: i for i, name in enumerate(_PANELS)}
    heads = list(dict.fromkeys(line.panel.rpartition(":")[0] for line in lines))
    lines.sort(key=lambda line: (heads.index(line.panel.rpartition(":")[0]), order[line.measure]))
    entries = agreement({cell: kept for cell, kept in runs})
    agree = sum(entry.off <= 1 for entry in entries)
    finding = f"{agree} of {len(entries)} means over lineages lie within simultaneous 99% limits"
    return LineagesDisplay(tuple(lines), f"{finding} of their closed forms")


def _fewest_points(runs: Sequence[PooledLineages]) -> list[PooledLineages]:
    """Those of each source with the fewest points, where lines lie farthest apart."""
    fewest: dict[str, int] = {}
    for cell, _ in runs:
        source = cell.generator.source
        fewest[source] = min(cell.points, fewest.get(source, cell.points))
    return [run for run in runs if run.cell.points == fewest[run.cell.generator.source]]


def _panel(cell: LineageCell, measure: str) -> str:
    ddof = cell.generator.settings.get("ddof")
    title = _ERRORS if cell.generator.name == "least-squares" else _PANELS[measure]
    words = [cell.generator.source, *([] if ddof is None else [f"ddof {ddof:g}"])]
    return f"{', '.join(words)}, {cell.points} points:\n{title}"


def regime_label(cell: LineageCell) -> str:
    """The regime of a cell with its settings."""
    settings = cell.regime.settings
    words = [f"{n.replace('_', ' ')} {v:g}" for n, v in settings.items() if n != "coins"]
    return ", ".join([cell.regime.name, *words, *(["by coins"] if "coins" in settings else [])])
