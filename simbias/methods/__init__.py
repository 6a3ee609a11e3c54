"""How it descends: training algorithms, a file for each."""

from simbias.methods.sgd import sgd

__all__ = ["sgd"]
