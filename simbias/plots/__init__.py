"""Figures: a data object first, drawing second, the plotted data beside every file."""

from simbias.plots._figure import DPI, Display
from simbias.plots.answers import (
    AnswerLine,
    AnswerPanel,
    AnswersDisplay,
    alike,
    decoded,
    doses,
)
from simbias.plots.boundary import BoundaryDisplay, boundary
from simbias.plots.bounds import BoundsDisplay, bounds
from simbias.plots.certify import CertifyDisplay, certify
from simbias.plots.claims import ClaimsDisplay, claims
from simbias.plots.comparison import ComparisonDisplay, ComparisonRow, comparison
from simbias.plots.compute import ComputeDisplay, ComputeLine, compute
from simbias.plots.degradation import degradation
from simbias.plots.discrimination import DiscriminationDisplay, discrimination
from simbias.plots.effects import EditedNetwork, EffectsDisplay, effects
from simbias.plots.islands import IslandsDisplay, islands
from simbias.plots.leaderboard import LeaderboardDisplay, LeaderboardRow, leaderboard
from simbias.plots.lineages import LineageLine, LineagesDisplay, lineages
from simbias.plots.noise import noise
from simbias.plots.noise_display import NoiseDisplay, NoiseLine, NoisePanel
from simbias.plots.personas import personas
from simbias.plots.phase import PhaseDisplay, phase
from simbias.plots.preference import PreferenceDisplay, preference
from simbias.plots.regions import RegionsDisplay
from simbias.plots.reproduction import ReproductionDisplay, ReproductionRow, reproduction
from simbias.plots.seed_matrix import SeedMatrix, SeedsDisplay, seeds
from simbias.plots.tails import tails
from simbias.plots.threshold import CriticCurve, ThresholdDisplay, threshold
from simbias.plots.training import TrainingDisplay, training
from simbias.plots.visibility import VisibilityDisplay, visibility

__all__ = [
    "DPI",
    "AnswerLine",
    "AnswerPanel",
    "AnswersDisplay",
    "ComputeDisplay",
    "ComputeLine",
    "EditedNetwork",
    "EffectsDisplay",
    "SeedMatrix",
    "SeedsDisplay",
    "alike",
    "decoded",
    "doses",
    "effects",
    "seeds",
    "BoundaryDisplay",
    "BoundsDisplay",
    "CertifyDisplay",
    "ClaimsDisplay",
    "ComparisonDisplay",
    "DiscriminationDisplay",
    "Display",
    "IslandsDisplay",
    "LeaderboardDisplay",
    "LeaderboardRow",
    "LineageLine",
    "LineagesDisplay",
    "NoiseDisplay",
    "NoiseLine",
    "NoisePanel",
    "CriticCurve",
    "ThresholdDisplay",
    "PhaseDisplay",
    "PreferenceDisplay",
    "RegionsDisplay",
    "ReproductionDisplay",
    "ReproductionRow",
    "ComparisonRow",
    "TrainingDisplay",
    "VisibilityDisplay",
    "boundary",
    "bounds",
    "certify",
    "claims",
    "comparison",
    "compute",
    "degradation",
    "discrimination",
    "islands",
    "leaderboard",
    "lineages",
    "noise",
    "personas",
    "phase",
    "preference",
    "reproduction",
    "tails",
    "threshold",
    "training",
    "visibility",
]
