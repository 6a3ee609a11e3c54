"""Frequencies fitted to categories of a long-tailed source: the model of Wright and Fisher.

Counts of one generation are drawn point by point from the frequencies of the one before; a category
that is not drawn is lost for good, unless real points bring it back.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simbias._checks import check_keys, real, whole
from simbias._types import AnyArray, Settings
from simbias.generations.generator import Generator, Measures, Model, Set, Statistics

_RARE = 0.05  # mass of the source in its rarest categories, at most
_MOST = 1000  # categories


def long_tail(categories: int, exponent: float) -> Float[np.ndarray, " categories"]:
    """Zipf's law: frequencies in proportion to rank to the power -exponent."""
    weights = np.arange(1, categories + 1, dtype=float) ** -exponent
    law: Float[np.ndarray, " categories"] = weights / weights.sum()
    return law


def histogram(source: Settings, settings: Settings) -> Generator:
    """The generator of some settings.

    Args:
        source: ``categories`` (default 50) and ``exponent`` of Zipf's law (default 1).
        settings: none.

    Raises:
        ValueError: an unknown setting, or one out of range.

    References:
        S. Wright, "Evolution in Mendelian populations" (Genetics 1931).

    Examples:
        >>> import jax.numpy as jnp
        >>> import simbias
        >>> generator = simbias.generations.histogram({"categories": 4}, {})
        >>> model = generator.fit(generator.gather(jnp.array([0, 0, 1, 3]), None), None)
        >>> model["frequencies"].tolist(), float(generator.measure(model)["support"])
        ([0.5, 0.25, 0.0, 0.25], 0.75)
    """
    check_keys("task", source, {}, {"categories": int, "exponent": float})
    check_keys("generator", settings, {})
    categories = whole("task: categories", source.get("categories", 50), least=2, most=_MOST)
    exponent = real("task: exponent", source.get("exponent", 1.0), 0)
    law = long_tail(categories, exponent)
    rare = (np.cumsum(law[::-1])[::-1] <= _RARE).astype(np.float32)
    old = law.astype(np.float32)

    def draw(frequencies: AnyArray, key: AnyArray, rows: int) -> Set:
        ends = jnp.cumsum(frequencies)[:-1]
        u = jax.random.uniform(key, (rows,)) * jnp.minimum(frequencies.sum(), 1)
        # a category without mass has an end that equals the one before, which u is past too
        chosen = (u[:, None] >= ends[None, :]).sum(axis=1)
        return jnp.minimum(chosen, _last(frequencies))

    def gather(points: Set, weight: AnyArray | None) -> Statistics:
        matches = (points[:, None] == jnp.arange(categories)[None, :]).astype(jnp.float32)
        return {"counts": (matches if weight is None else weight[:, None] * matches).sum(axis=0)}

    def measure(model: Model) -> Measures:
        p = model["frequencies"]
        present = p > 0
        logs = jnp.log(jnp.where(present, p, 1))
        return {
            "entropy": -(p * logs).sum(),
            "tail": (p * rare).sum(),
            "support": present.astype(jnp.float32).mean(),
            "homozygosity": (p**2).sum(),
            # the model gives no mass to lost categories
            "old_under_new": jnp.where(present.all(), -(old * logs).sum(), jnp.nan),
            "new_under_old": -(p * np.log(old)).sum(),
        }

    return Generator(
        name="histogram",
        source="long-tail",
        settings={"categories": categories, "exponent": exponent},
        real=lambda key, rows: draw(jnp.asarray(old), key, rows),
        draw=lambda model, key, rows: draw(model["frequencies"], key, rows),
        gather=gather,
        merge=lambda a, b: {"counts": a["counts"] + b["counts"]},
        fit=lambda statistics, key: {
            "frequencies": statistics["counts"] / statistics["counts"].sum()
        },
        measure=measure,
        alive=lambda model: jnp.isfinite(model["frequencies"]).all(),
        fault="no point was accepted",
        average=lambda models: {"frequencies": models["frequencies"].mean(axis=0)},
        facts={
            "homozygosity": float((law**2).sum()),
            "tail": float(law[rare > 0].sum()),
            "entropy": float(-(law * np.log(law)).sum()),
        },
    )


def _last(frequencies: AnyArray) -> AnyArray:
    """The last category with mass: no point lies past it, however sums were rounded."""
    return len(frequencies) - 1 - jnp.argmax(frequencies[::-1] > 0)
