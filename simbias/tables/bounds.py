"""The table of a cell's bounds, beside the exact risk of the classifiers that they certify."""

from collections.abc import Sequence

import numpy as np

from simbias.bounds import Evaluation
from simbias.results.bounds import set_apart
from simbias.tables.text import TextTable

HEAD = ("bound", "kind", "certifies", "value", "risk", "gap", "valid?", "vacuous?", "tightness")
CAPTION = (
    "medians over networks; value: unclipped, with its range; risk: of the classifier that is"
    " certified, with the hull of the networks' 95% intervals; gap: value - risk; vacuous: at least"
    " 1/2, the error of guessing; tightness: value / upper end of the risk"
)


def bounds_table(evaluations: Sequence[Evaluation]) -> TextTable:
    """A line a bound; judgements count networks.

    Networks of which nothing is known (``set_apart``) have no part in it, if there are others.
    """
    by_name: dict[str, list[Evaluation]] = {}
    apart = set_apart(evaluations)
    for one in [one for one in evaluations if one.seed not in apart] or evaluations:
        by_name.setdefault(one.record.bound, []).append(one)
    lines = []
    for name, several in by_name.items():
        record = several[0].record
        values = _given([one.record.value for one in several])
        risk = ""
        if any(one.risk is not None for one in several):
            low = min(_given([one.risk_low for one in several]))
            high = max(_given([one.risk_high for one in several]))
            risk = f"{_median([one.risk for one in several])} [{low:.4g}, {high:.4g}]"
        value = "inapplicable"
        if values:
            value = _median(values)
            if len(values) > 1:
                value += f" ({min(values):.4g} to {max(values):.4g})"
        lines.append(
            [
                name,
                record.kind,
                record.certifies,
                value,
                risk,
                _median([one.gap for one in several]),
                _proportion([one.valid for one in several]),
                _proportion([one.vacuous for one in several]),
                _median([one.tightness for one in several]),
            ]
        )
    return TextTable(HEAD, lines, CAPTION)


def _given(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median(values: Sequence[float | None]) -> str:
    given = _given(values)
    return f"{float(np.median(given)):.4g}" if given else ""


def _proportion(answers: Sequence[bool | None]) -> str:
    """Yes or no where all networks agree, otherwise how many say yes."""
    given = [answer for answer in answers if answer is not None]
    if not given:
        return ""
    if len(set(given)) == 1:
        return "yes" if given[0] else "no"
    return f"{sum(given)} of {len(given)}"
