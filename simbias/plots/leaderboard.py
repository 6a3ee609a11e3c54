"""Learners side by side: a panel for each task and number, a row for each learner."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._checks import each
from simbias._numbers import counted
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.results.leaderboard import Standing

_ROW_HEIGHT, _LINE_HEIGHT, _PANEL_HEIGHT = 0.2, 0.1, 0.62  # inches
_TITLE = 16  # characters in a line
_COLOURS = {
    "better": style.BLUE,
    "worse": style.VERMILLION,
    "not told apart": "#7F7F7F",
    "reference": "black",
}
_PANELS = {
    "excess_risk": "excess risk",
    "exceptions_fresh": "fresh exceptions right",
    "s_randomised_accuracy": "S-randomised accuracy",
    "reached": "seeds that reach the rule",
}


class LeaderboardRow(NamedTuple):
    """One dot: a number of a learner on a task, with its interval (NaN: none), and its verdict.

    Examples:
        >>> from simbias.plots import LeaderboardRow
        >>> row = LeaderboardRow("lms-7", "adam", "excess_risk", 0.01, 0.0, 0.02, "better")
        >>> row.learner
        'adam'
    """

    task: str
    learner: str
    quantity: str
    value: float
    low: float
    high: float
    verdict: str


@dataclass(eq=False)
class LeaderboardDisplay(style.Display):
    """A row of panels for each task, a column for each number, learners from the best down.

    Attributes:
        rows: what is drawn.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, stop = simbias.MLP(8), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, simbias.sgd(), n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> display = simbias.plots.leaderboard(simbias.results.leaderboard(store))
        >>> display.tasks, display.learners(display.tasks[0])
        (['noisy-lms-5, d 4, n 1k'], ['sgd'])
    """

    rows: tuple[LeaderboardRow, ...]

    def __post_init__(self) -> None:
        self.rows = tuple(self.rows)

    @property
    def tasks(self) -> list[str]:
        """Tasks, a row of panels each."""
        return list(dict.fromkeys(row.task for row in self.rows))

    @property
    def quantities(self) -> list[str]:
        """Those with a value for some learner, a column of panels each."""
        finite = [row.quantity for row in self.rows if np.isfinite(row.value)]
        return [name for name in _PANELS if name in finite]

    def learners(self, task: str) -> list[str]:
        """Learners of a task, the best first."""
        return list(dict.fromkeys(row.learner for row in self.rows if row.task == task))

    @property
    def finding(self) -> str:
        """How many learners are better than the reference, task by task."""
        texts = []
        for task in self.tasks:
            verdicts = {row.learner: row.verdict for row in self.rows if row.task == task}
            names = list(verdicts.values())
            if len(names) == 1 and len(self.tasks) > 1:
                continue  # nobody is beside the reference
            reference = next(name for name, verdict in verdicts.items() if verdict == "reference")
            better, worse = names.count("better"), names.count("worse")
            texts.append(
                f"{task}: of {counted(len(names) - 1, 'other')} {better} better than {reference},"
                f" {worse} worse, {names.count('not told apart')} not told apart"
            )
        return "\n".join(texts)

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each dot."""
        return {"leaderboard": style.by_column(LeaderboardRow._fields, self.rows)}

    def _size(self) -> tuple[float, float]:
        rows = sum(map(self._rows_height, self.tasks))
        return style.DOUBLE, 1.1 + _PANEL_HEIGHT * len(self.tasks) + rows

    def _rows_height(self, task: str) -> float:
        """The height of the rows of a task, inches; two lines of a label fit in each."""
        learners = self.learners(task)
        more_lines = max(style.most_breaks(learners) - 1, 0)
        return (_ROW_HEIGHT + _LINE_HEIGHT * more_lines) * len(learners)

    def _n_axes(self) -> int:
        return len(self.tasks) * len(self.quantities)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        heights = [_PANEL_HEIGHT / 2 + self._rows_height(task) for task in self.tasks]
        return style.panels(figure, heights, len(self.quantities))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        grid = np.reshape(np.array(axes, dtype=object), (len(self.tasks), len(self.quantities)))
        for i, task in enumerate(self.tasks):
            learners = self.learners(task)
            for j, quantity in enumerate(self.quantities):
                ax = grid[i, j]
                style.rows(ax, learners, 0.4, labelled=j == 0)
                self._panel(ax, task, quantity, learners)
                if i == 0:
                    ax.set_title(fill(_PANELS[quantity], _TITLE))
            # across: a panel of few learners is lower than the words are long
            words = task.replace(", ", ",\n")
            grid[i, 0].set_ylabel(words, rotation="horizontal", ha="right", va="center")
        axes[0].figure.canvas.figure.align_ylabels(grid[:, 0])
        self._heading(axes[0], self.finding)
        present = {row.verdict for row in self.rows}
        handles = [
            Line2D([], [], linestyle="", label=verdict, **_look(verdict))
            for verdict in _COLOURS
            if verdict in present
        ]
        self._legend(axes[-1 - (len(self.quantities) - 1) // 2], handles, ncols=4)

    def _panel(self, ax: Axes, task: str, quantity: str, learners: Sequence[str]) -> None:
        own = [row for row in self.rows if (row.task, row.quantity) == (task, quantity)]
        drawn = [row for row in own if np.isfinite(row.value)]
        for verdict in dict.fromkeys(row.verdict for row in drawn):
            rows = [row for row in drawn if row.verdict == verdict]
            y = [learners.index(row.learner) for row in rows]
            ends = style.segments([row.low for row in rows], [row.high for row in rows], y)
            ax.plot(*ends, color=_COLOURS[verdict], linewidth=0.9)
            ax.plot([row.value for row in rows], y, linestyle="", **_look(verdict))
        if quantity == "excess_risk":
            ax.locator_params(axis="x", nbins=3)  # digits are many where risks are alike
        else:  # proportions, of one scale
            ax.set_xlim(-0.04, 1.04)
            ax.set_xticks([0, 0.5, 1])
            ax.tick_params(axis="x", labelbottom=task == self.tasks[-1])


def leaderboard(standings: Sequence[Standing]) -> LeaderboardDisplay:
    """Learners side by side, ready to be drawn; a task with one learner only if all are such.

    Args:
        standings: from ``simbias.results.leaderboard``.

    Raises:
        ValueError: no standing.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, stop = simbias.MLP(8), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, simbias.sgd(), n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> sorted(simbias.plots.leaderboard(simbias.results.leaderboard(store)).tables())
        ['leaderboard']
    """
    rows = []
    standings = each("standings", standings, Standing)
    compared = {standing.task for standing in standings if standing.against is not None}
    for standing in standings:
        if compared and standing.task not in compared:
            continue
        verdict = "reference" if standing.against is None else standing.against.verdict
        for quantity in _PANELS:
            number = getattr(standing, quantity)
            limits = (float(number.value), float(number.low), float(number.high))
            rows.append(LeaderboardRow(standing.task, standing.learner, quantity, *limits, verdict))
    return LeaderboardDisplay(tuple(rows))


def _look(verdict: str) -> Keywords:
    return {"color": _COLOURS[verdict], "marker": "o", "markersize": 3}
