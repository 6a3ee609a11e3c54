"""RMSProp: gradients over the root of a running mean of their squares.

v <- decay v + (1 - decay) g^2, u <- momentum u + learning_rate g / sqrt(v + eps), w <- w - u.
"""

import optax

from simbias._checks import real
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.training.method import Hyper, Method


def rmsprop(
    *,
    learning_rate: float = 1e-3,
    decay: float = 0.9,
    eps: float = 1e-8,
    momentum: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """RMSProp: gradients over the root of a running mean of their squares.

    Args:
        learning_rate: step size, > 0.
        decay: of the mean of squared gradients, in [0, 1).
        eps: added below the root, > 0.
        momentum: decay of the sum of steps per update, in [0, 1).
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        T. Tieleman, G. Hinton, "Lecture 6.5 - RMSProp", Coursera 2012; the form and the defaults
        of decay and eps are those of optax.

    Examples:
        >>> import simbias
        >>> simbias.methods.rmsprop(decay=0.99).settings["decay"]
        0.99
    """
    settings = {
        "learning_rate": real("learning_rate", learning_rate, *FLOAT32),
        "decay": real("decay", decay, 0, 1, open_high=True),
        "eps": real("eps", eps, *FLOAT32),
        "momentum": real("momentum", momentum, 0, 1, open_high=True),
    }
    return descent("rmsprop", settings, _rmsprop, schedule=schedule)


def _rmsprop(hyper: Hyper) -> optax.GradientTransformation:
    rate, decay, eps = hyper["learning_rate"], hyper["decay"], hyper["eps"]
    return optax.rmsprop(rate, decay, eps, momentum=hyper["momentum"])
