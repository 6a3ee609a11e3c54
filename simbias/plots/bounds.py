"""Every bound of a cell against the exact risk of the classifier that it certifies."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT
from matplotlib.patches import Patch

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.bounds.evaluation import GUESSING, Evaluation
from simbias.plots import _figure as style

BASELINE = "clopper-pearson"
_MOST = 100.0  # log10
_ROW_HEIGHT = 0.19  # inches
_SIZE = 2.6  # of a dot, points
_BAND = 0.42  # half the height of a row's band, which its networks share
_LOOKS: dict[str, Keywords] = {
    "held-out points": {"color": style.BLACK, "marker": "o"},
    "this network": {"color": style.BLUE, "marker": "o"},
    "a compressed network": {"color": style.PURPLE, "marker": "D"},
    "a stochastic network": {"color": style.ORANGE, "marker": "s"},
    "a drawn network": {"color": style.BROWN, "marker": "v"},
    "an expectation": {"color": style.SKY, "marker": "^"},
}
_BASELINE_LINE: Keywords = {"color": style.BLACK, "linewidth": 0.7, "linestyle": (0, (4, 2))}
_LEGEND = {
    "held-out points": "the network, from held-out points",
    "this network": "the network, from its training set",
    "a compressed network": "its quantised copy",
    "a stochastic network": "its stochastic copy",
    "a drawn network": "a copy drawn once",
    "an expectation": "the expected network",
}
_VALID, _VACUOUS, _TEXT = "#DCEFE7", "#EFEFEF", "#4D4D4D"


class BoundRow(NamedTuple):
    """One dot: a bound on one network; log10 is NaN where the assumptions do not hold.

    ``about`` is a key of ``_LOOKS``; the risk, with its interval, is that of the certified
    classifier.
    """

    bound: str
    about: str
    seed: int
    log10: float
    risk: float
    low: float
    high: float
    valid: bool


@dataclass(eq=False)
class BoundsDisplay(style.Display):
    """Bounds from the tightest to the loosest, each in a row with networks as dots.

    Attributes:
        name: of the cell, for the title.
        rows: what is drawn.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> names = ["clopper-pearson", "vc-relative"]
        >>> evaluations = simbias.bounds.evaluate(stack, bounds=names, n_certify=10_000)
        >>> display = simbias.plots.bounds(evaluations, name="lms")
        >>> display.bounds
        ['clopper-pearson', 'vc-relative']
        >>> len(display.of("vc-relative")), display.median("vc-relative") > 0
        (2, True)
    """

    name: str
    rows: tuple[BoundRow, ...]

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)
        if not any(np.isfinite(row.log10) for row in self.rows):
            raise fail("evaluations", f"{len(self.rows)} without a value", "a bound with a value")

    @property
    def bounds(self) -> list[str]:
        """Names, the tightest first, those without a value last."""
        names = list(dict.fromkeys(row.bound for row in self.rows))
        return sorted(names, key=lambda name: (np.isnan(self.median(name)), self.median(name)))

    def of(self, bound: str) -> list[BoundRow]:
        """The networks of a bound."""
        return [row for row in self.rows if row.bound == bound]

    def median(self, bound: str) -> float:
        """Median log10 of a bound's values; NaN where it has none."""
        values = [row.log10 for row in self.of(bound) if not np.isnan(row.log10)]
        return float(np.median(values)) if values else float("nan")

    def _value(self, bound: str) -> float:
        return _power(self.median(bound))

    @property
    def _has_baseline(self) -> bool:
        return not np.isnan(self.median(BASELINE))

    @property
    def finding(self) -> str:
        """How many bounds hold and how many are vacuous, and the tightest beside the baseline."""
        claims = [name for name in self.bounds if not np.isnan(self.median(name))]
        broken = [name for name in claims if not all(row.valid for row in self.of(name))]
        trained = [name for name in claims if self.of(name)[0].about != "held-out points"]
        vacuous = [name for name in trained if self._value(name) >= GUESSING]
        text = f"all {len(claims)} bounds hold" if not broken else f"violated: {', '.join(broken)}"
        if not trained:
            return text
        best = trained[0]
        risk = float(np.median([row.risk for row in self.of(best)]))
        text += f"; of {len(trained)} from training points {len(vacuous)} are vacuous"
        text += f"\ntightest of these: {best}, {self._value(best):.2g} on a risk of {risk:.2g}"
        if self._has_baseline:
            text += f"; the held-out certificate: {self._value(BASELINE):.2g}"
        return text

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each dot."""
        return {"bounds": style.by_column(BoundRow._fields, self.rows)}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 1.35 + _ROW_HEIGHT * len(self.bounds)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        (ax,) = axes
        names = self.bounds
        left, right = self._limits()
        ax.set_xscale("log")
        ax.set_xlim(left, right)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        for y, name in enumerate(names):
            self._row(ax, y, self.of(name), left, right)
        ax.axvline(GUESSING, color=style.GREY, linewidth=0.9)
        if self._has_baseline:
            ax.axvline(self._value(BASELINE), zorder=1, **_BASELINE_LINE)
        ax.set_xlabel("bound on the error, and exact risk of the classifier that it certifies")
        self._heading(ax, f"{self.name}: {self.finding}")
        self._legend(ax, self._handles(), ncols=3)

    def _limits(self) -> tuple[float, float]:
        shown = [_power(row.log10) for row in self.rows if np.isfinite(row.log10)]
        risks = [part for row in self.rows for part in (row.risk, row.high) if part > 0]
        return 0.6 * min(shown + risks), 5 * max(*shown, 1.0)

    def _row(self, ax: Axes, y: int, rows: Sequence[BoundRow], left: float, right: float) -> None:
        """Draw one bound: the region where it would hold, the risks, the values."""
        values = [row.log10 for row in rows if np.isfinite(row.log10)]
        half = _BAND / len(rows)
        for i, row in enumerate(rows):
            height = y - _BAND + half * (2 * i + 1)
            if values and not np.isnan(row.risk):
                least = max(row.risk, left)
                for low, high, colour in ((least, GUESSING, _VALID), (GUESSING, right, _VACUOUS)):
                    ends = max(low, least), max(high, least)
                    ax.fill_betweenx([height - half, height + half], *ends, fc=colour, lw=0)
                ax.plot(
                    np.maximum([row.low, row.high], left),
                    [height] * 2,
                    color=style.GREEN,
                    linewidth=1.2,
                )
                tick: Keywords = {"marker": "|", "markersize": 5}
                if row.risk <= left:
                    tick = {"marker": CARETLEFT, "markersize": 3}
                ax.plot(least, height, color=style.GREEN, clip_on=False, **tick)
            if np.isfinite(row.log10):
                mark = _LOOKS[row.about] | ({} if row.valid else {"color": style.VERMILLION})
                ax.plot(_power(row.log10), height, linestyle="", markersize=_SIZE, **mark)
        edge = _power(max(values)) if values else GUESSING
        text = _short(_power(float(np.median(values)))) if values else "inapplicable"
        look: Keywords = {"va": "center", "fontsize": 6, "color": _TEXT}
        ax.annotate(text, (edge, y), (5, 0), textcoords="offset points", **look)

    def _handles(self) -> list[Artist]:
        about = [key for key in _LOOKS if any(row.about == key for row in self.rows)]
        handles: list[Artist] = [
            Line2D([], [], linestyle="", markersize=_SIZE, label=_LEGEND[key], **_LOOKS[key])
            for key in about
            if any(row.about == key and np.isfinite(row.log10) for row in self.rows)
        ]
        risk = Line2D([], [], color=style.GREEN, marker="|", markersize=5, label="exact risk")
        return [
            *handles,
            risk,
            Patch(facecolor=_VALID, label="valid"),
            Patch(facecolor=_VACUOUS, label="valid but vacuous"),
            Line2D([], [], color=style.GREY, linewidth=0.9, label="guessing, 1/2"),
            *[Line2D([], [], label=BASELINE, **_BASELINE_LINE)] * self._has_baseline,
        ]


def bounds(evaluations: Iterable[Evaluation], *, name: str) -> BoundsDisplay:
    """Bounds against the exact risk, ready to be drawn; measures bound nothing and are left out.

    Args:
        evaluations: from ``simbias.bounds.evaluate``, on the networks of a cell.
        name: of the cell, for the title.

    Raises:
        ValueError: no bound with a value.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> names = ["clopper-pearson", "vc-relative"]
        >>> evaluations = simbias.bounds.evaluate(stack, bounds=names, n_certify=10_000)
        >>> sorted(simbias.plots.bounds(evaluations, name="noisy-lms-5").tables())
        ['bounds']
    """
    rows = (
        _row(evaluation)
        for evaluation in each("evaluations", evaluations, Evaluation)
        if evaluation.record.kind != "measure"
    )
    return BoundsDisplay(name, tuple(rows))


def _row(evaluation: Evaluation) -> BoundRow:
    record = evaluation.record
    risk, low, high, log10 = (
        float("nan") if part is None else part
        for part in (evaluation.risk, evaluation.risk_low, evaluation.risk_high, record.log10)
    )
    about = "held-out points" if record.kind == "certificate" else record.certifies
    return BoundRow(
        record.bound, about, evaluation.seed, log10, risk, low, high, evaluation.valid is not False
    )


def _power(log10: float) -> float:
    """10^log10, cut where axes would overflow."""
    return math.pow(10.0, min(log10, _MOST))


def _short(value: float) -> str:
    """Two digits, without an exponent up to 100,000."""
    text = f"{value:.2g}"
    return f"{float(text):,.0f}" if 100 <= value < 1e5 else text
