"""Random keys: every draw depends on one integer seed and the identity of what is drawn.

Data depend on the task, an initialisation on the network, the order of batches on the sizes of
training set and batch: so learners of one seed meet the same data, in the same order. Identities
are hashed and folded in, never a position in a batch or in a registry, so a network is the same
however the work is divided. Each use of randomness has a stream of its own. The generator is named
here, and not left to JAX's settings.
"""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt

from simbias._checks import fail
from simbias._pinned import GENERATOR, pinned
from simbias._threefry import fold_in, numbers
from simbias._types import AnyArray

VERSION = 2  # to be raised when the same seed gives other draws: kept beside every result
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
    """``jax.random.fold_in``."""
    return numbers(words, 0, number)


@pinned
def stream(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """The stream ``name`` (one of ``STREAMS``) of a key."""
    return jax.random.fold_in(key, STREAMS.index(name))


def stream_words(words: UInt[np.ndarray, " words"], name: str) -> UInt[np.ndarray, " words"]:
    """The words of ``stream``, from those of the key (NumPy)."""
    return fold_in(words, STREAMS.index(name))


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
