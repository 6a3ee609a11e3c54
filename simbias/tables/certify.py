"""The table of how many points bounds need to certify that the excess risk is small."""

import math
from collections.abc import Sequence

from simbias.bounds import Certifying
from simbias.tables.text import TextTable
from simbias.training.words import task_words, value_words

_MOST = 1e15  # points; a law is no guide to where it would lead
HEAD = ("task", "bound", "certifies", "proportion of networks", "from n")


def certify_table(entries: Sequence[Certifying]) -> TextTable:
    """A line for each bound of each task and learner, those of fewest points first."""
    lines = [
        [
            f"{task_words(entry.cell.task)} {entry.cell.network.label}",
            entry.bound,
            entry.certifies,
            ", ".join(
                f"{'-' if math.isnan(proportion) else f'{proportion:.0%}'} at {value_words(size)}"
                for size, proportion in zip(entry.sizes, entry.proportions, strict=True)
            ),
            points_words(entry),
        ]
        for entry in sorted(entries, key=order)
    ]
    caption = (
        "on which proportion of the networks a bound certifies an excess risk of at most"
        f" {entries[0].error:g}; from n: the size of the training set from which on it does on all,"
        " or would by a power law through its values (extrapolated, with approximate 95% limits);"
        " none: the law does not surely fall; false: no network of the largest n has so small an"
        " excess risk"
    )
    return TextTable(HEAD, lines, caption)


def order(entry: Certifying) -> tuple[str, bool, float]:
    """A sort key: tasks apart, then measured before extrapolated, then the fewest points."""
    points = entry.extrapolated if math.isnan(entry.points) else entry.points
    points = math.inf if math.isnan(points) else points
    return entry.cell.name, math.isnan(entry.points), points


def points_words(entry: Certifying) -> str:
    """From how many points on a bound certifies, in words."""
    if not math.isnan(entry.points):
        return value_words(int(entry.points))
    if not entry.true:
        return "none: false"
    if math.isnan(entry.extrapolated):
        return "not measured"
    if math.isinf(entry.extrapolated):
        return "none"
    if entry.extrapolated > _MOST:
        return f"extrapolated: beyond {_MOST:.0g}"
    limits = f"{entry.low:.2g} to {entry.high:.2g}"
    return f"extrapolated: {entry.extrapolated:.2g} ({limits})"
