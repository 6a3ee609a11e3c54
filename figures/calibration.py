"""How often claims are judged falsely, and how often intervals cover: known truths, simulated.

    python figures/calibration.py

writes calibration.md and calibration.png beside this file. Laws are in ``laws.py``, how they are
judged in ``simulated.py``, the intervals in ``intervals.py``. Longer than 400 lines because what is
simulated, the words around it and how it is drawn are one page, to be read and changed together.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import intervals
import numpy as np
from laws import Certified, Discordant, Located, Measured, Misread, Proportions
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from simulated import Calibration, calibrate, calibrate_session, detectable
from wrong_tests import ambiguous_as_true, ambiguous_dropped, ambiguous_in_favour, uncorrected

from simbias.claims import verdict
from simbias.claims.criterion import Criterion
from simbias.plots import _figure as style
from simbias.stats.estimate import Estimate

HERE, DPI = Path(__file__).parent, 150
ALPHA, REPETITIONS, SEED = 0.05, 4000, 0
SESSIONS = 250  # repetitions of what goes through rounds
KEPT, BROKEN, PLANTED = "assumptions hold", "assumption broken", "wrong on purpose"

NORMAL = Located("normal", lambda g, s: g.normal(size=s), 0.0, 0.0)
UNIFORM = Located("uniform", lambda g, s: g.random(s), 0.5, 0.5)
STUDENT = Located("Student's t, 3 d.f.", lambda g, s: g.standard_t(3, s), 0.0, 0.0)
EXPONENTIAL = Located("exponential", lambda g, s: g.exponential(size=s), 1.0, np.log(2))
REFLECTED = Located("exponential, reflected", lambda g, s: -g.exponential(size=s), -1, -np.log(2))
LOG_NORMAL = Located("log-normal, sigma 0.5", lambda g, s: g.lognormal(0, 0.5, s), np.exp(0.125), 1)
WIDE = Located("log-normal, sigma 1", lambda g, s: g.lognormal(0, 1, s), np.exp(0.5), 1)
COIN = Located("two points, 1/2 each", lambda g, s: 1.0 * (g.random(s) < 0.5), 0.5, 0.0)
TWO = Located("two points, 1/10 above", lambda g, s: 1.0 * (g.random(s) < 0.1), 0.1, 0.0)
RARE = Located(
    "normal, 1/10 far above", lambda g, s: g.normal(0, 0.1, s) + 3 * (g.random(s) < 0.1), 0.3, 0.0
)
NEAR = Located("risks near the threshold", lambda g, s: g.random(s), 0.5, 0.5, scale=0.02)
FAR = Located("risks .03 off", lambda g, s: np.ones(s), 0.0, 0.0, scale=0.03)
CLOSE = replace(FAR, name="risks .03 below, .0006 above", nearer=0.02)
UNDER = replace(FAR, name="risks .03 below, 1e-5 above", nearer=1 / 3000)
OVER = Located("risks 1e-5 below, .03 above", FAR.draw, 0.0, 0.0, scale=1e-5, nearer=3000)
JUST = replace(OVER, name="risks 1e-5 off", nearer=1.0)
HALF = Located(
    "half 1e-5 below, half .03 above",
    lambda g, s: np.where(g.random(s) < 0.5, -1e-5, 0.03),
    0.015 - 5e-6,
    0.0,
)
TIGHT = Located("uniform risks", lambda g, s: g.random(s), 0.5, 0.5, scale=0.08)
COINS, UNEVEN = Proportions("0 and 1 only"), Proportions("beta, concentration 2", 2.0)
SKEWED, NARROW = (
    Proportions("beta, concentration 1/3", 1 / 3),
    Proportions("beta, concentration 1000", 1e3),
)
CERTIFIED = Certified("certificates", 10_000, 100, 200_000, 0.999)


@dataclass(frozen=True)
class Row:
    """One line of the page."""

    kind: str
    test: str
    note: str
    calibration: Calibration

    @property
    def truth(self) -> str:
        """The truths of the claims, as text."""
        names = [f"{truth:g}" for truth in dict.fromkeys(self.calibration.truths)]
        count = len(self.calibration.truths)
        return " and ".join(names) + (f" ({count} claims)" if count > 1 else "")

    @property
    def edge(self) -> str:
        """The criterion that the truth is compared with, as text."""
        criterion = self.calibration.criterion
        name = {"probability": "proportion", "mean": "mean", "median": "median"}[
            criterion.quantifier
        ]
        op, value = (
            (">=", criterion.at_least) if criterion.at_least else (criterion.op, criterion.value)
        )
        return f"{name} {op} {value:g}" + (
            f", margin {criterion.margin:g}" if criterion.margin else ""
        )


def criterion(test: str, quantifier: str, **settings: Any) -> Criterion:
    """A criterion with the page's defaults."""
    least = 0.95 if quantifier == "probability" else None
    habits: dict[str, Any] = {
        "op": "<=",
        "value": 0.0,
        "margin": 0.0,
        "at_least": least,
        "alpha": ALPHA,
    }
    return Criterion(test=test, quantifier=quantifier, **(habits | settings))


def noisy(*laws: Located, confidence: float = 0.999) -> list[Measured]:
    """Laws of measured risks."""
    return [Measured(law, 20_000, confidence) for law in laws]


def rows() -> list[Row]:
    """All rows of false verdicts, simulated; those wrong on purpose last."""
    rows: list[Row] = []

    def add(
        tested: Criterion,
        laws: Sequence[Any],
        units: int,
        truths: Sequence[Any],
        note: str = "",
        kind: str = KEPT,
        run: Callable[..., Calibration] = calibrate,
        **settings: Any,
    ) -> None:
        for law in laws:
            for truth in truths:
                settings = {"repetitions": REPETITIONS, "seed": SEED, **settings}
                calibration = run(tested, law, units, truth=truth, **settings)
                rows.append(Row(kind, tested.test, note, calibration))

    risk = {"value": 0.05}
    exact = criterion("clopper-pearson", "probability", **risk)
    add(exact, [EXPONENTIAL], 59, [0.9, 0.95, 0.99])
    measured = "measured on 20,000 points"
    add(exact, noisy(FAR, CLOSE), 59, [0.9, 0.95, 0.99], measured)
    add(exact, [EXPONENTIAL], 90, [0.95], "2% of the units missing", missing=0.02)
    half = criterion("clopper-pearson", "probability", op=">=", at_least=0.5)
    add(half, [EXPONENTIAL], 100, [0.4, 0.5, 0.6])
    edge = criterion("clopper-pearson", "probability", **risk, margin=0.005)
    add(edge, [NEAR], 59, [0.9, 0.95, 0.99])
    anytime = criterion("beta-binomial", "probability", **risk)
    stops = "may stop at any unit"
    add(anytime, [EXPONENTIAL], 300, [0.85, 0.95, 0.99], stops)
    add(anytime, noisy(FAR, CLOSE), 300, [0.95], f"{stops}; measured")
    add(criterion("beta-binomial", "probability", at_least=0.5), [EXPONENTIAL], 300, [0.5], stops)

    for confidence, least in ((0.999, 0.95), (0.9, 0.8)):
        near = noisy(UNDER, OVER, JUST, confidence=confidence)
        misses: dict[str, Any] = {**risk, "at_least": least, "miscoverage": 1 - confidence}
        note = f"measured, misses {1 - confidence:.3g}"
        tested = criterion("clopper-pearson", "probability", **misses)
        add(tested, near, 300, [least], note)
        add(tested, near[1:2], 300, [1.0], note)
        tested = criterion("beta-binomial", "probability", **misses)
        add(tested, near, 300, [least], note)
    valid = criterion("clopper-pearson", "probability", op=">=", value=1.0, miscoverage=0.001)
    sharp = replace(CERTIFIED, points=20_000_000)
    add(valid, [CERTIFIED], 120, [0.9499, 0.9501], "valid? measured on 200,000 points")
    add(valid, [sharp], 120, [0.9499, 0.9501], "valid? measured on 20,000,000 points")

    median = criterion("sign", "median")
    add(median, [EXPONENTIAL], 25, [-0.3, 0.0, 0.3])
    add(median, [NORMAL, STUDENT], 25, [0.0])
    add(criterion("sign", "median", margin=0.2), [EXPONENTIAL], 25, [-0.2, 0.0, 0.2])
    note = "measured, misses 0.1"
    add(
        criterion("sign", "median", **risk, miscoverage=0.1),
        noisy(HALF, confidence=0.9),
        200,
        [0.05],
        note,
    )

    mean = criterion("permutation", "mean")
    add(mean, [NORMAL], 12, [-0.3, 0.0, 0.3])
    add(mean, [UNIFORM, STUDENT, COIN], 12, [0.0])
    add(mean, [NORMAL, STUDENT], 30, [0.0])
    add(criterion("permutation", "mean", margin=0.2), [NORMAL], 30, [-0.2, 0.0, 0.2])
    note = "measured, misses 0.001"
    add(criterion("permutation", "mean", **risk, miscoverage=0.001), noisy(TIGHT), 12, [0.05], note)
    add(mean, [EXPONENTIAL], 30, [0.0], "the law is not symmetric", BROKEN)

    resampled = criterion("bootstrap", "mean")
    add(resampled, [EXPONENTIAL], 20, [-0.3, 0.0, 0.3])
    add(resampled, [REFLECTED, NORMAL, LOG_NORMAL, STUDENT, COIN, TWO], 20, [0.0])
    add(resampled, [EXPONENTIAL, TWO], 60, [0.0])
    add(criterion("bootstrap", "mean", margin=0.2), [EXPONENTIAL], 60, [-0.2, 0.0, 0.2])
    add(resampled, [WIDE, RARE], 20, [0.0], "rare values carry the mean", BROKEN)

    bets: dict[str, Any] = {"low": 0.0, "high": 1.0}
    rare, common = criterion("betting", "mean", value=0.05, **bets), (20, 200)
    for units in common:
        add(rare, [COINS], units, [0.02, 0.05, 0.1], stops)
    bet = criterion("betting", "mean", value=0.3, **bets)
    add(bet, [COINS, UNEVEN, SKEWED, NARROW], 60, [0.3], stops)
    add(bet, [UNEVEN], 60, [0.2, 0.4], stops)
    add(criterion("betting", "mean", op=">=", value=0.3, **bets), [COINS, SKEWED], 60, [0.3], stops)
    add(
        criterion("betting", "mean", value=0.3, margin=0.1, **bets),
        [UNEVEN],
        60,
        [0.2, 0.3, 0.4],
        stops,
    )
    add(bet, [UNEVEN], 60, [0.3], f"{stops}; 5% of the units missing", missing=0.05)
    paid = criterion("betting", "mean", value=0.3, miscoverage=0.001, **bets)
    add(paid, [Measured(NARROW, 20_000, 0.999)], 60, [0.3], f"{stops}; measured")
    for read in (0.0, 1.0):
        tested, law = replace(paid, miscoverage=0.1), Misread(NARROW, 0.1, read)
        add(tested, [law], 60, [0.3], f"{stops}; misses 0.1, as {read:g}")
    words = f"{stops}; misses 0.1, as 1, and not counted"
    add(bet, [Misread(NARROW, 0.1, 1.0)], 60, [0.3], words, PLANTED)
    # of twenty units that are 1 with probability .05, a third shows none
    flipped = criterion("permutation", "mean", value=0.04)
    add(flipped, [COINS], 20, [0.05], "the law is not symmetric: refused for proportions", BROKEN)

    same = Discordant("points, 4% discordant", 0.04)
    add(criterion("mcnemar", "mean"), [same], 1000, [-0.01, 0.0, 0.01])

    family = "Holm in a family"
    add(exact, [EXPONENTIAL], 150, [[0.95] * 5, [0.9499] * 3 + [0.9501] * 3], family)
    add(anytime, [EXPONENTIAL], 300, [[0.95] * 5], f"{family}; {stops}")
    add(bet, [UNEVEN], 60, [[0.3] * 5], f"{family}; {stops}")
    add(mean, [NORMAL], 14, [[0.0] * 5], family)
    add(resampled, [EXPONENTIAL], 20, [[0.0] * 5], family)

    proportion = {**risk, "at_least": 0.5, "miscoverage": 0.001}
    rounds = "rounds of judge, 2% miss a premise"
    through: dict[str, Any] = {"run": calibrate_session, "repetitions": SESSIONS, "unmet": 0.02}
    tested = criterion("beta-binomial", "probability", **proportion)
    # how many more units would decide takes nine tenths of the time, and is not needed here
    with patch.object(verdict, "more", return_value=None):
        add(tested, noisy(FAR), 60, [[0.5, 0.5]], rounds, **through)
        add(
            bet, [UNEVEN], 60, [0.3], "rounds of judge", run=calibrate_session, repetitions=SESSIONS
        )
        # two fifths of the units miss the premise, and one in five of them seems to meet it
        seems = "premise misread by 0.2 of the units without it"
        through |= {"unmet": 0.4, "misread": 0.2}
        wide = criterion("clopper-pearson", "probability", **risk, at_least=0.7, miscoverage=0.2)
        add(wide, [FAR], 60, [1.0], seems, **through)
        tested = criterion("clopper-pearson", "probability", **risk, at_least=0.95)
        add(tested, [FAR], 60, [1.0], f"{seems}, and not counted", PLANTED, **through)

    favour, dropped = "ambiguous units counted in favour", "ambiguous units dropped"
    add(exact, noisy(CLOSE), 75, [0.93], favour, PLANTED, judge=ambiguous_in_favour)
    add(exact, noisy(CLOSE), 75, [0.93], dropped, PLANTED, judge=ambiguous_dropped)
    unsure = "valid? counted as valid where not known"
    add(valid, [CERTIFIED], 120, [0.9499], unsure, PLANTED, judge=ambiguous_as_true)
    sure = "measured, and not counted: misses"
    add(anytime, noisy(OVER, confidence=0.5), 300, [1.0], f"{sure} 0.5", PLANTED)
    wide = criterion("clopper-pearson", "probability", **risk, at_least=0.8)
    add(wide, noisy(UNDER, OVER, confidence=0.9), 300, [0.8], f"{sure} 0.1", PLANTED)
    fixed = "peeked at after every unit"
    add(exact, [EXPONENTIAL], 300, [0.95], fixed, PLANTED, peek=True)
    alone = "family without Holm"
    add(exact, [EXPONENTIAL], 150, [[0.95] * 5], alone, PLANTED, correct=uncorrected)
    add(mean, [NORMAL], 14, [[0.0] * 5], alone, PLANTED, correct=uncorrected)
    return sorted(rows, key=lambda row: row.kind == PLANTED)


_HEAD = """# Calibration of claims

```sh
python figures/calibration.py
```

simulates units of known truth (seed {seed}), judges them as `simbias.claims` judges measured ones,
and counts false verdicts, at alpha = {alpha} with {repetitions:,} repetitions a row ({sessions} in
rounds of `judge`). A row is one truth. *False supported* is the rate at which a claim that is not
true came out supported, *false refuted* that at which a true one came out refuted; where the truth
lies on the very edge both are counted, as the limits from either side, and where a verdict would be
right there is a dash. In a family it is the rate of any such verdict, and *either* that of any
verdict that is false in one way or the other. In brackets is the exact 95% interval. *Measured* is
by errors on 20,000 points, unless it says otherwise, with an interval that *misses* with the
probability beside it, .001 if there is none. *Valid?* is asked of Clopper-Pearson limits from
10,000 held-out points, and told by the interval of the measured risk.

Every rate has to be at most alpha. It is below where counts are discrete, where a margin keeps the
truth away from what is tested, where units are ambiguous or missing, and where a test stays valid
for skewed laws, at every number of units, or for intervals that always miss on the same side; *too
large* is a rate whose whole interval lies above. A true rate of {detected:.4f} is found so with
probability .9 ({detected_sessions:.4f} in rounds of `judge`). The tests that count units are also
held against alpha exactly, without simulation, in `tests/test_claims_calibration.py`.

![Rates of false verdicts](calibration.png)"""
_BROKEN = """Sign flips assume a symmetric law; the bootstrap one that is no more skewed than an
exponential, and whose mean is not carried by values so rare that the units may not show them. For a
quantity with a range betting assumes nothing, and claims may ask for nothing else there. Without a
range no test of a mean does without an assumption (Bahadur and Savage 1956): ask for the median, or
for a proportion of units, where none can be made."""
_COVERAGE = """Every kind of interval that simbias prints, at the edges where it is hardest to
cover: proportions near 0 and 1, few points, ties, no spread, skewed laws, units that are misread.
*Covers* is how many of the simulated intervals hold the truth, with its exact 95% interval;
*below* is one whose whole interval lies below what is claimed. *Shown* is the proportion of the
repetitions in which there is an interval at all, where that is not all of them. *Approximate*
intervals are called so where they stand. Those that are wrong on purpose stand nowhere."""


def page(rows: Sequence[Row], covered: Sequence[intervals.Row]) -> str:
    """The page, in Markdown."""
    kept, broken, planted = (
        [row for row in rows if row.kind == kind] for kind in (KEPT, BROKEN, PLANTED)
    )
    parts = (
        _HEAD.format(
            seed=SEED,
            repetitions=REPETITIONS,
            sessions=SESSIONS,
            alpha=ALPHA,
            detected=detectable(ALPHA, REPETITIONS),
            detected_sessions=detectable(ALPHA, SESSIONS),
        ),
        f"## Tests whose assumptions hold: {_counted(kept)}",
        _table(kept),
        f"## Tests whose assumption is broken: {_counted(broken)}",
        _BROKEN,
        _table(broken),
        f"## Tests that are wrong on purpose: {_counted(planted)}",
        _table(planted),
        f"## Coverage of intervals: {_covering(covered)}",
        _COVERAGE,
        intervals.table(covered),
    )
    return "\n\n".join(parts) + "\n"


def _counted(rows: Sequence[Row]) -> str:
    return f"{sum(row.calibration.exceeds for row in rows)} of {len(rows)} rows too large"


def _covering(rows: Sequence[intervals.Row]) -> str:
    exact, rough, planted = (
        [row for row in rows if row.kind == kind]
        for kind in (intervals.EXACT, intervals.APPROXIMATE, intervals.PLANTED)
    )
    parts = (exact, ""), (rough, "approximate "), (planted, "wrong ")
    return ", ".join(
        f"{sum(row.below for row in of_kind)} of {len(of_kind)} {adjective}below"
        for of_kind, adjective in parts
    )


def _table(rows: Sequence[Row]) -> str:
    names = ("test", "asked", "law", "units", "truth", "false supported", "false refuted", "")
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        calibration = row.calibration
        test = row.test + (f": {row.note}" if row.note else "")
        rates = _rate(calibration.supported), _rate(calibration.refuted)
        flags = ["too large"] if calibration.exceeds else []
        if len(calibration.truths) > 1 and not np.isnan(calibration.either.value):
            flags.append(f"either {_rate(calibration.either)}")
        cells = (
            test,
            row.edge,
            calibration.law,
            str(calibration.units),
            row.truth,
            *rates,
            ", ".join(flags),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rate(rate: Estimate) -> str:
    if np.isnan(rate.value):
        return "-"
    return f"{rate.value:.4f} [{rate.low:.4f}, {rate.high:.4f}]"


@dataclass(eq=False)
class Rates(style.Display):
    """Rates of false verdicts, a line for each row of the page."""

    rows: list[Row]

    def tables(self) -> dict[str, style.Table]:
        """One table, as drawn."""
        columns: dict[str, list[Any]] = {"row": [_label(row) for row in self.rows]}
        for name in ("supported", "refuted"):
            for part in ("value", "low", "high"):
                rates = [getattr(row.calibration, name) for row in self.rows]
                columns[f"{name}_{part}"] = [float(getattr(rate, part)) for rate in rates]
        return {"rates": columns}

    def _size(self) -> tuple[float, float]:
        return style.DOUBLE, 0.8 + 0.14 * len(self.rows)

    def _draw(self, axes: tuple[Axes, ...]) -> None:
        (ax,) = axes
        y, colours = 0.0, {KEPT: style.BLACK, BROKEN: style.ORANGE, PLANTED: style.VERMILLION}
        ticks, previous = [], self.rows[0]
        for row in self.rows:
            y += 1.0 if (row.kind, row.test) == (previous.kind, previous.test) else 1.7
            ticks.append(y)
            previous = row
            for name, marker, lift in (("supported", "o", -0.16), ("refuted", "s", 0.16)):
                rate = getattr(row.calibration, name)
                line_style: dict[str, Any] = {"color": colours[row.kind], "linewidth": 0.9}
                ax.plot([rate.low, rate.high], [y + lift] * 2, **line_style)
                face = "white" if name == "refuted" else colours[row.kind]
                ax.plot(rate.value, y + lift, marker, markersize=2.8, markerfacecolor=face,
                        markeredgewidth=0.7, **line_style)  # fmt: skip
        ax.set_yticks(ticks, [_label(row) for row in self.rows])
        ax.set_ylim(y + 1, 0)
        ax.tick_params(axis="y", length=0, labelsize=5.5)
        ax.axvline(ALPHA, color=style.GREY, linewidth=0.8, linestyle="--")
        ax.set_xscale("symlog", linthresh=ALPHA, linscale=1.5)
        ax.set_xlim(-0.001, 1)
        shown = [0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.2, 0.5, 1]
        ax.set_xticks(shown, [f"{tick:g}" for tick in shown])
        ax.minorticks_off()
        ax.grid(axis="y", color="#EEEEEE", linewidth=0.5)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_xlabel("rate of false verdicts (dashed: alpha)")
        handles = [
            Line2D([], [], color=style.BLACK, marker="o", linestyle="", markersize=3.5),
            Line2D([], [], color=style.BLACK, marker="s", linestyle="", markersize=3.5,
                   markerfacecolor="white"),
            *(Line2D([], [], color=colour) for colour in colours.values()),
        ]  # fmt: skip
        self._legend(ax, handles, ["false supported", "false refuted", *colours], ncols=5)


def _label(row: Row) -> str:
    first = f"{row.test}, {row.calibration.units}: {row.edge}"
    parts = [first, row.calibration.law, row.note, f"truth {row.truth}"]
    return "; ".join(part for part in parts if part)


def main() -> None:
    """Simulate, write the page and draw it."""
    start = time.perf_counter()
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        covering = other.submit(intervals.rows)
        rates, covered = rows(), covering.result()
    png = BytesIO()
    with style.look():
        Rates(rates).plot().figure_.savefig(png, dpi=DPI, metadata={"Software": None})
    (HERE / "calibration.png").write_bytes(png.getvalue())
    (HERE / "calibration.md").write_text(page(rates, covered))
    print(f"{len(rates) + len(covered)} rows in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
