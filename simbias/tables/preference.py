"""The table of which networks bounds and measures prefer."""

from collections.abc import Sequence

import numpy as np

from simbias._checks import fail
from simbias._numbers import hundredths, interval, number
from simbias.bounds.preference import Preference
from simbias.tables.text import TextTable

HEAD = ("comparison", "name", "kind", "on it", "on the other", "smaller", "proportion", "verdict")


def preference_table(preferences: Sequence[Preference]) -> TextTable:
    """A line for each comparison and number that has pairs; raises ValueError without any."""
    shown = [preference for preference in preferences if preference.pairs]
    if not shown:
        raise fail("preferences", f"{len(preferences)} without pairs", "at least one with pairs")
    lines = [
        [
            preference.comparison,
            preference.name,
            preference.kind,
            number(float(np.float64(10) ** preference.value)),
            number(float(np.float64(10) ** preference.other)),
            _counts(preference),
            f"{hundredths(preference.proportion)}"
            f" {interval(preference.low, preference.high, hundredths)}",
            preference.verdict,
        ]
        for preference in shown
    ]
    return TextTable(HEAD, lines, _CAPTION)


_CAPTION = (
    "A against B: it is the network A, the other is B; on it, on the other: medians over pairs;"
    " smaller: pairs in which the number is smaller on it; proportion: the same, equal values"
    " counted half; brackets: Clopper-Pearson limits that hold at once for all lines with"
    " probability 95%, where equal values count against either verdict; cheapest: the least value"
    " on any solution that was made cheap in a norm; there may be cheaper ones"
)


def _counts(preference: Preference) -> str:
    """``23 of 24``, and how many are equal."""
    equal = f", {preference.equal} equal" if preference.equal else ""
    return f"{preference.smaller} of {preference.pairs}{equal}"
