"""Directions in the activations of networks, and edits along them: additions, ablations, LEACE."""

from simbias.directions.activity import Activity, activities
from simbias.directions.counterfactual import counterfactual
from simbias.directions.decoding import TARGETS, Decoded, decodability, others_decoded
from simbias.directions.directions import Directions, directions_of, find
from simbias.directions.doses import (
    DOSES,
    DoseResponse,
    PairQuality,
    dose_response,
    label_gap,
    quality_of_pairs,
)
from simbias.directions.effect import ZONES, Effect, equivalent, measure_effect
from simbias.directions.erasure import Eraser, leace
from simbias.directions.exact import residual_of_ablation, residual_of_addition, unit
from simbias.directions.finder import Finder, get, names
from simbias.directions.finders import (
    control,
    discriminant,
    gradient,
    mean_difference,
    principal_component,
    probe,
)
from simbias.directions.interventions import (
    INTERVENTIONS,
    Intervention,
    ablate,
    ablate_to_mean,
    add,
    erase,
    intervene,
    patch,
    resample,
    steer,
)
from simbias.directions.projection import Projected, measure_projection
from simbias.directions.refitting import refit_last_layer
from simbias.directions.seeds import SeedsCompared, compare_seeds
from simbias.directions.similarity import alignment, cka, procrustes

__all__ = [
    "DOSES",
    "INTERVENTIONS",
    "TARGETS",
    "ZONES",
    "SeedsCompared",
    "compare_seeds",
    "refit_last_layer",
    "alignment",
    "cka",
    "procrustes",
    "Activity",
    "Decoded",
    "Directions",
    "DoseResponse",
    "Effect",
    "Eraser",
    "Finder",
    "Intervention",
    "PairQuality",
    "Projected",
    "ablate",
    "ablate_to_mean",
    "activities",
    "add",
    "control",
    "counterfactual",
    "decodability",
    "directions_of",
    "discriminant",
    "dose_response",
    "equivalent",
    "erase",
    "find",
    "get",
    "gradient",
    "intervene",
    "label_gap",
    "leace",
    "mean_difference",
    "measure_effect",
    "measure_projection",
    "names",
    "others_decoded",
    "patch",
    "principal_component",
    "probe",
    "quality_of_pairs",
    "resample",
    "residual_of_ablation",
    "residual_of_addition",
    "steer",
    "unit",
]
