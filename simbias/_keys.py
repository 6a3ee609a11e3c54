"""Random keys: every draw depends on one integer seed and the identity of what is drawn.

Data depend on the task, an initialisation on the network, the order of batches on the sizes of
training set and batch: so learners of one seed meet the same data, in the same order. Identities
are hashed and folded in, never a position in a batch or in a registry, so a network is the same
however the work is divided. Each use of randomness has a stream of its own. The generator is named
here, and not left to JAX's settings.
"""

import hashlib
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt

from simbias._checks import fail
from simbias._pinned import GENERATOR, pinned
from simbias._types import AnyArray

VERSION = 2  # to be raised when the same seed gives other draws: kept beside every result
_BLOCKS = (2**10, 2**13, 2**16)  # numbers of draws that are made for their first ones
STREAMS = (
    "rotation",
    "train",
    "select",
    "certify",
    "initialisation",
    "order",
    "context",
    "holdout",
    "supersample",
    "mask",
    "method",
    "selective",
    "sets",
    "weighted",
    "coins",
    "replacement",
    "unlabelled",
    "mixup",
    "generated",
    "fresh",
    "critic",
    "fitting",
    "label noise",
    "fresh labels",
    "fresh flips",
    "directions",
    "noisy select",
)


@pinned
def identity_key(identity: str, seed: int) -> Key[Array, ""]:
    """The key of an identity and a seed."""
    return key_of(identity_words(identity, seed))


def identity_words(identity: str, seed: int) -> UInt[np.ndarray, " words"]:
    """The words of the key of an identity and a seed, by integers of Python alone."""
    digest = hashlib.sha256(identity.encode()).digest()
    seed = int(seed)  # one of NumPy would overflow
    words = 0, seed % 2**32
    if seed >= 2**32:  # a key is made from 32 bits: the others are folded in
        words = _folded(words, seed >> 32)
    for start in (0, 4):
        words = _folded(words, int.from_bytes(digest[start : start + 4], "little"))
    return np.array(words, np.uint32)


def _folded(words: tuple[int, int], number: int) -> tuple[int, int]:
    """``jax.random.fold_in``: Threefry-2x32 at (0, number), Salmon et al. (SC 2011)."""
    keys = (*words, words[0] ^ words[1] ^ 0x1BD11BDA)
    left, right = keys[0], (number + keys[1]) % 2**32
    for i in range(5):
        for turn in (17, 29, 16, 24) if i % 2 else (13, 15, 26, 6):
            left = (left + right) % 2**32
            right = ((right << turn | right >> (32 - turn)) % 2**32) ^ left
        left = (left + keys[(i + 1) % 3]) % 2**32
        right = (right + keys[(i + 2) % 3] + i + 1) % 2**32
    return left, right


@pinned
def stream(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """The stream ``name`` (one of ``STREAMS``) of a key."""
    return jax.random.fold_in(key, STREAMS.index(name))


def folded(words: UInt[AnyArray, " words"], number: int) -> UInt[np.ndarray, " words"]:
    """The words of ``jax.random.fold_in`` of a number below 2^32, by integers of Python alone."""
    first, second = map(int, words)
    return np.array(_folded((first, second), number), np.uint32)


def stream_words(words: UInt[AnyArray, " words"], name: str) -> UInt[np.ndarray, " words"]:
    """The words of ``stream``, from those of the key."""
    return folded(words, STREAMS.index(name))


def split_words(words: UInt[AnyArray, " words"]) -> list[UInt[np.ndarray, " words"]]:
    """The words of both keys of ``jax.random.split``, which are those of folding in 0 and 1."""
    return [folded(words, part) for part in range(2)]


@pinned
def bits(words: UInt[AnyArray, " words"], count: int) -> UInt[np.ndarray, " count"]:
    """``jax.random.bits`` of a key (NumPy), by few programs for all counts.

    Number i of a draw depends on i alone, and the generator is most of what it takes to compile a
    draw.
    """
    larger = (block for block in _BLOCKS if block >= count)
    size = next(larger, 1 << (count - 1).bit_length())
    return np.asarray(_bits(words, size))[:count]


def uniform(words: UInt[AnyArray, " words"], shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """``jax.random.uniform`` of a key in [0, 1), float32 (NumPy)."""
    unit = np.ones(1, np.float32)
    between_1_and_2 = (bits(words, math.prod(shape)) >> 9) | unit.view(np.uint32)
    return (between_1_and_2.view(np.float32) - unit).reshape(shape)


@partial(jax.jit, static_argnums=1)
def _bits(words: UInt[AnyArray, " words"], size: int) -> UInt[Array, " size"]:
    drawn: UInt[Array, " size"] = jax.random.bits(key_of(words), (size,))
    return drawn


@pinned
def seed_key(seed: int) -> Key[Array, ""]:
    """The key of a seed in [0, 2**32), whatever JAX adds to seeds."""
    return key_of(np.array([0, seed], np.uint32))


def key_of(words: UInt[AnyArray, " words"]) -> Key[Array, ""]:
    """The key made of two words: the inverse of ``jax.random.key_data``."""
    key: Key[Array, ""] = jax.random.wrap_key_data(words, impl=GENERATOR)
    return key


def own_key(key: AnyArray) -> Key[Array, ""]:
    """A caller's key, for the generator that is used here.

    A key of ``rbg`` holds one of threefry, which is what the same seed gives without ``rbg``.

    Raises:
        ValueError: a key of another generator, or no key.
    """
    allowed = f"a JAX random key of {GENERATOR} (see jax_default_prng_impl)"
    if not hasattr(key, "dtype"):
        raise fail("key", key, allowed)
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    kind = str(jax.random.key_impl(key)) if typed else {2: GENERATOR, 4: "rbg"}.get(key.size, "")
    if kind == GENERATOR and typed:
        own: Key[Array, ""] = key
        return own
    words = jax.random.key_data(key) if typed else key
    if kind not in (GENERATOR, "rbg") or words.ndim != 1 or words.dtype != np.uint32:
        raise fail("key", f"{kind or 'none'} {key.dtype}{list(key.shape)}", allowed)
    return key_of(words[:2])
