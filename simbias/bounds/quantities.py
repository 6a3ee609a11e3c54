"""Bounds as quantities: their values, whether they hold, and what a certificate costs."""

import math
from collections.abc import Sequence

import numpy as np

from simbias._checks import real
from simbias._defaults import DELTA
from simbias.bounds.evaluation import Evaluation, bound_names, evaluate
from simbias.bounds.record import violated
from simbias.quantities import Argument, Estimate, Subject, quantity
from simbias.registry import BOUNDS
from simbias.stats.held_out import points_to_exclude


def _check(name: str) -> None:
    bound_names([name])


def _never(name: str) -> str:
    applies = BOUNDS.factory(name).compute is not None
    return "" if applies else f"{name}: {BOUNDS.entries()[name].summary}"


def _claims_nothing(name: str) -> str:
    measure = BOUNDS.factory(name).kind == "measure"
    return f"{name}: a measure, which bounds no risk" if measure else _never(name)


_BOUND = Argument("bound", _check, never=_never)
_BOUND_OF_A_RISK = Argument("bound", _check, never=_claims_nothing)
_ERROR = Argument("number", lambda error: real("argument", error, 0, 1, open_high=True))


def evaluations(subject: Subject) -> dict[tuple[str, int], Evaluation]:
    """The bounds that quantities ask for, evaluated together, by name and seed."""

    def evaluated() -> dict[tuple[str, int], Evaluation]:
        results = evaluate(
            subject.stack,
            delta=DELTA,
            bounds=list(map(str, subject.arguments.get("bound", ()))),
            n_certify=subject.n_certify,
            confidence=subject.confidence,
        )
        return {(result.record.bound, result.seed): result for result in results}

    return subject.shared("bounds", evaluated)


# no less than 0 but for sharpness, the curvature that is largest in size
@quantity(-math.inf, math.inf, needs=("exact risk",), argument=_BOUND)
def bound_value(subject: Subject, name: str) -> list[float]:
    """A bound at delta .05; inapplicable: not measured.

    The value is not clipped.
    """
    values = [evaluations(subject)[name, seed].record.value for seed in subject.stack.seeds]
    return [math.nan if value is None else value for value in values]


@quantity(0, 1, needs=("exact risk",), interval="that of the risk", argument=_BOUND_OF_A_RISK)
def bound_valid(subject: Subject, name: str) -> Estimate:
    """1 where the risk is surely at most the bound, 0 where it surely is not.

    The risk is that of what the bound certifies. Where its interval holds the value, validity lies
    between 0 and 1. Measures and bounds that do not apply: not measured.
    """
    return validity([evaluations(subject)[name, seed] for seed in subject.stack.seeds])


def validity(evaluated: Sequence[Evaluation]) -> Estimate:
    """Whether each bound holds: 1, 0, or an interval between them where that is not sure."""
    ends = np.full((3, len(evaluated)), np.nan)
    for i, evaluation in enumerate(evaluated):
        if evaluation.valid is not None:
            limits = (evaluation.risk, evaluation.risk_high, evaluation.risk_low)
            ends[:, i] = [not violated(evaluation.record, float(limit or 0)) for limit in limits]
    return Estimate(*ends)


@quantity(0, 1, needs=("exact risk", "achievable risk"), argument=(_BOUND_OF_A_RISK, _ERROR))
def certifies(subject: Subject, name: str, error: float) -> list[float]:
    """1 where a bound at delta .05 is at most the achievable risk and an error, 0 where it is not.

    A valid bound that does certifies, of the network or the copy that it is about, that its excess
    risk is at most the error. Measures, expectations and bounds that do not apply: not measured.
    """
    achievable = subject.stack.cell.task.truth.achievable_risk
    return [
        certified(evaluations(subject)[name, seed], achievable, error)
        for seed in subject.stack.seeds
    ]


def certified(evaluation: Evaluation, achievable_risk: float, error: float) -> float:
    """Whether a bound certifies an excess risk of at most an error: 1, 0, or NaN for no claim."""
    if evaluation.valid is None:
        return math.nan
    value = evaluation.record.value
    assert value is not None  # it was held against a risk
    return float(value <= achievable_risk + error)


@quantity(1, math.inf, unit="points", interval="that of the risk", argument=_ERROR)
def held_out_points(subject: Subject, error: float) -> Estimate:
    """Fewest held-out points whose 95% certificate at the true risk excludes an error."""
    value, low, high = (
        np.array([points_to_exclude(risk, error) for risk in risks])
        for risks in subject.report.risk
    )
    return Estimate(value, high, low)
