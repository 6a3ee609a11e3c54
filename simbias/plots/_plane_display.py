"""What displays of a plane of the unrotated space have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from simbias.plots import _figure as style
from simbias.plots._points import PlottedPoints, kinds
from simbias.tasks import Task


@dataclass(eq=False)
class PlaneDisplay(style.Display):
    """What a classifier says on a plane, over contexts.

    Attributes:
        name: what is drawn, the first line of the title.
        task: the task.
        coordinates: the horizontal and the vertical coordinate.
        across, up: positions of the grid, input units.
        proportion: proportion of contexts with an answer, (..., up, across).
        contexts: draws of the other coordinates; 0 where the plane is the whole space.
        points: labelled points with the classifier's answers; None: none are known.
        shown: most points to draw, up to a third of them exceptions.
        what: what the points are called.
        noun: what the classifier is called.
    """

    name: str
    task: Task
    coordinates: tuple[int, int]
    across: Float[np.ndarray, " columns"]
    up: Float[np.ndarray, " rows"]
    proportion: Float[np.ndarray, "... rows columns"]
    contexts: int
    points: PlottedPoints | None
    shown: int
    what: str = "points"
    noun: str = "network"

    @property
    @abstractmethod
    def mixed(self) -> float:
        """Proportion of the plane where the context matters."""

    @abstractmethod
    def _lines(self) -> Mapping[str, object]:
        """Every boundary drawn, by name."""

    @abstractmethod
    def _axis_label(self, axis: int) -> str: ...

    @property
    def finding(self) -> str:
        """The result in words, in at most two lines."""
        lines = [] if self.points is None else [self.points.fits(self.what)]
        if self.mixed > 0.5:
            lines.append(f"the other coordinates decide on {self.mixed:.0%} of this plane")
        return "\n".join(lines)

    def _tables(
        self, proportion: style.Table, columns: Sequence[str], lines: Sequence[Sequence[object]]
    ) -> dict[str, style.Table]:
        tables: dict[str, style.Table] = {
            "proportion": proportion,
            "lines": style.by_column(columns, lines),
        }
        if self.points is not None:
            tables["points"] = self.points.some(self.shown).table(self.coordinates)
        return tables

    def _marks(self) -> int:
        """Entries of the legend that are boundaries or kinds of points."""
        return len(self._lines()) + (0 if self.points is None else len(kinds(self.points)))

    def _frame(self, ax: Axes) -> None:
        """Limits and words around the plane."""
        ax.set(
            xlim=(self.across[0], self.across[-1]),
            ylim=(self.up[0], self.up[-1]),
            xlabel=self._axis_label(0),
            ylabel=self._axis_label(1),
        )
        self._heading(ax, "\n".join(filter(None, [self.name, self.finding])))
