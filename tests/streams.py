"""What networks of a seed meet, drawn by hand through the task."""

import jax
import numpy as np

from simbias import tasks
from simbias._keys import identity_key, stream

CHUNK = 1000  # rows of a training set that hang from one key


def data_key(task, seed):
    """The key of all that is drawn from a task at a seed."""
    return identity_key(tasks.identity(task), seed)


def rotation(task, seed):
    """The matrix that turns the inputs."""
    return np.asarray(task.rotation(stream(data_key(task, seed), "rotation")))


def points(task, seed, rows, name="train"):
    """The unrotated points of a stream and their labels."""
    key = stream(data_key(task, seed), name)
    if name not in ("train", "supersample"):
        return tuple(map(np.asarray, task.sample(key, rows)))
    chunks = [task.sample(jax.random.fold_in(key, i), CHUNK) for i in range(-(-rows // CHUNK))]
    return tuple(np.concatenate(part)[:rows] for part in zip(*chunks, strict=True))
