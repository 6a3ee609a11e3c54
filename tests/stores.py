"""Run directories with networks of which nothing was measured."""

from simbias import experiments
from simbias.experiments import arrays
from simbias.results import Store
from simbias.training.jobs import Job


def put(store, cell, seed, tensors):
    """Keep a network."""
    ended = experiments.Ended(Job(cell, seed), "done", "r")
    row = experiments.row("s", ended)
    store.write("networks", experiments.row_name(ended.replica), row, tensors=tensors)


def stored(stack, directory, change=lambda tensors: tensors):
    """A new run directory with the networks of a stack."""
    store = Store(directory, create=True)
    config = {"suite": "s", "preset": "p", "n_certify": 500, "cells": [], "seeds": [0, 1]}
    store.prepare(config | {"names": [{"cell": stack.cell.name, "published": {}}]})
    for i, seed in enumerate(stack.seeds):
        put(store, stack.cell, seed, change(arrays.tensors(stack, i)))
    return store
