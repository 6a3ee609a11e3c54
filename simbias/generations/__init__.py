"""Models trained on what models wrote: generators, regimes, lineages and their laws."""

from simbias.generations.agreement import Agreement, agreement
from simbias.generations.autoencoder import autoencoder
from simbias.generations.catalogue import GENERATORS, SOURCES
from simbias.generations.chains import bigrams
from simbias.generations.classifier import classifier
from simbias.generations.expectations import expectations, kept
from simbias.generations.gaussian import gaussian
from simbias.generations.generator import MEASURES, Generator
from simbias.generations.histogram import histogram
from simbias.generations.labeller import labeller
from simbias.generations.language import transformer
from simbias.generations.lineages import LineageCell, Lineages, LineageState, lineages, states
from simbias.generations.mixture import mixture
from simbias.generations.moments import Moments, moments, pooled
from simbias.generations.regimes import Regime, regime
from simbias.generations.regression import least_squares
from simbias.generations.sequences import Sequences
from simbias.generations.stack import LineageStack
from simbias.generations.thresholds import CriticThreshold, critic_threshold
from simbias.generations.transformer import Decoding

__all__ = [
    "GENERATORS",
    "MEASURES",
    "SOURCES",
    "Agreement",
    "CriticThreshold",
    "Generator",
    "LineageCell",
    "Lineages",
    "Moments",
    "Regime",
    "LineageStack",
    "LineageState",
    "Decoding",
    "Sequences",
    "agreement",
    "autoencoder",
    "bigrams",
    "classifier",
    "critic_threshold",
    "gaussian",
    "histogram",
    "kept",
    "labeller",
    "expectations",
    "least_squares",
    "lineages",
    "mixture",
    "moments",
    "pooled",
    "regime",
    "states",
    "transformer",
]
