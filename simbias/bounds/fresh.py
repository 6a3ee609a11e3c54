"""Scores of fresh points that nothing else has seen, for certificates of their own.

Each purpose has a stream of a data set, and within it the streams select, holdout and certify: so
neither stop rules, nor held-out bounds, nor risks, nor another purpose has met these points. Only a
task of points of one's own has no others, and gives the first of each split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from simbias._checks import each, real, whole
from simbias._keys import stream
from simbias._memory import fits
from simbias.models.classifier import finite, score
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.tasks.task import Points, numbers_of
from simbias.training.problem import drawn


@dataclass(frozen=True, eq=False)
class FreshEffort:
    """What certificates from fresh points rest on, beside the classifiers.

    Attributes:
        seeds: the seed of each data set.
        held_out: numbers of held-out points, increasing.
        delta: probability, at each number of held-out points, that the certificate fails.
        noise: most probability that the label of a held-out point is another one.
        flipped: probability with which the labels drawn for held-out points were replaced.
        n_certify: fresh points for each classifier, whose labels are true.
        confidence: coverage of each interval on fresh points.
    """

    seeds: tuple[int, ...]
    held_out: tuple[int, ...]
    delta: float
    noise: float
    flipped: float
    n_certify: int
    confidence: float

    @property
    def shape(self) -> tuple[int, int]:
        """A row a classifier, a column a number of held-out points."""
        return len(self.seeds), len(self.held_out)


def planned(
    learned: object,
    data: DataSet | Sequence[DataSet] | None,
    held_out: int | Sequence[int] | None,
    delta: float,
    noise: float,
    flipped: float,
    n_certify: int,
    confidence: float,
) -> tuple[Panel, FreshEffort]:
    """The classifiers, and the effort that is spent on them, checked.

    Raises:
        ValueError: an argument out of range, or labels flipped more often than they may be noisy.
    """
    classifiers = panel(learned, data)
    noise = real("noise", noise, 0, 1, open_high=True)
    return classifiers, FreshEffort(
        seeds=classifiers.seeds,
        held_out=sizes_of(classifiers, held_out),
        delta=real("delta", delta, 0, 1, open_low=True, open_high=True),
        noise=noise,
        flipped=real("flipped", flipped, 0, noise),
        n_certify=available(classifiers, "certify", whole("n_certify", n_certify)),
        confidence=real("confidence", confidence, 0, 1, open_low=True, open_high=True),
    )


class FreshScores(NamedTuple):
    """What a classifier says of fresh points: scores, NaN in rows that have none, and labels."""

    scores: Float[np.ndarray, "rows classes"]
    y: Int[np.ndarray, " rows"]


def fresh_scores(classifiers: Panel, i: int, purpose: str, split: str, rows: int) -> FreshScores:
    """The scores of classifier ``i`` on fresh points of its own law.

    Args:
        purpose: the stream of the data set, ``"selective"``, ``"sets"`` or ``"weighted"``.
        split: the stream within: ``"select"``, ``"holdout"`` or ``"certify"``. The first rows of
            more are not the same points: a prefix is to be taken of what is returned.
        rows: how many points, at most those that the task has.
    """
    data_set, task = classifiers.data[i], classifiers.task
    fits("points", rows, 4.0 * rows * numbers_of(task), where="device")
    key = data_set.stream(purpose)
    words = np.asarray(jax.random.key_data(key))
    points = jax.device_get(drawn(task.draw, split, rows, words, data_set.law))
    # randomness of a stochastic classifier: of a stream within which no points are drawn
    scores = score(classifiers.members[i], points.x, stream(stream(key, "method"), split))
    scores = np.asarray(scores, np.float64)
    return FreshScores(np.where(finite(scores)[:, None], scores, np.nan), points.y)


def unrotated_points(classifiers: Panel, i: int, purpose: str, split: str, rows: int) -> Points:
    """The points of ``fresh_scores`` before they are turned, of a block task."""
    data_set, task = classifiers.data[i], classifiers.block_task
    words = np.asarray(jax.random.key_data(data_set.stream(purpose)))
    law = data_set.law._replace(rotation=np.eye(task.dim, dtype=np.float32))
    points: Points = jax.device_get(drawn(task.draw, split, rows, words, law))
    return points


def held_out_scores(classifiers: Panel, i: int, purpose: str, effort: FreshEffort) -> FreshScores:
    """The scores of classifier ``i`` on its held-out points, whose labels may be replaced.

    A label is replaced with the probability that was asked for, whatever the point, by any other
    one alike.
    """
    scores, y = fresh_scores(classifiers, i, purpose, "holdout", effort.held_out[-1])
    if not effort.flipped:
        return FreshScores(scores, y)
    # no points are drawn within this stream either
    words = jax.random.key_data(stream(classifiers.data[i].stream(purpose), "mask"))
    generator = np.random.default_rng(np.asarray(words))
    classes = scores.shape[1]
    others = (y + generator.integers(1, classes, size=len(y))) % classes
    return FreshScores(scores, np.where(generator.random(len(y)) < effort.flipped, others, y))


def leads(scores: Float[np.ndarray, "rows classes"]) -> Float[np.ndarray, " rows"]:
    """The greatest score less the second, |margin| of two classes; NaN in rows without scores."""
    ordered = np.sort(scores, axis=1)
    ahead: Float[np.ndarray, " rows"] = ordered[:, -1] - ordered[:, -2]
    return ahead


def available(classifiers: Panel, split: str, rows: int) -> int:
    """So many rows, or all that the task has if fewer."""
    number: int = min(rows, getattr(classifiers.task, "most", {}).get(split, rows))
    return number


def sizes_of(classifiers: Panel, held_out: int | Sequence[int] | None) -> tuple[int, ...]:
    """Numbers of held-out points, increasing: default as many as training points.

    Raises:
        ValueError: not integers >= 1.
    """
    asked = classifiers.n_train if held_out is None else held_out
    if not isinstance(asked, list | tuple):
        asked = [whole("held_out", asked)]
    numbers = [whole("held_out", number) for number in each("held_out", asked, object)]
    whole("held_out: how many", len(numbers))
    return tuple(sorted({available(classifiers, "holdout", number) for number in numbers}))
