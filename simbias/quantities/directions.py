"""Quantities of what additions and ablations do to networks, and of what their layers hold.

Directions are found on points of a stream for fits, in the first hidden layer but where a layer is
named, and measured on other points.
"""

from collections.abc import Callable

from simbias._checks import known
from simbias.directions import (
    Intervention,
    ablate_to_mean,
    activities,
    add,
    decodability,
    dose_response,
    erase,
    find,
    intervene,
    measure_effect,
)
from simbias.directions.decoding import TARGETS
from simbias.directions.probes import UNITS
from simbias.models import Panel, panel
from simbias.quantities.quantity import Argument, quantity
from simbias.quantities.subject import Subject
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.validation.risk import count

_COUNTED, _MOST = "Clopper-Pearson", 4000  # points of a measurement, of those that a claim allows
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


@quantity(0, 1, needs=_NEEDS, interval=_COUNTED, argument=_EDIT)
def edit_switched(subject: Subject, edit: str) -> Estimate:
    """Proportion of points whose label an edit of the first hidden layer changes."""
    return measure_effect(
        subject.stack,
        _edited(subject, edit),
        points=min(_MOST, subject.n_certify),
        confidence=subject.confidence,
    ).switched


@quantity(0, 1, needs=_NEEDS, interval="betting", column="none")
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
)
def decoded_beyond(subject: Subject, target: str, probe: str, layer: str) -> Estimate:
    """Accuracy of a probe within the margin less that on a random network of the same shape."""
    return decodability(
        panel(subject.stack),
        layer=_LAYERS[layer] % subject.stack.cell.network.depth,
        target=target,
        probe=probe,
        points=min(_MOST, subject.n_certify),
        confidence=subject.confidence,
    ).beyond
