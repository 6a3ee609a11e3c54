"""What held-out points are enough for, as quantities: answers, sets of labels, a failure revealed.

Their arguments are the allowed probability of an error, the number of held-out points, and the most
probability that a held-out label is another one.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from simbias._checks import real, whole
from simbias._defaults import DELTA
from simbias.bounds.prediction_sets import prediction_sets
from simbias.bounds.selective import selective
from simbias.quantities import Argument, Estimate, Subject, quantity
from simbias.stats.reveal import points_to_reveal
from simbias.validation.sound import faulty, of_sound

Certificate = TypeVar("Certificate")

_COUNTED = "Clopper-Pearson"
_MOST_RISK = 1 - 1e-9  # a risk of 1 is revealed as this one is


def _open(value: object) -> float:
    return real("allowed", value, 0, 1, open_low=True, open_high=True)


_ALLOWED = Argument("number", _open)
_POINTS = Argument("number", lambda value: whole("points", value))
_NOISE = Argument("number", lambda value: real("noise", value, 0, 1, open_high=True))
_CERTIFICATE = (_ALLOWED, _POINTS, _NOISE)


def _certificate(
    subject: Subject, certify: Callable[..., Certificate], allowed: float, points: int, noise: float
) -> Certificate:
    """A certificate that is asked for, whatever else is."""
    return subject.shared(
        f"{certify.__name__} {allowed!r} {points} {noise!r}",
        lambda: certify(
            subject.stack,
            allowed,
            held_out=points,
            delta=DELTA,
            noise=noise,
            n_certify=subject.n_certify,
            confidence=subject.confidence,
        ),
    )


def _of_networks(subject: Subject, estimate: Estimate) -> Estimate:
    """The estimates at the only number of points; NaN for what is no classifier."""
    only = Estimate(*(part[:, 0] for part in estimate))
    return of_sound(only, faulty(subject.stack))


@quantity(0, 1, interval=_COUNTED, argument=_CERTIFICATE)
def answered(subject: Subject, allowed: float, points: int, noise: float) -> Estimate:
    """Proportion of points that are answered, at a risk certified with 95%."""
    return _of_networks(
        subject, _certificate(subject, selective, allowed, points, noise).fresh_answered
    )


@quantity(0, 1, interval=_COUNTED, argument=_CERTIFICATE)
def answered_risk(subject: Subject, allowed: float, points: int, noise: float) -> Estimate:
    """Risk of the points that are answered at a certified risk; 0 where none is."""
    risk = _certificate(subject, selective, allowed, points, noise).fresh_risk
    return _of_networks(subject, Estimate(*(np.nan_to_num(part, nan=0.0) for part in risk)))


@quantity(1, 2, interval=_COUNTED, unit="labels", needs=("two classes",), argument=_CERTIFICATE)
def set_size(subject: Subject, allowed: float, points: int, noise: float) -> Estimate:
    """Mean number of labels of sets that miss the right one rarely, certified with 95%."""
    several = _certificate(subject, prediction_sets, allowed, points, noise).fresh_several
    return _of_networks(subject, Estimate(*(1 + part for part in several)))


@quantity(0, 1, interval=_COUNTED, argument=_CERTIFICATE)
def set_missing(subject: Subject, allowed: float, points: int, noise: float) -> Estimate:
    """Probability that a set certified so misses the right label."""
    return _of_networks(
        subject, _certificate(subject, prediction_sets, allowed, points, noise).fresh_missing
    )


@quantity(1, math.inf, unit="points", interval="that of the risk", argument=(_ALLOWED, _NOISE))
def revealing_points(subject: Subject, allowed: float, noise: float) -> Estimate:
    """Held-out points from which on a test at 5% reveals with 95% that the risk is not allowed.

    It falls as the risk grows; infinite where the risk is allowed, or more than a million may be
    needed.
    """
    risk = subject.report.risk

    def needed(risks: Float[np.ndarray, " networks"]) -> Float[np.ndarray, " networks"]:
        return np.array([_points(float(r), allowed, noise) for r in risks])

    return Estimate(needed(risk.value), needed(risk.high), needed(risk.low))


def _points(risk: float, allowed: float, noise: float) -> float:
    if math.isnan(risk) or risk <= allowed:
        return math.nan if math.isnan(risk) else math.inf
    likely = min(risk, _MOST_RISK)
    try:
        needed = points_to_reveal(allowed, likely, alpha=DELTA, power=1 - DELTA, noise=noise)
    except ValueError:  # by so many points, or such noise, the risks are not told apart
        return math.inf
    return float(needed.always)
