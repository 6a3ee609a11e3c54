"""Points are drawn once: across chunks, networks, streams and measurements no two are the same.

Points that come twice leave every estimate unbiased and make every interval wrong. What is drawn is
written down inside the compiled programs, in small chunks, and compared row by row: coordinates are
continuous, so equal rows are one draw.
"""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import streams

from simbias import MLP, _keys, sgd, tasks
from simbias.bounds import descent
from simbias.models import Panel, panel
from simbias.tasks.block_task import quantile
from simbias.tasks.oracle import Layer
from simbias.tasks.task import sampler
from simbias.training import Cell
from simbias.training.draws import fingerprint
from simbias.training.jobs import N_SELECT
from simbias.training.problem import (
    draw_mask,
    draw_points,
    draw_supersample,
    draw_training_set,
    problem_of,
    training_set,
)
from simbias.validation import N_CERTIFY, control, measure_islands, paired, risk, vicinity
from simbias.validation.contexts import draw_lines

pytestmark = pytest.mark.thorough

ROWS = 64  # of a chunk, here and nowhere else: programs that write down serve no other test
SEEDS = (0, 1, 2**32)  # the last differs from the first in its high bits only
POINTS = 3 * ROWS + 5  # whole chunks and a part of one
STREAMS = (
    "train", "select", "certify", "holdout", "context", "supersample", "selective", "sets",
    "weighted", "replacement",
)  # fmt: skip
CELL = Cell(
    replace(tasks.get("noisy-lms-7", dim=4), rotated=False),  # points are seen as drawn
    MLP(7, 1),
    sgd(learning_rate=0.1),
    n_train=2000,
    batch=16,
)


OTHERS = (("noisy-lms-7", {"noise": 0.2}), ("ms-7", {}))


class Drawn(NamedTuple):
    """What measurements of three networks have drawn, and what they count at whole chunks."""

    risk: list  # (uniforms, labels) of a chunk of a network
    scores: list  # of a chunk of all networks
    paired: list  # (points, labels) of a chunk of a pair
    stochastic: list  # (points, labels, key of the weights) of a chunk of a network
    fresh: list  # exceptions whose islands are measured
    ways: list  # ends of the chords from exceptions, training ones and fresh ones
    counts: list  # by number of whole chunks, of each measurement


def written_down(monkeypatch, module, name):
    """What a function of a module returns from here on, compiled or not, call by call."""
    original, seen = getattr(module, name), []

    def recording(*arguments):
        result = original(*arguments)
        jax.debug.callback(
            lambda *parts: seen.append([np.array(part) for part in parts]), *jax.tree.leaves(result)
        )
        return result

    monkeypatch.setattr(module, name, recording)
    return seen


@pytest.fixture(scope="module")
def drawn():
    stack, best = (control(CELL, rule, seeds=SEEDS) for rule in ("simple", "achievable"))
    device = jax.devices()[:1]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(jax, "devices", lambda *_: device)
        for module in (risk, paired):
            monkeypatch.setattr(module, "CHUNK", ROWS)
        counts = (written_down(monkeypatch, risk, "draw_uniforms"), [])
        pairs = written_down(monkeypatch, paired, "draw")
        ways = written_down(monkeypatch, vicinity, "draw_given")
        stochastic = []

        class Recorder:
            label, kind, stochastic = "recorder", "logits", True

            def scores(self, x, key):
                stochastic.append((np.asarray(x), jax.random.key_data(key).tolist()))
                return np.zeros((len(x), 2))

        risk.count(stack, POINTS, counts[1].append)
        jax.effects_barrier()
        counted = list(counts[0])  # without those of the recorder
        paired.paired(stack, best, points=POINTS)
        for i in range(len(SEEDS)):
            risk.errors(Panel((Recorder(),), (panel(stack).data[i],)), POINTS, 0.95)
        fresh = measure_islands(stack, sample=10, directions=3).fresh
        jax.effects_barrier()
        drawings = Drawn(
            counted,
            list(counts[1]),
            list(pairs),
            stochastic,
            [exception.position for exception in fresh],
            [x for (x,) in ways],
            [
                (
                    risk.count(stack, n * ROWS).correct,
                    paired.paired(stack, best, points=n * ROWS).first_errs,
                )
                for n in (1, 2, 3, 4)
            ],
        )
    return drawings


def apart(sets, rows):
    """Whether no row comes twice in any of the sets, which hold so many rows together."""
    joined = np.concatenate([np.asarray(x, np.float32) for x in sets])
    assert len(joined) == rows
    return len(np.unique(joined, axis=0)) == rows


def whole(labels):
    """The labels of whole chunks, a row for each chunk."""
    return [np.asarray(y)[None] for y in labels if len(y) == ROWS]


# those that are drawn in chunks, whose loop would be compiled anew at every call
in_chunks = jax.jit(draw_points, static_argnums=(0, 2, 3))
supersample = jax.jit(draw_supersample, static_argnums=(0, 2))
masked_set = jax.jit(draw_training_set, static_argnums=(0, 2))


def stream(cell, seed, name, rows=ROWS):
    draw = in_chunks if name in ("train", "supersample") else draw_points
    return draw(sampler(cell.task), problem_of(cell, seed), name, rows).x


def test_a_draw_that_comes_twice_is_seen():
    x, _ = CELL.task.sample(jax.random.key(0), ROWS)
    assert apart([x], ROWS) and not apart([x, x[:1]], ROWS + 1)


# chunks


def test_no_two_points_of_the_risk_are_the_same(drawn):
    assert apart([uniforms for uniforms, _ in drawn.risk], POINTS * len(SEEDS))
    labels = whole(y for _, y in drawn.risk)
    # a randomised coordinate of the simple rule says the label that it was drawn for
    labels += whole(side > 0 for chunk in drawn.scores for side in chunk.s_randomised)
    assert apart(labels, 2 * 3 * len(SEEDS))


def test_no_two_points_of_paired_counts_are_the_same(drawn):
    assert apart([x for x, _ in drawn.paired], POINTS * len(SEEDS))
    assert apart(whole(y for _, y in drawn.paired), 3 * len(SEEDS))


@pytest.mark.parametrize("measurement", (0, 1))
def test_what_a_chunk_adds_to_counts_is_not_what_the_one_before_has_added(drawn, measurement):
    total = np.array([counts[measurement] for counts in drawn.counts])
    added = np.diff(total, axis=0, prepend=0)
    assert all((first != other).any() for first, other in pairwise(added))


def test_a_stochastic_network_draws_its_weights_anew_in_every_chunk(drawn):
    assert len({tuple(key) for *_, key in drawn.stochastic}) == 4 * len(SEEDS)


def test_a_stochastic_network_is_asked_about_the_points_of_the_network_itself(drawn):
    own = [np.asarray(quantile(CELL.task.tables, *map(jnp.asarray, draws))) for draws in drawn.risk]
    copies = [x for x, *_ in drawn.stochastic]
    assert apart(copies, POINTS * len(SEEDS))
    first, other = (np.sort(np.concatenate(sets), axis=0) for sets in (own, copies))
    np.testing.assert_allclose(first, other, atol=1e-6)


def test_errors_of_a_posterior_are_counted_on_draws_of_their_own_in_every_chunk(monkeypatch):
    seen, original = [], descent.wrong

    def recording(act, mean, deviation, x, positive, key):
        parts = x, jax.random.key_data(key)
        jax.debug.callback(
            lambda *parts: seen.append([np.array(p).tobytes() for p in parts]), *parts
        )
        return original(act, mean, deviation, x, positive, key)

    monkeypatch.setattr(descent, "ROWS", ROWS)
    monkeypatch.setattr(descent, "wrong", recording)
    layers = (Layer(jnp.ones((4, 1)), jnp.zeros(1)),)
    x = jax.random.normal(jax.random.key(0), (256, 4))
    problem = descent.PosteriorProblem(layers, layers, x, jnp.ones(256), np.int32(0), np.int32(256))
    free = descent.Free(layers, layers, jnp.zeros(1))
    descent._errors(jax.nn.relu, problem, free, 3 * ROWS, jax.random.key(1))
    jax.effects_barrier()
    assert [len(set(part)) for part in zip(*seen, strict=True)] == [3, 3]


# streams, seeds and cells


def test_streams_seeds_and_tasks_have_points_of_their_own():
    others = (tasks.get(name, dim=4, **more) for name, more in OTHERS)
    cells = [CELL, *(replace(CELL, task=replace(task, rotated=False)) for task in others)]
    sets = [stream(cell, seed, name) for cell in cells for seed in SEEDS for name in STREAMS]
    assert apart(sets, len(cells) * len(SEEDS) * len(STREAMS) * ROWS)


def test_what_measures_a_network_has_seen_nothing_that_made_it(drawn):
    """Training, selection, certificates, risk, pairs, grids and islands of every network."""
    own = [np.asarray(quantile(CELL.task.tables, *map(jnp.asarray, draws))) for draws in drawn.risk]
    stack = control(CELL, "simple", seeds=SEEDS)
    sets = [
        *(stream(CELL, seed, name, 2000) for seed in SEEDS for name in ("train", "select")),
        *(stream(CELL, seed, "holdout", 2000) for seed in SEEDS),
        *own,
        *(x for x, _ in drawn.paired),
        *(draw_lines(stack, i, 0, ROWS) for i in range(len(SEEDS))),
        *drawn.fresh,
        *drawn.ways,
    ]
    assert apart(sets, len(SEEDS) * (3 * 2000 + 2 * POINTS + ROWS + 10 + 2 * 10 * 3))


def test_supersamples_and_masks_are_of_one_network():
    points = [supersample(sampler(CELL.task), problem_of(CELL, seed, 0), ROWS).x for seed in SEEDS]
    points += [stream(CELL, seed, name, 2 * ROWS) for seed in SEEDS for name in STREAMS[:4]]
    assert apart(points, 5 * len(SEEDS) * 2 * ROWS)
    masks = [draw_mask(problem_of(CELL, seed, i), ROWS) for seed in SEEDS for i in (0, 1, 2)]
    assert apart(whole(masks), 3 * len(SEEDS))


# of a power of two a sum is also a bitwise or
@pytest.mark.parametrize("pairs", (37, pytest.param(ROWS, marks=pytest.mark.slow)))
def test_a_masked_training_set_is_one_point_of_each_pair(pairs):
    problem = problem_of(CELL, 0, 1)
    both = jax.tree.leaves(supersample(sampler(CELL.task), problem, pairs))
    second = np.asarray(draw_mask(problem, pairs))
    assert 0 < second.sum() < pairs
    leaves = jax.tree.leaves(masked_set(sampler(CELL.task), problem, pairs))
    for part, sets in zip(leaves, both, strict=True):
        first, other = np.asarray(sets[:pairs]), np.asarray(sets[pairs:])
        chosen = second if first.ndim == 1 else second[:, None]
        np.testing.assert_array_equal(part, np.where(chosen, other, first))


def test_lines_across_slabs_have_places_of_their_own_in_the_margin():
    stack = control(CELL, "simple", seeds=SEEDS)
    places = np.concatenate([draw_lines(stack, i, 0, ROWS)[:, 0] for i in range(len(SEEDS))])
    assert len(np.unique(places)) == ROWS * len(SEEDS)


# draws that recorded results rest on

FIRST = {  # point of each stream, its first two coordinates
    "train": (-0.856878, -0.055310),
    "select": (-0.094644, 0.312757),
    "certify": (0.144123, 0.354465),
    "holdout": (-0.598881, -0.015540),
    "context": (0.456102, 0.324236),
    "supersample": (-0.335852, 0.012422),
}


def words(problem, name):
    """The first two words of the stream of this name that is no stream of data."""
    key = _keys.stream(_keys.key_of(getattr(problem.keys, name)), name)
    return jax.random.bits(key, (2,)).tolist()


def test_draws_of_a_fixed_network_are_the_recorded_ones():
    cell = replace(CELL, task=tasks.get("noisy-lms-7", dim=4))
    problem = problem_of(cell, 3)
    for name, expected in FIRST.items():
        x, _ = streams.points(cell.task, 3, 2, name)
        assert x[0, :2].tolist() == pytest.approx(expected, abs=1e-5), name
    turn = problem.law.rotation[0].tolist()
    assert turn == pytest.approx([0.51719, 0.85285, 0.05282, -0.04875], abs=1e-4)
    assert words(problem, "initialisation") == [2306644037, 2563782988]
    assert words(problem, "order") == [2127663245, 2207753257]
    assert words(problem, "method") == [381101626, 4227421555]
    assert fingerprint(problem, training_set(cell, problem)) == "f60fb55b84d795ff"
    mask = draw_mask(problem_of(cell, 3, 1), 8)
    assert mask.tolist() == [False, False, True, True, True, True, True, False]

    simple, best = (control(cell, rule, seeds=[3]) for rule in ("simple", "achievable"))
    places = draw_lines(simple, 0, 0, 4)[:, 0]
    assert places.tolist() == pytest.approx([-0.077339, -0.030813, 0.083878, 0.058757], abs=1e-5)
    islands = measure_islands(simple, sample=3, directions=2)
    assert islands.training[0].index.tolist() == [1695, 1798, 1836]
    fresh = islands.fresh[0].position[:, 1].tolist()
    assert fresh == pytest.approx([-0.666108, -0.678797, -0.280776], abs=1e-5)
    counts = [int(part[0]) for part in risk.count(simple, 25_000)]
    assert counts == [25_000, 23_769, 12_371, 23_769, 1231, 0, 25_000, 23_769, 0]
    pairs = paired.paired(simple, best, points=25_000)
    assert [int(part[0]) for part in pairs] == [25_000, 1231, 0]


def test_sizes_that_recorded_results_rest_on_are_what_they_were():
    assert (N_SELECT, N_CERTIFY) == (10_000, 200_000)
    assert risk.CHUNK == paired.CHUNK == 20_000
