"""The registered experiments, and the experiment of a cell."""

import re
from collections.abc import Mapping
from functools import cache

from simbias._checks import fail, known
from simbias.experiments.experiment import AnyCell, Experiment, OwnCell
from simbias.registry import EXPERIMENTS

USUAL = "classify"  # the experiment of a cell that names none
KEY = "experiment"
# folders of a run directory that are not an experiment's
_TAKEN = {
    "bounds", "checkpoints", "evidence", "figures", "measured", "pending", "traces", "verdicts",
    "weights",
}  # fmt: skip


@cache
def experiments() -> dict[str, Experiment]:
    """Every experiment by name: those of this package in their order, then installed ones by name.

    An installed one that is invalid, or whose table's name is taken, is left out, with a
    warning.

    Examples:
        >>> from simbias.experiments import experiments
        >>> [experiment.name for experiment in experiments().values()][:2]
        ['classify', 'estimators']
    """
    taken = set(_TAKEN)
    columns: dict[str, str] = {}

    def check(place: str, experiment: Experiment) -> None:
        if experiment.table.name in taken or not re.fullmatch(
            r"[a-z][a-z0-9_]*", experiment.table.name
        ):
            allowed = f"small letters, digits and _, none of {', '.join(sorted(taken))}"
            raise fail(f"{place}: table", experiment.table.name, allowed)
        for column in experiment.trace:  # the checks of all experiments are one table
            if columns.setdefault(column.name, column.type) != column.type:
                words = f"{column.name} {column.type}"
                raise fail(f"{place}: trace", words, columns[column.name])
        taken.add(experiment.table.name)

    return EXPERIMENTS.loaded(Experiment, check)


def experiment_of(cell: AnyCell | Mapping[str, object]) -> Experiment:
    """The experiment of a cell, or of the settings of one; raises ValueError.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import experiment_of
        >>> experiment_of(cell).name
        'classify'
    """
    settings = cell if isinstance(cell, Mapping) else cell.settings
    name = settings.get(KEY, USUAL)
    return experiments()[known(KEY, name, experiments())]


def label_of(cell: AnyCell) -> str:
    """The learner of a cell, in words; "" where there is none.

    Examples:
        >>> import simbias
        >>> task, stop = simbias.tasks.get("noisy-lms-5", dim=4), simbias.Stop(max_updates=200)
        >>> net, method = simbias.MLP(8), simbias.sgd()
        >>> cell = simbias.training.Cell(task, net, method, n_train=1000, stop=stop)
        >>> from simbias.experiments import label_of
        >>> label_of(cell)
        '(8,1)'
    """
    experiment = experiment_of(cell)
    return str(experiment.known(cell).get(experiment.learner, ""))


def cell_of(settings: Mapping[str, object]) -> OwnCell:
    """The cell of some settings, of any experiment; raises ValueError.

    Examples:
        >>> from simbias.experiments import cell_of
        >>> task, tree = {"name": "noisy-lms-5", "dim": 4}, {"name": "decision-tree"}
        >>> kind = {"experiment": "estimators"}
        >>> cell = cell_of({**kind, "task": task, "estimator": tree, "n_train": 1000})
        >>> cell.estimator.label, cell.n_train
        ('decision-tree', 1000)
    """
    own = {key: value for key, value in settings.items() if key != KEY}
    return experiment_of(settings).cell(own)
