"""The table of a cell's bounds, beside the exact risk of the classifiers that they certify."""

from collections.abc import Sequence

import numpy as np

from simbias._numbers import interval, number
from simbias.bounds import Evaluation
from simbias.results.bounds import seeds_without_values
from simbias.tables.text import TextTable

HEAD = ("bound", "kind", "certifies", "value", "risk", "gap", "valid?", "vacuous?", "tightness")
CAPTION = (
    "medians over networks; value: unclipped, with its range; risk: of the classifier that is"
    " certified, with the hull of the networks' 95% intervals; gap: value - risk; vacuous: at least"
    " 1/2, the error of guessing; tightness: value / upper end of the risk"
)


def bounds_table(evaluations: Sequence[Evaluation]) -> TextTable:
    """A line for each bound; its answers, yes or no, count networks.

    Networks of which nothing is known (``seeds_without_values``) are left out, if there are others.
    """
    by_name: dict[str, list[Evaluation]] = {}
    unreadable = seeds_without_values(evaluations)
    readable = [evaluation for evaluation in evaluations if evaluation.seed not in unreadable]
    for evaluation in readable or evaluations:
        by_name.setdefault(evaluation.record.bound, []).append(evaluation)
    lines = []
    for name, of_bound in by_name.items():
        record = of_bound[0].record
        values = _given([evaluation.record.value for evaluation in of_bound])
        risk = ""
        if any(evaluation.risk is not None for evaluation in of_bound):
            low = min(_given([evaluation.risk_low for evaluation in of_bound]))
            high = max(_given([evaluation.risk_high for evaluation in of_bound]))
            median = _median([evaluation.risk for evaluation in of_bound])
            risk = f"{median} {interval(low, high)}"
        value = "inapplicable"
        if values:
            value = _median(values)
            if len(values) > 1:
                value += f" ({number(min(values))} to {number(max(values))})"
        lines.append(
            [
                name,
                record.kind,
                record.certifies,
                value,
                risk,
                _median([evaluation.gap for evaluation in of_bound]),
                _answers([evaluation.valid for evaluation in of_bound]),
                _answers([evaluation.vacuous for evaluation in of_bound]),
                _median([evaluation.tightness for evaluation in of_bound]),
            ]
        )
    return TextTable(HEAD, lines, CAPTION)


def _given(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _median(values: Sequence[float | None]) -> str:
    given = _given(values)
    return number(float(np.median(given))) if given else ""


def _answers(answers: Sequence[bool | None]) -> str:
    """Yes or no where all networks agree, otherwise how many of them are a yes."""
    given = [answer for answer in answers if answer is not None]
    if not given:
        return ""
    if len(set(given)) == 1:
        return "yes" if given[0] else "no"
    return f"{sum(given)} of {len(given)}"
