"""Accuracy and exceptions along training: when a network fits, and what it fits."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simbias._checks import fail, instance
from simbias.plots import _figure as style
from simbias.training.fit import TRACE
from simbias.training.stack import Stack
from simbias.training.words import task_words
from simbias.validation.sound import sound

_COLOURS = (style.BLUE, style.VERMILLION)  # training, fresh
_PANELS = (
    ("accuracy", ("train_accuracy", "select_accuracy")),
    ("exceptions correct", ("exceptions_fitted", "exceptions_fresh")),
)


@dataclass(eq=False)
class TrainingDisplay(style.Display):
    """Traces of the networks of a stack: accuracy above, exceptions below.

    Thin lines are networks, bold ones their mean, the shade goes from the least to the greatest.
    A network that has ended keeps its last values in mean and shade, since it no longer changes;
    its own line ends. Each network has training and fresh points of its own.

    Attributes:
        name: what is drawn, the first line of the title.
        seeds: the networks.
        traces: one array for each network, (checks, columns of ``simbias.training.fit.TRACE``).
        achievable: accuracy of the achievable rule; None where it is not known.
        simple: accuracy of the simple rule; None where there is none.
        left_out: the seeds whose networks are no classifiers.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> display = simbias.plots.TrainingDisplay.from_stack(stack)
        >>> display.updates, display.curves("train_accuracy").shape
        (array([200.], dtype=float32), (2, 1))
    """

    name: str
    seeds: tuple[int, ...]
    traces: tuple[Float[np.ndarray, "_ columns"], ...]
    achievable: float | None
    simple: float | None
    left_out: tuple[int, ...] = ()

    @classmethod
    def from_stack(cls, stack: Stack) -> Self:
        """The traces of the classifiers of a trained stack.

        Raises:
            ValueError: it was never checked, or none of its networks is a classifier.
        """
        instance("stack", stack, Stack)
        seeds, stack = stack.seeds, sound(stack)
        if not all(map(len, stack.traces)):
            raise fail("stack", "networks without traces", "a trained stack")
        task, (simple, achievable) = stack.cell.task, stack.cell.task.truth
        return cls(
            name=f"{task_words(task)}, network {stack.cell.network.label}",
            seeds=stack.seeds,
            traces=stack.traces,
            achievable=None if achievable is None else 1 - achievable,
            simple=None if simple is None else 1 - simple,
            left_out=tuple(seed for seed in seeds if seed not in stack.seeds),
        )

    @cached_property
    def updates(self) -> Float[np.ndarray, " checks"]:
        """The updates at which any network was checked."""
        return np.unique(np.concatenate([trace[:, 0] for trace in self.traces]))

    def curves(self, column: str) -> Float[np.ndarray, "seeds checks"]:
        """A column of every trace at ``updates``, the last value kept from the end on."""
        index = TRACE.index(column)
        return np.stack(
            [
                trace[np.searchsorted(trace[:, 0], self.updates).clip(max=len(trace) - 1), index]
                for trace in self.traces
            ]
        )

    @property
    def finding(self) -> str:
        """Where the mean over networks ended."""
        train, fresh, fitted, unseen = (
            np.mean([trace[-1, TRACE.index(column)] for trace in self.traces])
            for _, columns in _PANELS
            for column in columns
        )
        text = f"final accuracy: train {train:.3f}, fresh {fresh:.3f}"
        if not np.isnan(fitted):
            text += f"\nfinal exceptions correct: train {fitted:.2f}, fresh {unseen:.2f}"
        if self.left_out:
            seeds = "seed" if len(self.left_out) == 1 else "seeds"
            text += f"\nleft out, no usable weights: {seeds} {', '.join(map(str, self.left_out))}"
        return text

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each network and check."""
        seeds = np.repeat(self.seeds, [len(trace) for trace in self.traces])
        columns = np.concatenate(self.traces).T
        return {"training": {"seed": seeds, **dict(zip(TRACE, columns, strict=True))}}

    def _size(self) -> tuple[float, float]:
        return style.SINGLE, 4.2

    def _n_axes(self) -> int:
        return len(_PANELS)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return tuple(figure.subplots(len(_PANELS), 1, sharex=True))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, (label, columns) in zip(axes, _PANELS, strict=True):
            self._panel(ax, columns)
            ax.set_ylabel(label)
            ax.spines[["top", "right"]].set_visible(False)
            ax.margins(x=0.01)
        axes[1].set_ylim(0, 1.02)
        rules: dict[str, tuple[float | None, str, tuple[float, tuple[float, float]]]] = {
            "achievable rule": (self.achievable, style.GREEN, (0, (1, 1.2))),
            "simple rule": (self.simple, style.PURPLE, (0, (5, 2))),
        }
        several = len(self.seeds) > 1
        who = f"mean of {len(self.seeds)} seeds" if several else f"seed {self.seeds[0]}"
        handles: list[Artist] = [
            Line2D([], [], color=colour, linewidth=1.8, label=f"{name}, {who}")
            for name, colour in zip(("train", "fresh"), _COLOURS, strict=True)
        ]
        if several:
            handles.append(Patch(color=style.GREY, alpha=0.3, lw=0, label="least to greatest seed"))
        for name, (accuracy, colour, dashes) in rules.items():
            if accuracy is not None:
                axes[0].axhline(accuracy, color=colour, linestyle=dashes, linewidth=1.0, zorder=1)
                line = Line2D([], [], color=colour, linestyle=dashes, linewidth=1.0)
                line.set_label(f"{name}, population")
                handles.append(line)
        axes[-1].set_xlabel("updates")
        self._heading(axes[0], f"{self.name}\n{self.finding}")
        self._legend(axes[-1], handles, ncols=2)

    def _panel(self, ax: Axes, columns: tuple[str, str]) -> None:
        for column, colour in zip(columns, _COLOURS, strict=True):
            curves = self.curves(column)
            if np.isnan(curves).all():
                ax.text(0.5, 0.5, "no exceptions", transform=ax.transAxes, ha="center", va="center")
                ax.set_yticks([])
                return
            for trace in self.traces:
                ax.plot(trace[:, 0], trace[:, TRACE.index(column)], color=colour, lw=0.5, alpha=0.6)
            low, high = curves.min(axis=0), curves.max(axis=0)
            ax.fill_between(self.updates, low, high, color=colour, alpha=0.2, linewidth=0)
            ax.plot(self.updates, curves.mean(axis=0), color=colour, linewidth=1.8)


def training(stack: Stack) -> TrainingDisplay:
    """The traces of a stack, ready to be drawn: ``training(stack).save("training.pdf")``.

    Args:
        stack: trained networks.

    Raises:
        ValueError: a stack that was never checked, such as a control, or without a classifier.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> display = simbias.plots.training(stack)
        >>> display.seeds, round(display.achievable, 2), round(display.simple, 2)
        ((0, 1), 1.0, 0.95)
    """
    return TrainingDisplay.from_stack(stack)
