"""Bounds as quantities: their values, whether they hold, and what a certificate costs."""

import math
from collections.abc import Sequence

import numpy as np

from simbias._checks import real
from simbias._defaults import CONFIDENCE, DELTA
from simbias.bounds.evaluation import Evaluation, bound_names, evaluate
from simbias.bounds.record import violated
from simbias.quantities import Argument, Estimate, Subject, quantity
from simbias.registry import BOUNDS
from simbias.stats.binomial import lower_limit

_MOST_HELD_OUT = 10_000_000


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


def points_to_exclude(risk: float, error: float, *, confidence: float = CONFIDENCE) -> float:
    """The least m at which floor(m risk) errors in m points exclude a smaller error.

    The one-sided Clopper-Pearson lower limit of the risk then lies above ``error``.

    Args:
        risk: of the network, in [0, 1].
        error: to be excluded, in [0, 1).
        confidence: of the certificate.

    Returns:
        m; inf where the risk is no larger, or more than ten million points would be needed; NaN
        where the risk is.
    """
    if np.isnan(risk):
        return np.nan
    if risk <= error:
        return np.inf
    # with k errors the limit falls as m grows, so the least m for each k is its first, ceil(k/r)
    errors, most = 1, 64
    while errors <= risk * _MOST_HELD_OUT:
        k = np.arange(errors, errors + most)
        m = np.ceil(k / risk - 1e-9)
        enough = lower_limit(k, m, 1 - confidence) > error
        if enough.any():
            return float(m[np.argmax(enough)])
        errors, most = errors + most, 2 * most
    return np.inf
