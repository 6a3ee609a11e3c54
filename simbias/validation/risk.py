"""Population risk: error counts on fresh draws, and exact intervals.

One pass over fresh draws of a stack's certify streams counts everything the validator reports.
Points come in chunks with a key each, so memory is flat in their number, and a network meets the
same points however the work is divided.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Int, UInt
from scipy.special import betaincinv

from simbias._keys import key_of, network_key, stream
from simbias._pinned import pinned
from simbias._types import AnyArray, Params
from simbias.networks import Network
from simbias.tasks.block_task import Tables, draw_uniforms, quantile
from simbias.tasks.oracle import achievable_rule, simple_rule
from simbias.tasks.rules import RuleTable, exceptional, follow, rule_table
from simbias.training.fit import margins
from simbias.training.stack import Stack, seed_mesh, spread, stacked

CHUNK = 20_000


class Estimate(NamedTuple):
    """A number a network with its confidence interval; NaN where there is nothing to estimate."""

    value: Float[np.ndarray, " seeds"]
    low: Float[np.ndarray, " seeds"]
    high: Float[np.ndarray, " seeds"]


class Counts(NamedTuple):
    """What one pass counts, each an array (seeds,) of integers.

    ``unscored`` points have no finite logit difference, randomised or not.
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
        """The counts with nothing counted of some networks: their shares are NaN."""
        return Counts(*(np.where(members, 0, part) for part in self))


class Scores(NamedTuple):
    """The logit differences of one chunk's randomised points, with the labels."""

    y: Int[AnyArray, "seeds rows"]
    s_randomised: Float[AnyArray, "seeds rows"]
    sc_randomised: Float[AnyArray, "seeds rows"]


class _Judged(NamedTuple):
    """What is traced of a network that is validated."""

    key: UInt[AnyArray, " words"]
    tables: Tables
    simple: RuleTable
    achievable: RuleTable
    rotation: Float[AnyArray, "dim dim"]
    params: Params


def clopper_pearson(
    successes: Int[np.ndarray, " *shape"], trials: Int[np.ndarray, " *shape"], confidence: float
) -> Estimate:
    """A proportion with its exact interval (Clopper and Pearson, Biometrika 1934).

    Args:
        successes: counts.
        trials: counts; 0 gives NaN.
        confidence: probability that the two-sided interval covers, in (0, 1).
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        value = k / n
        low = np.where(k == 0, 0.0, betaincinv(np.maximum(k, 1), n - k + 1, tail))
        high = np.where(k == n, 1.0, betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail))
    empty = n == 0
    return Estimate(*(np.where(empty, np.nan, part) for part in (value, low, high)))


@pinned
def count(
    stack: Stack, n_certify: int, on_scores: Callable[[Scores], None] | None = None
) -> Counts:
    """Run a stack over fresh draws.

    Args:
        stack: trained networks.
        n_certify: points a network, of which all count or, where one is unscored, none.
        on_scores: called with each chunk's scores, which are not kept.

    Returns:
        The counts of every network.
    """
    seeds, devices = len(stack), tuple(jax.devices())
    judged = [_judged(stack, i) for i in range(seeds)]
    total = Counts(*np.zeros((len(Counts._fields), seeds), np.int64))
    waiting: list[Scores] = []  # of a chunk whose other networks are still to come

    def take_in(members: list[int], made: tuple[Counts, Scores]) -> None:
        counts, scores = jax.device_get(made)
        for place, i in enumerate(members):
            for kept, part in zip(total, counts, strict=True):
                kept[i] += part[place]
            waiting.append(jax.tree.map(lambda leaf, place=place: leaf[place], scores))
            if len(waiting) == seeds:
                if on_scores is not None:
                    on_scores(stacked(waiting))
                waiting.clear()

    # a chunk of one network is a device's unit of work, so that no device waits for another; the
    # devices work on one batch of units while the host takes in the one before
    ahead: tuple[list[int], Any] | None = None
    for rows, units in _units(n_certify, seeds):
        for start in range(0, len(units), len(devices)):
            batch = units[start : start + len(devices)]
            members = [i for _, i in batch]
            filled = batch + batch[-1:] * (len(devices) - len(batch))
            laid = spread(seed_mesh(devices), stacked([judged[i] for _, i in filled]))
            chunks = spread(seed_mesh(devices), np.array([chunk for chunk, _ in filled], np.uint32))
            made = _compiled(stack.cell.network, rows, devices)(laid, chunks)
            if ahead is not None:
                take_in(*ahead)
            ahead = members, made
    assert ahead is not None
    take_in(*ahead)
    return total.without(total.unscored > 0)._replace(unscored=total.unscored)


def _units(n_certify: int, seeds: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Rows of a chunk, and the chunks of that many rows: pairs (chunk, network)."""
    whole, rest = divmod(n_certify, CHUNK)
    if whole:
        yield CHUNK, [(chunk, i) for chunk in range(whole) for i in range(seeds)]
    if rest:
        yield rest, [(whole, i) for i in range(seeds)]


def _judged(stack: Stack, i: int) -> _Judged:
    cell = stack.cell
    return _Judged(
        key=np.asarray(
            jax.random.key_data(stream(network_key(cell.identity, stack.seeds[i]), "certify"))
        ),
        tables=cell.block_task.tables,
        simple=rule_table(simple_rule(cell.block_task)),
        achievable=rule_table(achievable_rule(cell.block_task)),
        rotation=stack.rotation[i],
        params=jax.tree.map(lambda leaf: leaf[i], stack.params),
    )


def _score(
    network: Network, rows: int, judged: _Judged, chunk: UInt[Array, ""]
) -> tuple[Counts, Scores]:
    """Count over one chunk of a network's points.

    A randomised coordinate is drawn given an independent label: that is the limit of permuting the
    rows of an ever larger sample, and it keeps rows independent, as exact intervals require.
    """
    key, key_other = jax.random.split(jax.random.fold_in(key_of(judged.key), chunk))
    uniforms, y = draw_uniforms(judged.tables, key, rows)
    other = jax.random.bernoulli(key_other, shape=(rows,)).astype(jnp.int32)
    plain, mixed = quantile(judged.tables, uniforms, y), quantile(judged.tables, uniforms, other)
    simple = judged.tables.simple[None, :]

    # mapped over, so that the forward pass is compiled once
    kinds = (plain, jnp.where(simple, mixed, plain), jnp.where(simple, plain, mixed))
    margin, without_s, without_sc = jax.lax.map(
        lambda x: margins(network, judged.params, x @ judged.rotation), jnp.stack(kinds)
    )
    said = (margin > 0).astype(jnp.int32)
    exception = exceptional(judged.simple, plain, y)

    def total(hits: Array) -> Int[Array, ""]:
        return jnp.sum(hits, dtype=jnp.int32)

    return Counts(
        points=jnp.int32(rows),
        correct=total(said == y),
        s_correct=total((without_s > 0) == (y == 1)),
        sc_correct=total((without_sc > 0) == (y == 1)),
        exceptions=total(exception),
        exceptions_correct=total(exception & (said == y)),
        simple_agreed=total((said == follow(judged.simple, plain)) & judged.simple.defined),
        achievable_agreed=total(said == follow(judged.achievable, plain)),
        unscored=total(~jnp.isfinite(jnp.stack([margin, without_s, without_sc])).all(axis=0)),
    ), Scores(y, without_s, without_sc)


@lru_cache
def _compiled(network: Network, rows: int, devices: tuple[jax.Device, ...]) -> Callable[..., Any]:
    def each(judged: _Judged, chunk: UInt[Array, " units"]) -> Any:
        return jax.lax.map(lambda unit: _score(network, rows, *unit), (judged, chunk))

    laid = PartitionSpec("seeds")
    return jax.jit(
        jax.shard_map(
            each,
            mesh=seed_mesh(devices),
            in_specs=laid,
            out_specs=laid,
            check_vma=False,
        )
    )
