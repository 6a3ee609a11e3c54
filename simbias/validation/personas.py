"""Which persona a network answers as, by zone: greedily, and where answers are sampled.

A zone is a set of points by what the personas say of them, so that nothing that is trained decides
it. The good one is ahead where the likeliest training label is its own, and outvoted where others,
who agree by chance, label more; within each, the linear persona agrees with the good one or not. A
network that learned the law of training labels is the good one wherever that is ahead, and never
where it is outvoted; one that learned the linear persona alone is it in both zones alike.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simbias._checks import fail, instance, known, whole
from simbias._defaults import CONFIDENCE, N_CERTIFY
from simbias._frames import DataFrame, frame
from simbias._pinned import lenient, pinned
from simbias._types import Params
from simbias.models.panel import panel
from simbias.networks import Network
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.stats.labelled import Labelled, named_axes, tidy
from simbias.tasks.personas import PersonasLaw, PersonasTask, answered
from simbias.tasks.task import Task
from simbias.training.scores import labels_of, logits
from simbias.training.stack import Stack
from simbias.validation.risk import CHUNK
from simbias.validation.sound import faulty

ZONES = ("ahead, linear agrees", "ahead", "outvoted, linear agrees", "outvoted")
ANSWERS = ("greedy", "sampled")


class PersonaAnswers(NamedTuple):
    """Whose answer networks give, by zone.

    Attributes:
        zones: the names of the zones.
        points: fresh points of each zone, (seeds, zones).
        agreement: of the points of a zone, on how many a network answers as a persona, (seeds,
            zones, personas), with exact intervals; the first persona is the good one, the second
            the linear one. NaN in a zone without points, and for networks with a fault.
        law: the same of the law of training labels: its likeliest one, or one drawn from it.

    Examples:
        >>> from simbias.validation.personas import ZONES
        >>> len(ZONES)
        4
    """

    zones: tuple[str, ...]
    points: Int[np.ndarray, "seeds zones"]
    agreement: Estimate
    law: Float[np.ndarray, "seeds zones personas"]

    def labelled(self) -> dict[str, Labelled]:
        """The arrays by name, with named axes: networks by position, zones, personas."""
        return named_axes(
            self,
            {
                "points": "network zone",
                "agreement": "network zone persona",
                "law": "network zone persona",
            },
            zone=self.zones,
        )

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))


@pinned
def measure_personas(
    stack: Stack,
    answers: str = "greedy",
    *,
    n_certify: int = N_CERTIFY,
    confidence: float = CONFIDENCE,
) -> PersonaAnswers:
    """On how many points of each zone networks answer as each persona does.

    Args:
        stack: networks on the task ``personas``.
        answers: ``"greedy"``, the likeliest label, or ``"sampled"``, drawn from the softmax.
        n_certify: fresh points for each network.
        confidence: of each proportion's interval.

    Raises:
        ValueError: another task, or an argument out of range.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("personas", dim=4, personas=3, proportion=0.4)
        >>> stop = simbias.Stop(max_updates=200)
        >>> of = {"n_train": 1000, "seeds": 2, "stop": stop}
        >>> stack = simbias.train(task, simbias.MLP(8), simbias.sgd(), **of)
        >>> answers = simbias.validation.measure_personas(stack, n_certify=2000)
        >>> answers.agreement.value.shape, answers.points.sum(axis=1).tolist()
        ((2, 4, 3), [2000, 2000])
    """
    instance("stack", stack, Stack)
    task = check_personas(stack.cell.task)
    known("answers", answers, ANSWERS)
    left_out, data = faulty(stack), [_of(stack, i) for i in range(len(stack))]
    points = np.zeros((len(stack), len(ZONES)), np.int64)
    hits, expected = np.zeros((2, len(stack), len(ZONES), task.personas))
    for i, (key, law) in enumerate(data):
        weights = jax.tree.map(lambda leaf, i=i: leaf[i], stack.params)
        for start in range(0, whole("n_certify", n_certify), CHUNK):
            chunk = jax.random.fold_in(key, start // CHUNK)
            rows = min(CHUNK, n_certify - start)
            counts = _counted(stack.cell.network, rows, answers, law, chunk, weights)
            zone_points, zone_hits, zone_law = map(np.asarray, counts)
            points[i] += zone_points
            hits[i] += zone_hits
            expected[i] += zone_law
    usable = np.where(left_out[:, None], 0, points)[:, :, None] + np.zeros(hits.shape, int)
    kept = np.where(left_out[:, None, None], 0, hits).astype(int)
    agreement = clopper_pearson(kept, usable, confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_law = expected / points[:, :, None]
    return PersonaAnswers(ZONES, points, agreement, of_law)


def check_personas(task: Task) -> PersonasTask:
    """The task, where it has personas; raises ValueError elsewhere."""
    if not isinstance(task, PersonasTask):
        raise fail("task", task.name, "personas")
    return task


def _of(stack: Stack, i: int) -> tuple[Array, PersonasLaw]:
    data_set = panel(stack.some([stack.seeds[i]])).data[0]
    return data_set.stream("certify"), data_set.law


@partial(jax.jit, static_argnums=(0, 1, 2))
def _counted(
    network: Network,
    rows: int,
    answers: str,
    law: PersonasLaw,
    key: Array,
    weights: Params,
) -> tuple[Int[Array, " zones"], Float[Array, "zones personas"], Float[Array, "zones personas"]]:
    """Points of each zone, and on how many the network, or the law, answers as each persona."""
    drawn = PersonasTask.draw(law, key, "certify", rows)
    labels = answered(law, key, rows)
    scores = logits(network, weights, drawn.x)
    ahead = ((2 * labels - 1).astype(jnp.float32) * law.proportions[None]).sum(axis=1)
    likeliest = jnp.where(jnp.abs(ahead) < 1e-5, labels[:, 0], (ahead > 0).astype(jnp.int32))
    of_one = (1 + ahead) / 2  # the probability of label 1
    if answers == "sampled":
        with lenient():
            scores = scores + jax.random.gumbel(jax.random.fold_in(key, 1), scores.shape)
        by_law = jnp.where(labels == 1, of_one[:, None], 1 - of_one[:, None])
    else:
        by_law = (labels == likeliest[:, None]).astype(jnp.float32)
    same = (labels_of(scores)[:, None] == labels).astype(jnp.float32)
    outvoted = likeliest != labels[:, 0]
    zone = 2 * outvoted.astype(jnp.int32) + (labels[:, 0] != labels[:, 1]).astype(jnp.int32)
    member = (zone[:, None] == jnp.arange(len(ZONES))[None]).astype(jnp.float32)
    return member.sum(axis=0).astype(jnp.int32), member.T @ same, member.T @ by_law
