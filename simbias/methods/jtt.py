"""Just train twice: the points that a first network gets wrong weigh more for a second one."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from simbias._checks import real
from simbias._types import Params
from simbias.methods.restart import restarted
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import first_stage
from simbias.training.method import Batch, Hyper, Method
from simbias.training.scores import labels_of, logits


def jtt(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    first_updates: int = 1000,
    upweight: float = 50.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD, then SGD from the start again on a training set in which first errors stand repeatedly.

    The errors are those of the first network on the whole training set. Repetition is a weight of
    the loss: its expected gradient is that of the repeated points.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``, of both stages.
        first_updates: updates of the first network, T, 1 to 2^24.
        upweight: how often an error stands in the second training set, lambda, >= 1.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range.

    References:
        E. Z. Liu, B. Haghgoo, A. S. Chen, A. Raghunathan, P. W. Koh, S. Sagawa, P. Liang, C. Finn,
        "Just train twice: improving group robustness without training group information",
        ICML 2021.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.jtt(first_updates=500)
        >>> method.settings["upweight"], sorted(method.uses)
        (50.0, [])
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "first_updates": first_stage(first_updates),
        "upweight": real("upweight", upweight, 1, 1e9),
    }
    return restarted("jtt", settings, _weigh, schedule=schedule)


def _weigh(hyper: Hyper, params: Params, batch: Batch) -> Float[Array, " rows"]:
    wrong = labels_of(logits(batch.network, params, batch.x)) != batch.label
    return jnp.where(wrong, jnp.asarray(hyper["upweight"], jnp.float32), 1)
