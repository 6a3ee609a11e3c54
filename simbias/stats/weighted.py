"""The mean of errors under a law that is not drawn from, from draws of another, each with a weight.

The weight w(z) is the density of the law Q in question over that of the law P of the draws. With a
cap c > 0 fixed beforehand and errors e(z) in {0, 1},

    E_Q e = E_Q e min(1, c/w) + E_Q e (1 - min(1, c/w)) <= E_P e min(w, c) + E_Q max(1 - c/w, 0),

for w min(1, c/w) = min(w, c). Where Q has mass outside the support of P, w is infinite and the
first term of the middle is 0: such points count as errors. The first term on the right is the mean
of values in [0, c] of draws from P; the second knows nothing of the errors, and is the mean of
values in [0, 1] of draws from Q, which cost nothing where Q can be simulated. Each has an upper
limit by betting (``simbias.stats.bounded``), whatever the law of the weights. With c at least the
largest weight, the second is 0.

The larger c, the less is left out and the more one error weighs. Capped weights are due to E. L.
Ionides, "Truncated importance sampling" (Journal of Computational and Graphical Statistics 2008).
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from simbias._checks import fail, real
from simbias.stats.bounded import betting_upper

_MIXTURE = 3.0  # nats that betting pays for not knowing the best bet, about
_CAPS = 60  # that are compared


def choose_cap(
    weights: Float[np.ndarray, " rows"], largest: float, points: int, delta: float
) -> float:
    """The cap at which a classifier without errors would have about the least limit.

    Args:
        weights: of draws from Q, infinite outside the support of P; others than certify.
        largest: the largest possible weight, or infinity.
        points: draws from P that will certify.
        delta: in (0, 1).

    Returns:
        A finite number > 0; of all weights infinite, 1.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.weighted import choose_cap
        >>> weights = np.repeat([1.0, 1000.0], [9990, 10])
        >>> [choose_cap(weights, 1000.0, points, 0.05) for points in (1000, 10**9)]
        [1.0, 1000.0]
    """
    finite = weights[np.isfinite(weights)]
    caps = np.quantile(finite, np.linspace(0, 1, _CAPS)) if len(finite) else np.ones(1)
    if math.isfinite(largest):
        caps = np.append(caps[caps < largest * (1 - 1e-9)], largest)  # all but rounding below it
    caps = np.unique(caps[caps > 0])
    with np.errstate(divide="ignore"):
        left_out = np.array([np.maximum(1 - cap / weights, 0).mean() for cap in caps])
    cost = caps * -np.expm1(-(math.log(1 / delta) + _MIXTURE) / points)
    return float(caps[np.argmin(left_out + cost)])


def capped_limit(
    weights: Float[np.ndarray, " points"],
    wrong: Bool[np.ndarray, " points"],
    cap: float,
    delta: float,
) -> float:
    """What E_P e min(w, c) exceeds with probability at most delta.

    Args:
        weights: of independent draws from P; rounded up, the limit stays valid.
        wrong: their errors.
        cap: c, fixed beforehand, > 0.
        delta: in (0, 1).

    Raises:
        ValueError: an argument out of range, or no draws.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.weighted import capped_limit
        >>> weights, wrong = np.tile([0.5, 1.5], 500), np.arange(1000) < 20
        >>> limit = capped_limit(weights, wrong, 1.5, 0.05)
        >>> bool(0.02 < limit < 0.04)
        True
    """
    cap = real("cap", cap, 0, open_low=True)
    _check_weights("weights", weights)
    values = np.where(wrong, np.minimum(weights, cap) / cap, 0.0)
    return cap * float(betting_upper(values, delta))


def left_out_limit(simulated: Float[np.ndarray, " rows"], cap: float, delta: float) -> float:
    """What E_Q max(1 - c/w, 0) exceeds with probability at most delta.

    Args:
        simulated: weights of independent draws from Q, others than the cap was chosen from.
        cap: c, fixed beforehand, > 0.
        delta: in (0, 1).

    Raises:
        ValueError: an argument out of range, or no draws.

    Examples:
        >>> import numpy as np
        >>> from simbias.stats.weighted import left_out_limit
        >>> limit = left_out_limit(np.tile([1.0, np.inf], 500), 1.0, 0.05)
        >>> bool(0.5 < limit < 0.56)
        True
    """
    cap = real("cap", cap, 0, open_low=True)
    _check_weights("simulated", simulated)
    with np.errstate(divide="ignore"):
        return float(betting_upper(np.maximum(1 - cap / simulated, 0), delta))


def _check_weights(name: str, numbers: Float[np.ndarray, " rows"]) -> None:
    if not len(numbers) or not (numbers >= 0).all():
        raise fail(name, f"{len(numbers)} numbers", "numbers >= 0, at least one")
