"""Whether the draws behind a network are still the same: a fingerprint kept with it.

A training set is never stored but drawn again from its key, whenever its fit is measured. Integers,
which are the same on every processor, are hashed: labels, exceptions, and the first bits of every
stream. The rotation, whose last digits depend on the processor, is compared.
"""

import hashlib
from importlib.metadata import version

import numpy as np
from jaxtyping import UInt

from simbias._keys import bits, stream_words
from simbias._pinned import pinned
from simbias.tasks.task import Points
from simbias.training.problem import Keys, TrainingProblem

ROTATION_TOLERANCE = 1e-4
# listed here, so that streams added later change no kept fingerprint
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
    """Sixteen hexadecimal digits that depend on a network's training set and all its streams."""
    digest = hashlib.sha256()
    for part in (data.y, data.exception):
        digest.update(np.asarray(part).astype(np.uint8).tobytes())
    digest.update(_first_bits(problem.keys).astype("<u4").tobytes())
    return digest.hexdigest()[:16]


def _first_bits(keys: Keys) -> UInt[np.ndarray, "streams bits"]:
    return np.stack(
        [
            bits(stream_words(words, name), _BITS)
            for key, words in keys._asdict().items()
            for name in _STREAMS[key]
        ]
    )


def compare(
    network: str, stored: str, current: str, stored_rotation: np.ndarray, rotation: np.ndarray
) -> None:
    """Compare the draws that a network was trained on with the draws made here.

    Args:
        network: its name and seed.
        stored: its fingerprint; "" where none was kept, and none is compared.
        current: the fingerprint of the draws made here.
        stored_rotation: the rotation of its data set.
        rotation: the rotation drawn here.

    Raises:
        DrawsError: they differ.
    """
    moved = [] if stored in ("", current) else [f"fingerprint {current}, not {stored}"]
    if (
        rotation.shape != stored_rotation.shape
        or np.abs(rotation - stored_rotation).max(initial=0) > ROTATION_TOLERANCE
    ):
        moved.append("another rotation")
    if moved:
        raise DrawsError(
            f"{network}: its training set cannot be drawn again ({', '.join(moved)}): it was drawn"
            f" by another version of JAX or simbias (here {version('jax')} and"
            f" {version('simbias')}), or under other settings, such as jax_enable_x64,"
            " jax_default_prng_impl or jax_threefry_partitionable"
        )
