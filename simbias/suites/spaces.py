"""Spaces of settings that a suite's learners are tuned over, and random trials of them."""

import hashlib
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simbias._checks import check_keys, fail, known, real
from simbias._identity import canonical
from simbias._types import Settings
from simbias.registry import ESTIMATORS, METHODS

Space = Mapping[str, "LogUniform"]  # of one method or estimator, by setting


class LogUniform(NamedTuple):
    """Values of a setting, uniform in their logarithm; rounded where both ends are whole.

    Examples:
        >>> from simbias.suites.spaces import LogUniform
        >>> LogUniform(1e-4, 1e-1).high
        0.1
    """

    low: float
    high: float


def read_spaces(place: str, table: Settings) -> dict[str, Space]:
    """The spaces of a suite file by method or estimator; raises ValueError.

    Settings of estimators are their library's to check, when a trial is made.
    """
    spaces: dict[str, Space] = {}
    for name, settings in table.items():
        known(f"{place}: method or estimator", name, [*METHODS.names(), *ESTIMATORS.names()])
        if not isinstance(settings, dict) or not settings:
            raise fail(f"{place}.{name}", settings, "a table of settings")
        own = METHODS.make(name, {}).settings if name in METHODS.names() else settings
        for setting in settings:
            known(f"{place}.{name}: setting", setting, own)
        spaces[name] = {
            setting: _ends(f"{place}.{name}.{setting}", ends) for setting, ends in settings.items()
        }
    return spaces


def _ends(place: str, ends: Settings) -> LogUniform:
    check_keys(place, ends, {"low": float, "high": float}, {})
    low = real(f"{place}.low", ends["low"], 0, open_low=True)
    high = real(f"{place}.high", ends["high"], low, open_low=True)
    whole = all(isinstance(end, int) for end in ends.values())
    return LogUniform(int(low), int(high)) if whole else LogUniform(low, high)


def trial(name: str, space: Space, number: int) -> dict[str, float]:
    """The settings of a random trial; the same whatever else is tuned beside it.

    Args:
        name: of the method or estimator.
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
        words = {"method": name, "setting": setting, "trial": number}
        digest = hashlib.sha256(canonical(words).encode()).digest()
        uniform = np.random.Generator(np.random.PCG64(list(digest))).random()
        drawn = math.exp(math.log(low) + uniform * (math.log(high) - math.log(low)))
        whole = isinstance(low, int) and isinstance(high, int)
        settings[setting] = round(drawn) if whole else float(f"{drawn:.3g}")
    return settings
