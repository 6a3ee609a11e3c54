"""The finders of directions that come with simbias."""

import jax
import numpy as np
from jaxtyping import Array, Float, Key
from scipy.special import expit

from simbias._checks import fail, real, whole
from simbias.directions.activity import Activity
from simbias.directions.erasure import leace
from simbias.directions.finder import Finder

Vector = Float[np.ndarray, " units"]

_STEPS = 100  # of Newton's method, most
_GAIN = 1e-12  # of the objective, below which it ends


def mean_difference(*, pairs: int | None = None) -> Finder:
    """The mean of label 1's activations less that of label 0's.

    Args:
        pairs: how many points of each label; one is an activation addition of a single pair
            (Turner et al. 2023), many are what Li et al. (2023) and Rimsky et al. (2024) do; None:
            all points that are drawn.

    Raises:
        ValueError: pairs < 1; when it is used, more pairs than points of a label.

    References:
        A. Turner et al., "Activation addition", 2023; K. Li et al., "Inference-time intervention",
        NeurIPS 2023; N. Rimsky et al., "Steering Llama 2 via contrastive activation addition",
        2024.

    Examples:
        >>> import simbias
        >>> simbias.directions.mean_difference(pairs=8).identity
        {'name': 'mean-difference', 'pairs': 8}
    """
    count = None if pairs is None else whole("pairs", pairs)

    def find(activity: Activity, key: Key[Array, ""]) -> Vector:
        if count is None:
            low, high = activity.means
        else:
            sides = [activity.hidden[activity.y == label] for label in (0, 1)]
            fewest = min(map(len, sides))
            if count > fewest:
                raise fail("pairs", count, f"at most {fewest}, the points of a label")
            low, high = (side[:count].mean(axis=0) for side in sides)
        difference: Vector = high - low
        return difference

    return Finder("mean-difference", {} if count is None else {"pairs": count}, find)


def probe(*, ridge: float = 1e-3) -> Finder:
    """The weights of a logistic regression of the label on the activations.

    It is the minimum of mean log(1 + exp(-s (w·h + b))) + ridge t |w|² / 2 over w and b, with s the
    label's sign and t the mean variance of a unit, so that w follows the activations' scale; found
    by Newton's method with halved steps.

    Args:
        ridge: the weight of the penalty, > 0: without one, separable labels have no minimum.

    Raises:
        ValueError: ridge <= 0.

    Examples:
        >>> import jax
        >>> import numpy as np
        >>> import simbias
        >>> hidden, y = np.array([[0.0, 1], [2, 1], [1, 1], [3, 1]]), np.array([0, 0, 1, 1])
        >>> activity = simbias.directions.Activity(hidden, y)
        >>> simbias.directions.probe().find(activity, jax.random.key(0)).round(2)
        array([0.91, 0.  ])
    """
    weight = real("ridge", ridge, 0, open_low=True)

    def find(activity: Activity, key: Key[Array, ""]) -> Vector:
        return logistic(activity.hidden, activity.y, weight)[0]

    return Finder("probe", {"ridge": weight}, find)


def logistic(
    hidden: Float[np.ndarray, "rows units"], y: np.ndarray, ridge: float
) -> tuple[Vector, float]:
    """Weights and bias of a penalised logistic regression, see ``probe``."""
    spread = np.sqrt(hidden.var(axis=0).mean())
    if spread == 0:
        return np.zeros(hidden.shape[1]), 0.0
    mean = hidden.mean(axis=0)
    rows = (hidden - mean) / spread
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    penalty = np.append(np.full(hidden.shape[1], ridge), 0.0)
    sign = 2.0 * y - 1

    def objective(w: np.ndarray) -> float:
        loss: float = np.logaddexp(0, -sign * (rows @ w)).mean() + penalty @ w**2 / 2
        return loss

    w = np.zeros(rows.shape[1])
    value = objective(w)
    for _ in range(_STEPS):
        p = expit(rows @ w)
        slope = rows.T @ (p - y) / len(y) + penalty * w
        curvature = (rows * (p * (1 - p))[:, None]).T @ rows / len(y) + np.diag(penalty)
        step = np.linalg.lstsq(curvature, slope)[0]
        while (after := objective(w - step)) > value and np.abs(step).max() > _GAIN:
            step = step / 2
        if not value - after > _GAIN:
            break
        w, value = w - step, after
    weights: Vector = w[:-1] / spread
    return weights, float(w[-1] - mean @ weights)


def principal_component() -> Finder:
    """The eigenvector of the largest variance, whatever the labels, turned towards label 1.

    Examples:
        >>> import simbias
        >>> simbias.directions.principal_component().name
        'principal-component'
    """

    def find(activity: Activity, key: Key[Array, ""]) -> Vector:
        centred = activity.hidden - activity.hidden.mean(axis=0)
        v = np.linalg.eigh(centred.T @ centred)[1][:, -1]
        low, high = activity.means
        turned: Vector = -v if v @ (high - low) < 0 else v
        return turned

    return Finder("principal-component", {}, find)


def discriminant() -> Finder:
    """What LEACE reads of the label: the linear discriminant, S⁻¹ c.

    LEACE takes away c cᵀS⁻¹ (h - mean) / (cᵀS⁻¹c), with S the covariance and c that with the label
    (``leace``): it reads S⁻¹ c, and writes along c, a multiple of the difference of means.

    Examples:
        >>> import simbias
        >>> simbias.directions.discriminant().name
        'discriminant'
    """

    def find(activity: Activity, key: Key[Array, ""]) -> Vector:
        read = leace(activity.hidden, activity.y[:, None].astype(float)).factors[0][:, 0]
        low, high = activity.means
        turned: Vector = -read if read @ (high - low) < 0 else read
        return turned

    return Finder("discriminant", {}, find)


def gradient() -> Finder:
    """The mean gradient, by the layer's activations, of label 1's lead in the network's scores.

    Examples:
        >>> import simbias
        >>> simbias.directions.gradient().name
        'gradient'
    """

    def find(activity: Activity, key: Key[Array, ""]) -> Vector:
        mean: Vector = activity.slopes().mean(axis=0)
        return mean

    return Finder("gradient", {}, find)


def control() -> Finder:
    """A direction drawn uniformly at random: the control of all others.

    Examples:
        >>> import simbias
        >>> simbias.directions.control().name
        'random'
    """

    def find(activity: Activity, key: Key[Array, ""]) -> Vector:
        return np.asarray(jax.random.normal(key, activity.hidden.shape[1:]), np.float64)

    return Finder("random", {}, find)
