"""Answers of networks as lines: responses to doses, what layers tell, how alike seeds are.

Panels of means over seeds with their intervals, or over pairs of seeds with their range, for runs
of the experiment ``directions``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._checks import fail
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.results.summary import mean_over_seeds
from simbias.training.words import value_words

Each = TypeVar("Each")
Rows = Sequence[Mapping[str, object]]  # of the table ``directions``, by column
_COLOURS = (
    style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY, style.BROWN,
    style.BLACK,
)  # fmt: skip
_MARKERS = "osD^vP"
_COLUMNS, _HEIGHT = 4, 1.9  # panels beside each other at most, one fewer in rows; of a row, inches


class AnswerLine(NamedTuple):
    """Points of one colour in one panel.

    Attributes:
        label: in words.
        x: places, rising.
        value, low, high: means with their ends, NaN where there are none.
        reference: whether it is what others are held against, drawn dashed.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import AnswerLine
        >>> AnswerLine("probe", *np.ones((4, 3))).reference
        False
    """

    label: str
    x: Float[np.ndarray, " places"]
    value: Float[np.ndarray, " places"]
    low: Float[np.ndarray, " places"]
    high: Float[np.ndarray, " places"]
    reference: bool = False


class AnswerPanel(NamedTuple):
    """One question.

    Attributes:
        title, x_label, y_label: in words.
        lines: what is drawn.
        log: whether places are drawn on a logarithmic axis.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import AnswerLine, AnswerPanel
        >>> AnswerPanel("all", "updates", "risk", (AnswerLine("a", *np.ones((4, 3))),)).log
        False
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[AnswerLine, ...]
    log: bool = False


@dataclass(eq=False)
class AnswersDisplay(style.Display):
    """Lines in panels.

    Attributes:
        name: of the table.
        panels: what is drawn.
        finding: the heading.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import AnswerLine, AnswerPanel, AnswersDisplay
        >>> panel = AnswerPanel("all", "updates", "risk", (AnswerLine("a", *np.ones((4, 3))),))
        >>> AnswersDisplay("risks", (panel,), "all are 1").tables()["risks"]["label"]
        ['a', 'a', 'a']
    """

    name: str
    panels: tuple[AnswerPanel, ...]
    finding: str

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each place of each line."""
        rows = [
            (panel.title, line.label, *numbers)
            for panel in self.panels
            for line in panel.lines
            for numbers in zip(*line[1:5], strict=True)
        ]
        return {self.name: style.by_column(("panel", "label", "x", "value", "low", "high"), rows)}

    @property
    def labels(self) -> list[str]:
        """Labels of lines, in order."""
        return list(dict.fromkeys(line.label for panel in self.panels for line in panel.lines))

    @property
    def _grid(self) -> tuple[int, int]:
        most = _COLUMNS if len(self.panels) <= _COLUMNS else _COLUMNS - 1
        columns = min(most, len(self.panels))
        return -(-len(self.panels) // columns), columns

    def _size(self) -> tuple[float, float]:
        rows, columns = self._grid
        width = style.DOUBLE if columns > 1 else style.SINGLE
        return width, 0.6 + _HEIGHT * rows + 0.13 * -(-len(self.labels) // 4)

    def _n_axes(self) -> int:
        return len(self.panels)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.grid(figure, self._n_axes(), self._grid[1])

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, panel in zip(axes, self.panels, strict=True):
            for line in panel.lines:
                ends = np.nan_to_num([line.value - line.low, line.high - line.value]).clip(0)
                ax.errorbar(line.x, line.value, ends, elinewidth=0.7, **self._look(line))
            if panel.log:
                ax.set_xscale("log")
                places = np.unique(np.concatenate([line.x for line in panel.lines]))
                ax.set_xticks(places, [value_words(int(place)) for place in places])
                ax.minorticks_off()
            ax.set(xlabel=panel.x_label, ylabel=panel.y_label, title=panel.title)
            ax.spines[["top", "right"]].set_visible(False)
        self._heading(axes[0], self.finding)
        lines = {line.label: line for panel in self.panels for line in panel.lines}
        handles = [Line2D([], [], label=label, **self._look(line)) for label, line in lines.items()]
        self._legend(axes[-1], handles, ncols=4)

    def _look(self, line: AnswerLine) -> Keywords:
        i = self.labels.index(line.label)
        look: Keywords = {"color": _COLOURS[i % len(_COLOURS)], "markersize": 3, "linewidth": 0.8}
        if line.reference:
            return look | {"linestyle": "--", "marker": ""}
        return look | {"marker": _MARKERS[i % len(_MARKERS)]}


Spread = Callable[[Sequence[float]], tuple[float, float, float]]


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean with its 95% t interval over seeds."""
    mean = mean_over_seeds(list(values))
    return mean.value, mean.low, mean.high


def over_pairs(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean with the least and the greatest: pairs that share a seed are not independent."""
    return float(np.mean(values)), min(values), max(values)


def line(
    label: str,
    rows: Rows,
    place: str,
    column: str,
    spread: Spread = over_seeds,
    *,
    reference: bool = False,
) -> AnswerLine:
    """A column of rows by another one; rows without a value are left out."""
    by_place: dict[float, list[float]] = {}
    for row in rows:
        if row[column] is not None:
            by_place.setdefault(float(str(row[place])), []).append(float(str(row[column])))
    numbers = [(x, *spread(by_place[x])) for x in sorted(by_place)]
    x, value, low, high = np.array(numbers).reshape(-1, 4).T
    return AnswerLine(label, x, value, low, high, reference)


def groups(rows: Rows, *columns: str) -> dict[tuple[object, ...], list[Mapping[str, object]]]:
    """Rows by the values of some columns, in the order in which they come."""
    grouped: dict[tuple[object, ...], list[Mapping[str, object]]] = {}
    for row in rows:
        grouped.setdefault(tuple(row[column] for column in columns), []).append(row)
    return grouped


def doses(rows: Rows) -> AnswersDisplay:
    """What networks say after additions along directions, and after those to the coordinate.

    Args:
        rows: of the question ``doses``, one for each dose of each network, with the columns
            ``dim``, ``layer``, ``direction``, ``dose``, ``ones``, ``ones_by_input``.

    Raises:
        ValueError: no rows.

    Examples:
        >>> import simbias
        >>> row = {"dim": 15, "layer": 0, "direction": "probe", "dose": 1.0}
        >>> row |= {"ones": 1.0, "ones_by_input": 0.9, "dose_agreement": 0.95}
        >>> display = simbias.plots.doses([row, row | {"dose": -1.0, "ones": 0.0}])
        >>> display.labels
        ['coordinate itself', 'probe']
    """
    panels = []
    for (dim, layer), own in groups(_some(rows), "dim", "layer").items():
        lines = [line("coordinate itself", own, "dose", "ones_by_input", reference=True)]
        lines += [
            line(f"{direction}", along, "dose", "ones")
            for (direction,), along in groups(own, "direction").items()
        ]
        title = f"$d$ = {dim}, layer {int(str(layer)) + 1}"
        panels.append(AnswerPanel(title, "dose", "points labelled 1", tuple(lines)))
    return AnswersDisplay("doses", tuple(panels), "additions in gaps between the labels' means")


_TOLD = {
    "decoded": "trained network",
    "decoded_random": "random network",
    "decoded_shuffled": "shuffled targets",
    "used": "what the network says",
}


_EXPLICIT = {"achievable": "explicit network of slabs", "simple": "explicit network of the line"}
_FEWEST = 3  # dimensions that are drawn beside each other


def decoded(rows: Rows) -> AnswersDisplay:
    """What probes tell from a layer along training and across dimensions, where the line does not.

    Args:
        rows: of the question ``layer``, with ``dim``, ``layer``, ``target``, ``probe``,
            ``updates``, ``made`` and the measures of ``decoded``.

    Raises:
        ValueError: no rows of networks at several checks.

    Examples:
        >>> import simbias
        >>> row = {"dim": 15, "layer": 1, "target": "label", "probe": "shallow", "made": "trained"}
        >>> row |= {"decoded": 0.9, "decoded_random": 0.5, "decoded_shuffled": 0.5, "used": 0.6}
        >>> display = simbias.plots.decoded([row | {"updates": 200}, row | {"updates": 1000}])
        >>> display.panels[0].title, display.panels[0].y_label
        ('$d$ = 15, label', 'accuracy, shallow probe')
    """
    panels = []
    trained = [row for row in _some(rows) if row["made"] == "trained"]
    for (dim, _, target, probe), own in groups(trained, "dim", "layer", "target", "probe").items():
        if len({row["updates"] for row in own}) > 1:
            told = _told(own, "updates")
            words = f"$d$ = {dim}, {target}", "updates", f"accuracy, {probe} probe"
            panels.append(AnswerPanel(*words, told, log=True))
    last = max((float(str(row["updates"])) for row in trained), default=0.0)
    ended = [row for row in trained if row["updates"] == last]
    for (_, target, probe), own in groups(ended, "layer", "target", "probe").items():
        if len({row["dim"] for row in own}) >= _FEWEST:
            asked = [row for row in rows if (row["target"], row["probe"]) == (target, probe)]
            explicit = [
                line(name, [row for row in asked if row["made"] == rule], "dim", "decoded")
                for rule, name in _EXPLICIT.items()
            ]
            told = (*_told(own, "dim"), *(each for each in explicit if len(each.x)))
            words = f"at the end, {target}", "$d$", f"accuracy, {probe} probe"
            panels.append(AnswerPanel(*words, told))
    finding = "points within the margin of the line, of a slab among those of one label"
    return AnswersDisplay("decoded", tuple(_some(panels)), finding)


def _told(rows: Rows, place: str) -> tuple[AnswerLine, ...]:
    """What each probe tells by a column; measures that no row has are left out."""
    lines = [line(words, rows, place, name) for name, words in _TOLD.items()]
    return tuple(each for each in lines if len(each.x))


_SAME = {
    "alike": "labels alike",
    "cka": "alignment of layers (CKA)",
    "procrustes": "one layer turned onto the other",
    "direction_cosine": "cosine of directions",
}


def alike(rows: Rows) -> AnswersDisplay:
    """How alike two seeds are, along training and in networks of other sizes.

    Args:
        rows: of the question ``seeds``, with ``dim``, ``network``, ``n_train``, ``shift``,
            ``updates`` and the measures of pairs.

    Raises:
        ValueError: no rows.

    Examples:
        >>> import simbias
        >>> row = {"dim": 15, "network": "(100,2)", "n_train": 40000, "shift": "none"}
        >>> row |= {"updates": 1000, "alike": 0.9, "cka": 0.8, "procrustes": 0.7}
        >>> row |= {"direction_cosine": 0.9}
        >>> simbias.plots.alike([row, row | {"updates": 5000}]).labels
        ['(100,2), d = 15, n = 40000']
    """
    drawn = [row for row in _some(rows) if row["shift"] == "none"]
    panels = []
    for name, title in _SAME.items():
        lines = tuple(
            line(f"{network}, d = {dim}, n = {points}", own, "updates", name, over_pairs)
            for (network, dim, points), own in groups(drawn, "network", "dim", "n_train").items()
        )
        panels.append(AnswerPanel(title, "updates", "", lines, log=True))
    return AnswersDisplay("alike", tuple(panels), "pairs of seeds: mean, least and greatest")


def _some(rows: Sequence[Each]) -> Sequence[Each]:
    if not rows:
        raise fail("rows", "none", "some, of a run of directions")
    return rows
