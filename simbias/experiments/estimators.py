"""Fit and validate: estimators of other libraries, refitted from their seed when they are needed.

Only the scores of its training points are stored of an estimator: they show whether one that is
fitted again, by whichever version of its library, is the one of the row.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import jax
import numpy as np

from simbias import tasks
from simbias._checks import fail
from simbias._keys import stream
from simbias._types import Settings
from simbias.experiments import table
from simbias.experiments.classify import NUMBERS
from simbias.experiments.experiment import Context, Ended, Experiment, Learned, Replica, Tensors
from simbias.experiments.numbers import number_columns, validated
from simbias.experiments.table import Column, rows_table
from simbias.models.classifier import labels, score
from simbias.models.estimators import EstimatorCell, Fitted, estimator, fit
from simbias.tasks.label_noise import read_label_noise
from simbias.tasks.task import numbers_of
from simbias.training.jobs import N_SELECT
from simbias.training.problem import drawn
from simbias.validation import validate

_FIRST = (
    *table.ASKED,
    Column("estimator", "VARCHAR", "name and settings of what was fitted"),
    *table.ENDED,
)
_LAST = (
    Column("select_accuracy", "DOUBLE", "accuracy on select draws, by which settings are tuned"),
    table.N_CERTIFY,
    table.DIM,
    *table.SPENT,
    Column("library", "VARCHAR", "package that it is from, and its version"),
    *table.KEPT,
)
_OWN = {column.name for column in _FIRST + _LAST}
# the quantities of any classifier, however it was trained
MEASURED = {
    name: quantity
    for name, quantity in NUMBERS.items()
    if "network" not in quantity.needs and name not in _OWN
}
_ROUNDING = 1e-4  # of scores, relative to the largest


def run(replicas: Sequence[Replica], context: Context) -> Iterator[Ended]:
    """Fit and validate, seed by seed."""
    for replica in replicas:
        context.measuring([replica])
        try:
            fitted = _fit(replica)
        except ValueError as error:  # a training set that the library cannot be fitted to
            yield Ended(replica, "error", str(error))
            continue
        clock = time.perf_counter()
        report = validate(fitted, n_certify=context.n_certify)
        (outcome,) = validated(fitted, report, MEASURED, time.perf_counter() - clock)
        outcome.columns["select_accuracy"] = _select_accuracy(fitted)
        yield Ended(replica, *outcome, tensors=tensors(fitted, 0))


def tensors(fitted: Fitted, i: int) -> dict[str, np.ndarray]:
    """The tensors of estimator ``i``: the scores of its training points."""
    return {"scores": score(fitted.members[i], fitted.data[i].x).astype(np.float32)}


def _select_accuracy(fitted: Fitted) -> float:
    """Of an estimator's answers, on the points on which traces of networks are evaluated."""
    (classifier,), (data_set,) = fitted.members, fitted.data
    rows = min(N_SELECT, getattr(data_set.task, "most", {}).get("select", N_SELECT))
    x, y, *_ = jax.device_get(drawn(data_set.task.draw, "select", rows, data_set.key, data_set.law))
    answers = labels(classifier, x, stream(data_set.stream("select"), "method"))
    return float((answers == y).mean())


def refitted(replica: Replica, kept: Tensors, trace: object = None) -> Fitted:
    """An estimator, fitted again.

    Args:
        replica: of the estimator.
        kept: its ``tensors``.
        trace: unused; estimators have none.

    Raises:
        ValueError: its scores differ from those stored, for example by another version of its
            library.
    """
    fitted = _fit(replica)
    scores, stored = tensors(fitted, 0)["scores"], kept.get("scores", np.zeros(0))
    size = float(np.abs(stored).max(initial=0.0))
    matches = scores.shape == stored.shape and np.allclose(
        scores, stored, rtol=0, atol=_ROUNDING * size, equal_nan=True
    )
    if not matches:
        words = ", ".join(map(" ".join, fitted.cell.estimator.versions.items()))
        allowed = f"those of the same versions, not of {words}"
        raise fail("scores of the training points", "others than are stored", allowed)
    return fitted


def join_fitted(parts: Sequence[Fitted]) -> Fitted:
    """The estimators of several seeds of one cell."""
    return Fitted(
        parts[0].cell,
        tuple(member for part in parts for member in part.members),
        tuple(data for part in parts for data in part.data),
        np.concatenate([part.seconds for part in parts]),
        tuple(warning for part in parts for warning in part.warned),
    )


def _make(replicas: Sequence[Replica]) -> dict[Replica, Fitted | None]:
    fitted: dict[Replica, Fitted | None] = {}
    for replica in replicas:
        with suppress(ValueError):  # a training set that the library cannot be fitted to
            fitted[replica] = None
            fitted[replica] = _fit(replica)
    return fitted


def _fit(replica: Replica) -> Fitted:
    cell, seed = replica
    assert isinstance(cell, EstimatorCell)
    noise = cell.label_noise
    return fit(cell.task, cell.estimator, n_train=cell.n_train, seeds=[seed], label_noise=noise)


def _known(cell: EstimatorCell) -> dict[str, object]:
    return {
        "task": cell.task.name,
        "estimator": cell.estimator.label,
        "n_train": cell.n_train,
        "dim": numbers_of(cell.task),
        "library": ", ".join(map(" ".join, cell.estimator.versions.items())) or "its own",
    }


def _cell(settings: Settings) -> EstimatorCell:
    task_settings, estimator_settings = dict(settings["task"]), dict(settings["estimator"])
    if not isinstance(estimator_settings.get("name"), str):
        raise ValueError("estimator: key 'name' is missing")
    task = tasks.get(task_settings.pop("name"), **task_settings)
    return EstimatorCell(
        task,
        estimator(estimator_settings.pop("name"), **estimator_settings),
        settings["n_train"],
        read_label_noise(settings.get("label_noise")),
    )


estimators = Experiment(
    name="estimators",
    summary="estimators of other libraries are fitted, then asked about fresh draws",
    table=rows_table("estimators", (*_FIRST, *number_columns(MEASURED), *_LAST), weighed=True),
    keys={"estimator": dict, "n_train": int, "label_noise": dict},
    needed=("estimator", "n_train"),
    learner="estimator",
    cell=_cell,
    run=run,
    known=_known,
    effort=lambda cell: {"n_train": cell.n_train},
    learned=Learned(_make, refitted, join_fitted),
    shown={name: quantity for name, quantity in MEASURED.items() if quantity.heading},
)
