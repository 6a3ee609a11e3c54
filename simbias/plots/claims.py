"""Every claim's estimate, interval and threshold, coloured by its verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT, CARETRIGHT
from matplotlib.patches import Patch

from simbias._checks import each, fail, instance, known
from simbias._numbers import counted, interval
from simbias._types import Keywords, TableRow
from simbias.claims.criterion import QUANTIFIERS
from simbias.claims.verdict import VERDICTS
from simbias.plots import _figure as style
from simbias.plots._room import HINTED, text_width

_LINE_HEIGHT = 0.142  # inches
_AROUND, _BELOW = 0.42, 0.75  # inches: title and legend; headings and x axis of a panel
_GAP = 6.0  # between columns, points
_TEXT = 5.5  # points
_MOST_NAME, _LEAST_QUANTITY, _MOST_TOGETHER = 42, 17, 58  # characters
_ALIGNED_RIGHT = 1  # the column of estimates
_EDGE = 1.1  # where ends at infinity are drawn; the finite ones lie within 1
_LOOKS: dict[str, Keywords] = {
    "supported": {"color": style.BLUE, "marker": "o", "markersize": 3.4},
    "refuted": {"color": style.VERMILLION, "marker": "D", "markersize": 3.0},
    "inconclusive": {"color": style.GREY, "marker": "o", "markersize": 3.4, "mfc": "white"},
}
_FAVOUR, _MARGIN, _GRID, _INK = "#E8F1F8", "#D0D0D0", "#DCDCDC", "#4D4D4D"
_INTERVAL = "two-sided interval (verdicts: one-sided tests)"
_PROPORTIONS = "proportion of units that hold"
_OTHERS = "distance of mean or median from the threshold,\non a scale of each row's own"


class ClaimRow(NamedTuple):
    """One claim; the fields are columns of the verdicts, NaN where nothing was measured."""

    id: str
    version: int | None
    title: str
    family: str
    verdict: str
    quantity: str
    op: str
    value: float
    margin: float
    quantifier: str
    threshold: float
    estimate: float
    low: float
    high: float
    units: int
    unit: str
    holding: int | None
    failing: int | None
    ambiguous: int | None
    missing: int
    more: int | None
    test: str
    alpha: float
    level: float
    reason: str

    @property
    def is_proportion(self) -> bool:
        """Whether the claim is about a proportion of units, not about their mean or median."""
        return self.quantifier == "probability"

    @property
    def edge(self) -> float:
        """Half-width of the indifference zone around the threshold, as it is drawn."""
        blank = self.is_proportion or self.verdict == "inapplicable"
        return 0.0 if blank else self.margin / self._scale

    def at(self, number: float) -> float:
        """The place on the axis: a proportion itself, others from the threshold, in favour > 0."""
        if self.is_proportion:
            return number
        favour = 1 if self.op == ">=" else -1
        return favour * (number - self.threshold) / self._scale

    @property
    def _scale(self) -> float:
        """Distance from the threshold to the furthest finite number, or twice the margin."""
        distances = np.array([self.estimate, self.low, self.high]) - self.threshold
        return float(np.abs([*distances[np.isfinite(distances)], 2 * self.margin]).max()) or 1.0


class _Line(NamedTuple):
    """Texts of the columns beside a panel, or the name of a family, with their style."""

    texts: tuple[str, ...]
    look: Keywords


@dataclass(eq=False)
class ClaimsDisplay(style.Display):
    """Claims by family, one in a row: proportions above means and medians.

    To the right is in favour of a claim. Means and medians have a scale for each row, on which the
    furthest of its estimate, the finite ends of its interval and twice its margin is 1 from the
    threshold.

    Attributes:
        rows: what is drawn.

    Examples:
        >>> import simbias
        >>> from simbias.plots.claims import ClaimRow
        >>> row = dict.fromkeys(ClaimRow._fields, 0) | {"id": "small-risk", "family": "mine"}
        >>> row |= {"verdict": "inapplicable", "quantifier": "mean"}
        >>> simbias.plots.claims([row]).finding
        '1 claim: 1 inapplicable'
    """

    rows: tuple[ClaimRow, ...]

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)
        if not self.rows:
            raise fail("rows", "no claims", "at least one, with its verdict")
        for row in self.rows:
            known(f"rows: {row.id}: verdict", row.verdict, VERDICTS)
            known(f"rows: {row.id}: quantifier", row.quantifier, QUANTIFIERS)

    @property
    def finding(self) -> str:
        """The number of claims with each verdict, in words."""
        counts = {name: sum(row.verdict == name for row in self.rows) for name in VERDICTS}
        parts = [f"{count} {name}" for name, count in counts.items() if count]
        return f"{counted(len(self.rows), 'claim')}: {', '.join(parts)}"

    @property
    def parts(self) -> list[list[str | ClaimRow]]:
        """The lines of each panel: names of families, in the order given, and their rows."""
        parts: list[list[str | ClaimRow]] = []
        for is_proportion in (True, False):
            rows = [row for row in self.rows if row.is_proportion is is_proportion]
            lines: list[str | ClaimRow] = []
            for family in dict.fromkeys(row.family for row in rows):
                lines += [family, *(row for row in rows if row.family == family)]
            parts += [lines] * bool(lines)
        return parts

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each claim."""
        return {"claims": style.by_column(ClaimRow._fields, self.rows)}

    def _size(self) -> tuple[float, float]:
        lines = sum(map(len, self.parts))
        return style.DOUBLE, _AROUND + _BELOW * self._n_axes() + _LINE_HEIGHT * lines

    def _n_axes(self) -> int:
        return len(self.parts)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        heights = [len(lines) for lines in self.parts]
        grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
        return tuple(grid[:, 0])

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        longest = max(len(_shortened(row.id)) for row in self.rows)
        room = max(_MOST_TOGETHER - longest, _LEAST_QUANTITY)
        tables = [_table(lines, self._level, room) for lines in self.parts]
        full = [line.texts for table in tables for line in table if len(line.texts) > 1]
        widths = [
            HINTED * max(text_width(text, _TEXT) for text in column)
            for column in zip(*full, strict=True)
        ]
        for ax, lines, table in zip(axes, self.parts, tables, strict=True):
            _panel(ax, lines)
            _write(ax, table, widths)
        self._heading(axes[0], self.finding)
        self._legend(axes[-1], self._handles(), ncols=4)

    @property
    def _level(self) -> str:
        """Confidence of the intervals."""
        levels = {row.level for row in self.rows}
        return f"{100 * (1 - levels.pop()):.4g}%" if len(levels) == 1 else "1 \N{MINUS SIGN} level"

    def _handles(self) -> list[Artist]:
        present = [name for name in _LOOKS if any(row.verdict == name for row in self.rows)]
        tick: Keywords = {"linestyle": "", "marker": "|", "markersize": 6}
        return [
            *[Line2D([], [], linewidth=1.0, label=name, **_LOOKS[name]) for name in present],
            Line2D([], [], color=style.BLACK, label="threshold", **tick),
            *[Patch(facecolor=_MARGIN, label="margin")] * any(row.edge for row in self.rows),
            Patch(facecolor=_FAVOUR, label="in favour of the claim"),
            *[Line2D([], [], color=_INK, linewidth=1.0, label=_INTERVAL)] * bool(present),
        ]


def claims(rows: Sequence[TableRow]) -> ClaimsDisplay:
    """Verdicts of claims, ready to be drawn.

    Args:
        rows: what ``simbias.results.claims.read_verdicts`` returns.

    Raises:
        ValueError: no rows, or a verdict or quantifier that there is not.

    Examples:
        >>> import simbias

        What a directory of claims keeps of a verdict (``simbias.results.claims.read_verdicts``):

        >>> row = {"id": "small-risk", "version": 1, "title": "the risk is small", "family": "mine"}
        >>> row |= {"verdict": "supported", "quantity": "risk"}
        >>> row |= {"op": "<=", "value": 0.01, "margin": 0.001}
        >>> row |= {"quantifier": "probability", "threshold": 0.95, "test": "clopper-pearson"}
        >>> row |= {"alpha": 0.05, "level": 0.025, "estimate": 1.0, "low": 0.94, "high": 1.0}
        >>> row |= {"holding": 60, "failing": 0, "ambiguous": 0, "missing": 0, "reason": ""}
        >>> row |= {"unit": "network", "units": 60, "more": None}
        >>> display = simbias.plots.claims([row])
        >>> [(row.id, row.verdict) for row in display.rows]
        [('small-risk', 'supported')]
    """
    return ClaimsDisplay(tuple(map(_row, each("rows", rows, object))))


def _row(row: object) -> ClaimRow:
    instance("rows", row, Mapping)
    assert isinstance(row, Mapping)
    for name in ClaimRow._fields:
        if name not in row:
            raise fail("rows", row, f"verdicts, which have {name}")
    fields = {name: row[name] for name in ClaimRow._fields}
    for name in ("estimate", "low", "high"):
        fields[name] = float("nan") if row[name] is None else float(row[name])
    if fields["level"] is None:  # of a run that did not spend alpha over versions
        fields["level"] = fields["alpha"]
    return ClaimRow(**fields)


def _panel(ax: Axes, lines: Sequence[str | ClaimRow]) -> None:
    """Draw the claims of one kind."""
    rows = {y: line for y, line in enumerate(lines) if isinstance(line, ClaimRow)}
    proportions = any(row.is_proportion for row in rows.values())
    left, right = (0.0, 1.0) if proportions else (-_EDGE, _EDGE)
    pad = 0.02 * (right - left)
    ax.set_xlim(left - pad, right + pad)
    ax.set_ylim(len(lines) - 0.4, -0.5)
    ax.set_yticks([])
    if proportions:
        ax.set_xticks(np.linspace(0, 1, 5))
        ax.xaxis.set_major_formatter("{x:g}")
    else:
        ax.set_xticks([left, right], ["against", "in favour"])
        ax.tick_params(axis="x", length=0)
        ax.get_xticklabels()[0].set_horizontalalignment("left")
        ax.get_xticklabels()[1].set_horizontalalignment("right")
    ax.set_xlabel(_PROPORTIONS if proportions else _OTHERS)
    ax.spines[["top", "right", "left"]].set_visible(False)
    _draw_rows(ax, rows, left, right)


def _draw_rows(ax: Axes, rows: Mapping[int, ClaimRow], left: float, right: float) -> None:
    """Draw claims: the side in favour of each, its threshold, interval and estimate.

    What looks alike in all rows is one artist, which is drawn many times as fast as one a row.
    """
    thresholds = np.array([row.at(row.threshold) for row in rows.values()])
    edges = np.array([row.edge for row in rows.values()])
    _bands(ax, rows, thresholds + edges, np.full(len(rows), right), _FAVOUR)
    _bands(ax, rows, thresholds - edges, thresholds + edges, _MARGIN)
    ax.hlines(list(rows), left, right, _GRID, linewidth=0.4)
    ticks, across = style.segments([y - 0.38 for y in rows], [y + 0.38 for y in rows], thresholds)
    ax.plot(across, ticks, color=style.BLACK, linewidth=0.9)
    for verdict, mark in _LOOKS.items():
        judged = {y: row for y, row in rows.items() if row.verdict == verdict}
        _draw_estimates(ax, judged, mark, left, right)
    for (y, row), threshold in zip(rows.items(), thresholds, strict=True):
        if row.verdict not in _LOOKS:
            box = {"facecolor": "white", "linewidth": 0, "pad": 0.8}
            options: Keywords = {"ha": "center", "va": "center", "bbox": box}
            part = 0.25 if threshold >= (left + right) / 2 else 0.75
            x = left + part * (right - left)
            ax.text(x, y, row.verdict, fontsize=_TEXT, color=_INK, **options)


def _bands(ax: Axes, rows: Iterable[int], low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """Draw a band across each row."""
    bands = [
        [(start, y - 0.5), (end, y - 0.5), (end, y + 0.5), (start, y + 0.5)]
        for y, start, end in zip(rows, low, high, strict=True)
    ]
    ax.add_collection(PolyCollection(bands, facecolors=colour, linewidths=0), autolim=False)


def _draw_estimates(
    ax: Axes, rows: Mapping[int, ClaimRow], mark: Keywords, left: float, right: float
) -> None:
    """Draw estimates and intervals of claims with one verdict."""
    ends = {y: (row.at(row.low), row.at(row.high)) for y, row in rows.items()}
    whole = {y: np.clip(pair, left, right) for y, pair in ends.items() if not np.isnan(pair).any()}
    if whole:
        lows, highs = zip(*whole.values(), strict=True)
        ax.plot(*style.segments(lows, highs, list(whole)), color=mark["color"], linewidth=1.0)
    for sign, arrow in ((-1, CARETLEFT), (1, CARETRIGHT)):
        tips = [y for y, pair in ends.items() for end in pair if end == sign * np.inf]
        if tips:
            edge = [left if sign < 0 else right] * len(tips)
            look: Keywords = {"color": mark["color"], "marker": arrow, "markersize": 3}
            ax.plot(edge, tips, linestyle="", **look)
    dots = {y: row.at(row.estimate) for y, row in rows.items() if np.isfinite(row.estimate)}
    if dots:
        ax.plot(list(dots.values()), list(dots), linestyle="", **mark)


def _table(lines: Sequence[str | ClaimRow], level: str, room: int) -> list[_Line]:
    """The text beside a panel with its headings; ``room``: characters of a quantity."""
    proportions = any(isinstance(line, ClaimRow) and line.is_proportion for line in lines)
    words = ("estimate", "claimed of a unit" if proportions else "quantity")
    headings = ("claim", words[0], f"{level} interval", "threshold", "units", "v.", words[1])
    table = [_Line(headings, {"style": "italic", "color": _INK})]
    for line in lines:
        if isinstance(line, ClaimRow):
            table.append(_Line(_texts(line, room), {}))
        else:
            table.append(_Line((_shortened(line),), {"weight": "bold"}))
    return table


def _texts(row: ClaimRow, room: int) -> tuple[str, ...]:
    fits = len(row.quantity) <= room
    quantity = row.quantity if fits else f"{row.quantity[: room - 1]}…"
    ends = interval(row.low, row.high, lambda end: _number(row, end))
    predicate = _typeset(f"{row.op} {row.value:g}")
    edge = _typeset(f" ± {row.margin:g}") if row.margin else ""
    return (
        _shortened(row.id),
        _number(row, row.estimate),
        "" if np.isnan([row.low, row.high]).any() else ends,
        f"≥ {row.threshold:g}" if row.is_proportion else predicate + edge,
        f"{row.units:,} {row.unit}{'s' * (row.units != 1)}",
        "" if row.version is None else str(row.version),
        f"{quantity} {predicate}" if row.is_proportion else f"{row.quantifier} of {quantity}",
    )


def _number(row: ClaimRow, number: float) -> str:
    """A number of a row; a proportion in (0, 1) has digits enough not to look like 0 or 1."""
    if np.isnan(number):
        return "\N{EN DASH}"
    if row.is_proportion:
        digits = next((count for count in range(3, 8) if round(number, count) % 1), 3)
        return f"{number:.{digits}f}"
    return _typeset(f"{number:.0f}" if 100 <= abs(number) < 1e5 else f"{number:.3g}")


def _typeset(text: str) -> str:
    signs = {"<=": "≤", ">=": "≥", "inf": "∞", "-": "\N{MINUS SIGN}"}
    for plain, sign in signs.items():
        text = text.replace(plain, sign)
    return text


def _shortened(name: str) -> str:
    """Without its middle, where a name is too long: families begin alike, members end apart."""
    if len(name) <= _MOST_NAME:
        return name
    return f"{name[: _MOST_NAME // 2]}…{name[len(name) - (_MOST_NAME - 1) // 2 :]}"


def _write(ax: Axes, table: Sequence[_Line], widths: Sequence[float]) -> None:
    """Write a table around a panel: its first column left of the axes, the others right of it."""
    common: Keywords = {"textcoords": "offset points", "va": "center", "fontsize": _TEXT}
    common |= {"xycoords": ax.get_yaxis_transform(), "parse_math": False}
    starts = [-widths[0] - _GAP, *np.cumsum([_GAP, *(width + _GAP for width in widths[1:-1])])]
    for y, line in enumerate(table, -1):
        for i, text in enumerate(line.texts):
            end = widths[i] * (i == _ALIGNED_RIGHT)
            align = "right" if end else "left"
            look = common | line.look | {"ha": align, "xytext": (starts[i] + end, 0)}
            if text:
                written = ax.annotate(text, (min(i, 1), y), **look)
                # the others lie between these, and a layout looks at each one
                written.set_in_layout(y < 1 or i == len(widths) - 1)
