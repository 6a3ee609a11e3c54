"""Labelled points to draw on a plane, with a classifier's answers."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from simbias._checks import fail
from simbias.models.classifier import Classifier
from simbias.plots._figure import BLACK, BLUE, VERMILLION
from simbias.plots._plane import label_rows
from simbias.tasks import BlockTask
from simbias.tasks.oracle import simple_rule

_COLOUR = (BLUE, VERMILLION)  # of the negative and of the positive label


class Points(NamedTuple):
    """Points of the unrotated space.

    ``exception`` says whether the simple rule labels a point wrongly (nowhere, where a task has
    none), ``fitted`` whether the classifier gives it its own label.
    """

    position: Float[np.ndarray, "rows dim"]
    label: Int[np.ndarray, " rows"]
    exception: Bool[np.ndarray, " rows"]
    fitted: Bool[np.ndarray, " rows"]

    def take(self, chosen: Any) -> "Points":
        """Some of the points, by index or by mask."""
        return Points(*(part[chosen] for part in self))

    def some(self, most: int) -> "Points":
        """At most ``most`` points, evenly spaced in their order, up to a third of them exceptions.

        The share of exceptions is therefore not that of the whole set; among exceptions, and among
        the others, the share that is fitted is that of a plain sample.
        """
        exceptions, others = np.flatnonzero(self.exception), np.flatnonzero(~self.exception)
        few = _spaced(exceptions, most // 3)
        return self.take(np.concatenate([_spaced(others, most - len(few)), few]))


def _spaced(index: Int[np.ndarray, " rows"], most: int) -> Int[np.ndarray, " chosen"]:
    chosen = min(most, len(index))
    return index[(np.arange(chosen) * len(index)) // max(chosen, 1)]


def asked(
    classify: Classifier, task: BlockTask, rotation: Float[np.ndarray, "dim dim"], x: Any, y: Any
) -> Points:
    """Inputs and their labels as points; raises ValueError where shapes or labels are others."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != task.dim or y.shape != x.shape[:1] or not len(x):
        allowed = f"at least one row of {task.dim} coordinates, and as many labels"
        raise fail("points", f"shapes {x.shape} and {y.shape}", allowed)
    if not np.isin(y, (0, 1)).all():
        raise fail("points", f"labels such as {y[~np.isin(y, (0, 1))][0]}", "labels 0 and 1")
    position, rule = x @ rotation.T, simple_rule(task)
    exception = np.zeros(len(x), bool) if rule is None else rule(position) != y
    return Points(position, y.astype(np.int64), exception, label_rows(classify, x) == y)


def draw_points(
    ax: Axes, points: Points, most: int, coordinates: tuple[int, int], what: str
) -> tuple[list[tuple[Line2D, ...]], list[str]]:
    """Draw some of the points; returns the legend's handles and labels, which give the totals.

    Colour is the label, a diamond an exception, a hollow marker a point that is not fitted.
    """
    handles, labels = [], []
    drawn = points.some(most)
    for exception, fitted in kinds(points):
        chosen = drawn.take((drawn.exception == exception) & (drawn.fitted == fitted))
        looks = [_marker(label, exception, fitted) for label in (0, 1)]
        for label, marker in enumerate(looks):
            x, y = chosen.position[chosen.label == label][:, coordinates].T
            ax.plot(x, y, **marker)
        handles.append(tuple(Line2D([], [], **marker) for marker in looks))
        total = np.sum((points.exception == exception) & (points.fitted == fitted))
        name, no = "exceptions" if exception else what, "" if fitted else "not "
        labels.append(f"{name}, {no}fitted ({len(chosen.label)} of {total:,} shown)")
    return handles, labels


def kinds(points: Points) -> list[tuple[bool, bool]]:
    """The pairs (exception, fitted) that occur."""
    pairs = [(exception, fitted) for exception in (False, True) for fitted in (True, False)]
    return [
        pair for pair in pairs if np.any((points.exception == pair[0]) & (points.fitted == pair[1]))
    ]


def _marker(label: int, exception: bool, fitted: bool) -> dict[str, Any]:
    return {
        "linestyle": "",
        "marker": "D" if exception else "o",
        "markersize": 3.2 if exception else 2.2,
        "markerfacecolor": _COLOUR[label] if fitted else "white",
        "markeredgecolor": BLACK if exception and fitted else _COLOUR[label],
        "markeredgewidth": 0.5 if exception or not fitted else 0.0,
        "zorder": 4 + 2 * exception + (not fitted),
    }
