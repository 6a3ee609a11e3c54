"""Lineages: generation after generation of a generator under a regime, many at once.

Lineages run in chunks of a generator's size, the last one padded, so that the bits of a lineage
depend on its own keys alone. A cell says what is done, and how many lineages a seed has.
Longer than 400 lines because a cell, its lineages and the state that they resume from are one.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, UInt

from simbias._checks import check_keys, fail, whole
from simbias._frames import DataFrame, frame
from simbias._identity import canonical
from simbias._keys import identity_key, key_of, stream
from simbias._pinned import pinned
from simbias._types import AnyArray, PyTree, Settings
from simbias.generations.catalogue import generator_of
from simbias.generations.generator import Generator
from simbias.generations.regimes import GenerationKeys, Regime, regime
from simbias.parallel import Devices, devices_for, over_seeds, spread
from simbias.stats.labelled import Labelled, tidy

_MOST_GENERATIONS, _MOST_LINEAGES, _MOST_POINTS = 10_000, 1_000_000, 1_000_000


@dataclass(frozen=True)
class LineageCell:
    """What lineages do: a source, a generator, a regime and sizes.

    Attributes:
        texts: name and settings of task, generator and regime, each as canonical text.
        points: of the set of each generation.
        generations: fits; the first is to real points.
        lineages: independent ones of a seed.

    Raises:
        ValueError: an unknown name or setting, or one out of range.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"}, points=20
        ... )
        >>> cell.name.rpartition("/")[0], cell.generations, cell.lineages
        ('normal/gaussian/replace', 10, 1000)
    """

    texts: tuple[str, str, str]
    points: int
    generations: int
    lineages: int

    @classmethod
    def of(
        cls,
        source: Settings,
        generator: Settings,
        regime: Settings,
        *,
        points: int,
        generations: int = 10,
        lineages: int = 1000,
    ) -> "LineageCell":
        """The cell of plain settings; raises ValueError."""
        for place, table in (("task", source), ("generator", generator), ("regime", regime)):
            check_keys(place, table, {"name": str}, dict.fromkeys(table))
        cell = cls(
            (canonical(source), canonical(generator), canonical(regime)),
            whole("points", points, most=_MOST_POINTS),
            whole("generations", generations, most=_MOST_GENERATIONS),
            whole("lineages", lineages, most=_MOST_LINEAGES),
        )
        if points < cell.generator.least:
            least = f"at least {cell.generator.least} for {cell.generator.name}"
            least += " with this ddof" if "ddof" in cell.generator.settings else ""
            raise fail("points", points, least)
        cell.regime.check(cell.generator, points)
        return cell

    @property
    def parts(self) -> dict[str, Settings]:
        """The tables that it was made of: task, generator and regime."""
        return dict(zip(("task", "generator", "regime"), map(_plain, self.texts), strict=True))

    @cached_property
    def generator(self) -> Generator:
        """What is fitted, and its source."""
        return _generator(*self.texts[:2])

    @cached_property
    def regime(self) -> Regime:
        """What sets are made of."""
        return _regime(self.texts[2])

    @property
    def settings(self) -> Settings:
        sizes = {"points": self.points, "generations": self.generations, "lineages": self.lineages}
        return {"experiment": "generations", **self.parts, **sizes}

    @property
    def identity(self) -> str:
        return canonical(self.settings)

    @property
    def name(self) -> str:
        digest = hashlib.sha256(self.identity.encode()).hexdigest()
        return f"{self.generator.source}/{self.generator.name}/{self.regime.name}/{digest[:6]}"


def _plain(text: str) -> Settings:
    settings: Settings = json.loads(text)
    return settings


@lru_cache(maxsize=256)
def _generator(source: str, settings: str) -> Generator:
    return generator_of(_plain(source), _plain(settings))


@lru_cache(maxsize=256)
def _regime(settings: str) -> Regime:
    return regime(_plain(settings))


class Lineages(NamedTuple):
    """Measures of lineages, generation by generation.

    Attributes:
        cell, seed: of which they are.
        values: by measure, (lineages, generations); NaN where a model has no such number, and from
            the generation on in which a lineage ends.
        alive: whether a lineage has a model, (lineages, generations).

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> lineages = simbias.generations.lineages(cell, seed=0)
        >>> lineages.values["variance"].shape, bool(lineages.alive.all())
        ((300, 4), True)
    """

    cell: LineageCell
    seed: int
    values: dict[str, Float[np.ndarray, "lineages generations"]]
    alive: Bool[np.ndarray, "lineages generations"]

    def labelled(self) -> dict[str, Labelled]:
        """The measures by name, with named axes: lineages, generations from the first on."""
        lineages, generations = self.alive.shape
        axes = {"lineage": range(lineages), "generation": range(1, generations + 1)}
        return {name: Labelled(values, axes) for name, values in self.values.items()}

    def to_frame(self) -> DataFrame:
        """A pandas data frame with a row an entry; raises ValueError where there is no pandas."""
        return frame(tidy(self.labelled()))

    @property
    def ended(self) -> str:
        """How many lineages ended before the last generation, when the first, and why; or ""."""
        dead = ~self.alive[:, -1]
        if not dead.any():
            return ""
        first = int(np.argmin(self.alive.all(axis=0))) + 1
        of = f"{dead.sum()} of {len(dead)} lineages ended, the first at generation {first}"
        return f"{of}: {self.cell.generator.fault}"


class LineageState(NamedTuple):
    """Lineages on their way: what goes on from here, and the measures so far.

    Attributes:
        generation: the last one.
        leaves: arrays of models and of what is carried, lineages on the leading axis.
        values, alive: as in ``Lineages``, up to here.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> first, *_ = simbias.generations.states(cell, seed=0)
        >>> first.generation, first.alive.shape
        (1, (300, 1))
    """

    generation: int
    leaves: list[np.ndarray]
    values: dict[str, np.ndarray]
    alive: np.ndarray


@pinned
def lineages(cell: LineageCell, seed: int) -> Lineages:
    """The lineages of a seed.

    Raises:
        ValueError: no seed.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> variance = simbias.generations.lineages(cell, seed=0).values["variance"]
        >>> bool(abs(variance.mean() - 1) < 0.1)
        True
    """
    *_, state = states(cell, seed)
    return Lineages(cell, seed, state.values, state.alive)


def states(
    cell: LineageCell, seed: int, state: LineageState | None = None
) -> Iterator[LineageState]:
    """The lineages of a seed as they go on, from the first generation or a state that was kept.

    Examples:
        >>> import simbias
        >>> cell = simbias.generations.LineageCell.of(
        ...     {"name": "normal"}, {"name": "gaussian"}, {"name": "replace"},
        ...     points=20, generations=4, lineages=300,
        ... )
        >>> [state.generation for state in simbias.generations.states(cell, seed=0)]
        [1, 4]
    """
    words = _lineage_keys(cell, whole("seed", seed, least=0, most=2**63 - 1))
    if state is None:
        state = _advanced(cell, words, None)
        yield state
    while state.generation < cell.generations:
        state = _advanced(cell, words, state)
        yield state


@pinned
def _lineage_keys(cell: LineageCell, seed: int) -> UInt[np.ndarray, "lineages 2"]:
    """The keys of a seed's lineages: of source and generator, so that regimes are in pairs."""
    key = identity_key(" ".join(("lineages", *cell.texts[:2])), seed)
    folded = jax.vmap(lambda i: jax.random.fold_in(key, i))(np.arange(cell.lineages))
    return np.asarray(jax.random.key_data(folded))


@pinned
def _advanced(cell: LineageCell, words: np.ndarray, state: LineageState | None) -> LineageState:
    """The state after the next segment of generations."""
    devices, generator = devices_for(), cell.generator
    begun = None if state is None else state.leaves
    first = 1 if state is None else state.generation + 1
    longest = min(generator.generations_at_once, cell.generations - 1)
    length = 1 if state is None else longest
    room = 1 if generator.additive else cell.generations  # only such sets have room to grow
    program = _program(cell.texts, cell.points, length if begun else 0, room, devices)
    ks = np.arange(first, first + length, dtype=np.int32)
    size = generator.lineages_at_once
    starts = range(0, len(words), size)
    trees = [_chunk([words, *(begun or [])], start, size) for start in starts]
    parts = []
    for i in range(0, len(trees), len(devices)):
        batch = trees[i : i + len(devices)]
        outcome = program(spread(batch, devices, rows=len(devices)), ks)
        leaves, values, alive = jax.tree.map(np.asarray, outcome)
        for row in range(len(batch)):
            parts.append(
                (
                    [leaf[row] for leaf in leaves],
                    {k: v[row] for k, v in values.items()},
                    alive[row],
                )
            )
    n, new = len(words), min(length, cell.generations - first + 1)
    leaves = [np.concatenate(leaf)[:n] for leaf in zip(*(part[0] for part in parts), strict=True)]
    values = {
        name: np.concatenate([part[1][name] for part in parts])[:n, :new] for name in parts[0][1]
    }
    alive = np.concatenate([part[2] for part in parts])[:n, :new]
    if state is not None:
        alive = np.concatenate([state.alive, alive & state.alive[:, -1:]], axis=1)
        values = {
            name: np.concatenate([state.values[name], values[name]], axis=1) for name in values
        }
    alive = np.logical_and.accumulate(alive, axis=1)
    values = {name: np.where(alive, value, np.nan) for name, value in values.items()}
    return LineageState(first + new - 1, leaves, values, alive)


def _chunk(arrays: Sequence[np.ndarray], start: int, size: int) -> list[np.ndarray]:
    """The rows of one chunk, the last repeated where there are too few."""
    rows = np.minimum(np.arange(start, start + size), len(arrays[0]) - 1)
    return [array[rows] for array in arrays]


@lru_cache(maxsize=64)
def _program(
    texts: tuple[str, str, str], points: int, length: int, room: int, devices: Devices
) -> Callable[..., AnyArray]:
    """The compiled segment of so many generations; of the first where it is 0."""
    generator, ruled = _generator(*texts[:2]), _regime(texts[2])
    structure = jax.tree.structure(
        jax.eval_shape(
            lambda words: _begin(generator, ruled, points, room, key_of(words)),
            jax.ShapeDtypeStruct((2,), jnp.uint32),
        )
    )

    def of_lineage(parts: Sequence[AnyArray], ks: AnyArray) -> AnyArray:
        key = key_of(parts[0])
        if not length:
            begun = _begin(generator, ruled, points, room, key)
            measures, alive = _measured(generator, ruled, begun)
            ends = {name: value[None] for name, value in measures.items()}
            return jax.tree.leaves(begun), ends, alive[None]

        def step(state: PyTree, k: AnyArray) -> tuple[PyTree, tuple[dict[str, AnyArray], AnyArray]]:
            later = _later(generator, ruled, points, state, key, k)
            return later, _measured(generator, ruled, later)

        begun = jax.tree.unflatten(structure, parts[1:])
        ended, (measures, alive) = jax.lax.scan(step, begun, ks)
        return jax.tree.leaves(ended), measures, alive

    def of_chunk(parts: Sequence[AnyArray], ks: AnyArray) -> AnyArray:
        return jax.vmap(of_lineage, in_axes=(0, None))(parts, ks)

    return over_seeds(of_chunk, devices)


def _keys(key: AnyArray) -> GenerationKeys:
    return GenerationKeys(
        *(stream(key, name) for name in ("generated", "fresh", "critic", "fitting"))
    )


def _siblings(key: AnyArray, parents: int) -> AnyArray:
    return jax.vmap(lambda j: jax.random.fold_in(key, j))(jnp.arange(parents))


def _begin(
    generator: Generator, ruled: Regime, points: int, generations: int, key: AnyArray
) -> PyTree:
    """Models, what is carried along, and the models again if later ones are compared with them."""

    def of_sibling(key: AnyArray) -> PyTree:
        keys = _keys(key)
        statistics, carried = ruled.begin(generator, points, keys, generations)
        return generator.fit(statistics, keys.fitting), carried

    key = jax.random.fold_in(key, 1)
    if ruled.parents == 1:
        models, carried = of_sibling(key)
    else:
        models, carried = jax.vmap(of_sibling)(_siblings(key, ruled.parents))
    return models, carried, () if generator.compare is None else models


def _later(
    generator: Generator, ruled: Regime, points: int, state: PyTree, key: AnyArray, k: AnyArray
) -> PyTree:
    models, carried, first = state

    def write(key: AnyArray, rows: int) -> PyTree:
        if ruled.parents == 1:
            return generator.draw(models, key, rows)
        for_parents, for_points = jax.random.split(key)
        parent = jax.random.randint(for_parents, (rows,), 0, ruled.parents)
        drawn = jax.vmap(lambda model: generator.draw(model, for_points, rows))(models)
        return jax.tree.map(lambda leaf: leaf[parent, jnp.arange(rows)], drawn)

    def of_sibling(carried: PyTree, key: AnyArray) -> PyTree:
        keys = _keys(key)
        statistics, carried = ruled.later(generator, points, write, carried, keys)
        return generator.fit(statistics, keys.fitting), carried

    key = jax.random.fold_in(key, k)
    if ruled.parents == 1:
        return *of_sibling(carried, key), first
    return *jax.vmap(of_sibling)(carried, _siblings(key, ruled.parents)), first


def _measured(
    generator: Generator, ruled: Regime, state: PyTree
) -> tuple[dict[str, AnyArray], AnyArray]:
    models, _, first = state
    if ruled.parents == 1:
        model, alive = models, generator.alive(models)
    else:
        assert generator.average is not None  # checked
        model, alive = generator.average(models), jax.vmap(generator.alive)(models).all()
    measures = dict(generator.measure(model))
    if generator.compare is not None:
        measures |= generator.compare(model, first)
    return measures, alive
