"""The table of learners side by side."""

from collections.abc import Sequence

import numpy as np

from simbias._checks import fail
from simbias._numbers import hundredths, interval
from simbias.results.leaderboard import SCORES, PairedDifference, Standing
from simbias.results.summary import INTERVAL
from simbias.tables.summary import mean_text
from simbias.tables.text import TextTable
from simbias.training.words import value_words

HEAD = (
    "task", "learner", "seeds", "excess risk", "fresh exceptions right", "memorised",
    "S-randomised accuracy", "reach the rule", "gradients", "core seconds", "uses", "gain",
    "better, worse", "against the reference",
)  # fmt: skip


def leaderboard_table(standings: Sequence[Standing]) -> TextTable:
    """A line for each learner, task by task; raises ValueError without any."""
    if not standings:
        raise fail("standings", list(standings), "at least one Standing")
    return TextTable(HEAD, [_line(standing) for standing in standings], _caption(standings), keys=2)


def _line(standing: Standing) -> list[str]:
    reached, against = standing.reached, standing.against
    counts = ", ".join(f"{count} {status}" for status, count in standing.statuses.items())
    seeds = sum(standing.statuses.values())
    reaching = (
        "-"
        if np.isnan(reached.value)
        else f"{round(float(reached.value) * seeds)}/{seeds}"
        f" {interval(float(reached.low), float(reached.high), hundredths)}"
    )
    return [
        standing.task,
        standing.learner,
        counts,
        mean_text(standing.excess_risk),
        mean_text(standing.exceptions_fresh),
        mean_text(standing.memorised),
        mean_text(standing.s_randomised_accuracy),
        reaching,
        _rounded(standing.gradients),
        _rounded(standing.seconds),
        ", ".join(standing.uses) or "-",
        *(["", "", "reference"] if against is None else _comparison(against)),
    ]


def _comparison(against: PairedDifference) -> list[str]:
    limits = interval(against.low, against.high, _signed)
    counts = f"{against.better}, {against.worse} of {against.seeds}"
    return [f"{_signed(against.median)} {limits}", counts, against.verdict]


def _caption(standings: Sequence[Standing]) -> str:
    compared = sum(standing.against is not None for standing in standings)
    scores = " or ".join(SCORES[name] for name in dict.fromkeys(s.score for s in standings))
    return (
        f"means over seeds with the half-width of their {INTERVAL}; fresh exceptions right: the"
        " worst group; reach the rule: seeds whose risk is within .01 of the achievable one, with"
        " the 95% Clopper-Pearson interval; gradients: evaluations, each on as many points as a"
        f" batch; gain: median over seeds of what {scores} is better by than the reference's on the"
        " same data, with limits by order statistics that hold at once for all with probability"
        f" 95% (infinite where there are too few seeds); verdicts: sign tests of {compared}"
        " comparisons, any false one with probability at most 5% (Holm); ties count for neither"
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}" if np.isfinite(value) else f"{value:+.0f}"


def _rounded(value: float) -> str:
    """A number with three digits; a dash for none."""
    if np.isnan(value):
        return "-"
    rounded = float(f"{value:.3g}")
    return value_words(rounded) if value < 100 else f"{rounded:,.0f}"
