"""The registered tasks that are made of independent coordinates."""

from simbias import tasks

NAMES = tuple(name for name in tasks.names() if isinstance(tasks.get(name), tasks.BlockTask))
