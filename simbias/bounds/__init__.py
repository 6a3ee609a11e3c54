"""What theory promises: bounds, certificates and measures of one network, beside the exact risk."""

from simbias.bounds.bound import Bound, Found, bound, inapplicable
from simbias.bounds.evidence import Evidence, HeldOut, Masked, Steps, evidence_from
from simbias.bounds.f_cmi import masked_predictions
from simbias.bounds.judged import Judged, bound_names, evaluate, left_out, records
from simbias.bounds.record import Premise, Record, violated
from simbias.registry import BOUNDS

__all__ = [
    "BOUNDS",
    "Bound",
    "Evidence",
    "Found",
    "HeldOut",
    "Judged",
    "Masked",
    "Premise",
    "Record",
    "Steps",
    "bound",
    "bound_names",
    "evaluate",
    "evidence_from",
    "inapplicable",
    "left_out",
    "masked_predictions",
    "records",
    "violated",
]
