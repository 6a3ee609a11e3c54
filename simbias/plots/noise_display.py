"""Panels of lines with the law that is expected of them: the display of what label noise does."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._types import Keywords
from simbias.plots import _figure as style

_COLOURS = (
    style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY, style.BROWN,
    style.BLACK,
)  # fmt: skip
_MARKERS = "osD^vP"
_COLUMNS, _HEIGHT = 3, 1.9  # panels beside each other; of a row of them, inches
_WHOLE, _MOST = (-0.03, 1.03), (0.43, 1.03)
_RANGES = {"limits": _WHOLE, "structure": _WHOLE, "by zone": _WHOLE, "along training": _MOST}


class NoiseLine(NamedTuple):
    """Points of one colour in one panel, with the law that is expected of them.

    Attributes:
        label: in words.
        x: places.
        value, low, high: means over seeds with their intervals, NaN ends where there is none.
        law: what is expected at each place; NaN where nothing is.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import NoiseLine
        >>> NoiseLine("soft", *np.ones((5, 3))).x.shape
        (3,)
    """

    label: str
    x: Float[np.ndarray, " places"]
    value: Float[np.ndarray, " places"]
    low: Float[np.ndarray, " places"]
    high: Float[np.ndarray, " places"]
    law: Float[np.ndarray, " places"]


class NoisePanel(NamedTuple):
    """One question.

    Attributes:
        name: of its rows in the table.
        title: in words.
        x_label, y_label: of its axes.
        log: which axes are logarithmic, ``""``, ``"x"`` or ``"xy"``.
        lines: what is drawn.
        plurality: the place beyond which another label has the plurality; None: there is none.
        places: words for x = 0, 1 and so on; none: x is a number.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import NoiseLine, NoisePanel
        >>> line = NoiseLine("soft", *np.ones((5, 3)))
        >>> NoisePanel("limits", "limits", "alpha", "accuracy", "x", (line,)).plurality is None
        True
    """

    name: str
    title: str
    x_label: str
    y_label: str
    log: str
    lines: tuple[NoiseLine, ...]
    plurality: float | None = None
    places: tuple[str, ...] = ()


@dataclass(eq=False)
class NoiseDisplay(style.Display):
    """Accuracies under label noise, and the sizes that one of them asks for, panel by panel.

    Attributes:
        panels: what is drawn.
        finding: the heading.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import NoiseDisplay, NoiseLine, NoisePanel
        >>> line = NoiseLine("soft", *np.ones((5, 3)))
        >>> panel = NoisePanel("limits", "limits", "alpha", "accuracy", "x", (line,))
        >>> NoiseDisplay((panel,), "all are 1").tables()["noise"]["label"]
        ['soft', 'soft', 'soft']
    """

    panels: tuple[NoisePanel, ...]
    finding: str

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each point."""
        names = ("panel", "label", "x", "value", "low", "high", "law")
        rows = [
            (panel.name, line.label, *numbers)
            for panel in self.panels
            for line in panel.lines
            for numbers in zip(*line[1:], strict=True)
        ]
        return {"noise": style.by_column(names, rows)}

    @property
    def labels(self) -> list[str]:
        """Labels of lines, in order."""
        return list(dict.fromkeys(line.label for panel in self.panels for line in panel.lines))

    @property
    def _columns(self) -> int:
        return min(_COLUMNS, len(self.panels))

    @property
    def _legend_columns(self) -> int:
        return 1 if self._columns == 1 else 4

    @property
    def _rows(self) -> int:
        return -(-len(self.panels) // self._columns)

    def _size(self) -> tuple[float, float]:
        width = style.SINGLE if self._columns == 1 else style.DOUBLE
        legend = 0.13 * (len(self.labels) // self._legend_columns)
        return width, 0.7 + _HEIGHT * self._rows + legend

    def _n_axes(self) -> int:
        return len(self.panels)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.grid(figure, self._n_axes(), self._columns)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, panel in zip(axes, self.panels, strict=True):
            shared = _of_one_law(panel)
            for line in panel.lines:
                self._line(ax, line, style.GREY if shared else None)
            if panel.plurality is not None:
                ax.axvline(panel.plurality, color=style.GREY, linewidth=0.8, linestyle=":")
            if "x" in panel.log:
                ax.set_xscale("log")
                places = np.unique(np.concatenate([line.x for line in panel.lines]))
                ax.set_xticks(places, [f"{place:g}" for place in places], rotation=45)
                ax.minorticks_off()
            if "y" in panel.log:
                ax.set_yscale("log")
                ax.yaxis.set_minor_formatter("")
            for name, ends in _RANGES.items():
                if panel.name.startswith(name):
                    ax.set_ylim(*ends)
            if panel.places:
                ax.set_xticks(range(len(panel.places)), panel.places)
                ax.set_xlim(-0.3, len(panel.places) - 0.7)
            ax.set_title(panel.title)
            ax.set(xlabel=panel.x_label, ylabel=panel.y_label)
            ax.spines[["top", "right"]].set_visible(False)
        self._heading(axes[0], self.finding)
        marks: Keywords = {"color": style.GREY, "linewidth": 0.9}
        handles = [
            Line2D([], [], label=label, linewidth=0.6, markersize=3, **self._look(label))
            for label in self.labels
        ]
        if any(np.isfinite(line.law).any() for panel in self.panels for line in panel.lines):
            handles.append(Line2D([], [], linestyle="--", label="law that is expected", **marks))
        if any(panel.plurality is not None for panel in self.panels):
            words = "beyond: another label has the plurality"
            handles.append(Line2D([], [], linestyle=":", label=words, **marks))
        self._legend(axes[-1], handles, ncols=self._legend_columns)

    def _look(self, label: str) -> Keywords:
        i = self.labels.index(label)
        return {"color": _COLOURS[i % len(_COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}

    def _line(self, ax: Axes, line: NoiseLine, law_colour: str | None) -> None:
        look, order = self._look(line.label), np.argsort(line.x)
        x, value, low, high, law = (part[order] for part in line[1:])
        ends = np.nan_to_num(np.array([value - low, high - value])).clip(0)
        ax.errorbar(x, value, ends, linewidth=0.6, markersize=3, elinewidth=0.7, **look)
        ax.plot(x, law, color=law_colour or look["color"], linestyle="--", linewidth=0.9)


def _of_one_law(panel: NoisePanel) -> bool:
    """Whether the same is expected of several lines."""
    laws = [line.law for line in panel.lines]
    return len(laws) > 1 and all(np.array_equal(laws[0], law, equal_nan=True) for law in laws)
