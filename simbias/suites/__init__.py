"""Suites: named lists of cells as TOML, with the published values they should meet.

A cell belongs to the experiment that it names, by default ``classify``; settings of its task and
its preset apply to it where that experiment has them.

Published values stand under the cell that they are for, written as the cells of a preset are:
settings that an entry leaves out are those of its task and the preset, else defaults. They are
shown beside a cell that is the same in every setting, and beside no other.
"""

from simbias.suites.reading import load
from simbias.suites.suite import Preset, Published, Suite

__all__ = ["Preset", "Published", "Suite", "load"]
