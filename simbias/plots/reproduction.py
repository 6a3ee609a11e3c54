"""Published numbers and what they tolerate beside ours, a row for each number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT, CARETRIGHT
from matplotlib.patches import Patch

from simbias._checks import fail
from simbias._types import Keywords
from simbias.papers.judging import (
    INCONCLUSIVE,
    NOT_CONVERGED,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    Reproduction,
)
from simbias.papers.paper import Paper
from simbias.plots import _figure as style

_ROW_HEIGHT = 0.105  # inches
_MOST = 3.0  # half-widths of what is accepted that are drawn
_ACCEPTED = "#E4EEF6"
_COLOURS = {
    REPRODUCED: style.BLUE,
    NOT_REPRODUCED: style.VERMILLION,
    INCONCLUSIVE: style.GREY,
    NOT_CONVERGED: style.ORANGE,
}


class ReproductionRow(NamedTuple):
    """One number: what is accepted of it, and ours with its interval (NaN: none).

    Examples:
        >>> from simbias.plots import ReproductionRow
        >>> row = ReproductionRow(
        ...     "Table 2", "(100,1)", "risk", 0.05, 0.07, 0.065, 0.06, 0.07, "reproduced"
        ... )
        >>> round(row.within(row.value), 6)
        0.5
    """

    where: str
    cell: str
    number: str
    least: float
    most: float
    value: float
    low: float
    high: float
    outcome: str

    def within(self, value: float) -> float:
        """Where a value lies: -1 and 1 are the ends of what is accepted."""
        middle, half = (self.most + self.least) / 2, (self.most - self.least) / 2
        return (value - middle) / half


@dataclass(eq=False)
class ReproductionDisplay(style.Display):
    """A row for each number that was run, in units of what is accepted of it.

    Attributes:
        rows: what is drawn, from top to bottom.

    Examples:
        >>> from simbias.plots import ReproductionDisplay, ReproductionRow
        >>> row = ReproductionRow(
        ...     "Table 2", "(100,1)", "risk", 0.05, 0.07, 0.065, 0.06, 0.07, "reproduced"
        ... )
        >>> ReproductionDisplay([row]).finding
        '1 published number: 1 reproduced'
    """

    rows: tuple[ReproductionRow, ...]

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)
        if not self.rows:
            raise fail("rows", [], "at least one ReproductionRow")

    @property
    def finding(self) -> str:
        """How many numbers came out how."""
        outcomes = [row.outcome for row in self.rows]
        words = [f"{outcomes.count(name)} {name}" for name in _COLOURS if name in outcomes]
        numbers = f"{len(outcomes)} published number{'s' * (len(outcomes) != 1)}"
        return f"{numbers}: {', '.join(words)}"

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each number."""
        return {"reproduction": style.by_column(ReproductionRow._fields, self.rows)}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 1.2 + _ROW_HEIGHT * len(self.rows)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        ax = axes[0]
        ax.set_xlim(-1.05 * _MOST, 1.05 * _MOST)
        ax.set_ylim(len(self.rows) - 0.4, -0.6)
        ax.axvspan(-1, 1, color=_ACCEPTED, linewidth=0, zorder=0)
        ax.axvline(0, color="white", linewidth=0.8, zorder=0.5)
        ax.tick_params(axis="y", length=0, labelsize=5)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_xlabel("ours less published, in tolerances")
        labels = [f"{row.where}: {row.cell}, {_short(row.number)}" for row in self.rows]
        ax.set_yticks(range(len(self.rows)), labels)
        for y, row in enumerate(self.rows):
            self._row(ax, y, row)
            if y and row.where != self.rows[y - 1].where:
                ax.axhline(y - 0.5, color="#D9D9D9", linewidth=0.4, zorder=0.2)
        self._heading(ax, self.finding)
        present = {row.outcome for row in self.rows}
        handles: list[Line2D | Patch] = [
            Line2D([], [], linewidth=1.0, label=outcome, **_look(outcome))
            for outcome in _COLOURS
            if outcome in present
        ]
        handles.append(Patch(facecolor=_ACCEPTED, label="published \N{PLUS-MINUS SIGN} tolerance"))
        self._legend(ax, handles, ncols=5)

    @staticmethod
    def _row(ax: Axes, y: int, row: ReproductionRow) -> None:
        colour = _look(row.outcome)["color"]
        ends = np.array([row.within(row.low), row.within(row.high)])
        if np.isfinite(ends).all():
            ax.plot(np.clip(ends, -_MOST, _MOST), [y, y], color=colour, linewidth=1.0)
        place = row.within(row.value)
        if abs(place) <= _MOST:
            ax.plot([place], [y], linestyle="", **_look(row.outcome))
        elif np.isfinite(place):
            arrow = CARETLEFT if place < 0 else CARETRIGHT
            x = float(np.clip(place, -_MOST, _MOST))
            ax.plot([x], [y], color=colour, marker=arrow, markersize=4)


def _look(outcome: str) -> Keywords:
    return {"color": _COLOURS[outcome], "marker": "o", "markersize": 2.6}


def _short(number: str) -> str:
    """A long expression is named by its label alone."""
    return number.replace("_", " ") if len(number) <= 30 else "rate"


def reproduction(paper: Paper, reproductions: Sequence[Reproduction]) -> ReproductionDisplay:
    """The numbers of a paper that were run beside ours, ready to be drawn.

    Args:
        paper: what the numbers are of.
        reproductions: of each of its numbers, in its order.

    Raises:
        ValueError: none was run.

    Examples:
        >>> from dataclasses import replace
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.stats.estimate import Estimate
        >>> paper = simbias.papers.load("pitfalls")
        >>> number = paper.exhibits[0].numbers[1]
        >>> small = replace(paper, exhibits=(replace(paper.exhibits[0], numbers=(number,)),))
        >>> measured = Estimate(*np.array([[0.941, 0.942, 0.943]] * 3))
        >>> ours = simbias.papers.judge(number, measured, ["done"] * 3)
        >>> simbias.plots.reproduction(small, [ours]).finding
        '1 published number: 1 reproduced'
    """
    places = [exhibit.where for exhibit in paper.exhibits for _ in exhibit.numbers]
    rows = [
        ReproductionRow(
            where,
            entry.number.label,
            entry.number.quantity.text,
            *entry.number.accepted,
            entry.value,
            entry.low,
            entry.high,
            entry.outcome,
        )
        for where, entry in zip(places, reproductions, strict=True)
        if entry.outcome != NOT_RUN
    ]
    return ReproductionDisplay(tuple(rows))
