"""Upsample early for uniform learning: points that are not learned early stand twice.

Early in training the points of a class part, by the network's outputs, into those whose simple
features were learned and the rest; the rest is repeated once, and training starts again.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from simbias._types import Params
from simbias.methods.restart import restarted
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import first_stage
from simbias.training.method import Batch, Hyper, Method
from simbias.training.scores import logits

_ROUNDS = 50  # of 2-means, which in few dimensions settles long before


def useful(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    first_updates: int = 1000,
    schedule: Schedule = "constant",
) -> Method:
    """SGD, then SGD from the start again with each class's cluster of higher loss standing twice.

    After the first updates the points of each class are divided by 2-means on the network's
    probabilities, started from the points of the class of least and of greatest loss.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``, of both stages.
        first_updates: updates of the first network, 1 to 2^24; published: 5 to 10% of the epochs.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range.

    References:
        D. Nguyen, P. Haddad, E. Gan, B. Mirzasoleiman, "Changing the training data distribution to
        reduce simplicity bias improves in-distribution generalization", NeurIPS 2024.

    Examples:
        >>> import simbias
        >>> simbias.methods.useful(first_updates=500).settings["first_updates"]
        500
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "first_updates": first_stage(first_updates)
    }
    return restarted("useful", settings, _weigh, schedule=schedule)


def _weigh(hyper: Hyper, params: Params, batch: Batch) -> Float[Array, " rows"]:
    scores = logits(batch.network, params, batch.x)
    losses = batch.objective.points(scores, batch.y)
    outputs = jax.nn.softmax(scores)

    def of_class(weight: Array, label: Array) -> tuple[Array, None]:
        own = batch.label == label
        return jnp.where(own & harder(outputs, losses, own), 2.0, weight), None

    labels = jnp.arange(scores.shape[1], dtype=batch.label.dtype)
    weight, _ = jax.lax.scan(of_class, jnp.ones(len(batch.y)), labels)
    return weight


def harder(
    outputs: Float[Array, "rows classes"],
    losses: Float[Array, " rows"],
    among: Bool[Array, " rows"],
) -> Bool[Array, " rows"]:
    """Which of some rows lie in the cluster of higher mean loss of two, by 2-means (pure).

    Args:
        outputs: what is clustered.
        losses: of each row.
        among: the rows that are meant; the others are nearest to a cluster, but do not move it.

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.useful import harder
        >>> outputs = jnp.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
        >>> print(harder(outputs, jnp.array([0.1, 0.2, 1.2]), jnp.ones(3, bool)))
        [False False  True]
    """

    def farther(centres: Array) -> Array:
        distance = jnp.sum((outputs[:, None] - centres[None]) ** 2, axis=2)
        return distance[:, 1] < distance[:, 0]

    def mean(values: Array, chosen: Array) -> Array:
        weight = (among & chosen).astype(jnp.float32)
        return weight @ values / jnp.maximum(weight.sum(), 1)

    def move(centres: Array, _: None) -> tuple[Array, None]:
        second = farther(centres)
        return jnp.stack([mean(outputs, ~second), mean(outputs, second)]), None

    ends = jnp.where(among, losses, jnp.inf).argmin(), jnp.where(among, losses, -jnp.inf).argmax()
    centres, _ = jax.lax.scan(move, outputs[jnp.stack(ends)], length=_ROUNDS)
    second = farther(centres)
    return among & (second == (mean(losses, second) > mean(losses, ~second)))
