"""Failure against detectability: what shifts cost networks, and how many points reveal each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.validation.visibility import NeededPoints, Visibility

_IDEAL: Keywords = {"color": style.BLUE, "marker": "o", "markersize": 3.6}
_TRAINED: Keywords = {"color": style.VERMILLION, "marker": "s", "markersize": 3.4}
_NEVER: Keywords = {"color": style.VERMILLION, "marker": ">", "markerfacecolor": "white"}
_THIN: Keywords = {"color": style.GREY, "linewidth": 0.5}
_LEADER: Keywords = {"arrowstyle": "-", "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 3, **_THIN}
_BEYOND = 2.0  # times the most points that were tried: where a test stands that needs more
_ROOM = 0.062  # of the height of the axes, for a label


class VisibilityRow(NamedTuple):
    """One shift; points are infinite where more than ``most`` are needed.

    ``lost`` is the mean over networks, its limits the lowest and the highest of any network.
    """

    shift: str
    lost: float
    lost_low: float
    lost_high: float
    ideal: float
    ideal_low: float
    ideal_high: float
    trained: float
    trained_low: float
    trained_high: float
    most: float


@dataclass(eq=False)
class VisibilityDisplay(style.Display):
    """Accuracy lost against the points that reveal a shift, by two tests.

    Attributes:
        name: the networks, in words.
        power: at which a shift counts as revealed.
        rows: what is drawn.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.validation import Estimate, NeededPoints, Visibility
        >>> lost = Estimate(*(np.array([part]) for part in (0.4, 0.39, 0.41)))
        >>> few, many = NeededPoints(3, 2, 3, 1000), NeededPoints(500, 300, 500, 1000)
        >>> row = Visibility("margin", lost, few, many)
        >>> display = simbias.plots.visibility([row], name="networks", power=0.8)
        >>> print(display.finding)
        margin costs 0.4 of accuracy;
        revealed by 3 points, to a trained network by 500
    """

    name: str
    power: float
    rows: tuple[VisibilityRow, ...]

    def __post_init__(self) -> None:
        self.rows = tuple(each("rows", self.rows, VisibilityRow))
        if not any(np.isfinite(row.lost) for row in self.rows):
            raise fail(
                "rows", f"{len(self.rows)} without a loss", "a shift under which some is known"
            )

    @property
    def finding(self) -> str:
        """The shift that costs most, of those that the trained detector sees least, if any."""
        known = [row for row in self.rows if np.isfinite(row.lost)]
        hidden = [row for row in known if np.isinf(row.trained)]
        worst = max(hidden or known, key=lambda row: row.lost)
        ideal, trained = (_count(points, worst.most) for points in (worst.ideal, worst.trained))
        text = f"{worst.shift} costs {worst.lost:.2g} of accuracy;\n"
        return f"{text}revealed by {ideal} points, to a trained network by {trained}"

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each shift."""
        columns = zip(*self.rows, strict=True)
        return {"visibility": dict(zip(VisibilityRow._fields, map(list, columns), strict=True))}

    def _size(self) -> tuple[float, float]:
        return style.SINGLE + 0.9, 3.3

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        (ax,) = axes
        most = max(row.most for row in self.rows)
        ax.set_xscale("log")
        ax.set_xlim(0.8, 1.3 * _BEYOND * most)
        ends = [end for row in self.rows for end in (row.lost_low, row.lost_high)]
        low, high = min(0.0, np.nanmin(ends)), max(0.05, np.nanmax(ends))
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        ax.axhline(0, zorder=0, **_THIN)
        shown = sorted(
            (row for row in self.rows if np.isfinite(row.lost)), key=lambda row: row.lost
        )
        heights = _apart([row.lost for row in shown], _ROOM * np.diff(ax.get_ylim()).item())
        for row, height in zip(shown, heights, strict=True):
            ideal, trained = (
                points if np.isfinite(points) else _BEYOND * most
                for points in (row.ideal, row.trained)
            )
            ax.plot([ideal, trained], [row.lost] * 2, zorder=1, **_THIN)
            for x, looks in ((ideal, _IDEAL), (trained, _TRAINED)):
                ax.vlines(x, row.lost_low, row.lost_high, color=looks["color"], linewidth=0.8)
            for points, x, looks in ((row.ideal, ideal, _IDEAL), (row.trained, trained, _TRAINED)):
                marks = looks if np.isfinite(points) else _NEVER | {"color": looks["color"]}
                ax.plot([x], [row.lost], linestyle="", zorder=3, **marks)
            ax.annotate(
                row.shift,
                (trained, row.lost),
                (1.03, height),
                textcoords=ax.get_yaxis_transform(),
                va="center",
                fontsize=6,
                annotation_clip=False,
                arrowprops=_LEADER,
            )
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlabel(f"points that reveal the shift with power {self.power:g}")
        ax.set_ylabel("accuracy lost")
        self._heading(ax, f"{self.name}\n{self.finding}")
        handles: list[Artist] = [
            Line2D([], [], linestyle="", label="likelihood-ratio test, densities known", **_IDEAL),
            Line2D(
                [], [], linestyle="", label="network trained on half of as many of each", **_TRAINED
            ),
            Line2D([], [], linestyle="", label=f"the same: not by {most:,.0f}", **_NEVER),
        ]
        self._legend(ax, handles, [str(handle.get_label()) for handle in handles])


def _count(points: float, most: float) -> str:
    return f"{points:,.0f}" if np.isfinite(points) else f"more than {most:,.0f}"


def _apart(heights: Sequence[float], room: float) -> list[float]:
    """The heights, which increase, moved so that each is this far above the one before.

    The squares of the distances moved have the least sum: without the room that the ones before
    take up, neighbours in the wrong order have their mean in common.
    """
    groups: list[list[float]] = []
    for place, height in enumerate(heights):
        groups.append([height - place * room])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    bare = [float(np.mean(group)) for group in groups for _ in group]
    return [height + place * room for place, height in enumerate(bare)]


def visibility(rows: Sequence[Visibility], *, name: str, power: float = 0.8) -> VisibilityDisplay:
    """What shifts cost networks against the points that reveal each, ready to be drawn.

    Args:
        rows: from ``simbias.validation.measure_visibility``.
        name: the networks, in words.
        power: that was asked for there.

    Raises:
        ValueError: no shift under which the loss of a network is known.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.validation import Estimate, NeededPoints, Visibility
        >>> lost = Estimate(*(np.array([part]) for part in (0.4, 0.39, 0.41)))
        >>> few, many = NeededPoints(3, 2, 3, 1000), NeededPoints(500, 300, 500, 1000)
        >>> row = Visibility("margin", lost, few, many)
        >>> sorted(simbias.plots.visibility([row], name="networks").tables())
        ['visibility']
    """
    return VisibilityDisplay(name, power, tuple(map(_row, each("rows", rows, Visibility))))


def _row(shift: Visibility) -> VisibilityRow:
    def limits(points: NeededPoints) -> tuple[float, float, float]:
        return points.value, points.low, points.high

    known = ~np.isnan(shift.lost.value)
    value, low, high = (part[known] for part in shift.lost)
    return VisibilityRow(
        shift.shift,
        float(value.mean()) if known.any() else np.nan,
        float(low.min()) if known.any() else np.nan,
        float(high.max()) if known.any() else np.nan,
        *limits(shift.likelihood_ratio),
        *limits(shift.trained),
        max(shift.likelihood_ratio.most, shift.trained.most),
    )
