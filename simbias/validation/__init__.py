"""What was learned: population risk, reliance, exceptions and agreement, each with an interval.

``validate`` evaluates classifiers on fresh draws; ``measure_grids`` on dense grids over planes,
with cuts; ``measure_conflicts`` where the simple coordinate misleads; ``measure_corruption`` under
benign shifts, and ``measure_visibility`` beside the points that reveal them; ``measure_islands``
measures how far around exceptions labels are kept; ``geometry`` has the exact boundary of a ReLU
network on any plane, and the exact risk on a task of two coordinates.
"""

from simbias._defaults import N_CERTIFY
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled
from simbias.validation.conflicts import ConflictReport, measure_conflicts
from simbias.validation.controls import control
from simbias.validation.corruption import CorruptionReport, measure_corruption
from simbias.validation.exceptions import Ledger
from simbias.validation.flips import Flips
from simbias.validation.forgetting import forgetting_auc, forgetting_times
from simbias.validation.geometry import exact_risk
from simbias.validation.grids import GridReport, measure_grids
from simbias.validation.islands import IslandReport, measure_islands
from simbias.validation.learning_times import learning_auc
from simbias.validation.noise_scale import initial_noise_scale, noise_scale
from simbias.validation.personas import PersonaAnswers, measure_personas
from simbias.validation.reliance import Reliance
from simbias.validation.report import Report, validate
from simbias.validation.sound import faults
from simbias.validation.stopping import stopped
from simbias.validation.visibility import NeededPoints, Visibility, measure_visibility

__all__ = [
    "Estimate",
    "N_CERTIFY",
    "ConflictReport",
    "CorruptionReport",
    "Flips",
    "GridReport",
    "IslandReport",
    "Labelled",
    "Ledger",
    "NeededPoints",
    "PersonaAnswers",
    "Reliance",
    "Report",
    "Visibility",
    "control",
    "exact_risk",
    "faults",
    "forgetting_auc",
    "forgetting_times",
    "learning_auc",
    "measure_conflicts",
    "measure_corruption",
    "measure_grids",
    "measure_islands",
    "measure_personas",
    "measure_visibility",
    "initial_noise_scale",
    "noise_scale",
    "stopped",
    "validate",
]
