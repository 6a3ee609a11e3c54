"""The decision boundary in a plane of the unrotated space, beside the simple and achievable rules.

The background is the proportion of on-distribution contexts in which the classifier says 1: one
slice through a single context would show what the classifier does there, not on the task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, Unpack

import jax
import numpy as np
from jaxtyping import Array, Float, Key
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from simbias._checks import fail, whole
from simbias._keys import seed_key
from simbias._memory import fits
from simbias._types import AnyArray, Keywords
from simbias.models import DataSet, classifier, panel
from simbias.plots import _figure as style
from simbias.plots._lines import majority_lines, plane_rules, rule_labels, rule_lines
from simbias.plots._plane import class_proportions, limits, plane
from simbias.plots._plane_display import PlaneDisplay
from simbias.plots._points import draw_points, label_points
from simbias.plots.regions import RegionOptions, RegionsDisplay
from simbias.tasks import BlockTask
from simbias.tasks.oracle import Rule
from simbias.training.words import task_words
from simbias.validation.contexts import draw_given
from simbias.validation.sound import sound_seed

_PROPORTION = LinearSegmentedColormap.from_list("proportion", ["#8FC3E8", "#FFFFFF", "#F7C56B"])
_LINES: dict[str, Keywords] = {
    "learned": {"color": style.BLACK, "linestyle": "-", "linewidth": 1.2, "zorder": 3},
    # wider and below: it stays visible where the learned boundary lies on it
    "simple": {"color": style.PURPLE, "linestyle": (0, (2.2, 0.8)), "linewidth": 3.0, "zorder": 2},
    "achievable": {"color": style.GREEN, "linestyle": (0, (1, 1.2)), "linewidth": 2.4, "zorder": 2},
}


class BoundaryOptions(RegionOptions, total=False):
    """Options that ``BoundaryDisplay.from_stack`` hands on to ``from_classifier``."""

    label: int | None


@dataclass(eq=False)
class BoundaryDisplay(PlaneDisplay):
    """The labels of a classifier on a plane of the unrotated space.

    It has the attributes of ``PlaneDisplay``, and:

    Attributes:
        proportion: proportion of contexts in which the classifier says 1, (up, across).
        label: the label that contexts were drawn given; None: half of them given each.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> display = simbias.plots.BoundaryDisplay.from_stack(stack, 0, resolution=20, contexts=8)
        >>> display.coordinates, display.proportion.shape, sorted(display.rules)
        ((0, 1), (20, 20), ['achievable', 'simple'])
    """

    task: BlockTask
    label: int | None = None

    @classmethod
    def from_classifier(
        cls,
        classify: object,
        task: BlockTask,
        rotation: Float[AnyArray, "dim dim"] | None = None,
        *,
        coordinates: tuple[int, int] = (0, 1),
        label: int | None = None,
        resolution: int = 200,
        contexts: int = 64,
        key: Key[Array, ""] | None = None,
        points: tuple[ArrayLike, ArrayLike] | None = None,
        shown: int = 300,
        name: str | None = None,
    ) -> Self:
        """The boundary of any classifier.

        Args:
            classify: anything that scores or labels inputs (``simbias.models.classifier``).
            task: the task whose law the contexts follow.
            rotation: the matrix that turns unrotated points into inputs; None: they are inputs.
            coordinates: the horizontal and the vertical coordinate of the unrotated space.
            label: contexts are drawn given this label; None: half of them given each.
            resolution: grid points on a side.
            contexts: draws of the other coordinates, the same at every grid point.
            key: random key of the contexts; default: that of seed 0.
            points: inputs (rows, dim) and labels (rows,) to draw on top, such as a training set.
            shown: most points to draw: a third exceptions, so that they can be seen; the legend
                gives the totals.
            name: first line of the title; default the task's name and settings.

        Raises:
            ValueError: an argument out of range, or a classifier that answers something else.
        """
        classify = classifier(classify)
        horizontal, vertical = plane(task, coordinates)
        if label is not None:
            whole("label", label, least=0, most=1)
        if whole("contexts", contexts, least=8) % 2:
            raise fail("contexts", contexts, "an even integer >= 8")
        fits("resolution", whole("resolution", resolution, least=2), 4.0 * resolution**2 * task.dim)
        whole("shown", shown, least=0)
        matrix = np.eye(task.dim, dtype=np.float32) if rotation is None else np.asarray(rotation)
        if matrix.shape != (task.dim, task.dim):
            raise fail("rotation", matrix.shape, f"shape ({task.dim}, {task.dim})")
        plotted = None if points is None else label_points(classify, task, matrix, *points)
        positions = plotted.position if plotted is not None else np.zeros((0, task.dim))
        across = np.linspace(*limits(task, horizontal, positions[:, horizontal]), resolution)
        up = np.linspace(*limits(task, vertical, positions[:, vertical]), resolution)
        is_plane = task.dim == 2
        count = 1 if is_plane else contexts
        y = np.arange(count) % 2 if label is None else np.full(count, label)
        draws = draw_given(task, seed_key(0) if key is None else key, y)
        proportion = class_proportions(
            classify, task, matrix, (horizontal, vertical), across, up, draws
        )
        return cls(
            name=task_words(task) if name is None else name,
            task=task,
            coordinates=(horizontal, vertical),
            across=across,
            up=up,
            proportion=proportion[1],
            contexts=0 if is_plane else contexts,
            label=label,
            points=plotted,
            shown=shown,
        )

    @classmethod
    def from_stack(
        cls,
        learned: object,
        seed: int | None = None,
        *,
        data: DataSet | Sequence[DataSet] | None = None,
        coordinate: int = 1,
        **options: Unpack[BoundaryOptions],
    ) -> Self:
        """The boundary of a network of a stack, or of another classifier, and its training set.

        Args:
            learned: a stack, or any classifiers, as for ``simbias.validate``.
            seed: of the data set; default: the first whose classifier is one.
            data: for a classifier that does not know its training set.
            coordinate: the vertical coordinate; the horizontal one is the first of the simple set,
                or 0 where there is none.
            **options: ``label``, ``resolution``, ``contexts`` and ``shown`` of ``from_classifier``.

        Raises:
            ValueError: a seed that is not in the stack or no classifier, or an argument out of
                range.
        """
        classifiers = panel(learned, data)
        seed = sound_seed(classifiers, seed)
        i = classifiers.index(seed)
        data_set, member = classifiers.data[i], classifiers.members[i]
        training = jax.device_get(data_set.draw())
        display = cls.from_classifier(
            member,
            classifiers.block_task,
            data_set.rotation,
            coordinates=((*classifiers.block_task.simple_set, 0)[0], coordinate),
            key=data_set.stream("context"),
            points=(training.x, training.y),
            name=style.network_title(classifiers, seed),
            **options,
        )
        display.what, display.noun = "training points", style.noun(member)
        return display

    @cached_property
    def learned(self) -> list[Float[np.ndarray, "_ 2"]]:
        """The learned boundary, input units: the lines where the majority over contexts changes.

        Empty where the plane does not decide. A majority is a proportion further from 1/2 than two
        standard errors; see ``simbias.plots._lines.majority_lines``.
        """
        tolerance = 1 / np.sqrt(self.contexts) if self.contexts else 0.0
        return majority_lines(self.across, self.up, self.proportion, tolerance)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The ``simple`` and the ``achievable`` rule, where they are rules on this plane."""
        return plane_rules(self.task, self.coordinates)

    def agreement(self, rule: str) -> float:
        """The mean agreement with one of ``rules`` over plane and contexts."""
        label = rule_labels(self.rules[rule], self.coordinates, self.across, self.up)
        return float(np.where(label == 1, self.proportion, 1 - self.proportion).mean())

    @property
    def mixed(self) -> float:
        """Proportion of the plane where the context matters: each answer is given in 5% or more."""
        return float(np.mean((self.proportion >= 0.05) & (self.proportion <= 0.95)))

    def tables(self) -> dict[str, style.Table]:
        """``proportion``: the background; ``lines``: the boundaries; ``points``: those drawn."""
        x, y = np.meshgrid(self.across, self.up)
        proportion = {"x": x.ravel(), "y": y.ravel(), "proportion": self.proportion.ravel()}
        rows = [
            (name, number, *vertex)
            for name, lines in self._lines().items()
            for number, line in enumerate(lines)
            for vertex in line
        ]
        return self._tables(proportion, ("boundary", "line", "x", "y"), rows)

    def _size(self) -> tuple[float, float]:
        return style.SINGLE, 3.2 + 0.13 * (self._marks() + self.finding.count("\n"))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        (ax,) = axes
        mesh = ax.pcolormesh(
            self.across, self.up, self.proportion, cmap=_PROPORTION, vmin=0, vmax=1, rasterized=True
        )
        bar = ax.figure.colorbar(mesh, ax=ax, ticks=[0, 0.25, 0.5, 0.75, 1], aspect=30, pad=0.03)
        given = {None: "", 0: " given \u2212", 1: " given +"}[self.label]
        proportion = f" (proportion of {self.contexts} contexts{given})" if self.contexts else ""
        bar.set_label(f"the {self.noun} says +{proportion}")
        bar.outline.set_linewidth(0.6)
        lines: list[Line2D] = []
        for name, outlines in self._lines().items():
            for x, y in (line.T for line in outlines):
                ax.plot(x, y, **_LINES[name])
            lines.append(Line2D([], [], label=self._line_label(name), **_LINES[name]))
        labels = [str(line.get_label()) for line in lines]
        handles: list[style.Handle] = [*lines]
        if self.points is not None:
            marks, totals = draw_points(ax, self.points, self.shown, self.coordinates, self.what)
            handles, labels = [*handles, *marks], labels + totals
        self._frame(ax)
        self._legend(ax, handles, labels)

    def _lines(self) -> dict[str, list[np.ndarray]]:
        """The vertices of every boundary drawn."""
        lines = {"learned": self.learned} if self.learned else {}
        for name, rule in self.rules.items():
            lines[name] = rule_lines(rule, self.coordinates, self.across, self.up)
        return lines

    def _line_label(self, name: str) -> str:
        if name == "learned":
            return "learned boundary"
        return f"{name} rule (the {self.noun} agrees on {self.agreement(name):.0%} of the plane)"

    def _axis_label(self, axis: int) -> str:
        coordinate = self.coordinates[axis]
        return f"{self.task.blocks[coordinate].kind} coordinate $x_{{{coordinate}}}$ (input units)"


def boundary(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    seed: int | None = None,
    **options: Any,  # which there are depends on the task
) -> BoundaryDisplay | RegionsDisplay:
    """The boundary of one classifier, ready to be drawn: ``boundary(stack).save("boundary.png")``.

    Of a task that is not made of independent coordinates it is that of the regions of its classes.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``.
        data: for a classifier that does not know its training set.
        seed: of the data set; default: the first whose classifier is one.
        **options: as for ``BoundaryDisplay.from_stack`` or ``RegionsDisplay.from_stack``.

    Raises:
        ValueError: a seed that is not in the stack or no classifier, or an option out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> display = simbias.plots.boundary(stack, seed=0, resolution=20, contexts=8)
        >>> type(display).__name__, sorted(display.tables())
        ('BoundaryDisplay', ['lines', 'points', 'proportion'])
        >>> display.save("boundary.png")[0].name
        'boundary.png'
    """
    classifiers = panel(learned, data)
    if isinstance(classifiers.task, BlockTask):
        return BoundaryDisplay.from_stack(classifiers, seed, **options)
    return RegionsDisplay.from_stack(classifiers, seed, **options)
