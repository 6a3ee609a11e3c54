"""Least squares: each generation labels fresh inputs with its line and noise for the next one."""

import jax
import jax.numpy as jnp
import numpy as np

from simbias._checks import check_keys, real, whole
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics


def least_squares(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings.

    Args:
        source: ``dim`` standard normal inputs (default 5) and the standard deviation ``noise`` of
            labels (default 1), about a line of slope 1 along the diagonal.
        settings: none.

    Raises:
        ValueError: an unknown setting, or one out of range.

    References:
        M. Gerstgrasser et al., "Is model collapse inevitable?" (arXiv 2404.01413).

    Examples:
        >>> import jax
        >>> import simbias
        >>> generator = simbias.generations.least_squares({"dim": 2, "noise": 0.0}, {})
        >>> statistics = generator.gather(generator.real(jax.random.key(0), 20), None)
        >>> bool(generator.measure(generator.fit(statistics, None))["drift"] < 1e-9)
        True
    """
    check_keys("task", source, {}, {"dim": int, "noise": float})
    check_keys("generator", settings, {})
    dim = whole("task: dim", source.get("dim", 5), most=100)
    noise = real("task: noise", source.get("noise", 1.0), 0)
    slopes = np.full(dim, dim**-0.5, np.float32)

    def draw(weights: AnyArray, key: AnyArray, rows: int) -> Set:
        numbers = jax.random.normal(key, (rows, dim + 1))
        x = numbers[:, :dim]
        return {"x": x, "y": x @ weights + noise * numbers[:, dim]}

    def gather(points: Set, weight: AnyArray | None) -> Statistics:
        x = points["x"] if weight is None else points["x"] * weight[:, None]
        return {"gram": x.T @ points["x"], "moment": x.T @ points["y"]}

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        return {"weights": jnp.linalg.solve(statistics["gram"], statistics["moment"])}

    def measure(model: Model) -> Measures:
        return {"drift": ((model["weights"] - slopes) ** 2).sum()}

    return Generator(
        name="least-squares",
        source="line",
        settings={"dim": dim, "noise": noise},
        real=lambda key, rows: draw(slopes, key, rows),
        draw=lambda model, key, rows: draw(model["weights"], key, rows),
        gather=gather,
        merge=lambda a, b: {name: a[name] + b[name] for name in a},
        fit=fit,
        measure=measure,
        alive=lambda model: jnp.isfinite(model["weights"]).all(),
        fault="the inputs span no space of full dimension",
        least=dim + 2,
        average=lambda models: {"weights": models["weights"].mean(axis=0)},
        mirrored=lambda points: {"x": -points["x"], "y": -points["y"]},
    )
