"""Random keys: every draw hangs from one integer seed and the identity of its cell.

The identity is hashed and folded in, never a position in a batch or in a registry, so a network is
the same however the work is divided. Each use of randomness has a stream of its own.
"""

import hashlib

import jax
from jaxtyping import Array, Key

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
)


def network_key(identity: str, seed: int) -> Key[Array, ""]:
    """The key of the network with this seed in the cell with this identity."""
    digest = hashlib.sha256(identity.encode()).digest()
    key = jax.random.key(seed % 2**32)
    if seed >= 2**32:  # a JAX key is made from 32 bits: the others are folded in
        key = jax.random.fold_in(key, seed >> 32)
    for start in (0, 4):
        key = jax.random.fold_in(key, int.from_bytes(digest[start : start + 4], "little"))
    return key


def stream(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """The stream ``name`` (one of ``STREAMS``) of a network's key."""
    return jax.random.fold_in(key, STREAMS.index(name))
