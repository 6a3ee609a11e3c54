"""Adam, and AdamW, whose weights decay beside the adaptive step and not through it.

m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, w <- w - learning_rate m' / (sqrt(v') + eps),
where m' and v' are m and v over 1 - b1^t and 1 - b2^t in the t-th update. AdamW takes
learning_rate weight_decay w off as well.
"""

import optax

from simbias._checks import real
from simbias._types import Settings
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.training.method import Hyper, Method


def adam(
    *,
    learning_rate: float = 1e-3,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    schedule: Schedule = "constant",
) -> Method:
    """Adam: steps of each weight by running means of its gradient and of the square.

    Args:
        learning_rate: step size, > 0.
        b1: decay of the mean of gradients, in [0, 1).
        b2: decay of the mean of squared gradients, in [0, 1).
        eps: added to the denominator, > 0.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, whose
        constants are the defaults.

    Examples:
        >>> import simbias
        >>> simbias.methods.adam().traced
        {'b1': 0.9, 'b2': 0.999, 'eps': 1e-08, 'learning_rate': 0.001}
    """
    return descent("adam", _settings(learning_rate, b1, b2, eps), _adam, schedule=schedule)


def adamw(
    *,
    learning_rate: float = 1e-3,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
    schedule: Schedule = "constant",
) -> Method:
    """Adam with decoupled weight decay.

    Args:
        learning_rate, b1, b2, eps, schedule: as of ``adam``.
        weight_decay: proportion of a weight that is taken off an update, over the learning rate,
            >= 0; the default is that of optax.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples:
        >>> import simbias
        >>> simbias.methods.adamw(weight_decay=0.05).settings["weight_decay"]
        0.05
    """
    settings = _settings(learning_rate, b1, b2, eps)
    settings["weight_decay"] = real("weight_decay", weight_decay, 0, FLOAT32[1])
    return descent("adamw", settings, _adamw, schedule=schedule)


def _settings(learning_rate: float, b1: float, b2: float, eps: float) -> Settings:
    return {
        "learning_rate": real("learning_rate", learning_rate, *FLOAT32),
        "b1": real("b1", b1, 0, 1, open_high=True),
        "b2": real("b2", b2, 0, 1, open_high=True),
        "eps": real("eps", eps, *FLOAT32),
    }


def _adam(hyper: Hyper) -> optax.GradientTransformation:
    return optax.adam(hyper["learning_rate"], hyper["b1"], hyper["b2"], hyper["eps"])


def _adamw(hyper: Hyper) -> optax.GradientTransformation:
    means = hyper["b1"], hyper["b2"], hyper["eps"]
    return optax.adamw(hyper["learning_rate"], *means, weight_decay=hyper["weight_decay"])
