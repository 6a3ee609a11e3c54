"""The regions of the classes in a plane of the inputs, for tasks of any law and number of classes.

The colour is the most frequent label over contexts, which are fresh points of the task, and pale
where another is about as frequent: one slice through a single context would show what
the classifier does there, not on the task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypedDict, Unpack

import jax
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from simbias._checks import whole
from simbias._memory import fits
from simbias._types import Keywords
from simbias.models import DataSet, classifier, panel
from simbias.plots import _figure as style
from simbias.plots._lines import majority_lines
from simbias.plots._plane import achievable_labels, class_proportions, context_points, limits, plane
from simbias.plots._plane_display import PlaneDisplay
from simbias.plots._points import draw_points, label_points
from simbias.tasks.task import numbers_of
from simbias.validation.sound import sound_seed

_TINT = 0.45  # of a class's colour, where all contexts have its label
_ROOM = 0.05  # of the plane's sides: regions in which a disc of this radius fits are numbered
_LINES: dict[str, Keywords] = {
    "learned": {"color": style.BLACK, "linestyle": "-", "linewidth": 1.2, "zorder": 3},
    "achievable": {"color": style.GREEN, "linestyle": (0, (1, 1.2)), "linewidth": 2.4, "zorder": 2},
}


class RegionOptions(TypedDict, total=False):
    """Options that ``RegionsDisplay.from_stack`` hands on to ``from_classifier``."""

    resolution: int
    contexts: int
    shown: int


@dataclass(eq=False)
class RegionsDisplay(PlaneDisplay):
    """The most frequent label over contexts, on a plane of the unrotated space.

    It has the attributes of ``PlaneDisplay``, and:

    Attributes:
        coordinates: of inputs of several axes, counted along the last axis first.
        proportion: proportion of contexts with each label, (classes, up, across).
        contexts: fresh points of the task, of which the other coordinates are taken.
        achievable: what the achievable rule says, (up, across); None where no such rule is known,
            or it looks at other coordinates too.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> x = np.random.default_rng(0).normal(size=(2000, 2)).astype("float32")
        >>> task = simbias.tasks.ArrayTask("halves", x, (x[:, 0] > 0).astype(int))
        >>> data = simbias.data(task, n_train=1000)
        >>> display = simbias.plots.boundary(lambda x: x[:, 0], data, resolution=20, contexts=8)
        >>> type(display).__name__, display.label.shape
        ('RegionsDisplay', (20, 20))
    """

    achievable: Int[np.ndarray, "rows columns"] | None = None

    @classmethod
    def from_classifier(
        cls,
        classify: object,
        data: DataSet,
        *,
        coordinates: tuple[int, int] = (0, 1),
        resolution: int = 200,
        contexts: int = 64,
        shown: int = 300,
        name: str | None = None,
    ) -> Self:
        """The regions of any classifier, with its training set on top.

        Args:
            classify: anything that scores or labels inputs (``simbias.models.classifier``).
            data: its training set, and the law that the contexts follow.
            coordinates: the horizontal and the vertical coordinate of the unrotated space.
            resolution: grid points on a side.
            contexts: draws of the other coordinates, the same at every grid point; of a task of
                given points no more than it has to select by.
            shown: most training points to draw, up to a third of them exceptions, where there are
                some; the legend gives the totals.
            name: first line of the title; default the task's name.

        Raises:
            ValueError: an argument out of range, or a classifier that answers something else.
        """
        task, rotation = data.task, np.asarray(data.rotation)
        classify = classifier(classify, classes=task.classes)
        pair, numbers = plane(task, coordinates), numbers_of(task)
        whole("contexts", contexts, least=8)
        point_bytes = 4.0 * numbers + 16.0 * task.classes  # bytes
        fits("resolution", whole("resolution", resolution, least=2), point_bytes * resolution**2)
        whole("shown", shown, least=0)
        training = jax.device_get(data.draw())
        plotted = label_points(classify, task, rotation, training.x, training.y)
        plotted = plotted._replace(exception=np.asarray(training.exception))
        across, up = (
            np.linspace(*limits(task, j, plotted.position[:, j]), resolution) for j in pair
        )
        is_plane = numbers == 2
        others = np.zeros((1, 2)) if is_plane else context_points(data, contexts)
        proportion = class_proportions(classify, task, rotation, pair, across, up, others)
        return cls(
            name=task.name if name is None else name,
            task=task,
            coordinates=pair,
            across=across,
            up=up,
            proportion=proportion,
            contexts=0 if is_plane else len(others),
            achievable=achievable_labels(task, pair, across, up, others),
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
        horizontal: int = 0,
        **options: Unpack[RegionOptions],
    ) -> Self:
        """The regions of a network of a stack, or of another classifier, and its training set.

        Args:
            learned: a stack, or any classifiers, as for ``simbias.validate``.
            seed: of the data set; default: the first whose classifier is one.
            data: for a classifier that does not know its training set.
            coordinate: the vertical coordinate.
            horizontal: the horizontal coordinate.
            **options: ``resolution``, ``contexts`` and ``shown`` of ``from_classifier``.

        Raises:
            ValueError: a seed that is not in the stack or no classifier, or an argument out of
                range.
        """
        classifiers = panel(learned, data)
        seed = sound_seed(classifiers, seed)
        i = classifiers.index(seed)
        display = cls.from_classifier(
            classifiers.members[i],
            classifiers.data[i],
            coordinates=(horizontal, coordinate),
            name=style.network_title(classifiers, seed),
            **options,
        )
        display.what, display.noun = "training points", style.noun(classifiers.members[i])
        return display

    @property
    def label(self) -> Int[np.ndarray, "rows columns"]:
        """The most frequent label, the smallest of several."""
        label: Int[np.ndarray, "rows columns"] = self.proportion.argmax(axis=0)
        return label

    @property
    def lead(self) -> Float[np.ndarray, "rows columns"]:
        """The proportion of the most frequent label less that of the next."""
        next_, most = np.sort(self.proportion, axis=0)[-2:]
        ahead: Float[np.ndarray, "rows columns"] = most - next_
        return ahead

    @cached_property
    def learned(self) -> dict[int, list[Float[np.ndarray, "_ 2"]]]:
        """The outline of each class's region, where it is the most frequent label, input units.

        Of two classes that of the second, which is that of the first too. A line is drawn where
        the lead over the other classes is more than three standard errors on either side; see
        ``simbias.plots._lines.majority_lines``.
        """
        return self._outlines(self.proportion, self._tolerance())

    @property
    def agreement(self) -> float | None:
        """The mean agreement with the achievable rule over plane and contexts; None without one."""
        if self.achievable is None:
            return None
        return float(np.take_along_axis(self.proportion, self.achievable[None], axis=0).mean())

    @property
    def mixed(self) -> float:
        """Proportion of the plane where 5% of the contexts or more have another label."""
        return float(np.mean(self.proportion.max(axis=0) <= 0.95))

    def tables(self) -> dict[str, style.Table]:
        """``proportion``: the background; ``lines``: the boundaries; ``points``: those drawn."""
        x, y = np.meshgrid(self.across, self.up)
        proportion: dict[str, Sequence[object] | np.ndarray] = {
            "x": x.ravel(),
            "y": y.ravel(),
            "said": self.label.ravel(),
        }
        proportion |= {
            f"proportion_{label}": values.ravel() for label, values in enumerate(self.proportion)
        }
        rows = [
            (name, label, number, *vertex)
            for name, outlines in self._lines().items()
            for label, lines in outlines.items()
            for number, line in enumerate(lines)
            for vertex in line
        ]
        return self._tables(proportion, ("boundary", "class", "line", "x", "y"), rows)

    def _size(self) -> tuple[float, float]:
        marks, columns = self._marks(), self._columns()
        entries = marks + len(self._classes())
        rows = entries if columns == 1 else max(marks, (entries + 1) // 2)
        return style.SINGLE, 3.2 + 0.13 * (rows + self.finding.count("\n"))

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        (ax,) = axes
        colours = [style.CLASSES[self._group(label)] for label in range(self.task.classes)]
        tints = np.array([to_rgb(_tinted(colour)) for colour in colours])
        shades = 1 - self.lead[..., None] * (1 - tints[self.label])
        ax.pcolormesh(self.across, self.up, shades, rasterized=True)
        if self.contexts:
            shade = LinearSegmentedColormap.from_list("agree", ["#FFFFFF", _tinted(style.BLACK)])
            scale = ScalarMappable(Normalize(0, 1), shade)
            ticks = [0, 0.25, 0.5, 0.75, 1]
            bar = ax.figure.colorbar(scale, ax=ax, ticks=ticks, aspect=30, pad=0.03)
            bar.set_label(f"lead over the next class (of {self.contexts} contexts)")
            bar.outline.set_linewidth(0.6)
        handles: list[style.Handle] = []
        labels: list[str] = []
        for name, outlines in self._lines().items():
            for line in (line for lines in outlines.values() for line in lines):
                ax.plot(*line.T, **_LINES[name])
            handles.append(Line2D([], [], **_LINES[name]))
            agrees = "" if name == "learned" else f" (agreement {self.agreement:.0%})"
            labels.append(f"{name} {'boundary' if name == 'learned' else 'rule'}{agrees}")
        if self.points is not None:
            marks = draw_points(
                ax, self.points, self.shown, self.coordinates, "", colours, [style.GREY]
            )
            handles += marks[0]
            labels += marks[1]
        classes = self._classes()
        handles += [Patch(color=_tinted(style.CLASSES[group])) for group in classes]
        spare = len(labels) - len(classes) if self._columns() == 2 else 0
        labels += classes.values()
        for _ in range(spare):  # so that the classes, if they are few, have their own column
            handles.append(Patch(alpha=0))
            labels.append("")
        self._number(ax)
        self._frame(ax)
        self._legend(ax, handles, labels, ncols=self._columns())

    def _number(self, ax: Axes) -> None:
        """Write each class where its region is widest: few tell ten colours apart."""
        from scipy.ndimage import distance_transform_edt  # slow to import: not before it is needed

        spacing = 1 / (len(self.up) - 1), 1 / (len(self.across) - 1)
        for label in np.unique(self.label):
            inside = np.pad((self.label == label) & (self.lead > 2 * self._tolerance()), 1)
            depth = distance_transform_edt(inside, sampling=spacing)[1:-1, 1:-1]
            row, column = np.unravel_index(depth.argmax(), depth.shape)
            if depth[row, column] >= _ROOM:
                ax.text(
                    float(self.across[column]),
                    float(self.up[row]),
                    str(label),
                    ha="center",
                    va="center",
                    zorder=8,
                    fontweight="bold",
                    path_effects=[withStroke(linewidth=2, foreground="white")],
                )

    def _lines(self) -> dict[str, dict[int, list[np.ndarray]]]:
        """The vertices of every boundary drawn."""
        lines = {"learned": self.learned} if self.learned else {}
        if self.achievable is not None:
            labels = np.arange(self.task.classes)[:, None, None]
            lines["achievable"] = self._outlines((self.achievable == labels).astype(float), 0.0)
        return lines

    def _tolerance(self) -> float:
        """Three standard errors of half a lead, at most; few contexts must all agree."""
        return min(1.5 / np.sqrt(self.contexts), 0.49) if self.contexts else 0.0

    def _outlines(
        self, proportion: Float[np.ndarray, "classes rows columns"], tolerance: float
    ) -> dict[int, list[np.ndarray]]:
        """The outline of each class that is the most frequent label somewhere, where it has one."""
        present = np.unique(proportion.argmax(axis=0))
        outlines = {}
        for label in present if len(proportion) > 2 else [1]:
            lead = proportion[label] - np.delete(proportion, label, axis=0).max(axis=0)
            outlines[int(label)] = majority_lines(self.across, self.up, (1 + lead) / 2, tolerance)
        return {label: lines for label, lines in outlines.items() if lines}

    def _columns(self) -> int:
        """Of the legend; the words on exceptions are too long for two."""
        return 2 if self.points is None or not self.points.exception.any() else 1

    def _group(self, label: int) -> int:
        """The colour of a class: beyond the ninth of more than ten classes they share one."""
        return min(label, len(style.CLASSES) - 1)

    def _classes(self) -> dict[int, str]:
        """The legend's words on each colour: its classes, and how many points have them."""
        classes, last = {}, len(style.CLASSES) - 1
        for group in range(min(self.task.classes, last + 1)):
            more = group == last and self.task.classes > last + 1
            words = f"classes {group} to {self.task.classes - 1}" if more else f"class {group}"
            if self.points is not None:
                label = self.points.label
                words += f" ({np.sum(label >= group if more else label == group):,} points)"
            classes[group] = words
        return classes

    def _axis_label(self, axis: int) -> str:
        index = np.unravel_index(self.coordinates[axis], self.task.shape)
        return f"coordinate $x_{{{','.join(map(str, index))}}}$ (input units)"


def _tinted(colour: str) -> str:
    """The colour as a background."""
    red, green, blue = (1 - _TINT * (1 - part) for part in to_rgb(colour))
    return to_hex((red, green, blue))
