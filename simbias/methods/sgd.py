"""Minibatch stochastic gradient descent with momentum and L2 weight decay.

The update of Sutskever, Martens, Dahl and Hinton (ICML 2013) in the form PyTorch uses, which the
published experiments were run with: v <- momentum v + g + weight_decay w; w <- w - learning_rate v.
With Nesterov's momentum the last is w <- w - learning_rate (momentum v + g + weight_decay w).
"""

import optax

from simbias._checks import instance, real
from simbias._types import Settings
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule, checked_schedule
from simbias.training.method import Hyper, Method, UpdateRule


def sgd(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    schedule: Schedule = "constant",
) -> Method:
    """SGD with heavy-ball or Nesterov's momentum.

    Args:
        learning_rate: step size, > 0.
        momentum: decay of the velocity per update, in [0, 1).
        weight_decay: coefficient of the L2 penalty's gradient, >= 0.
        nesterov: whether the step looks ahead along the velocity.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and
        momentum in deep learning", ICML 2013.

    Examples:
        >>> import simbias
        >>> method = simbias.sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-4)
        >>> method.name, dict(method.settings)
        ('sgd', {'learning_rate': 0.1, 'momentum': 0.9, 'weight_decay': 0.0005})
        >>> simbias.sgd(schedule={"name": "cosine", "warmup": 500}).uses_budget
        True
    """
    instance("nesterov", nesterov, bool)
    departing = {"nesterov": True} if nesterov else {}
    heavy_ball = not nesterov and checked_schedule(schedule) == "constant"
    return descent(
        "sgd",
        {**sgd_settings(learning_rate, momentum, weight_decay), **departing},
        transform,
        schedule=schedule,
        static=frozenset(departing),
        update_rule=_update_rule if heavy_ball else None,
    )


def sgd_settings(learning_rate: float, momentum: float, weight_decay: float) -> Settings:
    """The settings of SGD that other methods share, checked."""
    return {
        "learning_rate": real("learning_rate", learning_rate, *FLOAT32),
        "momentum": real("momentum", momentum, 0, 1, open_high=True),
        "weight_decay": real("weight_decay", weight_decay, 0, FLOAT32[1]),
    }


def transform(hyper: Hyper) -> optax.GradientTransformation:
    """SGD as an optax transformation; heavy-ball unless the settings say ``nesterov``."""
    return optax.chain(
        optax.add_decayed_weights(hyper["weight_decay"]),
        optax.trace(decay=hyper["momentum"], nesterov=hyper.get("nesterov", False)),
        optax.scale_by_learning_rate(hyper["learning_rate"]),
    )


def _update_rule(settings: Settings) -> UpdateRule:
    return UpdateRule(settings["learning_rate"], settings["momentum"])
