"""Shuffling by an index bijection: the order of an epoch without storing or sorting it.

Position p of an epoch is sent to index(p) by a keyed bijection of {0, ..., n-1}: an alternating
Feistel network (Luby and Rackoff, SIAM J. Comput. 1988) on pairs (left, right) with left < a,
right < b and ab >= n, whose rounds add a keyed hash of one half to the other modulo its range; it
is applied again to positions that land outside until they land inside (cycle walking: Black and
Rogaway, CT-RSA 2002). With a, b near sqrt(n) hardly any position has to walk. Integer arithmetic
only, so an order is the same on every device.
"""

from math import isqrt

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt

_ROUNDS = 6  # half-rounds; each mixes one half
KEY_WORDS = 2


def epoch_index(
    words: UInt[Array, " words"],
    epoch: UInt[Array, " rows"],
    position: UInt[Array, " rows"],
    n: int,
) -> UInt[Array, " rows"]:
    """The index of each position in the order of its epoch.

    Args:
        words: ``KEY_WORDS`` random 32-bit words that determine the orders.
        epoch: the epoch that each position belongs to.
        position: positions in {0, ..., n-1}.
        n: size of the data set (static), below 2**31.

    Returns:
        Indices in {0, ..., n-1}; for a fixed epoch a bijection of the positions.
    """
    b = isqrt(n - 1) + 1
    a = -(-n // b)
    keys = [
        _mix(words[0] ^ _mix(words[1] + epoch * _word(_ROUNDS) + _word(i))) for i in range(_ROUNDS)
    ]

    def scramble(index: UInt[Array, " rows"]) -> UInt[Array, " rows"]:
        left = index // jnp.uint32(b)
        right = index - left * jnp.uint32(b)
        for i in range(0, _ROUNDS, 2):
            left = _add(left, _below(_mix(right ^ keys[i]), a), a)
            right = _add(right, _below(_mix(left ^ keys[i + 1]), b), b)
        scrambled: UInt[Array, " rows"] = left * jnp.uint32(b) + right
        return scrambled

    def outside(index: UInt[Array, " rows"]) -> Bool[Array, " rows"]:
        beyond: Bool[Array, " rows"] = index >= jnp.uint32(n)
        return beyond

    return jax.lax.while_loop(
        lambda index: jnp.any(outside(index)),
        lambda index: jnp.where(outside(index), scramble(index), index),
        scramble(position),
    )


def _word(value: int) -> UInt[Array, ""]:
    word: UInt[Array, ""] = jnp.uint32(value)
    return word


def _mix(h: UInt[Array, " rows"]) -> UInt[Array, " rows"]:
    """The 32-bit finaliser of MurmurHash3 (Appleby, 2011): a bijection with full avalanche."""
    h = (h ^ (h >> 16)) * jnp.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * jnp.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def _below(h: UInt[Array, " rows"], m: int) -> UInt[Array, " rows"]:
    """floor(h m / 2**32) without 64-bit integers, for m < 2**16."""
    scaled: UInt[Array, " rows"] = (
        (h >> 16) * jnp.uint32(m) + (((h & 0xFFFF) * jnp.uint32(m)) >> 16)
    ) >> 16
    return scaled


def _add(x: UInt[Array, " rows"], y: UInt[Array, " rows"], m: int) -> UInt[Array, " rows"]:
    """x + y modulo m, for x, y < m."""
    total = x + y
    return jnp.where(total >= m, total - jnp.uint32(m), total)
