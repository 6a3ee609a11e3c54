"""Tasks that are not made of independent coordinates, and networks trained on them."""

import jax
import numpy as np

import simbias
from simbias.tasks import Points, Truth

STOP = simbias.Stop(train_accuracy=1, max_updates=4000, check_every=200)
SGD = simbias.sgd(learning_rate=0.1, momentum=0.9)


class Rings:
    """Three rings: written with nothing but the attributes of the protocol."""

    name, shape, classes, truth = "rings", (2,), 3, Truth(None, 0.0)

    def __init__(self, width=0.2):
        self.settings = {"width": width}

    def law(self, key):
        return {"width": np.float32(self.settings["width"])}

    @staticmethod
    def draw(law, key, split, rows):
        key_y, key_r, key_angle = jax.random.split(key, 3)
        y = jax.random.randint(key_y, (rows,), 0, 3)
        radius = 1 + y + law["width"] * jax.random.uniform(key_r, (rows,))
        angle = 2 * np.pi * jax.random.uniform(key_angle, (rows,))
        x = radius[:, None] * jax.numpy.stack([jax.numpy.cos(angle), jax.numpy.sin(angle)], 1)
        return Points(x, y, jax.numpy.zeros(rows, bool))


def train(task, n_train, *, depth=1, **more):
    options = {"n_train": n_train, "batch": 50, "stop": STOP, "n_select": 200} | more
    return simbias.train(task, simbias.MLP(32, depth), SGD, **options)


def images():
    """Eight-by-eight pictures of a bar, a cross or a frame, with noise."""
    generator = np.random.default_rng(0)
    bar, cross, frame = np.zeros((3, 8, 8))
    bar[:, 3:5] = cross[3:5, :] = cross[:, 3:5] = frame[[0, -1]] = frame[:, [0, -1]] = 1
    y = generator.integers(0, 3, 600)
    return np.stack([bar, cross, frame])[y] + 0.3 * generator.normal(size=(600, 8, 8)), y
