"""Directions in the activations of networks, and edits along them: additions, ablations, LEACE."""

from simbias.directions.activity import Activity, activities
from simbias.directions.counterfactual import (
    Decoded,
    Effect,
    counterfactual,
    decodability,
    measure_effect,
)
from simbias.directions.directions import Directions, directions_of, find
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

__all__ = [
    "Activity",
    "Decoded",
    "Directions",
    "Effect",
    "Eraser",
    "Finder",
    "Intervention",
    "ablate",
    "ablate_to_mean",
    "activities",
    "add",
    "control",
    "counterfactual",
    "decodability",
    "directions_of",
    "discriminant",
    "erase",
    "find",
    "get",
    "gradient",
    "intervene",
    "leace",
    "measure_effect",
    "mean_difference",
    "names",
    "patch",
    "principal_component",
    "probe",
    "resample",
    "residual_of_ablation",
    "residual_of_addition",
    "steer",
    "unit",
]
