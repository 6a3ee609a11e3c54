"""How it descends: training algorithms, a file for each."""

from simbias.methods.adam import adam, adamw
from simbias.methods.by_name import optax_method
from simbias.methods.muon import muon
from simbias.methods.rmsprop import rmsprop
from simbias.methods.sgd import sgd

__all__ = ["adam", "adamw", "muon", "optax_method", "rmsprop", "sgd"]
