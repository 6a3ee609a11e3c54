"""Dominoes: a simple image on top of a complex one, each of the label's class.

After H. Shah, K. Tamuly, A. Raghunathan, P. Jain, P. Netrapalli, "The pitfalls of simplicity bias
in neural networks" (NeurIPS 2020), section 4, where MNIST's zeros and ones stand on CIFAR images.
Here both halves are digits, of which some pairs are told apart more easily than others. With the
probability ``noise`` the upper half is of either class whatever the label, so that its rule errs in
half of these; the lower half is always of the label's class.
"""

from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simbias._checks import fail, known, real, whole
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks import images
from simbias.tasks.arrays import ArrayTask
from simbias.tasks.task import SPLITS, Points, Truth

_SOURCES = ("digits", "mnist")


class DominoesLaw(NamedTuple):
    """The images, and for each split the rows of those of a half and a label, and their number."""

    images: Float[AnyArray, "points *shape"]
    rows: dict[str, Int[AnyArray, "halves labels most"]]
    counts: dict[str, Int[AnyArray, "halves labels"]]
    noise: Float[AnyArray, ""]


class DominoesTask:
    """Two images on top of each other: the upper one simple and perhaps misleading.

    The simple rule is the class of the upper image, the achievable one that of the lower image. A
    split has its own images of the source, and its points are independent draws of two of them, so
    that what holds of certify draws holds of its images.

    Args:
        simple: the two digits of the upper half, of label 0 and of label 1.
        hard: the two digits of the lower half.
        noise: probability that the upper half is of either class whatever the label, in [0, 1].
        source: ``"digits"`` or ``"mnist"``.
        points: the hash of the source's points that is expected, as in the task's settings.

    Raises:
        ValueError: an argument out of range, or a source without its files.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("dominoes", noise=0.2)
        >>> task.shape, task.truth
        ((16, 8), Truth(simple_risk=0.1, achievable_risk=0.0))
    """

    name, classes = "dominoes", 2

    def __init__(
        self,
        *,
        simple: tuple[int, int] = (0, 1),
        hard: tuple[int, int] = (8, 9),
        noise: float = 0.1,
        source: str = "digits",
        points: str | None = None,
    ) -> None:
        self.halves = tuple(_pair(*pair) for pair in (("simple", simple), ("hard", hard)))
        self.noise = real("noise", noise, 0, 1)
        self.source = known("source", source, _SOURCES)
        self._images = _source(self.source, points)
        assert self._rows  # a digit without an image is refused now

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DominoesTask) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(str(self.settings))

    @property
    def settings(self) -> Settings:
        """The values that identify it, the hash of the source's images among them."""
        simple, hard = map(list, self.halves)
        points = self._images.settings["points"]
        own = {"simple": simple, "hard": hard, "noise": self.noise, "source": self.source}
        return {**own, "points": points}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        height, width = self._images.shape
        return (2 * height, width)

    @property
    def truth(self) -> Truth:
        """The risks of the rules that know the classes of the halves."""
        return Truth(simple_risk=self.noise / 2, achievable_risk=0.0)

    @cached_property
    def _rows(self) -> dict[str, list[list[np.ndarray]]]:
        law = self._images.splits
        rows = {
            split: [[own[self._images.y[own] == digit] for digit in pair] for pair in self.halves]
            for split, own in law.items()
        }
        for split in SPLITS:
            for pair, of_half in zip(self.halves, rows[split], strict=True):
                for digit, own in zip(pair, of_half, strict=True):
                    if not len(own):
                        raise fail("source", f"no {digit} to {split}", "an image of each digit")
        return rows

    @pinned
    def law(self, key: Key[Array, ""]) -> DominoesLaw:
        """The images by split, half and label: data sets differ in their points alone."""
        rows, counts = {}, {}
        for split, halves in self._rows.items():
            flat = [own for half in halves for own in half]
            counts[split] = jnp.array([[len(own) for own in half] for half in halves], jnp.int32)
            most = max(map(len, flat))
            padded = np.stack([np.resize(own, most) for own in flat]).reshape(2, 2, most)
            rows[split] = jnp.asarray(padded, jnp.int32)
        return DominoesLaw(jnp.asarray(self._images.x), rows, counts, jnp.float32(self.noise))

    @staticmethod
    def draw(law: DominoesLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Fresh points: two images of the split each."""
        key_label, key_upper, key_images = jax.random.split(key, 3)
        y = jax.random.bernoulli(key_label, shape=(rows,)).astype(jnp.int32)
        key_coin, key_class = jax.random.split(key_upper)
        other = jax.random.bernoulli(key_class, shape=(rows,)).astype(jnp.int32)
        upper = jnp.where(jax.random.bernoulli(key_coin, law.noise, (rows,)), other, y)
        x = _stacked(law, key_images, split, upper, y)
        exception = upper != y
        return Points(x, y, exception, 2 * y + exception.astype(jnp.int32), achievable=y)

    @staticmethod
    def shifted(
        law: DominoesLaw, key: Key[Array, ""], rows: int
    ) -> tuple[Float[Array, "rows *shape"], Int[Array, " rows"]]:
        """Points whose upper half is of either class whatever the label, and their labels."""
        key_labels, key_images = jax.random.split(key)
        upper, y = jax.random.bernoulli(key_labels, shape=(2, rows)).astype(jnp.int32)
        return _stacked(law, key_images, "train", upper, y), y

    @staticmethod
    def unlabelled(law: DominoesLaw, key: Key[Array, ""], rows: int) -> Float[Array, "rows *shape"]:
        """The inputs of ``shifted``, without their labels."""
        return DominoesTask.shifted(law, key, rows)[0]


def _stacked(
    law: DominoesLaw, key: Key[Array, ""], split: str, upper: Array, lower: Array
) -> Float[Array, "rows *shape"]:
    """Images of two labels on top of each other."""
    place = jax.random.uniform(key, (2, len(upper)))
    halves = []
    for half, label in enumerate((upper, lower)):
        count = law.counts[split][half, label]
        index = jnp.minimum((place[half] * count.astype(jnp.float32)).astype(jnp.int32), count - 1)
        halves.append(law.images[law.rows[split][half, label, index]])
    return jnp.concatenate(halves, axis=1)


def _source(name: str, points: str | None) -> ArrayTask:
    return images.digits(points=points) if name == "digits" else images.mnist(points=points)


def _pair(argument: str, digits: object) -> tuple[int, int]:
    """Two different digits."""
    allowed = "two different digits"
    if not isinstance(digits, list | tuple) or len(digits) != 2 or digits[0] == digits[1]:
        raise fail(argument, digits, allowed)
    first, second = (whole(argument, digit, least=0, most=9) for digit in digits)
    return first, second
