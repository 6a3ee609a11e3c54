"""Questions about the networks of a cell: the cells of the experiment ``directions``."""

import hashlib
from dataclasses import asdict, dataclass

from simbias._checks import check_keys, fail, known, whole
from simbias._identity import canonical
from simbias._types import Settings
from simbias.directions import INTERVENTIONS, TARGETS
from simbias.directions import names as direction_names
from simbias.directions.probes import UNITS
from simbias.tasks import Task
from simbias.tasks.shifts import shifted
from simbias.training.cell import Cell, cell_from_settings
from simbias.validation.controls import RULES

TRAINED = "trained"
MADE = (TRAINED, *RULES)

# what may be asked, with the settings of each question beside ``updates``
ASKED: dict[str, dict[str, type]] = {
    "edit": {"direction": str, "intervention": str, "layer": int},
    "doses": {"direction": str, "layer": int},
    "layer": {"target": str, "probe": str, "layer": int},
    "refit": {},
    "seeds": {"other": int, "shift": str, "layer": int},
}


@dataclass(frozen=True)
class Question:
    """What is asked of networks.

    Attributes:
        name: one of ``ASKED``.
        direction, intervention, layer: of an edit; a direction of doses.
        target, probe: of what a layer tells.
        other, shift: the seed to compare with, and the shift of the points.
        updates: after which the networks are asked, a check of their cell; None: as they ended.

    Examples:
        >>> from simbias.experiments.questions import Question
        >>> Question("layer", target="slab", updates=400).settings
        {'name': 'layer', 'target': 'slab', 'updates': 400}
    """

    name: str
    direction: str = "mean-difference"
    intervention: str = "add"
    layer: int = 0
    target: str = "label"
    probe: str = "linear"
    other: int = 0
    shift: str = "none"
    updates: int | None = None

    def __post_init__(self) -> None:
        known("asked: name", self.name, ASKED)
        known("asked: direction", self.direction, direction_names())
        known("asked: intervention", self.intervention, INTERVENTIONS)
        known("asked: target", self.target, TARGETS)
        known("asked: probe", self.probe, UNITS)
        whole("asked: layer", self.layer, least=0)
        whole("asked: other", self.other, least=0)

    @property
    def settings(self) -> Settings:
        """The settings that it has, without those at their defaults."""
        default = Question(self.name)
        own = {key: value for key, value in asdict(self).items() if value != getattr(default, key)}
        return {"name": self.name, **own}

    @property
    def columns(self) -> dict[str, object]:
        """Its settings as columns."""
        own = {key: getattr(self, key) for key in ASKED[self.name]}
        return {"asked": self.name, **own}


@dataclass(frozen=True)
class DirectionsCell:
    """A question about the networks of a cell.

    Attributes:
        counterpart: the cell of these networks.
        asked: the question.
        made: ``"trained"``, or the rule of which they are the explicit networks.

    Examples:
        >>> import simbias
        >>> from simbias.experiments.questions import DirectionsCell, Question
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> cell = simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000)
        >>> asked = DirectionsCell(cell, Question("refit"), "achievable")
        >>> asked.settings["asked"], asked.settings["made"], asked.name.split("/")[:3]
        ({'name': 'refit'}, {'name': 'achievable'}, ['noisy-lms-5', '(8,1)', 'refit'])
    """

    counterpart: Cell
    asked: Question
    made: str = TRAINED

    def __post_init__(self) -> None:
        known("made: name", self.made, MADE)
        until, stop = self.asked.updates, self.counterpart.stop
        if until is not None and (self.made != TRAINED or not stop.checked_at(until)):
            allowed = "a check of the cell's training" if self.made == TRAINED else "none"
            raise fail("asked: updates", until, allowed)
        shifted(self.counterpart.block_task, self.asked.shift)

    @property
    def task(self) -> Task:
        return self.counterpart.task

    @property
    def settings(self) -> Settings:
        kind: Settings = {"experiment": "directions", "asked": self.asked.settings}
        if self.made != TRAINED:
            kind["made"] = {"name": self.made}
        return {**self.counterpart.settings, **kind}

    @property
    def identity(self) -> str:
        own = {"asked": self.asked.settings, "made": self.made}
        return canonical(own | {"counterpart": self.counterpart.identity})

    @property
    def name(self) -> str:
        digest = hashlib.sha256(self.identity.encode()).hexdigest()
        label = self.counterpart.network.label
        return f"{self.task.name}/{label}/{self.asked.name}/{digest[:6]}"


def directions_cell(settings: Settings) -> DirectionsCell:
    """The cell of some settings; raises ValueError."""
    asked, source = settings["asked"], settings.get("made", {"name": TRAINED})
    check_keys("made", source, {"name": str}, {})
    kind = known("asked: name", asked.get("name"), ASKED)
    check_keys("asked", asked, {"name": str}, {**ASKED[kind], "updates": int})
    own = {key: value for key, value in settings.items() if key not in ("asked", "made")}
    return DirectionsCell(cell_from_settings(own), Question(**asked), source["name"])
