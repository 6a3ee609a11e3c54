"""Every registered task with its law drawn: each kind of coordinate, and a plane of points."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import simbias
from simbias import tasks
from simbias.describe import describe_task
from simbias.plots._figure import BLACK, BLUE, CLASSES, GREY, VERMILLION, look
from simbias.registry import REGISTRIES
from simbias.tasks.blocks import Block

TOP = """# Tasks

Every registered task at its default settings: what `simbias info NAME` says, and its law. Of a
coordinate, the density given each label is drawn, negative below and positive above the line; of
a plane, points of both, with exceptions, which the simple rule labels wrongly, ringed. All
coordinates are shown before the random rotation that hides them.
"""
POINTS, HEIGHT = 400, 0.42  # points of a plane; of the highest density, in rows


def page() -> tuple[str, dict[str, bytes]]:
    """The page, and a picture for each task."""
    lines, pictures = [TOP], {}
    for name in REGISTRIES["tasks"].names():
        if not REGISTRIES["tasks"].owns(name):
            continue
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            describe_task(name)
        lines += [f"## {name}\n", f"```\n{told.getvalue().strip()}\n```\n"]
        try:
            task = tasks.get(name)
        except ValueError:  # files of one's own
            continue
        place = f"laws/{name}.svg"
        with look():
            pictures[place] = _svg(_drawn(task))
        lines.append(f"![The law of {name}]({place})\n")
    return "\n".join(lines), pictures


def _drawn(task: tasks.Task) -> Figure:
    if len(task.shape) == 2:
        return _images(task)
    kinds = list(dict.fromkeys(task.blocks)) if isinstance(task, tasks.BlockTask) else []
    figure = Figure(figsize=(3.2 * (1 + bool(kinds)), 2.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, 1 + bool(kinds), squeeze=False)[0])
    if kinds:
        _laws(axes[0], kinds)
    _plane(axes[-1], task)
    return figure


def _laws(axes: Axes, kinds: list[Block]) -> None:
    """The density of each kind of coordinate given each label."""
    for row, block in enumerate(kinds):
        axes.axhline(-row, color=GREY, linewidth=0.5)
        pieces = [piece for law in block.laws for piece in law if piece.high > piece.low]
        top = max((piece.mass / (piece.high - piece.low) for piece in pieces), default=1)
        for sign, law, colour in zip((-1, 1), block.laws, (BLUE, VERMILLION), strict=True):
            for piece in law:
                if piece.high > piece.low:
                    density = np.full(2, piece.mass / (piece.high - piece.low) / top)
                    _fill(axes, [piece.low, piece.high], -row, sign * density, colour)
                else:  # an atom
                    ends = [-row, -row + sign * HEIGHT * piece.mass]
                    axes.plot([piece.low] * 2, ends, color=colour, linewidth=2)
            if block.is_normal:
                across = np.linspace(-3, 3, 100)
                _fill(axes, across, -row, sign * np.exp(-(across**2) / 2), colour)
    axes.set(
        yticks=-np.arange(len(kinds)), yticklabels=[b.kind for b in kinds], xlabel="coordinate"
    )
    axes.set_title("density given the label, each at its own scale")


def _fill(axes: Axes, x: Sequence[float], base: float, density: np.ndarray, colour: str) -> None:
    axes.fill_between(x, base, base + HEIGHT * density, color=colour, linewidth=0)


def _plane(axes: Axes, task: tasks.Task) -> None:
    """Points in a plane of two coordinates, of different kinds where there are."""
    across, up = 0, 1
    if isinstance(task, tasks.BlockTask):
        up = next((i for i, block in enumerate(task.blocks) if block != task.blocks[0]), 1)
    data = simbias.data(task, n_train=POINTS, seed=0)
    x = data.x @ data.rotation.T if data.rotation.size else data.x
    for label in range(task.classes):
        chosen = data.y == label
        axes.plot(x[chosen, across], x[chosen, up], ".", markersize=3.5, color=CLASSES[label])
    if data.exception is not None:
        rings = {"markersize": 6, "markerfacecolor": "none", "markeredgewidth": 0.6}
        axes.plot(*x[data.exception][:, [across, up]].T, "o", color=BLACK, **rings)
    axes.set(xlabel=f"coordinate {across}", ylabel=f"coordinate {up}")
    axes.set_title(f"{POINTS} points, a colour a label")


def _images(task: tasks.Task) -> Figure:
    """Inputs of a task of images, with their labels."""
    figure = Figure(figsize=(6.4, 1.6), layout="constrained")
    data = simbias.data(task, n_train=10, seed=0)
    for axes, image, label in zip(figure.subplots(1, 10), data.x, data.y, strict=True):
        axes.imshow(image, cmap="gray_r")
        axes.set(xticks=[], yticks=[], title=f"label {label}")
    return figure


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Creator": None, "Date": None})
    return buffer.getvalue()
