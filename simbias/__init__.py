"""simbias: what networks learn, measured against what was achievable.

Names are imported when they are first used, so that importing simbias does not start JAX.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "MLP": "simbias.networks",
    "Stack": "simbias.training",
    "Stop": "simbias.training",
    "configure": "simbias._devices",
    "data": "simbias.models",
    "estimator": "simbias.models",
    "sgd": "simbias.methods",
    "train": "simbias.models",
    "validate": "simbias.validation",
}
_ROOMS = (
    "bounds",
    "claims",
    "directions",
    "generations",
    "losses",
    "methods",
    "models",
    "networks",
    "pages",
    "papers",
    "plots",
    "quantities",
    "results",
    "runner",
    "suites",
    "tasks",
    "training",
    "validation",
)

__all__ = ["__version__", *sorted(_WHERE), *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name in _ROOMS:
        return import_module(f"simbias.{name}")
    raise AttributeError(f"module 'simbias' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
