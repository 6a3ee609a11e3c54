"""Quantities of networks under attack, of drawn answers, and of ensembles beside their members."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from simbias._checks import real
from simbias.models import panel
from simbias.models.classifier import Traced
from simbias.models.panel import Panel
from simbias.models.sampled import Sampled
from simbias.networks import Ensemble
from simbias.quantities.quantity import Argument, quantity
from simbias.quantities.subject import Subject
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.validation import attacks
from simbias.validation.risk import count, errors
from simbias.validation.sound import faulty

_RADIUS = Argument("number", partial(real, "radius", low=0, open_low=True))


@quantity(0, 1, needs=("network", "coordinates"), interval="Clopper-Pearson", argument=_RADIUS)
def attacked_accuracy(subject: Subject, radius: float) -> Estimate:
    """Accuracy where each input is moved by projected gradient ascent in an L2 ball."""
    return attacks.attacked_accuracy(subject.stack, radius, confidence=subject.confidence)


@quantity(0, 1, needs=("network", "coordinates", "simple set"), argument=_RADIUS)
def universal_share(subject: Subject, radius: float) -> np.ndarray:
    """Share of a universal perturbation's length that is on the simple set."""
    return attacks.universal_share(subject.stack, radius)


@quantity(-1, 1, needs=("members",), interval="two or more Clopper-Pearson", column="none")
def ensemble_gain(subject: Subject) -> Estimate:
    """Accuracy of an ensemble less the mean accuracy of its members, on the same points.

    The ensemble and its m members have an interval each, of which all m + 1 hold together.
    """
    stack, whole = subject.stack, panel(subject.stack)
    network = stack.cell.network
    assert isinstance(network, Ensemble)  # declared as a need
    confidence = 1 - (1 - subject.confidence) / (network.members + 1)
    left_out = faulty(stack)

    def accuracy(classifiers: Panel) -> Estimate:
        counts = count(classifiers, subject.n_certify)
        points = np.where(left_out, 0, counts.points)
        return clopper_pearson(np.where(left_out, 0, counts.correct), points, confidence)

    def member(i: int, place: int) -> Traced:
        params = jax.tree.map(lambda leaf: leaf[i, place], stack.params)
        return Traced(network.member, params)

    own = accuracy(whole)
    each = [
        accuracy(replace(whole, members=tuple(member(i, place) for i in range(len(stack)))))
        for place in range(network.members)
    ]
    value, low, high = (np.mean([part[end] for part in each], axis=0) for end in range(3))
    return Estimate(own.value - value, own.low - high, own.high - low)


@quantity(0, 1, needs=("network",), interval="Clopper-Pearson", column="none")
def sampled_accuracy(subject: Subject) -> Estimate:
    """Accuracy of answers drawn from the softmax, one a point, in place of the likeliest."""
    whole = panel(subject.stack)
    drawn = replace(whole, members=tuple(map(Sampled, whole.members)))
    value, low, high = errors(drawn, subject.n_certify, subject.confidence)
    return Estimate(1 - value, 1 - high, 1 - low)
