"""The protocol of a generator: what is fitted to points, and draws the points of its successor.

Training is split so that one regime serves all: points are gathered into statistics, statistics of
several sets are merged, and a model is fitted to what was merged. A generator whose statistics have
a size of their own, such as sums, is *additive*: any number of sets can be merged in one program.
Others, networks say, are fitted to points with weights: a set that grows begins with room for all
of its points, which have no weight until they are there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import jax
import jax.numpy as jnp

from simbias._types import AnyArray, PyTree

Model: TypeAlias = PyTree  # parameters of a fitted generator
Set: TypeAlias = PyTree  # points of a generator, on the leading axis
Statistics: TypeAlias = PyTree  # what a model is fitted to
Measures: TypeAlias = Mapping[str, AnyArray]  # numbers of a model, by name


@dataclass(frozen=True, eq=False)
class Generator:
    """A family of models, and the source that its first set is drawn from.

    Every function is pure and of one lineage: many are mapped at once.

    Attributes:
        name: registered.
        source: what the first set is drawn from, by name.
        settings: numbers of the source and of the fit, by name.
        real: draws rows of the source from a key.
        draw: draws rows of a model from a key.
        gather: points, and a weight for each or None -> statistics.
        merge: statistics of two sets -> those of both.
        fit: statistics, key -> model.
        measure: of a model; NaN where a number is not known.
        alive: whether a model can be drawn from.
        fault: why one cannot, in words.
        additive: whether statistics keep their size when they are merged.
        least: points that a fit needs.
        average: the model with which siblings, on the leading axis, are measured; None: no bag.
        mirrored: points under the source's symmetry; None: no symmetry is known.
        right: whether points are right, which a critic may see; None: they have no such thing.
        better: draws rows of a source of another quality, a number; None: there is none.
        compare: of a model beside the first one of its lineage; None: nothing.
        lineages_at_once: that one program maps side by side.
        generations_at_once: of one program, at most; between two, lineages are kept.

    Examples:
        >>> import simbias
        >>> generator = simbias.generations.gaussian({}, {"ddof": 1})
        >>> generator.name, generator.source, generator.additive, generator.least
        ('gaussian', 'normal', True, 2)
    """

    name: str
    source: str
    settings: Mapping[str, float]
    real: Callable[[AnyArray, int], Set]
    draw: Callable[[Model, AnyArray, int], Set]
    gather: Callable[[Set, AnyArray | None], Statistics]
    merge: Callable[[Statistics, Statistics], Statistics]
    fit: Callable[[Statistics, AnyArray], Model]
    measure: Callable[[Model], Measures]
    alive: Callable[[Model], AnyArray]
    fault: str
    additive: bool = True
    least: int = 1
    average: Callable[[Model], Model] | None = None
    mirrored: Callable[[Set], Set] | None = None
    right: Callable[[Set], AnyArray] | None = None
    better: Callable[[AnyArray, int, float], Set] | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    compare: Callable[[Model, Model], Measures] | None = None
    lineages_at_once: int = 512
    generations_at_once: int = 33


def weighted(points: Set, weight: AnyArray | None) -> Statistics:
    """Points with their weights: what generators that are not additive are fitted to."""
    rows = jax.tree.leaves(points)[0].shape[0]
    return {"points": points, "weight": jnp.ones(rows) if weight is None else weight}


def with_room(statistics: Statistics, rows: int) -> Statistics:
    """Points with their weights, and so many rows without one after them."""
    return jax.tree.map(
        lambda leaf: jnp.pad(leaf, ((0, rows), *[(0, 0)] * (leaf.ndim - 1))), statistics
    )


def in_room(pool: Statistics, more: Statistics) -> Statistics:
    """Points with their weights, others being put in the place of the first without one."""
    filled = (pool["weight"] > 0).sum()
    return jax.tree.map(
        lambda leaf, rows: jax.lax.dynamic_update_slice_in_dim(leaf, rows, filled, 0), pool, more
    )


# what is measured of a model: meaning with unit, heading in tables, least value
MEASURES: Mapping[str, tuple[str, str, float]] = {
    "drift": ("squared distance of the model's mean, or function, from the source's", "drift", 0.0),
    "variance": ("variance of the model", "variance", 0.0),
    "log_variance": ("logarithm of the variance of the model", "log variance", -float("inf")),
    "deviation": ("standard deviation of the model", "", 0.0),
    "distance": ("squared Wasserstein-2 distance of the model from the source", "W2 squared", 0.0),
    "entropy": ("entropy of the model, nats", "entropy", -float("inf")),
    "tail": ("mass that the model gives to the rare part of the source", "tail", 0.0),
    "support": ("proportion of the source's events to which the model gives mass", "support", 0.0),
    "homozygosity": ("probability that two draws of the model are the same", "", 0.0),
    "old_under_new": ("mean -log density of the source's points under the model", "old", -99.0),
    "new_under_old": ("mean -log density of the model's points under the source", "new", -99.0),
    "correct": ("accuracy on fresh points of the source", "accuracy", 0.0),
    "exceptions": ("proportion of fresh exceptions that are labelled rightly", "exceptions", 0.0),
    "agreement": (
        "proportion of fresh points labelled as by the first model",
        "as first",
        0.0,
    ),
    "escaped": ("whether more than .9 of fresh exceptions are labelled rightly", "escaped", 0.0),
    "still_escaped": ("the same, of lineages whose first generation had escaped", "still", 0.0),
    "perplexity": ("exponential of the mean -log probability of a real token", "perplexity", 1.0),
    "probable": ("proportion of drawn rows likelier than 99% of the source's", "probable", 0.0),
    "improbable": ("proportion of drawn rows less likely than 99% of them", "improbable", 0.0),
    "first_persona": ("proportion of drawn rows that are of the first persona", "first", 0.0),
    "commonest_persona": ("the greatest such proportion of a persona", "commonest", 0.0),
    "latent": (
        "standard deviation of drawn points, encoded by the first model",
        "latent",
        0.0,
    ),
}
