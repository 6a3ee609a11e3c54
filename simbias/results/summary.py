"""A run in one table: means over seeds with intervals, beside published values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from simbias.results.store import Store

QUANTITIES = {
    "train_accuracy": "train",
    "test_accuracy": "test",
    "s_randomised_accuracy": "S-rand.",
    "sc_randomised_accuracy": "S^c-rand.",
    "exceptions_fitted": "exc. fitted",
    "memorised": "memorised",
}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Attributes:
        value: the mean; NaN where no network has a value.
        half: half-width of its 95% interval by Student's t over seeds; NaN for a single seed.
        published: the published value, if there is one.
    """

    value: float
    half: float
    published: float | None

    @property
    def low(self) -> float:
        """Lower end of the interval, cut at 0."""
        return max(self.value - self.half, 0.0)

    @property
    def high(self) -> float:
        """Upper end of the interval, cut at 1."""
        return min(self.value + self.half, 1.0)


@dataclass(frozen=True)
class Summary:
    """One cell of a run: how many networks have which status, and the means."""

    cell: str
    task: str
    network: str
    statuses: dict[str, int]
    means: dict[str, Mean]


def summarise(store: Store) -> list[Summary]:
    """Every cell of a run that has a row, in the suite's order."""
    entries = (store.config() or {}).get("names", [])
    published = {entry["cell"]: entry["published"] for entry in entries}
    names, rows = store.query(
        f"SELECT cell, task, network, status, {', '.join(QUANTITIES)} FROM networks ORDER BY seed"
    )
    cells: dict[str, list[dict]] = {}
    for row in rows:
        record = dict(zip(names, row, strict=True))
        cells.setdefault(record["cell"], []).append(record)
    found = []
    for cell in sorted(cells, key=store.order):
        members = cells[cell]
        statuses = [member["status"] for member in members]
        means = {
            quantity: _mean(
                [member[quantity] for member in members], published.get(cell, {}).get(quantity)
            )
            for quantity in QUANTITIES
        }
        first = members[0]
        counted = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
        found.append(Summary(cell, first["task"], first["network"], counted, means))
    return found


def _mean(values: list[float | None], published: float | None) -> Mean:
    present = np.array([value for value in values if value is not None], float)
    if not len(present):
        return Mean(np.nan, np.nan, published)
    mean = float(present.mean())
    if len(present) < 2:
        return Mean(mean, np.nan, published)
    error = present.std(ddof=1) / np.sqrt(len(present))
    half = float(stdtrit(len(present) - 1, (1 + CONFIDENCE) / 2) * error)
    return Mean(mean, half, published)


HEAD = ("task", "network", "networks", *QUANTITIES.values())
CAPTION = "mean over all networks measured, with the half-width of its 95% t interval over seeds"


def lines(summaries: list[Summary]) -> list[list[str]]:
    """The table as text: a line a cell, and below it the published values where there are some."""
    found = []
    for summary in summaries:
        counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
        means = [summary.means[quantity] for quantity in QUANTITIES]
        found.append([summary.task, summary.network, counts, *map(_measured, means)])
        if any(mean.published is not None for mean in means):
            values = ["" if m.published is None else f"{m.published:.3f}" for m in means]
            found.append(["", "", "published", *values])
    return found


def latex(summaries: list[Summary]) -> str:
    """The table in LaTeX (booktabs)."""

    def row(entries: Sequence[str]) -> str:
        text = " & ".join(entry.replace("±", r"$\pm$") for entry in entries)
        return text.replace("S^c", "$S^c$") + r" \\"

    return "\n".join(
        [
            f"% {CAPTION.replace('%', ' percent')}",
            r"\begin{tabular}{lll" + "r" * len(QUANTITIES) + "}",
            r"\toprule",
            row(HEAD),
            r"\midrule",
            *map(row, lines(summaries)),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _measured(mean: Mean) -> str:
    if np.isnan(mean.value):
        return "-"
    return f"{mean.value:.3f}" + ("" if np.isnan(mean.half) else f" ±{mean.half:.3f}")
