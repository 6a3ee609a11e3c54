"""Settings of learners by random search, on seeds and points that no result is reported of.

Every method and estimator of a preset that the suite gives a space is trained with its own
settings and with those of random trials, equally many for each, on seeds of their own. The trial
with the highest mean accuracy on select draws, at the end of training, is taken; certify draws are
not looked at.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simbias._checks import fail, whole
from simbias._types import Settings
from simbias.experiments import FINAL, cell_of
from simbias.results.store import Store
from simbias.runner.plan import Plan, make_plan
from simbias.suites.spaces import trial
from simbias.suites.suite import Preset, Suite

FIRST_SEED = 2_000_000  # no suite's own, and no claim's
_PRESET = "trials"


@dataclass(frozen=True)
class Tuned:
    """A learner of a suite and what random search has found for it.

    Attributes:
        cell: the settings of the suite's cell.
        chosen: those with the settings of the best trial; the suite's own where no trial is better.
        own_accuracy: mean accuracy on select draws with the suite's own settings, over seeds.
        accuracy: that of the best trial.
        trials: how many were drawn, beside the suite's own settings.

    Examples:
        >>> from simbias.runner.tune import Tuned
        >>> own = {"task": {"name": "lms-7"}, "method": {"name": "sgd", "learning_rate": 0.1}}
        >>> better = own | {"method": {"name": "sgd", "learning_rate": 0.5}}
        >>> Tuned(own, better, own_accuracy=0.94, accuracy=0.95, trials=8).chosen["method"]
        {'name': 'sgd', 'learning_rate': 0.5}
    """

    cell: Settings
    chosen: Settings
    own_accuracy: float
    accuracy: float
    trials: int


def trials_plan(suite: Suite, preset: str, *, trials: int, seeds: int) -> Plan:
    """The plan that trains every trial.

    Args:
        suite: with a space for some method or estimator of the preset.
        preset: its name.
        trials: random ones for each learner, beside its own settings.
        seeds: on which each trial is trained, from ``FIRST_SEED`` on.

    Raises:
        ValueError: an argument out of range, or a preset without a learner that has a space.
    """
    whole("trials", trials)
    whole("seeds", seeds)
    cells = [
        settings
        for cell in _tunable(suite, suite.preset(preset))
        for settings in _trials(suite, cell, trials)
    ]
    if not cells:
        raise fail("suite", f"{suite.name}, without a space for a learner of {preset}", "one with")
    searched = replace(
        suite.preset(preset), name=_PRESET, cells=tuple(cells), seeds=seeds, published=()
    )
    own = Suite(f"{suite.name}-tune", suite.summary, suite.source, {_PRESET: searched})
    return make_plan(own, _PRESET, seeds=range(FIRST_SEED, FIRST_SEED + seeds), n_certify=1)


def tuned(store: Store, suite: Suite, preset: str, *, trials: int) -> list[Tuned]:
    """What the trials of a run say of each learner that has a space.

    Raises:
        ValueError: a trial without a seed that ended.
    """
    by_cell = _accuracies(store)
    learners = []
    for cell in _tunable(suite, suite.preset(preset)):
        candidates = list(_trials(suite, cell, trials))
        accuracies = []
        for settings in candidates:
            name = cell_of(settings).name
            if name not in by_cell:
                raise fail("out", f"{store.directory}, without the trial {name}", "a whole run")
            accuracies.append(by_cell[name])
        best = int(np.argmax(accuracies))  # the first of those that are equal
        learners.append(Tuned(cell, candidates[best], accuracies[0], accuracies[best], trials))
    return learners


def tuned_suite(suite: Suite, preset: str, learners: Sequence[Tuned]) -> Settings:
    """A suite file of the preset's cells, and of those that were tuned, beside them."""
    own = suite.preset(preset)
    cells: list[Settings] = [*own.cells]
    cells += [learner.chosen for learner in learners if learner.chosen not in cells]
    points = {} if own.n_certify is None else {"n_certify": own.n_certify}
    of_preset = {"summary": own.summary, "seeds": own.seeds, **points, "cells": cells}
    return {
        "name": f"{suite.name}-tuned",
        "summary": f"{suite.summary}; settings as they are and tuned",
        "source": suite.source,
        "tasks": {},
        "presets": {preset: of_preset},
    }


def tuned_part(cell: Settings) -> str:
    """Which of a learner's settings are tuned: ``"method"`` or ``"estimator"``; "": none."""
    return {"classify": "method", "estimators": "estimator"}.get(
        cell.get("experiment", "classify"), ""
    )


def _tunable(suite: Suite, preset: Preset) -> Iterator[Settings]:
    for cell in preset.cells:
        if cell.get(tuned_part(cell), {}).get("name") in suite.spaces:
            yield dict(cell)


def _trials(suite: Suite, cell: Settings, trials: int) -> Iterator[Settings]:
    """The settings of a learner: its own, then those of each trial."""
    yield cell
    part = tuned_part(cell)
    name = cell[part]["name"]
    for number in range(1, trials + 1):
        settings = copy.deepcopy(cell)
        settings[part] |= trial(name, suite.spaces[name], number)
        yield settings


def _accuracies(store: Store) -> dict[str, float]:
    """The mean accuracy on select draws at the end, by cell; -inf where one diverged."""
    _, rows = store.query(
        f"""
        SELECT n.cell, n.status, arg_max(t.select_accuracy, t.updates)
        FROM networks n LEFT JOIN traces t USING (cell, seed)
        WHERE n.status IN {FINAL} GROUP BY n.cell, n.seed, n.status
        UNION ALL SELECT cell, status, select_accuracy FROM estimators WHERE status IN {FINAL}
        """
    )
    by_cell: dict[str, list[float]] = {}
    for cell, status, accuracy in rows:
        lost = status == "diverged" or accuracy is None or not np.isfinite(accuracy)
        by_cell.setdefault(cell, []).append(-np.inf if lost else float(accuracy))
    return {cell: float(np.mean(values)) for cell, values in by_cell.items()}
