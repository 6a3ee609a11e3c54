"""Muon: each matrix moves by its momentum made nearly orthogonal; all else is left to Adam.

m <- beta m + (1 - beta) g; from X = beta m' + (1 - beta) g', with m and g over 1 - beta^(t + 1) and
1 - beta^t in the t-th update, over its Frobenius norm, five Newton-Schulz iterations
X <- a X + (b A + c A^2) X, A = X X^T, bring its singular values near 1; the step is
learning_rate sqrt(max(1, columns / rows)) X, of a matrix that has a row for each input.
"""

import jax
import optax
from optax import contrib

from simbias._checks import real
from simbias._types import Params, PyTree
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.training.method import Hyper, Method


def muon(
    *,
    learning_rate: float = 0.02,
    beta: float = 0.95,
    weight_decay: float = 0.0,
    adam_learning_rate: float = 3e-4,
    schedule: Schedule = "constant",
) -> Method:
    """Muon on every matrix, Adam on every other parameter.

    Its author leaves the first and the last layer to Adam too; here, as in optax, all matrices are
    Muon's.

    Args:
        learning_rate: step size of matrices, in units of the spectral norm, > 0.
        beta: decay of the mean of gradients, in [0, 1); it is Nesterov's.
        weight_decay: proportion of a matrix that is taken off an update, over the learning rate,
            >= 0.
        adam_learning_rate: step size of all else, > 0.
        schedule: of both learning rates, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024
        (https://kellerjordan.github.io/posts/muon/); the defaults are those of its code.

    Examples:
        >>> import simbias
        >>> simbias.methods.muon(learning_rate=0.01).settings["adam_learning_rate"]
        0.0003
    """
    settings = {
        "learning_rate": real("learning_rate", learning_rate, *FLOAT32),
        "beta": real("beta", beta, 0, 1, open_high=True),
        "weight_decay": real("weight_decay", weight_decay, 0, FLOAT32[1]),
        "adam_learning_rate": real("adam_learning_rate", adam_learning_rate, *FLOAT32),
    }
    return descent("muon", settings, _muon, schedule=schedule)


def _muon(hyper: Hyper) -> optax.GradientTransformation:
    rate, beta, decay = hyper["learning_rate"], hyper["beta"], hyper["weight_decay"]
    # optax's own has no learning rate for Adam in all its versions
    parts = {
        "matrix": contrib.muon(rate, beta=beta, weight_decay=decay),
        "other": optax.nadam(hyper["adam_learning_rate"]),
    }
    return optax.partition(parts, _kinds)


def _kinds(params: Params) -> PyTree:
    return jax.tree.map(lambda leaf: "matrix" if leaf.ndim == 2 else "other", params)
