"""Noise on the labels that a network is trained on; its risk stays that against the clean law.

D. Rolnick, A. Veit, S. Belongie, N. Shavit, "Deep learning is robust to massive label noise" (arXiv
1705.10694, 2017): beside each clean label stand alpha noisy ones. All that is known of such noise
follows from one stochastic matrix a class, q: row c is the law of a training label whose clean
label is c. With N the law of a noisy label,

    q = (I + alpha N) / (1 + alpha).

Noisy labels that are uniform over m classes leave the clean one ahead of each other by 1 / (1 +
alpha), for every alpha. Where a proportion ``concentration`` of them goes to one class instead, it
is ahead of that one by (1 - alpha concentration) / (1 + alpha), which is negative from
concentration = 1 / alpha on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simbias._checks import check_keys, fail, known, real, whole
from simbias._types import AnyArray, Settings
from simbias.tasks.task import Points, first_rows

FORMS = ("fixed", "fresh", "soft", "realised")
INPUTS = ("own", "shared")
TARGETS = ("next", "reverse")
_MOST_ALPHA = 1_000_000
_STOCHASTIC = 1e-6  # how far from 1 a row may add up to
_DRAWN_BYTES = 20.0  # for each drawn label: two uniforms, their bits, the label itself


class Relabelling(NamedTuple):
    """Labels that are drawn: the probability of the clean one, and the law of a noisy one.

    Attributes:
        clean: for each label of a point, the probability that it is the clean one without a draw.
        cumulative: the law of a noisy label by its clean one, added up along each row.
    """

    clean: Float[AnyArray, " copies"]
    cumulative: Float[AnyArray, "classes classes"]


class Fixed(NamedTuple):
    """A training set whose labels are drawn once; ``copies`` of them share an input."""

    labels: Relabelling


class Realised(NamedTuple):
    """Each point once, with the frequencies of the labels that ``Fixed`` would give its copies."""

    labels: Relabelling


class Fresh(NamedTuple):
    """Labels that are drawn anew at each update; ``expected`` is their law, for the loss."""

    labels: Relabelling
    expected: Float[AnyArray, "classes classes"]


class Soft(NamedTuple):
    """Each point with the law of its label."""

    expected: Float[AnyArray, "classes classes"]


NoiseLaw = Fixed | Realised | Fresh | Soft


@dataclass(frozen=True)
class LabelNoise:
    """Noise on training labels, by the law of a label given the clean one.

    Args:
        alpha: noisy labels for each clean one, >= 0; None, with a matrix: no label is clean
            without a draw, so that the matrix is the law of every label.
        concentration: proportion of noisy labels that go to the class's target instead of
            uniformly to all classes, in [0, 1].
        target: a class for each class: ``"next"`` is the class after it, ``"reverse"`` the class
            as far from the last as it is from the first, or a list.
        matrix: the law of a noisy label, a row for each clean label; in place of concentration and
            target.
        form: of the training set. ``"fixed"``: labels are drawn once. ``"fresh"``: at each update.
            ``"soft"``: a point has the law of its label. ``"realised"``: a point has the
            frequencies of 1 + alpha labels, one of them clean, that are drawn once: a full batch
            has the gradient of the fixed set with shared inputs, at a cost that does not depend on
            alpha.
        inputs: of a fixed set. ``"own"``: each of the n_train labels has an input of its own, and
            is drawn independently of the others. ``"shared"``: a clean label and alpha noisy ones
            share an input, and the n_train labels are those of n_train / (1 + alpha) inputs.

    Raises:
        ValueError: an argument out of range, a matrix that is not stochastic, or copies of a
            number that is not whole.

    Examples:
        >>> import simbias
        >>> noise = simbias.tasks.LabelNoise(alpha=4)
        >>> noise.law(classes=2)
        array([[0.6, 0.4],
               [0.4, 0.6]])
        >>> simbias.tasks.LabelNoise(alpha=4, concentration=0.5).margin(classes=10).round(2).min()
        np.float64(-0.2)

        It is a part of a cell; labels that disagree leave the risk what it is:

        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> noise = simbias.tasks.LabelNoise(alpha=1)
        >>> stack = simbias.train(
        ...     task, net, method, n_train=1000, seeds=2, stop=stop, label_noise=noise
        ... )
        >>> stack.cell.settings["label_noise"]
        {'alpha': 1.0}
    """

    alpha: float | None = None
    concentration: float = 0.0
    target: str | tuple[int, ...] = "next"
    matrix: tuple[tuple[float, ...], ...] | None = None
    form: str = "fixed"
    inputs: str = "own"

    def __post_init__(self) -> None:
        place = "label_noise"
        known(f"{place}: form", self.form, FORMS)
        known(f"{place}: inputs", self.inputs, INPUTS)
        self._set("concentration", real(f"{place}: concentration", self.concentration, 0, 1))
        if isinstance(self.target, str):
            known(f"{place}: target", self.target, TARGETS)
        else:
            self._set("target", _target(f"{place}: target", self.target))
        if self.matrix is not None:
            self._set("matrix", _stochastic(f"{place}: matrix", self.matrix))
            if self.concentration or self.target != "next":
                allowed = "none beside concentration and target"
                raise fail(f"{place}: matrix", self.matrix, allowed)
        elif self.alpha is None:
            raise fail(f"{place}: alpha", None, "a number, or None with a matrix")
        if self.alpha is not None:
            self._set("alpha", real(f"{place}: alpha", self.alpha, 0, _MOST_ALPHA))
        if self.form == "realised" or self.inputs == "shared":
            if self.form not in ("fixed", "realised"):
                raise fail(f"{place}: inputs", self.inputs, "shared in a fixed set only")
            if self.alpha is None or self.alpha != int(self.alpha):
                raise fail(f"{place}: alpha", self.alpha, "a whole number, of labels of an input")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def settings(self) -> Settings:
        """What is not at its default, as plain data."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {
            entry.name: _plain(given[entry.name])
            for entry in fields(self)
            if given[entry.name] != entry.default
        }

    @property
    def copies(self) -> int:
        """Labels that share an input, in the training set or in its frequencies."""
        shared = self.form == "realised" or self.inputs == "shared"
        return 1 + int(self.alpha or 0) if shared else 1

    def inputs_of(self, n_train: int) -> int:
        """How many different inputs a training set has."""
        return -(-n_train // self.copies) if self.form == "fixed" else n_train

    def drawn_bytes(self, n_train: int) -> float:
        """Bytes that drawing the labels of a training set takes."""
        return _DRAWN_BYTES * n_train * (self.copies if self.form == "realised" else 1)

    def noisy(self, classes: int) -> Float[np.ndarray, "classes classes"]:
        """The law of a noisy label, a row for each clean one; raises ValueError."""
        if self.matrix is not None:
            if len(self.matrix) != classes:
                arrived = f"{len(self.matrix)} rows"
                raise fail("label_noise: matrix", arrived, f"{classes} rows, one for each class")
            return np.array(self.matrix, float)
        uniform = np.full((classes, classes), 1 / classes)
        return (1 - self.concentration) * uniform + self.concentration * self._targets(classes)

    def _targets(self, classes: int) -> Float[np.ndarray, "classes classes"]:
        if self.target == "next":
            targets = np.roll(np.arange(classes), -1)
        elif self.target == "reverse":
            targets = np.arange(classes)[::-1]
        else:
            targets = np.array(self.target)
            if len(targets) != classes or targets.max() >= classes:
                allowed = f"a class for each of {classes} classes"
                raise fail("label_noise: target", self.target, allowed)
        return np.eye(classes)[targets]

    def law(self, classes: int) -> Float[np.ndarray, "classes classes"]:
        """q: the law of a training label, a row for each clean one; raises ValueError."""
        noisy = self.noisy(classes)
        if self.alpha is None:
            return noisy
        return (np.eye(classes) + self.alpha * noisy) / (1 + self.alpha)

    def margin(self, classes: int) -> Float[np.ndarray, " classes"]:
        """By how much each class's label is more probable than the likeliest other one."""
        law = self.law(classes)
        others = np.where(np.eye(classes, dtype=bool), -np.inf, law).max(axis=1)
        margin: Float[np.ndarray, " classes"] = np.diagonal(law) - others
        return margin

    def arrays(self, classes: int) -> NoiseLaw:
        """What a compiled program reads, NumPy arrays; the form is in the type."""
        expected = self.law(classes).astype(np.float32)
        if self.form == "soft":
            return Soft(expected)
        clean = np.zeros(self.copies, np.float32)
        # of labels that share an input the first is the clean one
        clean[0] = 1 if self.copies > 1 else 1 / (1 + self.alpha) if self.alpha is not None else 0
        cumulative = np.cumsum(self.noisy(classes), axis=1).astype(np.float32)
        labels = Relabelling(clean, cumulative)
        if self.form == "fresh":
            return Fresh(labels, expected)
        return Fixed(labels) if self.form == "fixed" else Realised(labels)


def read_label_noise(settings: object) -> LabelNoise | None:
    """Noise on labels from its settings, such as those in a file; None: there is none.

    Raises:
        ValueError: unknown settings, or values out of range.

    Examples:
        >>> from simbias.tasks.label_noise import read_label_noise
        >>> read_label_noise({"alpha": 2, "form": "soft"}).settings
        {'alpha': 2.0, 'form': 'soft'}
    """
    if settings is None:
        return None
    check_keys("label_noise", settings, {}, {entry.name: None for entry in fields(LabelNoise)})
    assert isinstance(settings, dict)
    return LabelNoise(**settings)


def label_uniforms(key: Key[Array, ""], rows: int) -> Float[Array, "2 rows"]:
    """The uniform numbers of which ``relabelled`` makes the labels of ``rows`` points."""
    return jax.random.uniform(key, (2, rows))


def relabelled(
    labels: Relabelling,
    y: Int[Array, " rows"],
    uniforms: Float[Array, "2 rows"],
    copy: Array | int = 0,
) -> Int[Array, " rows"]:
    """Labels of points given their clean ones: those, or the inverse of a noisy one's law.

    Args:
        labels: their law.
        y: the clean labels.
        uniforms: whether each is the clean one, and the place in the law of a noisy one.
        copy: which of a point's labels each is.
    """
    is_clean, place = uniforms
    above = place[:, None] >= labels.cumulative[y]
    last = labels.cumulative.shape[0] - 1
    noisy = jnp.minimum(above.sum(axis=1, dtype=jnp.int32), last)
    return jnp.where(is_clean < labels.clean[copy], y, noisy.astype(y.dtype))


def relabelled_at(
    law: Float[np.ndarray, "classes classes"],
    y: Int[np.ndarray, " rows"],
    uniforms: Float[np.ndarray, " rows"],
) -> Int[np.ndarray, " rows"]:
    """Labels of points by their law given the clean ones, at uniform numbers (NumPy)."""
    above = (uniforms[:, None] >= np.cumsum(law, axis=1)[y]).sum(axis=1)
    labels: Int[np.ndarray, " rows"] = np.minimum(above, len(law) - 1)
    return labels


def noisy_set(
    noise: NoiseLaw, key: Key[Array, ""], rows: int, points: Points, *, copies: int
) -> Points:
    """A training set of ``rows`` with noisy labels, beside the clean ones.

    Args:
        noise: the law.
        key: of the stream of labels: a larger set begins with the labels of a smaller one.
        rows: labels of the set (static).
        points: its inputs, each once.
        copies: labels that share an input (static).

    Returns:
        The points, with ``clean`` labels, and of a form without drawn labels their ``soft`` ones.
    """
    y = points.y
    if isinstance(noise, Fresh | Soft):
        return points._replace(clean=y, soft=noise.expected[y])
    drawn = rows * copies if isinstance(noise, Realised) else rows
    # drawn in chunks, by rows: one array of uniforms for all would depend on their number
    uniforms = first_rows(lambda chunk, size: jax.random.uniform(chunk, (size, 2)), key, drawn).T
    row = jnp.arange(drawn) // copies
    labels = relabelled(noise.labels, y[row], uniforms, jnp.arange(drawn) % copies)
    if isinstance(noise, Realised):
        classes = noise.labels.cumulative.shape[0]
        counts = jnp.zeros((rows, classes)).at[row, labels].add(1.0)
        return points._replace(clean=y, soft=counts / copies)
    copied: Points = points if copies == 1 else jax.tree.map(lambda part: part[row], points)
    return copied._replace(y=labels, clean=copied.y)


def _stochastic(argument: str, matrix: object) -> tuple[tuple[float, ...], ...]:
    """A square matrix of probabilities whose rows add up to 1."""
    allowed = "a square matrix of probabilities, whose rows add up to 1"
    try:
        law = np.array(matrix, float)
    except (TypeError, ValueError):
        raise fail(argument, matrix, allowed) from None
    square = law.ndim == 2 and law.shape[0] == law.shape[1] >= 2
    if not square or not ((law >= 0) & (law <= 1)).all():
        raise fail(argument, matrix, allowed)
    if np.abs(law.sum(axis=1) - 1).max() > _STOCHASTIC:
        raise fail(argument, matrix, allowed)
    return tuple(map(tuple, law.tolist()))


def _target(argument: str, target: object) -> tuple[int, ...]:
    if not isinstance(target, Sequence) or len(target) < 2:
        raise fail(argument, target, f"{', '.join(TARGETS)}, or a list of classes")
    return tuple(whole(argument, entry, least=0, most=10_000) for entry in target)


def _plain(value: object) -> object:
    """Tuples as lists."""
    return list(map(_plain, value)) if isinstance(value, tuple) else value
