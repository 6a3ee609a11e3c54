"""Classifiers of every kind, each beside the data set on which it is evaluated."""

from simbias.models.by_path import torch_learner
from simbias.models.classifier import Classifier, Traced
from simbias.models.copies import edited, ensemble, quantised
from simbias.models.data import DataSet, data
from simbias.models.estimators import Estimator, Fitted, estimator
from simbias.models.foreign import classifier
from simbias.models.panel import Panel, member, panel
from simbias.models.sampled import Sampled
from simbias.models.train import train

__all__ = [
    "Classifier",
    "DataSet",
    "Estimator",
    "Fitted",
    "Panel",
    "Sampled",
    "Traced",
    "classifier",
    "data",
    "edited",
    "ensemble",
    "estimator",
    "member",
    "panel",
    "quantised",
    "torch_learner",
    "train",
]
