"""A network that labels fresh inputs for its successor: self-distillation of a biased labeller.

The source is a task of blocks, where a network may have learned the simple rule and memorised the
exceptions: what it labels for its successor are inputs that it has not seen. Whether exceptions
vanish, the risk grows, and lineages that had escaped to the achievable rule stay there, is measured
on fresh points, which are the same for all models.
"""

import jax
import jax.numpy as jnp
import optax

from simbias._checks import fail
from simbias._keys import seed_key
from simbias._pinned import lenient
from simbias._types import AnyArray, Settings
from simbias.generations.descent import descend, network_generator, numbers
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics
from simbias.networks.mlp import MLP
from simbias.registry import TASKS
from simbias.tasks import BlockTask

_ASKED = 16_384  # fresh points
_MOSTLY = 0.9  # of exceptions that who has escaped labels rightly
_SIZES = {"width": 50, "depth": 1, "batch": 128}
_RATES = {"epochs": 50.0, "learning_rate": 0.1, "momentum": 0.9}


def classifier(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings: an MLP trained by SGD on the cross-entropy.

    Inputs are turned by one rotation, that of seed 0, for all lineages.

    Args:
        source: ``name`` of a task of blocks, and its own settings.
        settings: ``width``, ``depth``, ``epochs`` of the total number of points, ``batch``,
            ``learning_rate`` and ``momentum``.

    Raises:
        ValueError: an unknown setting, one out of range, or a task of another kind.

    References:
        H. Mobahi, M. Farajtabar, P. Bartlett, "Self-distillation amplifies regularization in
        Hilbert space" (NeurIPS 2020).

    Examples:
        >>> import simbias
        >>> source = {"name": "noisy-lms-5", "dim": 4}
        >>> generator = simbias.generations.classifier(source, {"width": 8, "epochs": 20})
        >>> generator.source, generator.settings["width"], generator.additive
        ('noisy-lms-5', 8, False)
    """
    own = {key: value for key, value in source.items() if key != "name"}
    task = TASKS.make(str(source["name"]), own)
    if not isinstance(task, BlockTask):
        raise fail("task: name", task.name, "a task of blocks, for this generator")
    sizes, rates = numbers(settings, _SIZES, _RATES, from_zero=["momentum"])
    width, depth, batch = sizes.values()
    epochs, rate, momentum = rates.values()
    network, optimiser = MLP(width, depth), optax.sgd(rate, momentum)
    law = jax.tree.map(jnp.asarray, task.law(seed_key(0)))

    def real_points(key: AnyArray, rows: int) -> Set:
        points = task.draw(law, key, "train", rows)
        return {"x": points.x, "label": points.y, "truth": points.y}

    def labels(model: Model, x: AnyArray) -> AnyArray:
        with lenient():
            return network.apply(model["params"], x).argmax(axis=1).astype(jnp.int32)

    def draw(model: Model, key: AnyArray, rows: int) -> Set:
        points = real_points(key, rows)
        return points | {"label": labels(model, points["x"])}

    def loss(params: Model, points: Set, key: AnyArray) -> AnyArray:
        with lenient():
            logits = network.apply(params, points["x"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, points["label"]).mean()

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        for_start, for_rows = jax.random.split(key)
        with lenient():
            start = network.init(for_start, task.shape, task.classes)
        return descend(loss, start, optimiser, statistics, for_rows, epochs=epochs, batch=batch)

    def exceptions_right(model: Model) -> tuple[AnyArray, AnyArray]:
        """Accuracy on fresh points, and on the exceptions among them: the same for every model."""
        points = task.draw(law, seed_key(0), "certify", _ASKED)
        right = labels(model, points.x) == points.y
        return right.mean(), (right & points.exception).sum() / points.exception.sum()

    def measure(model: Model) -> Measures:
        correct, exceptions = exceptions_right(model)
        escaped = jnp.where(
            jnp.isnan(exceptions), jnp.nan, (exceptions > _MOSTLY).astype(jnp.float32)
        )
        return {"correct": correct, "exceptions": exceptions, "escaped": escaped}

    def compare(model: Model, first: Model) -> Measures:
        points = task.draw(law, seed_key(0), "certify", _ASKED)
        same = labels(model, points.x) == labels(first, points.x)
        had, has = (exceptions_right(each)[1] > _MOSTLY for each in (first, model))
        still = jnp.where(had, has.astype(jnp.float32), jnp.nan)
        return {"agreement": same.mean(), "still_escaped": still}

    return network_generator(
        name="classifier",
        source=task.name,
        settings=sizes | rates,
        real=real_points,
        draw=draw,
        fit=fit,
        measure=measure,
        right=lambda points: points["label"] == points["truth"],
        compare=compare,
    )
