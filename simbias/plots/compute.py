"""What a budget of compute is best spent on, and what the networks that it buys have learned.

A row of panels for each task: the loss of every network by the floating-point operations spent on
it, with the least that is to be had; its accuracy on fresh points; and how many exceptions it has
fitted, beside how many fresh ones it labels rightly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._checks import each, fail
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.results.compute import ComputeOptimum
from simbias.results.summary import mean_over_seeds
from simbias.training.words import distinguishing, phrases

_COLOURS = (style.SKY, style.BLUE, style.GREEN, style.ORANGE, style.VERMILLION, style.PURPLE)
_TITLES = {
    "train_loss": "training loss",
    "select_error": "error on fresh points",
    "select_accuracy": "accuracy on fresh points",
    "exceptions": "exceptions",
}
_BEST = "best for its compute"
_TITLE = 40  # characters in a line


class ComputeLine(NamedTuple):
    """One network, or the best of them, in one panel.

    Attributes:
        row: the task in words.
        panel: ``"train_loss"`` or ``"select_error"``, ``"select_accuracy"``, ``"exceptions"``.
        label: the network in words, or that it is the best of them.
        measure: the column of the trace.
        flops: floating-point operations.
        value, low, high: means over seeds with their intervals; NaN ends where there is none.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import ComputeLine
        >>> line = ComputeLine("ms-7", "train_loss", "(8,1)", "train_loss", *np.ones((4, 3)))
        >>> line.value.shape
        (3,)
    """

    row: str
    panel: str
    label: str
    measure: str
    flops: Float[np.ndarray, " places"]
    value: Float[np.ndarray, " places"]
    low: Float[np.ndarray, " places"]
    high: Float[np.ndarray, " places"]


@dataclass(eq=False)
class ComputeDisplay(style.Display):
    """Losses and what was learned, by the compute that was spent.

    Attributes:
        lines: what is drawn.
        seeds: over how many each mean is taken, at the least.

    Examples:
        >>> import numpy as np
        >>> from simbias.plots import ComputeDisplay, ComputeLine
        >>> line = ComputeLine("ms-7", "train_loss", "(8,1)", "train_loss", *np.ones((4, 3)))
        >>> ComputeDisplay((line,), 2).tables()["compute"]["measure"]
        ['train_loss', 'train_loss', 'train_loss']
    """

    lines: tuple[ComputeLine, ...]
    seeds: int

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each network, measure and budget."""
        names = ("task", "network", "measure", "flops", "value", "low", "high")
        rows = [
            (line.row, line.label, line.measure, *numbers)
            for line in self.lines
            for numbers in zip(*line[4:], strict=True)
        ]
        return {"compute": style.by_column(names, rows)}

    @property
    def _rows(self) -> list[str]:
        return list(dict.fromkeys(line.row for line in self.lines))

    @property
    def _panels(self) -> list[str]:
        present = {line.panel for line in self.lines}
        return [panel for panel in _TITLES if panel in present]

    @property
    def _labels(self) -> list[str]:
        return list(dict.fromkeys(line.label for line in self.lines if line.label != _BEST))

    def _size(self) -> tuple[float, float]:
        width = style.DOUBLE if len(self._panels) > 1 else style.SINGLE
        more_lines = sum(fill(row, _TITLE).count("\n") for row in self._rows)
        return width, 1.1 + 1.75 * len(self._rows) + 0.15 * more_lines

    def _n_axes(self) -> int:
        return len(self._rows) * len(self._panels)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        grid = figure.subplots(len(self._rows), len(self._panels), squeeze=False, sharex="row")
        return tuple(grid.ravel())

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for i, ax in enumerate(axes):
            row, panel = self._rows[i // len(self._panels)], self._panels[i % len(self._panels)]
            own = [line for line in self.lines if (line.row, line.panel) == (row, panel)]
            if not own:  # a task without exceptions
                ax.set_axis_off()
                continue
            for line in own:
                look = self._look(line)
                ax.plot(line.flops, line.value, **look)
                if line.label == _BEST:
                    ax.fill_between(
                        line.flops, line.low, line.high, color=look["color"], alpha=0.15, lw=0
                    )
            ax.set_xscale("log")
            if panel == "train_loss":
                ax.set_yscale("log")
            elif panel == "exceptions":
                ax.set_ylim(-0.03, 1.03)
            else:  # an interval over few seeds must not hide what is drawn
                drawn = np.concatenate([line.value for line in own])
                room = 0.15 * (np.ptp(drawn) or 0.01)
                ax.set_ylim(drawn.min() - room, drawn.max() + room)
            ax.set(xlabel="floating-point operations", ylabel=_TITLES[panel])
            if i % len(self._panels) == 0:
                ax.set_title(fill(row, _TITLE), loc="left")
            ax.spines[["top", "right"]].set_visible(False)
        self._heading(axes[0], f"what compute is best spent on: means over {self.seeds} seeds")
        handles = [
            Line2D([], [], label=label, **self._colour(label)) for label in (*self._labels, _BEST)
        ]
        grey: Keywords = {"color": style.GREY, "linewidth": 1.1}
        if "exceptions" in self._panels:
            handles += [
                Line2D([], [], label="exceptions fitted", **grey),
                Line2D([], [], label="fresh ones right", linestyle="--", **grey),
            ]
        self._legend(axes[-1], handles, ncols=4)

    def _colour(self, label: str) -> Keywords:
        if label == _BEST:
            return {"color": style.BLACK, "linewidth": 1.3}
        i = self._labels.index(label)
        return {"color": _COLOURS[i % len(_COLOURS)], "linewidth": 0.8}

    def _look(self, line: ComputeLine) -> Keywords:
        dashed = line.measure == "exceptions_fresh"
        return self._colour(line.label) | {"linestyle": "--" if dashed else "-"}


def compute(optima: Sequence[ComputeOptimum]) -> ComputeDisplay:
    """What budgets of compute are best spent on, ready to be drawn.

    Args:
        optima: from ``simbias.results.compute_optima``.

    Raises:
        ValueError: none of them.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> task, method = simbias.tasks.get("ms-7"), simbias.sgd()
        >>> courses = []
        >>> for width, losses in ((8, [[0.7, 0.6]] * 2), (16, [[0.65, 0.1]] * 2)):
        ...     cell = simbias.training.Cell(task, simbias.MLP(width), method, n_train=1000)
        ...     flops = np.array([1e6, 2e6]) * width
        ...     measured = {"train_loss": np.array(losses), "select_accuracy": np.ones((2, 2))}
        ...     courses.append(simbias.results.ComputeCourse(cell, (0, 1), flops, measured))
        >>> optima = simbias.results.compute_optima(courses, loss="train_loss")
        >>> [line.panel for line in simbias.plots.compute(optima).lines][::3]
        ['train_loss', 'select_accuracy']
    """
    given = each("optima", optima, ComputeOptimum)
    if not given:
        raise fail("optima", "none", "at least one")
    cells = [optimum.courses[0].cell for optimum in given]
    apart = distinguishing([cell.settings for cell in cells])
    lines: list[ComputeLine] = []
    for optimum, cell, settings in zip(given, cells, apart, strict=True):
        lines += _lines(optimum, ", ".join(filter(None, [cell.task.name, phrases(settings)])))
    return ComputeDisplay(tuple(lines), min(len(optimum.seeds) for optimum in given))


def _lines(optimum: ComputeOptimum, row: str) -> list[ComputeLine]:
    panels = {optimum.loss: optimum.loss, "select_accuracy": "select_accuracy"}
    panels |= dict.fromkeys(("exceptions_fitted", "exceptions_fresh"), "exceptions")
    if optimum.loss == "select_error":
        del panels["select_accuracy"]  # it says the same
    lines = []
    for measure, panel in panels.items():
        values = optimum.values.get(measure)
        if values is None or np.isnan(values).all():
            continue  # of tasks without exceptions
        for course in optimum.courses:
            whole = course.loss(measure) if measure == optimum.loss else course.measured[measure]
            label = course.cell.network.label
            own = _means(whole.T, measure)
            lines.append(ComputeLine(row, panel, label, measure, course.flops, *own))
        best = _means(values, measure)
        lines.append(ComputeLine(row, panel, _BEST, measure, optimum.budgets, *best))
    return lines


def _means(
    values: Float[np.ndarray, "places seeds"], measure: str
) -> Float[np.ndarray, "3 places"]:
    """Means over seeds with their intervals."""
    most = np.inf if measure == "train_loss" else 1.0
    means = [mean_over_seeds(row.tolist(), most=most) for row in values]
    return np.array([(mean.value, mean.low, mean.high) for mean in means]).T
