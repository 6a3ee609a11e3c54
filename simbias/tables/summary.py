"""The table of a run: means over seeds with intervals, beside published values."""

from collections.abc import Sequence

import numpy as np

from simbias._numbers import hundredths, interval
from simbias.experiments import experiments
from simbias.experiments.registered import USUAL
from simbias.results.summary import INTERVAL, Mean, Summary
from simbias.results.transitions import Transitions
from simbias.tables.text import TextTable
from simbias.training.words import value_words, word

_TRANSITIONS = ("reached", "transition", "came back", "after fit")
_CAPTION = (
    f"mean over all {{}} measured, with the half-width of its {INTERVAL} over seeds; none where all"
    " seeds are the same"
)
CAPTION_TRANSITIONS = (
    "reached: seeds whose certified risk is within .01 of the achievable one, with the 95%"
    " Clopper-Pearson interval of the proportion, those that diverged left out; transition: median"
    " updates to a select error that stays within .01, with its exact interval from order"
    " statistics (> : after the budget); came back: seeds that were within .01 and left it again;"
    " after fit: seeds whose train accuracy was .999 before half of the updates to the transition"
)


def summary_table(summaries: Sequence[Summary]) -> TextTable:
    """A line for each cell, and below it the published values where there are some.

    Cells are told apart by the settings that vary within the run. Where a run trains to an accuracy
    on select draws, the table also says how many seeds reach the achievable boundary, and when.
    """
    learner_heads, count_head = _learner_heads(summaries), _count_head(summaries)
    with_transitions = any(summary.transitions is not None for summary in summaries)
    settings = map(word, summaries[0].settings) if summaries else []
    keys = [*learner_heads, *settings, count_head]
    lines = []
    for summary in summaries:
        counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
        means = list(summary.means.values())
        levels = list(map(value_words, summary.settings.values()))
        names = [summary.task, summary.network][: len(learner_heads)]
        line = [*names, *levels, counts, *map(mean_text, means)]
        lines.append(line + (_transition_texts(summary.transitions) if with_transitions else []))
        if any(mean.published is not None for mean in means):
            values = ["" if m.published is None else f"{m.published:.3f}" for m in means]
            published_line = [""] * len([*names, *levels]) + ["published", *values]
            lines.append(published_line + [""] * (len(lines[-1]) - len(published_line)))
    return TextTable(
        head=[*keys, *_headings(summaries), *(_TRANSITIONS if with_transitions else ())],
        lines=lines,
        caption="; ".join([caption(summaries), *[CAPTION_TRANSITIONS] * with_transitions]),
        keys=len(keys),
    )


def caption(summaries: Sequence[Summary]) -> str:
    """What the numbers are: means of what the rows count."""
    units = dict.fromkeys(summary.units for summary in summaries)
    return _CAPTION.format(" and ".join(units) or "networks")


def _headings(summaries: Sequence[Summary]) -> list[str]:
    """The headings of the columns of means."""
    columns = [experiment.shown for experiment in experiments().values()]
    # of columns of one name the first counts
    column_of = dict(entry for shown in reversed(columns) for entry in shown.items())
    named = summaries[0].means if summaries else experiments()[USUAL].shown
    return [column_of[name].heading for name in named]


def _learner_heads(summaries: Sequence[Summary]) -> list[str]:
    """The names of the columns of task and learner; of the task alone where nothing learns."""
    learners = dict.fromkeys(summary.learner for summary in summaries)
    word = " or ".join(filter(None, learners)) if summaries else "network"
    return ["task", *filter(None, [word])]


def _count_head(summaries: Sequence[Summary]) -> str:
    """The name of the column that counts rows by status."""
    return " and ".join(dict.fromkeys(summary.table for summary in summaries)) or "networks"


def _transition_texts(transitions: Transitions | None) -> list[str]:
    if transitions is None:
        return ["-"] * len(_TRANSITIONS)
    proportion, median = transitions.proportion, transitions.median
    k, n = int(np.sum(transitions.reached)), len(transitions.reached)

    def thousands(updates: float | np.ndarray) -> str:
        return (
            f"{updates / 1000:g}k" if np.isfinite(updates) else f">{transitions.budget / 1000:g}k"
        )

    return [
        f"{k}/{n} {interval(float(proportion.low), float(proportion.high), hundredths)}",
        f"{thousands(median.value)} {interval(float(median.low), float(median.high), thousands)}",
        str(transitions.came_back),
        str(transitions.after_memorisation),
    ]


def mean_text(mean: Mean) -> str:
    """A mean with the half-width of its interval, where it has one; a dash for none."""
    if np.isnan(mean.value):
        return "-"
    if np.isnan(mean.half):
        return f"{mean.value:.3f}"
    half = f"{mean.half:.3f}"
    return f"{mean.value:.3f} ±{half if float(half) else '<0.001'}"
