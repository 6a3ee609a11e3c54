"""A normal law fitted by mean and variance, to points of a standard normal one.

Shumailov et al. (arXiv 2305.17493; Nature 2024), their first example. Points are drawn and summed:
nothing is taken from the law of a sample variance.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from scipy.special import ndtri

from simbias._checks import check_keys, whole
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics

RARE = 0.01  # mass of the source in its tails, half on each side
EDGE = -float(ndtri(RARE / 2))
ENTROPY = 0.5 * math.log(2 * math.pi * math.e)  # of the source
_LEAST_RATIO = 1e-10  # of variance and squared mean: below, float32 has no points in between


def gaussian(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings.

    Args:
        source: no settings: the standard normal law.
        settings: ``ddof``, 0 or 1 (default 1): sums of squares are divided by points - ddof.

    Raises:
        ValueError: an unknown setting, or a ddof that is neither.

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> generator = simbias.generations.gaussian({}, {"ddof": 1})
        >>> statistics = generator.gather(jnp.array([1.0, 2.0, 6.0]), None)
        >>> model = generator.fit(statistics, None)
        >>> float(model["mean"]), float(model["variance"])
        (3.0, 7.0)
    """
    check_keys("task", source, {})
    check_keys("generator", settings, {}, {"ddof": int})
    ddof = whole("generator: ddof", settings.get("ddof", 1), least=0, most=1)

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        variance = statistics["squares"] / (statistics["points"] - ddof)
        return {"mean": statistics["mean"], "variance": variance}

    return Generator(
        name="gaussian",
        source="normal",
        settings={"ddof": ddof},
        real=lambda key, rows: jax.random.normal(key, (rows,)),
        draw=_draw,
        gather=_gather,
        merge=merge_moments,
        fit=fit,
        measure=_measure,
        alive=_alive,
        fault="the variance is below what 32 bits tell apart at its mean",
        least=ddof + 1,
        average=_average,
        mirrored=lambda points: -points,
    )


def _draw(model: Model, key: AnyArray, rows: int) -> Set:
    return model["mean"] + jnp.sqrt(model["variance"]) * jax.random.normal(key, (rows,))


def _gather(points: Set, weight: AnyArray | None) -> Statistics:
    if weight is None:
        mean = points.mean()
        return {
            "points": jnp.float32(len(points)),
            "mean": mean,
            "squares": ((points - mean) ** 2).sum(),
        }
    total = weight.sum()
    mean = (weight * points).sum() / total
    return {"points": total, "mean": mean, "squares": (weight * (points - mean) ** 2).sum()}


def merge_moments(a: Statistics, b: Statistics) -> Statistics:
    """Points, mean and sum of squared deviations of two sets together (Chan et al., 1983)."""
    points = a["points"] + b["points"]
    gap = b["mean"] - a["mean"]
    return {
        "points": points,
        "mean": a["mean"] + gap * b["points"] / points,
        "squares": a["squares"] + b["squares"] + gap**2 * a["points"] * b["points"] / points,
    }


def _average(models: Model) -> Model:
    """The normal law with mean and variance of the siblings' mixture."""
    mean = models["mean"].mean()
    return {"mean": mean, "variance": (models["variance"] + (models["mean"] - mean) ** 2).mean()}


def _alive(model: Model) -> AnyArray:
    tiny = jnp.maximum(float(np.finfo(np.float32).tiny), _LEAST_RATIO * model["mean"] ** 2)
    return (model["variance"] > tiny) & jnp.isfinite(model["variance"])


def _measure(model: Model) -> Measures:
    mean, variance = model["mean"], model["variance"]
    deviation, log_variance = jnp.sqrt(variance), jnp.log(variance)
    rare = norm.cdf((-EDGE - mean) / deviation) + norm.cdf((mean - EDGE) / deviation)
    half = 0.5 * math.log(2 * math.pi)
    return {
        "drift": mean**2,
        "variance": variance,
        "log_variance": log_variance,
        "deviation": deviation,
        "distance": mean**2 + (deviation - 1) ** 2,
        "entropy": ENTROPY + 0.5 * log_variance,
        "tail": rare,
        "old_under_new": half + 0.5 * (log_variance + (1 + mean**2) / variance),
        "new_under_old": half + 0.5 * (variance + mean**2),
    }
