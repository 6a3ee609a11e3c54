"""Regimes: what the training set of a generation is made of.

A regime makes the statistics of the first generation, from real points, and those of each later
one, from what the generation before writes and what is carried along. Real points, points of a
model and coins have keys of their own, which depend on the generation and not on the regime: so
lineages of one seed and different regimes are compared in pairs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from simbias._checks import check_keys, fail, known, real, whole
from simbias._types import AnyArray, PyTree, Settings
from simbias.generations.generator import Generator, Set, Statistics, with_room

Write = Callable[[AnyArray, int], Set]  # draws rows of the generation before from a key


class GenerationKeys(NamedTuple):
    """The keys of one generation of a lineage."""

    generated: AnyArray
    fresh: AnyArray
    critic: AnyArray
    fitting: AnyArray


Begin = Callable[[Generator, int, GenerationKeys, int], tuple[Statistics, PyTree]]
Later = Callable[[Generator, int, Write, PyTree, GenerationKeys], tuple[Statistics, PyTree]]


@dataclass(frozen=True, eq=False)
class Regime:
    """What the training set of each generation is made of.

    Attributes:
        name: registered.
        settings: numbers, by name.
        begin: generator, points, keys, generations -> the first statistics, and what is carried.
        later: generator, points, the generation before, what is carried, keys -> the same.
        parents: models of a generation, each fitted to points of all of the one before.
        check: raises ValueError for a generator, or a number of points, that it does not suit.

    Examples:
        >>> import simbias
        >>> regime = simbias.generations.regime({"name": "fresh", "proportion": 0.1})
        >>> regime.name, dict(regime.settings)
        ('fresh', {'proportion': 0.1})
    """

    name: str
    settings: Mapping[str, float]
    begin: Begin
    later: Later
    parents: int = 1
    check: Callable[[Generator, int], object] = lambda generator, points: None


def _first(
    generator: Generator, points: int, keys: GenerationKeys, generations: int
) -> tuple[Statistics, PyTree]:
    return generator.gather(generator.real(keys.fresh, points), None), ()


def _written(
    generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
) -> tuple[Statistics, PyTree]:
    return generator.gather(write(keys.generated, points), None), ()


def replace() -> Regime:
    """Each generation learns from the points of the one before alone."""
    return Regime("replace", {}, _first, _written)


def accumulate() -> Regime:
    """Each generation learns from the points of all before it, the real ones among them."""

    def begin(
        generator: Generator, points: int, keys: GenerationKeys, generations: int
    ) -> tuple[Statistics, PyTree]:
        first = generator.gather(generator.real(keys.fresh, points), None)
        pool = first if generator.additive else with_room(first, (generations - 1) * points)
        return pool, pool

    def later(
        generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
    ) -> tuple[Statistics, PyTree]:
        pool = generator.merge(carried, generator.gather(write(keys.generated, points), None))
        return pool, pool

    return Regime("accumulate", {}, begin, later)


def repeat() -> Regime:
    """Generation k learns from k copies of the first real points, as in k epochs, from no other."""

    def begin(
        generator: Generator, points: int, keys: GenerationKeys, generations: int
    ) -> tuple[Statistics, PyTree]:
        first = generator.real(keys.fresh, points)
        return generator.gather(first, jnp.ones(points)), (first, jnp.float32(1))

    def later(
        generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
    ) -> tuple[Statistics, PyTree]:
        first, copies = carried
        return generator.gather(first, jnp.full(points, copies + 1)), (first, copies + 1)

    return Regime("repeat", {}, begin, later)


def fresh(*, proportion: float, coins: bool = False) -> Regime:
    """A proportion of each set is fresh real points: exactly, or by a coin for each point."""
    proportion = real("regime: proportion", proportion, 0, 1)

    def later(
        generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
    ) -> tuple[Statistics, PyTree]:
        if coins:
            for_coins, for_points = jax.random.split(keys.fresh)
            is_real = jax.random.uniform(for_coins, (points,)) < proportion
            written, true = write(keys.generated, points), generator.real(for_points, points)
            return generator.gather(
                jax.tree.map(lambda a, b: _choose(is_real, a, b), true, written), None
            ), ()
        count = round(proportion * points)
        parts = [(write, keys.generated, points - count), (generator.real, keys.fresh, count)]
        sets = [draw(key, rows) for draw, key, rows in parts if rows]
        return generator.gather(jax.tree.map(lambda *a: jnp.concatenate(a), *sets), None), ()

    def check(generator: Generator, points: int) -> None:
        if not coins and abs(proportion * points - round(proportion * points)) > 1e-6:
            words = f"{proportion:g} of {points} points"
            raise fail("regime: proportion", words, "a whole number of points, or coins = 1")

    settings = {"proportion": proportion} | ({"coins": 1.0} if coins else {})
    return Regime("fresh", settings, _first, later, check=check)


def anchor(*, real_points: int) -> Regime:
    """The first real points stay in every set, which models fill up to its size."""
    kept = whole("regime: real_points", real_points)

    def begin(
        generator: Generator, points: int, keys: GenerationKeys, generations: int
    ) -> tuple[Statistics, PyTree]:
        first = generator.real(keys.fresh, points)
        return generator.gather(first, None), jax.tree.map(lambda leaf: leaf[:kept], first)

    def later(
        generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
    ) -> tuple[Statistics, PyTree]:
        written = write(keys.generated, points - kept)
        joined = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), carried, written)
        return generator.gather(joined, None), carried

    def check(generator: Generator, points: int) -> None:
        if kept >= points:
            raise fail("regime: real_points", kept, f"fewer than the {points} points of a set")

    return Regime("anchor", {"real_points": kept}, begin, later, check=check)


def bag(*, parents: int) -> Regime:
    """Models of a generation each learn from points of its own, by any of the models before."""
    parents = whole("regime: parents", parents, least=2, most=100)

    def check(generator: Generator, points: int) -> None:
        if generator.average is None:
            raise fail("regime", "bag", f"another one for {generator.name}, which has no average")

    return Regime("bag", {"parents": parents}, _first, _written, parents, check)


def mirror() -> Regime:
    """Each set is joined by its points under the source's symmetry."""

    def both(generator: Generator, points: Set) -> Statistics:
        assert generator.mirrored is not None  # checked
        image = generator.mirrored(points)
        return generator.gather(
            jax.tree.map(lambda a, b: jnp.concatenate([a, b]), points, image), None
        )

    def begin(
        generator: Generator, points: int, keys: GenerationKeys, generations: int
    ) -> tuple[Statistics, PyTree]:
        return both(generator, generator.real(keys.fresh, points)), ()

    def later(
        generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
    ) -> tuple[Statistics, PyTree]:
        return both(generator, write(keys.generated, points)), ()

    def check(generator: Generator, points: int) -> None:
        if generator.mirrored is None:
            raise fail("regime", "mirror", f"another one for {generator.name}: no symmetry")

    return Regime("mirror", {}, begin, later, check=check)


def verify(*, right: float, wrong: float) -> Regime:
    """A critic accepts right points with one probability, wrong ones with another."""
    right, wrong = real("regime: right", right, 0, 1), real("regime: wrong", wrong, 0, 1)

    def accepted(generator: Generator, points: Set, key: AnyArray) -> Statistics:
        assert generator.right is not None  # checked
        is_right = generator.right(points)
        u = jax.random.uniform(key, is_right.shape)
        weight = (u < jnp.where(is_right, right, wrong)).astype(jnp.float32)
        return generator.gather(points, weight)

    def begin(
        generator: Generator, points: int, keys: GenerationKeys, generations: int
    ) -> tuple[Statistics, PyTree]:
        return accepted(generator, generator.real(keys.fresh, points), keys.critic), ()

    def later(
        generator: Generator, points: int, write: Write, carried: PyTree, keys: GenerationKeys
    ) -> tuple[Statistics, PyTree]:
        return accepted(generator, write(keys.generated, points), keys.critic), ()

    def check(generator: Generator, points: int) -> None:
        if generator.right is None:
            allowed = f"another one for {generator.name}, of which no point is right or wrong"
            raise fail("regime", "verify", allowed)

    return Regime("verify", {"right": right, "wrong": wrong}, begin, later, check=check)


def teacher(*, error: float) -> Regime:
    """The first set is written by a teacher of another error than the corpus has."""
    error = real("regime: error", error, 0, 1)

    def begin(
        generator: Generator, points: int, keys: GenerationKeys, generations: int
    ) -> tuple[Statistics, PyTree]:
        assert generator.better is not None  # checked
        return generator.gather(generator.better(keys.fresh, points, error), None), ()

    def check(generator: Generator, points: int) -> None:
        if generator.better is None:
            raise fail("regime", "teacher", f"another one for {generator.name}, which has no error")

    return Regime("teacher", {"error": error}, begin, _written, check=check)


def _choose(first: AnyArray, a: AnyArray, b: AnyArray) -> AnyArray:
    return jnp.where(first.reshape(-1, *[1] * (a.ndim - 1)), a, b)


_REGIMES: Mapping[str, tuple[Callable[..., Regime], Mapping[str, type], Mapping[str, type]]] = {
    "replace": (replace, {}, {}),
    "accumulate": (accumulate, {}, {}),
    "repeat": (repeat, {}, {}),
    "fresh": (fresh, {"proportion": float}, {"coins": int}),
    "anchor": (anchor, {"real_points": int}, {}),
    "bag": (bag, {"parents": int}, {}),
    "mirror": (mirror, {}, {}),
    "verify": (verify, {"right": float, "wrong": float}, {}),
    "teacher": (teacher, {"error": float}, {}),
}


def regime(settings: Settings) -> Regime:
    """The regime of some settings, its ``name`` among them; raises ValueError.

    Examples:
        >>> import simbias
        >>> simbias.generations.regime({"name": "fresh", "proportion": 1.5})
        Traceback (most recent call last):
            ...
        ValueError: regime: proportion: got 1.5, allowed: a number in [0, 1]
    """
    name = known("regime: name", settings.get("name"), _REGIMES)
    make, required, optional = _REGIMES[name]
    check_keys("regime", settings, {"name": str} | dict(required), dict(optional))
    own = {key: value for key, value in settings.items() if key != "name"}
    if "coins" in own:
        own["coins"] = bool(whole("regime: coins", own["coins"], least=0, most=1))
    return make(**own)
