"""Spaces of settings that a suite's methods are tuned over, and random trials of them."""

import hashlib
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simbias._checks import check_keys, fail, known, real
from simbias._identity import canonical
from simbias._types import Settings
from simbias.registry import METHODS

Space = Mapping[str, "LogUniform"]  # of one method, by setting


class LogUniform(NamedTuple):
    """Values of a setting, uniform in their logarithm.

    Examples:
        >>> from simbias.suites.spaces import LogUniform
        >>> LogUniform(1e-4, 1e-1).high
        0.1
    """

    low: float
    high: float


def read_spaces(place: str, table: Settings) -> dict[str, Space]:
    """The spaces of a suite file by method; raises ValueError."""
    spaces: dict[str, Space] = {}
    for method, settings in table.items():
        known(f"{place}: method", method, METHODS.names())
        if not isinstance(settings, dict) or not settings:
            raise fail(f"{place}.{method}", settings, "a table of settings")
        own = METHODS.make(method, {}).settings
        space = {}
        for setting, ends in settings.items():
            known(f"{place}.{method}: setting", setting, own)
            own_place = f"{place}.{method}.{setting}"
            check_keys(own_place, ends, {"low": float, "high": float}, {})
            low = real(f"{own_place}.low", ends["low"], 0, open_low=True)
            space[setting] = LogUniform(
                low, real(f"{own_place}.high", ends["high"], low, open_low=True)
            )
        spaces[method] = space
    return spaces


def trial(method: str, space: Space, number: int) -> dict[str, float]:
    """The settings of a random trial; the same whatever else is tuned beside it.

    Args:
        method: its name.
        space: of its settings.
        number: of the trial.

    Examples:
        >>> from simbias.suites.spaces import LogUniform, trial
        >>> space = {"learning_rate": LogUniform(1e-3, 1.0)}
        >>> first, again = trial("sgd", space, 1), trial("sgd", space, 1)
        >>> first == again, first == trial("sgd", space, 2), 1e-3 < first["learning_rate"] < 1
        (True, False, True)
    """
    settings = {}
    for setting, (low, high) in space.items():
        words = {"method": method, "setting": setting, "trial": number}
        digest = hashlib.sha256(canonical(words).encode()).digest()
        uniform = np.random.Generator(np.random.PCG64(list(digest))).random()
        drawn = math.exp(math.log(low) + uniform * (math.log(high) - math.log(low)))
        settings[setting] = float(f"{drawn:.3g}")
    return settings
