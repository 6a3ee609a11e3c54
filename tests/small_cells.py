"""The cell that files of one process share (``ALIKE`` in conftest): one shape, compiled once."""

import tomli_w

from simbias.experiments import cell_of

POPULATION = {
    "task": {"name": "noisy-lms-7", "dim": 4},
    "network": {"name": "mlp", "width": 16, "depth": 1},
    "method": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "n_train": 256,
    "batch": 64,
    "stop": {"max_updates": 100, "check_every": 50},
}
CELL = cell_of(POPULATION)
# the beginning of a file of claims about the risk of most networks, and the cell in such a file
RISK = """
source = "none"
quantity = "risk"
predicate = { op = "<=", value = 0.4, margin = 0.0 }
quantifier = { kind = "probability", at_least = 0.5 }
unit = { of = "network", redraws = ["rotation", "data", "initialisation", "order"] }
"""
WRITTEN = tomli_w.dumps({"population": POPULATION})
