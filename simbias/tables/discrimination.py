"""The table of how well bounds and measures tell networks that generalise from stuck ones."""

from collections.abc import Sequence

import numpy as np

from simbias._checks import fail
from simbias._numbers import hundredths, interval
from simbias.bounds.discrimination import Interval, RankingScore, best_first
from simbias.tables.text import TextTable

HEAD = ("name", "kind", "AUC", "Kendall tau", "worst sign error", "environment")


def discrimination_table(scores: Sequence[RankingScore]) -> TextTable:
    """A line for each score, the best AUC first; raises ValueError without any."""
    if not scores:
        raise fail("scores", list(scores), "at least one RankingScore")
    lines = []
    for score in best_first(scores):
        intervals = [score.shown(name) for name in ("auc", "kendall", "sign_error")]
        lines.append([score.name, score.kind, *map(_with_limits, intervals), score.worst])
    return TextTable(HEAD, lines, _caption(scores))


def _caption(scores: Sequence[RankingScore]) -> str:
    """The caption; its counts are those of the score that rests on most pairs."""
    counts = [(score.pairs, score.stuck, score.learned) for score in scores]
    most = scores[counts.index(max(counts))]
    return (
        f"AUC: P(larger on a stuck network than on a learned one), {most.stuck} stuck,"
        f" {most.learned} learned, {most.neither} left out (in between, at chance, or no value);"
        f" Kendall tau: granulated, {most.pairs} pairs of networks that differ in one"
        f" hyper-parameter, {most.left_out} left out (risk intervals overlap, or no value);"
        " worst sign error: largest proportion of pairs in the wrong order between two values of a"
        " hyper-parameter; brackets: approximate 95% intervals, networks resampled within their"
        " cells; where no resample differs Hoeffding's for AUC, none for the others; too few: rests"
        f" on fewer than {most.least_pairs} pairs"
        + ("; a number without some values rests on fewer" if len(set(counts)) > 1 else "")
    )


def _with_limits(shown: Interval | None) -> str:
    """Two digits, with the limits where there are any; nothing where undefined."""
    if shown is None:
        return "too few"
    if np.isnan(shown.value):
        return ""
    limits = "" if np.isnan(shown.low) else f" {interval(shown.low, shown.high, hundredths)}"
    return f"{hundredths(shown.value)}{limits}"
