"""The base of all displays: a look, drawing, and writing a figure with its data beside it.

A display is a data object that can be drawn, as in scikit-learn: ``plot`` draws it and sets
``ax_`` and ``figure_``, ``save`` writes it. Figures are made without pyplot and without changing
global settings. The palette is that of Okabe and Ito, "Color universal design" (2008), which stays
apart under the common forms of colour blindness.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import Any, Self

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple

from simbias._checks import fail, place, whole
from simbias._escape import csv_text
from simbias._files import write_whole
from simbias._types import Keywords
from simbias.models.classifier import Classifier, Traced
from simbias.models.panel import Panel, panel
from simbias.plots._room import Room, wrapped
from simbias.plots._svg import page_svg
from simbias.tasks.task import numbers_of
from simbias.training.stack import Stack
from simbias.training.words import task_words

SINGLE, DOUBLE = 3.5, 7.0  # widths of one and of two columns of a paper, inches
DPI = 300
_LABEL = 44  # characters in a line of a row's label
_DPI_OF_PAGE = 150  # of what is no line in a page, and of pictures in a notebook

BLACK, GREY = "#000000", "#7F7F7F"
BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, VERMILLION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
YELLOW, BROWN = "#F0E442", "#7A4B1E"  # brown is none of the palette: it has eight colours
# of the classes; from the tenth on they are all grey
CLASSES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BROWN, YELLOW, BLACK, GREY)


Handle = Artist | tuple[Artist, ...]  # of an entry of a legend
Table = Mapping[str, Sequence[object] | np.ndarray]  # columns of one length

_LOOK: Keywords = {
    "font.size": 7.5,
    "figure.titlesize": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "simbias",  # else names in a file differ from one to the next
}
_NO_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
_OF_SVG: dict[str, None] = {"Creator": None, "Date": None}


class Display(ABC):
    """Data that can be drawn.

    Attributes:
        ax_: the axes drawn on (a tuple of them where there are several); set by ``plot``.
        figure_: the figure drawn on; set by ``plot``.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> class Risks(simbias.plots.Display):
        ...     def __init__(self, risks):
        ...         self.risks = np.asarray(risks)
        ...
        ...     def tables(self):
        ...         return {"risks": {"seed": np.arange(len(self.risks)), "risk": self.risks}}
        ...
        ...     def _size(self):
        ...         return 3.5, 2.0
        ...
        ...     def _draw(self, axes):
        ...         axes[0].plot(self.risks, "o")
        >>> [path.name for path in Risks([0.01, 0.05]).save("risks.png")]
        ['risks.png', 'risks.csv']
    """

    ax_: Axes | tuple[Axes, ...] | None = None
    figure_: Figure | None = None
    _room: Room | None = None  # None: the figure is the display's own

    def __init_subclass__(cls, **options: object) -> None:
        """A short repr, which dataclasses keep: the data are in ``tables``."""
        super().__init_subclass__(**options)
        type.__setattr__(cls, "__repr__", Display.__repr__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.tables())})"

    def plot(self, ax: Axes | Sequence[Axes] | np.ndarray | None = None) -> Self:
        """Draw.

        Args:
            ax: matplotlib axes to draw on, in their own style (a sequence of them where the display
                has several panels); they shrink where the legend would not fit below them, unless
                the figure has a layout engine. None makes a figure.

        Returns:
            The display, with ``ax_`` and ``figure_`` set.

        Raises:
            ValueError: another number of axes than the display has panels.
        """
        self._room = None
        if ax is None:
            with look():
                figure = Figure(figsize=self._size(), layout="constrained")
                axes = self._axes(figure)
                self._draw(axes)
        else:
            axes = (ax,) if isinstance(ax, Axes) else tuple(np.asarray(ax).ravel())
            if len(axes) != self._n_axes():
                raise fail("ax", f"{len(axes)} axes", f"{self._n_axes()}")
            self._room = Room(axes)
            self._draw(axes)
            self._room.make()
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = axes[0].figure.canvas.figure
        return self

    def save(self, path: str | Path, *, dpi: int = DPI) -> list[Path]:
        """Write the figure, and the plotted data as CSV beside it; draws first where need be.

        The same data give the same bytes, unless the figure has been written before: its layout
        goes on from where it was. Files appear whole or not at all.

        Args:
            path: where to; the suffix, .png or .pdf, decides the format. One table of data goes to
                the same stem with .csv, each of several to stem-NAME.csv.
            dpi: dots an inch of a .png.

        Returns:
            The paths written, the figure's first.

        Raises:
            ValueError: another suffix, or dpi < 1.
            OSError: a place that cannot be written to.
        """
        path = place("path", path)
        if path.suffix.lower() not in _NO_METADATA:
            raise fail("path", str(path), "a file name that ends in .png or .pdf")
        files = {path: _rendered(self._drawn(), path.suffix.lower(), whole("dpi", dpi))}
        tables = self.tables()
        for name, table in tables.items():
            stem = path.stem if len(tables) == 1 else f"{path.stem}-{name}"
            files[path.with_name(f"{stem}.csv")] = _csv(table)
        for target, content in files.items():
            _write(target, content)
        return list(files)

    def svg(self, prefix: str = "figure") -> str:
        """The figure as an ``<svg>`` element, which stands in an HTML page as it is.

        It has no styles, scripts or links, so that a strict content security policy lets it be.

        Args:
            prefix: begins every id in it: figures of one page need prefixes of their own.
        """
        buffer = BytesIO()
        with look():
            self._drawn().savefig(buffer, format="svg", dpi=_DPI_OF_PAGE, metadata=_OF_SVG)
        return page_svg(buffer.getvalue().decode(), prefix)

    def csv(self) -> dict[str, str]:
        """The plotted data as the text of a CSV file, by the name of the table."""
        return {name: _csv(table).decode() for name, table in self.tables().items()}

    def _repr_png_(self) -> bytes:
        """The figure, as a notebook shows it."""
        return _rendered(self._drawn(), ".png", _DPI_OF_PAGE)

    def _drawn(self) -> Figure:
        """The figure that was drawn on, or a new one."""
        figure = self.plot().figure_ if self.figure_ is None else self.figure_
        assert figure is not None  # it was drawn on
        return figure

    @abstractmethod
    def tables(self) -> dict[str, Table]:
        """The plotted data: columns by name, tables by name."""

    @abstractmethod
    def _size(self) -> tuple[float, float]:
        """Width and height of a new figure, inches."""

    @abstractmethod
    def _draw(self, axes: tuple[Axes, ...]) -> None:
        """Draw on as many axes as there are panels."""

    def _heading(self, ax: Axes, text: str) -> None:
        """A title: over the whole figure where it is the display's own."""
        if self._room is None:
            width = 72 * (ax.figure.canvas.figure.get_size_inches()[0] - 0.05)
            ax.figure.suptitle(wrapped(text, _LOOK["figure.titlesize"], width))
        else:
            self._room.title(ax, text)

    def _legend(
        self,
        ax: Axes,
        handles: Sequence[Handle],
        labels: Sequence[str] | None = None,
        *,
        ncols: int = 1,
    ) -> None:
        """A legend (default: the handles' labels), under the figure where that is its own."""
        if labels is None:
            labels = [str(handle.get_label()) for handle in handles if isinstance(handle, Artist)]
        options: Keywords = {"handles": handles, "labels": labels}
        options["handler_map"] = {tuple: HandlerTuple(ndivide=None)}
        if self._room is None:
            ax.figure.legend(loc="outside lower center", ncols=ncols, **options)
        else:
            self._room.legend(ax, ncols, _LOOK["legend.fontsize"], options)

    def _n_axes(self) -> int:
        return 1

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return (figure.add_subplot(),)


def broken(label: str) -> str:
    """The label of a row in lines that leave room for panels."""
    # settings of an estimator have no spaces, at which a label breaks into lines
    return fill(re.sub(r",(?=[a-z])", ", ", label), _LABEL)


def most_breaks(labels: Iterable[str]) -> int:
    """The most breaks between lines of a label of a row."""
    return max(broken(label).count("\n") for label in labels)


def panels(figure: Figure, heights: Sequence[float], columns: int) -> tuple[Axes, ...]:
    """Rows of panels of these heights, each of which shares its vertical axis, row by row."""
    grid = figure.subplots(
        len(heights), columns, sharey="row", squeeze=False, height_ratios=list(heights)
    )
    return tuple(grid.ravel())


def grid(figure: Figure, count: int, columns: int, **options: Any) -> tuple[Axes, ...]:
    """So many panels row by row, so many side by side; options are those of ``subplots``."""
    columns = min(count, columns)
    axes = figure.subplots(-(-count // columns), columns, squeeze=False, **options).ravel()
    for spare in axes[count:]:
        spare.remove()
    return tuple(axes[:count])


def segments(
    low: Sequence[float], high: Sequence[float], y: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Segments along x as one line with gaps, which is drawn many times as fast."""
    gaps = np.full(len(y), np.nan)
    return np.column_stack([low, high, gaps]).ravel(), np.repeat(np.asarray(y, float), 3)


def rows(ax: Axes, names: Sequence[str], width: float, labelled: bool) -> None:
    """Make room for a row a name, with a line across of that width, and labels if so wished."""
    lines = [[(0, y), (1, y)] for y in range(len(names))]
    look: Keywords = {"colors": "#DDDDDD", "linewidths": width, "zorder": 0.5}
    across = LineCollection(lines, transform=ax.get_yaxis_transform(), **look)
    ax.add_collection(across, autolim=False)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if labelled:
        ax.set_yticks(range(len(names)), map(broken, names))
        ax.tick_params(axis="y", length=0)
    else:  # nothing of it would be seen, and a layout takes time over each tick
        ax.yaxis.set_visible(False)


def by_column(names: Iterable[str], rows: Sequence[Sequence[object]]) -> dict[str, list[object]]:
    """Rows as a table: the columns by name."""
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def noun(member: Classifier) -> str:
    """The word for a classifier."""
    return "network" if isinstance(member, Traced) else "classifier"


def network_title(learned: Stack | Panel, seed: int) -> str:
    """The task and its settings, the classifier and its seed, in one line."""
    classifiers = panel(learned)
    task, member = classifiers.task, classifiers.members[classifiers.index(seed)]
    words = f"{task_words(task, but=['dim'])}, $d$ = {numbers_of(task)}"
    return f"{words}, {noun(member)} {member.label}, seed {seed}"


@contextmanager
def look() -> Iterator[None]:
    """The common look, whatever the user's own settings are; they are restored afterwards."""
    with matplotlib.style.context([_LOOK], after_reset=True):
        yield


def _rendered(figure: Figure, suffix: str, dpi: int) -> bytes:
    buffer = BytesIO()
    with look():
        figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=_NO_METADATA[suffix])
    return buffer.getvalue()


def _csv(table: Table) -> bytes:
    rows = zip(*(map(_cell, column) for column in table.values()), strict=True)
    return csv_text(list(table), rows).encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return str(int(value))
    return f"{value:.7g}" if isinstance(value, float | np.floating) else str(value)


def _write(target: Path, content: bytes) -> None:
    try:
        write_whole(target, lambda path: path.write_bytes(content))
    except OSError as error:
        raise OSError(f"cannot write {target}: {error.strerror}") from None
