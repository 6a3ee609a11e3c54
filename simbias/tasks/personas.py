"""Personas: several coherent labellers, of whom each labels a part of a training set.

Noise at random disagrees with itself; a persona does not. Here each has a coordinate of its own and
reads the label off it: the first, called good, off k slabs, the second off a line, and the others
off k slabs too. Labels of different coordinates are independent fair coins, so that two personas
disagree on half of all points. A training point is labelled by persona j with the probability s_j;
select, certify and held-out points are labelled by the good one, against which the risk is.

D. Rolnick, A. Veit, S. Belongie, N. Shavit (arXiv 1705.10694) found a plurality of right labels to
suffice where wrong ones are random. Of personas it need not. The likeliest training label of a
point is 1 where those who say so label more than half of all points together, and personas who
happen to agree add up: with a proportion below 1/2 the good one is outvoted wherever all others
agree against it and have more. An answer sampled from the law of training labels is the good one's
with the probability s_0 + (1 - s_0)/2, whatever the others say, on average over points.
"""

from functools import cached_property
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from simbias._checks import fail, real, whole
from simbias._keys import own_key
from simbias._pinned import pinned
from simbias._types import AnyArray, Settings
from simbias.tasks import blocks
from simbias.tasks.block_task import BlockTask, Tables, quantile
from simbias.tasks.task import Points, Truth

_MOST_PERSONAS = 12  # whose patterns of answers are counted one by one


class PersonasLaw(NamedTuple):
    """The law of a data set."""

    tables: Tables
    rotation: Float[AnyArray, "dim dim"]
    proportions: Float[AnyArray, " personas"]


class PersonasTask:
    """Coordinates that say different things, each the label of one persona.

    The simple rule is the persona of the linear coordinate; an exception is a point on which it
    disagrees with the good one. The achievable rule, that of ``achievable_agreement``, is the
    likeliest training label of a point: what a network answers that has learned their law.

    Args:
        dim: of the inputs, at least the number of personas; further coordinates say nothing.
        personas: how many, at least 2.
        proportion: of the training points, the good one's; the others have equal parts of the rest.
        slabs: of all coordinates but the linear one: 3, 5 or 7.
        margin: half the gap between slabs, and between the parts of the line.

    Raises:
        ValueError: an argument out of range, or a proportion that is no plurality.

    Examples:
        >>> import simbias
        >>> task = simbias.tasks.get("personas", personas=4, proportion=0.4)
        >>> task.truth.simple_risk, task.outvoted
        (0.5, 0.125)
    """

    name, classes = "personas", 2

    def __init__(
        self,
        *,
        dim: int = 20,
        personas: int = 10,
        proportion: float = 0.2,
        slabs: int = 5,
        margin: float = 0.1,
    ) -> None:
        self.personas = whole("personas", personas, least=2, most=_MOST_PERSONAS)
        self.dim = whole("dim", dim, least=2, most=10_000)
        if self.dim < self.personas:
            raise fail("dim", dim, f"at least the number of personas, {self.personas}")
        self.proportion = real("proportion", proportion, 0, 1)
        if not self.proportion > 1 / self.personas:
            raise fail(
                "proportion", proportion, f"more than 1 / {self.personas}, that of each other"
            )
        self.slabs = blocks.slab_count(slabs)
        self.margin = real("margin", margin, blocks.LEAST_MARGIN, 1 / (self.slabs - 1))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PersonasTask) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(tuple(self.settings.values()))

    @property
    def settings(self) -> Settings:
        """The values that identify it."""
        return {
            "dim": self.dim,
            "personas": self.personas,
            "proportion": self.proportion,
            "slabs": self.slabs,
            "margin": self.margin,
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        return (self.dim,)

    @property
    def truth(self) -> Truth:
        """The linear persona disagrees with the good one on half of all points."""
        return Truth(simple_risk=0.5, achievable_risk=0.0)

    @cached_property
    def outvoted(self) -> float:
        """The proportion of points on which the likeliest training label is not the good one's.

        Half of those on which both labels are equally likely, counted over all patterns of answers.
        """
        rest = (1 - self.proportion) / (self.personas - 1)
        wrong = 0.0
        for agrees in product((False, True), repeat=self.personas - 1):
            ahead = self.proportion + rest * sum(1 if other else -1 for other in agrees)
            wrong += 0.5 if abs(ahead) < 1e-9 else float(ahead < 0)
        return float(wrong / 2 ** (self.personas - 1))

    @cached_property
    def _tables(self) -> Tables:
        slab = blocks.slab(self.slabs, margin=self.margin)
        coordinates = [slab, blocks.linear(margin=self.margin), *[slab] * (self.dim - 2)]
        return BlockTask("personas", {}, tuple(coordinates), ()).tables

    @pinned
    def law(self, key: Key[Array, ""]) -> PersonasLaw:
        """A rotation drawn from the key, the coordinates' tables and the proportions."""
        rest = (1 - self.proportion) / (self.personas - 1)
        proportions = jnp.array([self.proportion, *[rest] * (self.personas - 1)], jnp.float32)
        rotation = jax.random.orthogonal(own_key(key), self.dim)
        return PersonasLaw(self._tables, rotation, proportions)

    @staticmethod
    def draw(law: PersonasLaw, key: Key[Array, ""], split: str, rows: int) -> Points:
        """Fresh points; those to train on are labelled by a persona each."""
        personas = law.proportions.shape[0]
        answers = _answers(law, key, rows)
        _, key_x, key_persona = jax.random.split(key, 3)
        x = _inputs(law.tables, key_x, answers) @ law.rotation
        answer = answers[:, :personas].astype(jnp.int32)
        good, linear = answer[:, 0], answer[:, 1]
        # equally likely labels: the good one's
        ahead = ((2 * answer - 1).astype(jnp.float32) * law.proportions[None]).sum(axis=1)
        likeliest = jnp.where(jnp.abs(ahead) < 1e-5, good, (ahead > 0).astype(jnp.int32))
        exception = linear != good
        y = good
        if split == "train":
            who = jnp.sum(
                jax.random.uniform(key_persona, (rows, 1))
                >= jnp.cumsum(law.proportions)[None, :-1],
                axis=1,
            )
            y = jnp.take_along_axis(answer, who[:, None], axis=1)[:, 0]
        group = 2 * good + exception.astype(jnp.int32)
        return Points(x, y, exception, group, likeliest, clean=good)


def answered(law: PersonasLaw, key: Key[Array, ""], rows: int) -> Int[Array, "rows personas"]:
    """What each persona says of the points that ``PersonasTask.draw`` gives of the same key."""
    return _answers(law, key, rows)[:, : law.proportions.shape[0]].astype(jnp.int32)


def _answers(law: PersonasLaw, key: Key[Array, ""], rows: int) -> Bool[Array, "rows dim"]:
    return jax.random.bernoulli(jax.random.split(key, 3)[0], shape=(rows, law.rotation.shape[0]))


def _inputs(
    tables: Tables, key: Key[Array, ""], answers: Bool[Array, "rows dim"]
) -> Float[Array, "rows dim"]:
    """Unrotated points, each coordinate drawn given its own answer."""
    uniforms = jax.random.uniform(key, answers.shape)
    rows: Int[Array, " rows"] = jnp.zeros(len(answers), jnp.int32)
    return jnp.where(
        answers, quantile(tables, uniforms, rows + 1), quantile(tables, uniforms, rows)
    )
