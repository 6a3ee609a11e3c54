"""What theory promises: bounds, certificates and measures of one network, beside the exact risk."""

from simbias.bounds.bound import Bound, Found, bound, inapplicable
from simbias.bounds.evidence import Evidence, HeldOut, Steps, evidence_from
from simbias.bounds.record import Premise, Record, violated
from simbias.registry import BOUNDS

__all__ = [
    "BOUNDS",
    "Bound",
    "Evidence",
    "Found",
    "HeldOut",
    "Premise",
    "Record",
    "Steps",
    "bound",
    "evaluate",
    "evidence_from",
    "inapplicable",
    "violated",
]


def evaluate(evidence: Evidence, *, delta: float = 0.05) -> list[Record]:
    """The records of every registered bound on one network; each fails with its own delta."""
    return [BOUNDS.factory(name)(evidence, delta=delta) for name in BOUNDS.entries()]
