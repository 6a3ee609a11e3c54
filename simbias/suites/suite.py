"""The data of a suite: presets of cells, and the published values they should meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simbias._checks import known
from simbias._types import Settings
from simbias.suites.spaces import Space


class Published(NamedTuple):
    """Values by column, the settings of the cell that they are for, and where they are written.

    Examples:
        >>> import simbias
        >>> published = simbias.suites.load("pitfalls").preset("full").published[0]
        >>> published.settings["task"], published.settings["network"]
        ({'name': 'noisy-lms-7'}, {'name': 'mlp', 'width': 100, 'depth': 1})
        >>> published.values["test_accuracy"]
        0.94
    """

    place: str
    settings: Settings
    values: dict[str, float]


@dataclass(frozen=True)
class Preset:
    """One size of a suite: cells as merged settings, and how many seeds each has.

    Examples:
        >>> import simbias
        >>> preset = simbias.suites.load("pitfalls").preset("smoke")
        >>> preset.seeds, preset.summary
        (2, 'a first look, about a minute')
        >>> len(preset.cells), sorted(preset.cells[0])
        (3, ['batch', 'method', 'n_train', 'network', 'stop', 'task'])
    """

    name: str
    summary: str
    seeds: int
    n_certify: int | None
    cells: tuple[Settings, ...]
    published: tuple[Published, ...]


@dataclass(frozen=True)
class Suite:
    """A suite as it is written: nothing is resolved beyond merging and expanding settings.

    Attributes:
        name, summary, source: strings.
        presets: by name.
        spaces: of settings that learners may be tuned over, by method or estimator.

    Examples:
        >>> import simbias
        >>> suite = simbias.suites.load("pitfalls")
        >>> suite.name, list(suite.presets)
        ('pitfalls', ['smoke', 'standard', 'full'])
        >>> suite.source
        'Shah, Tamuly, Raghunathan, Jain, Netrapalli, NeurIPS 2020, arXiv 2006.07710, Table 2'
    """

    name: str
    summary: str
    source: str
    presets: dict[str, Preset]
    spaces: Mapping[str, Space] = field(default_factory=dict)

    def preset(self, name: str) -> Preset:
        """The preset of this name; raises ValueError."""
        return self.presets[known("preset", name, self.presets)]
