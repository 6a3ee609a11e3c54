"""The needs that a quantity may have of a cell, by name, with the words for cells without them."""

from collections.abc import Callable
from typing import NamedTuple

from simbias._checks import fail
from simbias.networks import Committee, Ensemble
from simbias.networks.mlp import is_relu
from simbias.tasks import BlockTask
from simbias.training.cell import Cell
from simbias.validation.risk import has_rule


class Need(NamedTuple):
    """A property that a cell has or lacks, known before training.

    Attributes:
        met: whether a cell has it.
        of: the part of the cell that has it: ``"task"``, ``"network"``, ``"label_noise"``,
            ``"regime"``.
        allowed: the kind of part that has it, in words.
        without: why a column is empty for a cell that lacks it, in words.

    Examples:
        >>> import simbias
        >>> need = simbias.quantities.NEEDS["network"]
        >>> need.of, need.without
        ('network', 'no network')
        >>> task = simbias.tasks.get("lms-5", dim=4)
        >>> need.met(simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000))
        True
    """

    met: Callable[[Cell], bool]
    of: str
    allowed: str
    without: str

    def require(self, cell: Cell) -> None:
        """Raise ValueError for a cell that lacks it."""
        if not self.met(cell):
            has = getattr(cell, self.of, None)
            raise fail(self.of, getattr(has, "label", getattr(has, "name", None)), self.allowed)


def _relu_layers(cell: Cell) -> bool:
    network = getattr(cell, "network", None)  # an estimator is none
    return is_relu(network)


def _first_layer(cell: Cell) -> bool:
    network = getattr(cell, "network", None)
    return is_relu(network) or isinstance(network, Committee)


NEEDS = {
    "network": Need(
        lambda cell: hasattr(cell, "network"),
        "network",
        "a network, which is trained by updates",
        "no network",
    ),
    "simple set": Need(
        lambda cell: cell.task.truth.simple_risk is not None,
        "task",
        "a task with a simple set",
        "no simple set",
    ),
    "exceptions": Need(
        lambda cell: bool(cell.task.truth.simple_risk),
        "task",
        "a task with exceptions to its simple rule",
        "no exceptions",
    ),
    "relu layers": Need(
        _relu_layers, "network", "an MLP of relu units", "no layers of relu units to read"
    ),
    "first layer": Need(
        _first_layer,
        "network",
        "an MLP of relu units, or a committee",
        "no first layer of relu units to read",
    ),
    "members": Need(
        lambda cell: isinstance(getattr(cell, "network", None), Ensemble),
        "network",
        "an ensemble",
        "no members",
    ),
    "exact risk": Need(
        lambda cell: not any(block.is_normal for block in getattr(cell.task, "blocks", ())),
        "task",
        "a task of slab and linear coordinates",
        "no exact risk",
    ),
    "coordinates": Need(
        lambda cell: isinstance(cell.task, BlockTask),
        "task",
        "a task made of independent coordinates",
        "no independent coordinates",
    ),
    "achievable risk": Need(
        lambda cell: cell.task.truth.achievable_risk is not None,
        "task",
        "a task whose achievable risk is known",
        "the achievable risk is not known",
    ),
    "achievable rule": Need(
        lambda cell: has_rule(cell.task),
        "task",
        "a task whose achievable rule is known",
        "no achievable rule is known",
    ),
    "noisy labels": Need(
        lambda cell: getattr(getattr(cell, "label_noise", None), "form", "") == "fixed",
        "label_noise",
        "noise on labels that are drawn once",
        "no noisy labels that are drawn once",
    ),
    "lineages": Need(
        lambda cell: hasattr(cell, "lineages"),
        "regime",
        "lineages, of the experiment generations",
        "no lineages",
    ),
    "two classes": Need(
        lambda cell: cell.task.classes == 2,
        "task",
        "a task of two classes",
        "more than two classes",
    ),
}
