"""How often a test is wrong: simulated units whose truth is known, judged as measured ones are.

At every truth the rate of false verdicts has to stay under alpha. The tests of ``controls`` break
this in ways that come easily, and the same simulation has to catch them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from simbias._checks import fail, real, whole
from simbias.claims.family import holm, reaches
from simbias.claims.inference import TESTS, Rule, along, p_values
from simbias.validation.risk import Estimate, clopper_pearson

CONFIDENCE = 0.95  # of the rates' own intervals
_BLOCK = 200  # repetitions judged at once

PValues = tuple[NDArray[np.float64], NDArray[np.float64]]


class Law(Protocol):
    """The law of the units, up to where its truth lies."""

    @property
    def name(self) -> str:
        """For tables."""

    def place(
        self, rule: Rule, truth: float, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> Float[np.ndarray, "repetitions units"]:
        """Quantities of units.

        Args:
            rule: what is asked of them.
            truth: of "probability", the share of units that satisfy the predicate; otherwise the
                mean or the median.
            generator: of random numbers.
            shape: (repetitions, units).
        """


@dataclass(frozen=True)
class Located:
    """A law on the line, moved to where the truth is.

    Attributes:
        name: for tables.
        draw: (generator, shape) to values.
        mean, median: of these values.
        scale: they are multiplied by it.
        nearer: of "probability", how far the units that violate the predicate lie from the
            threshold, compared with those that satisfy it.
    """

    name: str
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    mean: float
    median: float
    scale: float = 1.0
    nearer: float = 1.0

    def place(
        self, rule: Rule, truth: float, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> Float[np.ndarray, "repetitions units"]:
        """As ``Law.place``."""
        made = self.draw(generator, shape)
        if rule.quantifier != "probability":
            centre = self.mean if rule.quantifier == "mean" else self.median
            return truth + self.scale * (made - centre)
        distance = self.scale * np.abs(made - self.median)
        apart = np.where(generator.random(shape) < truth, -distance, self.nearer * distance)
        return rule.value + (apart if rule.op == "<=" else -apart)


@dataclass(frozen=True)
class Discordant:
    """Differences -1, 0, 1 of two networks' errors, on points of which a share is not 0."""

    name: str
    share: float

    def place(
        self, rule: Rule, truth: float, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> Float[np.ndarray, "repetitions units"]:
        """As ``Law.place``."""
        place, above = generator.random(shape), (self.share + truth) / 2
        return np.where(place < above, 1.0, np.where(place < self.share, -1.0, 0.0))


@dataclass(frozen=True)
class Noise:
    """What is known of a unit whose quantity is a risk: its Clopper-Pearson interval.

    Attributes:
        points: fresh points on which its errors are counted.
        confidence: of the interval.
    """

    points: int
    confidence: float


@dataclass(frozen=True)
class Calibration:
    """Rates of false verdicts, with their exact intervals.

    Attributes:
        rule: the test.
        law: name of the law.
        units: of each claim, at most.
        truths: of the claims of the family.
        repetitions: families simulated.
        supported: share of them in which a claim came out supported that is not true, or true on
            the very edge only, as the limit of those that are not; NaN where there is none.
        refuted: the same of claims that came out refuted and are true.
    """

    rule: Rule
    law: str
    units: int
    truths: tuple[float, ...]
    repetitions: int
    supported: Estimate
    refuted: Estimate

    @property
    def exceeds(self) -> bool:
        """Whether the whole interval of a rate lies above alpha."""
        return any(float(rate.low) > self.rule.alpha for rate in (self.supported, self.refuted))


def calibrate(
    rule: Rule,
    law: Law,
    units: int,
    *,
    truth: float | Sequence[float],
    repetitions: int = 2000,
    seed: int = 0,
    noise: Noise | None = None,
    missing: float = 0.0,
    peek: bool | None = None,
    judge: Callable[[Rule, ArrayLike, ArrayLike], PValues] = p_values,
    correct: Callable[[Sequence[tuple[float, float]], float], list[str]] = holm,
) -> Calibration:
    """Judge simulated units again and again.

    Args:
        rule: the test, of every claim of the family.
        law: of the units.
        units: of each claim, at most.
        truth: where the law lies; several of them are a family of claims on independent units.
        repetitions: families to simulate.
        seed: of the simulation.
        noise: how quantities are measured; None: they are known.
        missing: share of units that are lost, whatever their quantity.
        peek: look after every unit, and stop as soon as a verdict is sure to stand in the family;
            None: where the test is sequential.
        judge: from units to p-values, at the end.
        correct: from the p-values of a family to verdicts.

    Raises:
        ValueError: a number out of range, or to peek with a test that does not count units.
    """
    whole("units", units)
    whole("repetitions", repetitions)
    real("missing", missing, 0, 1)
    truths = tuple(map(float, np.atleast_1d(truth)))
    generator = np.random.default_rng(seed)
    if TESTS[rule.test].sequential if peek is None else peek:
        judge = _stopping(len(truths))
    wrong = np.zeros(2, np.int64)
    for start in range(0, repetitions, _BLOCK):
        shape = (min(_BLOCK, repetitions - start), units)
        found = []
        for one in truths:
            quantity = law.place(rule, one, generator, shape)
            low, high = quantity, quantity
            if noise is not None:
                low, high = _measured(quantity, noise, generator)
            lost = generator.random(shape) < missing
            low, high = np.where(lost, -np.inf, low), np.where(lost, np.inf, high)
            found.append(np.stack(judge(rule, low, high), axis=-1))
        for family in np.stack(found, axis=1):
            verdicts = correct([(float(a), float(b)) for a, b in family], rule.alpha)
            wrong += _wrong(rule, truths, verdicts)
    sides = [_side(rule, one) for one in truths]
    possible = np.array([min(sides) <= 0, max(sides) >= 0])
    rates = clopper_pearson(wrong, np.where(possible, repetitions, 0), CONFIDENCE)
    supported, refuted = (Estimate(*(part[i] for part in rates)) for i in (0, 1))
    return Calibration(rule, law.name, units, truths, repetitions, supported, refuted)


def _side(rule: Rule, truth: float) -> float:
    """Positive where the claim is true, negative where it is false, 0 on the edge."""
    if rule.quantifier == "probability":
        assert rule.at_least is not None
        return truth - rule.at_least
    return rule.value - truth if rule.op == "<=" else truth - rule.value


def _wrong(rule: Rule, truths: Sequence[float], verdicts: Sequence[str]) -> NDArray[np.bool_]:
    """Whether a claim of the family is falsely supported, and whether one is falsely refuted."""
    pairs = [(_side(rule, one), verdict) for one, verdict in zip(truths, verdicts, strict=True)]
    return np.array(
        [
            any(side <= 0 and verdict == "supported" for side, verdict in pairs),
            any(side >= 0 and verdict == "refuted" for side, verdict in pairs),
        ]
    )


def _measured(
    risk: Float[np.ndarray, "repetitions units"], noise: Noise, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "repetitions units"], Float[np.ndarray, "repetitions units"]]:
    if not ((risk >= 0) & (risk <= 1)).all():
        raise fail("law", "quantities outside [0, 1]", "risks, where they are measured")
    errors = generator.binomial(noise.points, risk)
    interval = clopper_pearson(errors, np.full_like(errors, noise.points), noise.confidence)
    return interval.low, interval.high


def _stopping(claims: int) -> Callable[[Rule, ArrayLike, ArrayLike], PValues]:
    """The p-values at the first look at which one of them decides; the last ones, if none does."""

    def judge(rule: Rule, low: ArrayLike, high: ArrayLike) -> PValues:
        supported, refuted = along(rule, low, high)
        sure = reaches(np.minimum(supported, refuted), rule.alpha / claims)
        sure[:, -1] = True
        stop = np.argmax(sure, axis=-1)[:, None]
        first, second = (np.take_along_axis(p, stop, axis=-1)[:, 0] for p in (supported, refuted))
        return first, second

    return judge
