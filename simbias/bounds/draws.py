"""The numbers of ``jax.random.normal`` and ``randint``, by programs that take less time on a CPU.

There JAX keeps the rounds of its generator in a loop, which writes all words to memory after each;
written out they are one pass. The generator is that of J. Salmon, M. Moraes, R. Dror and D. Shaw
("Parallel random numbers: as easy as 1, 2, 3", SC 2011), with two words and twenty rounds.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped, UInt

from simbias._types import AnyArray

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_LOW = np.nextafter(np.float32(-1), np.float32(0))


def normal(key: Shaped[Array, ""], shape: tuple[int, ...]) -> Float[Array, "..."]:
    """The numbers of ``jax.random.normal(key, shape)``, bit for bit.

    Args:
        key: of ``simbias``'s generator.
        shape: of fewer than 2**32 numbers.
    """
    exponent = np.float32(1).view(np.uint32)
    from_one = (_bits(key, shape) >> np.uint32(9)) | exponent  # to two
    fraction = jax.lax.bitcast_convert_type(from_one, jnp.float32) - np.float32(1)
    uniform = jnp.maximum(_LOW, fraction * (np.float32(1) - _LOW) + _LOW)
    drawn: Array = np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform)
    return drawn


def integers(
    key: Shaped[Array, ""], shape: tuple[int, ...], first: Int[AnyArray, ""], end: Int[AnyArray, ""]
) -> Int[Array, "..."]:
    """The numbers of ``jax.random.randint(key, shape, first, end)``, bit for bit.

    Args:
        key: of ``simbias``'s generator.
        shape: of fewer than 2**32 numbers.
        first: the least, of 32 bits.
        end: one more than the largest; not above ``first``, every number is ``first``.
    """
    # two words for a number: the remainder of 64 bits is nearly uniform
    above, below = (_bits(part, shape) for part in jax.random.split(key))
    span = jnp.where(end > first, (end - first).astype(jnp.uint32), jnp.uint32(1))
    half = np.uint32(2**16) % span
    offset = (above % span * (half * half % span) + below % span) % span
    drawn: Array = first + offset.astype(jnp.int32)
    return drawn


def _bits(key: Shaped[Array, ""], shape: tuple[int, ...]) -> UInt[Array, "..."]:
    """A word for each place: its position enciphered under the key."""
    first, second = jax.random.key_data(key)
    words = first, second, first ^ second ^ _PARITY
    right = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape) + second
    left = jnp.full(shape, first)
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            left = left + right
            right = (right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))
            right = right ^ left
        left = left + words[(i + 1) % 3]
        right = right + words[(i + 2) % 3] + np.uint32(i + 1)
    enciphered: Array = left ^ right
    return enciphered
