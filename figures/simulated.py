"""How often a test is wrong: simulated units whose truth is known, judged as measured ones are.

At every truth the rate of false verdicts has to stay under alpha. The tests of ``wrong_tests``
break this by likely mistakes, and the same simulation has to catch them. ``calibrate`` judges by
the inference alone, many repetitions at once; ``calibrate_session`` by ``judge``, one at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from laws import Law
from numpy.typing import ArrayLike, NDArray

from simbias import networks, tasks
from simbias._checks import real, whole
from simbias.claims.claim import Claim, Premise
from simbias.claims.criterion import Criterion
from simbias.claims.family import holm
from simbias.claims.grammar import parse
from simbias.claims.inference import p_values, p_values_along
from simbias.claims.networks import Key, Triple
from simbias.claims.session import judge
from simbias.experiments import AnyCell
from simbias.quantities import declared
from simbias.registry import METHODS
from simbias.stats.binomial import clopper_pearson, lower_limit
from simbias.stats.estimate import Estimate
from simbias.stats.step_down import reaches
from simbias.training.cell import Cell

CONFIDENCE = 0.95  # of the rates' own intervals
_BLOCK = 200  # repetitions judged at once

PValues = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Calibration:
    """Rates of false verdicts, with their exact intervals.

    Attributes:
        criterion: the test.
        law: name of the law.
        units: the most units of each claim.
        truths: the truth of each claim of the family.
        repetitions: families simulated.
        supported: proportion of families with a supported claim that is false, or true only at the
            edge, as the limit of false ones; NaN where there is no such claim.
        refuted: proportion of families with a refuted claim that is true, the edge included.
        either: proportion of families with a false verdict of either kind; NaN where a truth lies
            at the edge, which cannot be the limit of true claims and of false ones at once.
    """

    criterion: Criterion
    law: str
    units: int
    truths: tuple[float, ...]
    repetitions: int
    supported: Estimate
    refuted: Estimate
    either: Estimate

    @property
    def exceeds(self) -> bool:
        """Whether the whole interval of a rate lies above alpha."""
        rates = (self.supported, self.refuted, self.either)
        return any(float(rate.low) > self.criterion.alpha for rate in rates)


def detectable(alpha: float, repetitions: int, *, power: float = 0.9) -> float:
    """The true rate of false verdicts that ``Calibration.exceeds`` finds with a given probability.

    Args:
        alpha: the level that it is compared with, in (0, 1).
        repetitions: families simulated.
        power: the probability, in (0, 1).

    Returns:
        The rate; 1 where no count of these repetitions exceeds.
    """
    real("alpha", alpha, 0, 1, open_low=True, open_high=True)
    real("power", power, 0, 1, open_low=True, open_high=True)
    wrong = np.arange(whole("repetitions", repetitions) + 1)
    low = clopper_pearson(wrong, np.full_like(wrong, repetitions), CONFIDENCE).low
    least = int(np.argmax(low > alpha))  # 0 where none is
    return float(lower_limit(least, repetitions, power)) if least else 1.0


def calibrate(
    criterion: Criterion,
    law: Law,
    units: int,
    *,
    truth: float | Sequence[float],
    repetitions: int = 2000,
    seed: int = 0,
    missing: float = 0.0,
    peek: bool | None = None,
    judge: Callable[[Criterion, ArrayLike, ArrayLike], PValues] = p_values,
    correct: Callable[[Sequence[tuple[float, float]], float], list[str]] = holm,
) -> Calibration:
    """Rates of false verdicts by the inference alone.

    Args:
        criterion: the test, of every claim of the family.
        law: the law of the units.
        units: the most units of each claim.
        truth: the truth of the law; several are a family of claims on independent units.
        repetitions: families to simulate.
        seed: of the simulation.
        missing: proportion of units that are lost, whatever their quantity.
        peek: test after every unit, and stop as soon as a verdict is certain to hold in the family;
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
    if criterion.procedure.sequential if peek is None else peek:
        judge = _stopping(len(truths))
    wrong = np.zeros(3, np.int64)
    for start in range(0, repetitions, _BLOCK):
        shape = (min(_BLOCK, repetitions - start), units)
        p_pairs = []
        for claim_truth in truths:
            low, high = law.place(criterion, claim_truth, generator, shape)
            lost = generator.random(shape) < missing
            low, high = np.where(lost, criterion.low, low), np.where(lost, criterion.high, high)
            p_pairs.append(np.stack(judge(criterion, low, high), axis=-1))
        for family in np.stack(p_pairs, axis=1):
            verdicts = correct(
                [(float(supported), float(refuted)) for supported, refuted in family],
                criterion.alpha,
            )
            wrong += _wrong(criterion, truths, verdicts)
    return _calibration(criterion, law, units, truths, repetitions, wrong)


def calibrate_session(
    criterion: Criterion,
    law: Law,
    units: int,
    *,
    truth: float | Sequence[float],
    repetitions: int = 200,
    seed: int = 0,
    unmet: float = 0.0,
    misread: float = 0.0,
    versions: int = 1,
) -> Calibration:
    """Rates of false verdicts by ``judge``: in rounds, with a premise, as a family.

    Args:
        criterion: the test, of every claim of the family; its alpha, below 1/2, is what all
            simulated versions spend together.
        law: the law of the units: numbers in [0, 1].
        units: the most units of each claim.
        truth: the truth of the law; several are a family of claims on independent units.
        repetitions: families to simulate.
        seed: of the simulation.
        unmet: proportion of units that miss the premise, whatever their quantity.
        misread: proportion of those whose premise seems met, with a quantity that violates the
            claim.
        versions: number of versions of the family, each on its own units; a verdict that is false
            in any version counts.

    Raises:
        ValueError: a number out of range.
    """
    whole("units", units)
    whole("repetitions", repetitions)
    real("unmet", unmet, 0, 1)
    real("misread", misread, 0, 1)
    truths = tuple(map(float, np.atleast_1d(truth)))
    generator = np.random.default_rng(seed)
    whole("versions", versions)
    real("alpha", criterion.alpha, 0, 0.5, open_low=True, open_high=True)
    shared = replace(criterion, alpha=criterion.alpha * (versions + 1) / versions)
    claims = _claims(shared, units, len(truths))
    first = {claim.id: i * units for i, claim in enumerate(claims)}
    wrong = np.zeros(3, np.int64)
    for _ in range(repetitions):
        ever_wrong = np.zeros(3, np.bool_)
        for version in range(1, versions + 1):
            ends = [
                law.place(criterion, claim_truth, generator, (1, units)) for claim_truth in truths
            ]
            low, high = (np.concatenate(part, axis=None) for part in zip(*ends, strict=True))
            outside = generator.random(len(low)) < unmet
            seeming = outside & (generator.random(len(low)) < misread)
            low, high = (
                np.where(seeming, 1.0 * (criterion.op == "<="), part) for part in (low, high)
            )
            fitted = 1.0 * (~outside | seeming)
            measured = {"risk": (low, low, high), "train_accuracy": (fitted,) * 3}
            versioned = [replace(claim, version=version) for claim in claims]
            verdicts = judge(versioned, _Known(measured), first_seeds=first)
            ever_wrong |= _wrong(criterion, truths, [verdict.verdict for verdict in verdicts])
        wrong += ever_wrong
    return _calibration(criterion, law, units, truths, repetitions, wrong)


class _Known:
    """Networks without weights, all of whose quantities are measured already."""

    def __init__(self, measured: Mapping[str, tuple[NDArray[np.float64], ...]]) -> None:
        self._measured = measured  # value, low and high by quantity, each (seeds,)

    def train(self, wanted: Mapping[AnyCell, Sequence[int]]) -> None:
        """Do nothing: all measurements exist."""

    def stack(self, cell: AnyCell, seeds: Sequence[int]) -> None:
        """None, as there are no weights."""
        return None

    def recall(self, key: Key, seeds: Sequence[int]) -> dict[int, Triple]:
        """Value, low and high of each seed."""
        value, low, high = self._measured[key.reference.quantity]
        return {seed: (value[seed], low[seed], high[seed]) for seed in seeds}

    def keep(self, key: Key, measured: Mapping[int, Triple]) -> None:
        """Do nothing: nothing is measured."""


def _claims(criterion: Criterion, units: int, count: int) -> list[Claim]:
    """A family of claims on the risk of networks that fit their training set."""
    network, method = networks.get("mlp", width=2, depth=1), METHODS.make("sgd", {})
    cell = Cell(tasks.get("lms-7", dim=2), network, method, n_train=1, batch=1)
    risk, fitted = (
        parse("quantity", name, quantities=declared()) for name in ("risk", "train_accuracy")
    )
    return [
        Claim(
            id=f"simulated-{i}",
            title="simulated",
            source="simulated",
            quantity=risk,
            populations={"": cell},
            unit="network",
            redraws=("data",),
            criterion=criterion,
            units=units,
            family="simulated",
            correction="holm",
            n_certify=1,  # the law decides the measurements and their intervals
            confidence=0.5,
            premises=(Premise(fitted, ">=", 0.99, 0.5),),
            family_size=count,
        )
        for i in range(count)
    ]


def _calibration(
    criterion: Criterion,
    law: Law,
    units: int,
    truths: tuple[float, ...],
    repetitions: int,
    wrong: NDArray[np.int64],
) -> Calibration:
    sides = [_side(criterion, truth) for truth in truths]
    possible = np.array([min(sides) <= 0, max(sides) >= 0, 0 not in sides])
    rates = clopper_pearson(wrong, np.where(possible, repetitions, 0), CONFIDENCE)
    rates_of = (Estimate(*(part[i] for part in rates)) for i in range(3))
    return Calibration(criterion, law.name, units, truths, repetitions, *rates_of)


def _side(criterion: Criterion, truth: float) -> float:
    """Positive where the claim is true, negative where it is false, 0 on the edge."""
    if criterion.quantifier == "probability":
        assert criterion.at_least is not None
        return truth - criterion.at_least
    return criterion.value - truth if criterion.op == "<=" else truth - criterion.value


def _wrong(
    criterion: Criterion, truths: Sequence[float], verdicts: Sequence[str]
) -> NDArray[np.bool_]:
    """Whether any claims of the family are falsely supported, falsely refuted, or either."""
    pairs = [
        (_side(criterion, truth), verdict) for truth, verdict in zip(truths, verdicts, strict=True)
    ]
    supported = any(side <= 0 and verdict == "supported" for side, verdict in pairs)
    refuted = any(side >= 0 and verdict == "refuted" for side, verdict in pairs)
    return np.array([supported, refuted, supported or refuted])


def _stopping(claims: int) -> Callable[[Criterion, ArrayLike, ArrayLike], PValues]:
    """Judge by the p-values at the first unit at which one decides, else by the last ones."""

    def judge(criterion: Criterion, low: ArrayLike, high: ArrayLike) -> PValues:
        supported, refuted = p_values_along(criterion, low, high)
        sure = reaches(np.minimum(supported, refuted), criterion.alpha / claims)
        sure[:, -1] = True
        stop = np.argmax(sure, axis=-1)[:, None]
        first, second = (np.take_along_axis(p, stop, axis=-1)[:, 0] for p in (supported, refuted))
        return first, second

    return judge
