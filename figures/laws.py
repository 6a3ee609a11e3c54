"""Laws of simulated units: where the quantity of each lies, and what is measured of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from simbias._checks import fail
from simbias.claims.criterion import Criterion
from simbias.stats.binomial import clopper_pearson, lower_limit

_ABOVE = 1e-6  # relative: how little the delta of a certificate exceeds its rate of violations

Ends = tuple[Float[np.ndarray, "repetitions units"], Float[np.ndarray, "repetitions units"]]


class Law(Protocol):
    """The law of the units and of what is measured of them, up to where its truth lies."""

    @property
    def name(self) -> str:
        """For tables."""

    def place(
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """Low and high of units: twice the quantity where it is known exactly.

        Args:
            criterion: what is asked of them.
            truth: of "probability", the proportion of units that satisfy the predicate; otherwise
                the mean or the median.
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
        self,
        criterion: Criterion,
        truth: float,
        generator: np.random.Generator,
        shape: tuple[int, ...],
    ) -> Ends:
        """As ``Law.place``."""
        made = self.draw(generator, shape)
        if criterion.quantifier != "probability":
            centre = self.mean if criterion.quantifier == "mean" else self.median
            return (truth + self.scale * (made - centre),) * 2
        distance = self.scale * np.abs(made - self.median)
        apart = np.where(generator.random(shape) < truth, -distance, self.nearer * distance)
        return (criterion.value + (apart if criterion.op == "<=" else -apart),) * 2


@dataclass(frozen=True)
class Proportions:
    """Numbers in [0, 1] of any mean: 0 and 1 only, or by a beta law.

    Attributes:
        name: for tables.
        concentration: of the beta law, the sum of its parameters; 0: only 0 and 1.
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
    """Numbers of which some are read as another one, as if it were surely theirs.

    Attributes:
        law: of the numbers.
        miscoverage: probability of that.
        read: what is read then.
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
        place, above = generator.random(shape), (self.proportion + truth) / 2
        return (np.where(place < above, 1.0, np.where(place < self.proportion, -1.0, 0.0)),) * 2


@dataclass(frozen=True)
class Measured:
    """Risks of which only a Clopper-Pearson interval is known.

    Attributes:
        law: of the risks.
        points: fresh points on which the errors of each unit are counted.
        confidence: of the interval.
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
        name: for tables.
        held_out, errors: of the certificate.
        points: fresh points on which the risk is measured.
        confidence: of its interval.
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
        return self.told(*self.draw(truth, generator, shape))

    def draw(
        self, truth: float, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], Ends]:
        """Certificates, and low and high of the risks that were measured beside them."""
        risk = lower_limit(self.errors + 1, self.held_out, truth)
        delta = (1 - truth) * (1 + _ABOVE)
        wrong = generator.binomial(self.held_out, risk, shape)
        _, certificate = _interval(wrong, self.held_out, 1 - 2 * delta)
        wrong = generator.binomial(self.points, risk, shape)
        return certificate, _interval(wrong, self.points, self.confidence)

    def told(self, certificate: NDArray[np.float64], risk: Ends) -> Ends:
        """Low and high of validity: whether it is sure, and whether it is possible."""
        low, high = risk
        return (high <= certificate).astype(float), (low <= certificate).astype(float)


def _interval(errors: NDArray[np.int64], points: int, confidence: float) -> Ends:
    counts, place = np.unique(errors, return_inverse=True)  # few, of many units
    found = clopper_pearson(counts, np.full_like(counts, points), confidence)
    return found.low[place], found.high[place]
