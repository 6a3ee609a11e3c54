"""The registered tasks that are made of independent coordinates, and their shifts."""

from importlib.util import find_spec

from simbias import tasks
from simbias.tasks.shifts import SHIFTS

# all but MNIST, whose files nobody has to have, and what needs scikit-learn where that is missing
AVAILABLE = tuple(
    name
    for name in tasks.names()
    if name != "mnist" and (find_spec("sklearn") or name not in ("digits", "dominoes"))
)
ALL = tuple(name for name in AVAILABLE if isinstance(tasks.get(name), tasks.BlockTask))
# of as many coordinates as one wishes
NAMES = tuple(name for name in ALL if "dim" in tasks.get(name).settings)


def written(names):
    """Shifts as they are written, with a number that every one of them takes."""
    return tuple(name if SHIFTS[name].low is None else f"{name}=0.05" for name in names)
