"""Memorised islands: the plane through an exception, and how far labels are kept around many.

Left, the exact decision of a network on the plane of the simple and a slab coordinate, the other
coordinates being those of a training exception that it has fitted; next to it the same through a
fresh exception. Right, for a sample of both kinds, how far the exception's label is kept on the way
to other draws that deserve it, against the distance to the nearest training point of the other
label.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self, TypedDict, Unpack

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simbias._checks import instance, whole
from simbias._types import Keywords
from simbias.plots import _figure as style
from simbias.tasks import BlockTask
from simbias.tasks.oracle import Rule, achievable_rule, simple_rule
from simbias.training.stack import Stack
from simbias.validation.cuts import side
from simbias.validation.geometry import (
    Box,
    Component,
    Decision,
    Plane,
    components,
    decide,
    layers_of,
    restrict,
)
from simbias.validation.islands import Compared, IslandReport, measure_islands
from simbias.validation.sound import sound_seed
from simbias.validation.vicinity import Islands

_FILL = {0: "#8FC3E8", 1: "#F7C56B"}
_KINDS = {"training": style.BLUE, "fresh": style.VERMILLION}


class Slice(NamedTuple):
    """The plane through one exception: its position, its label, and the network's decision."""

    kind: str
    position: Float[np.ndarray, " dim"]
    label: int
    decision: Decision
    parts: list[Component]


class IslandOptions(TypedDict, total=False):
    """Of ``measure_islands``."""

    sample: int
    directions: int
    reach: float
    confidence: float


class FigureOptions(IslandOptions, total=False):
    """Of ``IslandsDisplay.from_stack``."""

    coordinate: int | None


@dataclass(eq=False)
class IslandsDisplay(style.Display):
    """Two planes through exceptions, and a sample of islands.

    Attributes:
        name: the first line of the title.
        task: the task.
        coordinates: the horizontal and the vertical coordinate of the planes.
        slices: through a fitted training exception (the first there is; else the first), and
            through the first fresh one, of the same label where there is one.
        report: of one network.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> display = simbias.plots.IslandsDisplay.from_stack(stack, 0, sample=2, directions=2)
        >>> display.coordinates, sorted(display.rules), sorted(display.tables())
        ((0, 1), ['achievable', 'simple'], ['lines', 'points'])
    """

    name: str
    task: BlockTask
    coordinates: tuple[int, int]
    slices: tuple[Slice, Slice]
    report: IslandReport

    @classmethod
    def from_stack(
        cls,
        stack: Stack,
        seed: int | None = None,
        *,
        coordinate: int | None = None,
        **options: Unpack[IslandOptions],
    ) -> Self:
        """The islands around the exceptions of one network of a stack.

        Args:
            stack: trained MLPs of ReLUs, or a control, on a task with exceptions.
            seed: the network's seed; default: the first that is a classifier.
            coordinate: the vertical coordinate; default the first that attains the Bayes risk.
            **options: of ``measure_islands``.

        Raises:
            ValueError: a seed that is not in the stack or no classifier, a task or network without
                exceptions, or an option out of range.
        """
        instance("stack", stack, Stack)
        seed = sound_seed(stack, seed)
        network, task = stack.some([seed]), stack.cell.block_task
        chosen = None if coordinate is None else [whole("coordinate", coordinate, least=0)]
        report = measure_islands(network, coordinates=chosen, **options)
        training, fresh = report.training[0], report.fresh[0]
        if not len(training.index) or not len(fresh.index):
            raise ValueError(f"stack: {task.name} has no exceptions to look around")
        rule = simple_rule(task)
        assert rule is not None  # measure_islands has checked it
        pair = (rule.coordinate, report.coordinates[0])
        first = int(np.argmax(training.fitted))
        same_label = int(np.argmax(fresh.label == training.label[first]))
        return cls(
            name=style.network_title(stack, seed),
            task=task,
            coordinates=pair,
            slices=(
                _slice(network, "training", training, first, pair),
                _slice(network, "fresh", fresh, same_label, pair),
            ),
            report=report,
        )

    @property
    def finding(self) -> str:
        """The result in words."""

        def line(name: str, compared: Compared) -> str:
            if np.isnan(compared.excess.value[0]):
                return f"{name}: none to compare"
            excess = compared.excess
            known = np.isfinite(excess.low[0])
            ends = f"[{excess.low[0]:+.2f}, {excess.high[0]:+.2f}]" if known else "(no interval)"
            training, fresh = compared.training.value[0], compared.fresh.value[0]
            return (
                f"{name}: training {training:.2f}, fresh {fresh:.2f},"
                f" excess {excess.value[0]:+.2f} {ends}"
            )

        return "\n".join(
            [
                line("proportion of exceptions fitted", self.report.fitted),
                line("way on which a fitted one's label is kept", self.report.size),
            ]
        )

    @property
    def rules(self) -> dict[str, Rule]:
        """The rules whose boundaries are drawn."""
        simple = simple_rule(self.task)
        assert simple is not None
        return {"simple": simple, "achievable": achievable_rule(self.task, self.coordinates[1])}

    def tables(self) -> dict[str, style.Table]:
        """``lines``: the exact boundaries in the planes; ``points``: the sample."""
        rows = [
            (piece.kind, number, *vertex)
            for piece in self.slices
            for number, line in enumerate(piece.decision.lines)
            for vertex in line
        ]
        points = [
            (kind, *values)
            for kind, islands in self._kinds().items()
            for values in zip(
                islands.index,
                islands.label,
                islands.fitted,
                islands.fitted_since,
                islands.nearest,
                islands.chord_radius,
                islands.axis_radius,
                islands.area[:, 0],
                islands.open[:, 0],
                strict=True,
            )
        ]
        names = ["kind", "index", "label", "fitted", "fitted_since", "nearest_other"]
        names += ["chord_radius", "axis_radius", "area", "open"]
        return {
            "lines": style.by_column(("kind", "line", "x", "y"), rows),
            "points": style.by_column(names, points),
        }

    def _kinds(self) -> dict[str, Islands]:
        return {"training": self.report.training[0], "fresh": self.report.fresh[0]}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 3.35

    def _n_axes(self) -> int:
        return 3

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return tuple(figure.subplots(1, 3))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        for ax, piece in zip(axes[:2], self.slices, strict=True):
            self._plane(ax, piece)
        self._points(axes[2])
        looks: dict[str, Keywords] = {
            "learned boundary (exact)": {"color": style.BLACK, "linewidth": 1.2},
            "simple rule": {"color": style.PURPLE, "linewidth": 2.0, "linestyle": (0, (2.2, 0.8))},
            "achievable rule": {"color": style.GREEN, "linewidth": 1.2, "linestyle": (0, (1, 1.2))},
        }
        handles: list[style.Handle] = [Line2D([], [], **look) for look in looks.values()]
        handles += [Patch(facecolor=_FILL[label], edgecolor="none") for label in (0, 1)]
        labels = [*looks, "the network says \u2212", "the network says +"]
        for kind, colour in _KINDS.items():
            handles.append(Line2D([], [], color=colour, marker="o", markersize=3, linestyle=""))
            labels.append(f"{kind} exceptions ({len(self._kinds()[kind].index)})")
        if self._room is None:
            self._heading(axes[0], f"{self.name}\n{self.finding}")
        self._legend(axes[1], handles, labels, ncols=4)

    def _plane(self, ax: Axes, piece: Slice) -> None:
        box, says = piece.decision.box, ("\u2212", "+")
        for part in sorted(piece.parts, key=lambda part: -part.area):
            ax.fill(*part.outline.T, color=_FILL[part.label], linewidth=0)
            for hole in part.holes:
                ax.fill(*hole.T, color=_FILL[1 - part.label], linewidth=0)
        for cut in self.rules["simple"].cuts:
            ax.axvline(cut, color=style.PURPLE, linewidth=2.0, linestyle=(0, (2.2, 0.8)))
        for cut in self.rules["achievable"].cuts:
            ax.axhline(cut, color=style.GREEN, linewidth=1.2, linestyle=(0, (1, 1.2)))
        for line in piece.decision.lines:
            ax.plot(*line.T, color=style.BLACK, linewidth=1.2)
        x, y = piece.position[list(self.coordinates)]
        ax.plot([x], [y], marker="D", markersize=5, color=_KINDS[piece.kind], markeredgecolor="k")
        ax.set(xlim=(box.left, box.right), ylim=(box.bottom, box.top))
        ax.set_title(f"through a {piece.kind} exception labelled {says[piece.label]}")
        horizontal, vertical = self.coordinates
        ax.set_xlabel(f"{self.task.blocks[horizontal].kind} $x_{{{horizontal}}}$ (input units)")
        ax.set_ylabel(f"{self.task.blocks[vertical].kind} $x_{{{vertical}}}$ (input units)")

    def _points(self, ax: Axes) -> None:
        for kind, islands in self._kinds().items():
            ax.plot(
                islands.nearest,
                islands.chord_radius,
                marker="o",
                markersize=3,
                linestyle="",
                color=_KINDS[kind],
                alpha=0.7,
            )
        largest = max(float(islands.nearest.max()) for islands in self._kinds().values())
        ax.plot([0, largest], [0, largest], color=style.GREY, linewidth=0.8)
        ax.annotate(
            "equal distances",
            (largest, largest),
            xytext=(0, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=style.GREY,
            fontsize=6,
        )
        ax.set(ylim=(-0.05, None), xlabel="to the nearest training point\nof the other label")
        ax.set_xlim(
            left=0.9 * min(float(islands.nearest.min()) for islands in self._kinds().values())
        )
        ax.set_ylabel("label kept on the way\nto its like (input units)")
        ax.spines[["top", "right"]].set_visible(False)


def islands(
    stack: Stack, *, seed: int | None = None, **options: Unpack[FigureOptions]
) -> IslandsDisplay:
    """Islands of one network, ready to be drawn: ``islands(stack).save("islands.pdf")``.

    Args:
        stack: trained MLPs of ReLUs, or a control.
        seed: the network's seed; default: the first that is a classifier.
        **options: as for ``IslandsDisplay.from_stack``.

    Raises:
        ValueError: a seed that is not in the stack or no classifier, or an option out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> display = simbias.plots.islands(stack, seed=0, sample=2, directions=2)
        >>> len(display.slices), display.report.reach
        (2, 2.0)
    """
    return IslandsDisplay.from_stack(stack, seed, **options)


def _slice(stack: Stack, kind: str, islands: Islands, k: int, pair: tuple[int, int]) -> Slice:
    """The plane through a point, over the support of its two coordinates and a little more."""
    task, position = stack.cell.block_task, islands.position[k]
    axes = np.eye(task.dim)[list(pair)]
    ends = np.array([side(task.blocks[j]) for j in pair])
    ends += 0.1 * np.array([-1, 1]) * np.diff(ends, axis=1) / 2
    origin = np.where(axes.any(axis=0), 0, position)
    flat = restrict(layers_of(stack, 0), Plane(origin, axes))
    decision = decide(flat, Box(*ends[0], *ends[1]))
    return Slice(kind, position, int(islands.label[k]), decision, components(decision))
