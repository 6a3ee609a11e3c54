"""Whether two seeds come to the same solution: in what they say, in features, by their directions.

The networks of two seeds are asked about the same points, each turned by its own data set's matrix.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simbias._checks import fail, whole
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.directions.activity import POINTS, Activity, fresh_points, hidden_layer, two_classes
from simbias.directions.counterfactual import coverage_of
from simbias.directions.directions import Directions, directions_of, find
from simbias.directions.effect import ZONES, zones
from simbias.directions.interventions import ablate_to_mean, add, intervene
from simbias.directions.similarity import alignment, cka, procrustes
from simbias.models.classifier import labels
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.student import half_width_of_mean

_BATCHES = 10  # of points, whose means give the interval of a mean
_DOSE = 0.5  # at which labels part most: at 1 all of them are one


class SeedsCompared(NamedTuple):
    """How alike the networks of two seeds are, an entry for each pair.

    Attributes:
        labels: proportion of points that both label alike.
        zones: the same by zone, see ``Effect``; NaN where there are no points.
        ablated: the same after each one's difference of means is ablated to its mean.
        added: the same after half of each one's own is added, and after it is taken away.
        transferred: the same of the first network alone, where the other's direction, turned into
            its layer, stands for its own.
        cka: alignment of the layers, see ``cka``.
        procrustes: of a layer the other is, once turned by what other points tell.
        direction: cosine of the differences of means, the second turned so.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> same = simbias.directions.compare_seeds(stack, stack, points=200)
        >>> same.labels.value, same.cka.value.round(9), same.direction.value.round(9)
        (array([1., 1.]), array([1., 1.]), array([1., 1.]))
    """

    labels: Estimate
    zones: dict[str, Estimate]
    ablated: Estimate
    added: Estimate
    transferred: Estimate
    cka: Estimate
    procrustes: Estimate
    direction: Estimate

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: pairs by position, zones."""
        return named_axes(self, dict.fromkeys(self._fields, "pair") | {"zones": "pair zone"})

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


class _Side(NamedTuple):
    """One network of a pair, with its data set, its edits and its inputs."""

    place: int
    classifiers: Panel
    edits: list[Panel]
    inputs: list[np.ndarray]  # of the fit, and measured

    def labels(self, edited: int | None = None) -> np.ndarray:
        classifiers = self.classifiers if edited is None else self.edits[edited]
        return labels(classifiers.members[self.place], self.inputs[1])

    def hidden(self, layer: int) -> list[np.ndarray]:
        member = self.classifiers.members[self.place]
        return [hidden_layer(member, x, layer) for x in self.inputs]


@pinned
def compare_seeds(
    first: object,
    second: object,
    *,
    layer: int = 0,
    shift: str = "none",
    points: int = POINTS,
    confidence: float = 0.95,
) -> SeedsCompared:
    """Compare networks of other seeds, in pairs.

    Args:
        first, second: stacks or panels of equal length, of one task and one number of units.
        layer: index of the hidden layer, from 0.
        shift: of the points, see ``simbias.tasks.shifts.shifted``; directions are fitted without.
        points: fresh points of the first of each pair, at least 100; as many to turn layers by.
        confidence: coverage of each interval: Clopper-Pearson for labels, Student's t over batches
            of points for layers, none where all are equal.

    Raises:
        ValueError: other numbers of networks, a task without coordinates, a layer that does not
            exist, an unknown shift, or points < 100.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> pair = simbias.directions.compare_seeds(stack.some([0]), stack.some([1]), points=200)
        >>> bool(pair.labels.value[0] > 0.8), pair.cka.value.shape
        (True, (1,))
    """
    own, other = two_classes(panel(first)), two_classes(panel(second))
    coverage = coverage_of(confidence)
    whole("points", points, least=10 * _BATCHES)
    if len(own) != len(other) or own.task != other.task:
        arrived = f"{len(other)} networks on {other.task.name}"
        raise fail("second", arrived, f"{len(own)} on {own.task.name}, as the first")
    fitted = [find(each, layer=layer, points=points) for each in (own, other)]
    edited = [_edits(*each) for each in zip((own, other), fitted, strict=True)]
    shifted = own.under(shift)
    counts, layers = [], []
    for i, data_set in enumerate(shifted.data):
        drawn = [fresh_points(data_set, points, split) for split in ("select", "certify")]
        x = [np.asarray(part.x) for part in drawn]
        turned = [_turned(part, own.data[i], other.data[i]) for part in x]
        sides = _Side(i, own, edited[0], x), _Side(i, other, edited[1], turned)
        hidden = [side.hidden(layer) for side in sides]
        turn = alignment(hidden[0][0], hidden[1][0])
        moved = _transferred(own, i, fitted, turn, hidden[0][0], np.asarray(drawn[0].y), layer)
        alike = _alike(sides, moved)
        within = zones(data_set, x[1], np.asarray(drawn[1].exception))
        masks = [np.ones(points, bool), *within]
        hits = [((alike[0] & mask).sum(), mask.sum()) for mask in masks]
        counts.append([*hits, *((part.sum(), points) for part in alike[1:])])
        y = np.asarray(drawn[1].y)
        layers.append(_of_layers(hidden[0][1], hidden[1][1], y, turn, coverage))
    hits, rows = np.array(counts, np.int64).transpose(2, 1, 0)
    by_labels = [clopper_pearson(*each, coverage) for each in zip(hits, rows, strict=True)]
    by_zone = dict(zip(ZONES, by_labels[1:4], strict=True))
    of_layers = [Estimate(*part.T) for part in np.array(layers).transpose(1, 0, 2)]
    return SeedsCompared(by_labels[0], by_zone, *by_labels[4:], *of_layers)


def _edits(classifiers: Panel, fitted: Directions) -> list[Panel]:
    edits = (ablate_to_mean(fitted), add(fitted, _DOSE), add(fitted, -_DOSE))
    return [intervene(classifiers, edit) for edit in edits]


def _turned(x: np.ndarray, own: DataSet, other: DataSet) -> np.ndarray:
    """Inputs of one data set as another one turns the same coordinates."""
    turned: np.ndarray = np.asarray(x, np.float64) @ own.rotation.T @ other.rotation
    return turned.astype(np.float32)


def _transferred(
    own: Panel,
    i: int,
    fitted: list[Directions],
    turn: np.ndarray,
    hidden: np.ndarray,
    y: np.ndarray,
    layer: int,
) -> list[Panel]:
    """A network with additions along the other's direction, as long as along its own."""
    alone = Panel(own.members[i : i + 1], own.data[i : i + 1])
    theirs = directions_of([Activity(hidden, y)], [fitted[1].vectors[i] @ turn], layer=layer)
    theirs = replace(theirs, gap=fitted[0].gap[i : i + 1])
    return [intervene(alone, add(theirs, dose)) for dose in (_DOSE, -_DOSE)]


def _alike(sides: tuple[_Side, _Side], moved: list[Panel]) -> list[np.ndarray]:
    """Which points are labelled alike: as they are, after each edit, and by whose direction."""
    first, second = sides
    plain = first.labels() == second.labels()
    ablated, up, down = (first.labels(edit) == second.labels(edit) for edit in range(3))
    theirs = [labels(edited.members[0], first.inputs[1]) for edited in moved]
    kept = [first.labels(edit) == label for edit, label in zip((1, 2), theirs, strict=True)]
    return [plain, ablated, up & down, kept[0] & kept[1]]


def _of_layers(
    first: np.ndarray, second: np.ndarray, y: np.ndarray, turn: np.ndarray, coverage: float
) -> list[tuple[float, float, float]]:
    """Alignment, Procrustes and cosine of the directions, each with its interval over batches."""
    values = []
    for rows in np.array_split(np.arange(len(y)), _BATCHES):
        a, b, label = first[rows], second[rows], y[rows]
        apart = [np.subtract(*Activity(hidden, label).means[::-1]) for hidden in (a, b @ turn)]
        cosine = np.vdot(*apart) / np.prod([np.linalg.norm(each) for each in apart])
        values.append((cka(a, b), procrustes(a, b, turn), float(cosine)))
    estimates = []
    for value in np.array(values).T:
        width = half_width_of_mean(value, coverage)
        estimates.append((value.mean(), value.mean() - width, value.mean() + width))
    return estimates
