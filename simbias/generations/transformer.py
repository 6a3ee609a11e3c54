"""A small causal transformer over tokens, and how rows are decoded from it.

Pre-norm blocks of attention and a GELU layer, learned positions, a start token in front of each
row (A. Vaswani et al., NeurIPS 2017; R. Xiong et al., ICML 2020).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from simbias._types import AnyArray, Params

_HEADS, _EXPANSION = 2, 4


class Decoding(NamedTuple):
    """How rows are drawn from next-token probabilities.

    Attributes:
        temperature: by which logits are divided; the law itself at 1.
        beams: 1: a token is drawn. More: so many beginnings of each row go on together; twice as
            many continuations are drawn without replacement, the likeliest are kept, and of the
            ends the likeliest is the row.
        repetition_penalty: by which the logit of a token that the row has already is divided, or
            multiplied where it is below 0 (Keskar et al., arXiv 1909.05858); 1: none.

    Examples:
        >>> from simbias.generations import Decoding
        >>> Decoding(temperature=0.5)
        Decoding(temperature=0.5, beams=1, repetition_penalty=1.0)
    """

    temperature: float = 1.0
    beams: int = 1
    repetition_penalty: float = 1.0


def initial(key: Key[Array, ""], states: int, length: int, width: int, depth: int) -> Params:
    """Random parameters of a model of so many states, rows and units."""
    keys = iter(jax.random.split(key, 3 + 4 * depth))

    def matrix(inputs: int, outputs: int) -> Float[Array, "inputs outputs"]:
        start: Array = jax.random.normal(next(keys), (inputs, outputs)) / inputs**0.5
        return start

    blocks = [
        {
            "attention": matrix(width, 3 * width),
            "mixing": matrix(width, width) / (2 * depth) ** 0.5,
            "wide": matrix(width, _EXPANSION * width),
            "narrow": matrix(_EXPANSION * width, width) / (2 * depth) ** 0.5,
        }
        for _ in range(depth)
    ]
    return {
        "tokens": matrix(states + 1, width),  # the last one starts a row
        "positions": 0.1 * matrix(length, width),
        "blocks": blocks,
        "out": jnp.zeros((width, states)),
    }


def next_logits(
    params: Params, rows: Int[AnyArray, "rows length"]
) -> Float[Array, "rows length states"]:
    """Logits of every token of some rows, each given those before it."""
    states = params["out"].shape[1]
    start = jnp.full((len(rows), 1), states, rows.dtype)
    before = jnp.concatenate([start, rows[:, :-1]], axis=1)
    h = params["tokens"][before] + params["positions"][None]
    n, length, width = h.shape
    for block in params["blocks"]:
        parts = (_normed(h) @ block["attention"]).reshape(n, length, 3, _HEADS, width // _HEADS)
        query, key, value = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        h = h + mixed.reshape(n, length, width) @ block["mixing"]
        h = h + jax.nn.gelu(_normed(h) @ block["wide"]) @ block["narrow"]
    logits: Float[Array, "rows length states"] = _normed(h) @ params["out"]
    return logits


def _normed(h: Float[Array, "rows length width"]) -> Float[Array, "rows length width"]:
    off = h - h.mean(axis=2, keepdims=True)
    return off / jnp.sqrt((off**2).mean(axis=2, keepdims=True) + 1e-5)


def log_probabilities(
    params: Params, rows: Int[AnyArray, "rows length"]
) -> Float[Array, "rows length"]:
    """Log probability of every token of some rows, each given those before it."""
    logs = jax.nn.log_softmax(next_logits(params, rows), axis=2)
    return jnp.take_along_axis(logs, rows[:, :, None], axis=2)[:, :, 0]


def decode(
    params: Params, key: Key[Array, ""], rows: int, how: Decoding
) -> Int[Array, "rows length"]:
    """Rows drawn from a model."""
    length, states = params["positions"].shape[0], params["out"].shape[1]

    def scores(so_far: AnyArray, i: AnyArray) -> AnyArray:
        return _scores(next_logits(params, so_far)[:, i], so_far, i, how)

    if how.beams == 1:
        return drawn(key, rows, length, scores)
    return by_beams(key, rows, length, scores, states, how.beams)


def _scores(
    logits: Float[Array, "rows states"], rows: Int[Array, "rows length"], i: AnyArray, how: Decoding
) -> Float[Array, "rows states"]:
    """Log probabilities of the next token under a decoding."""
    if how.repetition_penalty != 1:
        states, past = logits.shape[1], jnp.arange(rows.shape[1])[None, :] < i
        marked = jnp.where(past, rows, states)  # a token that none is
        there = (marked[:, :, None] == jnp.arange(states)[None, None, :]).any(axis=1)
        penalty = how.repetition_penalty
        logits = jnp.where(there, jnp.where(logits > 0, logits / penalty, logits * penalty), logits)
    return jax.nn.log_softmax(logits / how.temperature, axis=1)


Scores = Callable[[Int[Array, "rows length"], AnyArray], Float[Array, "rows states"]]


def drawn(key: Key[Array, ""], rows: int, length: int, scores: Scores) -> Int[Array, "rows length"]:
    """Rows of which each token is drawn, given those before it."""

    def step(i: AnyArray, so_far: AnyArray) -> AnyArray:
        token = jax.random.categorical(jax.random.fold_in(key, i), scores(so_far, i), axis=1)
        return so_far.at[:, i].set(token.astype(jnp.int32))

    begun = jnp.zeros((rows, length), jnp.int32)
    ended: Array = jax.lax.fori_loop(0, length, step, begun)
    return ended


def by_beams(
    key: Key[Array, ""], rows: int, length: int, scores: Scores, states: int, beams: int
) -> Int[Array, "rows length"]:
    """Rows that are the likeliest end of several beams, of which candidates are drawn."""

    def step(i: AnyArray, state: tuple[AnyArray, AnyArray]) -> tuple[AnyArray, AnyArray]:
        so_far, total = state  # (rows, beams, length), (rows, beams)
        own = scores(so_far.reshape(rows * beams, length), i).reshape(rows, beams, states)
        reached = (total[:, :, None] + own).reshape(rows, beams * states)
        noise = jax.random.gumbel(jax.random.fold_in(key, i), reached.shape)
        _, drawn = jax.lax.top_k(reached + noise, 2 * beams)  # without replacement
        best, among = jax.lax.top_k(jnp.take_along_axis(reached, drawn, axis=1), beams)
        place = jnp.take_along_axis(drawn, among, axis=1)
        kept = jnp.take_along_axis(so_far, (place // states)[:, :, None], axis=1)
        return kept.at[:, :, i].set((place % states).astype(jnp.int32)), best

    # at the start all beams are one: the others cannot be gone on from
    total = jnp.full((rows, beams), -jnp.inf).at[:, 0].set(0.0)
    begun = jnp.zeros((rows, beams, length), jnp.int32), total
    ended, total = jax.lax.fori_loop(0, length, step, begun)
    best = total.argmax(axis=1)
    return jnp.take_along_axis(ended, best[:, None, None], axis=1)[:, 0]
