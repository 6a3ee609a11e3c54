"""Dose and response: an addition to activations beside the same addition to the input's coordinate.

Of dose 1 the one moves activations by the gap between the labels' means, and the other moves the
coordinate by the gap between its means given the labels, which is exact. Where they have one
response, what the direction moves is the coordinate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.directions.activity import POINTS, activities, fresh_points, two_classes
from simbias.directions.counterfactual import counterfactual, coverage_of
from simbias.directions.directions import Directions, find
from simbias.directions.finders import mean_difference
from simbias.directions.interventions import add, intervene
from simbias.models.classifier import labels
from simbias.models.copies import Data
from simbias.models.panel import panel
from simbias.stats.binomial import paired_difference
from simbias.stats.bounded import betting_interval
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.tasks import BlockTask

DOSES = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
PAIRS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """What networks say after additions, and after the same additions to a coordinate.

    Attributes:
        doses: in gaps between the labels.
        ones: proportion of points that are labelled 1 after the addition to activations.
        by_input: the same after the addition to the coordinate.
        area: between the two, over the length of the doses, with an interval that holds for all
            doses together.
        agreement: proportion of points, a mean over doses, that both label alike: it is at most
            1 - area, and tells responses apart that are alike on average.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> found = simbias.directions.find(stack, points=1000)
        >>> response = simbias.directions.dose_response(stack, found, doses=(-1, 1), points=500)
        >>> (response.ones > 0.5).astype(int)
        array([[0, 1],
               [0, 1]])
    """

    doses: Float[np.ndarray, " doses"]
    ones: Float[np.ndarray, "seeds doses"]
    by_input: Float[np.ndarray, "seeds doses"]
    area: Estimate
    agreement: Estimate

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: networks by position, doses."""
        return named_axes(
            self,
            {
                "ones": "network dose",
                "by_input": "network dose",
                "area": "network",
                "agreement": "network",
            },
            dose=self.doses.tolist(),
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


def label_gap(task: BlockTask, coordinate: int = 0) -> float:
    """The mean of a coordinate given label 1 less that given label 0, exactly.

    Raises:
        ValueError: a coordinate that the task has not.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("lms-5", dim=4)  # U(.1, 1) times the sign of the label
        >>> round(simbias.directions.label_gap(task), 6)
        1.1
    """
    block = task.blocks[whole("coordinate", coordinate, least=0, most=task.dim - 1)]
    low, high = (
        sum(piece.mass * (piece.low + piece.high) / 2 for piece in law) for law in block.laws
    )
    return high - low


@pinned
def dose_response(
    learned: object,
    directions: Directions,
    data: Data = None,
    *,
    doses: Sequence[float] = DOSES,
    coordinate: int = 0,
    points: int = POINTS,
    confidence: float = 0.95,
) -> DoseResponse:
    """The response of networks to additions along directions, and to those to a coordinate.

    Args:
        learned: a stack of MLPs, or classifiers that are MLPs.
        directions: of these networks.
        data: for classifiers that do not know their training sets.
        doses: increasing numbers, at least two.
        coordinate: index before rotation.
        points: fresh points, that no direction was fitted to.
        confidence: coverage of each interval.

    Raises:
        ValueError: directions of other networks, doses that do not increase, or an argument out of
            range.

    Notes:
        At each dose the two are a paired difference of proportions, at an error that is divided
        by the number of doses; the area's ends are those of the trapezoids under the ends of its
        absolute value. A point's agreement is its mean over doses, a number in [0, 1].

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> control = simbias.directions.find(stack, "random", points=1000)
        >>> response = simbias.directions.dose_response(stack, control, doses=(-1, 1), points=500)
        >>> bool((response.area.low > 0.1).all())
        True
    """
    classifiers, coverage = two_classes(panel(learned, data)), coverage_of(confidence)
    given = np.array([real("dose", dose) for dose in doses])
    if len(given) < 2 or not (np.diff(given) > 0).all():
        raise fail("doses", list(doses), "increasing numbers, at least two")
    gap = label_gap(classifiers.block_task, coordinate)
    moved = [intervene(classifiers, add(directions, dose)) for dose in given]
    ones, by_input, areas, agreements = [], [], [], []
    for i, (member, data_set) in enumerate(zip(classifiers.members, classifiers.data, strict=True)):
        x = np.asarray(fresh_points(data_set, points, "certify").x)
        added = np.stack([labels(edited.members[i], x) for edited in moved])
        changed = np.stack(
            [
                labels(
                    member,
                    counterfactual(data_set, x, partial(np.add, dose * gap), coordinate=coordinate),
                )
                for dose in given
            ]
        )
        ones.append(added.mean(axis=1))
        by_input.append(changed.mean(axis=1))
        areas.append(_area(given, added, changed, coverage))
        alike = (added == changed).mean(axis=0)
        low, high = betting_interval(alike, coverage)
        agreements.append((alike.mean(), float(low), float(high)))
    area, agreement = (Estimate(*np.array(rows).T) for rows in (areas, agreements))
    return DoseResponse(given, np.stack(ones), np.stack(by_input), area, agreement)


def _area(
    doses: np.ndarray, added: np.ndarray, changed: np.ndarray, coverage: float
) -> tuple[float, ...]:
    """Between two responses, with its ends; labels are (doses, rows)."""
    more, fewer = (added > changed).sum(axis=1), (added < changed).sum(axis=1)
    rows = np.full(len(doses), added.shape[1])
    apart = paired_difference(more, fewer, rows, 1 - (1 - coverage) / len(doses))
    around = (apart.low < 0) & (apart.high > 0)
    ends = np.abs([apart.low, apart.high])
    heights = np.abs(apart.value), np.where(around, 0, ends.min(axis=0)), ends.max(axis=0)
    return tuple(float(np.trapezoid(height, doses)) / np.ptp(doses) for height in heights)


@dataclass(frozen=True, eq=False)
class PairQuality:
    """How good a mean difference of few pairs is.

    Attributes:
        pairs: how many points of each label.
        cosine: with the mean difference of all points of another draw.
        switched: proportion of points whose label is the one that is added towards, of those that
            had the other, at dose 1 either way.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> quality = simbias.directions.quality_of_pairs(stack, pairs=(1, 100), points=500)
        >>> bool((quality.cosine[:, 1] > 0.99).all())
        True
    """

    pairs: tuple[int, ...]
    cosine: Float[np.ndarray, "seeds pairs"]
    switched: Float[np.ndarray, "seeds pairs"]

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes; a network is known by its place."""
        axes = dict.fromkeys(("cosine", "switched"), "network pairs")
        return named_axes(self, axes, pairs=self.pairs)

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def quality_of_pairs(
    learned: object,
    data: Data = None,
    *,
    pairs: Sequence[int] = PAIRS,
    layer: int = 0,
    points: int = POINTS,
) -> PairQuality:
    """Mean differences of so many pairs, held against that of all points of another draw.

    Args:
        learned: a stack of MLPs, or classifiers that are MLPs.
        data: for classifiers that do not know their training sets.
        pairs: numbers of pairs; one is an activation addition of a single pair.
        layer: index of the hidden layer, from 0.
        points: fresh points of each draw.

    Raises:
        ValueError: fewer than 1 pair or more than there are points of a label, a layer that does
            not exist, or a network without activations.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> simbias.directions.quality_of_pairs(stack, pairs=(1, 4), points=500).cosine.shape
        (2, 2)
    """
    classifiers = two_classes(panel(learned, data))
    finders = [mean_difference(pairs=count) for count in pairs]
    others = activities(classifiers, layer=layer, points=points, split="holdout")
    whole_difference = np.stack([activity.means[1] - activity.means[0] for activity in others])
    whole_difference /= np.linalg.norm(whole_difference, axis=1, keepdims=True)
    x = [np.asarray(fresh_points(each, points, "certify").x) for each in classifiers.data]
    before = [labels(*each) for each in zip(classifiers.members, x, strict=True)]
    cosine, switched = [], []
    for finder in finders:
        fitted = find(classifiers, finder, layer=layer, points=points)
        cosine.append((fitted.vectors * whole_difference).sum(axis=1))
        moved = [
            [
                labels(*each)
                for each in zip(intervene(classifiers, add(fitted, dose)).members, x, strict=True)
            ]
            for dose in (-1.0, 1.0)
        ]
        switched.append([_switched(*each) for each in zip(before, *moved, strict=True)])
    return PairQuality(tuple(map(int, pairs)), np.array(cosine).T, np.array(switched).T)


def _switched(before: np.ndarray, down: np.ndarray, up: np.ndarray) -> float:
    """Of the points that had the other label, which have the one that was added towards."""
    return float(np.where(before == 1, down == 0, up == 1).mean())
