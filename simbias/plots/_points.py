"""Labelled points to draw on a plane, with a classifier's answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from simbias._checks import fail
from simbias._types import Keywords
from simbias.models.classifier import Classifier, labels
from simbias.plots import _figure as style
from simbias.tasks import BlockTask, Task
from simbias.tasks.oracle import simple_rule


class PlottedPoints(NamedTuple):
    """Points of the unrotated space.

    ``exception`` says whether the simple rule labels a point wrongly (nowhere, where a task has
    none), ``fitted`` whether the classifier gives it its own label.
    """

    position: Float[np.ndarray, "rows dim"]
    label: Int[np.ndarray, " rows"]
    exception: Bool[np.ndarray, " rows"]
    fitted: Bool[np.ndarray, " rows"]

    def take(self, chosen: np.ndarray) -> "PlottedPoints":
        """Some of the points, by index or by mask."""
        return PlottedPoints(*(part[chosen] for part in self))

    def some(self, most: int) -> "PlottedPoints":
        """At most ``most`` points, evenly spaced in their order, up to a third of them exceptions.

        The proportion of exceptions is therefore not that of the whole set; among exceptions, and
        among the others, the proportion that is fitted is that of a plain sample.
        """
        exceptions, others = np.flatnonzero(self.exception), np.flatnonzero(~self.exception)
        few = _spaced(exceptions, most // 3)
        return self.take(np.concatenate([_spaced(others, most - len(few)), few]))

    def fits(self, what: str) -> str:
        """How many of the points, and of exceptions, the classifier fits, in one line."""
        words = f"fits {_percent(self.fitted)} of {len(self.label):,} {what}"
        if not self.exception.any():
            return words
        fitted = self.fitted[self.exception]
        return f"{words}, {_percent(fitted)} of {len(fitted):,} exceptions"

    def table(self, coordinates: tuple[int, int]) -> style.Table:
        """The points in a plane, a row for each."""
        x, y = self.position[:, coordinates].T
        return {"x": x, "y": y} | dict(zip(self._fields[1:], self[1:], strict=True))


def _percent(hits: Bool[np.ndarray, " rows"]) -> str:
    """The proportion of hits, rounded down: 100% means all of them."""
    return f"{np.floor(1000 * hits.mean()) / 10:g}%"


def _spaced(index: Int[np.ndarray, " rows"], most: int) -> Int[np.ndarray, " chosen"]:
    chosen = min(most, len(index))
    return index[(np.arange(chosen) * len(index)) // max(chosen, 1)]


def label_points(
    classify: Classifier,
    task: Task,
    rotation: Float[np.ndarray, "dim dim"],
    x: ArrayLike,
    y: ArrayLike,
) -> PlottedPoints:
    r"""Inputs and their labels as points; raises ValueError where shapes or labels are others.

    Args:
        classify: the classifier.
        task: whose rule tells exceptions.
        rotation: the matrix that turns unrotated points into inputs; of no rows: they are inputs.
        x: inputs (rows, \*shape).
        y: labels (rows,).
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.shape[1:] != task.shape or y.shape != x.shape[:1] or not len(x):
        allowed = f"at least one row of shape {task.shape}, and as many labels"
        raise fail("points", f"shapes {x.shape} and {y.shape}", allowed)
    wrong = y[~np.isin(y, range(task.classes))]
    if len(wrong):
        raise fail("points", f"labels such as {wrong[0]}", f"labels in [0, {task.classes - 1}]")
    position = x.reshape(len(x), -1)
    position = position @ rotation.T if len(rotation) else position
    rule = simple_rule(task) if isinstance(task, BlockTask) else None
    exception = np.zeros(len(x), bool) if rule is None else rule(position) != y
    return PlottedPoints(position, y.astype(np.int64), exception, labels(classify, x) == y)


def draw_points(
    ax: Axes,
    points: PlottedPoints,
    most: int,
    coordinates: tuple[int, int],
    what: str,
    colours: Sequence[str] = style.CLASSES[:2],
    shown_in: Sequence[str] | None = None,
) -> tuple[list[tuple[Line2D, ...]], list[str]]:
    """Draw some of the points; returns the legend's handles and labels, which give the totals.

    Colour is the label, a diamond an exception, a hollow marker a point that is not fitted.

    Args:
        ax: where.
        points: all of them.
        most: how many to draw.
        coordinates: the horizontal and the vertical coordinate.
        what: what the points are called; "" where nothing needs to be said.
        colours: of each label.
        shown_in: the colours of the legend's markers; default: those of the labels.
    """
    handles, labels = [], []
    drawn = points.some(most)
    for exception, fitted in kinds(points):
        chosen = drawn.take((drawn.exception == exception) & (drawn.fitted == fitted))
        for label in range(len(colours)):
            x, y = chosen.position[chosen.label == label][:, coordinates].T
            ax.plot(x, y, **_marker(colours[label], exception, fitted))
        markers = [_marker(colour, exception, fitted) for colour in shown_in or colours]
        handles.append(tuple(Line2D([], [], **marker) for marker in markers))
        total = np.sum((points.exception == exception) & (points.fitted == fitted))
        name, no = "exceptions" if exception else what, "" if fitted else "not "
        counts = f"{no}fitted ({len(chosen.label)} of {total:,} shown)"
        labels.append(", ".join(filter(None, [name, counts])))
    return handles, labels


def kinds(points: PlottedPoints) -> list[tuple[bool, bool]]:
    """The pairs (exception, fitted) that occur."""
    pairs = [(exception, fitted) for exception in (False, True) for fitted in (True, False)]
    return [
        pair for pair in pairs if np.any((points.exception == pair[0]) & (points.fitted == pair[1]))
    ]


def _marker(colour: str, exception: bool, fitted: bool) -> Keywords:
    return {
        "linestyle": "",
        "marker": "D" if exception else "o",
        "markersize": 3.2 if exception else 2.2,
        "markerfacecolor": colour if fitted else "white",
        "markeredgecolor": style.BLACK if exception and fitted else colour,
        "markeredgewidth": 0.5 if exception or not fitted else 0.0,
        "zorder": 4 + 2 * exception + (not fitted),
    }
