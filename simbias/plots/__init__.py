"""Figures: a data object first, drawing second, the plotted data beside every file."""

from simbias.plots.boundary import BoundaryDisplay, boundary
from simbias.plots.comparison import ComparisonDisplay, Row, comparison
from simbias.plots.islands import IslandsDisplay, islands
from simbias.plots.phase import PhaseDisplay, phase
from simbias.plots.training import TrainingDisplay, training

__all__ = [
    "BoundaryDisplay",
    "ComparisonDisplay",
    "IslandsDisplay",
    "PhaseDisplay",
    "Row",
    "TrainingDisplay",
    "boundary",
    "comparison",
    "islands",
    "phase",
    "training",
]
