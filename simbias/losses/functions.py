"""The losses that come with simbias, for any number of classes."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from simbias._checks import real
from simbias.losses.loss import Loss

Logits = Float[Array, "rows classes"]
Losses = Float[Array, " rows"]


def cross_entropy() -> Loss:
    """The negative log-likelihood of the label under a softmax, in nats.

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> loss = simbias.losses.cross_entropy()
        >>> print(loss.points(jnp.array([[0.0, 0.0], [-1.0, 1.0]]), jnp.array([1, 1])).round(3))
        [0.693 0.127]
        >>> round(loss.of_equal_logits(classes=10), 4)
        2.3026
    """
    return Loss("cross-entropy", {}, _cross_entropy)


def hinge() -> Loss:
    """max(0, 1 - logit of the label + greatest other logit): Crammer and Singer (JMLR 2001).

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> loss = simbias.losses.hinge()
        >>> print(loss.points(jnp.array([[0.0, 0.5], [0.0, 2.0]]), jnp.array([1, 1])))
        [0.5 0. ]
    """
    return Loss("hinge", {}, _hinge)


def square() -> Loss:
    """Half the squared distance of the logits from the label's indicator.

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> loss = simbias.losses.square()
        >>> print(loss.points(jnp.array([[0.0, 0.5], [0.0, 1.0]]), jnp.array([1, 1])))
        [0.125 0.   ]
    """
    return Loss("square", {}, _square)


def logistic(*, smoothing: float = 0.0) -> Loss:
    """The sum over classes of the binary cross-entropy, each class against the rest, in nats.

    Args:
        smoothing: proportion of a label that is spread evenly over all classes, in [0, 1).

    Raises:
        ValueError: smoothing out of range.

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> loss = simbias.losses.logistic(smoothing=0.1)
        >>> print(loss.points(jnp.array([[0.0, 0.0], [-1.0, 1.0]]), jnp.array([1, 1])).round(3))
        [1.386      0.72700006]
    """
    spread = real("smoothing", smoothing, 0, 1, open_high=True)

    def points(logits: Logits, labels: Array) -> Losses:
        soft = (1 - spread) * _soft(logits, labels) + spread / logits.shape[-1]
        loss: Losses = optax.sigmoid_binary_cross_entropy(logits, soft).sum(axis=-1)
        return loss

    return Loss("logistic", {"smoothing": spread}, points)


def _cross_entropy(logits: Logits, labels: Array) -> Losses:
    loss: Losses
    if labels.ndim == logits.ndim:
        loss = optax.softmax_cross_entropy(logits, labels)
        return loss
    if logits.shape[-1] == 2:  # one pass over the rows, in the gradient too
        is_label = labels[:, None] == jnp.arange(2, dtype=labels.dtype)[None]
        return jax.nn.softplus(jnp.where(is_label, -logits, logits).sum(axis=-1))
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return loss


def _hinge(logits: Logits, labels: Array) -> Losses:
    soft = _soft(logits, labels)
    # for a soft label: the mean under its distribution over the classes
    others = jnp.where(jnp.eye(logits.shape[-1], dtype=bool), -jnp.inf, logits[:, None, :])
    violations = jax.nn.relu(1 + others.max(axis=-1) - logits)
    return jnp.sum(soft * violations, axis=-1)


def _square(logits: Logits, labels: Array) -> Losses:
    loss: Losses = optax.l2_loss(logits, _soft(logits, labels)).sum(axis=-1)
    return loss


def _soft(logits: Logits, labels: Array) -> Logits:
    """Labels as distributions over the classes."""
    if labels.ndim == logits.ndim:
        return labels
    return jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
