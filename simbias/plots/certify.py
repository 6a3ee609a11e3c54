"""From how many training points on each bound certifies a small excess risk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.bounds.certify import Certifying
from simbias.plots import _figure as style
from simbias.plots._room import wrapped
from simbias.training.words import task_words, value_words

_COLUMNS = 4  # most panels side by side
_ROW_HEIGHT, _BETWEEN, _AROUND = 0.19, 0.55, 0.95  # inches: of a bound, of a panel, of the figure
_LABELS = 1.3  # inches, of the bounds' names
_TITLE = 7.5  # points
_MOST = 1e13  # points: beyond it a bound is drawn at the edge
_LOOKS: dict[str, Keywords] = {
    "certificate": {"color": style.BLACK, "marker": "o", "markersize": 3.4},
    "bound": {"color": style.BLUE, "marker": "s", "markersize": 3.2},
}
_HELD_OUT: Keywords = {"color": style.BLACK, "linewidth": 0.7, "linestyle": (0, (4, 2))}
_MEASURED, _GRID = "#E4EEF6", "#E3E3E3"
_SMALL: Keywords = {"fontsize": 5.5, "color": "#4D4D4D", "va": "center"}


class CertifyRow(NamedTuple):
    """One bound on one task by one learner; the fields are those of ``Certifying``."""

    law: str
    bound: str
    kind: str
    certifies: str
    smallest: int
    largest: int
    points: float
    extrapolated: float
    low: float
    high: float
    held_out: float
    true: bool


@dataclass(eq=False)
class CertifyDisplay(style.Display):
    """A panel for each task and learner, a row for each bound, points on the abscissa.

    Attributes:
        rows: what is drawn.
        error: the excess risk that is certified.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> evaluated = []
        >>> for n in (1000, 2000):
        ...     stack = simbias.train(task, net, method, n_train=n, seeds=2, stop=stop)
        ...     evaluations = simbias.bounds.evaluate(stack, bounds=["chernoff-kl", "occam"])
        ...     evaluated.append((stack.cell, evaluations))
        >>> entries = simbias.bounds.certifying(evaluated, error=0.05)
        >>> display = simbias.plots.certify(entries)
        >>> display.laws, display.bounds
        (['lms-5, d 4, (8,1)'], ['chernoff-kl', 'occam'])
    """

    rows: tuple[CertifyRow, ...]
    error: float

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)

    @property
    def laws(self) -> list[str]:
        """The tasks with their learners, a panel each."""
        return list(dict.fromkeys(row.law for row in self.rows))

    @property
    def bounds(self) -> list[str]:
        """Names, that of the fewest points on any task first."""

        def fewest(name: str) -> tuple[float, float]:
            own = [row for row in self.rows if row.bound == name]
            measured = [row.points for row in own if not math.isnan(row.points)]
            supposed = [row.extrapolated for row in own if math.isfinite(row.extrapolated)]
            return min(measured, default=math.inf), min(supposed, default=math.inf)

        return sorted(dict.fromkeys(row.bound for row in self.rows), key=fewest)

    @property
    def finding(self) -> str:
        """How many bounds from training points certify, law by law, and how many held-out do.

        Of many laws: for how many of them any does.
        """
        if len(self.laws) > _COLUMNS:
            return self._finding_of_many
        texts = []
        for law in self.laws:
            own = [row for row in self.rows if row.law == law]
            trained = [row for row in own if row.kind == "bound"]
            certifying = [row for row in trained if not math.isnan(row.points)]
            largest = value_words(max(row.largest for row in own))
            text = f"{law}: {len(certifying)} of {len(trained)} bounds from training points"
            text += f" certify an excess risk of {self.error:g} by n = {largest}"
            if math.isfinite(own[0].held_out):
                text += f", {value_words(int(own[0].held_out))} held-out points do"
            elif not any(row.true for row in own):
                text += ", and none could: it is larger"
            texts.append(text)
        return "\n".join(texts)

    @property
    def _finding_of_many(self) -> str:
        counts = {"by a bound from training points": 0, "by held-out points": 0}
        larger = 0
        for law in self.laws:
            own = [row for row in self.rows if row.law == law]
            trained = [row.points for row in own if row.kind == "bound"]
            counts["by a bound from training points"] += not np.isnan(trained).all()
            counts["by held-out points"] += math.isfinite(own[0].held_out)
            larger += not any(row.true for row in own)
        largest = value_words(max(row.largest for row in self.rows))
        parts = [f"{words} for {count}" for words, count in counts.items()]
        text = f"an excess risk of {self.error:g} is certified by n = {largest} "
        text += f"{', '.join(parts)} of {len(self.laws)} tasks with their learners"
        return text + f"; for {larger} none could: it is larger" * bool(larger)

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each dot."""
        columns = zip(*self.rows, strict=True)
        return {"certify": dict(zip(CertifyRow._fields, map(list, columns), strict=True))}

    def _size(self) -> tuple[float, float]:
        rows = -(-self._n_axes() // _COLUMNS)
        return style.DOUBLE, _AROUND + rows * (_BETWEEN + _ROW_HEIGHT * len(self.bounds))

    def _n_axes(self) -> int:
        return len(self.laws)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.grid(figure, self._n_axes(), _COLUMNS, sharey=True)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, law in zip(axes, self.laws, strict=True):
            self._panel(ax, law)
        for i, ax in enumerate(axes):
            if i % _COLUMNS == 0:
                ax.set_yticks(range(len(self.bounds)), self.bounds)
                ax.tick_params(axis="y", labelleft=True)
            else:
                ax.yaxis.set_visible(False)
        self._heading(axes[0], self.finding)
        kinds = [kind for kind in _LOOKS if any(row.kind == kind for row in self.rows)]
        words = {"certificate": "certificate (n held-out points)", "bound": "bound"}
        handles: list[Artist] = [
            Line2D([], [], linestyle="", label=words[kind], **_LOOKS[kind]) for kind in kinds
        ]
        handles += [
            Line2D([], [], label="extrapolated, with 95% limits", **self._look("bound", False)),
            Patch(facecolor=_MEASURED, label="n measured"),
            Line2D([], [], label="held-out points that do", **_HELD_OUT),
        ]
        self._legend(axes[0], handles, [str(handle.get_label()) for handle in handles], ncols=3)

    def _limits(self) -> tuple[float, float]:
        ends = [float(end) for row in self.rows for end in (row.smallest, row.largest)]
        ends += [row.held_out for row in self.rows if math.isfinite(row.held_out)]
        ends += [row.extrapolated for row in self.rows if math.isfinite(row.extrapolated)]
        return min(ends) / 3, min(max(ends), _MOST) * 10

    def _panel(self, ax: Axes, law: str) -> None:
        own = {row.bound: row for row in self.rows if row.law == law}
        left, right = self._limits()
        ax.set_xscale("log")
        ax.set_xlim(left, right)
        if self._n_axes() > _COLUMNS:  # small ones
            ax.minorticks_off()
        ax.set_ylim(len(self.bounds) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        smallest, largest = (
            min(row.smallest for row in own.values()),
            max(row.largest for row in own.values()),
        )
        ax.axvspan(smallest, largest, color=_MEASURED, linewidth=0, zorder=0)
        ax.hlines(range(len(self.bounds)), left, right, _GRID, linewidth=0.4, zorder=0.5)
        (held_out,) = {row.held_out for row in own.values()}
        if math.isfinite(held_out):
            ax.axvline(held_out, zorder=1, **_HELD_OUT)
        width = 72 * (style.DOUBLE - _LABELS) / min(self._n_axes(), _COLUMNS)
        ax.set_title(wrapped(law, _TITLE, width))
        ax.set_xlabel("points")
        for y, name in enumerate(self.bounds):
            if name in own:
                self._row(ax, y, own[name], right)

    def _row(self, ax: Axes, y: int, row: CertifyRow, right: float) -> None:
        """Draw one bound: a dot at its points, or in words why there are none."""
        if not math.isnan(row.points):
            ax.plot(row.points, y, linestyle="", **self._look(row.kind, True))
        elif row.true and math.isfinite(row.extrapolated) and row.extrapolated < right:
            look = self._look(row.kind, False)
            ax.plot([row.low, min(row.high, right)], [y, y], color=look["color"], linewidth=0.8)
            ax.plot(row.extrapolated, y, **look)
        else:
            words = "would be false" if not row.true else "no crossing in sight"
            box = {"facecolor": "white", "linewidth": 0, "pad": 0.5}
            written = ax.annotate(
                words, (1, y), (-2, 0), ("axes fraction", "data"), "offset points", ha="right",
                bbox=box, **_SMALL,
            )  # fmt: skip
            written.set_in_layout(False)  # it is within the panel, and a layout takes time over it

    @staticmethod
    def _look(kind: str, measured: bool) -> Keywords:
        return _LOOKS[kind] | ({} if measured else {"markerfacecolor": "white", "linestyle": ""})


def certify(entries: Sequence[Certifying]) -> CertifyDisplay:
    """From how many training points on bounds certify a small excess risk, ready to be drawn.

    Args:
        entries: from ``simbias.bounds.certifying``, of one error.

    Raises:
        ValueError: no entry, or entries of several errors.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> evaluated = []
        >>> for n in (1000, 2000):
        ...     stack = simbias.train(task, net, method, n_train=n, seeds=2, stop=stop)
        ...     evaluations = simbias.bounds.evaluate(stack, bounds=["chernoff-kl", "occam"])
        ...     evaluated.append((stack.cell, evaluations))
        >>> sorted(simbias.plots.certify(simbias.bounds.certifying(evaluated)).tables())
        ['certify']
    """
    entries = each("entries", entries, Certifying)
    errors = sorted({entry.error for entry in entries})
    if len(errors) != 1:
        raise fail("entries", f"errors {errors}", "entries of one error")
    rows = (
        CertifyRow(
            f"{task_words(entry.cell.task)}, {entry.cell.network.label}",
            entry.bound,
            entry.kind,
            entry.certifies,
            entry.sizes[0],
            entry.sizes[-1],
            entry.points,
            entry.extrapolated,
            entry.low,
            entry.high,
            entry.held_out,
            entry.true,
        )
        for entry in entries
    )
    return CertifyDisplay(tuple(rows), errors[0])
