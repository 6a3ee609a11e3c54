"""A mixture of normal laws in the plane, fitted by expectation and maximisation.

Shumailov et al. (2023), their second example, with points of two components. Each fit starts from
the source's parameters, which is the best start that it can have; what is lost is not lost by it.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from simbias._checks import check_keys, real, whole
from simbias._keys import seed_key
from simbias._types import AnyArray, Settings
from simbias.generations.generator import (
    Generator,
    Measures,
    Model,
    Set,
    Statistics,
    in_room,
    weighted,
)

_FLOOR = 1e-6  # least eigenvalue that is added to a covariance
_ASKED = 2048  # points on which likelihoods are measured
_MOST_STEPS = 1000


def mixture(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings.

    Args:
        source: ``separation`` of each of two round components from the middle (default 2).
        settings: ``steps`` of expectation and maximisation (default 30).

    Raises:
        ValueError: an unknown setting, or one out of range.

    References:
        A. Dempster, N. Laird, D. Rubin, "Maximum likelihood from incomplete data via the EM
        algorithm" (JRSS B 1977).

    Examples:
        >>> import jax
        >>> import simbias
        >>> generator = simbias.generations.mixture({"separation": 4.0}, {})
        >>> points = generator.real(jax.random.key(0), 1000)
        >>> model = generator.fit(generator.gather(points, None), None)
        >>> model["mean"][:, 0].round().tolist()
        [-4.0, 4.0]
    """
    check_keys("task", source, {}, {"separation": float})
    check_keys("generator", settings, {}, {"steps": int})
    separation = real("task: separation", source.get("separation", 2.0), 0)
    steps = whole("generator: steps", settings.get("steps", 30), most=_MOST_STEPS)
    truth = {
        "weight": np.full(2, 0.5, np.float32),
        "mean": np.array([[-separation, 0], [separation, 0]], np.float32),
        "covariance": np.stack([np.eye(2, dtype=np.float32)] * 2),
    }

    def fit(statistics: Statistics, key: AnyArray) -> Model:
        points, weight = statistics["points"], statistics["weight"]

        def step(i: AnyArray, model: Model) -> Model:
            belongs = jax.nn.softmax(_log_parts(model, points), axis=1) * weight[:, None]
            total = belongs.sum(axis=0) + 1e-12
            mean = belongs.T @ points / total[:, None]
            off = points[:, None, :] - mean[None, :, :]
            spread = jnp.einsum("nk,nki,nkj->kij", belongs, off, off) / total[:, None, None]
            floor = _FLOOR * jnp.eye(2)[None]
            return {
                "weight": total / total.sum(),
                "mean": mean,
                "covariance": spread + floor,
            }

        start = {name: jnp.asarray(value) for name, value in truth.items()}
        return jax.lax.fori_loop(0, steps, step, start)

    def measure(model: Model) -> Measures:
        asked = seed_key(0)  # the same points for every model, so that only models differ
        new = _draw(model, asked, _ASKED)
        old = _draw(truth, asked, _ASKED)
        middle = (model["weight"][:, None] * model["mean"]).sum(axis=0)
        off = model["mean"] - middle[None]
        traces = jnp.trace(model["covariance"], axis1=1, axis2=2) + (off**2).sum(axis=1)
        variance = (model["weight"] * traces).sum()
        return {
            "drift": (middle**2).sum(),
            "variance": variance,
            "log_variance": jnp.log(jnp.linalg.det(model["covariance"])).mean(),
            "old_under_new": -_log_density(model, old).mean(),
            "new_under_old": -_log_density(truth, new).mean(),
        }

    return Generator(
        name="mixture",
        source="two-blobs",
        settings={"separation": separation, "steps": steps},
        real=lambda key, rows: _draw(truth, key, rows),
        draw=_draw,
        gather=weighted,
        merge=in_room,
        additive=False,
        fit=fit,
        measure=measure,
        alive=lambda model: jnp.isfinite(model["covariance"]).all(),
        fault="a covariance is not finite",
        least=4,
        mirrored=lambda points: -points,
    )


def _draw(model: Model, key: AnyArray, rows: int) -> Set:
    for_component, for_points = jax.random.split(key)
    chosen = (jax.random.uniform(for_component, (rows,)) >= model["weight"][0]).astype(jnp.int32)
    # of a symmetric matrix of two rows the root is written out
    a, b, c = (jnp.asarray(model["covariance"])[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    first = jnp.sqrt(a)
    second, third = b / first, jnp.sqrt(jnp.maximum(c - b**2 / a, 0.0))
    z = jax.random.normal(for_points, (rows, 2))
    x = first[chosen] * z[:, 0]
    y = second[chosen] * z[:, 0] + third[chosen] * z[:, 1]
    return jnp.asarray(model["mean"])[chosen] + jnp.stack([x, y], axis=1)


def _log_parts(model: Model, points: Set) -> AnyArray:
    """Log of each component's weight times its density at each point, (rows, components)."""
    off = points[:, None, :] - jnp.asarray(model["mean"])[None, :, :]
    a, b, c = (jnp.asarray(model["covariance"])[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = a * c - b**2
    x, y = off[:, :, 0], off[:, :, 1]
    square = (c[None] * x**2 - 2 * b[None] * x * y + a[None] * y**2) / determinant[None]
    constant = jnp.log(model["weight"]) - 0.5 * jnp.log(determinant) - math.log(2 * math.pi)
    return constant[None] - 0.5 * square


def _log_density(model: Model, points: Set) -> AnyArray:
    return jax.scipy.special.logsumexp(_log_parts(model, points), axis=1)
