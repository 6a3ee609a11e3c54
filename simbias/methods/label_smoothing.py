"""Label smoothing: a part of each label is spread evenly over all classes."""

import jax

from simbias._checks import real
from simbias._types import Params
from simbias.methods.descent import descent
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings, transform
from simbias.training.method import Batch, Hyper, Method


def label_smoothing(
    *,
    smoothing: float = 0.1,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on the loss of smoothed labels; what is reported is the loss of the labels themselves.

    Args:
        smoothing: proportion of a label that is spread evenly over all classes, in [0, 1).
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
        architecture for computer vision", CVPR 2016, whose smoothing is the default.

    Examples:
        >>> import simbias
        >>> simbias.methods.label_smoothing(momentum=0.9).settings["smoothing"]
        0.1
    """
    settings = {"smoothing": real("smoothing", smoothing, 0, 1, open_high=True)}
    settings |= sgd_settings(learning_rate, momentum, weight_decay)
    return descent("label-smoothing", settings, transform, schedule=schedule, gradient=_gradient)


def _gradient(hyper: Hyper, params: Params, batch: Batch) -> Params:
    def loss(params: Params) -> jax.Array:
        logits = batch.logits(params)
        classes = logits.shape[-1]
        label = batch.soft(classes)
        soft = (1 - hyper["smoothing"]) * label + hyper["smoothing"] / classes
        return batch.objective.points(logits, soft).mean()

    return jax.grad(loss)(params)
