"""Suites: named lists of cells as TOML, with the published values they should meet.

A cell is of the experiment that it names, by default ``classify``; what its task and its preset say
counts for it as far as that experiment has such a setting.

Published values stand under the cell that they are for, written as the cells of a preset are: what
an entry leaves out is what its task and the preset say, else a default. They are shown beside a
cell that is the same in every setting, and beside no other.
"""

from simbias.suites.reading import load
from simbias.suites.suite import Preset, Published, Suite

__all__ = ["Preset", "Published", "Suite", "load"]
