"""What edits do against what they cost: labels switched, and labels changed that were to stay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simbias._checks import fail
from simbias.plots import _figure as style
from simbias.plots.answers import Rows, groups

_COLOURS = (
    style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY, style.BROWN,
)  # fmt: skip
_MARKERS = "osx^vP"
_COLUMNS = 4


class EditedNetwork(NamedTuple):
    """One network under one edit.

    Attributes:
        panel: of which it is.
        intervention, direction: of the edit.
        switched: proportion of points whose label it changes.
        cost: of points whose label the coordinate does not decide, those whose label it changes.

    Examples:
        >>> from simbias.plots import EditedNetwork
        >>> EditedNetwork("d = 15", "add", "probe", 0.5, 0.1).cost
        0.1
    """

    panel: str
    intervention: str
    direction: str
    switched: float
    cost: float


@dataclass(eq=False)
class EffectsDisplay(style.Display):
    """A point for each network and edit: colours are interventions, markers directions.

    Attributes:
        networks: what is drawn.

    Examples:
        >>> from simbias.plots import EditedNetwork, EffectsDisplay
        >>> display = EffectsDisplay((EditedNetwork("d = 15", "add", "probe", 0.5, 0.1),))
        >>> display.tables()["effects"]["cost"]
        [0.1]
    """

    networks: tuple[EditedNetwork, ...]

    @property
    def panels(self) -> list[str]:
        """Panels, in order."""
        return list(dict.fromkeys(network.panel for network in self.networks))

    def tables(self) -> dict[str, style.Table]:
        """One table, a row for each point."""
        return {"effects": style.by_column(EditedNetwork._fields, self.networks)}

    def _of(self, field: str) -> list[str]:
        return list(dict.fromkeys(getattr(network, field) for network in self.networks))

    def _size(self) -> tuple[float, float]:
        rows = -(-len(self.panels) // _COLUMNS)
        return style.DOUBLE, 0.9 + 2.0 * rows

    def _n_axes(self) -> int:
        return len(self.panels)

    def _axes(self, figure: Figure) -> tuple[Axes, ...]:
        return style.grid(figure, self._n_axes(), _COLUMNS, sharey=True)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        edits, directions = self._of("intervention"), self._of("direction")
        colours = {edit: _COLOURS[i % len(_COLOURS)] for i, edit in enumerate(edits)}
        markers = {name: _MARKERS[i % len(_MARKERS)] for i, name in enumerate(directions)}
        for ax, panel in zip(axes, self.panels, strict=True):
            for network in self.networks:
                if network.panel == panel:
                    look = markers[network.direction], colours[network.intervention]
                    ax.plot(network.cost, network.switched, look[0], color=look[1], ms=3.5)
            ax.set(title=panel, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
            ax.set_xlabel("changed where the line\ndoes not decide")
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("labels switched")
        self._heading(axes[0], "effect of edits, and what they cost off their target")
        handles = [
            Line2D([], [], color=colour, marker="o", linestyle="", ms=3.5, label=edit)
            for edit, colour in colours.items()
        ]
        handles += [
            Line2D([], [], color=style.GREY, marker=marker, linestyle="", ms=3.5, label=name)
            for name, marker in markers.items()
        ]
        self._legend(axes[-1], handles, ncols=4)


def effects(rows: Rows) -> EffectsDisplay:
    """What edits do against what they cost.

    Args:
        rows: of the question ``edit``, with ``dim``, ``layer``, ``intervention``, ``direction``,
            ``switched`` and ``off_target``; those of networks without such points are left out.

    Raises:
        ValueError: no rows.

    Examples:
        >>> import simbias
        >>> row = {"dim": 15, "layer": 0, "intervention": "add", "direction": "probe"}
        >>> display = simbias.plots.effects([row | {"switched": 0.5, "off_target": 0.8}])
        >>> display.panels, round(display.networks[0].cost, 3)
        (['$d$ = 15, layer 1'], 0.2)
    """
    networks = [
        EditedNetwork(
            f"$d$ = {dim}, layer {int(str(layer)) + 1}",
            str(row["intervention"]),
            "LEACE" if row["intervention"] == "erase" else str(row["direction"]),
            float(str(row["switched"])),
            1 - float(str(row["off_target"])),
        )
        for (dim, layer), own in groups(rows, "dim", "layer").items()
        for row in _by_edit(own)
        if row["off_target"] is not None
    ]
    if not networks:
        raise fail("rows", "none", "some of edits, with points that a line does not decide")
    return EffectsDisplay(tuple(networks))


def _by_edit(rows: Rows) -> list[Mapping[str, object]]:
    return [row for own in groups(rows, "intervention", "direction").values() for row in own]
