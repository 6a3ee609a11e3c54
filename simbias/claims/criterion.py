"""The criterion of a claim: predicate, quantifier, test, and the probabilities of an error."""

import math
from dataclasses import dataclass

import numpy as np

from simbias._checks import fail, known, real
from simbias.claims.procedures import Procedure, declared_tests

QUANTIFIERS = ("probability", "mean", "median")


@dataclass(frozen=True)
class Criterion:
    """The predicate of a claim, its quantifier over the units, and its test.

    Attributes:
        op: "<=" or ">=".
        value: what the quantity is compared with.
        margin: half-width of the indifference zone, at least 0.
        quantifier: "probability" (enough of the units satisfy the predicate), "mean" or "median"
            (that of the units does).
        at_least: of "probability", the proportion in (0, 1); None otherwise.
        test: a key of ``procedures.declared_tests()``.
        alpha: probability of a false verdict, in (0, 1).
        miscoverage: probability that any of a unit's intervals misses, its quantity's or a
            premise's, in [0, 1).
        low, high: range of the quantity, for the tests that need one.

    Raises:
        ValueError: a value out of range, an unknown name, or a test that does not suit the others.

    Examples:
        >>> from simbias.claims import Criterion
        >>> settings = "<=", 0.01, 0.001, "probability", 0.95, "clopper-pearson"
        >>> criterion = Criterion(*settings, alpha=0.05)
        >>> criterion.quantifier, criterion.at_least
        ('probability', 0.95)
        >>> Criterion(*settings, alpha=1.5)
        Traceback (most recent call last):
            ...
        ValueError: alpha: got 1.5, allowed: a number in (0, 1)
    """

    op: str
    value: float
    margin: float
    quantifier: str
    at_least: float | None
    test: str
    alpha: float
    miscoverage: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        known("op", self.op, ("<=", ">="))
        real("value", self.value)
        real("margin", self.margin, 0)
        known("quantifier", self.quantifier, QUANTIFIERS)
        if self.quantifier == "probability":
            real("at_least", self.at_least, 0, 1, open_low=True, open_high=True)
        elif self.at_least is not None:
            raise fail("at_least", self.at_least, f"None with the quantifier {self.quantifier!r}")
        known("test", self.test, declared_tests())
        quantifiers = self.procedure.quantifiers
        if self.quantifier not in quantifiers:
            raise fail(
                "quantifier", self.quantifier, f"{' or '.join(quantifiers)} with {self.test!r}"
            )
        if self.procedure.paired and (self.value, self.margin) != (0, 0):
            raise fail("value, margin", (self.value, self.margin), f"0, 0 with {self.test!r}")
        ends = (self.low, self.high)
        if self.procedure.ranged and not (np.isfinite(ends).all() and self.low < self.high):
            raise fail("low, high", ends, f"a finite range with {self.test!r}")
        real("alpha", self.alpha, 0, 1, open_low=True, open_high=True)
        least = 0.5 if self.at_least is None else min(self.at_least, 1 - self.at_least)
        real("miscoverage", self.miscoverage, 0, least, open_high=True)

    @property
    def procedure(self) -> Procedure:
        """The test of its name."""
        return declared_tests()[self.test]

    @property
    def charged(self) -> bool:
        """Whether its p-value is raised by the probability that any unit's interval misses."""
        return self.quantifier == "mean" and not self.procedure.ranged
