"""Bigrams fitted to sequences of a known Markov chain, of several of them, or of a text.

Of a known chain the cross-entropies of source and model are exact. A model of pairs of tokens sees
the mean of several chains only.
"""

import jax
import jax.numpy as jnp
import numpy as np

from simbias._checks import check_keys, real
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics
from simbias.generations.sequences import sequences, walk

_RARE = 0.05  # mass of the source in its rarest transitions, at most
_POWERS = 64  # squarings would do; the chains mix within a few steps


def bigrams(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings.

    Args:
        source: as ``sequences`` takes it.
        settings: ``smoothing``, what each transition is counted beforehand (default .01).

    Raises:
        ValueError: an unknown setting, one out of range, or a text without two characters.

    Examples:
        >>> import jax
        >>> import simbias
        >>> generator = simbias.generations.bigrams({"states": 4}, {})
        >>> points = generator.real(jax.random.key(0), 100)
        >>> model = generator.fit(generator.gather(points, None), None)
        >>> points.shape, round(float(model["transitions"].sum()), 3)
        ((100, 50), 4.0)
    """
    check_keys("generator", settings, {}, {"smoothing": float})
    smoothing = real("generator: smoothing", settings.get("smoothing", 0.01), 0, open_low=True)
    drawn_from = sequences(source)
    pairs, length = drawn_from.pairs, drawn_from.length
    states = len(pairs)
    old = pairs.astype(np.float32)
    order = np.argsort(pairs, axis=None, kind="stable")
    ordered = pairs.ravel()[order]
    is_rare = np.zeros(states * states, np.float32)
    is_rare[order] = (np.cumsum(ordered) <= _RARE) & (ordered > 0)
    rare = is_rare.reshape(states, states)
    given = pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1e-30)
    logs_old = np.where(pairs > 0, np.log(np.maximum(given, 1e-30)), 0).astype(np.float32)
    possible = (pairs > 0).astype(np.float32)

    def gather(points: Set, weight: AnyArray | None) -> Statistics:
        one_hot = jax.nn.one_hot(points, states, dtype=jnp.float32)
        own = one_hot if weight is None else one_hot * weight[:, None, None]
        return {"pairs": jnp.einsum("rti,rtj->ij", own[:, :-1], one_hot[:, 1:])}

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        counts = statistics["pairs"] + smoothing
        return {
            "transitions": counts / counts.sum(axis=1, keepdims=True),
            "seen": (statistics["pairs"] > 0).astype(jnp.float32),
        }

    def pairs_of(transitions: AnyArray) -> AnyArray:
        law = jnp.full(states, 1 / states, jnp.float32)
        law = jax.lax.fori_loop(0, _POWERS, lambda i, p: p @ transitions, law)
        return law[:, None] * transitions

    def draw(model: Model, key: AnyArray, rows: int) -> Set:
        sums = jnp.cumsum(model["transitions"], axis=1)
        law = jnp.cumsum(pairs_of(model["transitions"]).sum(axis=1))
        first = jnp.broadcast_to(law / law[-1], (rows, states))
        return walk(key, rows, length, first, lambda token: sums[token])

    def measure(model: Model) -> Measures:
        transitions = model["transitions"]
        own, logs = pairs_of(transitions), jnp.log(transitions)
        return {
            "entropy": -(own * logs).sum(),
            "tail": (own * rare).sum(),
            "support": (model["seen"] * possible).sum() / float(possible.sum()),
            "old_under_new": -(old * logs).sum(),
            "new_under_old": jnp.where(
                bool(possible.all()), -(own * logs_old).sum(), jnp.nan
            ),  # elsewhere the source gives some of them no mass
        }

    return Generator(
        name="bigrams",
        source=drawn_from.name,
        settings=drawn_from.settings | {"smoothing": smoothing},
        real=drawn_from.real,
        draw=draw,
        gather=gather,
        merge=lambda a, b: {"pairs": a["pairs"] + b["pairs"]},
        fit=fit,
        measure=measure,
        alive=lambda model: jnp.isfinite(model["transitions"]).all(),
        fault="no transition was accepted",
        average=lambda models: {
            "transitions": models["transitions"].mean(axis=0),
            "seen": models["seen"].max(axis=0),
        },
        facts={"entropy": drawn_from.entropy, "tail": float((pairs * rare).sum())},
    )
