"""How well every bound and measure tells networks that have learned from stuck ones."""

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
from simbias._numbers import counted
from simbias._types import Keywords
from simbias.bounds.discrimination import Interval, RankingScore, best_first
from simbias.bounds.record import KINDS
from simbias.plots import _figure as style

_ROW_HEIGHT = 0.165  # inches
_LOOKS: dict[str, Keywords] = {
    "certificate": {"color": style.BLACK, "marker": "o", "markersize": 3.4},
    "bound": {"color": style.BLUE, "marker": "s", "markersize": 3.2},
    "measure": {"color": style.VERMILLION, "marker": "D", "markersize": 3.0},
}
_LEGEND = {
    "certificate": "certificate (held-out points)",
    "bound": "bound (training points)",
    "measure": "measure",
}
_CHANCE: Keywords = {"color": style.GREY, "linewidth": 0.7, "linestyle": (0, (4, 2))}
_BETTER, _GRID = "#EDF6F2", "#E3E3E3"
_SMALL: Keywords = {"fontsize": 5.5, "color": "#4D4D4D"}


class _Panel(NamedTuple):
    """One score: the fields of a row begin with ``field``."""

    field: str
    label: str
    least: float
    most: float
    better: tuple[float, float]

    @property
    def chance(self) -> float:
        return (self.least + self.most) / 2


_PANELS = (
    _Panel("auc", "AUC,\nstuck against learned", 0, 1, (0.5, 1)),
    _Panel("kendall", "Kendall $\\tau$,\ngranulated", -1, 1, (0, 1)),
    _Panel("sign_error", "sign error,\nworst environment", 0, 1, (0, 0.5)),
)


class ScoreRow(NamedTuple):
    """One bound or measure; the fields are those of ``RankingScore``, NaN where there is no value.

    A score that rests on too few pairs has none either.
    """

    name: str
    kind: str
    auc: float
    auc_low: float
    auc_high: float
    kendall: float
    kendall_low: float
    kendall_high: float
    sign_error: float
    sign_error_low: float
    sign_error_high: float
    worst: str
    pairs: int
    left_out: int
    learned: int
    stuck: int
    neither: int


@dataclass(eq=False)
class DiscriminationDisplay(style.Display):
    """Three scores of each bound and measure, in the order of ``rows``.

    Attributes:
        rows: what is drawn, the best first.

    Examples:
        >>> from simbias.plots import DiscriminationDisplay
        >>> from simbias.plots.discrimination import ScoreRow
        >>> intervals = [0.9, 0.8, 1.0, 0.8, 0.6, 0.9, 0.1, 0.0, 0.2]  # AUC, tau, sign error
        >>> row = ScoreRow("norm", "measure", *intervals, "width 8 / 16", 40, 0, 7, 5, 2)
        >>> DiscriminationDisplay((row,)).finding.splitlines()[0]
        '5 stuck against 7 learned networks: AUC above chance for 1 of 1 measure,'
    """

    rows: tuple[ScoreRow, ...]

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)
        if not any(np.isfinite([row.auc, row.kendall, row.sign_error]).any() for row in self.rows):
            raise fail("rows", f"{len(self.rows)} without a score", "a bound or measure with one")

    @property
    def finding(self) -> str:
        """How well each kind, and the best bound, tells stuck networks from learned ones."""
        with_auc = [row for row in self.rows if np.isfinite(row.auc)]
        if not with_auc:
            learned, stuck = (max(getattr(r, k) for r in self.rows) for k in ("learned", "stuck"))
            return f"no AUC: {counted(learned, 'learned network')}, {stuck} stuck"
        most = max(with_auc, key=lambda row: (row.stuck, row.learned))
        text = f"{most.stuck} stuck against {counted(most.learned, 'learned network')}"
        scored = [row for row in with_auc if np.isfinite(row.auc_low)]
        if scored:
            kinds = [
                f"{sum(row.auc_low > 0.5 for row in of_kind)} of {counted(len(of_kind), kind)}"
                for kind in KINDS
                if (of_kind := [row for row in scored if row.kind == kind])
            ]
            below = sum(row.auc_high < 0.5 for row in scored)
            text += f": AUC above chance for {_listed(kinds)},\nbelow chance for {below}"
        trained = [row for row in with_auc if row.kind == "bound"]
        if trained:
            best = trained[0]
            text += f"; best bound from training points: {best.name}, AUC {best.auc:.2f}"
            if np.isfinite(best.sign_error):
                text += f",\nwith {best.sign_error:.0%} of pairs in the wrong order in its worst"
                text += f" environment, {best.worst}"
        return text

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each bound or measure."""
        return {"discrimination": style.by_column(ScoreRow._fields, self.rows)}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 1.35 + _ROW_HEIGHT * len(self.rows)

    def _n_axes(self) -> int:
        return len(_PANELS)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return tuple(figure.subplots(1, len(_PANELS), sharey=True, gridspec_kw={"wspace": 0.05}))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, panel in zip(axes, _PANELS, strict=True):
            self._panel(ax, panel)
        axes[0].set_yticks(range(len(self.rows)), [row.name for row in self.rows])
        for ax in axes[1:]:
            ax.yaxis.set_visible(False)
        for y, row in enumerate(self.rows):
            if row.sign_error > 0:
                transform = axes[-1].get_yaxis_transform()
                axes[-1].text(1.03, y, row.worst, transform=transform, va="center", **_SMALL)
        self._heading(axes[0], self.finding)
        kinds = [kind for kind in KINDS if any(row.kind == kind for row in self.rows)]
        handles: list[Artist] = [
            Line2D([], [], linewidth=1.0, label=_LEGEND[kind], **_LOOKS[kind]) for kind in kinds
        ]
        handles += [
            Line2D([], [], label="chance", **_CHANCE),
            Patch(facecolor=_BETTER, label="better than chance"),
            Line2D([], [], color=style.GREY, linewidth=1.0, label="approximate 95% interval"),
        ]
        self._legend(axes[1], handles, ncols=3)

    def _panel(self, ax: Axes, panel: _Panel) -> None:
        """Draw one score of every row."""
        margin = 0.04 * (panel.most - panel.least)
        ax.set_xlim(panel.least - margin, panel.most + margin)
        ax.set_ylim(len(self.rows) - 0.4, -0.6)
        ax.set_xticks(np.linspace(panel.least, panel.most, 5))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.axvspan(*panel.better, color=_BETTER, linewidth=0, zorder=0)
        ax.hlines(range(len(self.rows)), panel.least, panel.most, _GRID, linewidth=0.4, zorder=0.5)
        ax.axvline(panel.chance, zorder=1, **_CHANCE)
        ax.set_xlabel(panel.label)
        for y, row in enumerate(self.rows):
            value, low, high = (getattr(row, panel.field + end) for end in ("", "_low", "_high"))
            mark = _LOOKS[row.kind]
            if np.isfinite(low):
                ax.plot([low, high], [y, y], color=mark["color"], linewidth=1.0)
            if np.isfinite(value):
                ax.plot([value], [y], linestyle="", **mark)
            else:
                box = {"facecolor": "white", "linewidth": 0, "pad": 1}
                options: Keywords = {"ha": "center", "va": "center", "bbox": box}
                pairs = row.learned * row.stuck if panel.field == "auc" else row.pairs
                ax.text(panel.chance, y, "too few" if pairs else "undefined", **options, **_SMALL)


def discrimination(scores: Sequence[RankingScore]) -> DiscriminationDisplay:
    """Scores of bounds and measures, the best AUC first, ready to be drawn.

    Args:
        scores: from ``simbias.bounds.discrimination.discriminate``.

    Raises:
        ValueError: none of them is defined.

    References:
        Y. Jiang, B. Neyshabur, H. Mobahi, D. Krishnan, S. Bengio, "Fantastic generalization
        measures and where to find them", ICLR 2020: granulated Kendall tau.
        G. Dziugaite, A. Drouin, B. Neal, N. Rajkumar, E. Caballero, L. Wang, I. Mitliagkas,
        D. Roy, "In search of robust measures of generalization", NeurIPS 2020: sign errors.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.bounds.discrimination import ScoredNetwork, discriminate

        Networks of two widths, some stuck at a risk of .05; a number that tells them:

        >>> networks = [
        ...     ScoredNetwork({"width": width}, seed, *[risk] * 3, {"norm": risk + width / 1e4})
        ...     for width in (10, 100)
        ...     for seed, risk in enumerate([0.001, 0.002, 0.05, 0.06])
        ... ]
        >>> scores = discriminate(networks, {"norm": "measure"}, resamples=10)
        >>> sorted(simbias.plots.discrimination(scores).tables())
        ['discrimination']
    """
    scores = each("scores", scores, RankingScore)
    return DiscriminationDisplay(tuple(_row(score) for score in best_first(scores)))


def _row(score: RankingScore) -> ScoreRow:
    counts = (score.pairs, score.left_out, score.learned, score.stuck, score.neither)
    none = Interval(np.nan, np.nan, np.nan)
    auc, kendall, error = (score.shown(panel.field) or none for panel in _PANELS)
    return ScoreRow(score.name, score.kind, *auc, *kendall, *error, score.worst, *counts)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
