"""What JAX draws from a key, drawn by NumPy, bit for bit: to compile its generator takes longer.

The generator is Threefry-2x32 with 20 rounds: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel
random numbers: as easy as 1, 2, 3", SC 2011. Number i of a draw is that of the counter i, as under
``jax_threefry_partitionable``. A key is its two words, as in ``jax.random.key_data``.
"""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, UInt

Word = TypeVar("Word", int, np.ndarray)

_WORD = 2**32 - 1  # all its bits
_TURNS = (13, 15, 26, 6), (17, 29, 16, 24)  # of the rounds, in bits
_BLOCK = 2**14  # counters at once: they stay in cache


def numbers(words: Sequence[Word], left: Word, right: Word) -> tuple[Word, Word]:
    """Both numbers of a counter, which is given by halves: integers of Python, or uint32 arrays."""
    first, second = words
    keys: tuple[Word, ...] = (first, second, first ^ second ^ 0x1BD11BDA)
    left, right = (left + keys[0]) & _WORD, (right + keys[1]) & _WORD
    for i in range(5):
        for turn in _TURNS[i % 2]:
            left = (left + right) & _WORD
            right = (((right << turn) & _WORD) | (right >> (32 - turn))) ^ left
        left = (left + keys[(i + 1) % 3]) & _WORD
        right = (right + keys[(i + 2) % 3] + (i + 1)) & _WORD
    return left, right


def fold_in(words: UInt[np.ndarray, " words"], number: int) -> UInt[np.ndarray, " words"]:
    """``jax.random.fold_in``, of a number below 2^32."""
    first, second = map(int, words)
    return np.array(numbers((first, second), 0, number), np.uint32)


def split(words: UInt[np.ndarray, " words"], parts: int = 2) -> UInt[np.ndarray, "parts words"]:
    """``jax.random.split``."""
    return np.stack(_drawn(words, 0, parts), axis=1)


def uniform(
    words: UInt[np.ndarray, " words"], shape: tuple[int, ...]
) -> Float[np.ndarray, "*shape"]:
    """``jax.random.uniform`` in [0, 1), float32."""
    drawn, one = np.empty(math.prod(shape), np.float32), np.ones(1, np.float32)
    for start in range(0, len(drawn), _BLOCK):
        part = drawn[start : start + _BLOCK]
        first, second = _drawn(words, start, len(part))
        mantissa = (first ^ second) >> 9
        np.subtract((mantissa | one.view(np.uint32)).view(np.float32), one, out=part)
    return drawn.reshape(shape)


def coins(words: UInt[np.ndarray, " words"], rows: int) -> Bool[np.ndarray, " rows"]:
    """``jax.random.bernoulli`` of fair coins."""
    heads: Bool[np.ndarray, " rows"] = uniform(words, (rows,)) < 0.5
    return heads


def _drawn(
    words: UInt[np.ndarray, " words"], start: int, count: int
) -> tuple[UInt[np.ndarray, " count"], UInt[np.ndarray, " count"]]:
    """Both numbers of some counters that follow each other, of which there are 2^32 at most."""
    keys = [np.full(1, word, np.uint32) for word in words]  # arrays wrap without a warning
    counters = np.arange(start, start + count, dtype=np.uint32)
    return numbers(keys, np.zeros_like(counters), counters)
