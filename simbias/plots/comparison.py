"""Measured quantities beside published values, a small panel for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.quantities import declared

_PANEL_HEIGHT, _ROW_HEIGHT, _LINE_HEIGHT = 0.75, 0.17, 0.1  # inches
_TITLE = 16  # characters in a line, where it has several
_LEAST_SPAN = 0.02  # of a horizontal axis: less would make much of nothing
_MEASURED: Keywords = {"color": style.BLUE, "marker": "o", "markersize": 3.5, "linewidth": 1.0}
_PUBLISHED: Keywords = {
    "linestyle": "",
    "marker": "D",
    "markersize": 4.5,
    "markerfacecolor": "none",
    "markeredgecolor": style.VERMILLION,
    "markeredgewidth": 0.9,
}


class ComparisonRow(NamedTuple):
    """One dot: a quantity of a network on a task.

    ``measured``, with its interval from ``low`` to ``high`` (NaN: none), stands beside
    ``published``; None: nothing was published.

    Examples:
        >>> import simbias
        >>> from simbias.plots import ComparisonRow
        >>> ComparisonRow("lms-7", "(100,1)", "risk", 0.01, 0.008, 0.012).published is None
        True
    """

    task: str
    network: str
    quantity: str
    measured: float
    low: float
    high: float
    published: float | None = None


@dataclass(eq=False)
class ComparisonDisplay(style.Display):
    """Dots with intervals beside published values: a row of panels for each task, a column for each
    quantity.

    Attributes:
        rows: what is drawn; tasks, networks and quantities keep their order.
        interval: what the intervals are, for the legend.

    Examples:
        >>> import simbias
        >>> from simbias.plots import ComparisonRow
        >>> row = ComparisonRow("noisy-lms-7", "(100,1)", "risk", 0.059, 0.056, 0.062, 0.060)
        >>> display = simbias.plots.comparison([row])
        >>> display.tasks, display.quantities, display.networks("noisy-lms-7")
        (['noisy-lms-7'], ['risk'], ['(100,1)'])
        >>> print(display.finding)
        1 of 1 published values inside the 95% interval;
        largest difference from a published value 0.001 (noisy-lms-7 (100,1), risk)
    """

    rows: tuple[ComparisonRow, ...]
    interval: str = "95% interval"

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)
        if not self.rows:
            raise fail("rows", list(self.rows), "at least one ComparisonRow")
        for row in self.rows:
            # rounding may push a mean past an interval that is cut at 0 or 1
            if row.low > row.measured + 1e-6 or row.high < row.measured - 1e-6:
                raise fail("rows", tuple(row), "low <= measured <= high")

    @property
    def tasks(self) -> list[str]:
        """Tasks, a row of panels each."""
        return _unique(row.task for row in self.rows)

    @property
    def quantities(self) -> list[str]:
        """Quantities, a column of panels each."""
        return _unique(row.quantity for row in self.rows)

    def networks(self, task: str) -> list[str]:
        """Networks of a task, from top to bottom."""
        return _unique(row.network for row in self.rows if row.task == task)

    @property
    def finding(self) -> str:
        """The largest difference from published values, in words; empty without any to compare."""
        pairs = [
            (abs(row.measured - row.published), row.low <= row.published <= row.high, row)
            for row in self.rows
            if row.published is not None and np.isfinite(row.measured)
        ]
        if not pairs:
            return ""
        difference, _, widest = max(pairs, key=lambda pair: pair[0])
        panel = f"{widest.task} {widest.network}, {_title(widest.quantity)}"
        text = f"largest difference from a published value {difference:.3f} ({panel})"
        compared = [holds for _, holds, row in pairs if np.isfinite(row.low + row.high)]
        if not compared:
            return text
        inside = f"{sum(compared)} of {len(compared)} published values inside the {self.interval}"
        return f"{inside};\n{text}"

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each dot."""
        return {"comparison": style.by_column(ComparisonRow._fields, self.rows)}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 0.7 + sum(map(self._height, self.tasks))

    def _height(self, task: str) -> float:
        """Of a row of panels, inches."""
        networks = self.networks(task)
        row_height = _ROW_HEIGHT + _LINE_HEIGHT * style.most_breaks(networks)
        return _PANEL_HEIGHT + row_height * len(networks)

    def _n_axes(self) -> int:
        return len(self.tasks) * len(self.quantities)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.panels(figure, list(map(self._height, self.tasks)), len(self.quantities))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        grid = np.reshape(np.array(axes, dtype=object), (len(self.tasks), len(self.quantities)))
        narrow = any(
            style.most_breaks(self.networks(task)) for task in self.tasks
        )  # long labels leave little for panels
        for i, task in enumerate(self.tasks):
            for j, quantity in enumerate(self.quantities):
                rows = [row for row in self.rows if (row.task, row.quantity) == (task, quantity)]
                _panel(grid[i, j], rows, self.networks(task), labelled=j == 0)
                if i == 0:
                    title = _title(quantity)
                    grid[i, j].set_title(fill(title, _TITLE) if narrow else title)
            grid[i, 0].set_ylabel(task)
        handles = [Line2D([], [], label=f"measured, {self.interval}", **_MEASURED)]
        if any(row.published is not None for row in self.rows):
            handles.append(Line2D([], [], label="published", **_PUBLISHED))
        if self.finding and self._room is None:
            self._heading(axes[0], self.finding)
        middle = axes[-1 - (len(self.quantities) - 1) // 2]
        self._legend(middle, handles, ncols=2)


def comparison(
    rows: Iterable[ComparisonRow], *, interval: str = "95% interval"
) -> ComparisonDisplay:
    """Measured values beside published ones, ready to be drawn.

    Args:
        rows: one for each task, network and quantity.
        interval: what the intervals are, for the legend.

    Raises:
        ValueError: no row, or an interval that does not hold its value.

    Examples:
        >>> import simbias
        >>> from simbias.plots import ComparisonRow
        >>> rows = [
        ...     ComparisonRow("noisy-lms-7", "(100,1)", "risk", 0.059, 0.056, 0.062, 0.060),
        ...     ComparisonRow("noisy-lms-7", "(300,1)", "risk", 0.055, 0.052, 0.058, 0.057),
        ... ]
        >>> simbias.plots.comparison(rows).networks("noisy-lms-7")
        ['(100,1)', '(300,1)']
    """
    return ComparisonDisplay(tuple(each("rows", rows, ComparisonRow)), interval)


def _panel(
    ax: Axes, rows: Sequence[ComparisonRow], networks: Sequence[str], labelled: bool
) -> None:
    """Draw one quantity of one task: networks from top to bottom."""
    any_value = any(np.isfinite(row.measured) or row.published is not None for row in rows)
    style.rows(ax, networks, 0.5 * any_value, labelled)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], min_n_ticks=3))
    places = [networks.index(row.network) for row in rows]
    ends = style.segments([row.low for row in rows], [row.high for row in rows], places)
    ax.plot(*ends, color=style.BLUE, linewidth=1.0)
    ax.plot([row.measured for row in rows], places, **_MEASURED | {"linestyle": ""})
    published = [np.nan if row.published is None else row.published for row in rows]
    ax.plot(published, places, **_PUBLISHED)
    if not any_value:
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center")
        return
    low, high = ax.get_xlim()
    span = max(high - low, _LEAST_SPAN)
    right = min((low + high + span) / 2, max(high, 1.0 + 0.05 * span))
    ax.set_xlim(right - span, right)


def _title(quantity: str) -> str:
    known = declared()
    return known[quantity].title if quantity in known else quantity


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
