"""Minibatch stochastic gradient descent with heavy-ball momentum and L2 weight decay.

The update of Sutskever, Martens, Dahl and Hinton (ICML 2013) in the form PyTorch uses, which the
published experiments were run with: v <- momentum v + g + weight_decay w; w <- w - learning_rate v.
"""

import jax
import optax

from simbias._checks import real
from simbias._types import Params, Settings
from simbias.training.method import Batch, Hyper, Method, State, UpdateRule

_FLOAT32 = 1e-37, 1e37  # the range that the compiled program can hold


def sgd(*, learning_rate: float = 0.1, momentum: float = 0.0, weight_decay: float = 0.0) -> Method:
    """SGD with a constant step.

    Args:
        learning_rate: step size, > 0.
        momentum: decay of the velocity per update, in [0, 1).
        weight_decay: coefficient of the L2 penalty's gradient, >= 0.

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
    """
    settings = {
        "learning_rate": real("learning_rate", learning_rate, *_FLOAT32),
        "momentum": real("momentum", momentum, 0, 1, open_high=True),
        "weight_decay": real("weight_decay", weight_decay, 0, _FLOAT32[1]),
    }
    return Method("sgd", settings, _init, _step, update_rule=_update_rule)


def _transform(hyper: Hyper) -> optax.GradientTransformation:
    return optax.chain(
        optax.add_decayed_weights(hyper["weight_decay"]),
        optax.trace(decay=hyper["momentum"]),
        optax.scale_by_learning_rate(hyper["learning_rate"]),
    )


def _init(hyper: Hyper, params: Params, n_train: int) -> State:
    return _transform(hyper).init(params)


def _step(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    gradients = jax.grad(batch.loss)(params)
    updates, state = _transform(hyper).update(gradients, state, params)
    return optax.apply_updates(params, updates), state


def _update_rule(settings: Settings) -> UpdateRule:
    return UpdateRule(settings["learning_rate"], settings["momentum"])
