"""Sources of sequences: a known Markov chain, several of them, or a text.

Of a known chain everything is exact: its entropy, its rare transitions, the likelihood of any row.
A *persona* is a chain of its own, which a row follows from its first token to its last. Sequences
are cut into rows, each of which begins anew.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simbias._checks import check_keys, fail, instance, real, whole
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Set
from simbias.generations.histogram import long_tail

_MOST_STATES, _LONGEST = 256, 10_000


@dataclass(frozen=True, eq=False)
class Sequences:
    """A source of rows of tokens.

    Attributes:
        name: "chain" or "text".
        settings: numbers that it is identified by.
        length: tokens of a row.
        real: draws rows from a key.
        pairs: the law of two tokens that follow each other, (states, states).
        entropy: of a token given the one before and the persona, nats; NaN: not known.
        log_density: of rows, exact, nats; None: not known.
        persona: probability that a row is of each persona, (rows, personas); None: there is one.

    Examples:
        >>> import jax
        >>> from simbias.generations.sequences import sequences
        >>> source = sequences({"states": 4, "length": 8})
        >>> source.name, source.real(jax.random.key(0), 3).shape, round(source.entropy, 3)
        ('chain', (3, 8), 1.242)
    """

    name: str
    settings: dict[str, float]
    length: int
    real: Callable[[AnyArray, int], Set]
    pairs: Float[np.ndarray, "states states"]
    entropy: float = math.nan
    log_density: Callable[[Set], AnyArray] | None = None
    persona: Callable[[Set], AnyArray] | None = None


def sequences(source: Settings) -> Sequences:
    """The source of some settings.

    Args:
        source: of a chain: ``states`` (default 20) and ``personas`` (default 1), each a chain of
            its own, of which the ``first`` writes a proportion of rows (default: as many as each
            other); of a text: ``path`` of a file. Rows have ``length`` tokens (default 50).

    Raises:
        ValueError: an unknown setting, one out of range, or a text without two characters.
    """
    length = whole("task: length", source.get("length", 50), least=2, most=_LONGEST)
    if "path" in source:
        check_keys("task", source, {"path": str}, {"length": int})
        return _of_text(source["path"], length)
    check_keys("task", source, {}, {"states": int, "personas": int, "length": int, "first": float})
    states = whole("task: states", source.get("states", 20), least=2, most=_MOST_STATES)
    personas = whole("task: personas", source.get("personas", 1), most=100)
    first_writes = real("task: first", source.get("first", 1 / personas), 0, 1)
    if personas == 1 and first_writes != 1:
        raise fail("task: first", first_writes, "1 for one persona")
    others = (1 - first_writes) / max(personas - 1, 1)
    written = np.array([first_writes, *[others] * (personas - 1)])
    chains = np.stack([known_chain(states, persona) for persona in range(personas)])
    starts = np.stack([stationary(chain) for chain in chains])
    ends, first = np.cumsum(chains, axis=2), np.cumsum(starts, axis=1)

    def draw_real(key: AnyArray, rows: int) -> Set:
        for_persona, for_tokens = jax.random.split(key)
        u = jax.random.uniform(for_persona, (rows, 1))
        persona = (u >= jnp.asarray(np.cumsum(written)[:-1], jnp.float32)[None]).sum(axis=1)
        own_first = jnp.asarray(first, jnp.float32)[persona]
        own_ends = jnp.asarray(ends, jnp.float32)
        return walk(for_tokens, rows, length, own_first, lambda token: own_ends[persona, token])

    def of_personas(rows: Set) -> AnyArray:
        own_first = jnp.log(jnp.asarray(starts, jnp.float32))[:, rows[:, 0]]
        later = jnp.log(jnp.asarray(chains, jnp.float32))[:, rows[:, :-1], rows[:, 1:]]
        return own_first + later.sum(axis=2) + jnp.log(jnp.asarray(written, jnp.float32))[:, None]

    settings = {"states": states, "personas": personas, "length": length}
    mixed = (written[:, None, None] * starts[:, :, None] * chains).sum(axis=0)
    logs = written[:, None, None] * starts[:, :, None] * chains * np.log(chains)
    return Sequences(
        "chain",
        settings | ({"first": first_writes} if "first" in source else {}),
        length,
        draw_real,
        mixed,
        float(-logs.sum()),
        lambda rows: jax.scipy.special.logsumexp(of_personas(rows), axis=0),
        (lambda rows: jax.nn.softmax(of_personas(rows), axis=0).T) if personas > 1 else None,
    )


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


def walk(
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


def _of_text(path: str, length: int) -> Sequences:
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

    settings = {"length": length, "text": float(int(digest[:12], 16))}
    return Sequences("text", settings, length, draw_real, counts / counts.sum())


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
