"""A variational autoencoder fitted to images of digits.

Shumailov et al. (Nature 2024) trained one on MNIST, from samples of the one before, and report that
the standard deviation of its latent variables shrinks. These images are scikit-learn's, 8 pixels a
side; what models write is encoded by the first model of a lineage, so that generations share a
space. The source's rows are drawn with replacement.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from simbias._checks import check_keys
from simbias._keys import seed_key
from simbias._types import AnyArray, Params, Settings
from simbias.generations.descent import descend, network_generator, numbers
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics
from simbias.tasks.images import digits

_ASKED = 1024  # samples of a model
_SIZES = {"latent": 2, "width": 64, "batch": 64}
_RATES = {"epochs": 60.0, "learning_rate": 3e-3}


def autoencoder(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings: an encoder and a decoder of one hidden layer, by Adam.

    Pixels are the means of independent Bernoulli variables; what a model writes are such means.

    Args:
        source: no settings: four fifths of the digits; the others are real ones that no model sees.
        settings: ``latent`` variables, ``width`` of the hidden layers, ``epochs`` of the total
            number of images, ``batch`` and ``learning_rate``.

    Raises:
        ValueError: an unknown setting, or one out of range.
        NotInstalled: scikit-learn is missing, when images are drawn.

    References:
        D. Kingma, M. Welling, "Auto-encoding variational Bayes" (ICLR 2014).

    Examples:
        >>> import simbias
        >>> generator = simbias.generations.autoencoder({}, {"latent": 2, "epochs": 5})
        >>> generator.source, generator.settings["latent"], generator.settings["width"]
        ('digits', 2, 64)
    """
    check_keys("task", source, {})
    sizes, rates = numbers(settings, _SIZES, _RATES)
    latent, width, batch = sizes.values()
    epochs, rate = rates.values()
    optimiser = optax.adam(rate)

    def draw_real(key: AnyArray, rows: int) -> Set:
        images, _ = _images()
        return jnp.asarray(images)[jax.random.randint(key, (rows,), 0, len(images))]

    def loss(params: Params, x: Set, key: AnyArray) -> AnyArray:
        return _negative_bound(params, x, key).mean()

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        for_start, for_rows = jax.random.split(key)
        start = _initial(for_start, statistics["points"].shape[1], width, latent)
        return descend(loss, start, optimiser, statistics, for_rows, epochs=epochs, batch=batch)

    def draw(model: Model, key: AnyArray, rows: int) -> Set:
        return jax.nn.sigmoid(_decoded(model["params"], jax.random.normal(key, (rows, latent))))

    def measure(model: Model) -> Measures:
        images, unseen = _images()
        centre, total = images.mean(axis=0), float(images.var(axis=0).sum())
        for_new, for_old = jax.random.split(seed_key(0))  # the same for every model
        new = draw(model, for_new, _ASKED)
        return {
            "drift": ((new.mean(axis=0) - jnp.asarray(centre)) ** 2).sum() / total,
            "variance": new.var(axis=0).sum() / total,
            "old_under_new": loss(model["params"], jnp.asarray(unseen), for_old),
        }

    def compare(model: Model, first: Model) -> Measures:
        means, _ = _encoded(first["params"], draw(model, seed_key(0), _ASKED))
        return {"latent": means.std(axis=0).mean()}

    return network_generator(
        name="autoencoder",
        source="digits",
        settings=sizes | rates,
        real=draw_real,
        draw=draw,
        fit=fit,
        measure=measure,
        compare=compare,
    )


def _images() -> tuple[np.ndarray, np.ndarray]:
    """Images to learn from, and every fifth, which no model sees: rows of numbers in [0, 1]."""
    x = digits().x.astype(np.float32)
    rows, held_out = x.reshape(len(x), -1), np.arange(len(x)) % 5 == 0
    return rows[~held_out], rows[held_out]


def _initial(key: AnyArray, pixels: int, width: int, latent: int) -> Params:
    sizes = [(pixels, width), (width, 2 * latent), (latent, width), (width, pixels)]
    return [
        {"w": jax.random.normal(own, size) / size[0] ** 0.5, "b": jnp.zeros(size[1])}
        for own, size in zip(jax.random.split(key, 4), sizes, strict=True)
    ]


def _affine(layer: Params, x: AnyArray) -> AnyArray:
    return x @ layer["w"] + layer["b"][None, :]


def _encoded(params: Params, x: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Mean and log variance of the latent variables of some images."""
    out = _affine(params[1], jax.nn.relu(_affine(params[0], x)))
    mean, log_variance = jnp.split(out, 2, axis=1)
    return mean, log_variance


def _decoded(params: Params, z: AnyArray) -> AnyArray:
    """Logits of pixels."""
    return _affine(params[3], jax.nn.relu(_affine(params[2], z)))


def _negative_bound(params: Params, x: AnyArray, key: AnyArray) -> AnyArray:
    """The negative evidence bound of each image, nats: at least its -log probability."""
    mean, log_variance = _encoded(params, x)
    z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
    missed = optax.sigmoid_binary_cross_entropy(_decoded(params, z), x).sum(axis=1)
    apart = 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    return missed + apart
