"""Scores of fresh points that nothing else has seen, for certificates of their own.

Each purpose has a stream of a data set, and within it the streams select, holdout and certify: so
neither stop rules, nor held-out bounds, nor risks, nor another purpose has met these points. Only a
task of points of one's own has no others, and gives the first of each split.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from simbias._checks import each, whole
from simbias._keys import stream
from simbias._memory import fits
from simbias.models.classifier import finite, score
from simbias.models.panel import Panel
from simbias.tasks.task import Points, numbers_of
from simbias.training.problem import drawn


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
