"""A run cell by cell: means over seeds with intervals, beside published values."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simbias._checks import instance
from simbias._defaults import CONFIDENCE
from simbias._frames import DataFrame, frame
from simbias._types import Settings, TableRow
from simbias.experiments import Experiment, experiment_of, experiments
from simbias.experiments.experiment import Ranged, Shown
from simbias.experiments.registered import USUAL
from simbias.quantities import Quantity
from simbias.registry import QUANTITIES
from simbias.results.store import Store
from simbias.results.transitions import Transitions, transitions
from simbias.stats.student import half_width_of_mean
from simbias.training.cell import cell_from_settings
from simbias.training.words import distinguishing, task_words, varied

INTERVAL = "approximate 95% t interval"  # of a mean


@dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Attributes:
        value: the mean; NaN where no network has a value.
        half: half-width of its 95% interval by Student's t over seeds, approximate: it assumes that
            they vary by a normal law; NaN for a single seed, and where all seeds are the same.
        published: the published value, if there is one.
        least, most: range of the mean.
    """

    value: float
    half: float
    published: float | None
    least: float = 0.0
    most: float = 1.0

    @property
    def low(self) -> float:
        """Lower end of the interval, cut at the least possible."""
        return max(self.value - self.half, self.least)

    @property
    def high(self) -> float:
        """Upper end of the interval, cut at the most possible."""
        return min(self.value + self.half, self.most)


@dataclass(frozen=True)
class Summary:
    """One cell of a run.

    Attributes:
        cell, network: names; another learner's where it is no network.
        task: its name, with the settings that differ from the catalogue's and are not among
            ``settings``.
        settings: those of its settings that are not the same in every cell of the run, other than
            the names of task and network.
        statuses: number of networks by status.
        means: by quantity, those that tables show; one of another package, or of noise, only
            where some network of the run has a value.
        transitions: when its networks reach the achievable boundary; None where its stop rule has
            no ``select_accuracy``, or no network was measured.
        learner: the word for what learns; empty where nothing does.
        table: of its rows.
        units: what a mean is over, plural.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> (cell,) = simbias.results.summarise(store)
        >>> cell.task, cell.network, cell.statuses
        ('noisy-lms-5, d 4', '(8,1)', {'done': 2})
        >>> sorted(cell.means)[:3]
        ['exceptions_fitted', 'memorised', 's_randomised_accuracy']
    """

    cell: str
    task: str
    network: str
    settings: Settings
    statuses: dict[str, int]
    means: dict[str, Mean]
    transitions: Transitions | None
    learner: str = "network"
    table: str = "networks"
    units: str = "networks"

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row a quantity; raises ValueError where there is no pandas."""
        return frame(
            {
                "cell": [self.cell] * len(self.means),
                "quantity": self.means,
                **{
                    name: [getattr(mean, name) for mean in self.means.values()]
                    for name in ("value", "low", "high", "published")
                },
            }
        )


def cell_settings(store: Store) -> dict[str, dict[str, object]]:
    """The settings that set each cell of a run apart, by the cell's name, in the suite's order."""
    config = store.config() or {"cells": [], "names": []}
    by_cell: dict[str, dict[str, object]] = {entry["cell"]: {} for entry in config["names"]}
    return by_cell | dict(zip(by_cell, distinguishing(config["cells"]), strict=False))


def tables_of(store: Store) -> list[str]:
    """The names of the tables of a run's experiments; networks where the run names no cell."""
    cells = (store.config() or {"cells": []})["cells"]
    kinds = dict.fromkeys(map(experiment_of, cells)) or {experiments()[USUAL]: None}
    return [kind.table.name for kind in kinds]


def summarise(store: Store) -> list[Summary]:
    """Every cell of a run that has a row, in the suite's order.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> store = simbias.runner.keep(stack, "run", n_certify=10_000)
        >>> [(cell.cell, cell.statuses) for cell in simbias.results.summarise(store)]
        [('noisy-lms-5/(8,1)/944f36', {'done': 2})]
    """
    instance("store", store, Store)
    experiment_by_cell: dict[str, Experiment] = {}
    members: dict[str, list[TableRow]] = {}
    for experiment in experiments().values():
        for row in _rows_by_seed(store, experiment):
            experiment_by_cell[row["cell"]] = experiment
            members.setdefault(row["cell"], []).append(row)
    order = sorted(members, key=store.order)
    settings = [json.loads(members[name][0]["settings"]) for name in order]
    selecting = [
        cell for cell in settings if cell.get("stop", {}).get("select_accuracy") is not None
    ]
    times = (
        transitions(store, [cell_from_settings(cell) for cell in selecting]) if selecting else {}
    )
    entries = (store.config() or {}).get("names", [])
    published = {entry["cell"]: entry["published"] for entry in entries}
    shown: dict[str, Ranged] = {
        column: ranged
        for experiment in dict.fromkeys(experiment_by_cell.values())
        for column, ranged in experiment.shown.items()
        if _always(column, ranged)
        or any(row.get(column) is not None for rows in members.values() for row in rows)
    }
    summaries = []
    for name, cell_values, varying in zip(order, settings, varied(settings), strict=True):
        statuses = [member["status"] for member in members[name]]
        means = {
            column: mean_over_seeds(
                [member.get(column) for member in members[name]],
                published.get(name, {}).get(column),
                least=ranged.low,
                most=ranged.high,
            )
            for column, ranged in shown.items()
        }
        counted = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
        task = task_words(cell_values["task"], but=varying)
        kind = experiment_by_cell[name]
        label = members[name][0].get(kind.learner, "")
        transition = times.get(name)
        summaries.append(
            Summary(
                name,
                task,
                label,
                varying,
                counted,
                means,
                transition,
                kind.learner,
                kind.table.name,
                kind.units or kind.table.name,
            )  # fmt: skip
        )
    return summaries


def _always(column: str, ranged: Ranged) -> bool:
    """Whether tables show a column even where no row of the run has a value."""
    if isinstance(ranged, Shown):
        return ranged.always
    return not isinstance(ranged, Quantity) or (
        QUANTITIES.owns(column) and "noisy labels" not in ranged.needs
    )


def _rows_by_seed(store: Store, experiment: Experiment) -> list[TableRow]:
    """The rows of an experiment by seed, with the columns that a summary needs."""
    columns = ["cell", "settings", "status", *filter(None, [experiment.learner]), *experiment.shown]
    selected = ", ".join(f'"{name}"' for name in columns)
    names, rows = store.query(f"SELECT {selected} FROM {experiment.table.name} ORDER BY seed")
    return [dict(zip(names, row, strict=True)) for row in rows]


def mean_over_seeds(
    values: Sequence[float | None],
    published: float | None = None,
    least: float = 0.0,
    most: float = 1.0,
) -> Mean:
    """The mean of the values that are there."""
    present = np.array([value for value in values if value is not None], float)
    if not len(present):
        return Mean(np.nan, np.nan, published, least, most)
    half = half_width_of_mean(present, CONFIDENCE)
    return Mean(float(present.mean()), half, published, least, most)
