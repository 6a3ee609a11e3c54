"""How visible a shift is to a detector that learns: the power of a classifier two-sample test.

A network is trained to tell points of the shifted task from points of the task itself, and the test
counts how often it can on other points: D. Lopez-Paz and M. Oquab, "Revisiting classifier
two-sample tests" (ICLR 2017, arXiv 1610.06545). No detector has more power than the
likelihood-ratio test of ``simbias.tasks.detection``, which knows both densities.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from simbias._checks import real, whole
from simbias._defaults import CONFIDENCE
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.methods import sgd
from simbias.models.panel import panel
from simbias.networks import MLP, Network
from simbias.stats.binomial import clopper_pearson, tail
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask, Tables, draw
from simbias.tasks.catalogue import described
from simbias.tasks.shifts import shifted
from simbias.tasks.task import Points, Truth
from simbias.training import Method, Stop, train
from simbias.validation.risk import count

BATCH, N_SELECT = 128, 100  # of each detector; its points to select by are not used
_PIECES = 16  # of a coordinate's law, at least


class SourceLaw(NamedTuple):
    """The laws of both tasks; ``seen`` has an entry where the label is seen, and else none."""

    own: Tables
    other: Tables
    seen: Float[AnyArray, " labels"]


@dataclass(frozen=True)
class SourceTask:
    """Points of a task, label 0, and of its shift, label 1, by the toss of a fair coin each.

    Attributes:
        task: the task itself.
        shift: see ``simbias.tasks.shifts.shifted``.
        labelled: whether the label in the task is a further coordinate, -1 or 1.
    """

    task: BlockTask
    shift: str
    labelled: bool = False
    name: ClassVar[str] = "source"
    classes: ClassVar[int] = 2
    truth: ClassVar[Truth] = Truth()

    @cached_property
    def settings(self) -> Settings:
        """What is told from what."""
        return {"task": described(self.task), "shift": self.shift, "labelled": self.labelled}

    @property
    def shape(self) -> tuple[int, ...]:
        """The coordinates, and the label where it is seen."""
        return (self.task.dim + self.labelled,)

    @staticmethod
    def draw(law: SourceLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Unrotated points."""
        key_source, key_own, key_other = jax.random.split(key, 3)
        other = jax.random.bernoulli(key_source, shape=(rows,))
        own_x, own_y = draw(law.own, key_own, rows)
        other_x, other_y = draw(law.other, key_other, rows)
        x = jnp.where(other[:, None], other_x, own_x)
        sign = 2 * jnp.where(other, other_y, own_y) - 1
        seen = sign[:, None].astype(x.dtype) * law.seen[None, :]
        x = jnp.concatenate([x, seen], axis=1)
        return Points(x, other.astype(jnp.int32), exception=jnp.zeros(rows, bool))

    def law(self, key: Key[Array, ""]) -> SourceLaw:
        """The tables of both tasks."""
        return self._law

    @cached_property
    def _law(self) -> SourceLaw:
        own, other = self.task.tables, shifted(self.task, self.shift).tables
        most = max(_PIECES, own.low.shape[-1], other.low.shape[-1])
        seen = np.ones(int(self.labelled), np.float32)
        return SourceLaw(_padded(own, most), _padded(other, most), seen)


def _padded(tables: Tables, pieces: int) -> Tables:
    """The same laws with so many pieces, so that shifts share a compiled program."""
    missing = [(0, 0), (0, 0), (0, pieces - tables.low.shape[-1])]
    return tables._replace(
        start=np.pad(tables.start, missing, constant_values=2),
        low=np.pad(tables.low, missing),
        slope=np.pad(tables.slope, missing),
    )


@pinned
def classifier_test_power(
    task: BlockTask,
    shift: str,
    *,
    points: int,
    level: float = 0.05,
    labelled: bool = False,
    repetitions: int = 100,
    seed: int = 0,
    network: Network | None = None,
    method: Method | None = None,
    updates: int = 400,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """How often a classifier two-sample test of so many points a source detects a shift.

    Of 2 m points, each from the task or from its shift by the toss of a fair coin, the network is
    trained on m and asked where the m others are from. The test rejects at c right answers or more,
    c the least number with P(B >= c) <= level for B binomial (m, 1/2). Without a shift, each of the
    m coins is independent of its point, and so of the answer: right answers are binomial (m, 1/2),
    whatever was learned, and the test has at most its level.

    Args:
        task: what points are drawn from without the shift.
        shift: see ``simbias.tasks.shifts.shifted``; ``"none"`` for the size of the test.
        points: m, of each source on average; they are seen unrotated.
        level: in (0, 1).
        labelled: whether the network sees the label in the task too.
        repetitions: tests, each with points and a network of its own.
        seed: an integer >= 0; another one gives other points and networks.
        network, method, updates: how each is trained; default MLP(100), stochastic gradient descent
            with momentum and weight decay.
        confidence: coverage of the exact interval, in (0, 1).

    Returns:
        The proportion of tests that reject, as an ``Estimate`` of one entry; a network that
        diverged does not reject.

    Raises:
        ValueError: an argument out of range, or a shift that the task does not have.

    References:
        D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.

    Examples:
        >>> import simbias
        >>> from simbias.validation.two_sample import classifier_test_power
        >>> task = simbias.tasks.get("noisy-lms-5", dim=4)
        >>> power = classifier_test_power(task, "move=1", points=200, repetitions=4, updates=100)
        >>> power.value
        array([1.])
    """
    points, repetitions = whole("points", points), whole("repetitions", repetitions)
    level = real("level", level, 0, 1, open_low=True, open_high=True)
    confidence = real("confidence", confidence, 0, 1, open_low=True, open_high=True)
    first = whole("seed", seed, least=0) * repetitions
    stack = train(
        SourceTask(task, shift, labelled),
        MLP(100) if network is None else network,
        sgd(learning_rate=0.1, momentum=0.9, weight_decay=5e-4) if method is None else method,
        n_train=points,
        seeds=range(first, first + repetitions),
        batch=min(points, BATCH),
        stop=Stop(max_updates=whole("updates", updates), check_every=updates),
        n_select=N_SELECT,
    )
    counts = count(panel(stack), points)
    rejected = rejects(counts.correct, points, level) & (counts.points > 0)
    return clopper_pearson(np.array([rejected.sum()]), np.array([repetitions]), confidence)


def rejects(
    right: Int[np.ndarray, " tests"], points: int, level: float
) -> Bool[np.ndarray, " tests"]:
    """Whether each number of right answers, of so many points, rejects.

    Examples:
        >>> import numpy as np
        >>> from simbias.validation.two_sample import rejects
        >>> rejects(np.array([14, 15]), points=20, level=0.05)  # P(B >= 14) = .058
        array([False,  True])
    """
    rejected: Bool[np.ndarray, " tests"] = tail(right, points, 0.5) <= level
    return rejected
