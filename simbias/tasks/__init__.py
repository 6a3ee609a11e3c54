"""What is to be learned: distributions over (x, y), with exact ground truth where it is known."""

from simbias.tasks.arrays import ArrayTask
from simbias.tasks.block_task import BlockTask
from simbias.tasks.catalogue import described, get, identifying, identity, names
from simbias.tasks.dominoes import DominoesTask
from simbias.tasks.label_noise import LabelNoise
from simbias.tasks.mixture import MixtureTask
from simbias.tasks.moons import MoonsTask
from simbias.tasks.personas import PersonasTask
from simbias.tasks.task import Points, Task, Truth
from simbias.tasks.xor import XorTask

__all__ = [
    "ArrayTask",
    "BlockTask",
    "DominoesTask",
    "LabelNoise",
    "MixtureTask",
    "MoonsTask",
    "PersonasTask",
    "Points",
    "Task",
    "Truth",
    "XorTask",
    "described",
    "get",
    "identifying",
    "identity",
    "names",
]
