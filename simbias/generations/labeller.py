"""A linear classifier that labels points for its successor: where a critic decides what is learned.

Two normal classes, of which the first set has wrong labels with some probability; a critic that
knows right labels accepts them with one probability, and wrong ones with another (Feng et al.,
arXiv 2406.07515).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from simbias._checks import check_keys, real, whole
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics


def labeller(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings: the mean of inputs times labels is the normal of its plane.

    Args:
        source: ``dim`` coordinates (default 10), ``separation`` of each class's mean from the
            middle in standard deviations (default 1), and ``error``, the probability that a label
            of the source is wrong (default 0).
        settings: none.

    Raises:
        ValueError: an unknown setting, or one out of range.

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> generator = simbias.generations.labeller({"dim": 2, "separation": 1.0}, {})
        >>> model = {"weights": jnp.array([2.0, 0.0])}
        >>> round(float(generator.measure(model)["correct"]), 4)  # of the best plane
        0.8413
    """
    check_keys("task", source, {}, {"dim": int, "separation": float, "error": float})
    check_keys("generator", settings, {})
    dim = whole("task: dim", source.get("dim", 10), most=1000)
    separation = real("task: separation", source.get("separation", 1.0), 0, open_low=True)
    error = real("task: error", source.get("error", 0.0), 0, 1)
    middle = np.eye(1, dim, dtype=np.float32)[0] * np.float32(separation)

    def inputs(key: AnyArray, rows: int) -> tuple[AnyArray, AnyArray]:
        for_class, for_x = jax.random.split(key)
        sign = jax.random.rademacher(for_class, (rows,), jnp.float32)
        return sign, sign[:, None] * middle[None, :] + jax.random.normal(for_x, (rows, dim))

    def corpus(key: AnyArray, rows: int, wrong: float) -> Set:
        for_error, for_inputs = jax.random.split(key)
        sign, x = inputs(for_inputs, rows)
        flips = jax.random.uniform(for_error, (rows,)) < wrong
        return {"x": x, "label": jnp.where(flips, -sign, sign), "sign": sign}

    def draw(model: Model, key: AnyArray, rows: int) -> Set:
        sign, x = inputs(key, rows)
        return {"x": x, "label": jnp.where(x @ model["weights"] >= 0, 1.0, -1.0), "sign": sign}

    def gather(points: Set, weight: AnyArray | None) -> Statistics:
        label = points["label"] if weight is None else points["label"] * weight
        total = jnp.float32(len(label)) if weight is None else weight.sum()
        return {"moment": label @ points["x"], "points": total}

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        return {"weights": statistics["moment"] / statistics["points"]}

    def measure(model: Model) -> Measures:
        weights = model["weights"]
        along = weights[0] * separation / jnp.sqrt((weights**2).sum())
        return {"correct": norm.cdf(along), "drift": ((weights - middle) ** 2).sum()}

    return Generator(
        name="labeller",
        source="two-classes",
        settings={"dim": dim, "separation": separation, "error": error},
        real=lambda key, rows: corpus(key, rows, error),
        draw=draw,
        gather=gather,
        merge=lambda a, b: {name: a[name] + b[name] for name in a},
        fit=fit,
        measure=measure,
        alive=lambda model: jnp.isfinite(model["weights"]).all(),
        fault="no point was accepted",
        average=lambda models: {"weights": models["weights"].mean(axis=0)},
        mirrored=lambda points: {
            "x": -points["x"],
            "label": -points["label"],
            "sign": -points["sign"],
        },
        right=lambda points: points["label"] == points["sign"],
        better=corpus,
    )
