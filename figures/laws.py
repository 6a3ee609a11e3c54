"""Laws of simulated units: the quantity of each, and the interval measured for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from simbias._checks import fail
from simbias.claims.criterion import Criterion
from simbias.stats.binomial import clopper_pearson, lower_limit

_ABOVE = 1e-6  # relative excess of a certificate's delta over its rate of violations

Ends = tuple[Float[np.ndarray, "repetitions units"], Float[np.ndarray, "repetitions units"]]


class Law(Protocol):
    """The law of the units and of their measurements, up to the truth."""

    @property
    def name(self) -> str:
        """Its name in tables."""

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """Low and high of units; both are the quantity where it is known exactly.

        Args:
            criterion: the criterion that they are judged by.
            truth: for "probability", the proportion of units that satisfy the predicate; otherwise
                the mean or the median.
            generator: the random generator.
            shape: (repetitions, units).
        """


@dataclass(frozen=True)
class Located:
    """A law on the line, shifted to have the truth as its mean, median or proportion.

    Attributes:
        name: its name in tables.
        draw: (generator, shape) to values.
        mean, median: those of the values.
        scale: factor of the values.
        nearer: for "probability", the distance of units that violate the predicate from the
            threshold, relative to that of units that satisfy it.
    """

    name: str
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    mean: float
    median: float
    scale: float = 1.0
    nearer: float = 1.0

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``."""
        values = self.draw(generator, shape)
        if criterion.quantifier != "probability":
            centre = self.mean if criterion.quantifier == "mean" else self.median
            return (truth + self.scale * (values - centre),) * 2
        distance = self.scale * np.abs(values - self.median)
        offset = np.where(generator.random(shape) < truth, -distance, self.nearer * distance)
        return (criterion.value + (offset if criterion.op == "<=" else -offset),) * 2


@dataclass(frozen=True)
class Proportions:
    """Numbers in [0, 1] of any mean: 0 and 1 only, or by a beta law.

    Attributes:
        name: its name in tables.
        concentration: sum of the beta law's parameters; 0: only 0 and 1.
    """

    name: str
    concentration: float = 0.0

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``."""
        if not self.concentration:
            return (1.0 * (generator.random(shape) < truth),) * 2
        first = self.concentration * truth
        return (generator.beta(first, self.concentration - first, shape),) * 2


@dataclass(frozen=True)
class Misread:
    """Numbers of which some are read as another number, with an interval of length 0.

    Attributes:
        law: the law of the numbers.
        miscoverage: probability that a number is misread.
        read: the number that is read instead.
    """

    law: Law
    miscoverage: float
    read: float

    @property
    def name(self) -> str:
        """That of the numbers."""
        return self.law.name

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``."""
        ends = self.law.place(criterion, truth, generator, shape)
        missed = generator.random(shape) < self.miscoverage
        low, high = (np.where(missed, self.read, part) for part in ends)
        return low, high


@dataclass(frozen=True)
class Discordant:
    """Differences -1, 0, 1 of two networks' errors, on points of which a proportion is not 0."""

    name: str
    proportion: float

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``."""
        uniform, above = generator.random(shape), (self.proportion + truth) / 2
        return (np.where(uniform < above, 1.0, np.where(uniform < self.proportion, -1.0, 0.0)),) * 2


@dataclass(frozen=True)
class Measured:
    """Risks of which only a Clopper-Pearson interval is known.

    Attributes:
        law: the law of the risks.
        points: fresh points on which the errors of each unit are counted.
        confidence: coverage of the interval.
    """

    law: Law
    points: int
    confidence: float

    @property
    def name(self) -> str:
        """That of the risks."""
        return self.law.name

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``; raises ValueError for risks outside [0, 1]."""
        risk, _ = self.law.place(criterion, truth, generator, shape)
        if not ((risk >= 0) & (risk <= 1)).all():
            raise fail("law", "quantities outside [0, 1]", "risks, where they are measured")
        return _interval(generator.binomial(self.points, risk), self.points, self.confidence)


@dataclass(frozen=True)
class Certified:
    """Certificates of one risk: 1 where they are surely above it, 0 where surely not.

    A certificate is the upper limit that Clopper and Pearson give for ``held_out`` points. It is
    violated at ``errors`` or fewer of them; the risk, and with it the limit's delta, is such that
    this has probability 1 - truth. Where the interval of the measured risk holds the certificate,
    validity lies between 0 and 1, as in ``bounds.quantities.validity``.

    Attributes:
        name: its name in tables.
        held_out, errors: points and errors of the certificate.
        points: fresh points on which the risk is measured.
        confidence: coverage of its interval.
    """

    name: str
    held_out: int
    errors: int
    points: int
    confidence: float

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``."""
        return self.validity(*self.draw(truth, generator, shape))

    def draw(
        self, truth: float, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], Ends]:
        """Certificates, and low and high of the measured risks."""
        risk = lower_limit(self.errors + 1, self.held_out, truth)
        delta = (1 - truth) * (1 + _ABOVE)
        wrong = generator.binomial(self.held_out, risk, shape)
        _, certificate = _interval(wrong, self.held_out, 1 - 2 * delta)
        wrong = generator.binomial(self.points, risk, shape)
        return certificate, _interval(wrong, self.points, self.confidence)

    def validity(self, certificate: NDArray[np.float64], risk: Ends) -> Ends:
        """Low and high of validity: 1 where it is certain, and 1 where it is possible."""
        low, high = risk
        return (high <= certificate).astype(float), (low <= certificate).astype(float)


def _interval(errors: NDArray[np.int64], points: int, confidence: float) -> Ends:
    counts, inverse = np.unique(errors, return_inverse=True)  # few, of many units
    estimate = clopper_pearson(counts, np.full_like(counts, points), confidence)
    return estimate.low[inverse], estimate.high[inverse]
