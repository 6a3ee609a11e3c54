"""What an edit of networks does and leaves, beside what changing the input itself does.

An intervention on a concept is to change what the network says because of it, and nothing else.
Where the concept is a coordinate of the input, its target is known for each point: those whose
label the network changes when that coordinate is changed in the input.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simbias._checks import real
from simbias._frames import DataFrame, frame
from simbias._pinned import pinned
from simbias.directions.activity import POINTS, fresh_points
from simbias.directions.counterfactual import beside, counterfactual, coverage_of, mirrored
from simbias.models.classifier import labels
from simbias.models.copies import Data
from simbias.models.data import DataSet
from simbias.models.panel import Panel
from simbias.stats.binomial import clopper_pearson, paired_difference
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy

ZONES = ("decided", "right", "exceptions")


class Effect(NamedTuple):
    """What an edit does to the labels that networks predict, as proportions of fresh points.

    NaN where a network has no such point.

    Attributes:
        switched: whose label is another after the edit.
        wanted: whose label is another where the coordinate is changed in the input.
        agreed: whose label after the edit is that of the changed input.
        on_target: of those whose label the changed input switches, that the edit switches too.
        off_target: of those whose label the changed input leaves, that the edit leaves too.
        zones: whose label the edit leaves, of those whose simple coordinate lies outside its margin
            (``"decided"``), and of those within where the simple rule is ``"right"``, and wrong
            (``"exceptions"``).
        accuracy: after the edit less before it, on the same points.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> other = simbias.models.panel(lambda x: -(x @ data.rotation[0]), data)
        >>> effect = simbias.directions.measure_effect(rule, other, points=500)
        >>> effect.switched.value, effect.wanted.value, effect.agreed.value
        (array([1.]), array([1.]), array([1.]))
        >>> effect.on_target.value, effect.off_target.value, effect.zones["exceptions"].value
        (array([1.]), array([nan]), array([0.]))
    """

    switched: Estimate
    wanted: Estimate
    agreed: Estimate
    on_target: Estimate
    off_target: Estimate
    zones: dict[str, Estimate]
    accuracy: Estimate

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: networks by position, zones."""
        return named_axes(self, dict.fromkeys(self._fields, "network") | {"zones": "network zone"})

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def measure_effect(
    learned: object,
    edited: Panel,
    data: Data = None,
    *,
    change: Callable[[np.ndarray], np.ndarray] = mirrored,
    coordinate: int = 0,
    points: int = POINTS,
    confidence: float = 0.95,
) -> Effect:
    """Hold an edit of networks against what they say where the input itself is changed.

    Args:
        learned: a stack, or any classifiers.
        edited: the same ones after an intervention.
        data: for classifiers that do not know their training sets.
        change, coordinate: what is the target, see ``counterfactual``.
        points: fresh points, that no direction was fitted to.
        confidence: coverage of each interval (Clopper-Pearson).

    Raises:
        ValueError: panels of different networks, or an argument out of range.

    Examples:
        >>> import simbias
        >>> data = simbias.data(simbias.tasks.get("noisy-lms-5", dim=4), n_train=1000)
        >>> rule = simbias.models.panel(lambda x: x @ data.rotation[0], data)
        >>> effect = simbias.directions.measure_effect(rule, rule, points=500)
        >>> effect.agreed.value, effect.zones["decided"].value
        (array([0.]), array([1.]))
    """
    classifiers, coverage = beside(learned, edited, data), coverage_of(confidence)
    counts, correct = [], []
    for member, after, data_set in zip(
        classifiers.members, edited.members, classifiers.data, strict=True
    ):
        drawn = fresh_points(data_set, points, "certify")
        x, y = np.asarray(drawn.x), np.asarray(drawn.y)
        before, moved = labels(member, x), labels(after, x)
        wanted = labels(member, counterfactual(data_set, x, change, coordinate=coordinate))
        target, same, agreed = wanted != before, moved == before, moved == wanted
        within = zones(data_set, x, np.asarray(drawn.exception))
        events = [(event, np.ones(len(x), bool)) for event in (~same, target, agreed)]
        events += [(agreed, target), (same, ~target), *((same, zone) for zone in within)]
        counts.append([((event & mask).sum(), mask.sum()) for event, mask in events])
        told = moved == y, before == y
        correct.append([(told[0] & ~told[1]).sum(), (told[1] & ~told[0]).sum(), len(y)])
    hits, rows = np.array(counts, np.int64).transpose(2, 1, 0)
    switched, changed, alike, on_target, off_target, *kept = (
        clopper_pearson(k, n, coverage) for k, n in zip(hits, rows, strict=True)
    )
    only_after, only_before, told_of = np.array(correct, np.int64).T
    accuracy = paired_difference(only_after, only_before, told_of, coverage)
    by_zone = dict(zip(ZONES, kept, strict=True))
    return Effect(switched, changed, alike, on_target, off_target, by_zone, accuracy)


def zones(
    data_set: DataSet, x: Float[np.ndarray, "rows dim"], exception: np.ndarray
) -> list[np.ndarray]:
    """Which rows lie in each of ``ZONES``, by the first coordinate of the simple set."""
    within = data_set.block_task.in_margin(x, data_set.rotation)
    return [~within, within & ~exception, within & exception]


def equivalent(change: Estimate, margin: float) -> list[str]:
    """Whether each change is shown to be less than a margin, either way: two one-sided tests.

    A change is ``"equivalent"`` to none where its interval lies within (-margin, margin),
    ``"different"`` where it lies beyond, and ``"undecided"`` elsewhere. With an interval of
    confidence 1 - 2a each one-sided test is at level a.

    Args:
        change: such as ``Effect.accuracy``.
        margin: the least change that would matter, > 0, chosen before looking.

    Raises:
        ValueError: margin <= 0.

    References:
        D. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for
        assessing the equivalence of average bioavailability", Journal of Pharmacokinetics and
        Biopharmaceutics 1987.

    Examples:
        >>> import numpy as np
        >>> import simbias
        >>> ends = np.array([[-0.01, -0.4, -1.0], [0.01, -0.2, 1.0]])
        >>> change = simbias.validation.Estimate(ends.mean(axis=0), *ends)
        >>> simbias.directions.equivalent(change, 0.05)
        ['equivalent', 'different', 'undecided']
    """
    most = real("margin", margin, 0, open_low=True)
    words = []
    for low, high in zip(change.low, change.high, strict=True):
        inside, beyond = -most < low and high < most, low >= most or high <= -most
        words.append("equivalent" if inside else "different" if beyond else "undecided")
    return words
