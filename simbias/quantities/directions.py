"""Quantities of what additions and ablations do to networks, and of what their layers hold.

Directions are found on points of a stream for fits, in the first hidden layer but where a layer is
named, and measured on other points.
"""

from collections.abc import Callable

import numpy as np

from simbias._checks import known
from simbias.directions import (
    Effect,
    Intervention,
    ablate_to_mean,
    activities,
    add,
    compare_seeds,
    decodability,
    dose_response,
    erase,
    find,
    intervene,
    measure_effect,
    refit_last_layer,
)
from simbias.directions.decoding import TARGETS
from simbias.directions.probes import UNITS
from simbias.models import Panel, panel
from simbias.networks import MLP
from simbias.quantities.learned import transition_updates
from simbias.quantities.quantity import Argument, quantity
from simbias.quantities.subject import Subject
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.student import half_width_of_mean
from simbias.training.stack import Stack, replayed
from simbias.validation.risk import count, errors
from simbias.validation.stopping import stopped

_COUNTED = "Clopper-Pearson"
_MOST = 20_000  # points of a measurement, of those that a claim allows
_OF_SEEDS = 5000  # points that two seeds are asked about: alignments take their square
_BATCHES = 20  # of points, whose means give the interval of a mean
_LAYERS = {"first": 0, "last": -1}
_NEEDS = ("relu layers", "simple set", "coordinates")


def _found(subject: Subject, finder: str) -> Callable[[float], Intervention]:
    """Additions along a direction, by dose."""
    fitted = subject.shared(f"direction {finder}", lambda: find(subject.stack, finder))
    return lambda dose: add(fitted, dose)


def _ablated(finder: str) -> Callable[[Subject], Intervention]:
    return lambda subject: ablate_to_mean(
        subject.shared(f"direction {finder}", lambda: find(subject.stack, finder))
    )


_EDITS: dict[str, Callable[[Subject], Intervention]] = {
    "ablate": _ablated("mean-difference"),
    "ablate-probe": _ablated("probe"),
    "ablate-random": _ablated("random"),
    "add": lambda subject: _found(subject, "mean-difference")(1.0),
    "subtract": lambda subject: _found(subject, "mean-difference")(-1.0),
    "add-random": lambda subject: _found(subject, "random")(1.0),
    "leace": lambda subject: erase(activities(subject.stack)),
}


def _edited(subject: Subject, edit: str) -> Panel:
    return subject.shared(f"edited {edit}", lambda: intervene(subject.stack, _EDITS[edit](subject)))


_EDIT = Argument("edit", lambda name: known("edit", name, _EDITS))
_PROBE = Argument("probe", lambda name: known("probe", name, UNITS))
_TARGET = Argument("target", lambda name: known("target", name, TARGETS))
_LAYER = Argument("layer", lambda name: known("layer", name, _LAYERS))


@quantity(0, 1, needs=_NEEDS, interval=_COUNTED, argument=_EDIT)
def edited_accuracy(subject: Subject, edit: str) -> Estimate:
    """Accuracy after an edit of the first hidden layer."""
    counts = count(_edited(subject, edit), subject.n_certify)
    return clopper_pearson(counts.correct, counts.points, subject.confidence)


def _effect(subject: Subject, edit: str) -> Effect:
    return subject.shared(
        f"effect {edit}",
        lambda: measure_effect(
            subject.stack,
            _edited(subject, edit),
            points=min(_MOST, subject.n_certify),
            confidence=subject.confidence,
        ),
    )


@quantity(0, 1, needs=_NEEDS, interval=_COUNTED, argument=_EDIT, version=2)
def edit_switched(subject: Subject, edit: str) -> Estimate:
    """Proportion of points whose label an edit of the first hidden layer changes."""
    return _effect(subject, edit).switched


@quantity(0, 1, needs=_NEEDS, interval=_COUNTED, argument=_EDIT)
def edit_kept(subject: Subject, edit: str) -> Estimate:
    """Labels that an edit leaves, of points where changing the input's line leaves them."""
    return _effect(subject, edit).off_target


@quantity(0, 1, needs=_NEEDS, interval="Student's t over batches", column="none")
def addition_residual(subject: Subject) -> Estimate:
    """Part of the mean squared change by an ablation that the best addition cannot make."""
    fitted = subject.shared("direction mean-difference", lambda: find(subject.stack))
    drawn = activities(subject.stack, points=min(_MOST, subject.n_certify), split="certify")
    rows = []
    for i, activity in enumerate(drawn):
        parts = np.array_split(fitted.projections(i, activity), _BATCHES)
        left = np.array([part.var() / np.mean(part**2) for part in parts])
        width = half_width_of_mean(left, subject.confidence)
        rows.append((left.mean(), max(left.mean() - width, 0.0), min(left.mean() + width, 1.0)))
    return Estimate(*np.array(rows).T)


@quantity(0, 1, needs=_NEEDS, interval=_COUNTED, column="none")
def refitted_risk(subject: Subject) -> Estimate:
    """Risk after the last layer is refitted on fresh points of exact groups."""
    refitted = refit_last_layer(panel(subject.stack))
    return errors(refitted, subject.n_certify, subject.confidence)


@quantity(0, 1, needs=_NEEDS, interval="betting", column="none", version=2)
def dose_agreement(subject: Subject) -> Estimate:
    """Labels alike after additions and after those to the coordinate, a mean over doses."""
    fitted = subject.shared("direction mean-difference", lambda: find(subject.stack))
    return dose_response(
        subject.stack,
        fitted,
        points=min(_MOST, subject.n_certify),
        confidence=subject.confidence,
    ).agreement


@quantity(
    -1,
    1,
    needs=_NEEDS,
    interval="product of two Clopper-Pearson",
    argument=(_TARGET, _PROBE, _LAYER),
    version=2,
)
def decoded_beyond(subject: Subject, target: str, probe: str, layer: str) -> Estimate:
    """Accuracy of a probe within the margin less that on a random network of the same shape."""
    return _decoded(subject, subject.stack, target, probe, layer)


@quantity(
    -1,
    1,
    needs=(*_NEEDS, "achievable risk"),
    interval="product of two Clopper-Pearson",
    argument=(_TARGET, _PROBE, _LAYER),
)
def decoded_before(subject: Subject, target: str, probe: str, layer: str) -> Estimate:
    """The same at half of the updates until the transition; none where there is none."""
    stack, until = subject.stack, np.array(transition_updates.compute(subject).value)
    half = [_half(stack, updates) for updates in until]
    jumped = [i for i, updates in enumerate(half) if updates]
    filled = np.full((3, len(stack)), np.nan)
    if jumped:
        some = stack.some([stack.seeds[i] for i in jumped])
        checks = [half[i] for i in jumped]
        earlier = subject.shared("before transitions", lambda: replayed(some, checks))
        filled[:, jumped] = _decoded(subject, earlier, target, probe, layer)
    return Estimate(*filled)


def _half(stack: Stack, updates: float) -> int:
    """The last check at no more than half of so many updates; 0 where there is none."""
    most = updates / 2 if np.isfinite(updates) else 0
    checks = range(int(most), 0, -1)
    return next((check for check in checks if stack.cell.stop.checked_at(check)), 0)


def _place(stack: Stack, layer: str) -> int:
    network = stack.cell.network
    assert isinstance(network, MLP)  # declared as a need
    return _LAYERS[layer] % network.depth


def _decoded(subject: Subject, stack: Stack, target: str, probe: str, layer: str) -> Estimate:
    return decodability(
        panel(stack),
        layer=_place(stack, layer),
        target=target,
        probe=probe,
        points=min(_MOST, subject.n_certify),
        confidence=subject.confidence,
    ).beyond


_COMPARED = ("labels", "ablated", "added", "transferred", "cka", "procrustes", "direction")
_CHECKS = ("last", "best")
_COMPARED_BY = Argument("comparison", lambda name: known("comparison", name, _COMPARED))
_CHECK = Argument("check", lambda name: known("check", name, _CHECKS))


@quantity(
    -1,
    1,
    of="pair",
    needs=_NEEDS,
    interval="Clopper-Pearson, or Student's t over batches",
    argument=(_COMPARED_BY, _LAYER, _CHECK),
)
def seed_similarity(subject: Subject, measure: str, layer: str, check: str) -> Estimate:
    """How alike two seeds are, in labels, features or directions, last or at their best checks."""

    def compared() -> dict[str, Estimate]:
        stack = subject.stack
        if check == "best":
            stack = subject.shared("best checks", lambda: stopped(subject.stack))
        return compare_seeds(
            stack.some(stack.seeds[::2]),
            stack.some(stack.seeds[1::2]),
            layer=_place(stack, layer),
            points=min(_OF_SEEDS, subject.n_certify),
            confidence=subject.confidence,
        )._asdict()

    estimates = subject.shared(f"seeds {layer} {check}", compared)
    # alignments are estimated without bias: chance may lead beyond what can be
    return Estimate(*(np.clip(part, -1.0, 1.0) for part in estimates[measure]))
