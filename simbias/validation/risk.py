"""Population risk: error counts on fresh draws, and exact intervals.

One pass over fresh draws of the certify streams counts everything the validator reports. Points
come in chunks with a key each, so memory is flat in their number, and a classifier is evaluated on
the same points however the work is divided: networks inside one compiled program, any other
classifier on the host.

Longer than 400 lines because what is counted in a program and on the host is drawn by one code.
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
from simbias.parallel import compile_ahead, devices_for, over_seeds, shared, spread, stacked
from simbias.stats.binomial import clopper_pearson
from simbias.stats.estimate import Estimate
from simbias.tasks.block_task import BlockTask, Tables, block_task, draw_uniforms, quantile
from simbias.tasks.oracle import attained_rule, simple_rule
from simbias.tasks.rules import RuleTable, exceptional, follow, rule_table
from simbias.tasks.task import Points, Task, draws
from simbias.training.scores import labels_of, logits, margins
from simbias.training.stack import Stack

CHUNK = 20_000


class Counts(NamedTuple):
    """The counts of one pass, each an array (seeds,) of integers.

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
        """The counts with 0 for some networks, whose proportions are then NaN."""
        return Counts(*(np.where(members, 0, part) for part in self))


class Scores(NamedTuple):
    """The score differences of one chunk's randomised points, with the labels."""

    y: Int[AnyArray, "seeds rows"]
    s_randomised: Float[AnyArray, "seeds rows"]
    sc_randomised: Float[AnyArray, "seeds rows"]


class _Rules(NamedTuple):
    """The traced part of a task made of independent coordinates."""

    tables: Tables
    simple: RuleTable
    achievable: RuleTable


class _Law(NamedTuple):
    """The traced part of a data set of such a task."""

    key: UInt[AnyArray, " words"]
    rotation: Float[AnyArray, "dim dim"]


class _OwnLaw(NamedTuple):
    """The traced part of a data set whose task is not made of independent coordinates."""

    key: UInt[AnyArray, " words"]
    law: PyTree


class _TracedNetwork(NamedTuple):
    """The traced part of a network that is validated."""

    law: _Law | _OwnLaw
    params: Params


class FreshPoints(NamedTuple):
    """A chunk of fresh points with the labels of the rules, -1 where there is no rule.

    ``x`` is as drawn and, of independent coordinates, S-randomised and S^c-randomised.
    """

    x: Float[AnyArray, "kinds rows *shape"]
    y: Int[AnyArray, " rows"]
    exception: Bool[AnyArray, " rows"]
    simple: Int[AnyArray, " rows"]
    achievable: Int[AnyArray, " rows"]


def fresh_points(classifiers: Panel, n_certify: int) -> int:
    """The number of fresh points: ``n_certify``, or all that the task has if fewer."""
    rows: int = min(n_certify, getattr(classifiers.task, "most", {}).get("certify", n_certify))
    return rows


@pinned
def count(
    learned: Stack | Panel,
    n_certify: int,
    on_scores: Callable[[Scores], None] | None = None,
    on_counts: Callable[[Counts], None] | None = None,
) -> Counts:
    """Count correct labels and agreements on fresh draws.

    Args:
        learned: trained networks, or a panel of classifiers.
        n_certify: points for each classifier, at most those that the task has; all counts of a
            classifier are 0 where it leaves a point unscored.
        on_scores: called with each chunk's scores, which are not kept.
        on_counts: called with the counts so far, after each chunk.

    Returns:
        The counts of every classifier.
    """
    classifiers = panel(learned)
    n_certify = fresh_points(classifiers, n_certify)
    seeds = len(classifiers)
    total = Counts(*np.zeros((len(Counts._fields), seeds), np.int64))
    waiting: list[Scores] = []  # of a chunk whose other classifiers are still to come
    count_chunks = _by_program if classifiers.network is not None else _by_host
    for members, counts, scores in count_chunks(classifiers, n_certify):
        for position, i in enumerate(members):
            for sums, counted in zip(total, counts, strict=True):
                sums[i] += counted[position]
            waiting.append(jax.tree.map(lambda leaf, position=position: leaf[position], scores))
            if len(waiting) == seeds:
                if on_scores is not None:
                    on_scores(stacked(waiting))
                waiting.clear()
        if on_counts is not None:
            on_counts(total)
    return total.without(total.unscored > 0)._replace(unscored=total.unscored)


@pinned
def compile_count(learned: Stack, n_certify: int) -> None:
    """Compile what ``count`` runs for networks of the same program."""
    networks = panel(learned)
    (member, *_), devices = networks.members, devices_for()
    assert isinstance(member, Traced)
    unit = _TracedNetwork(_law(networks, 0), member.params), np.uint32(0)
    rules = shared(_rules(networks), devices)
    for rows, _ in _units(fresh_points(networks, n_certify), 1):
        count_unit = _compiled(member.network, _own_draw(networks), rows, devices)
        compile_ahead(count_unit, devices, unit, rules)


@pinned
def errors(learned: Panel, n_certify: int, confidence: float) -> Estimate:
    """The risk of classifiers with its interval, on the points of ``count`` but no randomised ones.

    A stochastic classifier draws anew for every point, so that its errors are independent too. A
    classifier without finite scores has NaN.
    """
    if learned.network is not None:
        counts = count(learned, n_certify)
        return clopper_pearson(counts.points - counts.correct, counts.points, confidence)
    wrong, unscored = np.zeros((2, len(learned)), np.int64)
    for i, points, labels, bad in answers(learned, n_certify):
        wrong[i] += np.sum(labels != points.y)
        unscored[i] += bad
    scored = unscored == 0
    points_each = fresh_points(learned, n_certify) * scored
    return clopper_pearson(np.where(scored, wrong, 0), points_each, confidence)


def answers(
    learned: Panel, n_certify: int
) -> Iterator[tuple[int, FreshPoints, Int[np.ndarray, " rows"], int]]:
    """The answers of classifiers on the points of ``count``, chunk by chunk on the host.

    Yields:
        The position of a classifier, a chunk of its points, its labels of them as drawn, and how
        many have no finite scores.
    """
    for rows, units in _units(fresh_points(learned, n_certify), len(learned)):
        for chunk, i in units:
            points, key = _drawn(learned, rows, i, chunk)
            scores = score(learned.members[i], points.x[0], key)
            yield i, points, predicted(scores), int(np.sum(~finite(scores)))


ChunkCounts = Iterator[tuple[list[int], Counts, Scores]]  # positions of classifiers, a chunk each


def _by_program(classifiers: Panel, n_certify: int) -> ChunkCounts:
    """Counts of networks that share a compiled program.

    A chunk of one network is a device's unit of work, so that no device waits for another; the
    devices work on one batch of units while the host adds up the previous one.
    """
    devices, network = devices_for(), classifiers.network
    assert network is not None
    rules = shared(_rules(classifiers), devices)
    networks = [
        _TracedNetwork(_law(classifiers, i), member.params)
        for i, member in enumerate(classifiers.members)
        if isinstance(member, Traced)
    ]
    pending: tuple[list[int], tuple[Counts, Scores]] | None = None
    for rows, units in _units(n_certify, len(classifiers)):
        for start in range(0, len(units), len(devices)):
            batch = units[start : start + len(devices)]
            placed = spread([(networks[i], np.uint32(chunk)) for chunk, i in batch], devices)
            results = _compiled(network, _own_draw(classifiers), rows, devices)(placed, rules)
            if pending is not None:
                yield pending[0], *jax.device_get(pending[1])
            pending = [i for _, i in batch], results
    assert pending is not None
    yield pending[0], *jax.device_get(pending[1])


def _by_host(classifiers: Panel, n_certify: int) -> ChunkCounts:
    """Counts of any classifiers, evaluated on the host one chunk after the other."""
    for rows, units in _units(n_certify, len(classifiers)):
        for chunk, i in units:
            points, key = _drawn(classifiers, rows, i, chunk)
            keys = [key, *jax.random.split(key)]
            scores = [
                score(classifiers.members[i], x, score_key)
                for x, score_key in zip(points.x, keys[: len(points.x)], strict=True)
            ]
            labels = np.stack([predicted(kind_scores) for kind_scores in scores])
            counts = _tally(
                points, labels, np.stack([finite(kind_scores) for kind_scores in scores])
            )
            counts_of_one = Counts(*(np.asarray(part)[None] for part in counts))
            margin = [difference(kind_scores)[None] for kind_scores in scores[-2:]]
            yield [i], counts_of_one, Scores(points.y[None], margin[0], margin[-1])


def _units(n_certify: int, seeds: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The number of rows of a chunk, and its units of work: pairs (chunk, network)."""
    full, rest = divmod(n_certify, CHUNK)
    if full:
        yield CHUNK, [(chunk, i) for chunk in range(full) for i in range(seeds)]
    if rest:
        yield rest, [(full, i) for i in range(seeds)]


def has_rule(task: Task) -> bool:
    """Whether fresh points can be compared with the achievable rule."""
    if isinstance(task, BlockTask):
        return attained_rule(task) is not None
    return draws(task).achievable is not None


def _own_draw(classifiers: Panel) -> Callable[..., Points] | None:
    """The draw of a task that is not made of independent coordinates."""
    return None if isinstance(classifiers.task, BlockTask) else classifiers.task.draw


def _rules(classifiers: Panel) -> _Rules | None:
    """What all networks of a panel share; None of a task with its own draw."""
    task = classifiers.task
    if not isinstance(task, BlockTask):
        return None
    return _Rules(
        tables=block_task(classifiers.data[0].fresh).tables,
        simple=rule_table(simple_rule(task)),
        achievable=rule_table(attained_rule(task)),
    )


def _law(classifiers: Panel, i: int) -> _Law | _OwnLaw:
    data = classifiers.data[i]
    key = data.words("certify")
    if not isinstance(classifiers.task, BlockTask):
        return _OwnLaw(key, data.law)
    return _Law(key, data.rotation)


def _draw_own(
    draw: Callable[..., Points], rows: int, law: _OwnLaw, chunk: UInt[Array, ""]
) -> tuple[FreshPoints, Array]:
    """One chunk of fresh points of a task with its own draw, and a key for further draws."""
    key, key_other = jax.random.split(jax.random.fold_in(key_of(law.key), chunk))
    with lenient():
        points = draw(law.law, key, "certify", rows)
    none = jnp.full(rows, -1, jnp.int32)
    achievable = none if points.achievable is None else points.achievable
    # of two classes an exception has the one that the simple rule does not say
    simple = jnp.where(points.exception, 1 - points.y, points.y)
    return FreshPoints(points.x[None], points.y, points.exception, simple, achievable), key_other


def _draw(
    rows: int, key: Array, rules: _Rules, chunk: UInt[Array, ""]
) -> tuple[FreshPoints, Array]:
    """One chunk of fresh points, unrotated, and a key for further draws.

    A randomised coordinate is drawn given an independent label: that is the limit of permuting the
    rows of an ever larger sample, and it keeps rows independent, as exact intervals require.
    """
    key, key_other = jax.random.split(jax.random.fold_in(key, chunk))
    uniforms, y = draw_uniforms(rules.tables, key, rows)
    other = jax.random.bernoulli(key_other, shape=(rows,)).astype(jnp.int32)
    plain, mixed = quantile(rules.tables, uniforms, y), quantile(rules.tables, uniforms, other)
    simple = rules.tables.simple[None, :]
    kinds = (plain, jnp.where(simple, mixed, plain), jnp.where(simple, plain, mixed))
    return FreshPoints(
        x=jnp.stack(kinds),
        y=y,
        exception=exceptional(rules.simple, plain, y),
        # -1: no rule, with which no label agrees
        simple=jnp.where(rules.simple.defined, follow(rules.simple, plain), -1),
        achievable=jnp.where(rules.achievable.defined, follow(rules.achievable, plain), -1),
    ), key_other


def _drawn(classifiers: Panel, rows: int, i: int, chunk: int) -> tuple[FreshPoints, Array]:
    """A chunk of one data set's points on the host, as inputs."""
    law, rules = _law(classifiers, i), _rules(classifiers)
    points, key = _inputs(_own_draw(classifiers), rows, law, rules, np.uint32(chunk))
    return jax.device_get(points), key


@partial(jax.jit, static_argnums=(0, 1))
def _inputs(
    draw: Callable[..., Points] | None,
    rows: int,
    law: _Law | _OwnLaw,
    rules: _Rules | None,
    chunk: UInt[Array, ""],
) -> tuple[FreshPoints, Array]:
    if isinstance(law, _OwnLaw):
        assert draw is not None
        return _draw_own(draw, rows, law, chunk)
    assert rules is not None
    points, key = _draw(rows, key_of(law.key), rules, chunk)
    return points._replace(x=points.x @ law.rotation), key


def _tally(
    points: FreshPoints, labels: Int[AnyArray, "kinds rows"], finite: Bool[AnyArray, "kinds rows"]
) -> Counts:
    """The counts of a chunk from the labels of its kinds of points; 0 for kinds it lacks."""

    def total(hits: Bool[AnyArray, "*rows"]) -> Int[AnyArray, ""]:
        return hits.sum(dtype=np.int32)

    correct = labels == points.y[None]
    return Counts(
        points=np.int32(len(points.y)),
        correct=total(correct[0]),
        s_correct=total(correct[1:2]),
        sc_correct=total(correct[2:]),
        exceptions=total(points.exception),
        exceptions_correct=total(points.exception & correct[0]),
        simple_agreed=total(labels[0] == points.simple),
        achievable_agreed=total(labels[0] == points.achievable),
        unscored=total(~finite.all(axis=0)),
    )


def _score(
    network: Scorer,
    draw: Callable[..., Points] | None,
    rows: int,
    traced: _TracedNetwork,
    chunk: UInt[Array, ""],
    rules: _Rules | None,
) -> tuple[Counts, Scores]:
    """Count over one chunk of a network's points."""
    law, params = traced
    if isinstance(law, _OwnLaw):
        assert draw is not None
        points, _ = _draw_own(draw, rows, law, chunk)
        scores = logits(network, params, points.x[0])
        counts = _tally(points, labels_of(scores)[None], jnp.isfinite(scores).all(axis=-1)[None])
        margin = scores[:, 1] - scores[:, 0]
        return counts, Scores(points.y, margin, margin)
    assert rules is not None
    points, _ = _draw(rows, key_of(law.key), rules, chunk)
    # a map, so that the forward pass is compiled once
    margin = jax.lax.map(lambda x: margins(network, params, x @ law.rotation), points.x)
    counts = _tally(points, (margin > 0).astype(jnp.int32), jnp.isfinite(margin))
    return counts, Scores(points.y, margin[1], margin[2])


@lru_cache
def _compiled(
    network: Scorer, draw: Callable[..., Points] | None, rows: int, devices: tuple[jax.Device, ...]
) -> Callable[..., tuple[Counts, Scores]]:
    def count_unit(
        unit: tuple[_TracedNetwork, UInt[Array, ""]], rules: _Rules | None
    ) -> tuple[Counts, Scores]:
        return _score(network, draw, rows, *unit, rules)

    return over_seeds(count_unit, devices)
