"""A transformer fitted to sequences, and decoded for its successor.

Shumailov et al. (Nature 2024) tuned OPT-125m on wikitext2 and had each generation write the text of
the next by beams with a penalty on repetitions. Here the text is a Markov chain, or several, whose
likelihood is exact: tails of what is written are measured under the source itself, and how rows
are decoded is a setting of its own.
"""

import jax
import jax.numpy as jnp
import optax

from simbias._checks import fail
from simbias._keys import seed_key
from simbias._types import AnyArray, Params, Settings
from simbias.generations.descent import descend, network_generator, numbers
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics
from simbias.generations.sequences import sequences
from simbias.generations.transformer import Decoding, decode, initial, log_probabilities

_ASKED = 512  # rows, of the source and of the model
_TAIL = 0.01  # mass of the source's rows beyond either quantile
_SIZES = {"width": 32, "depth": 1, "batch": 32, "beams": 1}
_RATES = {"epochs": 10.0, "learning_rate": 3e-3, "temperature": 1.0, "repetition_penalty": 1.0}


def transformer(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings: a causal transformer trained by Adam.

    Args:
        source: as ``sequences`` takes it; rows of a text that are measured on are drawn as those
            that are learned from are, and may overlap them.
        settings: ``width`` (even), ``depth``, ``epochs`` of the total number of rows, ``batch``
            (rows) and ``learning_rate``; of the decoding ``temperature``, ``beams`` and
            ``repetition_penalty``.

    Raises:
        ValueError: an unknown setting, or one out of range.

    Examples:
        >>> import simbias
        >>> source = {"states": 6, "length": 8}
        >>> generator = simbias.generations.transformer(source, {"width": 8, "beams": 5})
        >>> generator.source, generator.settings["beams"], generator.additive
        ('chain', 5, False)
    """
    sizes, rates = numbers(settings, _SIZES, _RATES)
    width, depth, batch, beams = sizes.values()
    epochs, rate, temperature, penalty = rates.values()
    if width % 2:
        raise fail("generator: width", width, "an even number: there are two heads")
    drawn_from, how = sequences(source), Decoding(temperature, beams, penalty)
    states, length = len(drawn_from.pairs), drawn_from.length
    optimiser = optax.adam(rate)

    def loss(params: Params, rows: Set, key: AnyArray) -> AnyArray:
        return -log_probabilities(params, rows).mean()

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        for_start, for_rows = jax.random.split(key)
        start = initial(for_start, states, length, width, depth)
        return descend(loss, start, optimiser, statistics, for_rows, epochs=epochs, batch=batch)

    def draw(model: Model, key: AnyArray, rows: int) -> Set:
        return decode(model["params"], key, rows, how)

    def measure(model: Model) -> Measures:
        for_old, for_new = jax.random.split(seed_key(0))  # the same for every model
        old = drawn_from.real(for_old, _ASKED)
        # of a token given those before it: the first one is no transition
        under_new = -log_probabilities(model["params"], old)[:, 1:].mean()
        measures = {"old_under_new": under_new, "perplexity": jnp.exp(under_new)}
        if drawn_from.log_density is None:
            return measures
        new = draw(model, for_new, _ASKED)
        own, written = (-drawn_from.log_density(rows) / length for rows in (old, new))
        low, high = jnp.quantile(own, jnp.array([_TAIL, 1 - _TAIL]))
        if drawn_from.persona is not None:
            proportions = drawn_from.persona(new).mean(axis=0)
            measures |= {
                "first_persona": proportions[0],
                "commonest_persona": proportions.max(),
            }
        return measures | {
            "new_under_old": written.mean(),
            "probable": (written < low).mean(),
            "improbable": (written > high).mean(),
        }

    return network_generator(
        name="transformer",
        source=drawn_from.name,
        settings={**drawn_from.settings, **sizes, **rates},
        real=drawn_from.real,
        draw=draw,
        fit=fit,
        measure=measure,
        facts={"entropy": drawn_from.entropy},
    )
