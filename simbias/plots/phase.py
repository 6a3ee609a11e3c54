"""Which networks reach the achievable boundary, and when: the phase diagram of a run.

Along one setting (by rule the dimension), a line for each combination of the others: above, the
proportion of seeds that reach the boundary; in the middle, the memorised fraction of exceptions,
which tells those that memorise from those that have not fitted yet; below, the update of each
seed's transition. A seed whose budget ran out first is censored: its transition, if there is one,
lies above the line of the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.quantities import declared
from simbias.results.summary import Mean, Summary
from simbias.results.transitions import Transitions
from simbias.training.words import phrases, word

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
_DASHES: tuple[Literal["-"] | tuple[float, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (5, 1.5, 1.2, 1.5)),
)
_MARKERS = "osD^vP"
_AXES = {"dim": "dimension $d$", "n_train": "training points $n$", "learning_rate": "learning rate"}
_SHIFT = 0.012  # of the horizontal axis, between lines: their marks would hide each other


class PhaseRow(NamedTuple):
    """One cell: its line, its place along the horizontal setting, and its seeds."""

    line: str
    place: float
    transitions: Transitions
    memorised: Mean


@dataclass(eq=False)
class PhaseDisplay(style.Display):
    """Proportions of seeds that reach the achievable boundary, and their transitions.

    Attributes:
        name: the first line of the title.
        setting: what varies along the horizontal axis.
        rows: the cells.
        left_out: the networks that diverged, in words; empty where none did.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import PhaseDisplay
        >>> from simbias.plots.phase import PhaseRow
        >>> from simbias.results.summary import Mean
        >>> from simbias.results.transitions import Transitions
        >>> times, never = np.array([100.0, 200.0]), np.array([np.inf, np.inf])
        >>> ends = Transitions((0, 1), times, times, times, never, np.array([True, True]), 1000)
        >>> row = PhaseRow("(100,2)", 2.0, ends, Mean(0.3, 0.1, None))
        >>> PhaseDisplay("lms-7", "dim", (row,)).finding
        '(100,2): every seed up to d 2'
    """

    name: str
    setting: str
    rows: tuple[PhaseRow, ...]
    left_out: str = ""

    @classmethod
    def from_summaries(cls, summaries: Sequence[Summary]) -> "PhaseDisplay":
        """The phase diagram of a run's cells.

        The horizontal axis is the dimension where it varies, else the number with most values.

        Raises:
            ValueError: no cell with transitions, or none of their settings varies in number.
        """
        summaries = each("summaries", summaries, Summary)
        ended = [summary for summary in summaries if summary.transitions is not None]
        if not ended:
            allowed = "where networks with a stop at a select_accuracy have ended"
            raise fail("summaries", "none for kind phase", allowed)
        values = {
            key: {summary.settings[key] for summary in ended}
            for key in ended[0].settings
            if all(isinstance(summary.settings[key], int | float) for summary in ended)
        }
        if not values:
            raise fail(
                "summaries", "none for kind phase", "where a number varies, as the dimension"
            )
        setting = "dim" if "dim" in values else max(values, key=lambda key: len(values[key]))
        several = len({summary.task for summary in ended}) > 1
        rows = []
        for summary in ended:
            others = {key: value for key, value in summary.settings.items() if key != setting}
            parts = [summary.task if several else "", summary.network, phrases(others)]
            line = ", ".join(filter(None, parts))
            assert summary.transitions is not None
            memorised = summary.means["memorised"]
            place = float(summary.settings[setting])
            rows.append(PhaseRow(line, place, summary.transitions, memorised))
        tasks = ", ".join(dict.fromkeys(summary.task for summary in ended))
        diverged = [
            f"{summary.statuses['diverged']} of {_place(summary)}"
            for summary in summaries
            if "diverged" in summary.statuses
        ]
        return cls(tasks, setting, tuple(rows), "; ".join(diverged))

    @property
    def lines(self) -> list[str]:
        """The combinations of settings, one for each line."""
        return list(dict.fromkeys(row.line for row in self.rows))

    def of(self, line: str) -> list[PhaseRow]:
        """The cells of a line, by their place."""
        return sorted((row for row in self.rows if row.line == line), key=lambda row: row.place)

    @property
    def finding(self) -> str:
        """Up to where all seeds of a line reach the boundary, and from where on none, in words."""
        sentences = []
        for line in self.lines:
            cells = self.of(line)
            proportions = [float(row.transitions.proportion.value) for row in cells]
            all_reach = [
                row.place
                for row, proportion in zip(cells, proportions, strict=True)
                if proportion == 1
            ]
            none_reach = [
                row.place
                for row, proportion in zip(cells, proportions, strict=True)
                if proportion == 0
            ]
            words = []
            if all_reach:
                words.append(f"every seed up to {word(self.setting)} {max(all_reach):g}")
            if none_reach:
                words.append(f"none from {min(none_reach):g} on")
            ordered = not all_reach or not none_reach or max(all_reach) < min(none_reach)
            if words and ordered and proportions == sorted(proportions, reverse=True):
                sentences.append(f"{line}: {', '.join(words)}")
        if self.left_out:
            sentences.append(f"left out, diverged: {self.left_out}")
        return "\n".join(sentences)

    def tables(self) -> dict[str, style.Table]:
        """``proportion``: a row for each cell; ``transitions``: of each seed, empty if censored."""
        proportions = [
            (
                row.line,
                row.place,
                *(float(part) for part in row.transitions.proportion),
                row.memorised.value,
                row.memorised.low,
                row.memorised.high,
            )
            for row in self.rows
        ]
        seeds = [
            (
                row.line,
                row.place,
                seed,
                time if np.isfinite(time) else None,
                row.transitions.budget,
            )
            for row in self.rows
            for seed, time in zip(row.transitions.seeds, row.transitions.updates, strict=True)
        ]
        limits = ("memorised", "memorised_low", "memorised_high")
        names = ("line", self.setting, "proportion", "low", "high", *limits)
        columns = ("line", self.setting, "seed", "updates", "budget")
        return {
            "proportion": style.by_column(names, proportions),
            "transitions": style.by_column(columns, seeds),
        }

    def _size(self) -> tuple[float, float]:
        text = len(self.lines) + self.finding.count("\n")
        return style.SINGLE, 4.7 + 0.13 * text

    def _n_axes(self) -> int:
        return 3

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return tuple(figure.subplots(3, 1, sharex=True, height_ratios=[1, 1, 1.4]))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        above, between, below = axes
        places = sorted({row.place for row in self.rows})
        log = places[-1] > 4 * places[0] > 0
        budget = max(row.transitions.budget for row in self.rows)
        handles = []
        for i, line in enumerate(self.lines):
            looks: Keywords = {
                "color": _COLOURS[i % len(_COLOURS)],
                "marker": _MARKERS[i % len(_MARKERS)],
                "markersize": 3.5,
            }
            cells = self.of(line)
            shift = _SHIFT * (i - (len(self.lines) - 1) / 2)
            across = np.array([row.place for row in cells])
            span = np.log(places[-1] / places[0]) if log else places[-1] - places[0]
            across = across * np.exp(shift * span) if log else across + shift * span
            value, low, high = (
                np.array(part, float)
                for part in zip(*(row.transitions.proportion for row in cells), strict=True)
            )
            dashes = _DASHES[i % len(_DASHES)]
            above.plot(across, value, linestyle=dashes, **looks)
            above.vlines(across, low, high, color=looks["color"], linewidth=0.8)
            means = [row.memorised for row in cells]
            between.plot(across, [mean.value for mean in means], linestyle=dashes, **looks)
            ends = [mean.low for mean in means], [mean.high for mean in means]
            between.vlines(across, *ends, color=looks["color"], linewidth=0.8)
            medians = [row.transitions.median for row in cells]
            median_updates = np.array([float(median.value) for median in medians])
            below.plot(
                across,
                np.where(np.isfinite(median_updates), median_updates, np.nan),
                linestyle=dashes,
                **looks,
            )
            for x, row, median in zip(across, cells, medians, strict=True):
                top = min(float(median.high), 1.25 * budget)
                bottom = max(float(median.low), min(row.transitions.updates.min(), budget))
                if bottom < top:
                    below.vlines(x, bottom, top, color=looks["color"], linewidth=0.8)
                reached = row.transitions.updates[np.isfinite(row.transitions.updates)]
                mark: Keywords = {"color": looks["color"], "linestyle": "", "alpha": 0.6}
                below.plot(np.full(len(reached), x), reached, marker=".", markersize=3, **mark)
                censored = len(row.transitions.updates) - len(reached)
                if censored:
                    below.annotate(
                        str(censored),
                        (x, 1.25 * budget * 1.25**i),
                        ha="center",
                        va="bottom",
                        fontsize=5.5,
                        color=looks["color"],
                    )
            handles.append(Line2D([], [], label=line, linestyle=dashes, **looks))
        below.axhline(budget, color=style.GREY, linewidth=0.8)
        below.set_yscale("log")
        if any(np.isinf(row.transitions.updates).any() for row in self.rows):
            below.set_ylim(top=1.25 * budget * 1.25 ** (len(self.lines) + 0.5))
        above.set(ylim=(-0.04, 1.04), ylabel="proportion of seeds\nat the boundary")
        memorised = declared()["memorised"].title
        between.set(ylim=(-0.04, 1.04), ylabel=f"{memorised}\n(mean, t interval)")
        below.set(ylabel="transition (updates)", xlabel=_AXES.get(self.setting, word(self.setting)))
        if log:
            below.set_xscale("log")
        below.set_xticks(places, [f"{place:g}" for place in places])
        below.minorticks_off()
        for ax in axes:
            ax.spines[["top", "right"]].set_visible(False)
        handles.append(
            Line2D([], [], color=style.GREY, linewidth=0.8, label="budget; above: seeds censored")
        )
        heading = f"{self.name}: which networks reach the achievable boundary\n{self.finding}"
        self._heading(above, heading.rstrip())
        self._legend(below, handles)


def _place(summary: Summary) -> str:
    """The words for a cell."""
    return ", ".join(filter(None, [summary.task, summary.network, phrases(summary.settings)]))


def phase(summaries: Sequence[Summary]) -> PhaseDisplay:
    """The phase diagram of a run, ready to be drawn: ``phase(summarise(store)).save("phase.pdf")``.

    Args:
        summaries: the run's cells.

    Raises:
        ValueError: no cell with transitions, or nothing that varies.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> from simbias.results.summary import Mean, Summary
        >>> from simbias.results.transitions import Transitions
        >>> def cell(dim, updates):
        ...     updates, never = np.array(updates), np.full(3, np.inf)
        ...     reached = np.isfinite(updates)
        ...     ends = Transitions((0, 1, 2), updates, updates, updates, never, reached, 1000)
        ...     means = {"memorised": Mean(0.3, 0.1, None)}
        ...     return Summary("mine", "lms-7", "(100,2)", {"dim": dim}, {"done": 3}, means, ends)
        >>> cells = [cell(2, [100.0, 200.0, 200.0]), cell(50, [np.inf, np.inf, np.inf])]
        >>> [row.place for row in simbias.plots.phase(cells).rows]
        [2.0, 50.0]
    """
    return PhaseDisplay.from_summaries(summaries)
