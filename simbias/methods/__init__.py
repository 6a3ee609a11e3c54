"""How it descends: training algorithms, a file for each."""

from simbias.methods.adam import adam, adamw
from simbias.methods.adversarial import adversarial
from simbias.methods.by_name import optax_method
from simbias.methods.d_bat import d_bat
from simbias.methods.group_dro import group_dro
from simbias.methods.jtt import jtt
from simbias.methods.last_layer import last_layer
from simbias.methods.muon import muon
from simbias.methods.pretraining import pretraining
from simbias.methods.reinforce import reinforce
from simbias.methods.rmsprop import rmsprop
from simbias.methods.sgd import sgd
from simbias.methods.useful import useful

__all__ = [
    "adam",
    "adamw",
    "adversarial",
    "d_bat",
    "group_dro",
    "jtt",
    "last_layer",
    "muon",
    "optax_method",
    "pretraining",
    "reinforce",
    "rmsprop",
    "sgd",
    "useful",
]
