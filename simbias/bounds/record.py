"""The record of a bound, certificate or measure on one network.

A record keeps the unclipped value, because vacuity and discrimination are separate questions, and
the terms it is the sum of, so that a reader sees which one dominates. A record whose assumptions do
not hold has no value.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simbias._checks import fail, known, real
from simbias.models.classifier import Classifier

CERTIFIES = (
    "this network",
    "a stochastic network",
    "a drawn network",
    "a compressed network",
    "an expectation",
    "nothing",
)
KINDS = ("certificate", "bound", "measure")


class Assumption(NamedTuple):
    """An assumption: in words, whether it holds here, and the numbers that show it.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack)
        >>> (record,) = simbias.bounds.records(observed, bounds=["stability"])
        >>> [assumption.text for assumption in record.assumptions if not assumption.holds][0]
        'the loss is smooth in the weights'
    """

    text: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Record:
    """The outcome of one bound on one network.

    Attributes:
        bound: registered name.
        family: what it is derived from, e.g. ``"margin"``.
        certifies: whose error the value bounds, one of ``CERTIFIES``.
        kind: ``"certificate"`` (a bound from held-out points), ``"bound"`` (from training points)
            or ``"measure"`` (a number without proved constants).
        constants: where the constants are proved; empty for a measure.
        delta: the bound fails on at most this proportion of samples.
        value: unclipped; None where the assumptions do not hold.
        log10: its logarithm, finite where the value itself overflows; -inf for 0.
        terms: the parts of the value, by name.
        assumptions: those of the proof, with whether they hold here.
        reason: why there is no value; empty where there is one.
        classifier: whose error the value bounds, where that is a copy of the network which the
            bound has made; None where it is the network itself, or is not known.

    Raises:
        ValueError: an unknown kind, a bound without proved constants, or a value that is NaN.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack)
        >>> (record,) = simbias.bounds.records(observed, bounds=["vc-relative"])
        >>> record.kind, record.family, record.constants
        ('bound', 'capacity', 'Bartlett et al. 2019; Cortes, Greenberg and Mohri 2019')
        >>> record.applicable, round(record.value), sorted(record.terms)
        (True, 3, ['deviation', 'training error'])
    """

    bound: str
    family: str
    certifies: str
    kind: str
    constants: str
    delta: float
    value: float | None
    log10: float | None
    terms: Mapping[str, float]
    assumptions: tuple[Assumption, ...]
    reason: str = ""
    classifier: Classifier | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        known("certifies", self.certifies, CERTIFIES)
        known("kind", self.kind, KINDS)
        if bool(self.constants) == (self.kind == "measure"):
            raise fail("constants", self.constants, "a source for a bound, nothing for a measure")
        if (self.value is None) != bool(self.reason):
            raise fail("value", self.value, "a number, or None and a reason")
        if self.value is not None and math.isnan(self.value):
            raise fail("value", self.value, "a number")

    @property
    def applicable(self) -> bool:
        """Whether the assumptions hold, so that there is a value."""
        return self.value is not None


def violated(record: Record, risk_low: float) -> bool | None:
    """Whether a record is refuted: the risk is surely above the value.

    Args:
        record: the outcome of a bound.
        risk_low: the lower confidence limit of the risk of the classifier that the record
            certifies: of the stochastic or compressed one where it is not the network itself.

    Returns:
        Whether ``risk_low`` exceeds the value; None where the record claims nothing: a measure, or
        assumptions that do not hold.

    Raises:
        ValueError: a limit outside [0, 1].

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> observed = simbias.bounds.observe(stack)
        >>> (record,) = simbias.bounds.records(observed, bounds=["clopper-pearson"])
        >>> simbias.bounds.violated(record, risk_low=0.0)
        False
        >>> simbias.bounds.violated(record, risk_low=0.5)
        True
    """
    risk_low = real("risk_low", risk_low, 0, 1)
    if record.kind == "measure" or record.value is None:
        return None
    return risk_low > record.value
