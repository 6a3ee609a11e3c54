"""A task of given points, as arrays or an .npz file, divided into splits once and for all.

What is measured on the certify rows is a statement about the law that the rows were drawn from, so
each of them is used once, and no more points are drawn than there are.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike

from simbias._checks import fail, place, real, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks.task import SPLITS, Points, Truth

MOST_CERTIFY = 20_000  # rows that one pass of the validator takes
_PROPORTIONS = {"train": 0.6, "select": 0.1, "certify": 0.2, "holdout": 0.1}


class ArrayLaw(NamedTuple):
    """The points, and the rows of each split; the training rows in the order of one data set."""

    x: Float[AnyArray, "points *shape"]
    y: Int[AnyArray, " points"]
    rows: dict[str, Int[AnyArray, "_"]]


class ArrayTask:
    """A task of given points.

    The rows are assigned to the splits once, by a shuffle that depends on nothing but their
    number: a larger training set holds the smaller one of the same seed, and no point of any
    training set is ever used to select or certify.

    Args:
        name: a name of its own.
        x: inputs, (points, *shape), finite.
        y: labels, (points,), integers from 0.
        proportions: of ``train``, ``select``, ``certify`` and ``holdout``, each > 0, that add up to
            1; default .6, .1, .2, .1.

    Raises:
        ValueError: an argument out of range, or a split without a point.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> x = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")
        >>> task = simbias.tasks.ArrayTask("mine", x, (x[:, 0] > 0).astype(int))
        >>> task.shape, task.classes
        ((5,), 2)
        >>> task.most
        {'train': 120, 'select': 20, 'certify': 40, 'holdout': 20}
    """

    truth = Truth()

    def __init__(
        self,
        name: str,
        x: ArrayLike,
        y: ArrayLike,
        *,
        proportions: Mapping[str, float] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise fail("name", name, "a string of at least one character")
        self.name = name
        self.x, self.y = _points(x, y)
        self.proportions = _proportions(_PROPORTIONS if proportions is None else proportions)
        for split, rows in self._rows.items():
            if not len(rows):
                raise fail("x", f"{len(self.x)} points", f"enough for one to {split}")

    @classmethod
    def load(
        cls,
        file: str | Path,
        *,
        name: str | None = None,
        proportions: Mapping[str, float] | None = None,
    ) -> "ArrayTask":
        """The arrays ``x`` and ``y`` of an .npz file, by the name of the file.

        Args:
            file: the path.
            name: as for the class; default the file's.
            proportions: as for the class.

        Raises:
            ValueError: a file that cannot be read, or without these arrays.
        """
        path = place("file", file)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                x, y = arrays["x"], arrays["y"]
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            arrived = f"{path.name} ({' '.join(str(error).split())[:100]})"
            raise fail("file", arrived, "an .npz file with arrays x and y") from None
        return cls(path.stem if name is None else name, x, y, proportions=proportions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayTask) and (self.name, self.settings) == (
            other.name,
            other.settings,
        )

    def __hash__(self) -> int:
        return hash((self.name, self._digest))

    @property
    def settings(self) -> Settings:
        """Proportions of the splits, unless they are the default, and a hash of the points."""
        usual = self.proportions == _PROPORTIONS
        splits = {} if usual else {"shares": self.proportions}  # the word of identities, which last
        return {"points": self._digest, **splits}

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(repr((self.x.shape, self.y.shape)).encode())
        for part in (self.x.astype("<f4"), self.y.astype("<i4")):
            digest.update(part.tobytes())
        return digest.hexdigest()[:16]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        return self.x.shape[1:]

    @cached_property
    def classes(self) -> int:
        """One more than the greatest label, at least two."""
        return max(2, int(self.y.max()) + 1)

    @property
    def splits(self) -> dict[str, Int[np.ndarray, "_"]]:
        """The rows of each split."""
        return dict(self._rows)

    @cached_property
    def most(self) -> dict[str, int]:
        """How many points each split has."""
        return {split: len(rows) for split, rows in self._rows.items()}

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        order = np.random.default_rng(0).permutation(len(self.x)).astype(np.int32)
        ends = np.cumsum([self.proportions[split] for split in SPLITS[:-1]])
        parts = np.split(order, np.round(ends * len(order)).astype(int))
        rows = dict(zip(SPLITS, parts, strict=True))
        return rows | {"certify": rows["certify"][:MOST_CERTIFY]}

    @pinned
    def law(self, key: Key[Array, ""]) -> ArrayLaw:
        """The points, and the order in which a data set takes those to train on."""
        rows = {split: jnp.asarray(part) for split, part in self._rows.items()}
        order = jax.random.permutation(own_key(key), rows["train"])
        return ArrayLaw(jnp.asarray(self.x), jnp.asarray(self.y), rows | {"train": order})

    @staticmethod
    def draw(law: ArrayLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """The first rows of a split: nothing is drawn."""
        index = law.rows[split][:rows]
        return Points(law.x[index], law.y[index], jnp.zeros(len(index), bool))


def _points(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Inputs as float32 and labels as int32; raises ValueError."""
    inputs, labels = np.asarray(x), np.asarray(y)
    if inputs.ndim < 2 or not len(inputs) or inputs.dtype.kind not in "fiub":
        raise fail("x", f"{inputs.dtype}{list(inputs.shape)}", "numbers of shape (points, ...)")
    with np.errstate(over="ignore"):
        inputs = inputs.astype(np.float32)
    if not np.isfinite(inputs).all():
        raise fail("x", f"{np.sum(~np.isfinite(inputs))} entries not finite", "finite numbers")
    if labels.shape != inputs.shape[:1] or labels.dtype.kind not in "iub":
        arrived = f"{labels.dtype}{list(labels.shape)}"
        raise fail("y", arrived, f"{len(inputs)} integers, one for each point")
    whole("y: least label", labels.min(), least=0)
    whole("y: greatest label", labels.max(), least=0, most=10_000)
    without = np.setdiff1d(np.arange(labels.max() + 1), labels)
    if without.size:
        arrived = f"no point of label {without[0]}, labels up to {labels.max()}"
        raise fail("y", arrived, "every label from 0 to the greatest")
    return inputs, labels.astype(np.int32)


def _proportions(proportions: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(proportions, Mapping) or set(proportions) != set(SPLITS):
        raise fail("proportions", proportions, f"one of each of {', '.join(SPLITS)}")
    proportions = {
        split: real(f"proportions: {split}", proportions[split], 0, 1, open_low=True)
        for split in SPLITS
    }
    if abs(sum(proportions.values()) - 1) > 1e-9:
        raise fail("proportions", sum(proportions.values()), "numbers that add up to 1")
    return proportions
