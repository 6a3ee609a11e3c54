"""Which of two networks each bound and measure prefers, pair by pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.bounds.preference import PREFERENCES, NetworkPair, Preference, prefer
from simbias.bounds.record import KINDS
from simbias.plots import _figure as style

_ROW_HEIGHT = 0.13  # inches
_WIDEST = 2.2  # of |log10| of a ratio; one beyond stands at the edge as an arrow
_LEAST = 0.15
_COLOURS = dict(zip(PREFERENCES, (style.BLUE, style.VERMILLION, style.GREY), strict=True))
_LEGEND = dict(
    zip(
        PREFERENCES,
        (
            "mostly smaller on it, which generalises",
            "mostly smaller on the other",
            "undecided",
        ),
        strict=True,
    )
)
_SMALL: Keywords = {"fontsize": 5.5, "color": "#4D4D4D", "va": "center"}
_GRID = "#E3E3E3"
_JITTER = 0.26  # of a row's height, to either side


@dataclass(eq=False)
class PreferenceDisplay(style.Display):
    """Numbers on both networks of each pair, a panel for each comparison.

    Attributes:
        preferences: of every comparison that is drawn, those without pairs left out.
        pairs: behind them.

    Examples:
        >>> import simbias
        >>> from simbias.bounds.preference import NetworkPair
        >>> pairs = [
        ...     NetworkPair("explicit against stuck", (seed, seed), {"norm": 1.2}, {"norm": 0.5})
        ...     for seed in range(20)
        ... ]
        >>> display = simbias.plots.preference(pairs, {"norm": "measure"})
        >>> display.comparisons, display.preferences[0].verdict
        (('explicit against stuck',), 'prefers the other')
    """

    preferences: tuple[Preference, ...]
    pairs: tuple[NetworkPair, ...]

    @property
    def comparisons(self) -> tuple[str, ...]:
        """In the order of their panels."""
        return tuple(dict.fromkeys(preference.comparison for preference in self.preferences))

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers in the order of their rows: certificates, bounds, measures."""
        kinds = {preference.name: preference.kind for preference in self.preferences}
        return tuple(sorted(kinds, key=lambda name: KINDS.index(kinds[name])))

    @property
    def finding(self) -> str:
        """How many numbers prefer which network, comparison by comparison."""
        parts = []
        for comparison in self.comparisons:
            of_it = [p for p in self.preferences if p.comparison == comparison]
            counts = [sum(p.verdict == verdict for p in of_it) for verdict in PREFERENCES]
            pairs = max(p.pairs for p in of_it)
            parts.append(
                f"{comparison} ({pairs} pair{'s' * (pairs != 1)}): of {len(of_it)} numbers"
                f" {counts[0]} smaller, {counts[1]} larger, {counts[2]} undecided"
            )
        return "\n".join(parts)

    def tables(self) -> dict[str, style.Table]:
        """The verdicts, and the numbers on both networks of each pair (log10)."""
        fields = [*Preference.__dataclass_fields__, "verdict"]
        verdicts = {name: [getattr(p, name) for p in self.preferences] for name in fields}
        rows = [
            (pair.comparison, *pair.seeds, name, pair.values[name], pair.others[name])
            for pair in self.pairs
            for name in self.names
            if name in pair.values and name in pair.others
        ]
        head = ("comparison", "seed", "other_seed", "name", "log10", "other_log10")
        columns = map(list, zip(*rows, strict=True))
        return {"preferences": verdicts, "pairs": dict(zip(head, columns, strict=True))}

    def _size(self) -> tuple[float, float]:
        lines = len(self.comparisons)
        return style.DOUBLE, 1.5 + 0.13 * lines + _ROW_HEIGHT * max(len(self.names), 6)

    def _n_axes(self) -> int:
        return len(self.comparisons)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        grid = figure.subplots(1, self._n_axes(), sharey=True, squeeze=False)
        return tuple(grid.ravel())

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        reach = self._reach()
        for ax, comparison in zip(axes, self.comparisons, strict=True):
            self._panel(ax, comparison, reach)
        axes[0].set_yticks(range(len(self.names)), self.names)
        for ax in axes[1:]:
            ax.yaxis.set_visible(False)
        self._heading(axes[0], self.finding)
        verdicts = {preference.verdict for preference in self.preferences}
        handles: list[Artist] = [
            Line2D([], [], linestyle="", marker="o", markersize=3, color=color, label=label)
            for verdict, color in _COLOURS.items()
            if verdict in verdicts and (label := _LEGEND[verdict])
        ]
        handles.append(Line2D([], [], linestyle="", label="beside: medians, other \u2192 it"))
        self._legend(axes[0], handles, [str(handle.get_label()) for handle in handles], ncols=4)

    def _reach(self) -> float:
        """How far the axes go to either side of 1, in decades."""
        logs = np.concatenate(
            [self._logs(preference.comparison, preference.name) for preference in self.preferences]
        )
        ratios = np.abs(logs[:, 0] - logs[:, 1])
        largest = float(np.max(ratios[np.isfinite(ratios)], initial=_LEAST))
        return min(1.08 * largest, _WIDEST)

    def _logs(self, comparison: str, name: str) -> np.ndarray:
        """log10 of a number on both networks of each pair that has it, (pairs, 2)."""
        nan = float("nan")
        logs = np.array(
            [
                (pair.values.get(name, nan), pair.others.get(name, nan))
                for pair in self.pairs
                if pair.comparison == comparison
            ]
        )
        complete: np.ndarray = logs[~np.isnan(logs).any(axis=1)]
        return complete

    def _panel(self, ax: Axes, comparison: str, reach: float) -> None:
        """Draw one comparison."""
        ax.set_xscale("log")
        ax.set_xlim(10**-reach, 10**reach)
        ax.set_ylim(len(self.names) - 0.4, -0.6)
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.axvline(1, color=style.GREY, linewidth=0.7, zorder=1)
        ax.hlines(range(len(self.names)), 10**-reach, 10**reach, _GRID, linewidth=0.4, zorder=0.5)
        kinds = {preference.name: preference.kind for preference in self.preferences}
        begins = 0
        for _, group in groupby(self.names, key=lambda name: kinds[name]):
            if begins:
                ax.axhline(begins - 0.5, color=style.GREY, linewidth=0.4)
            begins += len(list(group))
        first, _, rest = comparison.partition(" against ")
        ax.set_xlabel(f"{first}\nover {rest}")
        beside = ax.get_yaxis_transform()
        for preference in self.preferences:
            if preference.comparison != comparison:
                continue
            y = self.names.index(preference.name)
            logs = self._logs(comparison, preference.name)
            with np.errstate(invalid="ignore"):  # of two zeros, whose logarithms are infinite
                ratio = np.where(logs[:, 0] == logs[:, 1], 0.0, logs[:, 0] - logs[:, 1])
            colour = _COLOURS[preference.verdict]
            spread = np.linspace(-_JITTER, _JITTER, len(ratio)) if len(ratio) > 1 else np.zeros(1)
            marks: Keywords = {"linestyle": "", "color": colour, "alpha": 0.55, "zorder": 2}
            inside = np.abs(ratio) <= reach
            dots = 10 ** ratio[inside], y + spread[inside]
            ax.plot(*dots, marker="o", markersize=1.7, markeredgewidth=0, **marks)
            for sign, marker in ((-1, "<"), (1, ">")):
                out = sign * ratio > reach
                if not out.any():  # nothing that is not clipped upsets the layout
                    continue
                edge = np.full(out.sum(), 10.0 ** (sign * reach))
                ax.plot(edge, y + spread[out], marker=marker, markersize=2, clip_on=False, **marks)
            medians = f"{_short(preference.other)} \u2192 {_short(preference.value)}"
            ax.text(1.03, y, medians, transform=beside, **_SMALL)


def preference(pairs: Sequence[NetworkPair], kinds: Mapping[str, str]) -> PreferenceDisplay:
    """Which of two networks each number prefers, ready to be drawn.

    A dot is a pair: the number on the network that generalises over that on the other one. Beside
    it are the medians, from the other network to the one that generalises. The limits behind the
    verdicts hold at once for all that is drawn.

    Args:
        pairs: of any comparisons.
        kinds: certificate, bound or measure, by name.

    Raises:
        ValueError: no pair of which both networks have a number.

    Examples:
        >>> import simbias
        >>> from simbias.bounds.preference import NetworkPair
        >>> pairs = [
        ...     NetworkPair("explicit against stuck", (seed, seed), {"norm": 1.2}, {"norm": 0.5})
        ...     for seed in range(20)
        ... ]
        >>> sorted(simbias.plots.preference(pairs, {"norm": "measure"}).tables())
        ['pairs', 'preferences']
    """
    pairs = each("pairs", pairs, NetworkPair)
    shown = tuple(p for p in prefer(pairs, kinds) if p.pairs)
    if not shown:
        raise fail("pairs", f"{len(pairs)} without a number", "a pair of which both have one")
    return PreferenceDisplay(shown, tuple(pairs))


def _short(log10: float) -> str:
    """A number from its logarithm, with two or three digits."""
    if not np.isfinite(log10):
        return "0" if log10 < 0 else "inf"
    if log10 >= 6 or log10 < -2.5:
        return f"{10**log10:.0e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    if log10 >= 4:
        return f"{10 ** (log10 - 3):.0f}k"
    if log10 >= 2:
        return f"{10**log10:.0f}"
    digits = f"{10**log10:.{3 if log10 < -1 else 2}f}"
    return digits.removeprefix("0") if log10 < 0 else f"{10**log10:.1f}"
