"""What theory promises: bounds, certificates and measures of one network, beside the exact risk."""

from simbias.bounds.bound import Bound, Found, bound, inapplicable
from simbias.bounds.evidence import Evidence, HeldOut, Steps, evidence_from
from simbias.bounds.judged import Judged, evaluate, records
from simbias.bounds.record import Premise, Record, violated
from simbias.registry import BOUNDS

__all__ = [
    "BOUNDS",
    "Bound",
    "Evidence",
    "Found",
    "HeldOut",
    "Judged",
    "Premise",
    "Record",
    "Steps",
    "bound",
    "evaluate",
    "evidence_from",
    "inapplicable",
    "records",
    "violated",
]
