"""Dense held-out grids: networks' labels on planes of the simple and a slab coordinate.

A point of a plane fixes the two coordinates; a context, a draw of the others from the task's law
given a label, makes it an input. Every point has the same contexts, half of them given each
label, so contexts are the independent units: intervals are over them. A point and a context are
*matched* where the achievable rule on the plane's slab coordinate gives the point the context's
label, so that no slab coordinate contradicts another: agreement is measured on matched pairs.

Beside the grids, and exact: how often a network changes its label along a slab coordinate, and how
far its boundary in a plane lies from the achievable one.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from simbias._checks import fail, real, whole
from simbias._defaults import CONFIDENCE
from simbias._frames import DataFrame, frame
from simbias._memory import fits
from simbias._pinned import pinned
from simbias.models.data import DataSet
from simbias.models.panel import Panel, panel
from simbias.stats.bounded import betting_interval
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.stats.student import half_width
from simbias.tasks import BlockTask
from simbias.tasks.oracle import Part, Rule, achievable_rule, decided, simple_rule
from simbias.training.stack import Stack
from simbias.validation.contexts import draw_lines, slab_coordinates
from simbias.validation.cuts import Cuts, measure_cuts, side
from simbias.validation.planes import ZONES, ask, centres
from simbias.validation.sound import faults


@dataclass(frozen=True)
class GridReport:
    """The labels of a stack's networks on each plane; NaN where there is nothing to measure.

    A network that has a fault (see ``simbias.validation.faults``) has NaN for every number.
    Cuts and distances are exact, and NaN for a network that is not an MLP of ReLUs. Intervals are
    over contexts, of which two, one given each label, are a unit. Those of proportions and
    accuracies hold for every law (``bounded.betting_interval``); that of ``cuts``, which is
    unbounded, is Student's t, approximate, and NaN where all contexts agree. Where the plane is the
    whole space nothing is drawn, and intervals are points.

    Attributes:
        seeds: of the networks' data sets.
        faults: for each network why it is not a usable classifier; empty where it is one.
        simple: the horizontal coordinate of every plane.
        coordinates: the vertical coordinate of each plane.
        across, up: centres of the squares, input units, (columns,) and (coordinates, rows).
        contexts: contexts of each network; 0 where the plane is the whole space.
        confidence: coverage of each interval.
        given: proportion of the contexts given each label in which a network's label is 1, (seeds,
            coordinates, labels, rows, columns).
        simple_agreement, achievable_agreement: proportion of matched pairs on which a network's
            label is the rule's, by ``ZONES``, (seeds, coordinates, zones). Within a zone the
            squares of a label have equal weights, and so do the labels.
        counts: changes of label as the slab coordinate crosses its support, on one line for each
            context with the simple coordinate drawn from its margin, (seeds, coordinates, lines).
        cuts: the mean of the counts, (seeds, coordinates).
        cut_accuracy: mean of the best accuracy of a rule on the slab coordinate with as many cuts.
        majority_cuts: changes of the majority over the lines, as in ``rays.majority_changes``.
        achievable_cuts: cuts of the achievable rule on each coordinate.
        slabs: every coordinate outside the simple set that attains the Bayes risk: a network may
            have learned any of them; or those of the planes, where no others were asked for.
        slab_cuts: ``majority_cuts`` on each of them, (seeds, slabs).
        distances: mean and Hausdorff distance between the learned and the achievable boundary in
            the planes of the first contexts, input units, (seeds, coordinates, planes, 2); NaN
            where a network's label is constant on the plane. The mean is that of the two directed
            means by arc length; Hausdorff distances are short by at most 1/1000 of a side.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validation.measure_grids(stack, coordinates=[1], contexts=8)
        >>> report.simple, report.coordinates, report.slabs
        (0, (1,), (1, 2, 3))
        >>> report.given.shape
        (2, 1, 2, 100, 100)
        >>> report.achievable_cuts
        (4,)
        >>> report.labelled()["simple_agreement"].at(seed=1, zone="margin-gap").dims
        ('coordinate',)
    """

    seeds: tuple[int, ...]
    faults: tuple[str, ...]
    simple: int
    coordinates: tuple[int, ...]
    across: Float[np.ndarray, " columns"]
    up: Float[np.ndarray, "coordinates rows"]
    contexts: int
    confidence: float
    given: Float[np.ndarray, "seeds coordinates labels rows columns"]
    simple_agreement: Estimate
    achievable_agreement: Estimate
    counts: Float[np.ndarray, "seeds coordinates lines"]
    cuts: Estimate
    cut_accuracy: Estimate
    majority_cuts: Float[np.ndarray, "seeds coordinates"]
    achievable_cuts: tuple[int, ...]
    slabs: tuple[int, ...]
    slab_cuts: Float[np.ndarray, "seeds slabs"]
    distances: Float[np.ndarray, "seeds coordinates planes 2"]

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: seeds, coordinates, zones, squares."""
        return named_axes(
            self,
            {
                "given": "seed coordinate label row column",
                "simple_agreement": "seed coordinate zone",
                "achievable_agreement": "seed coordinate zone",
                "counts": "seed coordinate line",
                "cuts": "seed coordinate",
                "cut_accuracy": "seed coordinate",
                "majority_cuts": "seed coordinate",
                "slab_cuts": "seed slab",
                "distances": "seed coordinate plane distance",
            },
            seed=self.seeds,
            coordinate=self.coordinates,
            zone=ZONES,
            column=self.across.tolist(),
            slab=self.slabs,
            distance=("mean", "Hausdorff"),
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry, without squares; ValueError without pandas."""
        arrays = self.labelled()
        return frame(tidy({name: array for name, array in arrays.items() if name != "given"}))

    @property
    def proportion(self) -> Float[np.ndarray, "seeds coordinates rows columns"]:
        """The proportion of all contexts in which a network's label is 1."""
        mean: Float[np.ndarray, "seeds coordinates rows columns"] = self.given.mean(axis=2)
        return mean


@pinned
def measure_grids(
    learned: object,
    data: DataSet | Sequence[DataSet] | None = None,
    *,
    coordinates: Sequence[int] | None = None,
    resolution: int = 100,
    contexts: int = 128,
    planes: int = 4,
    confidence: float = CONFIDENCE,
    every_slab: bool = True,
) -> GridReport:
    """Evaluate every classifier on grids over planes of the simple and a slab coordinate.

    Contexts, and the positions in the margin at which cuts are counted, are drawn from each data
    set's own context stream.

    Args:
        learned: a stack, or any classifiers, as for ``simbias.validate``, on a task with a simple
            set.
        data: for a classifier that does not know its training set.
        coordinates: slab coordinates, each attaining the Bayes risk; default the first 4.
        resolution: squares on each side of the support; enough that some lie in every margin.
        contexts: number of contexts of each classifier, even.
        planes: contexts in whose planes the boundary's distance is measured; 0: it is not.
        confidence: coverage of each two-sided interval, in (0, 1).
        every_slab: whether ``slabs`` are all of the task, which takes seconds where they are many,
            or those of the planes.

    Raises:
        ValueError: an argument out of range, or a task without a simple set.

    References:
        I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
        JRSS B 2024: the intervals of proportions and accuracies.
        Student, "The probable error of a mean", Biometrika 1908: that of the number of cuts.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> net, method, stop = simbias.MLP(8), simbias.sgd(), simbias.Stop(max_updates=200)
        >>> stack = simbias.train(task, net, method, n_train=1000, seeds=2, stop=stop)
        >>> report = simbias.validation.measure_grids(stack, coordinates=[1], contexts=8)
        >>> report.cuts.value.shape, report.distances.shape
        ((2, 1), (2, 1, 4, 2))
    """
    classifiers = panel(learned, data)
    task = classifiers.block_task
    simple = simple_rule(task)
    if simple is None:
        raise fail("learned", f"networks on {task.name}", "networks on a task with a simple set")
    rules = [achievable_rule(task, j) for j in slab_coordinates(task, coordinates)]
    squares = len(classifiers) * whole("resolution", resolution, least=2) ** 2
    fits("resolution", resolution, 8.0 * squares)
    if whole("contexts", contexts, least=4) % 2:
        raise fail("contexts", contexts, "an even integer >= 4")
    whole("planes", planes, least=0, most=contexts)
    real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    for rule in rules:
        _check_resolution(task, (simple, rule), resolution)
    reasons = faults(classifiers)
    left_out = np.array([bool(fault) for fault in reasons])
    lines = [
        draw_lines(classifiers, i, simple.coordinate, contexts) for i in range(len(classifiers))
    ]
    answers = [ask(classifiers, (simple, rule), lines, resolution) for rule in rules]
    given, agreed = (np.stack(part, axis=1) for part in zip(*answers, strict=True))
    given[left_out], agreed[left_out] = np.nan, np.nan
    measured = [
        [measure_cuts(classifiers, i, (simple, rule), x, planes) for rule in rules]
        for i, x in enumerate(lines)
    ]
    counts, worth, majority, distances = (
        np.array([[getattr(cuts, name) for cuts in row] for row in measured])
        for name in Cuts._fields
    )
    slabs, slab_cuts = tuple(rule.coordinate for rule in rules), majority.copy()
    if every_slab:
        slabs, slab_cuts = count_slab_cuts(classifiers, lines)
    for part in (counts, worth, majority, distances, slab_cuts):
        part[left_out] = np.nan
    return GridReport(
        seeds=classifiers.seeds,
        faults=reasons,
        simple=simple.coordinate,
        coordinates=tuple(rule.coordinate for rule in rules),
        across=centres(task, simple, resolution),
        up=np.stack([centres(task, rule, resolution) for rule in rules]),
        contexts=0 if task.dim == 2 else contexts,
        confidence=confidence,
        given=given,
        simple_agreement=_proportion_over_contexts(agreed[:, :, 0], confidence),
        achievable_agreement=_proportion_over_contexts(agreed[:, :, 1], confidence),
        counts=counts,
        cuts=_over_contexts(counts, confidence),
        cut_accuracy=_proportion_over_contexts(worth, confidence),
        majority_cuts=majority,
        achievable_cuts=tuple(len(rule.cuts) for rule in rules),
        slabs=slabs,
        slab_cuts=slab_cuts,
        distances=distances,
    )


@pinned
def count_slab_cuts(
    learned: Stack | Panel,
    lines: Sequence[Float[np.ndarray, "lines dim"]] | None = None,
    coordinates: Sequence[int] | None = None,
) -> tuple[tuple[int, ...], Float[np.ndarray, "seeds slabs"]]:
    """The slab coordinates of a task, and each classifier's majority cuts along them.

    Args:
        learned: trained networks, or a panel of classifiers, on a task with a simple set.
        lines: the contexts of each classifier, from ``draw_lines``; default 128 for each.
        coordinates: slab coordinates; default: every one.
    """
    classifiers = panel(learned)
    task = classifiers.block_task
    simple = simple_rule(task)
    assert simple is not None
    if lines is None:
        lines = [
            draw_lines(classifiers, i, simple.coordinate, 128) for i in range(len(classifiers))
        ]
    slabs = slab_coordinates(task, coordinates, most=task.dim)
    rules = [(simple, achievable_rule(task, j)) for j in slabs]
    majorities = [
        [measure_cuts(classifiers, i, pair, x, 0).majority for pair in rules]
        for i, x in enumerate(lines)
    ]
    return tuple(slabs), np.array(majorities)


def _check_resolution(task: BlockTask, rules: tuple[Rule, Rule], resolution: int) -> None:
    """Raise ValueError where grids are too coarse to have a square in every slab and margin."""
    missing, needed = False, 0
    for rule, cuts in zip(rules, ((), rules[1].cuts), strict=True):
        block = task.blocks[rule.coordinate]
        parts, (low, high) = decided(block), side(block)

        def kind(
            position: float, parts: Sequence[Part] = parts, cuts: Sequence[float] = cuts
        ) -> tuple[bool, int]:
            """Whether one label is likelier at a position, and the rule's label, where given."""
            likelier = any(part.low <= position <= part.high for part in parts)
            return likelier, bisect_right(cuts, position) % 2

        ends = sorted({low, high, *cuts, *(end for part in parts for end in part[:2])})
        widest: dict[tuple[bool, int], float] = {}
        for left, right in pairwise(ends):
            stretch = kind((left + right) / 2)
            widest[stretch] = max(widest.get(stretch, 0.0), right - left)
        missing |= bool(widest.keys() - set(map(kind, centres(task, rule, resolution))))
        # a little more than the quotient, so that no end of an interval is a centre
        needed = max(needed, int((high - low) / min(widest.values()) * (1 + 1e-9)) + 1)
    if missing:
        allowed = f"an integer >= {needed}, so that squares lie in every slab and margin"
        raise fail("resolution", resolution, allowed)


def _proportion_over_contexts(values: np.ndarray, confidence: float) -> Estimate:
    """The mean of values in [0, 1] over the last axis, contexts given each label in turn."""
    value, pairs = values.mean(axis=-1), values.shape[-1] // 2
    if pairs == 1:  # the plane is the whole space
        return Estimate(value, value, value)
    units = values.reshape(*values.shape[:-1], pairs, 2).mean(axis=-1)
    return Estimate(value, *betting_interval(np.clip(units, 0, 1), confidence))


def _over_contexts(values: np.ndarray, confidence: float) -> Estimate:
    """The mean of unbounded values over the last axis, by Student's t, stratified by label."""
    value, pairs = values.mean(axis=-1), values.shape[-1] // 2
    if pairs == 1:
        return Estimate(value, value, value)
    strata = values.reshape(*values.shape[:-1], pairs, 2)
    error = np.sqrt(strata.var(axis=-2, ddof=1).sum(axis=-1) / (4 * pairs))
    half = half_width(error, 2 * pairs - 2, confidence)
    return Estimate(value, np.maximum(value - half, 0), value + half)
