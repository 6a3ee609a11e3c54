"""Quantities of how networks learn: the noise of gradients, the order of points, best checks."""

import math

import numpy as np

from simbias._checks import known
from simbias.models import panel
from simbias.quantities.quantity import Argument, quantity
from simbias.quantities.subject import Subject
from simbias.stats.estimate import Estimate
from simbias.training.cell import Cell
from simbias.validation.forgetting import check_second, forgetting_auc
from simbias.validation.learning_times import KINDS, check_learning, learning_auc
from simbias.validation.noise_scale import MOMENTS
from simbias.validation.noise_scale import noise_scale as measured
from simbias.validation.paired import paired
from simbias.validation.personas import ANSWERS, ZONES, check_personas, measure_personas
from simbias.validation.risk import errors
from simbias.validation.stopping import WAYS, check_way, stopped


def _control(kind: str) -> Argument:
    """The points beside which those of a kind are learned late."""

    def check(control: str) -> str:
        return known("argument", control, KINDS[kind][1])

    def suits(cell: Cell, control: str) -> None:
        check_learning(cell, kind, control)

    return Argument("control", check, suits)


@quantity(
    0,
    math.inf,
    unit="points",
    needs=("network",),
    argument=Argument("moment", lambda name: known("argument", name, MOMENTS)),
)
def noise_scale(subject: Subject, moment: str) -> np.ndarray:
    """Batch at which the noise of a gradient with fresh labels is as large as its mean."""
    return measured(subject.stack, moment=moment)[:, 0]


@quantity(
    0,
    math.inf,
    unit="points",
    needs=("network",),
    argument=Argument("moment", lambda name: known("argument", name, MOMENTS)),
)
def label_noise_scale(subject: Subject, moment: str) -> np.ndarray:
    """Batch at which that noise is as large as what labels make of the gradient's mean."""
    return measured(subject.stack, moment=moment, part="labels")[:, 0]


@quantity(0, 1, needs=("network", "exceptions"), argument=_control("exceptions"))
def exceptions_late(subject: Subject, control: str) -> np.ndarray:
    """Probability that a training exception is learned later than a point of a control."""
    return learning_auc(subject.stack, "exceptions", control)


@quantity(0, 1, needs=("network", "noisy labels"), argument=_control("flips"))
def flips_late(subject: Subject, control: str) -> np.ndarray:
    """Probability that a flipped label is learned later than one of a control."""
    return learning_auc(subject.stack, "flips", control)


def _has_personas(cell: Cell, zone: str) -> None:
    check_personas(cell.task)


def _forgotten(kind: str) -> Argument:
    """The points beside which those of a kind are forgotten."""
    late = _control(kind)

    def suits(cell: Cell, control: str) -> None:
        check_learning(cell, kind, control)
        check_second(cell)

    return late._replace(suits=suits)


@quantity(0, 1, needs=("network", "exceptions"), argument=_forgotten("exceptions"))
def exceptions_forgotten(subject: Subject, control: str) -> np.ndarray:
    """Probability that an exception is forgotten, on a second set, before a point of a control."""
    return forgetting_auc(subject.stack, "exceptions", control)


@quantity(0, 1, needs=("network", "noisy labels"), argument=_forgotten("flips"))
def flips_forgotten(subject: Subject, control: str) -> np.ndarray:
    """Probability that a flipped label is forgotten, on a second set, before one of a control."""
    return forgetting_auc(subject.stack, "flips", control)


@quantity(
    -1,
    1,
    needs=("network", "coordinates", "two classes"),
    interval="product of two Clopper-Pearson",
    argument=Argument("way", lambda name: known("argument", name, WAYS), check_way),
)
def stopping_gain(subject: Subject, way: str) -> Estimate:
    """Risk at the last check less risk where a way of stopping keeps the network."""
    pairs = paired(subject.stack, stopped(subject.stack, way), points=subject.n_certify)
    return pairs.difference(subject.confidence)


@quantity(
    0,
    1,
    needs=("network",),
    interval="Clopper-Pearson",
    argument=(
        Argument("zone", lambda name: known("argument", name, ZONES), _has_personas),
        Argument("answers", lambda name: known("argument", name, ANSWERS)),
    ),
)
def good_answers(subject: Subject, zone: str, answers: str) -> Estimate:
    """Proportion of points of a zone that are answered as the good persona does."""
    by_zone = measure_personas(
        subject.stack, answers, n_certify=subject.n_certify, confidence=subject.confidence
    )
    place = ZONES.index(zone)
    return Estimate(*(part[:, place, 0] for part in by_zone.agreement))


@quantity(0, 1, needs=("network",), interval="Clopper-Pearson", column="none")
def best_accuracy(subject: Subject) -> Estimate:
    """Accuracy on fresh draws at the best check by select accuracy."""
    best = panel(stopped(subject.stack))
    value, low, high = errors(best, subject.n_certify, subject.confidence)
    return Estimate(1 - value, 1 - high, 1 - low)
