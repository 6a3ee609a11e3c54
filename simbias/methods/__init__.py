"""How it descends: training algorithms, a file for each."""

from simbias.methods.adam import adam, adamw
from simbias.methods.adversarial import adversarial
from simbias.methods.averages import ema, swa
from simbias.methods.by_name import optax_method
from simbias.methods.d_bat import d_bat
from simbias.methods.group_dro import group_dro
from simbias.methods.jtt import jtt
from simbias.methods.label_smoothing import label_smoothing
from simbias.methods.last_layer import last_layer
from simbias.methods.mixup import mixup
from simbias.methods.muon import muon
from simbias.methods.pretraining import pretraining
from simbias.methods.reinforce import reinforce
from simbias.methods.rmsprop import rmsprop
from simbias.methods.sam import asam, sam
from simbias.methods.sgd import sgd
from simbias.methods.spectral_decoupling import spectral_decoupling
from simbias.methods.useful import useful

__all__ = [
    "adam",
    "adamw",
    "adversarial",
    "asam",
    "d_bat",
    "ema",
    "group_dro",
    "jtt",
    "label_smoothing",
    "last_layer",
    "mixup",
    "muon",
    "optax_method",
    "pretraining",
    "reinforce",
    "rmsprop",
    "sam",
    "sgd",
    "spectral_decoupling",
    "swa",
    "useful",
]
