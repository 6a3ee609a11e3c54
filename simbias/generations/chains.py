"""Bigrams fitted to sequences of a known Markov chain, of several of them, or of a text.

Of a known chain everything is exact: its entropy, its rare transitions, the cross-entropies of
source and model. A *persona* is a chain of its own; a model of pairs of tokens sees the mean of
several only. Sequences are cut into rows, each of which begins anew.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simbias._checks import check_keys, fail, instance, real, whole
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics
from simbias.generations.histogram import long_tail

_RARE = 0.05  # mass of the source in its rarest transitions, at most
_MOST_STATES, _LONGEST = 256, 10_000
_POWERS = 64  # squarings would do; the chains mix within a few steps


def bigrams(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings.

    Args:
        source: of ``chain``: ``states`` (default 20) and ``personas`` (default 1), each a chain of
            its own; of ``text``: ``path`` of a file. Rows have ``length`` tokens (default 50).
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
    length = whole("task: length", source.get("length", 50), least=2, most=_LONGEST)
    if "path" in source:
        check_keys("task", source, {"path": str}, {"length": int})
        return _of_text(source["path"], length, smoothing)
    check_keys("task", source, {}, {"states": int, "personas": int, "length": int})
    states = whole("task: states", source.get("states", 20), least=2, most=_MOST_STATES)
    personas = whole("task: personas", source.get("personas", 1), most=100)
    chains = np.stack([known_chain(states, persona) for persona in range(personas)])
    starts = np.stack([stationary(chain) for chain in chains])
    ends, first = np.cumsum(chains, axis=2), np.cumsum(starts, axis=1)

    def draw_real(key: AnyArray, rows: int) -> Set:
        for_persona, for_tokens = jax.random.split(key)
        persona = jax.random.randint(for_persona, (rows,), 0, personas)
        own_first = jnp.asarray(first, jnp.float32)[persona]
        own_ends = jnp.asarray(ends, jnp.float32)
        return _walk(for_tokens, rows, length, own_first, lambda token: own_ends[persona, token])

    pairs = (starts[:, :, None] * chains).mean(axis=0)
    entropy = float(-(starts[:, :, None] * chains * np.log(chains)).sum() / personas)
    facts = {"states": states, "personas": personas, "length": length, "smoothing": smoothing}
    return _generator("chain", draw_real, pairs, smoothing, length, facts, entropy)


def known_chain(states: int, persona: int = 0) -> Float[np.ndarray, "states states"]:
    """A chain that is the same everywhere: each row is Zipf's law in an order of its own.

    After token i of persona p, token j has the rank (j + (p + 1) i^2 + 7 p) mod states.
    """
    i, j = np.ogrid[:states, :states]
    ranks = (j + (persona + 1) * i**2 + 7 * persona) % states
    chain: Float[np.ndarray, "states states"] = long_tail(states, 1.0)[ranks]
    return chain


def stationary(chain: Float[np.ndarray, "states states"]) -> Float[np.ndarray, " states"]:
    """The law that a chain keeps."""
    row = np.linalg.matrix_power(chain, 1024)[0]
    law: Float[np.ndarray, " states"] = row / row.sum()
    return law


def _walk(
    key: AnyArray, rows: int, length: int, first: AnyArray, ends: Callable[[AnyArray], AnyArray]
) -> AnyArray:
    """Rows of tokens, by the running sums of the first token's law and of each transition's."""
    u = jax.random.uniform(key, (length, rows))

    def chosen(sums: AnyArray, u: AnyArray) -> AnyArray:
        return (u[:, None] >= sums[:, :-1]).sum(axis=1)

    def step(token: AnyArray, u: AnyArray) -> tuple[AnyArray, AnyArray]:
        after = chosen(ends(token), u)
        return after, after

    start = chosen(first, u[0])
    _, later = jax.lax.scan(step, start, u[1:])
    return jnp.concatenate([start[None], later]).T


def _of_text(path: str, length: int, smoothing: float) -> Generator:
    text, digest = read_text(path)
    letters = sorted(set(text))
    if len(letters) > _MOST_STATES:
        raise fail("task: path", f"{len(letters)} different characters", f"at most {_MOST_STATES}")
    if len(text) <= length:
        raise fail("task: path", f"{len(text)} characters", f"more than length, {length}")
    place = {letter: i for i, letter in enumerate(letters)}
    tokens = np.array([place[letter] for letter in text], np.int32)
    counts = np.zeros((len(letters), len(letters)))
    np.add.at(counts, (tokens[:-1], tokens[1:]), 1)

    def draw_real(key: AnyArray, rows: int) -> Set:
        starts = jax.random.randint(key, (rows,), 0, len(tokens) - length)
        return jnp.asarray(tokens)[starts[:, None] + jnp.arange(length)[None, :]]

    facts = {"length": length, "smoothing": smoothing, "text": float(int(digest[:12], 16))}
    pairs = counts / counts.sum()
    return _generator("text", draw_real, pairs, smoothing, length, facts, math.nan)


def read_text(path: str) -> tuple[str, str]:
    """A text and the hash of its bytes; raises ValueError for one that is missing or empty."""
    instance("task: path", path, str)
    try:
        data = Path(path).read_bytes()
        text = data.decode()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise fail("task: path", path, f"a text in UTF-8 ({type(error).__name__})") from None
    if len(text) < 2:
        raise fail("task: path", f"{path}, an empty text", "one of two characters or more")
    return text, hashlib.sha256(data).hexdigest()


def _generator(
    source: str,
    draw_real: Callable[[AnyArray, int], Set],
    pairs: Float[np.ndarray, "states states"],
    smoothing: float,
    length: int,
    facts: dict[str, float],
    entropy: float,
) -> Generator:
    """The generator of a source whose pairs of tokens have this law."""
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
        return _walk(key, rows, length, first, lambda token: sums[token])

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
        source=source,
        settings=facts,
        real=draw_real,
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
        facts={"entropy": entropy, "tail": float((pairs * rare).sum())},
    )
