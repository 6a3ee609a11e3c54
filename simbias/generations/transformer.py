"""A small causal transformer over tokens, and how rows are decoded from it.

Pre-norm blocks of attention and a GELU layer, learned positions, a start token in front of each
row (A. Vaswani et al., NeurIPS 2017; R. Xiong et al., ICML 2020).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from simbias._types import AnyArray, Params, PyTree

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
    for block in params["blocks"]:
        h = _after(block, h, jax.nn.dot_product_attention(*_parts(block, h), is_causal=True))
    logits: Float[Array, "rows length states"] = _normed(h) @ params["out"]
    return logits


def _parts(block: Params, h: Float[Array, "rows length width"]) -> tuple[Array, Array, Array]:
    """Query, key and value of some tokens, (rows, length, heads, width of a head)."""
    n, length, width = h.shape
    parts = (_normed(h) @ block["attention"]).reshape(n, length, 3, _HEADS, width // _HEADS)
    return parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]


def _after(
    block: Params, h: Float[Array, "rows length width"], mixed: AnyArray
) -> Float[Array, "rows length width"]:
    """What a block makes of some tokens and of what attention mixed for them."""
    h = h + mixed.reshape(h.shape) @ block["mixing"]
    later: Array = h + jax.nn.gelu(_normed(h) @ block["wide"]) @ block["narrow"]
    return later


Past = list[tuple[Array, Array]]  # keys and values of a block's tokens, (rows, length, heads, ...)


def _no_past(params: Params, rows: int) -> Past:
    length, width = params["positions"].shape
    none = jnp.zeros((rows, length, _HEADS, width // _HEADS))
    return [(none, none) for _ in params["blocks"]]


def _logits_at(
    params: Params, past: Past, rows: Int[AnyArray, "rows length"], i: AnyArray
) -> tuple[Float[Array, "rows states"], Past]:
    """Logits of token i of some rows, given those before it, whose keys and values are kept."""
    length, states = rows.shape[1], params["out"].shape[1]
    before = jnp.where(i > 0, rows[:, jnp.maximum(i - 1, 0)], states)
    h = (params["tokens"][before] + params["positions"][i][None])[:, None]
    seen = (jnp.arange(length) <= i)[None, None, None]
    kept = []
    for block, (keys, values) in zip(params["blocks"], past, strict=True):
        query, key, value = _parts(block, h)
        keys, values = keys.at[:, i].set(key[:, 0]), values.at[:, i].set(value[:, 0])
        h = _after(block, h, jax.nn.dot_product_attention(query, keys, values, mask=seen))
        kept.append((keys, values))
    return (_normed(h) @ params["out"])[:, 0], kept


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

    def scores(past: Past, so_far: AnyArray, i: AnyArray) -> tuple[AnyArray, Past]:
        logits, past = _logits_at(params, past, so_far, i)
        return _scores(logits, so_far, i, how), past

    past = _no_past(params, rows * how.beams)
    if how.beams == 1:
        return drawn(key, rows, length, scores, past)
    return by_beams(key, rows, length, scores, past, states, how.beams)


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


# what is kept of the tokens before, rows, a place -> log probabilities of its token, what is kept
Scores = Callable[
    [PyTree, Int[Array, "rows length"], AnyArray], tuple[Float[Array, "rows states"], PyTree]
]


def drawn(
    key: Key[Array, ""], rows: int, length: int, scores: Scores, past: PyTree
) -> Int[Array, "rows length"]:
    """Rows of which each token is drawn, given those before it."""

    def step(i: AnyArray, state: tuple[AnyArray, PyTree]) -> tuple[AnyArray, PyTree]:
        so_far, past = state
        own, past = scores(past, so_far, i)
        token = jax.random.categorical(jax.random.fold_in(key, i), own, axis=1)
        return so_far.at[:, i].set(token.astype(jnp.int32)), past

    begun = jnp.zeros((rows, length), jnp.int32), past
    ended: Array = jax.lax.fori_loop(0, length, step, begun)[0]
    return ended


def by_beams(
    key: Key[Array, ""],
    rows: int,
    length: int,
    scores: Scores,
    past: PyTree,
    states: int,
    beams: int,
) -> Int[Array, "rows length"]:
    """Rows that are the likeliest end of several beams, of which candidates are drawn.

    Args:
        key: of the candidates.
        rows, length: of what is drawn.
        scores: of tokens, of rows times beams at once.
        past: what scores keep, before the first token; beams on the leading axis.
        states: tokens that there are.
        beams: beginnings that go on together.
    """

    def step(i: AnyArray, state: tuple[AnyArray, ...]) -> tuple[AnyArray, ...]:
        so_far, total, past = state  # (rows, beams, length), (rows, beams)
        own, past = scores(past, so_far.reshape(rows * beams, length), i)
        reached = (total[:, :, None] + own.reshape(rows, beams, states)).reshape(
            rows, beams * states
        )
        noise = jax.random.gumbel(jax.random.fold_in(key, i), reached.shape)
        _, drawn = jax.lax.top_k(reached + noise, 2 * beams)  # without replacement
        best, among = jax.lax.top_k(jnp.take_along_axis(reached, drawn, axis=1), beams)
        place = jnp.take_along_axis(drawn, among, axis=1)
        of = (jnp.arange(rows)[:, None] * beams + place // states).ravel()
        past = jax.tree.map(lambda leaf: leaf[of], past)
        kept = so_far.reshape(rows * beams, length)[of].reshape(rows, beams, length)
        return kept.at[:, :, i].set((place % states).astype(jnp.int32)), best, past

    # at the start all beams are one: the others cannot be gone on from
    total = jnp.full((rows, beams), -jnp.inf).at[:, 0].set(0.0)
    begun = jnp.zeros((rows, beams, length), jnp.int32), total, past
    ended, total, _ = jax.lax.fori_loop(0, length, step, begun)
    best = total.argmax(axis=1)
    return jnp.take_along_axis(ended, best[:, None, None], axis=1)[:, 0]
