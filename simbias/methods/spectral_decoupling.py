"""Spectral decoupling: a penalty on logits, so that no feature is learned at others' expense."""

import jax

from simbias._checks import real
from simbias._types import Params
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings, transform
from simbias.training.method import Batch, Hyper, Method


def spectral_decoupling(
    *,
    penalty: float = 0.1,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on the mean loss and a multiple of the mean squared logit.

    Args:
        penalty: the multiple, >= 0; the mean is over points and classes.
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``; the penalty stands in the
            place of weight decay.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        M. Pezeshki, O. Kaba, Y. Bengio, A. Courville, D. Precup, G. Lajoie, "Gradient starvation: a
        learning proclivity in neural networks", NeurIPS 2021; mean and default as in I. Gulrajani,
        D. Lopez-Paz, "In search of lost domain generalization", ICLR 2021 (DomainBed).

    Examples:
        >>> import simbias
        >>> simbias.methods.spectral_decoupling(penalty=0.01).settings["penalty"]
        0.01
    """
    settings = {"penalty": real("penalty", penalty, 0, FLOAT32[1])}
    settings |= sgd_settings(learning_rate, momentum, weight_decay)
    return descent(
        "spectral-decoupling", settings, transform, schedule=schedule, gradient=_gradient
    )


def _gradient(hyper: Hyper, params: Params, batch: Batch) -> Params:
    def loss(params: Params) -> jax.Array:
        logits = batch.logits(params)
        own = batch.objective.points(logits, batch.y).mean()
        penalised: jax.Array = own + hyper["penalty"] * (logits**2).mean()
        return penalised

    return jax.grad(loss)(params)
