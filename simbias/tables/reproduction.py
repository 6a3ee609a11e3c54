"""The published numbers of a paper beside ours: as a table, and as a page."""

from collections.abc import Sequence

import numpy as np

from simbias._numbers import counted, interval
from simbias.papers import Paper, Reproduction
from simbias.papers.judging import NOT_RUN, OUTCOMES, REPRODUCED
from simbias.papers.paper import PublishedNumber
from simbias.tables.text import TextTable, markdown

HEAD = ("where", "cell", "number", "published", "tolerance", "here", "seeds", "verdict")
_CAPTION = (
    "here: mean over seeds with its 95% interval, by Student's t over seeds (approximate: it"
    " assumes that they vary by a normal law), cut at what is possible; where all seeds are the"
    " same, from the least to the greatest end of their own intervals; reproduced: it lies"
    " inside published +- tolerance, which was stated before; not reproduced: outside of it;"
    " inconclusive: neither; not converged: a network did not come to its goal; verdicts are not"
    " corrected for their number"
)


def reproduction_table(paper: Paper, reproductions: Sequence[Reproduction]) -> TextTable:
    """A line for each number that was run, in the paper's order.

    Args:
        paper: what the numbers are of.
        reproductions: of each of its numbers, in its order.
    """
    places = [exhibit.where for exhibit in paper.exhibits for _ in exhibit.numbers]
    lines = [
        [
            where,
            entry.number.label,
            entry.number.quantity.text,
            published(entry.number),
            f"{entry.number.tolerance:g}",
            _ours(entry),
            str(entry.seeds),
            entry.outcome,
        ]
        for where, entry in zip(places, reproductions, strict=True)
        if entry.outcome != NOT_RUN
    ]
    return TextTable(HEAD, lines, _CAPTION, keys=3)


def counts(reproductions: Sequence[Reproduction]) -> str:
    """How many numbers came out how, in words."""
    outcomes = [entry.outcome for entry in reproductions]
    words = ", ".join(
        f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES if outcome in outcomes
    )
    return f"{counted(len(outcomes), 'published number')}: {words}"


def reproduction_page(
    paper: Paper, preset: str, reproductions: Sequence[Reproduction], command: str
) -> str:
    """The page of a reproduction, in Markdown.

    Args:
        paper: what the numbers are of.
        preset: that was run.
        reproductions: of each number of the paper, in its order.
        command: by which the page is made.
    """
    parts = [
        f"# {paper.name}: what is reproduced",
        f"{paper.source}.",
        f"```sh\n{command}\n```",
        f"{counts(reproductions)} (preset {preset}: {paper.presets[preset]}).",
        markdown(reproduction_table(paper, reproductions)),
        "## What each exhibit says, and how it is measured here",
    ]
    rest = iter(reproductions)
    for exhibit in paper.exhibits:
        own = [next(rest) for _ in exhibit.numbers]
        outcomes = [entry.outcome for entry in own]
        says = f"**{exhibit.where}**: {exhibit.says}."
        if exhibit.differs:
            says += f" What differs here: {exhibit.differs}."
        says += f" Tolerance: {'; '.join(dict.fromkeys(entry.number.because for entry in own))}."
        says += f" {outcomes.count(REPRODUCED)} of {len(own)} reproduced"
        parts.append(says + (f", {n} not run." if (n := outcomes.count(NOT_RUN)) else "."))
    parts.append("## What is not reproduced, and why")
    places = [exhibit.where for exhibit in paper.exhibits for _ in exhibit.numbers]
    misses = [
        f"- {where}, {entry.number.label}, `{entry.number.quantity.text}`: {entry.outcome};"
        f" {entry.reason} (published {published(entry.number)}, here {_ours(entry)})."
        for where, entry in zip(places, reproductions, strict=True)
        if entry.outcome not in (REPRODUCED, NOT_RUN)
    ]
    parts.append("\n".join(misses) or "Nothing that was run.")
    parts.append("## What was not run")
    idle = [
        f"- {where}, {entry.number.label}, `{entry.number.quantity.text}`"
        f" (published {published(entry.number)}): {_why_not_run(entry, preset)}."
        for where, entry in zip(places, reproductions, strict=True)
        if entry.outcome == NOT_RUN
    ]
    parts.append("\n".join(idle) or "Nothing.")
    return "\n\n".join(parts) + "\n"


def published(number: PublishedNumber) -> str:
    """What was published, or both ends of a range."""
    if number.low == number.high:
        return f"{number.low:g}"
    return f"{number.low:g} to {number.high:g}"


def _why_not_run(entry: Reproduction, preset: str) -> str:
    if preset in entry.number.seeds:
        return entry.reason
    return f"in {' and '.join(entry.number.seeds) or 'no preset'} only"


def _ours(entry: Reproduction) -> str:
    """Mean and interval; empty where there is none."""
    if np.isnan(entry.value):
        return ""
    ends = "" if np.isnan(entry.low) else f" {interval(entry.low, entry.high, _digits)}"
    return f"{_digits(entry.value)}{ends}"


def _digits(value: float) -> str:
    return f"{value:.3f}"
