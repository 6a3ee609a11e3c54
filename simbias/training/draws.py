"""Whether the draws behind a network are still the same: a fingerprint kept with it.

A training set is never stored but drawn again from its key, by whoever asks how it is fitted. What
is whole numbers, and so the same on every processor, is hashed: labels, exceptions, and the first
bits of every stream. The rotation, of which a processor changes the last digits, is compared.
"""

import hashlib
from functools import partial
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt

from simbias._keys import key_of, stream
from simbias._pinned import pinned
from simbias.tasks.task import Points
from simbias.training.problem import Keys, TrainingProblem

ROTATION_TOLERANCE = 1e-4
# streams that are added later change no kept fingerprint
_STREAMS = {
    "data": ("rotation", "train", "select", "certify", "context", "holdout"),
    "initialisation": ("initialisation",),
    "order": ("order",),
    "method": ("method",),
}
_BITS = 32  # of each stream, in words


class DrawsError(ValueError):
    """A network's draws cannot be repeated here."""


@pinned
def fingerprint(problem: TrainingProblem, data: Points) -> str:
    """Sixteen hexadecimal digits that hang on a network's training set and on all its streams."""
    digest = hashlib.sha256()
    for part in (data.y, data.exception):
        digest.update(np.asarray(part).astype(np.uint8).tobytes())
    digest.update(np.asarray(_first_bits(problem.keys)).astype("<u4").tobytes())
    return digest.hexdigest()[:16]


@jax.jit
def _first_bits(keys: Keys) -> UInt[Array, "streams bits"]:
    streams = [
        stream(key_of(words), name)
        for key, words in keys._asdict().items()
        for name in _STREAMS[key]
    ]
    return jax.vmap(partial(jax.random.bits, shape=(_BITS,)))(jnp.stack(streams))


def compare(network: str, stored: str, now: str, turned: np.ndarray, turn: np.ndarray) -> None:
    """Hold what was drawn against what is drawn.

    Args:
        network: in words.
        stored: its fingerprint; "" where it was kept without one: nothing is known.
        now: that of what is drawn here.
        turned: the matrix of its data set.
        turn: that drawn here.

    Raises:
        DrawsError: they differ.
    """
    apart = [] if stored in ("", now) else [f"fingerprint {now}, not {stored}"]
    if turn.shape != turned.shape or np.abs(turn - turned).max(initial=0) > ROTATION_TOLERANCE:
        apart.append("another rotation")
    if apart:
        raise DrawsError(
            f"{network}: its training set cannot be drawn again ({', '.join(apart)}): it was drawn"
            f" by another version of JAX or simbias (here {version('jax')} and"
            f" {version('simbias')}), or under other settings, such as jax_enable_x64,"
            " jax_default_prng_impl or jax_threefry_partitionable"
        )
