"""What theory promises: bounds, certificates and measures of one network, beside the exact risk."""

from simbias.bounds.altered import Replacements, coin_flip_errors, replaced_points
from simbias.bounds.bound import Bound, BoundValue, bound, inapplicable
from simbias.bounds.certify import Certifying, certifying
from simbias.bounds.cheapest import cheapest
from simbias.bounds.evaluation import Evaluation, bound_names, evaluate, left_out, records
from simbias.bounds.f_cmi import masked_predictions
from simbias.bounds.observed import HeldOut, Masked, Observed, Steps, observe
from simbias.bounds.prediction_sets import PredictionSets, prediction_sets
from simbias.bounds.record import Assumption, Record, violated
from simbias.bounds.selective import Selective, selective
from simbias.bounds.weighted import Weighted, weighted
from simbias.registry import BOUNDS
from simbias.stats.reveal import PointsNeeded, points_to_reveal

__all__ = [
    "BOUNDS",
    "Bound",
    "Certifying",
    "Observed",
    "BoundValue",
    "HeldOut",
    "Evaluation",
    "Masked",
    "Assumption",
    "PointsNeeded",
    "PredictionSets",
    "Record",
    "Replacements",
    "Selective",
    "Steps",
    "Weighted",
    "bound",
    "bound_names",
    "certifying",
    "cheapest",
    "coin_flip_errors",
    "evaluate",
    "observe",
    "inapplicable",
    "left_out",
    "masked_predictions",
    "points_to_reveal",
    "prediction_sets",
    "records",
    "replaced_points",
    "selective",
    "violated",
    "weighted",
]
