"""A network's outputs on points: logits, margins and labels, in blocks of rows."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, Params
from simbias.networks.scorer import Scorer

_ROWS = 1000  # rows of one forward pass of a check: activations stay in cache


def logits(
    network: Scorer, params: Params, x: Float[Array, "rows *shape"]
) -> Float[Array, "rows classes"]:
    """The scores of the classes, in blocks of rows."""
    with lenient():
        scores: Float[Array, "rows classes"] = jax.lax.map(
            lambda row: network.apply(params, row[None])[0], x, batch_size=min(_ROWS, len(x))
        )
        return scores


def margins(
    network: Scorer, params: Params, x: Float[Array, "rows *shape"]
) -> Float[Array, " rows"]:
    """The logit difference of two classes, positive where the network's label is 1."""
    scores = logits(network, params, x)
    return scores[:, 1] - scores[:, 0]


def labels_of(scores: Float[Array, "rows classes"]) -> Int[Array, " rows"]:
    """The class of the highest score, the first of several; 0 where two cannot be compared."""
    if scores.shape[-1] == 2:
        return (scores[:, 1] - scores[:, 0] > 0).astype(jnp.int32)
    return jnp.argmax(scores, axis=-1).astype(jnp.int32)


@pinned
def ask(network: Scorer, params: Params, x: Float[AnyArray, "rows *shape"]) -> np.ndarray:
    """``margins`` of one network (compiled, NumPy)."""
    return np.asarray(_ask(network, params, x))


@partial(jax.jit, static_argnums=0)
def _ask(network: Scorer, params: Params, x: Array) -> Array:
    return margins(network, params, x)
