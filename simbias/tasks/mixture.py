"""Gaussians of equal covariance, one a class, whose least risk is known.

The means of m classes are the corners of a regular simplex, in directions that are drawn for each
data set: every two are at one distance D, their mean is 0, and a point is its class's mean plus
N(0, I). All classes are equally likely, so that the Bayes rule is the nearest mean.

Its risk: with r = D / sqrt(2), scores of the classes at a point are, up to what they share,
independent N(r, 1) for its own class and N(0, 1) for the others. The rule is right where its own is
greatest, which has the probability

    integral of phi(t - r) Phi(t)^(m - 1) dt,

for m = 2 in closed form Phi(D / 2), for more classes computed by quadrature to an error below 1e-9.
"""

import math
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from scipy.special import ndtr

from simbias._checks import fail, real, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks.task import Points, Truth

_MOST_DIM = 10_000
_MOST_DISTANCE = 1000.0
_LEAST = 1e-300  # whose logarithm there is
_FAR = 12.0  # standard deviations beyond which there is nothing to integrate
_ERROR = 1e-10  # that the quadrature aims at
_NODES = 40  # of the integral over a normal variable


class MixtureLaw(NamedTuple):
    """The law of a data set: the mean of each class."""

    means: Float[AnyArray, "classes dim"]


class MixtureTask:
    """One Gaussian a class, means at equal distances; the Bayes rule is the nearest mean.

    Args:
        dim: of the inputs, at least the number of classes.
        classes: how many, at least 2.
        distance: between any two means, in standard deviations of a coordinate, > 0.

    Raises:
        ValueError: an argument out of range.

    Examples:
        >>> import simbias
        >>> simbias.tasks.get("mixture", classes=2, distance=3.0).truth
        Truth(simple_risk=None, achievable_risk=0.06680720126885807)
        >>> round(simbias.tasks.MixtureTask().truth.achievable_risk, 4)
        0.0101
    """

    name = "mixture"

    def __init__(self, *, dim: int = 50, classes: int = 10, distance: float = 6.0) -> None:
        self.classes = whole("classes", classes, least=2, most=1000)
        self.dim = whole("dim", dim, least=2, most=_MOST_DIM)
        if self.dim < self.classes:
            raise fail("dim", dim, f"at least the number of classes, {self.classes}")
        self.distance = real("distance", distance, 0, _MOST_DISTANCE, open_low=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MixtureTask) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(tuple(self.settings.values()))

    @property
    def settings(self) -> Settings:
        """The values that identify it."""
        return {"dim": self.dim, "classes": self.classes, "distance": self.distance}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        return (self.dim,)

    @property
    def _scale(self) -> float:
        return self.distance / math.sqrt(2)

    @cached_property
    def truth(self) -> Truth:
        """The risk of the nearest mean. There is no simple rule."""
        return Truth(achievable_risk=nearest_mean_risk(self.classes, self.distance))

    @pinned
    def law(self, key: Key[Array, ""]) -> MixtureLaw:
        """The means, in directions drawn from the key."""
        directions = jax.random.orthogonal(own_key(key), self.dim)[: self.classes]
        means = directions - directions.mean(axis=0, keepdims=True)
        return MixtureLaw(means * jnp.float32(self._scale))

    @staticmethod
    def draw(law: MixtureLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Fresh points, with the label of the nearest mean."""
        classes, dim = law.means.shape
        key_label, key_x = jax.random.split(key)
        y = jax.random.randint(key_label, (rows,), 0, classes)
        x = law.means[y] + jax.random.normal(key_x, (rows, dim))
        nearest = jnp.argmax(x @ law.means.T, axis=1).astype(jnp.int32)
        return Points(x, y, jnp.zeros(rows, bool), achievable=nearest)


def nearest_mean_risk(classes: int, distance: float) -> float:
    """The risk of the nearest of some means at one distance from each other, equally likely.

    Args:
        classes: how many means.
        distance: between any two, in standard deviations.

    Examples:
        >>> from simbias.tasks.mixture import nearest_mean_risk
        >>> round(nearest_mean_risk(3, 3.0), 4)
        0.1153
    """
    if classes == 2:
        return float(ndtr(-distance / 2))
    from scipy.integrate import quad  # slow to import: not before it is needed

    own = distance / math.sqrt(2)

    def wrong(t: float) -> float:
        # 1 - Phi^(m - 1), without the cancellation where Phi is near 1
        log_right = math.log1p(-ndtr(-t)) if t > 0 else math.log(max(ndtr(t), _LEAST))
        missed = -math.expm1((classes - 1) * log_right)
        return float(missed * math.exp(-((t - own) ** 2) / 2) / math.sqrt(2 * math.pi))

    bends = [own, 0.0] if own < _FAR else [own]
    risk, _ = quad(wrong, own - _FAR, own + _FAR, points=bends, epsabs=_ERROR, limit=200)
    return float(risk)


def mean_classifier_accuracy(distance: float, dim: int, points: int, margin: float) -> float:
    """The accuracy of the two-class mean classifier after training on n noisy points.

    It answers the sign of w x with w = (1/n) sum s_i x_i, where s_i = +-1 is the noisy label. The
    clean one is y_i, and x_i = y_i u + e_i with e_i ~ N(0, I) and |u| = D / 2. Noise is
    s_i = y_i b_i with b_i = -1 at the probability (1 - margin) / 2, whatever else. So
    s_i x_i = b_i u + s_i e_i, whose second term is N(0, I) given all labels. With B the mean of all
    b_i, w has

        the component  a = B |u| + z / sqrt(n)  along u,  z ~ N(0, 1),
        and  c = sqrt(g / n)  across it,  g ~ chi-squared of dim - 1 degrees,

    all three independent. Given w the accuracy is Phi(|u| a / sqrt(a^2 + c^2)); that of the law is
    its mean over B (a binomial count), z and g. With B = margin, and a and c at their means, what
    is left is the asymptotic Phi(|u| / sqrt(1 + dim / (r |u|^2))), where r = n margin^2.

    Args:
        distance: D, between the two means.
        dim: of the inputs, at least 2.
        points: n.
        margin: by how much the clean label is more probable than the other one.

    Returns:
        The accuracy on clean labels; by quadrature, to some 1e-6.

    Examples:
        >>> from simbias.tasks.mixture import mean_classifier_accuracy
        >>> round(mean_classifier_accuracy(3.0, 50, 8, margin=1.0), 4)
        0.7773
    """
    from scipy.stats import binom, chi2  # slow to import: not before they are needed

    norm = distance / 2
    right = np.arange(points + 1)
    weight = binom.pmf(right, points, (1 + margin) / 2)
    kept = weight > _ERROR
    mean, weight = (2 * right[kept] / points - 1), weight[kept]
    nodes, of_normal = np.polynomial.hermite_e.hermegauss(_NODES)
    levels, of_level = np.polynomial.legendre.leggauss(4 * _NODES)
    across = np.sqrt(chi2.ppf((levels + 1) / 2, dim - 1) / points)
    along = mean[:, None, None] * norm + nodes[:, None] / math.sqrt(points)
    accuracy = ndtr(norm * along / np.hypot(along, across))
    law = weight[:, None, None] * (of_normal / of_normal.sum())[:, None] * of_level / 2
    return float((accuracy * law).sum() / weight.sum())
