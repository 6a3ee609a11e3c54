"""Population risk: error counts on fresh draws, and exact intervals.

One pass over fresh draws of the certify streams counts everything the validator reports. Points
come in chunks with a key each, so memory is flat in their number, and a classifier meets the same
points however the work is divided: networks inside one compiled program, any other classifier on
the host.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt

from simbias._keys import key_of
from simbias._pinned import lenient, pinned
from simbias._types import AnyArray, Params, PyTree
from simbias.models.classifier import Traced, difference, finite, predicted, score
from simbias.models.panel import Panel, panel
from simbias.networks.scorer import Scorer
from simbias.parallel import devices_for, over_seeds, spread, stacked
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask, Tables, block_task, draw_uniforms, quantile
from simbias.tasks.oracle import attained_rule, simple_rule
from simbias.tasks.rules import RuleTable, exceptional, follow, rule_table
from simbias.tasks.task import Points, Task, draws
from simbias.training.scores import decided, logits, margins
from simbias.training.stack import Stack

CHUNK = 20_000


class Counts(NamedTuple):
    """What one pass counts, each an array (seeds,) of integers.

    ``unscored`` points have no finite score difference, randomised or not.
    """

    points: Int[AnyArray, " seeds"]
    correct: Int[AnyArray, " seeds"]
    s_correct: Int[AnyArray, " seeds"]
    sc_correct: Int[AnyArray, " seeds"]
    exceptions: Int[AnyArray, " seeds"]
    exceptions_correct: Int[AnyArray, " seeds"]
    simple_agreed: Int[AnyArray, " seeds"]
    achievable_agreed: Int[AnyArray, " seeds"]
    unscored: Int[AnyArray, " seeds"]

    def without(self, members: Bool[np.ndarray, " seeds"]) -> "Counts":
        """The counts with nothing counted of some networks: their proportions are NaN."""
        return Counts(*(np.where(members, 0, part) for part in self))


class Scores(NamedTuple):
    """The score differences of one chunk's randomised points, with the labels."""

    y: Int[AnyArray, "seeds rows"]
    s_randomised: Float[AnyArray, "seeds rows"]
    sc_randomised: Float[AnyArray, "seeds rows"]


class _Law(NamedTuple):
    """What is traced of a data set."""

    key: UInt[AnyArray, " words"]
    tables: Tables
    simple: RuleTable
    achievable: RuleTable
    rotation: Float[AnyArray, "dim dim"]


class _OwnLaw(NamedTuple):
    """The same of a task that is not made of independent coordinates."""

    key: UInt[AnyArray, " words"]
    law: PyTree


class _Judged(NamedTuple):
    """What is traced of a network that is validated."""

    law: _Law | _OwnLaw
    params: Params


class _Chunk(NamedTuple):
    """Fresh points with what the rules say, -1 where there is none.

    ``x`` is as drawn and, of independent coordinates, S-randomised and S^c-randomised.
    """

    x: Float[AnyArray, "kinds rows *shape"]
    y: Int[AnyArray, " rows"]
    exception: Bool[AnyArray, " rows"]
    simple: Int[AnyArray, " rows"]
    achievable: Int[AnyArray, " rows"]


def fresh_points(asked: Panel, n_certify: int) -> int:
    """How many fresh points there are, of so many that are asked for."""
    rows: int = min(n_certify, getattr(asked.task, "most", {}).get("certify", n_certify))
    return rows


@pinned
def count(
    learned: Stack | Panel, n_certify: int, on_scores: Callable[[Scores], None] | None = None
) -> Counts:
    """Ask classifiers about fresh draws.

    Args:
        learned: trained networks, or a panel of classifiers.
        n_certify: points a classifier, at most those that there are, of which all count or, where
            one is unscored, none.
        on_scores: called with each chunk's scores, which are not kept.

    Returns:
        The counts of every classifier.
    """
    asked = panel(learned)
    n_certify = fresh_points(asked, n_certify)
    seeds = len(asked)
    total = Counts(*np.zeros((len(Counts._fields), seeds), np.int64))
    waiting: list[Scores] = []  # of a chunk whose other classifiers are still to come
    found = _by_program if asked.network is not None else _by_host
    for members, counts, scores in found(asked, n_certify):
        for place, i in enumerate(members):
            for kept, part in zip(total, counts, strict=True):
                kept[i] += part[place]
            waiting.append(jax.tree.map(lambda leaf, place=place: leaf[place], scores))
            if len(waiting) == seeds:
                if on_scores is not None:
                    on_scores(stacked(waiting))
                waiting.clear()
    return total.without(total.unscored > 0)._replace(unscored=total.unscored)


@pinned
def errors(learned: Panel, n_certify: int, confidence: float) -> Estimate:
    """The risk of classifiers, with its interval: the points of ``count``, and no randomised ones.

    A stochastic classifier draws anew for every point, so that its errors are independent too. One
    without finite scores has NaN.
    """
    if learned.network is not None:
        counts = count(learned, n_certify)
        return clopper_pearson(counts.points - counts.correct, counts.points, confidence)
    n_certify = fresh_points(learned, n_certify)
    wrong, unscored = np.zeros((2, len(learned)), np.int64)
    for rows, units in _units(n_certify, len(learned)):
        for chunk, i in units:
            drawn, key = _drawn(learned, rows, i, chunk)
            scores = score(learned.members[i], drawn.x[0], key)
            wrong[i] += np.sum(predicted(scores) != drawn.y)
            unscored[i] += np.sum(~finite(scores))
    scored = unscored == 0
    return clopper_pearson(np.where(scored, wrong, 0), n_certify * scored, confidence)


Found = Iterator[tuple[list[int], Counts, Scores]]  # classifiers, and of each one's chunk


def _by_program(asked: Panel, n_certify: int) -> Found:
    """Counts of networks that share a compiled program.

    A chunk of one network is a device's unit of work, so that no device waits for another; the
    devices work on one batch of units while the host takes in the one before.
    """
    devices, network = devices_for(), asked.network
    assert network is not None
    judged = [
        _Judged(_law(asked, i), one.params)
        for i, one in enumerate(asked.members)
        if isinstance(one, Traced)
    ]
    ahead: tuple[list[int], tuple[Counts, Scores]] | None = None
    for rows, units in _units(n_certify, len(asked)):
        for start in range(0, len(units), len(devices)):
            batch = units[start : start + len(devices)]
            laid = spread([(judged[i], np.uint32(chunk)) for chunk, i in batch], devices)
            made = _compiled(network, _own_draw(asked), rows, devices)(laid)
            if ahead is not None:
                yield ahead[0], *jax.device_get(ahead[1])
            ahead = [i for _, i in batch], made
    assert ahead is not None
    yield ahead[0], *jax.device_get(ahead[1])


def _by_host(asked: Panel, n_certify: int) -> Found:
    """Counts of any classifiers, each asked on the host about one chunk after the other."""
    for rows, units in _units(n_certify, len(asked)):
        for chunk, i in units:
            drawn, key = _drawn(asked, rows, i, chunk)
            keys = [key, *jax.random.split(key)]
            scores = [
                score(asked.members[i], x, own)
                for x, own in zip(drawn.x, keys[: len(drawn.x)], strict=True)
            ]
            labels = np.stack([predicted(one) for one in scores])
            counts = _tally(drawn, labels, np.stack([finite(one) for one in scores]))
            each = Counts(*(np.asarray(part)[None] for part in counts))
            margin = [difference(one)[None] for one in scores[-2:]]
            yield [i], each, Scores(drawn.y[None], margin[0], margin[-1])


def _units(n_certify: int, seeds: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Rows of a chunk, and the chunks of that many rows: pairs (chunk, network)."""
    whole, rest = divmod(n_certify, CHUNK)
    if whole:
        yield CHUNK, [(chunk, i) for chunk in range(whole) for i in range(seeds)]
    if rest:
        yield rest, [(whole, i) for i in range(seeds)]


def has_rule(task: Task) -> bool:
    """Whether fresh points can be held against the achievable rule."""
    if isinstance(task, BlockTask):
        return attained_rule(task) is not None
    return draws(task).achievable is not None


def _own_draw(asked: Panel) -> Callable[..., Points] | None:
    """The draw of a task that is not made of independent coordinates."""
    return None if isinstance(asked.task, BlockTask) else asked.task.draw


def _law(asked: Panel, i: int) -> _Law | _OwnLaw:
    data = asked.data[i]
    key = np.asarray(jax.random.key_data(data.stream("certify")))
    if not isinstance(asked.task, BlockTask):
        return _OwnLaw(key, data.law)
    task = asked.task
    return _Law(
        key=key,
        tables=block_task(data.fresh).tables,
        simple=rule_table(simple_rule(task)),
        achievable=rule_table(attained_rule(task)),
        rotation=data.rotation,
    )


def _draw_own(
    draw: Callable[..., Points], rows: int, law: _OwnLaw, chunk: UInt[Array, ""]
) -> tuple[_Chunk, Array]:
    """One chunk of fresh points of a task with a draw of its own, and a key for what is beside."""
    key, key_other = jax.random.split(jax.random.fold_in(key_of(law.key), chunk))
    with lenient():
        points = draw(law.law, key, "certify", rows)
    none = jnp.full(rows, -1, jnp.int32)
    achievable = none if points.achievable is None else points.achievable
    return _Chunk(points.x[None], points.y, points.exception, none, achievable), key_other


def _draw(rows: int, law: _Law, chunk: UInt[Array, ""]) -> tuple[_Chunk, Array]:
    """One chunk of fresh points, unrotated, and a key for what is drawn beside them.

    A randomised coordinate is drawn given an independent label: that is the limit of permuting the
    rows of an ever larger sample, and it keeps rows independent, as exact intervals require.
    """
    key, key_other = jax.random.split(jax.random.fold_in(key_of(law.key), chunk))
    uniforms, y = draw_uniforms(law.tables, key, rows)
    other = jax.random.bernoulli(key_other, shape=(rows,)).astype(jnp.int32)
    plain, mixed = quantile(law.tables, uniforms, y), quantile(law.tables, uniforms, other)
    simple = law.tables.simple[None, :]
    kinds = (plain, jnp.where(simple, mixed, plain), jnp.where(simple, plain, mixed))
    return _Chunk(
        x=jnp.stack(kinds),
        y=y,
        exception=exceptional(law.simple, plain, y),
        # -1: no rule, with which no label agrees
        simple=jnp.where(law.simple.defined, follow(law.simple, plain), -1),
        achievable=jnp.where(law.achievable.defined, follow(law.achievable, plain), -1),
    ), key_other


def _drawn(asked: Panel, rows: int, i: int, chunk: int) -> tuple[_Chunk, Array]:
    """A chunk of one data set's points on the host, as inputs."""
    drawn, key = _inputs(_own_draw(asked), rows, _law(asked, i), np.uint32(chunk))
    return jax.device_get(drawn), key


@partial(jax.jit, static_argnums=(0, 1))
def _inputs(
    draw: Callable[..., Points] | None, rows: int, law: _Law | _OwnLaw, chunk: UInt[Array, ""]
) -> tuple[_Chunk, Array]:
    if isinstance(law, _OwnLaw):
        assert draw is not None
        return _draw_own(draw, rows, law, chunk)
    drawn, key = _draw(rows, law, chunk)
    return drawn._replace(x=drawn.x @ law.rotation), key


def _tally(
    drawn: _Chunk, said: Int[AnyArray, "kinds rows"], finite: Bool[AnyArray, "kinds rows"]
) -> Counts:
    """What the labels of a chunk's kinds of points (kinds, rows) count; none randomised: 0."""

    def total(hits: Bool[AnyArray, "*rows"]) -> Int[AnyArray, ""]:
        return hits.sum(dtype=np.int32)

    right = said == drawn.y[None]
    return Counts(
        points=np.int32(len(drawn.y)),
        correct=total(right[0]),
        s_correct=total(right[1:2]),
        sc_correct=total(right[2:]),
        exceptions=total(drawn.exception),
        exceptions_correct=total(drawn.exception & right[0]),
        simple_agreed=total(said[0] == drawn.simple),
        achievable_agreed=total(said[0] == drawn.achievable),
        unscored=total(~finite.all(axis=0)),
    )


def _score(
    network: Scorer,
    draw: Callable[..., Points] | None,
    rows: int,
    judged: _Judged,
    chunk: UInt[Array, ""],
) -> tuple[Counts, Scores]:
    """Count over one chunk of a network's points."""
    law, params = judged
    if isinstance(law, _OwnLaw):
        assert draw is not None
        drawn, _ = _draw_own(draw, rows, law, chunk)
        scores = logits(network, params, drawn.x[0])
        counts = _tally(drawn, decided(scores)[None], jnp.isfinite(scores).all(axis=-1)[None])
        margin = scores[:, 1] - scores[:, 0]
        return counts, Scores(drawn.y, margin, margin)
    drawn, _ = _draw(rows, law, chunk)
    # mapped over, so that the forward pass is compiled once
    margin = jax.lax.map(lambda x: margins(network, params, x @ law.rotation), drawn.x)
    counts = _tally(drawn, (margin > 0).astype(jnp.int32), jnp.isfinite(margin))
    return counts, Scores(drawn.y, margin[1], margin[2])


@lru_cache
def _compiled(
    network: Scorer,
    draw: Callable[..., Points] | None,
    rows: int,
    devices: tuple[jax.Device, ...],
) -> Callable[..., tuple[Counts, Scores]]:
    def one(unit: tuple[_Judged, UInt[Array, ""]]) -> tuple[Counts, Scores]:
        return _score(network, draw, rows, *unit)

    return over_seeds(one, devices)
