"""Room for legend, title and texts that a display puts around axes that are not its own.

A layout engine of the figure makes that room itself. Without one, the axes shrink within the space
that was theirs: up to the edges of the figure, or to its other axes.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine, TightLayoutEngine
from matplotlib.legend import Legend
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox, ScaledTranslation, blended_transform_factory

from simbias._types import Keywords

HINTED = 1.06  # small type is this much wider on a coarse screen
_PAD = 0.03  # inches, between the edge of the figure and what is drawn
_LEAST = 0.2  # of the size of the axes, which nothing around them takes
_TALLEST = 0.5  # of the height of the axes, for a legend in the user's own type


def text_width(text: str, size: float) -> float:
    """Width of a text of a type size, both in points; mathematics counts as its letters."""
    font = FontProperties(size=size)
    return text_to_path.get_text_width_height_descent(text.replace("$", ""), font, False)[0]


def wrapped(text: str, size: float, width: float) -> str:
    """A text with its lines broken between words where they are wider than ``width`` points."""
    lines = []
    for line in text.split("\n"):
        words = line.split(" ")
        while words:
            # from the second word on, how many still fit: few are measured of a long text
            ends = range(2, len(words) + 1)
            wider = partial(_wider, words, size, width)
            fit = 1 + bisect_left(ends, True, key=wider)
            lines.append(" ".join(words[:fit]))
            words = words[fit:]
    return "\n".join(lines)


def _wider(words: Sequence[str], size: float, width: float, end: int) -> bool:
    """Whether the words before ``end`` are wider than that in one line."""
    return text_width(" ".join(words[:end]), size) > width


class Room:
    """The space of some axes in a figure.

    Attributes:
        axes: those that a display was given.
        figure: theirs.
        space: the pixels around them that are free of the figure's other axes.
    """

    def __init__(self, axes: Sequence[Axes]) -> None:
        self.axes = tuple(axes)
        self.figure: Figure = axes[0].figure.canvas.figure
        self._before = set(self.figure.axes)
        self._hull = Bbox.union([ax.bbox for ax in axes])
        self._legend: tuple[Legend, Axes, float] | None = None  # with its distance below, pixels
        self.space = self._free()

    def _free(self) -> Bbox:
        pad, hull = _PAD * self.figure.dpi, self._hull
        x0, y0, x1, y1 = pad, pad, self.figure.bbox.width - pad, self.figure.bbox.height - pad
        for other in self._before.difference(self.axes):
            tight = other.get_tightbbox()
            if tight is None:
                continue
            box, frame = tight.padded(pad), other.bbox
            if frame.y0 < hull.y1 and frame.y1 > hull.y0:  # beside
                x0 = max(x0, min(box.x1, hull.x0)) if frame.x1 <= hull.x0 else x0
                x1 = min(x1, max(box.x0, hull.x1)) if frame.x0 >= hull.x1 else x1
            if frame.x0 < hull.x1 and frame.x1 > hull.x0:  # above or below
                y0 = max(y0, min(box.y1, hull.y0)) if frame.y1 <= hull.y0 else y0
                y1 = min(y1, max(box.y0, hull.y1)) if frame.y0 >= hull.y1 else y1
        return Bbox([[x0, y0], [x1, y1]])

    def title(self, ax: Axes, text: str) -> None:
        """A title over an axes, no wider than the space."""
        middle = (ax.bbox.x0 + ax.bbox.x1) / 2
        width = 2 * min(middle - self.space.x0, self.space.x1 - middle)
        size = ax.title.get_fontproperties().get_size_in_points()
        ax.set_title(wrapped(text, size, 72 * width / self.figure.dpi / HINTED))

    def legend(self, ax: Axes, ncols: int, small: float, options: Keywords) -> None:
        """A legend under the labels of an axes, no wider than the space.

        It has fewer columns where they are too wide, and smaller type where even one is. That of
        several axes stands under the whole figure where a layout engine would squeeze them.

        Args:
            ax: the axes, whose labels are set.
            ncols: most columns.
            small: the smaller type, points.
            options: of ``Axes.legend``.
        """
        engine = self.figure.get_layout_engine()
        under_all = len(self.axes) > 1 and not self.figure.legends
        if under_all and isinstance(engine, ConstrainedLayoutEngine):
            make = partial(self.figure.legend, **options, loc="outside lower center")
            self._fitting(make, ncols, small)
        elif under_all and isinstance(engine, TightLayoutEngine):
            make = partial(self.figure.legend, **options, loc="lower center")
            legend = self._fitting(make, ncols, small)
            top = legend.get_window_extent().y1 / self.figure.bbox.height
            engine.set(rect=(0, top, 1, 1))
        else:
            make = partial(ax.legend, **options, loc="upper center", borderaxespad=0.0)
            row = [other for other in self.axes if abs(other.bbox.y0 - ax.bbox.y0) < 1]
            labels = [box for other in row if (box := other.xaxis.get_tightbbox()) is not None]
            below = max((ax.bbox.y0 - box.y0 for box in labels), default=0.0)
            legend = self._fitting(make, ncols, small)
            self._legend = legend, ax, below + _PAD * self.figure.dpi
            self._place_legend()

    def _fitting(self, make: Callable[..., Legend], ncols: int, small: float) -> Legend:
        """The first legend that fits, else the smallest."""
        tallest = _TALLEST * self._hull.height
        for size in (None, small):
            for columns in range(ncols, 0, -1):
                legend = make(ncols=columns, fontsize=size)
                box = legend.get_window_extent()
                if box.width <= self.space.width and box.height <= tallest:
                    return legend
                if (size, columns) != (small, 1):
                    legend.remove()
        return legend

    def _place_legend(self) -> None:
        """Place the legend below the middle of its axes, or as near to it as the space allows."""
        if self._legend is None:
            return
        legend, ax, below = self._legend
        dpi, half = self.figure.dpi, legend.get_window_extent().width / 2
        down = ax.transAxes + ScaledTranslation(0, -below / dpi, self.figure.dpi_scale_trans)
        middle = (ax.bbox.x0 + ax.bbox.x1) / 2
        if self.figure.get_layout_engine() is not None:  # which may move the axes anywhere
            middle = (self.space.x0 + self.space.x1) / 2
        inside = max(min(middle, self.space.x1 - half), self.space.x0 + half)
        place = blended_transform_factory(self.figure.transFigure, down)
        legend.set_bbox_to_anchor((inside / self.figure.bbox.width, 0), place)

    def make(self) -> None:
        """Shrink the axes, down to a limit, until all that is drawn around them is in the space.

        Axes that were added, such as a colour bar, move along.
        """
        if self.figure.get_layout_engine() is not None:
            return
        axes = [*self.axes, *(ax for ax in self.figure.axes if ax not in self._before)]
        free, least = np.array(self.space.extents), _LEAST * np.array(self._hull.size)
        for _ in range(4):  # what is around axes may depend on their size
            hull = Bbox.union([ax.bbox for ax in axes])
            boxes = [box for ax in axes if (box := ax.get_tightbbox()) is not None]
            past = free - Bbox.union(boxes).extents
            low, high = hull.min + past[:2].clip(min=0), hull.max + past[2:].clip(max=0)
            high = np.maximum(high, low + least)
            if np.allclose([low, high], [hull.min, hull.max], atol=0.01):
                return
            scale = (high - low) / np.array(hull.size)
            for ax in axes:
                subfigure = ax.figure.transSubfigure
                box = ax.get_position(original=True).transformed(subfigure)
                corners = (np.subtract(end, hull.min) for end in (box.min, box.max))
                ends = [low + scale * corner for corner in corners]
                ax.set_position(Bbox(ends).transformed(subfigure.inverted()))
            self._place_legend()
