"""Regression on labels with the kernel of an infinitely wide network of ReLUs.

The function of least norm in the kernel's space whose squared distance from the labels +-1, one
function for each class, is least with a ridge. With ``nngp`` it is the mean of the network's
outputs at initialisation, given that they are the labels up to noise (J. Lee et al., ICLR 2018);
with ``ntk`` the limit of its training by gradient descent on the squared loss, on average over
initialisations (A. Jacot, F. Gabriel, C. Hongler, NeurIPS 2018; where labels are fitted, ridge 0).
The kernels are those of ``simbias.networks.infinite``.

At its own initialisation, uniform on +-1/sqrt(fan-in), a weight or bias of an MLP has the variance
1/(3 fan-in). So a weight's variance times the fan-in is 1/3 in every layer, while biases, of
variance 1/(3 inputs) in the first layer, vanish in those that read infinitely many units.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from simbias._checks import fail, real, whole
from simbias._memory import fits
from simbias._types import AnyArray
from simbias.models.estimators import Estimator
from simbias.networks.infinite import relu_kernel

_ENTRIES = 2**22  # of the kernel at once: small matrix products wait for each other's threads
_DEFAULTS = {"depth": 1, "ridge": 1e-6, "weight_variance": 1 / 3, "bias_variance": 1 / 3}


def nngp(
    *,
    depth: int = 1,
    ridge: float = 1e-6,
    weight_variance: float = 1 / 3,
    bias_variance: float = 1 / 3,
) -> Estimator:
    """Regression with the covariance of an infinitely wide network at initialisation.

    Args:
        depth: number of hidden layers.
        ridge: added to the kernel's diagonal, in proportion to its mean.
        weight_variance: that of initial weights, times the inputs of their layer.
        bias_variance: that of initial biases, times the inputs of their layer: none where they
            are infinitely many.

    Raises:
        ValueError: a setting out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> fitted = simbias.train(task, simbias.estimator("nngp", depth=2), n_train=1000)
        >>> fitted.members[0].label, fitted.outcome(0)
        ('nngp(depth=2)', ('done', 'fitted'))
    """
    return _estimator("nngp", False, depth, ridge, weight_variance, bias_variance)


def ntk(
    *,
    depth: int = 1,
    ridge: float = 1e-6,
    weight_variance: float = 1 / 3,
    bias_variance: float = 1 / 3,
) -> Estimator:
    """Regression with the tangent kernel of an infinitely wide network: the limit of its training.

    Args:
        depth: number of hidden layers.
        ridge: added to the kernel's diagonal, in proportion to its mean.
        weight_variance: that of initial weights, times the inputs of their layer.
        bias_variance: that of initial biases, times the inputs of their layer: none where they
            are infinitely many.

    Raises:
        ValueError: a setting out of range.
    """
    return _estimator("ntk", True, depth, ridge, weight_variance, bias_variance)


def _estimator(
    name: str, tangent: bool, depth: int, ridge: float, weight_variance: float, bias_variance: float
) -> Estimator:
    layers = whole("depth", depth, most=1000)
    numbers = {
        "ridge": real("ridge", ridge, 0),
        "weight_variance": real("weight_variance", weight_variance, 0, open_low=True),
        "bias_variance": real("bias_variance", bias_variance, 0),
    }
    settings = {"depth": layers, **numbers}
    departures = {key: settings[key] for key in settings if settings[key] != _DEFAULTS[key]}
    return Estimator(name, departures, lambda state: _Regression(tangent, layers, **numbers))


class _Regression:
    """Kernel regression on +-1 for each class."""

    def __init__(
        self, tangent: bool, depth: int, ridge: float, weight_variance: float, bias_variance: float
    ) -> None:
        self._tangent, self._depth, self._ridge = tangent, depth, ridge
        self._weight, self._bias = weight_variance, bias_variance

    def fit(self, x: Float[AnyArray, "rows *shape"], y: Int[np.ndarray, " rows"]) -> None:
        """Solve for the coefficients of the training points; raises ValueError."""
        self._x = np.asarray(x, np.float64).reshape(len(x), -1)
        rows = len(x)
        fits("n_train", rows, 8.0 * rows**2)
        # the half that is factorised, column by column: no second copy is made
        kernel = np.zeros((rows, rows), order="F")
        together = _together(rows)
        for i in range(0, rows, together):
            end = min(i + together, rows)
            kernel[:end, i:end] = self._kernel(self._x[i:end], self._x[:end]).T
        diagonal = np.einsum("ii->i", kernel)
        diagonal += self._ridge * diagonal.mean()
        self.classes_ = np.unique(y)
        signs = np.where(y[:, None] == self.classes_[None], 1.0, -1.0)
        try:
            factor = cho_factor(kernel, overwrite_a=True, check_finite=False)
        except LinAlgError:
            raise fail("ridge", self._ridge, "a larger one: equal or nearly equal inputs") from None
        self._coefficients = cho_solve(factor, signs, check_finite=False)

    def decision_function(
        self, x: Float[AnyArray, "rows *shape"]
    ) -> Float[np.ndarray, "rows classes"]:
        """The value of each class's function."""
        asked = np.asarray(x, np.float64).reshape(len(x), -1)
        together = _together(len(self._x))
        blocks = [
            self._kernel(asked[i : i + together], self._x) @ self._coefficients
            for i in range(0, len(asked), together)
        ]
        return np.concatenate(blocks)

    def _kernel(self, x: np.ndarray, other: np.ndarray) -> np.ndarray:
        inputs = x.shape[1]
        laws = [(self._weight, self._bias / inputs), *[(self._weight, 0.0)] * self._depth]
        return relu_kernel(x, other, laws, tangent=self._tangent)


def _together(others: int) -> int:
    """Points whose kernel with so many others is computed at once."""
    return max(_ENTRIES // others, 1)
