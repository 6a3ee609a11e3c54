"""What is to be learned: distributions over (x, y) with exactly known ground truth."""

from simbias.tasks.catalogue import content, get, names
from simbias.tasks.task import Task

__all__ = ["Task", "content", "get", "names"]
